//! What is said of snapshots before they are taken, and where none can be.

use super::lab::Lab;

const QUICKSTART: &str = include_str!("../../examples/quickstart.yaml");

const UNPACKS: &str = "`keelson etcd snapshot download` opens and unpacks what is kept";

fn newest_name(lab: &Lab) -> String {
    let listed = lab.expect(0, "etcd snapshot list --output json").json();
    let name = listed["backups"][0]["manifest"]["name"].as_str();
    name.unwrap().to_owned()
}

#[test]
fn before_a_restore_it_is_said_what_one_gets() {
    let lab = Lab::with_spec(QUICKSTART);
    lab.expect(0, "apply --yes --progress none");
    lab.expect(0, "etcd snapshot save");
    let name = newest_name(&lab);
    let listed = lab.expect(0, "etcd snapshot list --output json").json();
    let contents = &listed["backups"][0]["manifest"]["contents"];
    let known = format!(
        "revision {}, {} keys, ",
        contents["revision"], contents["totalKeys"]
    );
    let of_backup = format!("{name} in the state store is of etcd main of quickstart, taken at 20");
    let newest = "no NAME was given: it is the newest of etcd main";
    let stop = "API servers, controller managers and schedulers stop meanwhile";
    let told = lab.expect(0, "etcd restore --yes").stderr;
    for words in [of_backup.as_str(), "Z, ", " ago: ", &known, newest, stop] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let told = lab.expect(0, &format!("etcd restore --yes {name}")).stderr;
    assert!(told.contains(&of_backup) && !told.contains("no NAME"), "{told}");
    lab.expect(0, "etcd snapshot download --out a.db");
    let told = lab.expect(0, "etcd restore --yes --from a.db --of-another-cluster");
    let told = told.says(&[
        "a.db is a file of ",
        "when it was taken, and of which etcd and which cluster, is not known; etcd main is to have it",
        stop,
    ]);
    assert!(!told.stderr.contains("no NAME"), "{}", told.stderr);
}

#[test]
fn a_file_that_is_no_snapshot_is_told_with_what_to_do_about_it() {
    let lab = Lab::with_spec(QUICKSTART);
    lab.expect(0, "apply --yes --progress none");
    lab.expect(0, "etcd snapshot save");
    let name = newest_name(&lab);
    let stored = lab.path(&format!(".keelson/quickstart/backups/etcd/{name}/snapshot"));
    std::fs::copy(stored, lab.path("stored")).unwrap();
    lab.write("age", "age-encryption.org/v1\n-> X25519 x\n");
    lab.write("gz", b"\x1f\x8b\x08\x00");
    lab.write("words", "kind: Cluster\n".repeat(20));
    lab.write("folder/x", "");
    for (file, words, help) in [
        ("stored", "cannot use stored: it is packed by zstd", UNPACKS),
        ("age", "it is encrypted by age", UNPACKS),
        ("gz", "it is packed by gzip", UNPACKS),
        (
            "words",
            "not the SHA-256 of those before them",
            "name a whole snapshot",
        ),
        ("none", "cannot use none", "nothing of that name is there"),
        (
            "folder",
            "cannot use folder",
            "it is a folder: name the file in it",
        ),
    ] {
        let refused = lab.expect(
            1,
            &format!("etcd restore --yes --of-another-cluster --from {file}"),
        );
        let refused = refused.says(&[words, help]).stderr;
        assert!(
            !refused.contains("etcd said") && !refused.contains("--work-folder"),
            "{refused}"
        );
    }
}

#[test]
fn an_etcd_without_a_snapshot_keeps_nobody_from_reading_the_others() {
    let lab = Lab::with_spec(include_str!("../../examples/separate-events.yaml"));
    lab.expect(0, "apply --yes --progress none");
    // Nothing of any etcd: there is nothing to report.
    lab.expect(1, "etcd snapshot verify")
        .says(&["there is no backup of etcd main of this cluster"]);
    lab.expect(0, "etcd snapshot save --etcd events");
    let read = lab.expect(1, "etcd snapshot verify").stdout;
    assert!(
        read.contains("Good:") && read.contains("None: there is no snapshot of etcd main of this cluster"),
        "{read}"
    );
    let read = lab.expect(0, "etcd snapshot verify --etcd events").stdout;
    assert!(read.contains("Good:") && !read.contains("None:"), "{read}");
    lab.expect(1, "etcd snapshot verify --etcd main")
        .says(&["there is no backup of etcd main of this cluster"]);
    lab.expect(1, "etcd snapshot verify --etcd other")
        .says(&["its etcds are: main, events"]);
    lab.expect(2, "etcd snapshot verify --etcd main --all");
    lab.expect(0, "etcd snapshot save --etcd main");
    let read = lab.expect(0, "etcd snapshot verify").stdout;
    assert_eq!(read.matches("Good:").count(), 2, "{read}");
}

#[test]
fn no_snapshot_is_read_for_a_drill_on_a_machine_that_the_spec_has_not() {
    let lab = Lab::with_spec(QUICKSTART);
    lab.expect(0, "apply --yes --progress none");
    lab.expect(0, "etcd snapshot save");
    let refused = lab.expect(1, "etcd drill --machine nobody");
    let refused = refused.says(&["the spec has no machine `nobody`", "its machines are: "]);
    assert!(!refused.stderr.contains("read the snapshot"), "{refused:#?}");
}

#[test]
fn where_the_newest_is_damaged_the_one_before_it_is_named() {
    let lab = Lab::with_spec(QUICKSTART);
    lab.expect(0, "apply --yes --progress none");
    lab.expect(0, "etcd snapshot save");
    let older = newest_name(&lab);
    lab.edit("cluster.yaml", "spec:\n", "spec:\n  kubelet: { maxPods: 90 }\n");
    lab.expect(0, "apply --yes --progress none");
    lab.expect(0, "etcd snapshot save");
    let newer = newest_name(&lab);
    assert_ne!(newer, older);
    let stored = format!(".keelson/quickstart/backups/etcd/{newer}/snapshot");
    let mut bytes = std::fs::read(lab.path(&stored)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    lab.write(&stored, bytes);
    let named = format!("name it, `{older} --place state-store`");
    for command in ["restore --yes", "snapshot download --out a.db"] {
        lab.expect(1, &format!("etcd {command}")).says(&[
            &format!("the backup {newer}"),
            "is damaged",
            &named,
        ]);
    }
    lab.expect(0, &format!("etcd restore --yes {older} --place state-store"));
}
