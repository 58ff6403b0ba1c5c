//! Host keys, known and unknown.

use keelson_provider_ssh::{HostErrorKind, Hosts, SshOptions};

use crate::support::{Scene, job, quiet};

const RECORD: &str = "prod.example.com/hosts/a.json";

#[tokio::test]
async fn an_unknown_key_is_refused_unless_the_user_allows_it_once() {
    let Some(scene) = Scene::of_hosts("an_unknown_key_is_refused_unless_the_user_allows_it_once", 1) else {
        return;
    };
    let run = async |options: SshOptions| {
        let hosts = Hosts::open(options).await.unwrap();
        hosts.shell("a").unwrap().run(&job("true"), &quiet).await
    };
    let targets = || vec![scene.target(0, "root")];
    let error = run(scene.options_of_a_stranger(targets())).await.unwrap_err();
    println!("{error}\n  {}", error.help.as_deref().unwrap());
    assert_eq!(error.kind, HostErrorKind::HostKey);
    assert!(
        error
            .help
            .unwrap()
            .contains(&format!("ssh-keyscan {}", scene.host(0).address()))
    );
    assert_eq!(scene.store.text(RECORD), None);

    let allowed = SshOptions {
        accept_new_host_keys: true,
        ..scene.options_of_a_stranger(targets())
    };
    run(allowed).await.unwrap();
    let key = scene.host(0).host_key().unwrap();
    assert!(
        scene.store.text(RECORD).unwrap().contains(&key),
        "the key is pinned"
    );
    run(scene.options_of_a_stranger(targets())).await.unwrap();

    // Another key in its place is never believed, also where new ones are.
    scene.host(0).renew_host_keys().unwrap();
    let allowed = SshOptions {
        accept_new_host_keys: true,
        ..scene.options_of_a_stranger(targets())
    };
    let error = run(allowed).await.unwrap_err();
    println!("{error}\n  {}", error.help.as_deref().unwrap());
    assert_eq!(error.kind, HostErrorKind::HostKey);
    assert!(
        error.problem.contains("not the one that is known") && error.problem.contains("SHA256:"),
        "{error}"
    );
    assert!(error.help.unwrap().contains("keelson node forget-key a"));

    let hosts = Hosts::open(scene.options_of_a_stranger(targets())).await.unwrap();
    hosts.forget_keys("a").await.unwrap();
    let error = run(scene.options_of_a_stranger(targets())).await.unwrap_err();
    assert!(error.problem.contains("its host key is not known"), "{error}");
}

#[tokio::test]
async fn a_key_that_changed_is_told_from_an_unknown_one() {
    let Some(scene) = Scene::of_hosts("a_key_that_changed_is_told_from_an_unknown_one", 2) else {
        return;
    };
    let known_hosts = tempfile::NamedTempFile::new().unwrap();
    let lines = |key_of: usize| {
        format!(
            "{} {}\n",
            scene.host(0).address(),
            scene.host(key_of).host_key().unwrap()
        )
    };
    let run = async |key_of: usize| {
        std::fs::write(known_hosts.path(), lines(key_of)).unwrap();
        let options = SshOptions {
            config_file: Some(scene.configuration(known_hosts.path())),
            ..scene.options(vec![scene.target(0, "root")])
        };
        let hosts = Hosts::open(options).await.unwrap();
        hosts.shell("a").unwrap().run(&job("true"), &quiet).await
    };
    run(0).await.unwrap();
    let error = run(1).await.unwrap_err();
    assert_eq!(error.kind, HostErrorKind::HostKey);
    assert!(
        error
            .help
            .unwrap()
            .contains(&format!("ssh-keygen -R '{}'", scene.host(0).address()))
    );
}
