//! Who logs in, and how they become root; what goes in and comes out.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use keelson_provider_api::values::Secret;
use keelson_provider_ssh::facts::Scope;
use keelson_provider_ssh::{HostErrorKind, Hosts, SshOptions};

use crate::support::{Scene, job, quiet};

#[tokio::test]
async fn everyone_who_may_becomes_root_and_nobody_else() {
    let Some(scene) = Scene::of_hosts("everyone_who_may_becomes_root_and_nobody_else", 1) else {
        return;
    };
    let who = job("id -un; cat; printf '%s|' \"$@\"");
    let who = keelson_provider_ssh::Job {
        arguments: vec!["it's".to_owned(), "a $b `c`\n\"d\"".to_owned(), String::new()],
        input: b"input\n".to_vec(),
        ..who
    };
    let expected = "root\ninput\nit's|a $b `c`\n\"d\"||";
    for (user, password) in [
        ("root", None),
        ("operator", None),
        ("operator", Some("not needed")),
        ("careful", Some("careful-password")),
    ] {
        let options = SshOptions {
            sudo_password: password.map(|password| Secret::new(password.to_owned())),
            ..scene.options(vec![scene.target(0, user)])
        };
        let hosts = Hosts::open(options).await.unwrap();
        let output = hosts.shell("a").unwrap().run(&who, &quiet).await.unwrap();
        assert_eq!(
            (output.status, output.stdout.as_str()),
            (0, expected),
            "{user}: {output:?}"
        );
    }
    for (user, password) in [
        ("limited", None),
        ("careful", None),
        ("careful", Some("wrong")),
        ("limited", Some("x")),
    ] {
        let options = SshOptions {
            sudo_password: password.map(|password| Secret::new(password.to_owned())),
            ..scene.options(vec![scene.target(0, user)])
        };
        let hosts = Hosts::open(options).await.unwrap();
        let error = hosts.shell("a").unwrap().run(&who, &quiet).await.unwrap_err();
        assert_eq!(error.kind, HostErrorKind::Denied, "{user}: {error}");
        assert!(error.to_string().contains(&format!(
            "a ({}): {user} cannot become root",
            scene.host(0).address()
        )));
        assert!(!format!("{error} {error:?}").contains("wrong"), "{error:?}");
        println!("{error}\n  {}", error.help.as_deref().unwrap());
    }
    let log = scene
        .host(0)
        .console("cat /var/log/auth.log 2>/dev/null; journalctl --no-pager")
        .unwrap();
    assert!(
        !log.contains("careful-password"),
        "the password is in the host's log"
    );
}

#[tokio::test]
async fn what_goes_in_and_out_is_whole_or_bounded() {
    let Some(scene) = Scene::of_hosts("what_goes_in_and_out_is_whole_or_bounded", 1) else {
        return;
    };
    let hosts = scene.hosts("root").await;
    let shell = hosts.shell("a").unwrap();
    shell.run(&job("true"), &quiet).await.unwrap();

    let mut big = job("wc -c; sha256sum /dev/null");
    big.input = vec![7; 64 << 20];
    let begun = Instant::now();
    let output = shell.run(&big, &quiet).await.unwrap();
    println!("64 MiB in: {:.2} s", begun.elapsed().as_secs_f32());
    assert!(output.stdout.starts_with("67108864\n"), "{output:?}");

    let lines = Mutex::new(0);
    let count = |_: &str| *lines.lock().unwrap() += 1;
    let output = shell
        .run(&job("seq 1 200000; seq 1 200000 >&2; exit 3"), &count)
        .await
        .unwrap();
    assert_eq!(*lines.lock().unwrap(), 200_000);
    assert_eq!(
        (output.status, output.stdout.len(), output.stderr.len()),
        (3, 64 << 10, 64 << 10)
    );
    assert!(output.stdout.ends_with("199999\n200000\n"));

    let output = shell.run(&job("echo no; exit 127"), &quiet).await.unwrap();
    assert_eq!((output.status, output.stdout.as_str()), (127, "no\n"));

    let mut late = job("trap '' TERM; echo $$ >/run/pid; sleep 1; while :; do sleep 0.1; done");
    late.timeout = Duration::from_secs(1);
    let error = shell.run(&late, &quiet).await.unwrap_err();
    assert_eq!(error.kind, HostErrorKind::Lost);
    assert!(error.to_string().contains("did not end within 1 s"), "{error}");
    let alive = scene
        .host(0)
        .run_as("root", "kill -0 \"$(cat /run/pid)\"")
        .unwrap();
    assert!(!alive.success(), "the script still runs: {alive:?}");
}

#[tokio::test]
async fn many_commands_at_once_wait_for_their_turn() {
    let Some(scene) = Scene::of_hosts("many_commands_at_once_wait_for_their_turn", 1) else {
        return;
    };
    let hosts = scene.hosts("operator").await;
    let script = "mkdir -p /run/n && : >\"/run/n/$$\" && ls /run/n | wc -l && sleep 0.2 && rm \"/run/n/$$\"";
    let begun = Instant::now();
    let runs = (0..32).map(|_| {
        let shell = hosts.shell("a").unwrap();
        async move { shell.run(&job(script), &quiet).await.unwrap() }
    });
    let outputs = futures_util::future::join_all(runs).await;
    let most = outputs
        .iter()
        .map(|output| output.stdout.trim().parse::<u32>().unwrap())
        .max();
    assert!(most <= Some(8) && most > Some(1), "{most:?} at once");
    println!("32 runs of 0.2 s: {:.2} s", begun.elapsed().as_secs_f32());
    assert_eq!(
        scene
            .host(0)
            .run("pgrep -fc '^sshd: operator@' || :")
            .unwrap()
            .trim(),
        "1",
        "one connection"
    );
}

#[tokio::test]
async fn the_machine_itself_is_a_host_too() {
    let Some(scene) = Scene::of_hosts("the_machine_itself_is_a_host_too", 1) else {
        return;
    };
    let mut target = scene.target(0, "root");
    target.address = "local".to_owned();
    let hosts = Hosts::open(scene.options(vec![target])).await.unwrap();
    let shell = hosts.shell("a").unwrap();
    let mut echo = job("cat; echo \"$1\"; exit 4");
    echo.arguments = vec!["x y".to_owned()];
    echo.input = vec![b'z'; 1 << 20];
    let output = shell.run(&echo, &quiet).await.unwrap();
    assert_eq!(output.status, 4);
    assert!(output.stdout.ends_with("zx y\n"));
    let mut late = job("sleep 30");
    late.timeout = Duration::from_secs(1);
    assert_eq!(
        shell.run(&late, &quiet).await.unwrap_err().kind,
        HostErrorKind::Lost
    );
}

#[tokio::test]
async fn a_jump_host_of_the_users_configuration_is_used() {
    let Some(scene) = Scene::of_hosts("a_jump_host_of_the_users_configuration_is_used", 2) else {
        return;
    };
    let options = scene.options(vec![scene.target(0, "root")]);
    let path = options.config_file.clone().unwrap();
    let (inner, jump) = (scene.host(0).address(), scene.host(1).address());
    let text = std::fs::read_to_string(&path).unwrap();
    let proxied = format!("Host {inner}\n  ProxyJump limited@{jump}\n{text}");
    std::fs::write(&path, proxied).unwrap();
    let hosts = Hosts::open(options).await.unwrap();
    let seen_from = job("echo \"$SSH_CLIENT\"");
    let output = hosts.shell("a").unwrap().run(&seen_from, &quiet).await.unwrap();
    assert!(output.stdout.starts_with(&format!("{jump} ")), "{output:?}");

    // One that does not answer.
    scene
        .host(1)
        .console("systemctl stop ssh.socket ssh.service; pkill sshd || :")
        .unwrap();
    let error = loop {
        // The connection that stood goes down with its jump host.
        match hosts.shell("a").unwrap().run(&job("true"), &quiet).await {
            Err(error) if error.kind == HostErrorKind::Lost => {}
            other => break other.unwrap_err(),
        }
    };
    println!("{error}\n  {}", error.help.as_deref().unwrap());
    assert_eq!(error.kind, HostErrorKind::Unreachable);
    assert!(error.problem.contains("its jump host"), "{error}");
}

#[tokio::test]
async fn what_a_login_prints_is_told_from_a_script() {
    let Some(scene) = Scene::of_hosts("what_a_login_prints_is_told_from_a_script", 1) else {
        return;
    };
    let talk = "sed -i '1i echo welcome; echo beware >&2' /root/.bashrc /home/operator/.bashrc";
    scene.host(0).console(talk).unwrap();
    for user in ["root", "operator"] {
        let hosts = scene.hosts(user).await;
        let output = hosts
            .shell("a")
            .unwrap()
            .run(&job("echo said"), &quiet)
            .await
            .unwrap();
        assert_eq!(output.stdout, "said\n", "{user}");
        hosts.facts("a", Scope::All).await.unwrap();
    }
    let force = "sed -i 's/^/command=\"echo welcome\" /' /root/.ssh/authorized_keys";
    scene.host(0).console(force).unwrap();
    let hosts = scene.hosts("root").await;
    let error = hosts
        .shell("a")
        .unwrap()
        .run(&job("echo said"), &quiet)
        .await
        .unwrap_err();
    println!("{error}\n  {}", error.help.as_deref().unwrap());
    assert_eq!(error.kind, HostErrorKind::Denied);
    assert!(error.problem.contains("was not run"), "{error}");
}
