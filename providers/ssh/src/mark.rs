//! The mark that a claimed host bears.

use jiff::Timestamp;
use keelson_provider_api::kinds::Machine;
use keelson_provider_api::values::ClusterName;
use keelson_provider_api::{ClusterIdentity, ClusterUid, Owner};
use serde::{Deserialize, Serialize};

/// `/var/lib/keelson/host.json`: one line, whose first field is the uid, because a shell reads that too
/// (`scripts/fence.sh`), and which names the machine before anything nested (`scripts/mark.sh`).
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
    /// To whom the host belongs, seen by `cluster` under the name `name`.
    pub(crate) fn owner(&self, cluster: &ClusterIdentity, name: &str) -> Owner {
        if cluster.uid.as_ref() != Some(&self.uid) {
            return Owner::Other(format!("cluster {} (uid {})", self.cluster, self.uid));
        }
        if self.name != name {
            return Owner::Other(format!("this cluster, as machine {}", self.name));
        }
        Owner::ThisCluster
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The mark of the host `a` of the cluster `prod.example.com`, whose uid is `uid`.
    pub(crate) fn mark(uid: &str) -> Mark {
        let machine = Machine {
            group: "etcd".to_owned(),
            roles: BTreeSet::new(),
            machine_type: None,
            image: None,
            root_volume: None,
            spot: false,
            zone: None,
            subnet: None,
            firewall: None,
            address: None,
            volume: None,
            network_interface: None,
            role: None,
        };
        Mark {
            uid: ClusterUid::new(uid),
            cluster: "prod.example.com".parse().unwrap(),
            name: "a".to_owned(),
            claimed_at: Timestamp::UNIX_EPOCH,
            generation: 3,
            machine,
        }
    }

    #[test]
    fn a_shell_finds_the_uid_and_the_name() {
        let mark = mark("u-1");
        let text = serde_json::to_string(&mark).unwrap();
        assert!(
            text.starts_with("{\"uid\":\"u-1\",\"cluster\":\"prod.example.com\",\"name\":\"a\","),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<Mark>(&text).unwrap(), mark);
    }
}
