//! The document and its `spec`.

use std::collections::HashMap;

use keelson_provider_api::values::{ClusterName, Name, Span, Taint, Version};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Addon, Api, Assets, Component, Containerd, ControlPlane, Etcd, EtcdPlacement, Family, Host, HostRole,
    KubeProxy, Kubelet, Network, NodeGroup, Pki, Preflight, Provider, SshAccess,
};
use crate::spec::text::StateStore;
use crate::spec::versions;

/// One Kubernetes cluster: what it is made of and where it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cluster {
    /// The version of this file's format.
    pub api_version: ApiVersion,
    /// The kind of this file.
    pub kind: ClusterKind,
    /// What identifies the cluster.
    pub metadata: Metadata,
    /// What the cluster is to be.
    pub spec: ClusterSpec,
}

/// The version of the file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The only version so far.
    #[serde(rename = "keelson.dev/v1alpha1")]
    V1Alpha1,
}

/// The kind of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ClusterKind {
    /// A cluster.
    Cluster,
}

/// What identifies a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// The cluster's name: DNS labels joined by dots, at most 100 characters. It is part of every name, tag and DNS
    /// record that keelson makes, and cannot be changed later.
    pub name: ClusterName,
}

/// What a cluster is to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterSpec {
    /// The Kubernetes release. Supported are the newest minor and the three before it.
    #[serde(default = "versions::newest_kubernetes")]
    pub kubernetes_version: Version,
    /// Where keys and what is known of the cluster are kept: a directory, an S3 bucket or a DigitalOcean Spaces bucket. Who can
    /// read it can administer the cluster. Behind the name of an S3 bucket may stand ?region=REGION (without it, the one that
    /// `AWS_REGION` or the profile says), endpoint=URL for a server that is not of AWS, and ca=FILE for the authority of that
    /// server's certificate, joined by &. Who asks is what the environment says, as for every program of AWS: `AWS_PROFILE`,
    /// `AWS_ACCESS_KEY_ID` and so on.
    #[serde(default = "default_state_store")]
    pub state_store: StateStore,
    /// Where the machines come from: exactly one provider.
    pub provider: Provider,
    /// The machines that run the Kubernetes API.
    #[serde(default)]
    pub control_plane: ControlPlane,
    /// Groups of equal worker machines.
    #[serde(default)]
    pub node_groups: Vec<NodeGroup>,
    /// Address ranges and the network plugin.
    #[serde(default)]
    pub network: Network,
    /// The database of the Kubernetes API.
    #[serde(default)]
    pub etcd: Etcd,
    /// The Kubernetes API server.
    #[serde(default)]
    pub api: Api,
    /// kube-controller-manager.
    #[serde(default)]
    pub controller_manager: Component,
    /// kube-scheduler.
    #[serde(default)]
    pub scheduler: Component,
    /// Keys and certificates.
    #[serde(default)]
    pub pki: Pki,
    /// The agent on every node.
    #[serde(default)]
    pub kubelet: Kubelet,
    /// The implementation of Services on every node.
    #[serde(default)]
    pub kube_proxy: KubeProxy,
    /// The container runtime.
    #[serde(default)]
    pub containerd: Containerd,
    /// Checks of a machine before it is used.
    #[serde(default)]
    pub preflight: Preflight,
    /// Who may log in to the machines. Who logs in to bare hosts is the hosts' own business.
    #[serde(default)]
    pub ssh: SshAccess,
    /// What is installed into the cluster beyond Kubernetes itself: names of built-in addons, or manifests.
    #[serde(default)]
    #[schemars(example = serde_json::json!(["metrics-server"]))]
    pub addons: Vec<Addon>,
    /// Mirrors of downloads, for networks without a way out.
    #[serde(default)]
    pub assets: Assets,
    /// For throwaway clusters: how long after its creation the cluster has outlived its purpose. Without it, never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<Span>,
    /// Refuses to destroy the cluster while true.
    #[serde(default)]
    pub deletion_protection: bool,
}

fn default_state_store() -> StateStore {
    StateStore::Directory(".keelson".to_owned())
}

impl ClusterSpec {
    /// The bare hosts that have `role`, in the spec's order; none for clouds.
    pub fn hosts_with(&self, role: HostRole) -> impl Iterator<Item = &Host> {
        self.provider.hosts().iter().filter(move |host| host.is(role))
    }

    /// The bare worker hosts of the node group at `index`: those that name it and, for the first group, those that
    /// name none.
    pub fn hosts_of_group(&self, index: usize) -> Vec<&Host> {
        let Some(group) = self.node_groups.get(index) else {
            return Vec::new();
        };
        self.hosts_with(HostRole::Worker)
            .filter(|host| match &host.group {
                Some(name) => *name == group.name,
                None => index == 0,
            })
            .collect()
    }

    /// How many bare hosts each node group has, in the order of the groups.
    pub fn hosts_per_group(&self) -> Vec<u32> {
        let names = self.node_groups.iter().enumerate();
        let index_of: HashMap<&Name, usize> =
            names.rev().map(|(index, group)| (&group.name, index)).collect();
        let mut counts = vec![0; self.node_groups.len()];
        for host in self.hosts_with(HostRole::Worker) {
            let index = match &host.group {
                Some(name) => index_of.get(name).copied(),
                None => Some(0),
            };
            if let Some(count) = index.and_then(|index| counts.get_mut(index)) {
                *count += 1;
            }
        }
        counts
    }

    /// The taints of a control-plane node. One that is also a worker goes without the control plane's own taint.
    pub fn control_plane_taints(&self, is_worker: bool) -> Vec<Taint> {
        let own = ControlPlane::default_taint();
        let taints = match &self.control_plane.taints {
            Some(taints) => taints.clone(),
            None => vec![own.clone()],
        };
        taints
            .into_iter()
            .filter(|taint| !is_worker || *taint != own)
            .collect()
    }

    /// True when every machine runs etcd alone: a cluster of etcd without Kubernetes, for example as the external etcd of another
    /// one. Bare hosts say so by their roles; where keelson makes machines, there are no control planes and no node groups.
    pub fn is_etcd_alone(&self) -> bool {
        let is_dedicated = matches!(self.etcd.placement, EtcdPlacement::Dedicated(_));
        let has_others = match self.provider.hosts() {
            [] if self.provider.family() == Family::Ssh => true,
            [] => self.control_plane.replicas > 0 || !self.node_groups.is_empty(),
            hosts => hosts.iter().any(|host| host.roles != [HostRole::Etcd]),
        };
        is_dedicated && !has_others
    }
}
