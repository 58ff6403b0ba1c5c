//! Every certificate of a cluster, whatever became of it.

use std::sync::Arc;

use keelson::execute::Silent;
use keelson::ops::{CertificateReport, OperationError};
use keelson::pki::{Authority, AuthorityName, Seal, Terms, Verdict};
use keelson::view::status_text;
use keelson_provider_api::values::{Secret, Span};
use keelson_provider_api::{Precondition, Store};

use super::block_on;
use super::etcd_alone::{NOW, Scene};

const NAMES: [&str; 3] = ["a", "b", "c"];
const DAY_SECS: u64 = 24 * 60 * 60;

/// The rows that are not good, with what is wrong.
fn complaints(report: &CertificateReport) -> Vec<String> {
    let bad = report
        .certificates
        .iter()
        .filter(|row| row.verdict != Verdict::Good);
    bad.map(|row| format!("{}: {}", row.place, row.words)).collect()
}

#[test]
fn before_the_first_apply_there_is_nothing_to_check() {
    let scene = Scene::new(&NAMES, "", Seal::none());
    let report = block_on(scene.session.check_certificates(None));
    assert!(
        matches!(report, Err(OperationError::NoCluster { .. })),
        "{report:?}"
    );
}

#[test]
fn what_an_apply_made_is_good() {
    let scene = Scene::new(&NAMES, "", Seal::none());
    let report = block_on(async {
        scene.begin().await;
        scene.equip(&NAMES).await;
        scene.session.check_certificates(None).await.unwrap()
    });
    assert!(report.good, "{:?}", complaints(&report));
    // The authority in the store; on each machine the authority, server, peer and client.
    assert_eq!(report.certificates.len(), 1 + 3 * 4);
    let row = report
        .certificates
        .iter()
        .find(|row| row.place == "b:/etc/etcd/pki/peer.crt")
        .unwrap();
    assert_eq!(row.subject.as_deref(), Some("CN=b"));
    assert_eq!(row.issuer.as_deref(), Some("CN=etcd-ca"));
    assert_eq!(row.residual_days, Some(365));
    assert!(report.keys.is_empty() && report.unseen.is_empty() && report.not_yet.is_empty());
}

#[test]
fn every_trouble_is_named_and_none_hides_another() {
    let scene = Scene::new(&["a", "b", "gone", "new", "e"], "", Seal::none());
    let (report, status) = block_on(async {
        scene.begin().await;
        scene.equip(&["a", "b", "e"]).await;
        scene.change("a", "/etc/etcd/pki/server.crt", None);
        let other = Authority::create(AuthorityName::Etcd, Terms::AUTHORITY, NOW).unwrap();
        scene.change("a", "/etc/etcd/pki/ca.crt", Some(other.trust_pem()));
        scene.change("b", "/etc/etcd/pki/peer.crt", Some("rubbish".to_owned()));
        let report = scene.session.check_certificates(None).await.unwrap();
        (report, scene.session.status(&Silent).await.unwrap())
    });
    let seen = status.certificates.unwrap();
    assert_eq!((seen.count, seen.not_good, seen.unknown), (13, 3, 0));
    assert_eq!(seen.unseen_machines, 1);
    let text = status_text::render(&status);
    for words in [
        "Certificates   13; the first ends 20",
        "; those of 1 machine could not be looked at; ",
        "3 not good",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(!report.good);
    let found = complaints(&report);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(
        found[0].starts_with("a:/etc/etcd/pki/ca.crt: belongs to another authority"),
        "{found:?}"
    );
    assert_eq!(found[1], "a:/etc/etcd/pki/server.crt: there is no certificate");
    assert!(
        found[2].starts_with("b:/etc/etcd/pki/peer.crt: cannot be read"),
        "{found:?}"
    );
    assert_eq!(report.unseen.len(), 1);
    assert_eq!(report.unseen[0].machine, "gone");
    assert!(report.unseen[0].problem.contains("connection timed out") && report.unseen[0].help.is_some());
    assert_eq!(report.not_yet, ["new"]);
}

#[test]
fn what_ends_within_the_given_time_is_not_good() {
    let scene = Scene::new(&["a"], "", Seal::none());
    let report = |days: u64| {
        let within = Span::from_secs(days * DAY_SECS);
        block_on(scene.session.check_certificates(Some(within))).unwrap()
    };
    block_on(async {
        scene.begin().await;
        scene.equip(&["a"]).await;
    });
    assert!(report(364).good);
    let soon = report(366);
    assert!(!soon.good);
    assert_eq!(complaints(&soon).len(), 3, "the authorities last for ten years");
    assert!(complaints(&soon).iter().all(|row| row.contains("expires soon")));
    assert_eq!(complaints(&report(3651)).len(), 5);
}

#[test]
fn short_certificates_are_not_always_about_to_end() {
    let scene = Scene::new(&["a"], "  pki: { certificateValidity: 24h }\n", Seal::none());
    let report = block_on(async {
        scene.begin().await;
        scene.equip(&["a"]).await;
        scene.session.check_certificates(None).await.unwrap()
    });
    assert!(report.good, "{:?}", complaints(&report));
}

#[test]
fn an_authority_that_cannot_be_opened_is_said_to_be_so() {
    let passphrase = || Some(Secret::new("hunter2".to_owned()));
    let closed = Scene::new(&["a"], "", Seal::with_passphrase().and_passphrase(passphrase()));
    let (report, status) = block_on(async {
        closed.begin().await;
        closed.equip(&["a"]).await;
        let store = Arc::clone(&closed.store);
        let without = Scene::with_store(&["a"], "", "", Seal::with_passphrase(), store);
        without
            .told
            .found
            .lock()
            .unwrap()
            .clone_from(&closed.told.found.lock().unwrap());
        let report = without.session.check_certificates(None).await.unwrap();
        (report, without.session.status(&Silent).await.unwrap())
    });
    let seen = status.certificates.unwrap();
    assert_eq!((seen.count, seen.unknown, seen.not_good), (5, 5, 0));
    assert!(status_text::render(&status).contains("Certificates   5; nothing is known of 5\n"));
    assert!(!report.good);
    assert_eq!(report.certificates.len(), 5);
    for row in &report.certificates {
        assert!(matches!(row.verdict, Verdict::Unknown { .. }), "{row:?}");
        assert!(row.words.contains("is encrypted"), "{row:?}");
    }
}

#[test]
fn a_damaged_service_account_key_is_named() {
    let scene = Scene::new(&["a"], "", Seal::none());
    let report = block_on(async {
        scene.begin().await;
        scene.equip(&["a"]).await;
        let path = "db.example.com/pki/service-account";
        scene
            .store
            .write(path, b"{}", Precondition::Absent)
            .await
            .unwrap();
        scene.session.check_certificates(None).await.unwrap()
    });
    assert!(!report.good);
    assert!(
        report.keys[0].problem.as_ref().unwrap().contains("damaged"),
        "{:?}",
        report.keys
    );
}

#[test]
fn a_key_that_is_gone_is_named_though_its_certificate_is_good() {
    let scene = Scene::new(&["a"], "", Seal::none());
    let report = block_on(async {
        scene.begin().await;
        scene.equip(&["a"]).await;
        scene.lose_key("a", "/etc/etcd/pki/peer.key");
        scene.session.check_certificates(None).await.unwrap()
    });
    assert!(!report.good && complaints(&report).is_empty());
    let key = &report.keys[0];
    assert_eq!(
        (key.place.as_str(), key.key.as_str()),
        ("a", "/etc/etcd/pki/peer.key")
    );
    assert!(key.problem.as_ref().unwrap().contains("missing"));
}
