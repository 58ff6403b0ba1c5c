//! What is said about certificates that were found.

use jiff::Timestamp;
use keelson::pki::{AuthorityName, Renewal, Requirement, SubjectName, Usage, Verdict, issue, judge};
use keelson_provider_api::values::{KeyAlgorithm, Span};

use super::{ALGORITHMS, DAY, NOW, authority, requirement, requirements};

#[test]
fn what_was_issued_is_good_and_nothing_else_is() {
    for wanted in requirements() {
        let authority = authority(wanted.signer);
        let issued = issue(&wanted, &authority, NOW).unwrap();
        for other in requirements() {
            let pem = Some(issued.certificate_pem.as_str());
            let verdict = judge(pem, &other, &authority, Renewal::CERTIFICATE, NOW);
            // etcd's server and peer certificates are alike.
            let alike = wanted.digest(&authority)
                == Requirement {
                    signer: wanted.signer,
                    ..other
                }
                .digest(&authority);
            assert_eq!(
                verdict == Verdict::Good,
                alike,
                "{}: {verdict}",
                wanted.certificate
            );
        }
    }
}

type Change = fn(&mut Requirement);

#[test]
fn each_difference_has_its_verdict() {
    let authority = authority(AuthorityName::Kubernetes);
    let wanted = requirement("apiserver");
    let cases: [(&str, Change); 6] = [
        ("lacks DNS:kube.example.com", |found| {
            found
                .names
                .remove(&SubjectName::parse("kube.example.com").unwrap());
        }),
        ("is also for IP:10.9.9.9", |found| {
            found.names.insert(SubjectName::parse("10.9.9.9").unwrap());
        }),
        ("belongs to `O=system:masters, CN=kube-apiserver`", |found| {
            found.organizations.insert("system:masters".to_owned());
        }),
        ("belongs to `CN=someone`", |found| {
            found.common_name = "someone".to_owned();
        }),
        ("is for servers and clients", |found| {
            found.usages.insert(Usage::Client);
        }),
        ("has a key of rsa-2048", |found| {
            found.terms = found.terms.with_algorithm(KeyAlgorithm::Rsa2048);
        }),
    ];
    for (words, change) in cases {
        let mut found = wanted.clone();
        change(&mut found);
        let issued = issue(&found, &authority, NOW).unwrap();
        let pem = Some(issued.certificate_pem.as_str());
        let verdict = judge(pem, &wanted, &authority, Renewal::CERTIFICATE, NOW);
        assert_eq!(verdict.to_string(), words);
    }
    let missing = judge(None, &wanted, &authority, Renewal::CERTIFICATE, NOW);
    assert_eq!(missing, Verdict::Missing);
    let rubbish = judge(Some("rubbish"), &wanted, &authority, Renewal::CERTIFICATE, NOW);
    assert!(matches!(rubbish, Verdict::Unreadable { .. }), "{rubbish}");
}

#[test]
fn an_authority_of_the_same_name_is_not_the_same() {
    let wanted = requirement("apiserver");
    let issued = issue(&wanted, &authority(wanted.signer), NOW).unwrap();
    let pem = Some(issued.certificate_pem.as_str());
    let verdict = judge(pem, &wanted, &authority(wanted.signer), Renewal::CERTIFICATE, NOW);
    assert_eq!(
        verdict.to_string(),
        "not signed by the cluster's authority, but by `CN=kubernetes`"
    );
}

#[test]
fn the_end_comes_in_steps() {
    let authority = authority(AuthorityName::Kubernetes);
    let wanted = requirement("apiserver");
    let issued = issue(&wanted, &authority, NOW).unwrap();
    let at = |now: Timestamp, renewal: Renewal| {
        let pem = Some(issued.certificate_pem.as_str());
        match judge(pem, &wanted, &authority, renewal, now) {
            Verdict::Good => "good",
            Verdict::ExpiresSoon { .. } => "soon",
            Verdict::Expired { .. } => "expired",
            Verdict::NotYetValid { .. } => "early",
            other => panic!("{other}"),
        }
    };
    let third = Renewal::CERTIFICATE;
    for (now, expected) in [
        (NOW - DAY, "early"),
        (NOW, "good"),
        (NOW + DAY * 240, "good"),
        (NOW + DAY * 246, "soon"),
        (NOW + DAY * 364, "soon"),
        (NOW + DAY * 365, "expired"),
    ] {
        assert_eq!(at(now, third), expected, "{now}");
    }
    let month = Renewal::TimeLeft(Span::from_secs(30 * 24 * 3600));
    assert_eq!(at(NOW + DAY * 334, month), "good");
    assert_eq!(at(NOW + DAY * 336, month), "soon");
}

#[test]
fn algorithms_are_recognised() {
    let authority = authority(AuthorityName::Etcd);
    for algorithm in ALGORITHMS.into_iter().take(2) {
        let mut wanted = requirement("etcd-peer");
        wanted.terms = wanted.terms.with_algorithm(algorithm);
        let issued = issue(&wanted, &authority, NOW).unwrap();
        let pem = Some(issued.certificate_pem.as_str());
        assert_eq!(
            judge(pem, &wanted, &authority, Renewal::CERTIFICATE, NOW),
            Verdict::Good
        );
    }
}
