//! The kind `node`: a machine that has joined, registered, labelled and Ready.
//!
//! What is decided here, and why:
//!
//! - **A machine knows that it is a node, and the API knows how the node is.** What the machine has written down
//!   ([`Joined`](keelson_provider_api::Joined)) is what counts for whether there is one: it is there also while the API is
//!   silent, so that a bring-up that was cut off goes on. A node whose machine is gone for good is there as long as its
//!   Node object is, so that it can be removed.
//! - **Labels and taints are compared as far as keelson has set them.** What it has set stands in annotations of the Node
//!   object; labels and taints of others, the kubelet's own among them, are nobody's business here.
//! - **A node that has not registered belongs to no group**, nor does one whose Node object somebody deleted, or whose kubelet
//!   has lost its certificate. That difference has the planner go on with it.
//! - **Ready is what its kubelet has said lately.** A node that is Ready by its own words, while its kubelet has not renewed its
//!   Lease, is not Ready: the words may have come with the data of a snapshot.
//! - **Labels and taints come as soon as the kubelet has registered**, before the node is Ready: no pod is placed by what
//!   the node was in between.

mod create;
mod delete;
mod emptied;
mod heartbeats;
mod marks;
mod observe;
mod token;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Node;
use keelson_provider_api::Joined;
use keelson_provider_api::kinds::Machine;
use kube::ResourceExt as _;
use kube::api::ListParams;

pub(super) use create::{create, update};
pub(super) use delete::delete;
pub(super) use emptied::{empty, refill};
pub(super) use marks::group_of;
pub(super) use observe::{Seen, observe};

use super::connection::Connection;
use super::trouble::Trouble;

/// The group of control planes, as the model names it: they have kubeadm's role labels, and their kubelets have
/// certificates from the start.
const CONTROL_PLANE_GROUP: &str = Machine::CONTROL_PLANE_GROUP;

/// True for a worker whose kubelet has no certificate, or has lost it: it needs a token.
fn is_barred(joined: &Joined) -> bool {
    !joined.has_certificate && joined.node.group != CONTROL_PLANE_GROUP
}

/// How many nodes are asked for at once.
const NODES_A_PAGE: u32 = 500;

/// What the API knows of nodes.
pub(super) async fn look(connection: &Connection) -> Result<Seen, Trouble> {
    let (objects, heartbeats) =
        futures_util::future::try_join(list(connection), heartbeats::heartbeats(connection)).await?;
    Ok(Seen { objects, heartbeats })
}

/// Every Node object, by name.
async fn list(connection: &Connection) -> Result<BTreeMap<String, Node>, Trouble> {
    let nodes = connection.global::<Node>();
    let mut asked = ListParams::default().limit(NODES_A_PAGE);
    let mut all = BTreeMap::new();
    loop {
        let page = connection.settle(nodes.list(&asked).await)?;
        all.extend(page.items.into_iter().map(|node| (node.name_any(), node)));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => asked.continue_token = Some(token),
            None => return Ok(all),
        }
    }
}
