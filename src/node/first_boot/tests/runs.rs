//! From nothing to a bundle in force, whatever comes between.

use std::fs;
use std::process::Command;
use std::sync::atomic::Ordering;

use keelson_provider_api::values::TaintEffect;

use super::scene::{HOST_KEYS, SECRET, Scene, said};
use super::*;

#[test]
fn a_machine_comes_to_its_bundle() {
    let Some(scene) = Scene::new_or_skip("runs::a_machine_comes_to_its_bundle") else {
        return;
    };
    fs::create_dir(scene.path("home/.ssh")).unwrap();
    fs::write(
        scene.path("home/.ssh/authorized_keys"),
        "ssh-rsa AAAA of cloud-init",
    )
    .unwrap();
    let said = scene.done();
    scene.is_in_force();
    for step in [
        "let keelson log in",
        "publish the host keys",
        "fetch the bundle",
        "apply the bundle",
        "is done",
    ] {
        assert!(said.contains(step), "{said}");
    }
    let authorized = scene.text("home/.ssh/authorized_keys");
    assert!(
        authorized.starts_with("ssh-rsa AAAA of cloud-init\nssh-ed25519 "),
        "{authorized}"
    );
    let calls = scene.calls();
    assert!(
        calls.contains("systemctl disable --quiet -- keelson-first-boot.service"),
        "{calls}"
    );
    // Whoever lists the processes of the machine sees no key.
    for secret in [SECRET, "IQoJ", "AQAEAToken"] {
        assert!(!calls.contains(secret), "{secret}: {calls}");
    }
    let asked = scene.metadata.asked.lock().unwrap().len();
    assert_eq!(scene.done(), "", "once more it has nothing to do");
    assert_eq!(scene.metadata.asked.lock().unwrap().len(), asked);
}

#[test]
fn cloud_init_leaves_a_service_that_does_it() {
    let Some(scene) = Scene::new_or_skip("runs::cloud_init_leaves_a_service_that_does_it") else {
        return;
    };
    for _ in 0..2 {
        let output = scene.run(&[]);
        assert!(output.status.success(), "{}", said(&output));
    }
    assert_eq!(
        scene.metadata.asked.lock().unwrap().len(),
        0,
        "it is the service that asks"
    );
    let unit = scene.text("etc/systemd/system/keelson-first-boot.service");
    let program = scene.path("var/lib/keelson/first-boot");
    assert!(
        unit.contains(&format!("ExecStart=/bin/sh {} run\n", program.display())),
        "{unit}"
    );
    let test = "node::first_boot::tests::runs::cloud_init_leaves_a_service_that_does_it";
    let verify = crate::node::tests::VERIFY;
    check_with(
        test,
        "systemd-analyze",
        verify,
        &[("keelson-first-boot.service", unit.as_bytes())],
    );
    let calls = scene.calls();
    for call in [
        "daemon-reload",
        "enable --quiet -- keelson-first-boot",
        "start --no-block -- keelson-first-boot",
    ] {
        assert!(calls.contains(call), "{calls}");
    }
    let output = Scene::run_file(&program, &["run"]);
    assert!(output.status.success(), "{}", said(&output));
    scene.is_in_force();
    fs::remove_file(scene.path("calls")).unwrap();
    let output = scene.run(&[]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(scene.calls(), "", "what is done is not begun again");
}

#[test]
fn what_passes_is_tried_again() {
    let Some(scene) = Scene::new_or_skip("runs::what_passes_is_tried_again") else {
        return;
    };
    scene.metadata.without_role.store(2, Ordering::SeqCst);
    scene.fails("this machine has no role yet");
    assert!(
        !scene.calls().contains("sleep"),
        "the first attempt waits for nothing: {}",
        scene.calls()
    );
    scene.fails("this machine has no role yet");
    assert!(scene.calls().contains("sleep 10\n"), "{}", scene.calls());
    // As long as metadata and the bucket fail now and then, nothing of it is seen.
    scene.metadata.failing.store(3, Ordering::SeqCst);
    let fault = r#"{"kind": "fail", "service": "s3", "action": "GetObject", "times": 3, "code": "InternalError", "status": 500}"#;
    scene.moto.tell("POST", "faults", fault).unwrap();
    let lost = r#"{"kind": "lose", "service": "s3", "action": "PutObject", "times": 1, "code": "InternalError", "status": 500}"#;
    scene.moto.tell("POST", "faults", lost).unwrap();
    scene.done();
    scene.is_in_force();
}

/// All machines of a group are told the same, and nobody comes to them.
#[test]
fn a_machine_of_a_group_finds_out_what_is_its_own_and_becomes_a_node() {
    let test = "runs::a_machine_of_a_group_finds_out_what_is_its_own_and_becomes_a_node";
    let Some(mut scene) = Scene::new_or_skip(test) else {
        return;
    };
    scene.settings.name = None;
    scene.settings.etcds = Vec::new();
    scene.settings.registration = Some(Registration {
        group: "workers".to_owned(),
        labels: Labels::from([("tier".to_owned(), "web".to_owned())]),
        taints: vec![Taint {
            key: "dedicated".to_owned(),
            value: "web".to_owned(),
            effect: TaintEffect::NoSchedule,
        }],
    });
    scene.keep_bundle();
    scene.done();
    scene.is_in_force();
    assert_eq!(
        scene.text("etc/keelson/host.env"),
        "# What is this machine's own. Units of keelson read it.\nKEELSON_HOST_NAME=i-0123456789abcdef0\n\
         KEELSON_HOST_ADDRESS=10.0.0.4\nKEELSON_HOST_URL_ADDRESS=10.0.0.4\n"
    );
    assert_eq!(
        scene.text("etc/keelson/node.env"),
        "KEELSON_NODE_LABELS=keelson.dev/cluster-uid=0a1b2c3d,keelson.dev/group=workers,tier=web\n\
         KEELSON_NODE_TAINTS=dedicated=web:NoSchedule\n"
    );
    let calls = scene.calls();
    for unit in ["containerd.service", "kubelet.service"] {
        for call in [
            format!("enable --quiet -- {unit}"),
            format!("start --no-block -- {unit}"),
        ] {
            assert!(calls.contains(&call), "{call}: {calls}");
        }
    }
}

#[test]
fn waiting_has_an_end_and_grows() {
    let Some(scene) = Scene::new_or_skip("runs::waiting_has_an_end_and_grows") else {
        return;
    };
    scene.metadata.failing.store(usize::MAX, Ordering::SeqCst);
    for _ in 0..8 {
        scene.fails("there is no token for instance metadata");
    }
    let calls = scene.calls();
    let waits: Vec<&str> = calls
        .lines()
        .filter_map(|line| line.strip_prefix("sleep "))
        .collect();
    let long: Vec<&str> = waits.into_iter().filter(|wait| wait.len() > 1).collect();
    assert_eq!(long, ["10", "20", "40", "80", "160", "300", "300"]);
    scene.metadata.failing.store(0, Ordering::SeqCst);
    scene.done();
    scene.is_in_force();
}

#[test]
fn a_bundle_that_is_another_one_is_not_unpacked() {
    let Some(mut scene) = Scene::new_or_skip("runs::a_bundle_that_is_another_one_is_not_unpacked") else {
        return;
    };
    let right = scene.settings.archive.clone().unwrap();
    scene.settings.archive.as_mut().unwrap().digest = Digest::of_bytes(b"another one");
    scene.fails("nothing of it is unpacked");
    for name in ["bundles", "host.json", "bundle.json", "current"] {
        assert!(!scene.path("var/lib/keelson").join(name).exists(), "{name}");
    }
    "some/where/prod/none".clone_into(&mut scene.settings.archive.as_mut().unwrap().key);
    scene.fails("there is no some/where/prod/none");
    scene.settings.archive = Some(right);
    scene.done();
    scene.is_in_force();
}

/// A bastion lets log in whoever may, shows its host keys, and needs nothing else.
#[test]
fn a_machine_without_a_bundle_lets_people_log_in() {
    let Some(mut scene) = Scene::new_or_skip("runs::a_machine_without_a_bundle_lets_people_log_in") else {
        return;
    };
    scene.settings.archive = None;
    scene.settings.etcds = Vec::new();
    let said = scene.done();
    assert!(
        !said.contains("bundle") && said.contains("the first boot is done"),
        "{said}"
    );
    scene.lets_in_all();
    assert!(scene.object(HOST_KEYS).is_some());
    for name in ["host.json", "bundles", "bundle.json", "fence.lock"] {
        assert!(!scene.path("var/lib/keelson").join(name).exists(), "{name}");
    }
    assert_eq!(scene.done(), "");
}

/// Whoever may log in can, each once, whatever the image or cloud-init has put there.
#[test]
fn keys_of_people_stand_beside_keelsons_own() {
    let Some(mut scene) = Scene::new_or_skip("runs::keys_of_people_stand_beside_keelsons_own") else {
        return;
    };
    let there = "ssh-ed25519 AAAA of cloud-init";
    scene.settings.public_keys = [
        "ssh-rsa AAAA it's mine",
        there,
        "ssh-rsa AAAA it's mine",
        "ssh-rsa BBBB",
    ]
    .map(str::to_owned)
    .to_vec();
    let folder = scene.path("home/.ssh");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("authorized_keys"), there).unwrap();
    scene.done();
    scene.is_in_force();
    let own = scene.settings.login_key.clone();
    let authorized = scene.text("home/.ssh/authorized_keys");
    let lines: Vec<&str> = authorized.lines().collect();
    assert_eq!(lines, [there, &own, "ssh-rsa AAAA it's mine", "ssh-rsa BBBB"]);
}

/// Machines of a group are all told the same.
#[test]
fn a_machine_without_a_name_takes_its_instances_id() {
    let Some(mut scene) = Scene::new_or_skip("runs::a_machine_without_a_name_takes_its_instances_id") else {
        return;
    };
    scene.settings.name = None;
    scene.done();
    scene.is_in_force();
}

/// A machine of another cluster, or another one of this, is left alone; and so is what came over SSH meanwhile.
#[test]
fn what_is_somebody_elses_stays() {
    let Some(scene) = Scene::new_or_skip("runs::what_is_somebody_elses_stays") else {
        return;
    };
    let state = scene.path("var/lib/keelson");
    fs::create_dir_all(&state).unwrap();
    for (uid, name) in [("other", "control-plane-1"), ("0a1b2c3d", "control-plane-2")] {
        let mark =
            format!("{{\"uid\":\"{uid}\",\"cluster\":\"prod\",\"name\":\"{name}\",\"machine\":{{}}}}\n");
        fs::write(state.join("host.json"), &mark).unwrap();
        scene.fails("this machine is claimed already");
        assert_eq!(fs::read_to_string(state.join("host.json")).unwrap(), mark);
        assert!(!state.join("bundles").exists());
    }
    fs::write(state.join("bundle.json"), "{}").unwrap();
    std::os::unix::fs::symlink("bundles/later", state.join("current")).unwrap();
    scene.done();
    assert_eq!(fs::read_to_string(state.join("bundle.json")).unwrap(), "{}");
}

/// The keys that were published first stay, and a role that lets nobody publish keeps no bundle away.
#[test]
fn host_keys_are_published_once() {
    let Some(scene) = Scene::new_or_skip("runs::host_keys_are_published_once") else {
        return;
    };
    let denied = r#"{"kind": "fail", "service": "s3", "action": "PutObject", "times": 1, "code": "AccessDenied", "status": 403}"#;
    scene.moto.tell("POST", "faults", denied).unwrap();
    scene.fails("the host keys are not published yet");
    assert!(scene.path("var/lib/keelson/bundle.json").exists());
    scene.done();
    scene.is_in_force();
    fs::remove_file(scene.path("var/lib/keelson/first-boot.done")).unwrap();
    fs::write(scene.path("etc/ssh/ssh_host_rsa_key.pub"), "ssh-rsa OTHER\n").unwrap();
    scene.done();
    scene.is_in_force();
}

/// Ended by the kill signal at each of the places where it changes something, it goes on the next time.
#[test]
fn whatever_ends_it_it_goes_on() {
    let test = "runs::whatever_ends_it_it_goes_on";
    let mut kills = 0;
    for program in ["mv", "ln", "tar", "mkdir", "touch", "curl"] {
        for number in 1..=20 {
            let Some(scene) = Scene::new_or_skip(test) else {
                return;
            };
            let counted = scene.path("count");
            let real = Command::new("sh")
                .args(["-c", &format!("command -v {program}")])
                .output()
                .unwrap();
            let real = String::from_utf8(real.stdout).unwrap();
            scene.play(
                program,
                &format!(
                    "echo x >>{counted}\n[ \"$(wc -l <{counted})\" -ne {number} ] || kill -9 $PPID $$\nexec {} \"$@\"",
                    real.trim(),
                    counted = counted.display(),
                ),
            );
            scene.run(&["run"]);
            scene.is_left_by_all();
            let called = fs::read_to_string(&counted).unwrap_or_default().lines().count();
            scene.done();
            scene.is_in_force();
            if called < number {
                break;
            }
            kills += 1;
            assert!(number < 20, "{program} is called without end");
        }
    }
    assert!(kills > 15, "{kills}");
}
