//! Certificates that a spec brings, and what is told of machines that have others.

use std::collections::BTreeMap;
use std::sync::Arc;

use keelson::model::{Blueprint, Classes, MachineCertificates};
use keelson::node::AssetIndex;
use keelson::ops::{Authorities, SpecBundles};
use keelson::pki::{Authority, AuthorityName, Seal, Terms, issue};
use keelson::spec::{self, ValidSpec};
use keelson_provider_api::bundle::{BundleRecord, BundleSource, FoundOnMachine};
use keelson_provider_api::kinds::Effect;
use keelson_provider_api::values::{Digest, Secret};
use keelson_provider_api::{ClusterIdentity, Resource};
use keelson_provider_simulated::{Like, MemoryStore, SimulatedOptions, SimulatedWorld};

use super::block_on;
use super::etcd_alone::{NOW, begin};

const SPEC: &str = "apiVersion: keelson.dev/v1alpha1
kind: Cluster
metadata: { name: prod }
spec:
  provider:
    ssh:
      hosts: [{ name: a, address: 10.0.0.1, roles: [control-plane] }]
      apiAddress: 10.0.0.100
  etcd:
    placement:
      external: { endpoints: [https://10.0.1.1:2379], ca: ca.crt, certificate: client.crt, key: client.key }
";

/// The certificates that keelson makes for a machine, by path.
async fn made(authorities: &Authorities, wanted: &MachineCertificates) -> BTreeMap<String, String> {
    let mut certificates = BTreeMap::new();
    for (name, path, _) in &wanted.authorities {
        let authority = authorities.establish(*name).await.unwrap();
        certificates.insert(path.clone(), authority.trust_pem());
    }
    for (requirement, _) in &wanted.requirements {
        let authority = authorities.establish(requirement.signer).await.unwrap();
        let issued = issue(requirement, &authority, NOW).unwrap();
        let path = requirement.place.as_ref().unwrap().certificate_file.clone();
        certificates.insert(path, issued.certificate_pem);
    }
    certificates
}

/// The authorities of a cluster that has begun, `brought` among them.
fn authorities(spec: &ValidSpec, brought: Vec<Authority>) -> Authorities {
    let options = SimulatedOptions {
        start: NOW,
        ..SimulatedOptions::new(Like::Ssh, 1)
    };
    let clock = SimulatedWorld::in_memory(options).clock();
    let store = Arc::new(MemoryStore::new());
    let name = spec.name().clone();
    block_on(begin(&store, &name));
    Authorities::new(store, name, Seal::none(), clock, Terms::AUTHORITY, brought)
}

#[test]
fn a_machine_that_has_not_what_the_spec_brings_is_seen_to_differ() {
    let spec = spec::load(SPEC.as_bytes(), "test").unwrap_or_else(|errors| panic!("{errors}"));
    let authorities = authorities(&spec, Vec::new());
    let bundles = |certificate: &str| {
        let files = [
            ("ca.crt", "ca"),
            ("client.crt", certificate),
            ("client.key", "key"),
        ];
        let brought = files.map(|(path, text)| (path.to_owned(), Secret::new(text.to_owned())));
        SpecBundles::new(
            spec.clone(),
            AssetIndex::Imagined,
            authorities.clone(),
            brought.into(),
        )
    };
    let blueprint = Blueprint::of(&spec);
    let machine = &blueprint.machines[0];
    let wanted = MachineCertificates::of(&blueprint, machine);
    let assets = AssetIndex::Imagined;
    let record = BundleRecord {
        bundle: Classes::new(&blueprint, &assets).bundle(machine).unwrap(),
        certificates: wanted.certificate_paths(),
        keys: wanted.key_paths(),
    };
    block_on(async {
        let mut certificates = made(&authorities, &wanted).await;
        let folder = "/etc/kubernetes/pki";
        let brought = [("etcd/ca.crt", "ca"), ("apiserver-etcd-client.crt", "old")];
        certificates.extend(brought.map(|(path, text)| (format!("{folder}/{path}"), format!("{text}\n"))));
        assert!(
            certificates.keys().all(|path| record.certificates.contains(path)),
            "what is compared is read on the machine"
        );
        let judged = async |bundles: &SpecBundles, certificates: &BTreeMap<String, String>| {
            let found = FoundOnMachine {
                certificates: certificates.clone(),
                ..FoundOnMachine::default()
            };
            bundles.judge(&record, &found).await.unwrap()
        };
        let recorded = &record.bundle;
        assert!(recorded.certificates.is_some() && recorded.authorities.is_some());
        assert_eq!(&judged(&bundles("old"), &certificates).await, recorded);
        let renewed = judged(&bundles("renewed"), &certificates).await;
        assert_ne!(renewed.certificates, recorded.certificates, "it was renewed");
        assert_eq!(
            renewed.authorities, recorded.authorities,
            "whom machines trust is the same"
        );
        let mut other = certificates.clone();
        other.insert(format!("{folder}/etcd/ca.crt"), "another".to_owned());
        assert_ne!(
            judged(&bundles("old"), &other).await.certificates,
            recorded.certificates
        );
        let mut other = certificates.clone();
        other.insert(format!("{folder}/ca.crt"), "another".to_owned());
        let judged = judged(&bundles("old"), &other).await;
        let differences = Resource::from(judged).differences(&recorded.clone().into());
        let differences: Vec<_> = differences
            .iter()
            .map(|difference| (difference.field.as_str(), difference.effect))
            .collect();
        assert_eq!(
            differences,
            [("authorities", Effect::Restart)],
            "whom it trusts is read when it starts"
        );
    });
}

#[test]
fn api_servers_start_anew_when_whom_they_trust_in_etcd_changes() {
    let bundle = |authority: &[u8]| {
        let spec = spec::load(SPEC.as_bytes(), "test").unwrap_or_else(|errors| panic!("{errors}"));
        let spec = spec.with_etcd_authority(|path| {
            assert_eq!(path, "ca.crt");
            Ok::<_, ()>(Digest::of_bytes(authority))
        });
        let spec = spec.unwrap();
        let blueprint = Blueprint::of(&spec);
        let assets = AssetIndex::Imagined;
        let bundle = Classes::new(&blueprint, &assets).bundle(&blueprint.machines[0]);
        Resource::from(bundle.unwrap())
    };
    assert_eq!(bundle(b"one"), bundle(b"one"));
    let differences = bundle(b"one").differences(&bundle(b"another"));
    assert_eq!(differences.len(), 1, "{differences:?}");
    assert_eq!(differences[0].effect, Effect::Restart);
}

#[test]
fn what_an_authority_s_owner_has_put_on_a_machine_is_taken_as_it_is() {
    let text = "apiVersion: keelson.dev/v1alpha1\nkind: Cluster\nmetadata: { name: db }\nspec:\n  provider:\n    ssh:\n      \
                hosts: [{ name: a, address: 10.0.0.1, roles: [etcd] }]\n  etcd: { version: 3.6.8, placement: { dedicated: {} \
                } }\n  pki: { authorities: { etcd: { certificate: ca.crt } } }\n";
    let spec = spec::load(text.as_bytes(), "test").unwrap_or_else(|errors| panic!("{errors}"));
    let owner = Authority::create(AuthorityName::Etcd, Terms::AUTHORITY, NOW).unwrap();
    let authorities = authorities(&spec, vec![owner.clone().without_key()]);
    let assets = AssetIndex::Imagined;
    let bundles = SpecBundles::new(spec.clone(), assets.clone(), authorities, BTreeMap::new());
    let blueprint = Blueprint::of(&spec);
    let machine = &blueprint.machines[0];
    let certificates = MachineCertificates::of(&blueprint, machine);
    let wanted = Classes::new(&blueprint, &assets).bundle(machine).unwrap();
    let cluster = ClusterIdentity {
        name: spec.name().clone(),
        uid: None,
    };
    block_on(async {
        let paths = bundles.paths("a");
        let mut found = FoundOnMachine {
            architecture: "x86_64".to_owned(),
            missing_keys: paths.keys.iter().cloned().collect(),
            ..FoundOnMachine::default()
        };
        let lacking = bundles.lacking("a", &found).await;
        assert_eq!(lacking.len(), certificates.requirements.len(), "{lacking:?}");
        assert!(lacking[0].ends_with(": there is no certificate"), "{lacking:?}");
        let refused = bundles.bundle(&cluster, &wanted, &found).await.unwrap_err();
        assert!(refused.message.contains("have its owner issue them"), "{refused}");
        for (requirement, _) in &certificates.requirements {
            let place = requirement.place.as_ref().unwrap();
            let issued = issue(requirement, &owner, NOW).unwrap();
            assert!(
                found.missing_keys.remove(&place.key_file),
                "its key is looked for"
            );
            assert!(
                paths.certificates.contains(&place.certificate_file),
                "it is looked for"
            );
            found
                .certificates
                .insert(place.certificate_file.clone(), issued.certificate_pem);
        }
        assert_eq!(found.missing_keys.len(), 0);
        assert!(bundles.lacking("a", &found).await.is_empty());
        let bundle = bundles.bundle(&cluster, &wanted, &found).await.unwrap();
        let brought: Vec<_> = bundle.secrets.keys().collect();
        assert_eq!(
            brought.len(),
            1,
            "the authority's own certificate alone: {brought:?}"
        );
    });
}
