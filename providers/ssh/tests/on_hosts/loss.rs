//! Hosts that do not answer, or stop to.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use keelson_provider_ssh::facts::Scope;
use keelson_provider_ssh::{HostErrorKind, Hosts, SshOptions};
use keelson_test_hosts::LabOptions;

use crate::support::{Scene, job, quiet};

#[tokio::test]
async fn one_that_does_not_answer_keeps_nobody_else() {
    let Some(scene) = Scene::of_hosts("one_that_does_not_answer_keeps_nobody_else", 3) else {
        return;
    };
    scene.host(1).cut_network().unwrap();
    scene
        .host(2)
        .console("systemctl stop ssh.socket ssh.service")
        .unwrap();
    let mut targets = scene.targets("root");
    let mut nobody = scene.target(0, "nobody-at-all");
    nobody.name = "d".to_owned();
    targets.push(nobody);
    let hosts = Hosts::open(scene.options(targets)).await.unwrap();
    let names: Vec<_> = hosts.names().map(str::to_owned).collect();
    let begun = Instant::now();
    let answers = hosts
        .each(names, |name| {
            let shell = hosts.shell(&name).unwrap();
            Box::pin(async move { (shell.run(&job("true"), &quiet).await, begun.elapsed()) })
        })
        .await;
    assert!(answers["a"].0.is_ok(), "{:?}", answers["a"]);
    for name in ["a", "c", "d"] {
        assert!(
            answers[name].1 < answers["b"].1,
            "nobody waits for b: {answers:?}"
        );
    }
    for (name, kind, words) in [
        ("b", HostErrorKind::Unreachable, ""),
        ("c", HostErrorKind::Unreachable, "nothing answers at its SSH port"),
        ("d", HostErrorKind::Denied, "does not let nobody-at-all in"),
    ] {
        let error = answers[name].0.clone().unwrap_err();
        println!("{error}\n  {}", error.help.as_deref().unwrap());
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.problem.contains(words), "{error}");
    }
    // Who waits for the same host waits once; one after the other they would wait for two minutes.
    let begun = Instant::now();
    let shell = hosts.shell("b").unwrap();
    let runs = (0..8).map(|_| async { shell.run(&job("true"), &quiet).await.unwrap_err() });
    futures_util::future::join_all(runs).await;
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_host_that_dies_under_a_script_is_lost_and_found_again() {
    let Some(scene) = Scene::of_hosts("a_host_that_dies_under_a_script_is_lost_and_found_again", 1) else {
        return;
    };
    let hosts = scene.hosts("root").await;
    let shell = hosts.shell("a").unwrap();
    let before = hosts.facts("a", Scope::All).await.unwrap();
    let host = scene.host(0).clone();
    let cut = Mutex::new(None);
    let die = |_: &str| {
        let host = host.clone();
        *cut.lock().unwrap() = Some(std::thread::spawn(move || host.power_cut().unwrap()));
    };
    let begun = Instant::now();
    let error = shell.run(&job("echo begins; sleep 50"), &die).await.unwrap_err();
    println!("{error} ({:.1} s)", begun.elapsed().as_secs_f32());
    assert_eq!(error.kind, HostErrorKind::Lost);
    assert!(
        begun.elapsed() < Duration::from_secs(55),
        "before the time of the job is up"
    );
    cut.into_inner().unwrap().unwrap().join().unwrap();

    let error = shell.run(&job("true"), &quiet).await.unwrap_err();
    assert_eq!(error.kind, HostErrorKind::Unreachable, "{error}");
    scene.host(0).start().unwrap();
    scene.host(0).wait_for_ssh().unwrap();
    shell.run(&job("true"), &quiet).await.unwrap();
    let after = hosts.facts("a", Scope::All).await.unwrap();
    assert_eq!(before.machine_id, after.machine_id);
    assert_ne!(before.boot_id, after.boot_id);
    assert_eq!(
        (
            after.os_id.as_str(),
            after.os_version.as_str(),
            after.init.as_str()
        ),
        ("debian", "12", "systemd")
    );
    assert_eq!(
        after.listeners.get(&22).map(String::as_str),
        Some("sshd"),
        "{:?}",
        after.listeners
    );
    assert!(
        after.cpus >= 1 && after.memory_kib > 0 && after.disk_kib > 0,
        "{after:?}"
    );
    assert!(after.missing_programs.is_empty(), "{:?}", after.missing_programs);
    let (ahead, uncertainty) = after.clock_ahead.unwrap();
    assert!(
        ahead.abs()
            <= uncertainty
                .checked_add(jiff::SignedDuration::from_millis(20))
                .unwrap(),
        "{ahead} {uncertainty}"
    );

    // A connection that ended while nobody used it is no loss to who only asks.
    scene.host(0).reboot().unwrap();
    hosts.facts("a", Scope::Marks).await.unwrap();
}

#[tokio::test]
async fn a_cable_that_is_pulled_is_noticed() {
    let Some(scene) = Scene::of_hosts("a_cable_that_is_pulled_is_noticed", 1) else {
        return;
    };
    let hosts = scene.hosts("root").await;
    let shell = hosts.shell("a").unwrap();
    shell.run(&job("true"), &quiet).await.unwrap();
    scene.host(0).cut_network().unwrap();
    let begun = Instant::now();
    let error = shell.run(&job("true"), &quiet).await.unwrap_err();
    println!("{error} ({:.1} s)", begun.elapsed().as_secs_f32());
    assert_eq!(error.kind, HostErrorKind::Lost, "it may have come to run");
    assert!(
        begun.elapsed() < Duration::from_secs(55),
        "before the time of the job is up"
    );
    scene.host(0).heal_network().unwrap();
    shell.run(&job("true"), &quiet).await.unwrap();
}

#[tokio::test]
async fn it_does_not_take_long() {
    let Some(scene) = Scene::new("it_does_not_take_long", &LabOptions::with_hosts(1)) else {
        return;
    };
    let timed = |what: &str, begun: Instant| println!("{what}: {} ms", begun.elapsed().as_millis());
    let hosts = scene.hosts("root").await;
    let shell = hosts.shell("a").unwrap();
    let begun = Instant::now();
    shell.run(&job("true"), &quiet).await.unwrap();
    timed("connect and command, one host", begun);
    let begun = Instant::now();
    for _ in 0..20 {
        shell.run(&job("true"), &quiet).await.unwrap();
    }
    timed("20 commands", begun);
    for scope in [Scope::Marks, Scope::All] {
        let begun = Instant::now();
        hosts.facts("a", scope).await.unwrap();
        timed(&format!("facts, {scope:?}"), begun);
    }
    // The same host under 32 names: as many connections, one sshd.
    let many = (0..32).map(|number| {
        let mut target = scene.target(0, "root");
        target.name = format!("host-{number}");
        target
    });
    let options = SshOptions {
        connect_limit: Duration::from_secs(60),
        ..scene.options(many.collect())
    };
    let hosts = Hosts::open(options).await.unwrap();
    // Unlike a reload, a restart is over when sshd has read its file and listens.
    scene
        .host(0)
        .console("sed -i 's/^#*MaxStartups.*/MaxStartups 100/' /etc/ssh/sshd_config; systemctl restart ssh")
        .unwrap();
    let names: Vec<_> = hosts.names().map(str::to_owned).collect();
    let begun = Instant::now();
    let answers = hosts
        .each(names, |name| {
            let shell = hosts.shell(&name).unwrap();
            Box::pin(async move { shell.run(&job("true"), &quiet).await })
        })
        .await;
    timed("connect and command, 32 connections", begun);
    for (name, answer) in answers {
        assert!(answer.is_ok(), "{name}: {answer:?}");
    }
}
