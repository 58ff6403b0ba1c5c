//! What a machine that is made in a cloud does at its first boot, before anybody can log in.
//!
//! It runs what its user data says: a script that brings its bundle in force, out of the state store, in the very way in
//! which it is put in force over SSH, so that whoever looks later finds that bundle ([`crate::bundle`]), and the
//! [`Mark`](crate::Mark) of its cluster. User data is no place for secrets: everything on the machine can read it
//! (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html>).

use async_trait::async_trait;

use crate::identity::ClusterIdentity;
use crate::kinds::{Machine, NodeGroup};
use crate::provider::ProviderError;
use crate::values::Digest;

/// The most that user data can have: EC2 takes 16 KiB before it is encoded
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-add-user-data.html>), `DigitalOcean` 64 KiB
/// (<https://docs.digitalocean.com/products/droplets/how-to/provide-user-data/>).
pub const USER_DATA_LIMIT_BYTES: usize = 16 << 10;

/// A machine that is about to be made, and that keelson knows by its name from then on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMachine<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is to be.
    pub machine: &'a Machine,
    /// Which incarnation of its name it will be.
    pub generation: u32,
    /// The paths at which the volume for its etcd data may appear, the surest one first; empty where it has none.
    pub volume_devices: Vec<String>,
}

/// A group of machines that is about to be made, or to start its machines from something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGroup<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is to be.
    pub group: &'a NodeGroup,
}

/// Says what machines do at their first boot, for a provider that makes them.
#[async_trait]
pub trait FirstBoot: Send + Sync {
    /// The user data of a machine, at most [`USER_DATA_LIMIT_BYTES`]. What it will ask for is kept in the state store before
    /// this answers. The same machine has the same, also when it is asked for by a later run, so that a cloud knows a create
    /// again that it has heard of; but it may be another one once the certificates that are kept for it have expired.
    ///
    /// # Errors
    /// When the spec does not ask for the machine any more, or what it would ask for cannot be made or kept.
    async fn user_data(
        &self,
        cluster: &ClusterIdentity,
        machine: &NewMachine<'_>,
    ) -> Result<Vec<u8>, ProviderError>;

    /// Takes away what is kept for first boots of the machine `name`: its bundle is in force, or it is gone.
    ///
    /// # Errors
    /// When the state store cannot be read or written.
    async fn is_over(&self, cluster: &ClusterIdentity, name: &str) -> Result<(), ProviderError>;

    /// The user data of every machine that a group starts, at most [`USER_DATA_LIMIT_BYTES`]: they join the cluster with nobody at
    /// the keyboard, whenever they are started. What they will ask for is kept in the state store before this answers, and stays
    /// until [`group_starts_from`](Self::group_starts_from) says that it is not needed. The same
    /// [template](NodeGroup::template) has the same user data for as long as the cluster's authorities stay the same.
    ///
    /// # Errors
    /// When the spec does not ask for the group any more, or what they would ask for cannot be made or kept.
    async fn user_data_of_group(
        &self,
        cluster: &ClusterIdentity,
        group: &NewGroup<'_>,
    ) -> Result<Vec<u8>, ProviderError>;

    /// Takes away what is kept for first boots of the group `name` and is not for `template`: no machine of it starts from anything
    /// else any more. Without a template, the group is gone.
    ///
    /// # Errors
    /// When the state store cannot be read or written.
    async fn group_starts_from(
        &self,
        cluster: &ClusterIdentity,
        name: &str,
        template: Option<&Digest>,
    ) -> Result<(), ProviderError>;
}
