//! Certificates: against openssl, against damage, and against each other.

mod authorities;
mod check;
mod hostile;
mod kept;
mod kubeconfigs;
mod logins;
mod openssl;
mod rows;
mod verdicts;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use keelson::pki::table::CERTIFICATES;
use keelson::pki::{
    Authority, AuthorityName, ClusterFacts, Layout, MachineFacts, Requirement, SubjectName, Terms,
};
use keelson_provider_api::values::{KeyAlgorithm, Secret};

/// A moment in 2026.
const NOW: Timestamp = Timestamp::constant(1_780_000_000, 0);
const DAY: SignedDuration = SignedDuration::from_hours(24);

fn authority(name: AuthorityName) -> Authority {
    Authority::create(name, Terms::AUTHORITY, NOW).unwrap()
}

fn cluster() -> ClusterFacts {
    ClusterFacts {
        dns_domain: "cluster.local".to_owned(),
        service_addresses: vec!["10.96.0.1".parse().unwrap(), "fd00:96::1".parse().unwrap()],
        endpoint: SubjectName::parse("api.prod.example.com").unwrap(),
        api_server_names: names(&["kube.example.com", "203.0.113.7", "kubernetes"]),
        etcd_names: names(&["etcd.example.com"]),
        layout: Layout::default(),
        terms: Terms::CERTIFICATE,
        routes_pods: true,
        nodes_join_themselves: true,
    }
}

fn machine() -> MachineFacts {
    MachineFacts {
        node_name: "cp-1".to_owned(),
        advertise_address: "10.0.0.11".parse().unwrap(),
        other_addresses: vec!["fd00::11".parse().unwrap(), "192.0.2.11".parse().unwrap()],
    }
}

fn names(texts: &[&str]) -> BTreeSet<SubjectName> {
    texts
        .iter()
        .map(|text| SubjectName::parse(text).unwrap())
        .collect()
}

/// Every certificate of the table, and what users ask for.
fn requirements() -> Vec<Requirement> {
    let (cluster, machine) = (cluster(), machine());
    let certificates = CERTIFICATES.iter().map(|row| row.requirement(&cluster, &machine));
    let asked = [
        Requirement::user("ann", &["developers", "auditors", "team a"], Terms::ADMINISTRATOR),
        Requirement::etcd_client("backup", Terms::CERTIFICATE),
    ];
    certificates.chain(asked).collect()
}

fn requirement(name: &str) -> Requirement {
    requirements()
        .into_iter()
        .find(|requirement| requirement.certificate == name)
        .unwrap()
}

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

const ALGORITHMS: [KeyAlgorithm; 3] = [
    KeyAlgorithm::EcdsaP256,
    KeyAlgorithm::Rsa2048,
    KeyAlgorithm::Rsa4096,
];
