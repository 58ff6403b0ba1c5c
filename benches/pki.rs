//! Certificates: keys are made here, and that is what they cost.

use jiff::Timestamp;
use keelson::pki::table::{CERTIFICATES, MachineRole};
use keelson::pki::{
    Authority, AuthorityName, ClusterFacts, IssuedCertificate, Layout, MachineFacts, ServiceAccountKey,
    SubjectName, Terms, issue,
};
use keelson_provider_api::values::KeyAlgorithm;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;
const CONTROL_PLANES: u32 = 3;

fn cluster() -> ClusterFacts {
    ClusterFacts {
        dns_domain: "cluster.local".to_owned(),
        service_addresses: vec!["10.96.0.1".parse().unwrap()],
        endpoint: SubjectName::parse("api.example.com").unwrap(),
        api_server_names: [].into(),
        etcd_names: [].into(),
        layout: Layout::default(),
        terms: Terms::CERTIFICATE,
        routes_pods: true,
        nodes_join_themselves: true,
    }
}

/// Everything that a new cluster needs: authorities, the key of service accounts, and every certificate of every
/// machine. Control planes run etcd too.
fn whole(workers: u32) -> Vec<IssuedCertificate> {
    let authorities = AuthorityName::ALL.map(|name| Authority::create(name, Terms::AUTHORITY, NOW).unwrap());
    ServiceAccountKey::create(KeyAlgorithm::EcdsaP256).unwrap();
    let cluster = cluster();
    let mut issued = Vec::new();
    for index in 0..CONTROL_PLANES + workers {
        let machine = MachineFacts {
            node_name: format!("node-{index}"),
            advertise_address: std::net::Ipv4Addr::from(0x0a00_0000 + index).into(),
            other_addresses: Vec::new(),
        };
        let roles = if index < CONTROL_PLANES {
            &[MachineRole::ControlPlane, MachineRole::Etcd][..]
        } else {
            &[MachineRole::Worker]
        };
        let certificates = CERTIFICATES.iter().filter(|row| row.is_on(roles));
        let certificates = certificates.map(|row| row.requirement(&cluster, &machine));
        for wanted in certificates {
            let authority = authorities
                .iter()
                .find(|authority| authority.name() == wanted.signer)
                .unwrap();
            issued.push(issue(&wanted, authority, NOW).unwrap());
        }
    }
    issued
}

/// Three control planes and so many workers, from nothing.
#[divan::bench(args = [0, 100, 1_000])]
fn create(workers: u32) -> usize {
    whole(workers).len()
}

/// One authority.
#[divan::bench(args = [KeyAlgorithm::EcdsaP256, KeyAlgorithm::Rsa2048, KeyAlgorithm::Rsa4096], sample_count = 20, sample_size = 1)]
fn authority(algorithm: KeyAlgorithm) -> Authority {
    Authority::create(
        AuthorityName::Etcd,
        Terms::AUTHORITY.with_algorithm(algorithm),
        NOW,
    )
    .unwrap()
}
