//! The etcds that a machine can run: units, folders and ports, which bundles install and providers operate.

use std::net::IpAddr;

/// An etcd on a machine; a machine has one or two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EtcdInstance {
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
    /// The port for metrics and health, plain HTTP on loopback.
    pub metrics_port: u16,
    /// The unit that takes a snapshot, where a schedule asks for them.
    pub snapshot_unit: &'static str,
    /// The timer that starts it.
    pub snapshot_timer: &'static str,
}

/// The etcd of everything but events, on the ports that IANA gave etcd.
pub const MAIN: EtcdInstance = EtcdInstance {
    cluster: "main",
    unit: "etcd.service",
    data_folder: "/var/lib/etcd",
    client_port: 2379,
    peer_port: 2380,
    metrics_port: 2381,
    snapshot_unit: "keelson-etcd-snapshot.service",
    snapshot_timer: "keelson-etcd-snapshot.timer",
};

/// The etcd of events, where they have their own.
pub const EVENTS: EtcdInstance = EtcdInstance {
    cluster: "events",
    unit: "etcd-events.service",
    data_folder: "/var/lib/etcd-events",
    client_port: 2382,
    peer_port: 2383,
    metrics_port: 2384,
    snapshot_unit: "keelson-etcd-events-snapshot.service",
    snapshot_timer: "keelson-etcd-events-snapshot.timer",
};

/// Every etcd that a machine can run.
pub const INSTANCES: [&EtcdInstance; 2] = [&MAIN, &EVENTS];

impl EtcdInstance {
    /// The instance that is a member of `cluster`.
    pub fn of_cluster(cluster: &str) -> Option<&'static Self> {
        INSTANCES.into_iter().find(|instance| instance.cluster == cluster)
    }

    /// The URL under which other members reach the one at `address`.
    pub fn peer_url(&self, address: IpAddr) -> String {
        url(address, self.peer_port)
    }

    /// The URL under which clients reach the member at `address`.
    pub fn client_url(&self, address: IpAddr) -> String {
        url(address, self.client_port)
    }
}

/// The command that gives members of the etcd `cluster` the data of a snapshot, for messages; `main` need not be named.
pub fn restore_command(cluster: &str) -> String {
    if cluster == MAIN.cluster {
        "keelson etcd restore".to_owned()
    } else {
        format!("keelson etcd restore --etcd {cluster}")
    }
}

fn url(address: IpAddr, port: u16) -> String {
    match address {
        IpAddr::V4(address) => format!("https://{address}:{port}"),
        IpAddr::V6(address) => format!("https://[{address}]:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_both_families_stand_in_urls() {
        assert_eq!(MAIN.peer_url([10, 0, 0, 1].into()), "https://10.0.0.1:2380");
        assert_eq!(
            EVENTS.peer_url("fd00::1".parse().unwrap()),
            "https://[fd00::1]:2383"
        );
        assert_eq!(EtcdInstance::of_cluster("events"), Some(&EVENTS));
        assert_eq!(EtcdInstance::of_cluster("other"), None);
    }

    #[test]
    fn no_two_share_a_port_a_folder_or_a_unit() {
        let ports =
            |instance: &EtcdInstance| [instance.client_port, instance.peer_port, instance.metrics_port];
        assert!(ports(&MAIN).iter().all(|port| !ports(&EVENTS).contains(port)));
        assert_ne!(MAIN.data_folder, EVENTS.data_folder);
        assert_ne!(MAIN.unit, EVENTS.unit);
    }
}
