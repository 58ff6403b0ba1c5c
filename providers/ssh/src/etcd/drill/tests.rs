use keelson_provider_api::ErrorClass;

use super::*;
use crate::etcd::survey::tests::picture;

const STATUS: &str =
    r#"status {"hash":3235769074,"revision":5,"totalKey":3,"totalSize":20480,"version":"3.6.0"}"#;
const MEMBER: &str = r#"member [{"Endpoint":"unix:///x","Status":{"header":{"revision":5},"version":"3.6.10","dbSize":20480}}]"#;
const LIVE: &str = r#"live {"keys":3,"history":{"hash":4082953917,"compactRevision":-1}}"#;

fn output(status: i32, stdout: &str) -> Output {
    Output {
        status,
        stdout: stdout.to_owned(),
        stderr: "{\"level\":\"info\"}\nit is so\n{\"level\":\"warn\"}\n".to_owned(),
    }
}

#[test]
fn a_drill_counts_when_the_member_has_told_everything() {
    let text = format!("{STATUS}\n{MEMBER}\n{LIVE}\n");
    let drilled = judge("a", &output(0, &text)).unwrap();
    assert_eq!((drilled.revision, drilled.live.keys), (5, 3));
    assert_eq!(drilled.etcd_version, "3.6.10");
    assert_eq!(drilled.contents.total_keys, 3);
    for missing in [STATUS, MEMBER, LIVE] {
        let text = text.replace(missing, "");
        assert!(judge("a", &output(0, &text)).is_err(), "{text}");
    }
    for (status, class) in [
        (20, ErrorClass::Permanent),
        (24, ErrorClass::Permanent),
        (25, ErrorClass::Transient),
        (40, ErrorClass::Transient),
        (41, ErrorClass::Permanent),
        (42, ErrorClass::Permanent),
    ] {
        let error = judge("a", &output(status, &text)).unwrap_err();
        assert_eq!(error.class, class, "{status}");
    }
    let refused = judge("a", &output(41, "")).unwrap_err();
    assert!(
        refused.message.ends_with("does not take the snapshot: it is so"),
        "{refused}"
    );
}

#[test]
fn it_is_done_where_it_disturbs_least_and_anywhere_where_nothing_runs() {
    assert_eq!(choose(&picture("a:v b:v c:d")).as_deref(), Some("b"));
    assert!(choose(&picture("a:d b:d c:d")).is_some());
    assert_eq!(choose(&picture("a:! b:!")), None);
}

/// Programs that play etcd's, as far as a drill goes.
fn played_programs(folder: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    let snapshots = format!(
        "[ -s \"$3\" ] || exit 1\ncase $2 in status) echo '{}' ;; esac\n",
        &STATUS[7..]
    );
    let answers = format!(
        "case $* in *count-only*) echo '\"Count\" : 3' ;; *hashkv*) ;; *'endpoint status'*) echo '{}' ;; esac\n",
        &MEMBER[7..]
    );
    let rows = [
        ("etcd", "exec sleep 60\n".to_owned()),
        ("etcdctl", answers),
        ("etcdutl", snapshots),
    ];
    for (name, script) in rows {
        let file = folder.join(name);
        std::fs::write(&file, format!("#!/bin/sh\n{script}")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[tokio::test]
async fn a_drill_here_works_beside_the_snapshot_wherever_it_is_run() {
    let folder = tempfile::tempdir().unwrap();
    played_programs(folder.path());
    let here = std::env::current_dir().unwrap();
    let up: std::path::PathBuf = here.components().skip(1).map(|_| "..").collect();
    let relative = up.join(folder.path().strip_prefix("/").unwrap());
    std::fs::write(relative.join("snapshot.db"), "1").unwrap();
    let snapshot = DrillSnapshot {
        etcd: &keelson_provider_api::etcd::MAIN,
        file: &relative.join("snapshot.db"),
        sha256: "",
        size_bytes: 1,
    };
    let cluster = ClusterIdentity {
        name: "prod".parse().unwrap(),
        uid: None,
    };
    let drilled = DrillHere::new(&relative)
        .drill(&cluster, &snapshot, None, &Progress::default())
        .await
        .unwrap();
    assert_eq!((drilled.revision, drilled.live.keys), (5, 3));
    assert!(!folder.path().join("snapshot.drill").exists());
}
