//! The volume for etcd's data; a plain file stands for it.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use super::scene::Scene;
use super::*;

/// A scene with a volume that these commands have made of 16 MiB of nothing; nothing where this machine cannot format any.
pub(super) fn scene_or_skip(test: &str, made_by: &str) -> Option<Scene> {
    let has = Command::new("sh")
        .args([
            "-ec",
            "for program in mkfs.ext4 blkid mkswap; do command -v $program; done",
        ])
        .output();
    if !has.is_ok_and(|has| has.status.success()) {
        keelson_test_hosts::skip(test, "there is no mkfs.ext4, blkid or mkswap");
        return None;
    }
    let mut scene = Scene::new_or_skip(test)?;
    let device = scene.path("dev/volume");
    let made = Command::new("sh")
        .args(["-euc", &format!("truncate -s 16M \"$1\"; {made_by}"), "sh"])
        .arg(&device)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let absent = scene.path("dev/absent");
    scene.settings.etcds = vec![&MAIN, &EVENTS];
    scene.settings.volume_devices = [absent, device].map(|path| path.display().to_string()).into();
    let root = scene.path("");
    let noted = format!(
        "echo \"mkfs $*\" >>{}calls\nexec /usr/sbin/mkfs.ext4 \"$@\"",
        root.display()
    );
    scene.play("mkfs.ext4", &noted);
    // Under whichever name it is called.
    scene.play(
        "systemctl",
        &format!("echo \"systemctl $*\" >>{}calls", root.display()),
    );
    // Where something is mounted comes last.
    let mounts = format!(
        "for place; do :; done\necho \"$place\" >>{}mounts",
        root.display()
    );
    scene.play("mount", &mounts);
    Some(scene)
}

fn formats(scene: &Scene) -> usize {
    scene
        .calls()
        .lines()
        .filter(|line| line.starts_with("mkfs "))
        .count()
}

#[test]
fn an_empty_volume_is_formatted_once_and_mounted_before_the_bundle() {
    let test = "volumes::an_empty_volume_is_formatted_once_and_mounted_before_the_bundle";
    let Some(scene) = scene_or_skip(test, ":") else {
        return;
    };
    let said = scene.done();
    scene.is_in_force();
    assert!(
        said.find("mount ").unwrap() < said.find("apply the bundle").unwrap(),
        "{said}"
    );
    assert_eq!(formats(&scene), 1);
    let root = scene.path("").display().to_string();
    let mounts = scene.text("mounts").replace(&root, "/");
    assert_eq!(
        mounts.lines().collect::<Vec<_>>(),
        ["/var/lib/keelson/volume", "/var/lib/etcd", "/var/lib/etcd-events"]
    );
    let units: BTreeMap<String, String> = units(&scene);
    let names: Vec<&String> = units.keys().collect();
    assert_eq!(names, ["etcd", "etcd-events", "volume"]);
    for (name, settings) in [
        (
            "volume",
            [
                "What=/dev/disk/by-label/keelson-etcd",
                "Type=ext4",
                "RequiredBy=etcd.service",
            ],
        ),
        (
            "etcd",
            [
                "What=/var/lib/keelson/volume/etcd",
                "Options=bind",
                "RequiredBy=etcd.service",
            ],
        ),
        (
            "etcd-events",
            [
                "What=/var/lib/keelson/volume/etcd-events",
                "Type=none",
                "RequiredBy=etcd-events.service",
            ],
        ),
    ] {
        for setting in settings {
            assert!(
                units[name].lines().any(|line| line == setting),
                "{setting}: {}",
                units[name]
            );
        }
    }
    let calls = scene.calls();
    let enabled = calls.matches("systemctl enable --quiet -- ").count();
    assert_eq!(enabled, 3, "{calls}");
    assert!(calls.contains("-exec chown -h etcd:etcd"), "{calls}");
    // The next machine finds it as this one has left it.
    for file in ["var/lib/keelson/first-boot.done", "mounts"] {
        fs::remove_file(scene.path(file)).unwrap();
    }
    scene.done();
    assert_eq!(formats(&scene), 1);
    assert_eq!(scene.text("mounts").lines().count(), 3);
    // Where it is mounted nobody looks for it.
    fs::remove_file(scene.path("var/lib/keelson/first-boot.done")).unwrap();
    fs::remove_file(scene.path("dev/volume")).unwrap();
    scene.done();
    assert_eq!(scene.text("mounts").lines().count(), 3);
}

/// The units that mount something, by the last part of where; paths as they are on a machine.
fn units(scene: &Scene) -> BTreeMap<String, String> {
    let root = scene.path("").display().to_string();
    let found = fs::read_dir(scene.path("etc/systemd/system")).unwrap();
    let texts = found.map(|entry| {
        fs::read_to_string(entry.unwrap().path())
            .unwrap()
            .replace(&root, "/")
    });
    let place = |text: &str| {
        Some(
            text.lines()
                .find_map(|line| line.strip_prefix("Where="))?
                .rsplit('/')
                .next()?
                .to_owned(),
        )
    };
    texts.filter_map(|text| Some((place(&text)?, text))).collect()
}

#[test]
fn what_holds_anything_is_never_formatted() {
    let rows = [
        "mkfs.ext4 -q -L data \"$1\"",
        "mkfs.ext4 -q \"$1\"",
        "mkswap -L keelson-etcd \"$1\"",
        // A partition of Linux at the block 2048 (master boot record, offset 446).
        "printf '\\0\\0\\0\\0\\203\\0\\0\\0\\0\\10\\0\\0\\0\\100\\0\\0' | dd of=\"$1\" bs=1 seek=446 conv=notrunc status=none\n\
         printf '\\125\\252' | dd of=\"$1\" bs=1 seek=510 conv=notrunc status=none",
    ];
    for made_by in rows {
        let Some(scene) = scene_or_skip("volumes::what_holds_anything_is_never_formatted", made_by) else {
            return;
        };
        let before = Digest::of_bytes(&fs::read(scene.path("dev/volume")).unwrap());
        scene.fails("holds something that is not etcd's, and is left as it is");
        let after = Digest::of_bytes(&fs::read(scene.path("dev/volume")).unwrap());
        assert_eq!(before, after, "{made_by}");
        assert_eq!(formats(&scene), 0, "{made_by}");
        assert!(!scene.path("mounts").exists(), "{made_by}");
        // etcd's data never comes to lie beside its volume, and keelson can log in to look.
        assert!(!scene.path("var/lib/keelson/bundle.json").exists(), "{made_by}");
        assert!(scene.path("home/.ssh/authorized_keys").exists(), "{made_by}");
    }
}

#[test]
fn what_cannot_be_looked_at_is_not_formatted() {
    let Some(scene) = scene_or_skip("volumes::what_cannot_be_looked_at_is_not_formatted", ":") else {
        return;
    };
    for status in ["4", "8", "126"] {
        scene.play("blkid", &format!("exit {status}"));
        scene.fails("nobody can tell what");
    }
    assert_eq!(formats(&scene), 0);
}

#[test]
fn a_volume_that_is_late_is_waited_for() {
    let Some(scene) = scene_or_skip("volumes::a_volume_that_is_late_is_waited_for", ":") else {
        return;
    };
    let (volume, away) = (scene.path("dev/volume"), scene.path("dev/away"));
    fs::rename(&volume, &away).unwrap();
    scene.fails("the volume for etcd is not attached");
    let comes = format!("[ \"$*\" != 2 ] || mv {} {}", away.display(), volume.display());
    scene.play("sleep", &comes);
    scene.done();
    assert_eq!(formats(&scene), 1);
    scene.is_in_force();
}
