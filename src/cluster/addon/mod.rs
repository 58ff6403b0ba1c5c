//! The kind `addon`: sets of objects that are applied and pruned as one.
//!
//! What is decided here, and why:
//!
//! - **An inventory says what an add-on has.** It is a ConfigMap beside the add-on's objects, so it lives and is restored
//!   with them. Before anything is applied it names the union of what was and what will be; only when all is done does it
//!   name what is, with its digest. Whoever comes after a crash finds everything that may have been made.
//! - **Only what an inventory names is removed**, and of that only what keelson has applied and no other add-on has.
//! - **An add-on is done when it is applied.** Whether its pods come up is its health, and is looked at; CoreDNS, for one,
//!   cannot come up before there are nodes.

mod apply;
mod crd;
mod health;
mod inventory;
mod observe;
mod order;
mod prune;

use async_trait::async_trait;
use keelson_provider_api::kinds::Addon;
use keelson_provider_api::{ClusterIdentity, ProviderError};

use crate::addons::Object;

pub(super) use apply::{apply, remove};
pub(super) use observe::observe;

/// The label of an inventory, whose value is the add-on's name.
pub const PART_OF_LABEL: &str = "keelson.dev/addon";

/// What add-ons are made of.
#[async_trait]
pub trait AddonObjects: Send + Sync {
    /// The objects of the add-on `name` as `wanted` asks for it.
    ///
    /// # Errors
    /// When they cannot be read or rendered, and when they are not those whose digest `wanted` names.
    async fn objects(
        &self,
        cluster: &ClusterIdentity,
        name: &str,
        wanted: &Addon,
    ) -> Result<Vec<Object>, ProviderError>;
}
