//! The rows of the table.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::MachineRole::{ControlPlane, Etcd, Worker};
use super::Usage::{Client, Server};
use super::{
    AuthorityName, AuthorityRow, CertificateRow, CommonName, Condition, Folder, MachineRole, NameSource,
    Owner, PlacedFile,
};
use crate::pki::{ADMINISTRATORS_GROUP, APPROVERS_GROUP, ROUTES_GROUP};

const CONTROL_PLANES: &[MachineRole] = &[ControlPlane];
const ETCD: &[MachineRole] = &[Etcd];
const NODES: &[MachineRole] = &[ControlPlane, Worker];

/// Names that an etcd member answers to.
const ETCD_NAMES: &[NameSource] = &[
    NameSource::NodeName,
    NameSource::Dns("localhost"),
    NameSource::AdvertiseAddress,
    NameSource::Ip(IpAddr::V4(Ipv4Addr::LOCALHOST)),
    NameSource::Ip(IpAddr::V6(Ipv6Addr::LOCALHOST)),
    NameSource::EtcdNames,
];

const fn file(folder: Folder, path: &'static str, owner: Owner, roles: &'static [MachineRole]) -> PlacedFile {
    PlacedFile {
        folder,
        path,
        owner,
        roles,
    }
}

/// Every authority.
pub const AUTHORITIES: &[AuthorityRow] = &[
    AuthorityRow {
        name: AuthorityName::Kubernetes,
        common_name: "kubernetes",
        // Kubelets check the API server's client certificate with it: `authentication.x509.clientCAFile`.
        certificate_files: &[
            file(Folder::Kubernetes, "ca.crt", Owner::Root, NODES),
            file(Folder::Scheduler, "ca.crt", Owner::Root, CONTROL_PLANES),
        ],
        key_files: &[file(Folder::Kubernetes, "ca.key", Owner::Root, CONTROL_PLANES)],
    },
    AuthorityRow {
        name: AuthorityName::FrontProxy,
        common_name: "front-proxy-ca",
        certificate_files: &[file(
            Folder::Kubernetes,
            "front-proxy-ca.crt",
            Owner::Root,
            CONTROL_PLANES,
        )],
        key_files: &[],
    },
    AuthorityRow {
        name: AuthorityName::Etcd,
        common_name: "etcd-ca",
        certificate_files: &[
            file(Folder::Kubernetes, "etcd/ca.crt", Owner::Root, CONTROL_PLANES),
            file(Folder::Etcd, "ca.crt", Owner::Etcd, ETCD),
        ],
        key_files: &[],
    },
];

/// The key pair that service-account tokens are signed and checked with: the key, then the public half.
pub const SERVICE_ACCOUNT_FILES: [PlacedFile; 2] = [
    file(Folder::Kubernetes, "sa.key", Owner::Root, CONTROL_PLANES),
    file(Folder::Kubernetes, "sa.pub", Owner::Root, CONTROL_PLANES),
];

/// Every certificate that machines have.
pub const CERTIFICATES: &[CertificateRow] = &[
    CertificateRow {
        name: "apiserver",
        names: &[
            NameSource::NodeName,
            NameSource::Dns("kubernetes"),
            NameSource::Dns("kubernetes.default"),
            NameSource::Dns("kubernetes.default.svc"),
            NameSource::ServiceName,
            NameSource::ServiceAddresses,
            NameSource::AdvertiseAddress,
            NameSource::Endpoint,
            NameSource::ApiServerNames,
        ],
        usages: &[Server],
        ..kubernetes("apiserver", "kube-apiserver")
    },
    kubernetes("apiserver-kubelet-client", "kube-apiserver-kubelet-client"),
    CertificateRow {
        signer: AuthorityName::FrontProxy,
        ..kubernetes("front-proxy-client", "front-proxy-client")
    },
    CertificateRow {
        signer: AuthorityName::Etcd,
        ..kubernetes("apiserver-etcd-client", "kube-apiserver-etcd-client")
    },
    // etcd's gRPC gateway dials etcd itself with the server's certificate, which is why that is a client's too.
    CertificateRow {
        common_name: CommonName::NodeName(""),
        usages: &[Server, Client],
        names: ETCD_NAMES,
        ..etcd("etcd-server", "server")
    },
    CertificateRow {
        common_name: CommonName::NodeName(""),
        usages: &[Server, Client],
        names: ETCD_NAMES,
        ..etcd("etcd-peer", "peer")
    },
    etcd("etcd-healthcheck-client", "healthcheck-client"),
    CertificateRow {
        organizations: &[ADMINISTRATORS_GROUP],
        ..kubernetes("admin", "kubernetes-admin")
    },
    kubernetes("controller-manager", "system:kube-controller-manager"),
    CertificateRow {
        folder: Folder::Scheduler,
        ..kubernetes("scheduler", "system:kube-scheduler")
    },
    // What the kubelet of a control plane begins with; it renews it by itself. Others get theirs from the API.
    CertificateRow {
        common_name: CommonName::NodeName("system:node:"),
        organizations: &["system:nodes"],
        ..kubernetes("kubelet-client", "")
    },
    // Since Kubernetes 1.34 a kubelet may not list nodes other than its own
    // (<https://kubernetes.io/docs/reference/access-authn-authz/node/>), so who keeps routes to all has a name of its own.
    CertificateRow {
        common_name: CommonName::NodeName("keelson:routes:"),
        organizations: &[ROUTES_GROUP],
        roles: NODES,
        condition: Condition::RoutedNetwork,
        ..kubernetes("routes", "")
    },
    // What approves kubelets may approve by its own name alone, whose right a binding can take away.
    CertificateRow {
        common_name: CommonName::NodeName("keelson:approver:"),
        organizations: &[APPROVERS_GROUP],
        condition: Condition::SelfJoiningNodes,
        ..kubernetes("approver", "")
    },
    // The form that the signer `kubernetes.io/kubelet-serving` asks for:
    // <https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/>
    CertificateRow {
        folder: Folder::Kubelet,
        stem: "kubelet",
        common_name: CommonName::NodeName("system:node:"),
        organizations: &["system:nodes"],
        usages: &[Server],
        names: &[NameSource::NodeName, NameSource::MachineAddresses],
        roles: NODES,
        ..kubernetes("kubelet-server", "")
    },
];

/// A client certificate of a component on the control planes.
const fn kubernetes(name: &'static str, common_name: &'static str) -> CertificateRow {
    CertificateRow {
        name,
        folder: Folder::Kubernetes,
        stem: name,
        owner: Owner::Root,
        signer: AuthorityName::Kubernetes,
        common_name: CommonName::Fixed(common_name),
        organizations: &[],
        usages: &[Client],
        names: &[],
        roles: CONTROL_PLANES,
        condition: Condition::Always,
    }
}

/// A client certificate on etcd's machines.
const fn etcd(name: &'static str, stem: &'static str) -> CertificateRow {
    CertificateRow {
        folder: Folder::Etcd,
        stem,
        owner: Owner::Etcd,
        signer: AuthorityName::Etcd,
        roles: ETCD,
        ..kubernetes(name, "kube-etcd-healthcheck-client")
    }
}
