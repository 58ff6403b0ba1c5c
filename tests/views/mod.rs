//! What reports look like: every state once, with values that never change.

mod backups;

use std::collections::BTreeMap;

use jiff::Timestamp;
use keelson::ops::{
    BundleState, CertificateReport, EtcdClusterReport, EtcdMemberReport, EtcdReport, KeyRecord, NodeEntry,
    NodeList, NodeState, UnseenMachine,
};
use keelson::pki::{AuthorityName, CertificateRecord, Verdict};
use keelson::view::{certificates_text, etcd_text, nodes_text};
use keelson_provider_api::kinds::{MachineRole, MemberPhase};

const NOW: Timestamp = Timestamp::constant(1_780_000_000, 0);
const DAY_SECS: i64 = 24 * 60 * 60;

/// Without colours.
fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

fn member(machine: &str, index: u64) -> EtcdMemberReport {
    EtcdMemberReport {
        machine: machine.to_owned(),
        id: Some("8e9e05c52164694d".to_owned()),
        client_url: Some("https://10.0.0.1:2379".to_owned()),
        phase: Some(MemberPhase::Voter),
        version: Some("3.6.8".to_owned()),
        database_bytes: Some(20_480),
        database_in_use_bytes: Some(16_384),
        revision: Some(7),
        raft_term: Some(2),
        raft_index: Some(index),
        raft_lag: Some(0),
        latency_ms: Some(14),
        ..EtcdMemberReport::default()
    }
}

#[test]
fn etcd_in_every_state() {
    let well = EtcdClusterReport {
        healthy: true,
        quorum: true,
        voters: 1,
        healthy_voters: 1,
        leader: Some("a".to_owned()),
        members: vec![EtcdMemberReport {
            is_leader: true,
            ..member("a", 12)
        }],
    };
    let unwell = EtcdClusterReport {
        healthy: false,
        quorum: true,
        voters: 3,
        healthy_voters: 2,
        leader: Some("a".to_owned()),
        members: vec![
            EtcdMemberReport {
                is_leader: true,
                database_bytes: Some(8 << 30),
                alarms: vec!["NOSPACE".to_owned()],
                problem: Some("alarm NOSPACE: its database has reached its quota".to_owned()),
                ..member("a", 1_200)
            },
            EtcdMemberReport {
                phase: Some(MemberPhase::Learner),
                raft_lag: Some(1_000),
                problem: Some("it is a learner, 1000 entries behind".to_owned()),
                ..member("b", 200)
            },
            EtcdMemberReport {
                machine: "c".to_owned(),
                phase: Some(MemberPhase::Voter),
                problem: Some("c does not answer: connection timed out\u{1b}[2J".to_owned()),
                ..EtcdMemberReport::default()
            },
            EtcdMemberReport {
                machine: "d".to_owned(),
                problem: Some("it is not there yet".to_owned()),
                ..EtcdMemberReport::default()
            },
        ],
    };
    let lost = EtcdClusterReport {
        voters: 1,
        members: vec![EtcdMemberReport {
            machine: "a".to_owned(),
            phase: Some(MemberPhase::Waiting),
            problem: Some("it waits for the other initial members".to_owned()),
            ..EtcdMemberReport::default()
        }],
        ..EtcdClusterReport::default()
    };
    let report = EtcdReport {
        name: "db.example.com".parse().unwrap(),
        observed_at: NOW,
        healthy: false,
        restore: Some("etcd main is being restored".to_owned()),
        clusters: BTreeMap::from([
            ("events".to_owned(), well),
            ("lost".to_owned(), lost),
            ("main".to_owned(), unwell),
        ]),
    };
    insta::assert_snapshot!("etcd", plain(&etcd_text::render(&report)));
    insta::assert_snapshot!("etcd_json", serde_json::to_string_pretty(&report).unwrap());
}

fn certificate(place: &str, days: i64, verdict: Verdict) -> CertificateRecord {
    CertificateRecord {
        certificate: "etcd-ca".to_owned(),
        place: place.to_owned(),
        subject: Some("CN=a".to_owned()),
        issuer: Some("CN=etcd-ca".to_owned()),
        expires: Some(NOW),
        residual_secs: Some(days * DAY_SECS),
        residual_days: Some(days),
        authority: AuthorityName::Etcd,
        externally_managed: false,
        words: verdict.to_string(),
        verdict,
    }
}

#[test]
fn certificates_in_every_state() {
    let unseen = |machine: &str| UnseenMachine {
        machine: machine.to_owned(),
        problem: format!("{machine} (10.0.0.2): connection timed out"),
        help: Some("see whether it is up".to_owned()),
    };
    let mut report = CertificateReport {
        name: "db.example.com".parse().unwrap(),
        checked_at: NOW,
        good: false,
        certificates: vec![
            CertificateRecord {
                externally_managed: true,
                ..certificate("state store", 3_600, Verdict::Good)
            },
            certificate(
                "a:/etc/etcd/pki/server.crt",
                20,
                Verdict::ExpiresSoon { end: NOW },
            ),
            CertificateRecord {
                subject: None,
                issuer: None,
                expires: None,
                residual_secs: None,
                residual_days: None,
                ..certificate("a:/etc/etcd/pki/peer.crt", 0, Verdict::Missing)
            },
            certificate("c:/etc/etcd/pki/peer.crt", -1, Verdict::Expired { since: NOW }),
        ],
        keys: vec![KeyRecord {
            key: "service-account".to_owned(),
            place: "state store".to_owned(),
            problem: None,
        }],
        unseen: vec![unseen("b")],
        not_yet: vec!["d".to_owned(), "e".to_owned()],
        caveat: None,
    };
    insta::assert_snapshot!("certificates", plain(&certificates_text::render(&report)));
    insta::assert_snapshot!(
        "certificates_json",
        serde_json::to_string_pretty(&report).unwrap()
    );
    report = CertificateReport {
        good: true,
        certificates: vec![certificate("state store", 3_600, Verdict::Good)],
        keys: Vec::new(),
        unseen: Vec::new(),
        not_yet: Vec::new(),
        ..report
    };
    insta::assert_snapshot!("certificates_good", plain(&certificates_text::render(&report)));
}

fn node(name: &str, state: NodeState, problem: Option<&str>, bundle: BundleState) -> NodeEntry {
    NodeEntry {
        name: name.to_owned(),
        group: "etcd".to_owned(),
        roles: [MachineRole::Etcd].into(),
        address: Some("10.0.0.1".to_owned()),
        in_spec: true,
        state,
        problem: problem.map(str::to_owned),
        kubernetes_version: None,
        etcd_version: Some("3.6.8".parse().unwrap()),
        bundle,
        outdated: Vec::new(),
    }
}

#[test]
fn nodes_in_every_state() {
    let not_there = |node: NodeEntry| NodeEntry {
        etcd_version: None,
        address: None,
        ..node
    };
    let list = NodeList {
        name: "db.example.com".parse().unwrap(),
        observed_at: NOW,
        nodes: vec![
            NodeEntry {
                roles: [MachineRole::ControlPlane, MachineRole::Etcd].into(),
                kubernetes_version: Some("1.36.2".parse().unwrap()),
                ..node("a", NodeState::Ready, None, BundleState::Current)
            },
            NodeEntry {
                outdated: vec!["etcdVersion".to_owned(), "settings".to_owned()],
                ..node(
                    "b",
                    NodeState::Unwell,
                    Some("etcd main: it has no leader"),
                    BundleState::Outdated,
                )
            },
            not_there(node("c", NodeState::Absent, None, BundleState::Absent)),
            not_there(node(
                "d",
                NodeState::Foreign,
                Some("it belongs to cluster other (uid 7)"),
                BundleState::Absent,
            )),
            not_there(node(
                "e",
                NodeState::Unknown,
                Some("e (10.0.0.5): connection timed out"),
                BundleState::Unknown,
            )),
            NodeEntry {
                in_spec: false,
                ..node("f", NodeState::Ready, None, BundleState::Unwanted)
            },
        ],
    };
    insta::assert_snapshot!("nodes", plain(&nodes_text::render(&list)));
    insta::assert_snapshot!("nodes_json", serde_json::to_string_pretty(&list).unwrap());
}
