//! Backups in every state, and what is done to them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use keelson::backup::{BackupManifest, BackupName, KeepReason, Packing, StoredObject};
use keelson::ops::{
    BackupCondition, BackupEntry, BackupList, BackupPlace, DefragmentedMember, DisarmedEtcd, DrillReport,
    GoneBackup, PassedOver, PruneReport, PrunedBackup, RestoredEtcd, SavedBackup, SilentPlace,
    VerifiedBackup, VerifyReport,
};
use keelson::view::{backups_text, etcd_upkeep_text, restores_text};
use keelson_provider_api::values::ClusterName;
use keelson_provider_api::{
    ClusterUid, DatabaseSize, Defragmented, Drilled, LiveKeys, SetAside, SnapshotContents,
};

use super::{NOW, plain};

const LOCATION: &str = "./state/prod/backups/etcd";

fn cluster() -> ClusterName {
    "prod".parse().unwrap()
}

fn manifest(etcd: &str, hours_ago: i64, packing: Packing) -> BackupManifest {
    let taken_at: Timestamp = NOW - SignedDuration::from_hours(hours_ago);
    BackupManifest {
        form: BackupManifest::FORM,
        name: BackupName::of(etcd, taken_at, 42),
        cluster_uid: ClusterUid::new("uid"),
        cluster_name: cluster(),
        etcd_cluster: etcd.to_owned(),
        purpose: "by hand".to_owned(),
        taken_at,
        machine: "db-1".to_owned(),
        etcd_version: "3.6.8".to_owned(),
        kubernetes_version: None,
        authorities: BTreeMap::new(),
        contents: SnapshotContents {
            hash: 7,
            revision: 42,
            total_keys: 40,
            total_bytes: 5 << 20,
            live: None,
        },
        size_bytes: (5 << 20) + 32,
        sha256: "ab".repeat(32),
        stored: StoredObject {
            size_bytes: 1_500_000,
            sha256: "cd".repeat(32),
            packing,
        },
    }
}

fn entry(manifest: BackupManifest, condition: BackupCondition, problem: Option<&str>) -> BackupEntry {
    BackupEntry {
        name: manifest.name.clone(),
        place: BackupPlace::StateStore,
        condition,
        problem: problem.map(str::to_owned),
        of_earlier_life: false,
        manifest: Some(manifest),
    }
}

#[test]
fn backups_in_every_state() {
    let unfinished = BackupEntry {
        name: BackupName::parse("20260528T000000Z-9").unwrap(),
        place: BackupPlace::StateStore,
        condition: BackupCondition::Unfinished,
        problem: None,
        of_earlier_life: false,
        manifest: None,
    };
    let mut list = BackupList {
        name: cluster(),
        locations: vec![LOCATION.to_owned(), "db-1:/var/lib/keelson/backups".to_owned()],
        silent: vec![SilentPlace {
            place: BackupPlace::Host("db-2".to_owned()),
            problem: "db-2 (10.0.0.2): timed out".to_owned(),
        }],
        now: NOW,
        backups: vec![
            entry(manifest("main", -1, Packing::Zstd), BackupCondition::Whole, None),
            entry(
                manifest("events", 2, Packing::ZstdAge),
                BackupCondition::Whole,
                None,
            ),
            entry(
                manifest("main", 30, Packing::Zstd),
                BackupCondition::Damaged,
                Some("its snapshot is not\nthere"),
            ),
            BackupEntry {
                of_earlier_life: true,
                ..entry(manifest("main", 900, Packing::Zstd), BackupCondition::Whole, None)
            },
            unfinished,
            BackupEntry {
                manifest: None,
                ..entry(
                    manifest("main", 4, Packing::Zstd),
                    BackupCondition::Unread,
                    Some("cannot read it: it is busy"),
                )
            },
            BackupEntry {
                place: BackupPlace::Host("db-1".to_owned()),
                ..entry(manifest("main", 3, Packing::Gzip), BackupCondition::Whole, None)
            },
        ],
    };
    insta::assert_snapshot!("backups", plain(&backups_text::list(&list)));
    insta::assert_json_snapshot!("backups_json", list);
    list.backups.clear();
    insta::assert_snapshot!("backups_none", plain(&backups_text::list(&list)));
}

/// A restore that tells where what it has moved aside lies, one that does not know, and one that has moved nothing.
fn restores(source: &str) -> [RestoredEtcd; 3] {
    let restored = RestoredEtcd {
        etcd_cluster: "main".to_owned(),
        source: source.to_owned(),
        members: vec!["db-1".to_owned(), "db-2".to_owned()],
        aside: ["db-1", "db-2"]
            .map(|machine| SetAside {
                machine: machine.to_owned(),
                folder: "/var/lib/etcd.removed-20261128T034333Z".to_owned(),
                size_bytes: 70 << 20,
            })
            .to_vec(),
        aside_problem: None,
        waiting: Vec::new(),
    };
    let unseen = RestoredEtcd {
        aside: Vec::new(),
        aside_problem: Some("db-2 does not answer".to_owned()),
        ..restored.clone()
    };
    let nothing = RestoredEtcd {
        aside_problem: None,
        ..unseen.clone()
    };
    [restored, unseen, nothing]
}

#[test]
fn backups_that_are_saved_read_and_restored() {
    let whole = manifest("main", 0, Packing::ZstdAge);
    let saved = SavedBackup {
        manifest: whole.clone(),
        location: LOCATION.to_owned(),
    };
    let verified = |place, problem: Option<&str>, manifest: Option<BackupManifest>| VerifiedBackup {
        name: whole.name.clone(),
        place,
        problem: problem.map(str::to_owned),
        unread: false,
        manifest,
    };
    let report = VerifyReport {
        name: cluster(),
        location: LOCATION.to_owned(),
        good: false,
        backups: vec![
            verified(BackupPlace::StateStore, None, Some(whole.clone())),
            verified(
                BackupPlace::Host("db-1".to_owned()),
                Some("it ends before its end"),
                None,
            ),
            VerifiedBackup {
                unread: true,
                ..verified(
                    BackupPlace::Host("db-2".to_owned()),
                    Some("db-2 does not answer"),
                    Some(whole.clone()),
                )
            },
        ],
        gone: vec![GoneBackup {
            name: whole.name.clone(),
            place: BackupPlace::Bucket,
        }],
        none_of: vec!["events".to_owned()],
        silent: Vec::new(),
    };
    let [restored, unseen, nothing] = restores(&whole.name.to_string());
    let text = [
        backups_text::saved(&[saved]),
        backups_text::verified(&report),
        backups_text::downloaded("it on db-1", &whole, "main.db") + "\n",
        restores_text::restored(&restored),
        restores_text::set_aside(&restored),
        restores_text::set_aside(&unseen),
        restores_text::set_aside(&nothing),
    ]
    .concat();
    insta::assert_snapshot!("backups_done", plain(&text));
}

#[test]
fn newer_backups_that_cannot_be_taken() {
    let whole = manifest("main", 0, Packing::ZstdAge);
    let newer = |hours_ago, place| PassedOver {
        name: manifest("main", hours_ago, Packing::Zstd).name,
        place,
        problem: "its snapshot is not\nthere".to_owned(),
        unread: false,
    };
    let passed_over = [
        newer(-1, BackupPlace::StateStore),
        newer(-2, BackupPlace::Host("db-1".to_owned())),
    ];
    let drilled = DrillReport {
        source: whole.name.to_string(),
        etcd_cluster: "main".to_owned(),
        good: false,
        passed_over: passed_over[..1].to_vec(),
        problems: Vec::new(),
        unknown: vec!["hash of keys"],
        duration_ms: 2000,
        drilled: Drilled {
            machine: "db-1".to_owned(),
            etcd_version: "3.6.8".to_owned(),
            contents: whole.contents,
            revision: 42,
            live: LiveKeys {
                keys: 40,
                history: None,
            },
        },
    };
    let text = restores_text::drilled(&[drilled]) + &backups_text::left_out(&[], &passed_over);
    insta::assert_snapshot!("backups_passed_over", plain(&text));
}

#[test]
fn a_prune_before_and_after() {
    let name = |hours_ago| manifest("main", hours_ago, Packing::Zstd).name;
    let report = PruneReport {
        location: LOCATION.to_owned(),
        done: false,
        swept: 0,
        deleted: vec![
            PrunedBackup {
                name: name(99),
                manifest: Some(manifest("main", 99, Packing::Zstd)),
            },
            PrunedBackup {
                name: name(100),
                manifest: None,
            },
        ],
        kept: BTreeMap::from([(name(1), BTreeSet::from([KeepReason::Newest, KeepReason::Daily]))]),
        damaged: BTreeMap::from([(name(2), "its snapshot is not there".to_owned())]),
        unfinished: BTreeSet::from([name(0)]),
    };
    insta::assert_snapshot!("pruned_before", plain(&backups_text::pruned(&report)));
    let done = PruneReport {
        done: true,
        swept: 1,
        ..report
    };
    insta::assert_snapshot!("pruned_after", plain(&backups_text::pruned(&done)));
}

#[test]
fn upkeep_of_members() {
    let size = |bytes, in_use_bytes| DatabaseSize { bytes, in_use_bytes };
    let member = DefragmentedMember {
        etcd_cluster: "main".to_owned(),
        machine: "db-1".to_owned(),
        sizes: Defragmented {
            before: size(2 << 30, 5 << 20),
            after: size(6 << 20, 5 << 20),
        },
    };
    let disarmed = |alarms: &[&str]| DisarmedEtcd {
        etcd_cluster: "main".to_owned(),
        alarms: alarms.iter().map(|&alarm| alarm.to_owned()).collect(),
    };
    let text = etcd_upkeep_text::defragmented(&[member])
        + &etcd_upkeep_text::disarmed(&[disarmed(&[]), disarmed(&["NOSPACE on db-1"])]);
    insta::assert_snapshot!("upkeep", plain(&text));
}
