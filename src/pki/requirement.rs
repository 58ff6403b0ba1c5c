//! What a certificate is to be: a row of the table, for one machine.

use std::collections::BTreeSet;

use keelson_provider_api::values::Digest;
use serde::Serialize;

use super::authority::Authority;
use super::facts::{ClusterFacts, Layout, MachineFacts, SubjectName, Terms};
use super::table::{
    AuthorityName, CertificateRow, CommonName, Condition, Folder, MachineRole, NameSource, PlacedFile, Usage,
};

/// What a certificate is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// Its name, for people: a row's, or what a user asked for.
    pub certificate: String,
    /// Where it lies; `None` for credentials that are on no machine.
    pub place: Option<Place>,
    /// Who signs it.
    pub signer: AuthorityName,
    /// Its subject's common name: a client's user.
    pub common_name: String,
    /// Its subject's organisations: a client's groups.
    pub organizations: BTreeSet<String>,
    /// What it is for.
    pub usages: BTreeSet<Usage>,
    /// The names and addresses that it is for.
    pub names: BTreeSet<SubjectName>,
    /// How it is made.
    pub terms: Terms,
}

/// Where a certificate lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The machine's node name.
    pub machine: String,
    /// The file with the certificate.
    pub certificate_file: String,
    /// The file with the key.
    pub key_file: String,
}

impl Requirement {
    /// A user's credentials for Kubernetes, with these groups.
    pub fn user(name: &str, groups: &[&str], terms: Terms) -> Self {
        Self::client(name, groups, AuthorityName::Kubernetes, terms)
    }

    /// Credentials of a client of etcd: with authentication off, as it is for a cluster's etcd, whoever has a
    /// certificate of etcd's authority may do everything, and the common name is only for people and logs.
    pub fn etcd_client(name: &str, terms: Terms) -> Self {
        Self::client(name, &[], AuthorityName::Etcd, terms)
    }

    fn client(name: &str, groups: &[&str], signer: AuthorityName, terms: Terms) -> Self {
        Self {
            certificate: name.to_owned(),
            place: None,
            signer,
            common_name: name.to_owned(),
            organizations: owned(groups),
            usages: BTreeSet::from([Usage::Client]),
            names: BTreeSet::new(),
            terms,
        }
    }

    /// The digest of all that tells whether a certificate is the wanted one: subject, names, usages, terms, and the
    /// key of who signs it. Not where it lies.
    pub fn digest(&self, authority: &Authority) -> Digest {
        #[derive(Serialize)]
        struct Content<'a> {
            authority: Digest,
            common_name: &'a str,
            organizations: &'a BTreeSet<String>,
            usages: &'a BTreeSet<Usage>,
            names: &'a BTreeSet<SubjectName>,
            terms: Terms,
        }
        Digest::of_json(&Content {
            authority: authority.fingerprint(),
            common_name: &self.common_name,
            organizations: &self.organizations,
            usages: &self.usages,
            names: &self.names,
            terms: self.terms,
        })
    }

    /// The certificate with where it belongs, for messages.
    pub(super) fn whereabouts(&self) -> String {
        match &self.place {
            None => self.certificate.clone(),
            Some(place) if place.certificate_file == place.key_file => {
                format!(
                    "{} ({} on {})",
                    self.certificate, place.certificate_file, place.machine
                )
            }
            Some(place) => format!(
                "{} ({} and {} on {})",
                self.certificate, place.certificate_file, place.key_file, place.machine
            ),
        }
    }
}

impl CertificateRow {
    /// True when a machine of these roles has the certificate.
    pub fn is_on(&self, roles: &[MachineRole]) -> bool {
        shares_role(self.roles, roles)
    }

    /// True when the cluster has the certificate at all.
    pub fn is_needed(&self, cluster: &ClusterFacts) -> bool {
        match self.condition {
            Condition::Always => true,
            Condition::RoutedNetwork => cluster.routes_pods,
            Condition::SelfJoiningNodes => cluster.nodes_join_themselves,
        }
    }

    /// The certificate's file.
    pub fn certificate_file(&self, layout: &Layout) -> String {
        format!("{}/{}.crt", layout.folder(self.folder), self.stem)
    }

    /// The key's file.
    pub fn key_file(&self, layout: &Layout) -> String {
        format!("{}/{}.key", layout.folder(self.folder), self.stem)
    }

    /// What the certificate is to be on `machine`.
    pub fn requirement(&self, cluster: &ClusterFacts, machine: &MachineFacts) -> Requirement {
        let names = self.names.iter();
        Requirement {
            certificate: self.name.to_owned(),
            place: Some(Place {
                machine: machine.node_name.clone(),
                certificate_file: self.certificate_file(&cluster.layout),
                key_file: self.key_file(&cluster.layout),
            }),
            signer: self.signer,
            common_name: self.common_name.on(machine),
            organizations: owned(self.organizations),
            usages: self.usages.iter().copied().collect(),
            names: names.flat_map(|source| source.names(cluster, machine)).collect(),
            terms: cluster.terms,
        }
    }
}

impl PlacedFile {
    /// True when a machine of these roles has the file.
    pub fn is_on(&self, roles: &[MachineRole]) -> bool {
        shares_role(self.roles, roles)
    }

    /// The file.
    pub fn file(&self, layout: &Layout) -> String {
        format!("{}/{}", layout.folder(self.folder), self.path)
    }
}

impl Layout {
    fn folder(&self, folder: Folder) -> &str {
        match folder {
            Folder::Kubernetes => &self.kubernetes,
            Folder::Etcd => &self.etcd,
            Folder::Kubelet => &self.kubelet,
            Folder::Scheduler => &self.scheduler,
        }
    }
}

impl CommonName {
    fn on(self, machine: &MachineFacts) -> String {
        match self {
            Self::Fixed(name) => name.to_owned(),
            Self::NodeName(before) => format!("{before}{}", machine.node_name),
        }
    }
}

impl NameSource {
    fn names(self, cluster: &ClusterFacts, machine: &MachineFacts) -> Vec<SubjectName> {
        let addresses = |addresses: &[_]| addresses.iter().copied().map(SubjectName::Ip).collect();
        match self {
            Self::Dns(name) => vec![SubjectName::Dns(name.to_owned())],
            Self::Ip(address) => vec![SubjectName::Ip(address)],
            Self::NodeName => vec![SubjectName::Dns(machine.node_name.clone())],
            Self::ServiceName => {
                vec![SubjectName::Dns(format!(
                    "kubernetes.default.svc.{}",
                    cluster.dns_domain
                ))]
            }
            Self::ServiceAddresses => addresses(&cluster.service_addresses),
            Self::AdvertiseAddress => vec![SubjectName::Ip(machine.advertise_address)],
            Self::MachineAddresses => {
                let mut names: Vec<SubjectName> = addresses(&machine.other_addresses);
                names.push(SubjectName::Ip(machine.advertise_address));
                names
            }
            Self::Endpoint => vec![cluster.endpoint.clone()],
            Self::ApiServerNames => cluster.api_server_names.iter().cloned().collect(),
            Self::EtcdNames => cluster.etcd_names.iter().cloned().collect(),
        }
    }
}

fn shares_role(wanted: &[MachineRole], roles: &[MachineRole]) -> bool {
    wanted.iter().any(|role| roles.contains(role))
}

fn owned(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}
