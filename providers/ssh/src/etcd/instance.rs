//! The etcd clusters that a machine can have a member of.

use std::net::IpAddr;

/// An etcd on a machine. Units, folders and ports are those that the node bundle installs (`node::etcd`); 2379 and 2380
/// are the ones that IANA gave etcd.
#[derive(Debug, PartialEq, Eq)]
pub struct Instance {
    /// The etcd cluster that it is a member of.
    pub cluster: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// Where its data lies.
    pub data_folder: &'static str,
    /// The port for clients.
    pub client_port: u16,
    /// The port for other members.
    pub peer_port: u16,
}

/// The etcd of everything but events, and the etcd of events where they have their own.
pub const INSTANCES: [Instance; 2] = [
    Instance {
        cluster: "main",
        unit: "etcd.service",
        data_folder: "/var/lib/etcd",
        client_port: 2379,
        peer_port: 2380,
    },
    Instance {
        cluster: "events",
        unit: "etcd-events.service",
        data_folder: "/var/lib/etcd-events",
        client_port: 2382,
        peer_port: 2383,
    },
];

impl Instance {
    /// The instance that is a member of `cluster`.
    pub fn of_cluster(cluster: &str) -> Option<&'static Self> {
        INSTANCES.iter().find(|instance| instance.cluster == cluster)
    }

    /// The URL under which other members reach the one at `address`.
    pub fn peer_url(&self, address: IpAddr) -> String {
        match address {
            IpAddr::V4(address) => format!("https://{address}:{}", self.peer_port),
            IpAddr::V6(address) => format!("https://[{address}]:{}", self.peer_port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_both_families_stand_in_urls() {
        let [main, events] = &INSTANCES;
        assert_eq!(main.peer_url([10, 0, 0, 1].into()), "https://10.0.0.1:2380");
        assert_eq!(
            events.peer_url("fd00::1".parse().unwrap()),
            "https://[fd00::1]:2383"
        );
        assert_eq!(Instance::of_cluster("events"), Some(events));
        assert_eq!(Instance::of_cluster("other"), None);
    }
}
