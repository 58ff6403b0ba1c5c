//! The certificates of a machine, out of the table in `pki`: what each is to be, and where it goes.
//!
//! Today those of etcd: the ones of Kubernetes come with what runs it.

use keelson_provider_api::kinds::MachineRole;
use keelson_provider_api::values::Digest;
use serde_json::json;

use super::blueprint::{Blueprint, Endpoint, MachineBlueprint};
use crate::node::{Access, ETCD_USER, EtcdCertificates, PlacedSecret};
use crate::pki::table::{self, AUTHORITIES, CERTIFICATE_MODE, CERTIFICATES, KEY_MODE, Owner};
use crate::pki::{AuthorityName, ClusterFacts, Layout, MachineFacts, Requirement, SubjectName, Terms};

/// The certificates of one machine.
pub struct MachineCertificates {
    /// What each certificate is to be, with its files.
    pub requirements: Vec<(Requirement, Access)>,
    /// The certificates of authorities that lie on the machine, with their files.
    pub authorities: Vec<(AuthorityName, String, Access)>,
}

impl MachineCertificates {
    /// Those of `machine`; none where the address that others reach it at is not known.
    pub fn of(blueprint: &Blueprint<'_>, machine: &MachineBlueprint<'_>) -> Self {
        let none = Self {
            requirements: Vec::new(),
            authorities: Vec::new(),
        };
        let roles = roles(machine);
        let Some(advertise_address) = machine.internal_address.filter(|_| !roles.is_empty()) else {
            return none;
        };
        let cluster = cluster_facts(blueprint);
        let facts = MachineFacts {
            node_name: machine.name.clone(),
            advertise_address,
            other_addresses: Vec::new(),
        };
        let requirements = CERTIFICATES.iter().filter(|row| row.is_on(&roles));
        let placed = AUTHORITIES.iter().flat_map(|row| {
            let files = row.certificate_files.iter();
            files.map(move |file| (row.name, file))
        });
        Self {
            requirements: requirements
                .map(|row| {
                    let access = access(row.owner, CERTIFICATE_MODE);
                    (row.requirement(&cluster, &facts), access)
                })
                .collect(),
            authorities: placed
                .filter(|(_, file)| file.is_on(&roles))
                .map(|(name, file)| {
                    let path = file.file(&cluster.layout);
                    (name, path, access(file.owner, CERTIFICATE_MODE))
                })
                .collect(),
        }
    }

    /// Every file, keys included.
    pub fn files(&self) -> Vec<PlacedSecret> {
        let authorities = self.authorities.iter().map(|(_, path, access)| PlacedSecret {
            path: path.clone(),
            access: *access,
        });
        let issued = self.requirements.iter().flat_map(|(requirement, access)| {
            let key_access = Access {
                mode: KEY_MODE,
                ..*access
            };
            let places = requirement.place.iter();
            places.flat_map(move |place| {
                [
                    PlacedSecret {
                        path: place.certificate_file.clone(),
                        access: *access,
                    },
                    PlacedSecret {
                        path: place.key_file.clone(),
                        access: key_access,
                    },
                ]
            })
        });
        authorities.chain(issued).collect()
    }

    /// The paths of the certificates, without their keys.
    pub fn certificate_paths(&self) -> Vec<String> {
        let authorities = self.authorities.iter().map(|(_, path, _)| path.clone());
        let places = self.requirements.iter();
        let issued =
            places.filter_map(|(requirement, _)| Some(requirement.place.as_ref()?.certificate_file.clone()));
        authorities.chain(issued).collect()
    }

    /// The paths of their private keys.
    pub fn key_paths(&self) -> Vec<String> {
        let places = self.requirements.iter();
        places
            .filter_map(|(requirement, _)| Some(requirement.place.as_ref()?.key_file.clone()))
            .collect()
    }

    /// The digest of what they are to be, whoever signs them; `None` where there are none.
    pub fn digest(&self) -> Option<Digest> {
        let wanted: Vec<_> = self
            .requirements
            .iter()
            .map(|(requirement, _)| {
                json!([
                    requirement.certificate,
                    requirement.common_name,
                    requirement.organizations,
                    requirement.usages,
                    requirement.names,
                    requirement.terms,
                ])
            })
            .collect();
        (!wanted.is_empty()).then(|| Digest::of_json(&wanted))
    }
}

/// How the certificates of the cluster's machines are made.
pub fn terms(blueprint: &Blueprint<'_>) -> Terms {
    Terms {
        algorithm: blueprint.spec.pki.key_algorithm,
        validity: blueprint.spec.pki.certificate_validity,
    }
}

/// The certificates that an etcd member shows and trusts.
pub(super) fn of_etcd() -> EtcdCertificates {
    let folder = Layout::default().etcd;
    let file = |name: &str| format!("{folder}/{name}");
    EtcdCertificates {
        authority: file("ca.crt"),
        server: file("server.crt"),
        server_key: file("server.key"),
        peer: file("peer.crt"),
        peer_key: file("peer.key"),
    }
}

fn roles(machine: &MachineBlueprint<'_>) -> Vec<table::MachineRole> {
    let runs_etcd = machine.is(MachineRole::Etcd);
    runs_etcd
        .then_some(table::MachineRole::Etcd)
        .into_iter()
        .collect()
}

fn access(owner: Owner, mode: u32) -> Access {
    match owner {
        Owner::Root => Access::of_root(mode),
        Owner::Etcd => Access {
            mode,
            owner: ETCD_USER,
            group: ETCD_USER,
        },
    }
}

fn cluster_facts(blueprint: &Blueprint<'_>) -> ClusterFacts {
    let spec = blueprint.spec;
    let host = match blueprint.endpoint() {
        Endpoint::Fixed { host, .. } => host,
        Endpoint::LoadBalancer { .. } => String::new(),
    };
    let names = spec.api.cert_sans.iter();
    ClusterFacts {
        dns_domain: spec.network.dns_domain.clone(),
        service_addresses: spec.network.service_cidr.address_at(1).into_iter().collect(),
        endpoint: SubjectName::parse(&host).unwrap_or(SubjectName::Dns("kubernetes".to_owned())),
        api_server_names: names.filter_map(|name| SubjectName::parse(name).ok()).collect(),
        etcd_names: std::iter::empty().collect(),
        layout: Layout::default(),
        terms: terms(blueprint),
    }
}
