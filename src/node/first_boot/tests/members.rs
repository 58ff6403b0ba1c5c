//! Members of etcd whose data has come with the volume.

use std::fs;

use serde_json::{Value, json};

use super::scene::Scene;
use super::volumes::scene_or_skip;

const KEPT: &str = "var/lib/keelson/volume/etcd-main.json";
const MARK: &str = "var/lib/keelson/etcd-main.json";
const SETTINGS: &str = "etc/etcd/main.member.env";

/// The mark that the machine before has left of its member.
fn kept(uid: &str, machine: &str, voted: bool) -> Value {
    json!({
        "clusterUid": uid, "clusterName": "prod", "etcdCluster": "main", "machine": machine, "start": "initial",
        "initialMembers": ["control-plane-1", "control-plane-2"], "generation": 1, "createdAt": "2026-01-01T00:00:00Z",
        "hostId": "i-0ffffffffffffffff", "memberId": "8e9e05c52164694d", "voted": voted,
    })
}

/// A scene whose volume has this mark beside what the members have; `log` for a member that has something to go on from.
fn scene_with(test: &str, mark: Option<&Value>, log: bool) -> Option<Scene> {
    let scene = scene_or_skip(&format!("members::{test}"), ":")?;
    let member = scene.path("var/lib/etcd/member");
    fs::create_dir_all(if log { member.join("wal") } else { member }).unwrap();
    fs::create_dir_all(scene.path("var/lib/keelson/volume")).unwrap();
    if let Some(mark) = mark {
        fs::write(scene.path(KEPT), format!("{mark}\n")).unwrap();
    }
    Some(scene)
}

fn is_started(scene: &Scene) -> bool {
    scene
        .calls()
        .contains("systemctl start --no-block -- etcd.service")
}

fn is_taken_up(scene: &Scene, kept: &Value) {
    let mut wanted = kept.clone();
    wanted["hostId"] = json!("i-0123456789abcdef0");
    let mark: Value = serde_json::from_str(&scene.text(MARK)).unwrap();
    assert_eq!(mark, wanted);
    let settings = scene.text(SETTINGS);
    for line in [
        "ETCD_INITIAL_CLUSTER=control-plane-1=https://10.0.0.4:2380",
        "ETCD_INITIAL_CLUSTER_STATE=existing",
    ] {
        assert!(settings.lines().any(|there| there == line), "{settings}");
    }
    assert!(is_started(scene), "{}", scene.calls());
    assert!(scene.calls().contains("systemctl enable --quiet -- etcd.service"));
    let left = fs::read_dir(scene.path("var/lib/keelson")).unwrap();
    let mut left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(left.all(|name| !name.contains(".new")));
}

#[test]
fn a_member_lives_on_where_its_data_is() {
    let mut without_host = kept("0a1b2c3d", "control-plane-1", true);
    without_host.as_object_mut().unwrap().remove("hostId");
    for mark in [
        kept("0a1b2c3d", "control-plane-1", true),
        kept("0a1b2c3d", "control-plane-1", false),
        without_host,
    ] {
        let Some(scene) = scene_with("a_member_lives_on_where_its_data_is", Some(&mark), true) else {
            return;
        };
        let said = scene.done();
        scene.is_in_force();
        is_taken_up(&scene, &mark);
        assert!(
            said.find("apply the bundle").unwrap() < said.find("start etcd main with the data").unwrap(),
            "{said}"
        );
        assert!(!scene.calls().contains("etcd-events.service"), "it has no data");
        // What keelson has written since is its own.
        fs::remove_file(scene.path("var/lib/keelson/first-boot.done")).unwrap();
        fs::remove_file(scene.path("calls")).unwrap();
        fs::write(scene.path(MARK), format!("{mark}\n")).unwrap();
        scene.done();
        assert!(!is_started(&scene), "{}", scene.calls());
    }
}

#[test]
fn data_of_another_cluster_or_machine_is_left_as_it_is() {
    for (uid, machine) in [
        ("0a1b2c3d4", "control-plane-1"),
        ("other", "control-plane-1"),
        ("0a1b2c3d", "control-plane-2"),
    ] {
        let mark = kept(uid, machine, true);
        let Some(scene) = scene_with(
            "data_of_another_cluster_or_machine_is_left_as_it_is",
            Some(&mark),
            true,
        ) else {
            return;
        };
        scene.fails("the volume has data of etcd main that is not of control-plane-1 in this cluster");
        assert_eq!(scene.text(KEPT), format!("{mark}\n"));
        assert!(scene.path("var/lib/etcd/member/wal").exists());
        assert!(!scene.path(MARK).exists() && !scene.path(SETTINGS).exists() && !is_started(&scene));
        // Whoever comes by SSH can look.
        assert!(scene.path("var/lib/keelson/bundle.json").exists());
        assert!(!scene.path("var/lib/keelson/first-boot.done").exists());
    }
}

#[test]
fn what_nobody_can_go_on_from_is_not_started() {
    let (voted, never_voted) = (
        kept("0a1b2c3d", "control-plane-1", true),
        kept("0a1b2c3d", "control-plane-1", false),
    );
    for (mark, log, stays) in [
        // Nobody knows whose it is.
        (None, true, true),
        // It has lost its log: somebody has to look.
        (Some(&voted), false, true),
        // etcd was ended before it had written anything.
        (Some(&never_voted), false, false),
    ] {
        let Some(scene) = scene_with("what_nobody_can_go_on_from_is_not_started", mark, log) else {
            return;
        };
        scene.done();
        scene.is_in_force();
        assert!(!scene.path(MARK).exists() && !is_started(&scene));
        assert_eq!(scene.path("var/lib/etcd/member").exists(), stays, "{mark:?}");
    }
}

/// Ended by the kill signal before or after each of its steps, it goes on the next time.
#[test]
fn whatever_ends_it_the_member_lives_on() {
    let mark = kept("0a1b2c3d", "control-plane-1", true);
    let kill = "kill -9 $PPID $$";
    for (program, arguments, then) in [
        ("mv", "*main.member.env", "\"$real\" \"$@\""),
        ("mv", "*keelson/etcd-main.json", ":"),
        ("mv", "*keelson/etcd-main.json", "\"$real\" \"$@\""),
        ("systemctl", "enable*etcd.service", ":"),
        ("systemctl", "start*etcd.service", "\"$real\" \"$@\""),
    ] {
        let Some(scene) = scene_with("whatever_ends_it_the_member_lives_on", Some(&mark), true) else {
            return;
        };
        let (played, aside) = (scene.path("bin").join(program), scene.path("bin/played"));
        let real = match fs::rename(&played, &aside) {
            Ok(()) => aside.display().to_string(),
            Err(_) => format!("/bin/{program}"),
        };
        let killed = scene.path("killed").display().to_string();
        scene.play(
            program,
            &format!(
                "real={real}\ncase \"$*\" in\n\
                 {arguments}) [ -d {killed} ] || {{ {then}; mkdir {killed}; {kill}; }} ;;\nesac\nexec \"$real\" \"$@\""
            ),
        );
        let output = scene.run(&["run"]);
        assert!(
            !output.status.success() && scene.path("killed").exists(),
            "{program} {arguments}"
        );
        scene.done();
        scene.is_in_force();
        is_taken_up(&scene, &mark);
    }
}
