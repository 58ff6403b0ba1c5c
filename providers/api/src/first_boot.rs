//! What a machine is given to run when it first boots.

use async_trait::async_trait;

use crate::identity::ClusterIdentity;
use crate::kinds::Machine;
use crate::provider::ProviderError;

/// Clouds take no more: EC2 16 KiB before it is encoded
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html>), `DigitalOcean` 64 KiB.
pub const USER_DATA_LIMIT_BYTES: usize = 16 * 1024;

/// Says what machines are given to run when they first boot.
#[async_trait]
pub trait FirstBoot: Send + Sync {
    /// What `machine` of `cluster`, which is to be as `resource` says, runs when it first boots: at most
    /// [`USER_DATA_LIMIT_BYTES`]. It holds no secret, since everybody on the machine can read it, and whoever may look at the
    /// machine in the cloud's API; and it is the same whenever it is asked for again, so that a cloud knows a create again
    /// that it has heard of.
    ///
    /// # Errors
    /// When it cannot be said: what it is made of cannot be read.
    async fn user_data(
        &self,
        cluster: &ClusterIdentity,
        machine: &str,
        resource: &Machine,
    ) -> Result<Vec<u8>, ProviderError>;
}
