//! Pruning deletes what no rule keeps, and nothing else, wherever it is cut off.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use keelson::backup::{
    Backup, BackupManifest, BackupName, BackupState, KeepRules, Packed, Packing, PrunePlan, Sum,
};
use keelson::pki::Seal;
use keelson_provider_simulated::MemoryStore;

use super::{archive_in, at, keep, manifest, save, snapshot, sum};

const NOW: Timestamp = Timestamp::constant(1_795_000_000, 0);

/// A number out of a seed.
fn draw(seed: &mut u64) -> u64 {
    *seed = seed
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

fn packed() -> Packed {
    let sum = Sum {
        size_bytes: 1,
        sha256: String::new(),
    };
    Packed {
        plain: sum.clone(),
        stored: sum,
        packing: Packing::Zstd,
    }
}

fn drawn(seed: &mut u64, index: u64) -> Backup {
    let taken = NOW - SignedDuration::from_secs(i64::try_from(draw(seed) % 8_000_000).unwrap());
    let etcd = if draw(seed).is_multiple_of(3) {
        "events"
    } else {
        "main"
    };
    let manifest = Box::new(manifest(etcd, taken, index, packed()));
    let name = manifest.name.clone();
    let state = match draw(seed) % 10 {
        0 => BackupState::Damaged {
            manifest: Some(manifest),
            problem: "it is cut short".to_owned(),
        },
        1 => BackupState::Unfinished,
        _ => BackupState::Whole(manifest),
    };
    Backup { name, state }
}

fn newest<'a>(backups: &'a [Backup], etcd: &str) -> Option<&'a BackupManifest> {
    let whole = backups
        .iter()
        .filter_map(Backup::whole)
        .filter(|manifest| manifest.etcd_cluster == etcd);
    whole.max_by_key(|manifest| (manifest.taken_at, &manifest.name))
}

#[test]
fn thousands_of_manifests_are_pruned_and_the_newest_good_one_of_each_etcd_stays() {
    for seed in 0..200_u64 {
        let mut state = seed;
        let number = draw(&mut state) % 3000;
        let backups: Vec<Backup> = (0..number).map(|index| drawn(&mut state, index)).collect();
        let rules = KeepRules {
            last: u32::try_from(draw(&mut state) % 4).unwrap(),
            hourly: u32::try_from(draw(&mut state) % 48).unwrap(),
            daily: u32::try_from(draw(&mut state) % 40).unwrap(),
            weekly: u32::try_from(draw(&mut state) % 9).unwrap(),
        };
        let plan = PrunePlan::of(rules, &backups, NOW);
        for etcd in ["main", "events"] {
            if let Some(newest) = newest(&backups, etcd) {
                assert!(plan.kept.contains_key(&newest.name), "seed {seed}");
            }
        }
        for backup in &backups {
            let name = &backup.name;
            let places = [
                plan.kept.contains_key(name),
                plan.damaged.contains_key(name),
                plan.unfinished.contains(name),
                plan.deleted.contains(name),
            ];
            assert_eq!(
                places.iter().filter(|&&place| place).count(),
                1,
                "seed {seed}: {name}"
            );
            let is_damaged = matches!(backup.state, BackupState::Damaged { .. });
            assert_eq!(plan.damaged.contains_key(name), is_damaged, "seed {seed}: {name}");
        }
        let most = 2 * usize::try_from(rules.last + rules.hourly + rules.daily + rules.weekly + 1).unwrap();
        assert!(plan.kept.len() <= most, "seed {seed}");
        let left: Vec<Backup> = backups
            .iter()
            .filter(|backup| !plan.deleted.contains(&backup.name))
            .cloned()
            .collect();
        assert_eq!(
            PrunePlan::of(rules, &left, NOW).deleted,
            BTreeSet::new(),
            "seed {seed}: once is enough"
        );
    }
}

#[test]
fn what_somebody_may_be_saving_stays_for_a_day() {
    let unfinished = |taken: Timestamp| Backup {
        name: BackupName::of("events", taken, 1),
        state: BackupState::Unfinished,
    };
    let (young, old) = (
        unfinished(NOW - SignedDuration::from_hours(23)),
        unfinished(NOW - SignedDuration::from_hours(25)),
    );
    let strange = Backup {
        name: BackupName::parse("my-own-folder").unwrap(),
        state: BackupState::Unfinished,
    };
    let plan = PrunePlan::of(
        KeepRules::default(),
        &[young.clone(), old.clone(), strange.clone()],
        NOW,
    );
    assert_eq!(plan.deleted, BTreeSet::from([old.name]));
    assert_eq!(
        plan.unfinished,
        BTreeSet::from([young.name, strange.name]),
        "whatever has no time in its name stays"
    );
}

#[tokio::test]
async fn a_prune_deletes_the_objects_and_doing_it_twice_is_doing_it_once() {
    let store = Arc::new(MemoryStore::new());
    let archive = archive_in(store, Seal::none());
    let mut names = Vec::new();
    for hour in 0..5 {
        let taken = at(&format!("2026-11-27T0{hour}:00:00Z"));
        names.push(save(&archive, taken, hour, &snapshot(100, hour)).await.name);
    }
    let unfinished = BackupName::of("main", at("2026-11-20T00:00:00Z"), 1);
    let bytes = snapshot(10, 1);
    keep(&archive, &unfinished, &bytes, &sum(&bytes)).await.unwrap();
    let rules = KeepRules {
        last: 2,
        ..KeepRules::default()
    };
    let plan = PrunePlan::of(rules, &archive.list().await.unwrap(), at("2026-11-28T00:00:00Z"));
    let pruned = archive.prune(&plan).await.unwrap();
    assert_eq!(pruned.deleted.len(), 4);
    assert_eq!(archive.prune(&plan).await.unwrap(), pruned);
    let left: Vec<BackupName> = archive
        .list()
        .await
        .unwrap()
        .into_iter()
        .map(|backup| backup.name)
        .collect();
    assert_eq!(left, names[3..]);
}

#[test]
fn the_newest_of_a_cluster_that_is_gone_stays_beside_those_of_its_successor() {
    let backup = |uid: &str, hours: i64| {
        let taken = NOW - SignedDuration::from_hours(hours);
        let mut manifest = manifest("main", taken, 1, packed());
        manifest.cluster_uid = keelson_provider_api::ClusterUid::new(uid);
        Backup {
            name: manifest.name.clone(),
            state: BackupState::Whole(Box::new(manifest)),
        }
    };
    let backups = [
        backup("old", 9),
        backup("old", 8),
        backup("new", 2),
        backup("new", 1),
    ];
    let rules = KeepRules {
        last: 1,
        ..KeepRules::default()
    };
    let plan = PrunePlan::of(rules, &backups, NOW);
    assert_eq!(
        plan.deleted,
        BTreeSet::from([backups[0].name.clone(), backups[2].name.clone()])
    );
}

#[test]
fn one_from_a_clock_that_is_ahead_stands_for_no_other() {
    let backup = |minutes: i64| {
        let taken = NOW + SignedDuration::from_mins(minutes);
        let manifest = manifest("main", taken, 1, packed());
        Backup {
            name: manifest.name.clone(),
            state: BackupState::Whole(Box::new(manifest)),
        }
    };
    let (old, newest, ahead) = (backup(-60), backup(-1), backup(60));
    let rules = KeepRules {
        last: 1,
        ..KeepRules::default()
    };
    let plan = PrunePlan::of(rules, &[old.clone(), newest.clone(), ahead.clone()], NOW);
    assert_eq!(plan.deleted, BTreeSet::from([old.name]));
    assert!(plan.kept.contains_key(&newest.name));
    assert!(plan.damaged[&ahead.name].contains("still to come"));
}
