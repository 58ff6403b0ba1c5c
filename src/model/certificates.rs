//! The certificates and keys of a machine, out of the table in `pki`: what each is to be, and where it goes.

use std::net::IpAddr;

use keelson_provider_api::kinds::MachineRole;
use keelson_provider_api::values::Digest;
use serde_json::json;

use super::blueprint::{Blueprint, Endpoint, MachineBlueprint};
use super::classes::encryption;
use crate::node::kubernetes::{BOOTSTRAP_TOKEN, ENCRYPTION_FILE, SecretsProvider};
use crate::node::{
    Access, BUCKET_AUTHORITY, BUCKET_KEY, ETCD_USER, EtcdCertificates, PlacedSecret, SNAPSHOT_AUTHORITIES,
};
use crate::pki::table::{
    self, AUTHORITIES, CERTIFICATE_MODE, CERTIFICATES, CertificateRow, KEY_MODE, Owner, PlacedFile,
    SERVICE_ACCOUNT_FILES,
};
use crate::pki::{AuthorityName, ClusterFacts, Layout, MachineFacts, Requirement, SubjectName, Terms};
use crate::spec::{EtcdPlacement, ExternalEtcd, Plugin};

/// The certificates of one machine.
pub struct MachineCertificates {
    /// What each certificate is to be, with its files.
    pub requirements: Vec<(Requirement, Access)>,
    /// The certificates of authorities that lie on the machine, with their files.
    pub authorities: Vec<(AuthorityName, String, Access)>,
    /// What else comes with them, with its file.
    pub others: Vec<(OtherSecret, String, Access)>,
}

/// Something that a machine is given beside certificates that are made for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OtherSecret {
    /// An authority's key, for whoever signs there.
    AuthorityKey(AuthorityName),
    /// The key that tokens of service accounts are signed with.
    ServiceAccountKey,
    /// Its public half.
    ServiceAccountPublicKey,
    /// How Secrets are encrypted in etcd, with the key.
    Encryption(SecretsProvider),
    /// The token that machines of groups join with.
    JoiningToken,
    /// The digests of the cluster's authorities and keys, for what a machine writes down about its snapshots. They are no secret,
    /// and stay the same for as long as the cluster lives.
    KeyDigests {
        /// Where there is no Kubernetes, there are none of its authorities and keys.
        of_etcd_alone: bool,
    },
    /// A certificate in a file that the spec names: of an etcd that someone else runs. It is no secret, and may be renewed.
    BroughtCertificate(String),
    /// A private key in a file that the spec names, which goes with a [certificate](Self::BroughtCertificate).
    BroughtKey(String),
}

impl MachineCertificates {
    /// Those of `machine`; none where the address that others reach it at is not known.
    pub fn of(blueprint: &Blueprint<'_>, machine: &MachineBlueprint<'_>) -> Self {
        if machine.joins_by_itself {
            return Self::of_joining();
        }
        let roles = roles(machine);
        let Some(advertise_address) = machine.internal_address.filter(|_| !roles.is_empty()) else {
            return Self {
                requirements: Vec::new(),
                authorities: Vec::new(),
                others: Vec::new(),
            };
        };
        let cluster = cluster_facts(blueprint);
        let facts = MachineFacts {
            node_name: machine.name.clone(),
            advertise_address,
            other_addresses: other_addresses(machine, advertise_address),
        };
        let external = external_etcd(blueprint);
        // Who runs etcd signs for it.
        let is_ours = |name: AuthorityName| external.is_none() || name != AuthorityName::Etcd;
        let is_wanted =
            |row: &&CertificateRow| row.is_on(&roles) && row.is_needed(&cluster) && is_ours(row.signer);
        let authorities = AUTHORITIES.iter().filter(|row| is_ours(row.name));
        let placed = authorities.flat_map(|row| {
            let files = row.certificate_files.iter();
            files.map(move |file| (row.name, file))
        });
        let mut others = Vec::new();
        for (what, file) in other_files(blueprint) {
            if file.is_on(&roles) {
                others.push((what, file.file(&cluster.layout), access(file.owner, KEY_MODE)));
            }
        }
        if roles.contains(&table::MachineRole::Etcd) {
            others.extend(of_manifests(blueprint));
            others.extend(of_snapshots(blueprint));
        }
        if roles.contains(&table::MachineRole::ControlPlane) {
            others.extend(of_api_server(blueprint, external));
        }
        Self {
            requirements: CERTIFICATES
                .iter()
                .filter(is_wanted)
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
            others,
        }
    }

    /// Those that all machines of a group have in common: whom they trust, and what they join with.
    fn of_joining() -> Self {
        let layout = Layout::default();
        let is_on = |file: &&PlacedFile| file.is_on(&[table::MachineRole::Worker]);
        let authorities = AUTHORITIES.iter().flat_map(|row| {
            let files = row.certificate_files.iter().filter(is_on);
            files.map(|file| {
                let access = access(file.owner, CERTIFICATE_MODE);
                (row.name, file.file(&layout), access)
            })
        });
        let token = BOOTSTRAP_TOKEN.to_owned();
        Self {
            requirements: Vec::new(),
            authorities: authorities.collect(),
            others: vec![(OtherSecret::JoiningToken, token, Access::of_root(KEY_MODE))],
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
        let others = self.others.iter().map(|(_, path, access)| PlacedSecret {
            path: path.clone(),
            access: *access,
        });
        authorities.chain(issued).chain(others).collect()
    }

    /// The certificates that the spec brings: the file that it names, and the one on the machine.
    pub fn brought(&self) -> impl Iterator<Item = (&str, &str)> {
        self.others.iter().filter_map(|(what, path, _)| match what {
            OtherSecret::BroughtCertificate(source) => Some((source.as_str(), path.as_str())),
            _ => None,
        })
    }

    /// The paths of the certificates, without their keys.
    pub fn certificate_paths(&self) -> Vec<String> {
        let brought = self.brought().map(|(_, path)| path.to_owned());
        let authorities = self.authorities.iter().map(|(_, path, _)| path.clone());
        let authorities = authorities.chain(brought);
        let places = self.requirements.iter();
        let issued =
            places.filter_map(|(requirement, _)| Some(requirement.place.as_ref()?.certificate_file.clone()));
        authorities.chain(issued).collect()
    }

    /// The paths of their private keys, and of what else nobody may see.
    pub fn key_paths(&self) -> Vec<String> {
        let others = self.others.iter().map(|(_, path, _)| path.clone());
        self.issued_key_paths().into_iter().chain(others).collect()
    }

    /// The paths of the private keys of certificates that are made for the machine.
    pub fn issued_key_paths(&self) -> Vec<String> {
        let places = self.requirements.iter();
        let keys = places.filter_map(|(requirement, _)| Some(requirement.place.as_ref()?.key_file.clone()));
        keys.collect()
    }

    /// The digest of what they are to be, whoever signs them; `None` where there are none. What the spec brings is in
    /// files of its own: whether machines have it is seen when they are looked at, not here.
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

    /// The digest of which authorities are trusted where; `None` where there are none. Whether machines have the cluster's
    /// is seen when they are looked at.
    pub fn digest_of_authorities(&self) -> Option<Digest> {
        let authorities = self.authorities.iter();
        let wanted: Vec<_> = authorities
            .map(|(name, path, _)| (name.to_string(), path))
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
    let role = |role: &MachineRole| match role {
        MachineRole::ControlPlane => Some(table::MachineRole::ControlPlane),
        MachineRole::Etcd => Some(table::MachineRole::Etcd),
        MachineRole::Worker => Some(table::MachineRole::Worker),
        MachineRole::Bastion => None,
    };
    machine.roles.iter().filter_map(role).collect()
}

/// The address that the operator reaches the machine at may be another one than the machines' own.
fn other_addresses(machine: &MachineBlueprint<'_>, advertise_address: IpAddr) -> Vec<IpAddr> {
    let address = machine.address.as_ref().and_then(|address| address.parse().ok());
    address
        .into_iter()
        .filter(|address| *address != advertise_address)
        .collect()
}

fn external_etcd<'a>(blueprint: &Blueprint<'a>) -> Option<&'a ExternalEtcd> {
    match &blueprint.spec.etcd.placement {
        EtcdPlacement::External(external) => Some(external),
        _ => None,
    }
}

/// Keys that are no certificate's, as the table has them.
fn other_files(blueprint: &Blueprint<'_>) -> Vec<(OtherSecret, &'static PlacedFile)> {
    let [private, public] = &SERVICE_ACCOUNT_FILES;
    let mut files = vec![
        (OtherSecret::ServiceAccountKey, private),
        (OtherSecret::ServiceAccountPublicKey, public),
    ];
    let brought = &blueprint.spec.pki.authorities;
    for row in AUTHORITIES {
        let brought = match row.name {
            AuthorityName::Kubernetes => &brought.kubernetes,
            AuthorityName::FrontProxy => &brought.front_proxy,
            AuthorityName::Etcd => &brought.etcd,
        };
        // A key that its owner keeps is on no machine.
        if brought.as_ref().is_none_or(|brought| brought.key.is_some()) {
            let keys = row.key_files.iter();
            files.extend(keys.map(|file| (OtherSecret::AuthorityKey(row.name), file)));
        }
    }
    files
}

/// What the API server reads beside the table's files.
fn of_api_server(
    blueprint: &Blueprint<'_>,
    external: Option<&ExternalEtcd>,
) -> Vec<(OtherSecret, String, Access)> {
    let encryption = OtherSecret::Encryption(encryption(blueprint.spec.api.encryption));
    let mut others = vec![(encryption, ENCRYPTION_FILE.to_owned(), Access::of_root(KEY_MODE))];
    if let Some(external) = external {
        let folder = Layout::default().kubernetes;
        let files = [
            (&external.ca, "etcd/ca.crt", CERTIFICATE_MODE),
            (
                &external.certificate,
                "apiserver-etcd-client.crt",
                CERTIFICATE_MODE,
            ),
            (&external.key, "apiserver-etcd-client.key", KEY_MODE),
        ];
        others.extend(files.map(|(brought, file, mode)| {
            let what = if mode == KEY_MODE {
                OtherSecret::BroughtKey(brought.clone())
            } else {
                OtherSecret::BroughtCertificate(brought.clone())
            };
            (what, format!("{folder}/{file}"), Access::of_root(mode))
        }));
    }
    others
}

/// What machines need that take snapshots by a schedule and write down what they are of.
fn of_manifests(blueprint: &Blueprint<'_>) -> Option<(OtherSecret, String, Access)> {
    let spec = blueprint.spec;
    spec.etcd.snapshots.schedule.as_ref()?;
    let digests = OtherSecret::KeyDigests {
        of_etcd_alone: spec.is_etcd_alone(),
    };
    let access = Access::of_root(CERTIFICATE_MODE);
    Some((digests, SNAPSHOT_AUTHORITIES.to_owned(), access))
}

/// What machines need that write snapshots to a bucket.
fn of_snapshots(blueprint: &Blueprint<'_>) -> Vec<(OtherSecret, String, Access)> {
    let is_scheduled = blueprint.spec.etcd.snapshots.schedule.is_some();
    let Some(bucket) = blueprint.spec.snapshot_bucket().filter(|_| is_scheduled) else {
        return Vec::new();
    };
    let key = OtherSecret::BroughtKey(bucket.secret_access_key);
    let mut others = vec![(key, BUCKET_KEY.to_owned(), Access::of_root(KEY_MODE))];
    others.extend(bucket.ca.map(|ca| {
        let authority = OtherSecret::BroughtCertificate(ca);
        (
            authority,
            BUCKET_AUTHORITY.to_owned(),
            Access::of_root(CERTIFICATE_MODE),
        )
    }));
    others
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
        routes_pods: matches!(spec.network.plugin, Plugin::Routed),
        nodes_join_themselves: !blueprint.groups.is_empty(),
    }
}
