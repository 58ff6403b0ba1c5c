//! What certificates are made from: facts of the cluster, facts of a machine.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use keelson_provider_api::values::{InvalidText, KeyAlgorithm, Span, clip};
use serde::{Serialize, Serializer};

/// A name or an address that a certificate is for. Names stand before addresses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubjectName {
    /// A DNS name, lower-case; its first label may be `*`.
    Dns(String),
    /// An IP address.
    Ip(IpAddr),
}

impl SubjectName {
    /// Reads an IP address or a DNS name.
    ///
    /// # Errors
    /// Says what is wrong with `text` when it is neither.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Ip(address));
        }
        let labels = text.strip_prefix("*.").unwrap_or(text).split('.');
        // RFC 1123 §2.1, as kubeadm checks them, and the underscore that hosts in the field have.
        let is_label = |label: &str| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            (1..=63).contains(&label.len()) && label.bytes().all(allowed)
        };
        if text.len() > 253 || !labels.into_iter().all(is_label) {
            let problem = format!("`{}` is neither a DNS name nor an IP address", clip(text));
            return Err(InvalidText::new(problem));
        }
        Ok(Self::Dns(text.to_ascii_lowercase()))
    }
}

impl fmt::Display for SubjectName {
    /// As `openssl x509 -text` shows them: `DNS:localhost`, `IP:127.0.0.1`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => write!(formatter, "DNS:{name}"),
            Self::Ip(address) => write!(formatter, "IP:{address}"),
        }
    }
}

impl Serialize for SubjectName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How a certificate is made: its key, and how long it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Terms {
    /// The algorithm of its key.
    pub algorithm: KeyAlgorithm,
    /// How long it is valid from when it is issued.
    pub validity: Span,
}

const DAY_SECS: u64 = 24 * 60 * 60;

impl Terms {
    /// kubeadm's `certificateValidityPeriod`: 365 days.
    pub const CERTIFICATE: Self = Self::days(365);
    /// kubeadm's `caCertificateValidityPeriod`: 3650 days.
    pub const AUTHORITY: Self = Self::days(3650);
    /// Of an administrator's credentials: a working day. Kubernetes cannot take a certificate back, so its end is
    /// the only protection when it is lost. (kops gives 18 hours, kubeadm a year.)
    pub const ADMINISTRATOR: Self = Self {
        algorithm: KeyAlgorithm::EcdsaP256,
        validity: Span::from_secs(8 * 60 * 60),
    };
    /// Of credentials that no binding can take back ([`super::BREAK_GLASS_GROUP`]): as long as a repair takes.
    pub const BREAK_GLASS: Self = Self {
        algorithm: KeyAlgorithm::EcdsaP256,
        validity: Span::from_secs(60 * 60),
    };

    const fn days(days: u64) -> Self {
        Self {
            algorithm: KeyAlgorithm::EcdsaP256,
            validity: Span::from_secs(days * DAY_SECS),
        }
    }

    /// The same with keys of `algorithm`.
    #[must_use]
    pub const fn with_algorithm(self, algorithm: KeyAlgorithm) -> Self {
        Self { algorithm, ..self }
    }
}

/// The folders that certificates lie in on a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// What Kubernetes' own components read, as root. kubeadm's `certificatesDir`.
    pub kubernetes: String,
    /// What etcd reads.
    ///
    /// Not kubeadm's `/etc/kubernetes/pki/etcd`: there etcd runs as root in a pod. keelson's runs as the user
    /// `etcd`, who must read its keys, while CIS 1.1.19 wants everything under `/etc/kubernetes/pki` to belong to
    /// root; hosts that run etcd alone have no Kubernetes at all; and a second etcd for events on the same machine
    /// needs a folder of its own, which is why this is a field.
    pub etcd: String,
    /// What the kubelet reads: the default of its `--cert-dir`.
    pub kubelet: String,
    /// What the scheduler reads: all that its pod sees of the machine.
    pub scheduler: String,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            kubernetes: "/etc/kubernetes/pki".to_owned(),
            etcd: "/etc/etcd/pki".to_owned(),
            kubelet: "/var/lib/kubelet/pki".to_owned(),
            scheduler: "/etc/kubernetes/scheduler".to_owned(),
        }
    }
}

/// What the certificates of a cluster need to know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterFacts {
    /// The domain of Services, for example `cluster.local`.
    pub dns_domain: String,
    /// The first address of each range of Services: that of the Service `kubernetes`.
    pub service_addresses: Vec<IpAddr>,
    /// The host under which the API is reached, kubeadm's `controlPlaneEndpoint`.
    pub endpoint: SubjectName,
    /// More names for the API server, kubeadm's `apiServer.certSANs`.
    pub api_server_names: BTreeSet<SubjectName>,
    /// More names for etcd, kubeadm's `serverCertSANs` and `peerCertSANs`.
    pub etcd_names: BTreeSet<SubjectName>,
    /// Where certificates lie on machines.
    pub layout: Layout,
    /// How the certificates of machines are made.
    pub terms: Terms,
    /// True where keelson keeps routes between nodes.
    pub routes_pods: bool,
    /// True where machines join by themselves.
    pub nodes_join_themselves: bool,
}

/// What the certificates of a machine need to know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineFacts {
    /// The name of its node, and of its etcd member.
    pub node_name: String,
    /// The address that other machines of the cluster reach it at.
    pub advertise_address: IpAddr,
    /// Its other addresses.
    pub other_addresses: Vec<IpAddr>,
}
