//! Machines that keelson makes: whoever makes them says where they are and which keys they have.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use keelson_provider_api::kinds::Kind;
use keelson_provider_api::{ErrorClass, Observed, ProviderError};
use keelson_provider_ssh::{HostErrorKind, Hosts, SshOptions, SshProvider, Target, Whereabout, Whereabouts};

use crate::support::{Scene, job, look, quiet};

/// What a cloud would say.
#[derive(Default)]
struct Said(Mutex<Option<BTreeMap<String, Whereabout>>>);

impl Said {
    fn place(&self, scene: &Scene, index: usize) {
        let host = scene.host(index);
        let place = Whereabout {
            address: host.address().into(),
            user: "root".to_owned(),
            host_keys: vec![host.host_key().unwrap()],
        };
        self.change(host.name(), Some(place));
    }

    fn change(&self, name: &str, place: Option<Whereabout>) {
        let mut said = self.0.lock().unwrap();
        let said = said.get_or_insert_default();
        match place {
            Some(place) => said.insert(name.to_owned(), place),
            None => said.remove(name),
        };
    }
}

#[async_trait]
impl Whereabouts for Said {
    async fn all(&self) -> Result<BTreeMap<String, Whereabout>, ProviderError> {
        let said = self.0.lock().unwrap().clone();
        said.ok_or_else(|| ProviderError::new(ErrorClass::Transient, "the cloud does not answer"))
    }
}

/// Nothing of this user's leads anywhere: the addresses are nobody's, and no key is known.
fn options(scene: &Scene, said: &Arc<Said>) -> SshOptions {
    let nowhere = |target: Target| Target {
        address: "192.0.2.1".to_owned(),
        user: None,
        ..target
    };
    SshOptions {
        config_file: Some(PathBuf::from("/nonexistent")),
        identity: Some(scene.lab.key().clone()),
        whereabouts: Some(Arc::clone(said) as _),
        ..scene.options(scene.targets("root").into_iter().map(nowhere).collect())
    }
}

#[tokio::test]
async fn a_machine_is_reached_where_it_is_said_to_be_and_only_with_the_key_that_it_published() {
    let Some(scene) = Scene::of_hosts("a_machine_is_reached_where_it_is_said_to_be", 2) else {
        return;
    };
    let said = Arc::<Said>::default();
    let hosts = Hosts::open(options(&scene, &said)).await.unwrap();
    let run = async || hosts.shell("a").unwrap().run(&job("hostname"), &quiet).await;
    let error = run().await.unwrap_err();
    assert_eq!(error.kind, HostErrorKind::Unreachable);
    assert!(error.problem.contains("the cloud does not answer"), "{error}");

    said.place(&scene, 1);
    let error = run().await.unwrap_err();
    assert!(error.problem.contains("the machine a is not there"), "{error}");
    said.place(&scene, 0);
    assert_eq!(run().await.unwrap().stdout, "a\n");

    // Another key than the published one is not believed, and none is learned.
    let stranger = Whereabout {
        address: scene.host(0).address().into(),
        user: "root".to_owned(),
        host_keys: vec![scene.host(1).host_key().unwrap()],
    };
    said.change("a", Some(stranger));
    let fresh = Hosts::open(SshOptions {
        accept_new_host_keys: true,
        ..options(&scene, &said)
    });
    let fresh = fresh.await.unwrap();
    let error = fresh
        .shell("a")
        .unwrap()
        .run(&job("true"), &quiet)
        .await
        .unwrap_err();
    assert_eq!(error.kind, HostErrorKind::HostKey, "{error}");

    // The one that comes after it, with keys of its own, is reached by them.
    scene.host(0).renew_host_keys().unwrap();
    said.place(&scene, 0);
    assert_eq!(
        fresh
            .shell("a")
            .unwrap()
            .run(&job("hostname"), &quiet)
            .await
            .unwrap()
            .stdout,
        "a\n"
    );
}

#[tokio::test]
async fn a_bastion_is_the_way_to_all_others_and_is_known_by_its_own_key() {
    let Some(scene) = Scene::of_hosts("a_bastion_is_the_way_to_all_others", 2) else {
        return;
    };
    let said = Arc::<Said>::default();
    said.place(&scene, 0);
    said.place(&scene, 1);
    let through = || SshOptions {
        jump: Some("b".to_owned()),
        ..options(&scene, &said)
    };
    let seen_from = job("echo \"$SSH_CLIENT\"");
    let hosts = Hosts::open(through()).await.unwrap();
    let output = hosts.shell("a").unwrap().run(&seen_from, &quiet).await.unwrap();
    assert!(
        output
            .stdout
            .starts_with(&format!("{} ", scene.host(1).address())),
        "{output:?}"
    );
    let output = hosts.shell("b").unwrap().run(&seen_from, &quiet).await.unwrap();
    assert!(
        !output
            .stdout
            .starts_with(&format!("{} ", scene.host(1).address())),
        "{output:?}"
    );

    let wrong = Whereabout {
        address: scene.host(1).address().into(),
        user: "root".to_owned(),
        host_keys: vec![scene.host(0).host_key().unwrap()],
    };
    said.change("b", Some(wrong));
    let hosts = Hosts::open(through()).await.unwrap();
    let error = hosts
        .shell("a")
        .unwrap()
        .run(&job("true"), &quiet)
        .await
        .unwrap_err();
    println!("{error}\n  {}", error.help.as_deref().unwrap_or_default());
    assert!(
        matches!(error.kind, HostErrorKind::HostKey | HostErrorKind::Unreachable),
        "{error}"
    );
}

#[tokio::test]
async fn nothing_is_on_a_machine_that_is_not_there_or_boots_for_the_first_time() {
    let Some(scene) = Scene::of_hosts("nothing_is_on_a_machine_that_is_not_there", 1) else {
        return;
    };
    let said = Arc::<Said>::default();
    let hosts = Hosts::open(options(&scene, &said)).await.unwrap();
    let provider = SshProvider::new(hosts, Arc::clone(&scene.bundles) as _);
    let seen = async || look(&provider, "u1", Kind::NodeBundle, "a").await;
    assert!(matches!(seen().await, Observed::Unknown(_)), "nobody can say");
    said.change("b", None);
    assert_eq!(seen().await, Observed::Absent, "it is not there");
    let booting = Whereabout {
        address: scene.host(0).address().into(),
        user: "root".to_owned(),
        host_keys: Vec::new(),
    };
    said.change("a", Some(booting));
    assert_eq!(seen().await, Observed::Absent, "it boots for the first time");
    said.place(&scene, 0);
    assert_eq!(seen().await, Observed::Absent, "it is there, and has no bundle");
    scene
        .host(0)
        .console("systemctl stop ssh.socket ssh.service; pkill sshd || :")
        .unwrap();
    let lost = Hosts::open(options(&scene, &said)).await.unwrap();
    let provider = SshProvider::new(lost, Arc::clone(&scene.bundles) as _);
    let seen = look(&provider, "u1", Kind::NodeBundle, "a").await;
    assert!(matches!(seen, Observed::Unknown(_)), "it does not answer");
}
