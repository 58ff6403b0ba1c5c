//! The mark that a machine bears which a cluster has claimed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::identity::{ClusterIdentity, ClusterUid, Owner};
use crate::kinds::Machine;
use crate::values::ClusterName;

/// `/var/lib/keelson/host.json`: one line, whose first field is the uid, because a shell reads that too
/// (`providers/ssh/src/scripts/fence.sh`), and which names the machine before anything nested (`mark.sh` there,
/// `templates/first-boot/bundle.sh`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mark {
    /// The life of the cluster.
    pub uid: ClusterUid,
    /// The cluster.
    pub cluster: ClusterName,
    /// The machine's name in it.
    pub name: String,
    /// When it was claimed.
    pub claimed_at: Timestamp,
    /// Which incarnation of its name it is.
    pub generation: u32,
    /// What it was claimed as.
    pub machine: Machine,
}

impl Mark {
    /// To whom the machine belongs, seen by `cluster` under the name `name`.
    pub fn owner(&self, cluster: &ClusterIdentity, name: &str) -> Owner {
        if cluster.uid.as_ref() != Some(&self.uid) {
            return Owner::Other(format!("cluster {} (uid {})", self.cluster, self.uid));
        }
        if self.name != name {
            return Owner::Other(format!("this cluster, as machine {}", self.name));
        }
        Owner::ThisCluster
    }
}
