//! A state directory that came to harm: keelson says so, says what to do, and does not touch what is damaged.

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::lab::{Lab, files_below};
use super::plans::SPEC;

const COMMANDS: &[&str] = &[
    "plan",
    "status",
    "kubeconfig",
    "apply --yes --progress none",
    "destroy --yes --progress none",
];
const RECORD: &str = ".keelson/prod.example.com/cluster.json";
const LEASE: &str = ".keelson/prod.example.com/lease";
const KEPT_SPEC: &str = ".keelson/prod.example.com/spec.yaml";
const STORE_LOCK: &str = ".keelson/.lock";
const WORLD_LOCK: &str = ".keelson/simulated_world/aws/world.lock";
const WORLD: &str = ".keelson/simulated_world/aws/world.log";
const WORLD_END: &str = ".keelson/simulated_world/aws/world.end";

struct Damage {
    file: &'static str,
    how: fn(Vec<u8>) -> Vec<u8>,
    /// Commands, by their first word, that do not need the file or mend it, and their exit codes.
    unharmed: &'static [(&'static str, i32)],
}

fn half(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() / 2);
    bytes
}

fn garbage(_: Vec<u8>) -> Vec<u8> {
    b"\x00\xff\xfe garbage \x1b[31m".to_vec()
}

fn empty(_: Vec<u8>) -> Vec<u8> {
    Vec::new()
}

fn broken_head(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes[3] = 0xff;
    bytes
}

fn broken_middle(mut bytes: Vec<u8>) -> Vec<u8> {
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8].fill(0xff);
    bytes
}

fn torn_tail(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.extend_from_slice(br#"{"at":"2026-11-2"#);
    bytes
}

fn another_format(bytes: Vec<u8>) -> Vec<u8> {
    let text = String::from_utf8(bytes).unwrap();
    text.replacen("\"format\":2", "\"format\":9", 1).into_bytes()
}

#[expect(clippy::needless_pass_by_value, reason = "one shape for all damages")]
fn line_cut_out(bytes: Vec<u8>) -> Vec<u8> {
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    [&lines[..3], &lines[4..]].concat().concat()
}

#[expect(clippy::needless_pass_by_value, reason = "one shape for all damages")]
fn last_line_cut_off(bytes: Vec<u8>) -> Vec<u8> {
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    lines[..lines.len() - 1].concat()
}

fn another_name(bytes: Vec<u8>) -> Vec<u8> {
    let text = String::from_utf8(bytes).unwrap();
    text.replace("prod.example.com", "other.example.com").into_bytes()
}

const NONE: &[(&str, i32)] = &[];
const NEED_NO_LEASE: &[(&str, i32)] = &[("status", 1), ("kubeconfig", 0)];
const NEED_NO_SPEC: &[(&str, i32)] = &[("plan", 0), ("status", 0), ("kubeconfig", 0)];
const ALL_WELL: &[(&str, i32)] = &[
    ("plan", 0),
    ("status", 0),
    ("kubeconfig", 0),
    ("apply", 0),
    ("destroy", 0),
];

#[rustfmt::skip]
const DAMAGES: &[Damage] = &[
    Damage { file: RECORD, how: half, unharmed: NONE },
    Damage { file: RECORD, how: garbage, unharmed: NONE },
    Damage { file: RECORD, how: empty, unharmed: NONE },
    Damage { file: RECORD, how: another_name, unharmed: NONE },
    Damage { file: LEASE, how: half, unharmed: NEED_NO_LEASE },
    Damage { file: LEASE, how: garbage, unharmed: NEED_NO_LEASE },
    Damage { file: LEASE, how: empty, unharmed: NEED_NO_LEASE },
    Damage { file: KEPT_SPEC, how: empty, unharmed: NEED_NO_SPEC },
    Damage { file: KEPT_SPEC, how: garbage, unharmed: NEED_NO_SPEC },
    Damage { file: KEPT_SPEC, how: another_name, unharmed: NEED_NO_SPEC },
    Damage { file: WORLD, how: garbage, unharmed: NONE },
    Damage { file: WORLD, how: empty, unharmed: NONE },
    Damage { file: WORLD, how: broken_head, unharmed: NONE },
    Damage { file: WORLD, how: broken_middle, unharmed: NONE },
    Damage { file: WORLD, how: another_format, unharmed: NONE },
    Damage { file: WORLD, how: line_cut_out, unharmed: NONE },
    Damage { file: WORLD, how: last_line_cut_off, unharmed: NONE },
    Damage { file: WORLD_END, how: garbage, unharmed: NONE },
    Damage { file: WORLD_END, how: empty, unharmed: NONE },
    Damage { file: WORLD, how: torn_tail, unharmed: ALL_WELL },
];

fn applied() -> Lab {
    let lab = Lab::with_spec(SPEC);
    lab.expect(0, "apply --yes --progress none");
    lab
}

fn copy(of: &Lab) -> Lab {
    let lab = Lab::new();
    let root = of.path("");
    for (path, content) in files_below(&root) {
        let name = path.strip_prefix(&root).unwrap();
        lab.write(name.to_str().unwrap(), content);
    }
    lab
}

/// Runs every command on a copy of `lab` each, after `harm`; those that are not `unharmed` must fail well.
fn check(lab: &Lab, what: &str, unharmed: &[(&str, i32)], harm: impl Fn(&Lab)) {
    for command in COMMANDS {
        let lab = copy(lab);
        harm(&lab);
        let before = files_below(&lab.path(""));
        let ran = lab.run(command);
        let word = command.split_whitespace().next().unwrap();
        if let Some((_, code)) = unharmed.iter().find(|(unharmed, _)| *unharmed == word) {
            ran.expect(*code, &format!("{command} with {what}"));
            continue;
        }
        let ran = ran
            .expect(1, &format!("{command} with {what}"))
            .says(&["error: ", "help: "]);
        assert!(
            !ran.stderr.contains('\u{1b}'),
            "{command} with {what}: {:?}",
            ran.stderr
        );
        let after = files_below(&lab.path(""));
        for (path, content) in before {
            let is_lease = path.ends_with("lease") && !what.contains("lease");
            assert!(
                is_lease || after.get(&path) == Some(&content),
                "{command} with {what} changed {}",
                path.display()
            );
        }
    }
}

#[test]
fn damaged_files() {
    let lab = applied();
    for (number, damage) in DAMAGES.iter().enumerate() {
        let what = format!("damage {number} of {}", damage.file);
        check(&lab, &what, damage.unharmed, |lab| {
            let content = std::fs::read(lab.path(damage.file)).unwrap();
            lab.write(damage.file, (damage.how)(content));
        });
    }
}

#[test]
fn a_folder_where_a_file_should_be() {
    let lab = applied();
    let need_no_lease: &[(&str, i32)] = &[("kubeconfig", 0)];
    for (file, unharmed) in [(RECORD, NONE), (LEASE, need_no_lease), (WORLD, NONE)] {
        check(&lab, &format!("a folder at {file}"), unharmed, |lab| {
            std::fs::remove_file(lab.path(file)).unwrap();
            std::fs::create_dir(lab.path(file)).unwrap();
        });
    }
}

#[test]
fn a_named_pipe_where_a_file_should_be() {
    use std::os::unix::fs::FileTypeExt;
    let lab = applied();
    let need_no_lock: &[(&str, i32)] = &[("plan", 0), ("status", 0), ("kubeconfig", 0)];
    let need_no_lease: &[(&str, i32)] = &[("kubeconfig", 0)];
    let need_no_spec: &[(&str, i32)] = &[("plan", 0), ("status", 0), ("kubeconfig", 0)];
    for (file, unharmed) in [
        (RECORD, NONE),
        (LEASE, need_no_lease),
        (KEPT_SPEC, need_no_spec),
        (STORE_LOCK, need_no_lock),
        (WORLD, NONE),
        (WORLD_END, NONE),
        (WORLD_LOCK, NONE),
    ] {
        check(&lab, &format!("a named pipe at {file}"), unharmed, |lab| {
            lab.put_pipe(file);
        });
        let lab = copy(&lab);
        lab.put_pipe(file);
        let name = file.rsplit('/').next().unwrap();
        lab.expect(1, "destroy --yes --progress none")
            .says(&[name, "it is a named pipe and no file"]);
        let metadata = std::fs::metadata(lab.path(file)).unwrap();
        assert!(metadata.file_type().is_fifo(), "{file} was overwritten");
    }
}

#[test]
fn a_file_that_is_gone() {
    let lab = applied();
    let apply_mends: &[(&str, i32)] = &[("plan", 0), ("status", 0), ("kubeconfig", 0), ("apply", 0)];
    for (file, unharmed) in [
        (RECORD, NONE),
        (LEASE, NEED_NO_LEASE),
        (KEPT_SPEC, apply_mends),
        (WORLD, NONE),
        // A world of an older keelson has none.
        (WORLD_END, ALL_WELL),
    ] {
        check(&lab, &format!("{file} gone"), unharmed, |lab| {
            std::fs::remove_file(lab.path(file)).unwrap();
        });
    }
}

#[test]
fn a_record_that_is_gone_with_all_that_stood_beside_it_is_damage_as_long_as_the_lease_knows_of_a_life() {
    let lab = applied();
    let lease: serde_json::Value = serde_json::from_str(&lab.read(LEASE)).unwrap();
    let record: serde_json::Value = serde_json::from_str(&lab.read(RECORD)).unwrap();
    assert_eq!(lease["life"], record["uid"]);
    check(&lab, "record and spec gone", NONE, |lab| {
        std::fs::remove_file(lab.path(RECORD)).unwrap();
        std::fs::remove_file(lab.path(KEPT_SPEC)).unwrap();
    });
    // What is put back from a copy is gone on with.
    lab.expect(0, "destroy --yes --progress none");
    let lease: serde_json::Value = serde_json::from_str(&lab.read(LEASE)).unwrap();
    assert_eq!(lease["life"], serde_json::Value::Null);
    lab.expect(2, "plan");
}

#[test]
fn a_record_of_another_life_than_the_lease_tells_of_is_damage() {
    let lab = applied();
    let record: serde_json::Value = serde_json::from_str(&lab.read(RECORD)).unwrap();
    let uid = record["uid"].as_str().unwrap();
    check(&lab, "another uid in the record", NONE, |lab| {
        lab.edit(RECORD, uid, "0123456789");
    });
}

#[test]
fn a_state_store_that_is_lost_whole_leads_to_no_second_cluster() {
    let lab = applied();
    std::fs::remove_dir_all(lab.path(RECORD).parent().unwrap()).unwrap();
    let world = lab.read(WORLD);
    let plan = lab.expect(3, "plan").stdout;
    assert!(
        plan.contains("it exists and belongs to cluster prod.example.com"),
        "{plan}"
    );
    lab.expect(3, "apply --yes --progress none");
    assert_eq!(lab.read(WORLD), world, "nothing was begun beside it");
    assert!(!lab.path(RECORD).exists());
}

#[test]
fn a_first_apply_that_was_killed_before_its_spec_was_kept_can_be_destroyed() {
    let lab = applied();
    lab.edit(RECORD, "\"specIsKept\": true", "\"specIsKept\": false");
    std::fs::remove_file(lab.path(KEPT_SPEC)).unwrap();
    lab.expect(0, "destroy --yes --progress none");
}

#[test]
fn the_kept_spec_of_an_older_keelson_need_not_be_valid_any_more() {
    let lab = applied();
    lab.edit(KEPT_SPEC, "\nspec:\n", "\nspec:\n  ofOld: true\n");
    lab.edit(KEPT_SPEC, "deletionProtection: false", "deletionProtection: true");
    lab.expect(3, "destroy --yes --progress none")
        .says(&["is protected from deletion"]);
    lab.edit(
        KEPT_SPEC,
        "deletionProtection: true",
        "deletionProtection: perhaps",
    );
    lab.expect(1, "destroy --yes --progress none").says(&[
        "spec.yaml",
        "does not say whether the cluster is protected",
        "help: ",
    ]);
    lab.edit(
        KEPT_SPEC,
        "deletionProtection: perhaps",
        "deletionProtection: false",
    );
    lab.expect(0, "destroy --yes --progress none");
}

#[test]
fn a_cluster_that_was_destroyed_begins_a_new_life_with_or_without_its_lease() {
    let lab = applied();
    for generation in [3, 1] {
        lab.expect(0, "destroy --yes --progress none");
        if generation == 1 {
            std::fs::remove_file(lab.path(LEASE)).unwrap();
        }
        lab.expect(0, "apply --yes --progress none");
        let lease: serde_json::Value = serde_json::from_str(&lab.read(LEASE)).unwrap();
        assert_eq!(lease["generation"], generation);
    }
}

#[test]
fn a_lease_written_by_hand_is_gone_on_from_when_it_is_high_enough() {
    let lab = applied();
    lab.edit("cluster.yaml", "replicas: 2", "replicas: 3");
    lab.expect(0, "apply --yes --progress none");
    let documented = include_str!("../../docs/state-store.md");
    let (_, form) = documented.split_once("```json\n").unwrap();
    let (form, _) = form.split_once("```").unwrap();
    lab.edit("cluster.yaml", "replicas: 3", "replicas: 4");
    lab.write(LEASE, form.replace("1000", "0"));
    lab.expect(5, "apply --yes --progress none").says(&[
        "fencing generation 1 is over: 2 has been seen",
        "raise its `generation`",
    ]);
    lab.write(LEASE, form);
    lab.expect(0, "apply --yes --progress none");
    assert!(lab.read(LEASE).contains("1001"));
}

#[test]
fn no_step_is_started_after_a_failure_that_every_other_would_share() {
    let lab = Lab::with_spec(super::locks::SLOW);
    let running = lab.start("apply --yes --progress json");
    let reached = super::lab::wait_for(|| {
        let text = std::fs::read_to_string(lab.path(WORLD)).unwrap_or_default();
        text.lines().count() >= 4
    });
    assert!(reached);
    // At once: a file that is missing for a moment would be another failure.
    let (world, folder) = (lab.path(WORLD), lab.path("folder"));
    std::fs::create_dir(&folder).unwrap();
    renameat_with(CWD, &world, CWD, &folder, RenameFlags::EXCHANGE).unwrap();
    let ran = running.end().expect(1, "apply");
    let events: Vec<serde_json::Value> = ran
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let position = |name: &str| events.iter().position(|event| event["event"] == name);
    let failed = position("step-failed").unwrap();
    let after: Vec<_> = events[failed..]
        .iter()
        .filter(|event| event["event"] == "step-started")
        .collect();
    assert!(after.is_empty(), "{after:#?}");
    assert!(position("stopping").is_some(), "{events:#?}");
    let help = events[failed]["help"].as_str().unwrap();
    assert!(
        help.contains("a folder has the name that a file should have"),
        "{help}"
    );
}

#[test]
fn a_file_where_a_folder_should_be() {
    let lab = Lab::with_spec(SPEC);
    for folder in [
        ".keelson",
        ".keelson/prod.example.com",
        ".keelson/simulated_world",
    ] {
        for command in ["plan", "apply --yes --progress none"] {
            let lab = copy(&lab);
            lab.write(folder, "in the way");
            let ran = lab.run(command);
            if (folder, command) == (".keelson/prod.example.com", "plan") && ran.code == Some(2) {
                continue;
            }
            ran.expect(1, &format!("{command} with a file at {folder}"))
                .says(&[
                    "error: ",
                    "help: ",
                    "a file has the name that a folder should have",
                ]);
            assert_eq!(lab.read(folder), "in the way");
        }
    }
}

#[test]
fn a_status_without_a_lease_shows_the_cluster_and_names_the_damage() {
    let lab = applied();
    std::fs::remove_file(lab.path(LEASE)).unwrap();
    let status = lab.expect(1, "status -o json").json();
    assert_eq!(status["condition"], "degraded");
    assert!(!status["machines"].as_array().unwrap().is_empty());
    let problem = status["problems"][0]["problem"].as_str().unwrap();
    assert!(
        problem.contains("prod.example.com/lease") && problem.contains("is missing"),
        "{problem}"
    );
    for command in ["plan", "plan --destroy"] {
        lab.expect(1, command)
            .says(&["prod.example.com/lease", "is missing"]);
    }
}

#[test]
fn a_link_that_leads_nowhere_is_no_missing_file() {
    let lab = applied();
    for (file, command) in [
        (LEASE, "apply --yes"),
        (RECORD, "plan"),
        (KEPT_SPEC, "destroy --yes"),
    ] {
        let lab = copy(&lab);
        std::fs::remove_file(lab.path(file)).unwrap();
        std::os::unix::fs::symlink("/nowhere/else", lab.path(file)).unwrap();
        lab.expect(1, command)
            .says(&["is a link to a file that is not there", "help: "]);
    }
}

#[test]
fn the_words_for_damage() {
    let applied = applied();
    let mut session = super::lab::Session::new(copy(&applied));
    for (file, command) in [
        (RECORD, "plan"),
        (LEASE, "apply --yes"),
        (KEPT_SPEC, "destroy --yes"),
        (WORLD, "status"),
    ] {
        session.lab = copy(&applied);
        session.lab.write(file, "{ torn");
        session.note(&format!("{file} is damaged"));
        session.run(1, command);
    }
    for (file, command) in [
        (LEASE, "apply --yes"),
        (LEASE, "status"),
        (KEPT_SPEC, "destroy --yes"),
        (WORLD, "status"),
    ] {
        session.lab = copy(&applied);
        std::fs::remove_file(session.lab.path(file)).unwrap();
        session.note(&format!("{file} is gone"));
        session.run(1, command);
    }
    session.lab = copy(&applied);
    let world = session.lab.read(WORLD);
    session.lab.write(WORLD, last_line_cut_off(world.into_bytes()));
    session.note(&format!("{WORLD} has lost its last line"));
    session.run(1, "status");
    insta::assert_snapshot!("damage", session.transcript());
}

#[test]
fn an_api_that_has_no_address_yet() {
    let lab = applied();
    assert!(lab.expect(0, "kubeconfig").stdout.contains("server: https://"));
    std::fs::remove_dir_all(lab.path(".keelson/simulated_world")).unwrap();
    lab.expect(1, "kubeconfig")
        .says(&["has no address yet", "`keelson apply` builds what is missing"]);
    let status = lab.expect(1, "status -o json").json();
    assert_eq!(status["endpoint"], serde_json::Value::Null);
}

#[test]
fn a_state_that_may_not_be_written() {
    use std::os::unix::fs::PermissionsExt;
    let lab = Lab::with_spec(SPEC);
    std::fs::create_dir(lab.path(".keelson")).unwrap();
    std::fs::set_permissions(lab.path(".keelson"), std::fs::Permissions::from_mode(0o500)).unwrap();
    lab.without_rights().expect(1, "apply --yes").says(&[
        "because Permission denied",
        "help: see that you may read and write it",
    ]);
}
