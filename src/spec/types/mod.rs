//! The spec's types: one file a topic.
//!
//! Their doc comments are the product's documentation: JSON Schema and `keelson explain` print them. They are read by
//! people who never see this code, so they hold no links and no Rust.

mod access;
mod addons;
mod api;
mod api_address;
mod aws;
mod cluster;
mod etcd;
mod machines;
mod network;
mod node;
mod pki;
mod provider;
mod snapshots;
mod word_or_map;

pub use access::SshAccess;
pub use addons::{Addon, Assets, BUILT_IN_ADDONS, CustomAddon, EVERY_CLUSTERS_ADDONS};
pub use api::{Api, Argument, Audit, Component, Encryption, Oidc};
pub use api_address::ApiAddress;
pub(in crate::spec) use api_address::comparable;
pub use aws::{
    AWS_IMAGES, AwsApi, AwsDns, AwsLoadBalancer, AwsNat, AwsNetwork, AwsProvider, AwsRole, AwsRoles,
    AwsServiceAccountIssuer, AwsSubnets, AwsTopology,
};
pub use cluster::{ApiVersion, Cluster, ClusterKind, ClusterSpec, Metadata};
pub use etcd::{DedicatedEtcd, Etcd, EtcdPlacement, EtcdVolume, EventsPlacement, ExternalEtcd};
pub use machines::{ControlPlane, Machine, NodeGroup, Rolling};
pub use network::{CustomPlugin, Network, Plugin};
pub use node::{Containerd, ContainerdSource, FreeForm, KubeProxy, KubeProxyMode, Kubelet, Preflight};
pub use pki::{Authorities, AuthorityFiles, KeyEncryption, Pki};
pub use provider::{
    DigitaloceanProvider, Family, Host, HostRole, LOCAL_ADDRESS, Provider, SimulatedProvider, SshProvider,
};
pub use snapshots::{Keep, MachinesKey, SnapshotBucket, SnapshotPlace, Snapshots};
