//! Every certificate and authority of a cluster, as data.
//!
//! Names, subjects and usages are those of kubeadm 1.36.1 (`cmd/kubeadm/app/phases/certs/certlist.go` and
//! `app/phases/kubeconfig`): users' runbooks, `kubectl` and kube-bench key on them. What is different, and why:
//!
//! - `apiserver-kubelet-client` is in no group, as in 1.36.1; kubeadm before put it in `kubeadm:cluster-admins`. Its
//!   user needs a binding to `system:kubelet-api-admin`.
//! - etcd's own certificates lie in a folder of etcd's: see [`Layout::etcd`](super::Layout::etcd). The API server's
//!   client certificate and `etcd/ca.crt` are where kubeadm has them.
//! - A second etcd for events has the same authority: the API server takes one `--etcd-cafile` and one client
//!   certificate for all of them.
//! - The keys of `front-proxy-ca` and `etcd/ca` are on no machine, because nothing there signs with them; the
//!   controller manager signs with `ca.key`.
//! - `super-admin.conf` is on no machine: what is in `system:masters` no binding can take away (CIS 5.1.7). `admin.conf` is
//!   in a group of keelson's own.
//! - Kubeconfigs hold no certificates but name their files, which are renewed without a restart. So what kubeadm puts
//!   into `controller-manager.conf` has a row here like everything else, and the scheduler's lies in a folder of its own:
//!   its pod sees nothing more.
//! - The kubelet has a serving certificate from the cluster's authority, so that the API server can check it (CIS
//!   1.2.5); kubeadm leaves it self-signed.

mod rows;

use std::net::IpAddr;

use serde::Serialize;

pub use rows::{AUTHORITIES, CERTIFICATES, SERVICE_ACCOUNT_FILES};

/// One of a cluster's certificate authorities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthorityName {
    /// Signs what Kubernetes' components and users show each other: `ca.crt`.
    Kubernetes,
    /// Signs what the API server shows extension API servers: `front-proxy-ca.crt`.
    FrontProxy,
    /// Signs what etcd's members and clients show each other: `etcd/ca.crt`.
    Etcd,
}

impl AuthorityName {
    /// Every authority.
    pub const ALL: [Self; 3] = [Self::Kubernetes, Self::FrontProxy, Self::Etcd];

    /// Its row of [`AUTHORITIES`].
    pub const fn row(self) -> &'static AuthorityRow {
        match self {
            Self::Kubernetes => &AUTHORITIES[0],
            Self::FrontProxy => &AUTHORITIES[1],
            Self::Etcd => &AUTHORITIES[2],
        }
    }
}

/// What a machine is for, as far as certificates go. A machine may be for several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MachineRole {
    /// Runs the Kubernetes API.
    ControlPlane,
    /// Runs an etcd member.
    Etcd,
    /// Runs workloads.
    Worker,
}

/// A folder of [`Layout`](super::Layout).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folder {
    /// Kubernetes' components'.
    Kubernetes,
    /// etcd's.
    Etcd,
    /// The kubelet's.
    Kubelet,
    /// The scheduler's.
    Scheduler,
}

/// When a certificate is needed at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Always.
    Always,
    /// Where keelson keeps routes between nodes.
    RoutedNetwork,
    /// Where machines join by themselves.
    SelfJoiningNodes,
}

/// Whose file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// `root`.
    Root,
    /// The user that etcd runs as, `etcd`.
    Etcd,
}

/// The mode of files with certificates (kubeadm; CIS 1.1.20).
pub const CERTIFICATE_MODE: u32 = 0o644;
/// The mode of files with keys, `sa.pub` and kubeconfigs (kubeadm; CIS 1.1.13 to 1.1.17 and 1.1.21).
pub const KEY_MODE: u32 = 0o600;

/// What the owner of a certificate may do with it (RFC 5280 §4.2.1.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Usage {
    /// Show it as a server: `serverAuth`.
    Server,
    /// Show it as a client: `clientAuth`.
    Client,
}

/// A common name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommonName {
    /// This text.
    Fixed(&'static str),
    /// The name of the machine's node, with this before it.
    NodeName(&'static str),
}

/// Where a name or address of a certificate comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameSource {
    /// This DNS name.
    Dns(&'static str),
    /// This address.
    Ip(IpAddr),
    /// The name of the machine's node.
    NodeName,
    /// `kubernetes.default.svc` in the cluster's domain.
    ServiceName,
    /// The addresses of the Service `kubernetes`.
    ServiceAddresses,
    /// The address that other machines reach this one at.
    AdvertiseAddress,
    /// Every address of the machine.
    MachineAddresses,
    /// The host of the API's endpoint.
    Endpoint,
    /// The user's names for the API server.
    ApiServerNames,
    /// The user's names for etcd.
    EtcdNames,
}

/// A certificate that machines have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertificateRow {
    /// kubeadm's name for it.
    pub name: &'static str,
    /// Where it lies.
    pub folder: Folder,
    /// Its file's name without `.crt`, the key's without `.key`.
    pub stem: &'static str,
    /// Whose the files are.
    pub owner: Owner,
    /// Who signs it.
    pub signer: AuthorityName,
    /// Its subject's common name.
    pub common_name: CommonName,
    /// Its subject's organisations: a client's groups.
    pub organizations: &'static [&'static str],
    /// What it is for.
    pub usages: &'static [Usage],
    /// The names and addresses that it is for.
    pub names: &'static [NameSource],
    /// The machines that have it: those with any of these roles.
    pub roles: &'static [MachineRole],
    /// When it is needed at all.
    pub condition: Condition,
}

/// A file of an authority, or of the service-account key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlacedFile {
    /// Where it lies.
    pub folder: Folder,
    /// Its path in the folder.
    pub path: &'static str,
    /// Whose it is.
    pub owner: Owner,
    /// The machines that have it: those with any of these roles.
    pub roles: &'static [MachineRole],
}

/// A certificate authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthorityRow {
    /// Which one it is.
    pub name: AuthorityName,
    /// The common name of its certificate when keelson makes it.
    pub common_name: &'static str,
    /// Where its certificate lies.
    pub certificate_files: &'static [PlacedFile],
    /// Where its key lies.
    pub key_files: &'static [PlacedFile],
}
