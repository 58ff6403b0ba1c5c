//! The program by which machines take snapshots by a schedule: which of them stay, whose turn it is, what it writes down.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::{SignedDuration, Timestamp};
use keelson::backup::{
    Archive, Backup, BackupManifest, BackupName, KeepRules, Packing, PrunePlan, StoredObject,
};
use keelson::pki::Seal;
use keelson::store::DirectoryStore;
use keelson_provider_api::values::Digest;
use keelson_provider_api::{ClusterUid, SnapshotContents};

use super::{at, cluster, snapshot, unpacked};

/// The program without its last line, which runs it.
const FUNCTIONS: &str = concat!(
    include_str!("../../providers/ssh/src/scripts/etcdctl.sh"),
    include_str!("../../providers/ssh/src/scripts/sha256.sh"),
    include_str!("../../templates/etcd/snapshots-turn.sh"),
    include_str!("../../templates/etcd/snapshots-rules.sh"),
    include_str!("../../templates/etcd/snapshots-here.sh"),
    include_str!("../../templates/etcd/snapshots.sh"),
);

/// What the program says after it has run `then`, with the machine's folder of backups in the place of the real one.
fn run(folder: &Path, rules: KeepRules, then: &str, input: &str) -> String {
    run_program(FUNCTIONS, folder, rules, then, input)
}

fn run_program(functions: &str, folder: &Path, rules: KeepRules, then: &str, input: &str) -> String {
    let functions = functions.trim_end().strip_suffix("\nmain").unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let script = format!("{functions}\nbackups={}\n{then}\n", folder.display());
    let program = scratch.path().join("program");
    fs::write(&program, script).unwrap();
    let mut child = Command::new("sh")
        .arg(program)
        .env("RUNTIME_DIRECTORY", scratch.path())
        .env("KEELSON_KEEP_LAST", rules.last.to_string())
        .env("KEELSON_KEEP_HOURLY", rules.hourly.to_string())
        .env("KEELSON_KEEP_DAILY", rules.daily.to_string())
        .env("KEELSON_KEEP_WEEKLY", rules.weekly.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.is_empty(), "{then}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

fn archive(folder: &Path) -> Archive {
    let store = DirectoryStore::new(folder.to_owned());
    Archive::whole_store(Arc::new(store), Arc::new(Seal::none()))
}

/// Numbers that look random, the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}

fn manifest(uid: &str, etcd: &str, taken_at: Timestamp, revision: u64, object: &[u8]) -> BackupManifest {
    BackupManifest {
        form: BackupManifest::FORM,
        name: BackupName::of(etcd, taken_at, revision),
        cluster_uid: ClusterUid::new(uid),
        cluster_name: cluster(),
        etcd_cluster: etcd.to_owned(),
        purpose: "schedule".to_owned(),
        taken_at,
        machine: "a".to_owned(),
        etcd_version: "3.6.8".to_owned(),
        kubernetes_version: None,
        authorities: std::collections::BTreeMap::new(),
        contents: SnapshotContents {
            hash: 7,
            revision,
            total_keys: 3,
            total_bytes: 9,
            live: None,
        },
        size_bytes: 9,
        sha256: "ab".repeat(32),
        stored: StoredObject {
            size_bytes: object.len() as u64,
            sha256: Digest::of_bytes(object).hexadecimal(),
            packing: Packing::Gzip,
        },
    }
}

fn put(folder: &Path, manifest: &BackupManifest, object: &[u8]) {
    let own = folder.join(manifest.name.as_str());
    fs::create_dir(&own).unwrap();
    fs::write(own.join("snapshot"), object).unwrap();
    fs::write(own.join("manifest.json"), serde_json::to_vec(manifest).unwrap()).unwrap();
}

/// Backups of two lives and two etcds, at times that crowd towards `now`; some are of a clock that is ahead, and some damaged.
fn fill(folder: &Path, count: u64, now: Timestamp, numbers: &mut Numbers) {
    let span = [3_600, 86_400 * 2, 86_400 * 40, 86_400 * 900];
    for revision in 0..count {
        let uid = ["one", "two"][usize::try_from(numbers.below(2)).unwrap()];
        let etcd = ["main", "events"][usize::try_from(numbers.below(2)).unwrap()];
        let reach = span[usize::try_from(numbers.below(4)).unwrap()];
        let before = i64::try_from(numbers.below(reach)).unwrap();
        // Some are of the same moment, and some lie ahead, within and beyond what clocks may be apart.
        let taken = match numbers.below(40) {
            0 => now + SignedDuration::from_secs(before % 1200),
            1 => now - SignedDuration::from_secs(3600),
            _ => now - SignedDuration::from_secs(before),
        };
        let object = format!("object {revision}");
        let good = manifest(uid, etcd, taken, revision, object.as_bytes());
        put(folder, &good, object.as_bytes());
        let own = folder.join(good.name.as_str());
        match numbers.below(60) {
            0 => fs::write(own.join("snapshot"), "cut").unwrap(),
            1 => fs::remove_file(own.join("snapshot")).unwrap(),
            2 => fs::write(own.join("manifest.json"), "{").unwrap(),
            _ => {}
        }
    }
}

fn names<'a>(backups: impl IntoIterator<Item = &'a Backup>) -> BTreeSet<BackupName> {
    backups.into_iter().map(|backup| backup.name.clone()).collect()
}

#[tokio::test]
async fn a_machine_keeps_what_the_rules_keep() {
    // The turn of a year in which ISO weeks belong to the other one, and a leap day.
    let nows = [
        "2026-11-28T06:55:03Z",
        "2027-01-02T00:00:00Z",
        "2028-03-01T00:00:30Z",
    ];
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for (round, count) in [0, 1, 2, 50, 200, 200, 400, 400, 3000].into_iter().enumerate() {
        let now = at(nows[round % nows.len()]);
        let folder = tempfile::tempdir().unwrap();
        fill(folder.path(), count, now, &mut numbers);
        let mut some = || u32::try_from(numbers.below(30)).unwrap() * u32::from(numbers.below(3) > 0);
        let rules = KeepRules {
            last: some(),
            hourly: some(),
            daily: some(),
            weekly: some(),
        };
        let backups = archive(folder.path()).list().await.unwrap();
        let plan = PrunePlan::of(rules, &backups, now);
        let prune = format!("prune_backups {}; echo \"$deleted\"", now.as_second());
        let deleted: usize = run(folder.path(), rules, &prune, "").trim().parse().unwrap();
        assert_eq!(deleted, plan.deleted.len(), "{rules:?}, {count} at {now}");
        let left = names(&archive(folder.path()).list().await.unwrap());
        let expected = names(
            backups
                .iter()
                .filter(|backup| !plan.deleted.contains(&backup.name)),
        );
        let differ: Vec<_> = left.symmetric_difference(&expected).collect();
        assert!(differ.is_empty(), "{rules:?}, {count} at {now}: {differ:?}");
        let again = run(folder.path(), rules, &prune, "");
        assert_eq!(again.trim(), "0", "once is enough");
    }
}

/// The program as it keeps snapshots in a bucket, without its last line.
const BUCKET_FUNCTIONS: &str = concat!(
    include_str!("../../templates/etcd/snapshots-turn.sh"),
    include_str!("../../templates/etcd/snapshots-rules.sh"),
    include_str!("../../templates/etcd/snapshots-bucket.sh"),
    include_str!("../../templates/etcd/snapshots.sh"),
);

#[test]
fn in_a_bucket_stays_what_the_rules_keep() {
    let now = at("2027-01-02T00:00:00Z");
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for count in [0, 1, 40, 400, 2000] {
        let rules = KeepRules {
            last: 2,
            hourly: 5,
            daily: 10,
            weekly: 4,
        };
        let mut backups = Vec::new();
        let mut keys = Vec::new();
        for revision in 0..count {
            let before = i64::try_from(numbers.below(86_400 * 90)).unwrap();
            let taken = now - SignedDuration::from_secs(before);
            let etcd = ["main", "events"][usize::try_from(numbers.below(2)).unwrap()];
            let name = BackupName::of(etcd, taken, revision);
            let folder = format!("some/where/prod/backups/etcd/{name}");
            keys.push(format!("{folder}/snapshot\n"));
            // Every thirtieth never came to have a manifest.
            if numbers.below(30) > 0 {
                keys.push(format!("{folder}/manifest.json\n"));
                backups.push((etcd, name.to_string(), taken));
            }
        }
        for etcd in ["main", "events"] {
            let own = backups.iter().filter(|(of, ..)| *of == etcd);
            let own: Vec<_> = own.map(|(_, name, taken)| (name.as_str(), *taken)).collect();
            let kept = rules.kept(own.iter().copied());
            let expected: BTreeSet<&str> = own
                .iter()
                .map(|(name, _)| *name)
                .filter(|name| !kept.contains_key(name))
                .collect();
            let judge = format!(
                "KEELSON_S3_FOLDER=some/where/prod/backups/etcd/ KEELSON_ETCD={etcd}; cat >\"$scratch/keys\"; survey_bucket {}; \
                 judge_backups | sed -n 's/^delete //p'",
                now.as_second()
            );
            let folder = tempfile::tempdir().unwrap();
            let said = run_program(BUCKET_FUNCTIONS, folder.path(), rules, &judge, &keys.concat());
            assert_eq!(said.lines().collect::<BTreeSet<_>>(), expected, "{count} {etcd}");
        }
    }
}

/// The bucket as a folder on this machine.
const PLAYED_BUCKET: &str = r#"
s3_list() { (cd "$bucket" && find . -type f | sed "s|^\./|$1|"); }
s3_read() { [ -f "$bucket/${1#"$KEELSON_S3_FOLDER"}" ] || return 4; cat "$bucket/${1#"$KEELSON_S3_FOLDER"}"; }
s3_delete() { rm -f "$bucket/${1#"$KEELSON_S3_FOLDER"}"; }
"#;

/// What lies in a state store: snapshots of the schedule and saves by hand, packed in each way, of this life of the cluster and of
/// an earlier one, of both etcds; and what never came to count.
fn fill_state_store(folder: &Path, now: Timestamp, numbers: &mut Numbers) -> BackupName {
    let mut newest: Option<BackupManifest> = None;
    for revision in 0..400 {
        let (uid, begins) = [("one", 0), ("two", 86_400 * 40)][usize::try_from(numbers.below(2)).unwrap()];
        let etcd = ["main", "events"][usize::try_from(numbers.below(2)).unwrap()];
        let before = i64::try_from(begins + numbers.below(86_400 * 40)).unwrap();
        let mut kept = manifest(
            uid,
            etcd,
            now - SignedDuration::from_secs(before),
            revision,
            b"object",
        );
        let by_hand = [None, Some(Packing::Zstd), Some(Packing::ZstdAge)];
        if let Some(packing) = by_hand[usize::try_from(numbers.below(3)).unwrap()] {
            kept.stored.packing = packing;
            "before the \"clusterUid\": \"one\" of an upgrade".clone_into(&mut kept.purpose);
        }
        put(folder, &kept, b"object");
        let written = folder.join(kept.name.as_str()).join("manifest.json");
        match numbers.below(20) {
            0 => fs::remove_file(written).unwrap(),
            // As a save by hand writes it.
            _ if kept.stored.packing != Packing::Gzip => {
                fs::write(written, serde_json::to_vec_pretty(&kept).unwrap()).unwrap();
            }
            _ => {}
        }
        let is_ours = uid == "one" && etcd == "main";
        if is_ours
            && newest
                .as_ref()
                .is_none_or(|newest| newest.taken_at < kept.taken_at)
        {
            newest = Some(kept);
        }
    }
    newest.unwrap().name
}

#[tokio::test]
async fn in_the_state_store_a_machine_deletes_what_a_prune_by_hand_deletes() {
    let now = at("2027-01-02T00:00:00Z");
    let mut numbers = Numbers(0x2545_f491_4f6c_dd1d);
    for (last, hourly, daily, weekly) in [(0, 0, 0, 0), (3, 0, 0, 0), (0, 24, 7, 0), (2, 5, 10, 4)] {
        let rules = KeepRules {
            last,
            hourly,
            daily,
            weekly,
        };
        let folder = tempfile::tempdir().unwrap();
        let newest = fill_state_store(folder.path(), now, &mut numbers);
        let backups = archive(folder.path()).list().await.unwrap();
        let plan = PrunePlan::of(rules, &backups, now);
        // The machine's are those of its etcd in this life, and what never came to count.
        let is_its = |backup: &&Backup| match backup.whole() {
            Some(manifest) => manifest.cluster_uid.to_string() == "one" && manifest.etcd_cluster == "main",
            None => !backup.name.as_str().starts_with("events-"),
        };
        let goes = |backup: &&Backup| plan.deleted.contains(&backup.name) && is_its(backup);
        let expected = names(backups.iter().filter(|backup| !goes(backup)));
        assert!(expected.len() < backups.len());
        let prune = format!(
            "{PLAYED_BUCKET}\nbucket={} KEELSON_S3_FOLDER=where/prod/backups/etcd/ KEELSON_ETCD=main uid=one why= name={newest}\n\
             while prune_backups {} && [ \"$deleted\" -gt 0 ]; do :; done",
            folder.path().display(),
            now.as_second()
        );
        let scratch = tempfile::tempdir().unwrap();
        run_program(BUCKET_FUNCTIONS, scratch.path(), rules, &prune, "");
        let left = names(&archive(folder.path()).list().await.unwrap());
        let differ: Vec<_> = left.symmetric_difference(&expected).collect();
        assert!(differ.is_empty(), "{rules:?}: {differ:?}");
    }
}

#[tokio::test]
async fn the_newest_good_one_is_read_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let now = at("2026-11-28T06:55:03Z");
    let mut kept = Vec::new();
    for minutes in 1..=4 {
        let taken = now - SignedDuration::from_mins(minutes);
        let good = manifest("one", "main", taken, 1, b"object");
        put(folder.path(), &good, b"object");
        kept.push(good.name);
    }
    let flipped =
        |name: &BackupName| fs::write(folder.path().join(name.as_str()).join("snapshot"), b"bjects");
    flipped(&kept[0]).unwrap();
    flipped(&kept[1]).unwrap();
    // What a deletion has left that was cut off, and what is nobody's.
    fs::create_dir(folder.path().join("20260101T000000Z-1")).unwrap();
    fs::write(folder.path().join("20260101T000000Z-1/snapshot"), "x").unwrap();
    fs::create_dir(folder.path().join(".new")).unwrap();
    fs::write(folder.path().join("notes"), "x").unwrap();
    let prune = format!("prune_backups {}; echo \"$deleted of $damaged\"", now.as_second());
    let said = run(folder.path(), KeepRules::default(), &prune, "");
    assert_eq!(said, format!("2 of {} {} \n", kept[0], kept[1]));
    let left = names(&archive(folder.path()).list().await.unwrap());
    assert_eq!(left, kept[..3].iter().cloned().collect());
    assert!(folder.path().join("notes").exists());
}

/// What `etcdctl endpoint status --write-out=fields` says of a member.
fn status(id: u64, leader: u64, is_learner: bool, errors: &str) -> String {
    format!(
        "\"ClusterID\" : 14841639068965178418\n\"MemberID\" : {id}\n\"Revision\" : 12\n\"RaftTerm\" : 2\n\"Version\" : \"3.6.8\"\n\
         \"DBSize\" : 20480\n\"Leader\" : {leader}\n\"IsLearner\" : {is_learner}\n\"RaftIndex\" : 8\n\"Errors\" : [{errors}]\n\
         \"Endpoint\" : \"https://10.0.0.{}:2379\"\n\n",
        id % 10
    )
}

/// Three ids that a number with 53 bits does not tell apart.
const IDS: [u64; 3] = [
    10_276_657_743_932_975_441,
    10_276_657_743_932_975_442,
    10_276_657_743_932_975_443,
];

#[test]
fn members_that_are_well_and_follow_are_asked() {
    let [one, two, three] = IDS;
    let all = |two_errors: &str, three_learns: bool| {
        status(three, one, three_learns, "")
            + &status(one, one, false, "")
            + &status(two, one, false, two_errors)
    };
    let rows: [(String, &[u64]); 7] = [
        (all("", false), &[two, three]),
        (
            all("memberID:10 alarm:NOSPACE  memberID:11 alarm:NOSPACE ", false),
            &[two, three],
        ),
        (all("memberID:10 alarm:CORRUPT ", false), &[three]),
        (all("", true), &[two]),
        (all("etcdserver: no leader", true), &[one]),
        (
            status(two, three, false, "") + &status(one, one, false, ""),
            &[one],
        ),
        (String::new(), &[]),
    ];
    for (input, expected) in rows {
        let folder = tempfile::tempdir().unwrap();
        let said = run(
            folder.path(),
            KeepRules::default(),
            &format!("candidates {one}"),
            &input,
        );
        let said: Vec<u64> = said.lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(said, expected, "{input}");
    }
}

#[test]
fn each_minute_is_one_members_and_all_have_their_turns() {
    let folder = tempfile::tempdir().unwrap();
    let ids = IDS.map(|id| id.to_string()).join("\n");
    let each = format!(
        "minute=29000000; while [ \"$minute\" -lt 29000150 ]; do echo '{ids}' | whose_turn \"$minute\"; minute=$((minute + 1)); done"
    );
    let said = run(folder.path(), KeepRules::default(), &each, "");
    let turns: Vec<&str> = said.lines().collect();
    assert_eq!(turns.len(), 150);
    for id in IDS {
        let its = turns.iter().filter(|turn| **turn == id.to_string()).count();
        assert!((30..70).contains(&its), "{id} has {its} turns of 150");
    }
    assert_eq!(run(folder.path(), KeepRules::default(), "whose_turn 7", ""), "");
}

#[tokio::test]
async fn what_a_machine_writes_down_is_read_here() {
    let folder = tempfile::tempdir().unwrap();
    let plain = snapshot(100_000, 1);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&plain).unwrap();
    let name = "events-20261128T034333Z-12";
    let own = folder.path().join(name);
    fs::create_dir(&own).unwrap();
    fs::write(own.join("snapshot"), gzip.finish().unwrap()).unwrap();
    let said =
        r#"status {"hash":4047541245,"revision":12,"totalKey":19,"totalSize":20480,"version":"3.6.0"}"#;
    let write = format!(
        "new={own}; name={name}; uid=one; taken=2026-11-28T03:43:33Z; version=3.6.8; revision=12; size={}; sha256={}\n\
         KEELSON_CLUSTER=prod; KEELSON_ETCD=events; KEELSON_HOST_NAME=a; KEELSON_KUBERNETES_VERSION=1.36.2\n\
         echo '{said}' >\"$scratch/said\"; authorities={}; write_manifest \"$new/manifest.json\"",
        plain.len(),
        Digest::of_bytes(&plain).hexadecimal(),
        folder.path().join("authorities").display(),
        own = own.display(),
    );
    let digest = Digest::of_bytes(b"").to_string();
    let pair = format!("{{\"etcd\":\"{digest}\",\"service-account\":\"{digest}\"}}\n");
    let archive = archive(folder.path());
    let mut manifest = None;
    // What was brought, and what is missing, cut short or something else.
    for (brought, count) in [
        (Some(&pair[..40]), 0),
        (Some("{\"a\":1}\n"), 0),
        (None, 0),
        (Some(&pair[..]), 2),
    ] {
        let _ = fs::remove_file(folder.path().join("authorities"));
        if let Some(brought) = brought {
            fs::write(folder.path().join("authorities"), brought).unwrap();
        }
        run(folder.path(), KeepRules::default(), &write, "");
        let read = archive.manifest(&BackupName::parse(name).unwrap()).await.unwrap();
        assert_eq!(
            read.authorities.len(),
            count,
            "{brought:?}: {:?}",
            read.authorities
        );
        assert!(read.authorities.values().all(|read| *read == digest));
        manifest = Some(read);
    }
    let manifest = manifest.unwrap();
    assert_eq!(
        (
            manifest.contents.hash,
            manifest.contents.total_keys,
            manifest.contents.total_bytes
        ),
        (4_047_541_245, 19, 20480)
    );
    assert_eq!(manifest.kubernetes_version.as_deref(), Some("1.36.2"));
    assert_eq!(
        (manifest.etcd_cluster.as_str(), manifest.machine.as_str()),
        ("events", "a")
    );
    archive.verify(&manifest).await.unwrap();
    assert_eq!(unpacked(&archive, &manifest).await.unwrap(), plain);
}

#[tokio::test]
async fn what_gzip_cut_short_or_altered_is_damaged() {
    let plain = snapshot(3_000_000, 2);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&plain).unwrap();
    let whole = gzip.finish().unwrap();
    let middle = whole.len() / 2;
    let mut flipped = whole.clone();
    flipped[middle] ^= 1;
    let longer = [whole.as_slice(), b"more"].concat();
    for (what, object) in [
        ("cut", &whole[..middle]),
        ("without its sum", &whole[..whole.len() - 8]),
        ("empty", &[][..]),
        ("flipped", &flipped),
        ("longer", &longer),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut manifest = manifest("one", "main", at("2026-11-28T03:43:33Z"), 1, object);
        manifest.size_bytes = plain.len() as u64;
        manifest.sha256 = Digest::of_bytes(&plain).hexadecimal();
        put(folder.path(), &manifest, object);
        let verified = archive(folder.path()).verify(&manifest).await;
        let damaged = matches!(verified, Err(keelson::backup::BackupError::Damaged { .. }));
        assert!(damaged, "{what}: {verified:?}");
    }
}
