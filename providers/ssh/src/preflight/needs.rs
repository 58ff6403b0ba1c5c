//! What hosts are needed for, as far as it differs between clusters.

use std::collections::{BTreeMap, BTreeSet};

use keelson_provider_api::EtcdInstance;
use keelson_provider_api::etcd::MAIN;
use keelson_provider_api::kinds::MachineRole;
use keelson_provider_api::values::Cidr;

/// What a cluster needs of its hosts besides what all do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostNeeds {
    /// Programs that must be on nodes, such as `nft` for routes between them.
    pub node_programs: Vec<String>,
    /// True where keelson brings containerd; false where the host's own is used.
    pub brings_containerd: bool,
    /// The etcds that a host with the role etcd runs.
    pub etcds: Vec<&'static EtcdInstance>,
    /// The range of the pods whose packets nodes forward to each other, where the routed network connects them.
    pub routed_pods: Option<Cidr>,
    /// True where keepalived moves the API's address between control planes, which speak VRRP for that.
    pub has_virtual_address: bool,
    /// The findings that kubelets start in spite of, as they are set: `swap`, `cgroup-v2`.
    pub borne_by_kubelets: BTreeSet<&'static str>,
}

impl Default for HostNeeds {
    fn default() -> Self {
        Self {
            node_programs: Vec::new(),
            brings_containerd: true,
            etcds: vec![&MAIN],
            routed_pods: None,
            has_virtual_address: false,
            borne_by_kubelets: BTreeSet::new(),
        }
    }
}

/// The ports that programs of Kubernetes listen at: those that kubeadm looks at before it begins
/// (`cmd/kubeadm/app/preflight/checks.go`), and kube-proxy's.
const PORTS: &[(MachineRole, u16, &str)] = &[
    (MachineRole::ControlPlane, 6443, "kube-apiserver"),
    (MachineRole::ControlPlane, 10250, "kubelet"),
    (MachineRole::ControlPlane, 10257, "kube-controller-manager"),
    (MachineRole::ControlPlane, 10259, "kube-scheduler"),
    (MachineRole::ControlPlane, 10256, "kube-proxy"),
    (MachineRole::Worker, 10250, "kubelet"),
    (MachineRole::Worker, 10256, "kube-proxy"),
];

impl HostNeeds {
    /// The ports that must be free on a host with `roles`, and what listens there.
    pub(super) fn ports(&self, roles: &BTreeSet<MachineRole>) -> BTreeMap<u16, String> {
        let kubernetes = PORTS
            .iter()
            .filter(|(role, ..)| roles.contains(role))
            .map(|&(_, port, user)| (port, user.to_owned()));
        let etcds = self.etcds.iter().filter(|_| roles.contains(&MachineRole::Etcd));
        let etcds = etcds.flat_map(|etcd| {
            let user = etcd.unit.trim_end_matches(".service");
            [etcd.client_port, etcd.peer_port, etcd.metrics_port].map(|port| (port, user.to_owned()))
        });
        kubernetes.chain(etcds).collect()
    }
}
