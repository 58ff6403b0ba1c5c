//! Hosts that are claimed, seen, and released.

use std::time::Instant;

use keelson_provider_api::kinds::{Kind, MachineRole};
use keelson_provider_api::{ErrorClass, Observed, Outcome, Owner, Provider, Resource};

use keelson_provider_ssh::SshProvider;

use crate::support::{Scene, create, delete, look, machine, update};

const RECORD: &str = "prod.example.com/hosts/a.json";

#[tokio::test]
async fn a_host_is_claimed_updated_and_released() {
    let Some(scene) = Scene::of_hosts("a_host_is_claimed_updated_and_released", 2) else {
        return;
    };
    let context = Scene::context("u1", 1);
    let provider = scene.provider(scene.targets("operator")).await;
    assert_eq!(look(&provider, "u1", Kind::Machine, "a").await, Observed::Absent);

    let claimed = machine(&[MachineRole::Etcd]);
    let begun = Instant::now();
    assert_eq!(
        provider.carry_out(&context, &create("a", claimed.clone())).await,
        Outcome::Done
    );
    println!("claim: {} ms", begun.elapsed().as_millis());
    assert_eq!(
        provider.carry_out(&context, &create("a", claimed.clone())).await,
        Outcome::Done,
        "again"
    );
    let Observed::Present(seen) = look(&provider, "u1", Kind::Machine, "a").await else {
        panic!("the claimed host is not seen");
    };
    let machine_id = scene.host(0).run("cat /etc/machine-id").unwrap();
    assert_eq!(seen.resource, Resource::Machine(claimed.clone()));
    assert_eq!(
        (seen.owner, seen.id.as_str(), seen.generation),
        (Owner::ThisCluster, machine_id.trim(), 2)
    );
    assert_eq!(seen.facts["os"], "Debian GNU/Linux 12 (bookworm)");
    assert!(scene.store.text(RECORD).unwrap().contains(machine_id.trim()));

    others_see_it_and_leave_it(&provider).await;

    let worker = machine(&[MachineRole::Worker]);
    assert_eq!(
        provider.carry_out(&context, &update("a", worker.clone())).await,
        Outcome::Done
    );
    let Observed::Present(seen) = scene.look("u1", Kind::Machine, "a").await else {
        panic!("the updated host is not seen");
    };
    assert_eq!(seen.resource, Resource::Machine(worker.clone()));
    assert_eq!(seen.generation, 2);

    it_is_released_when_the_spec_forgets_it(&scene).await;
}

async fn it_is_released_when_the_spec_forgets_it(scene: &Scene) {
    let (context, worker) = (Scene::context("u1", 1), machine(&[MachineRole::Worker]));
    // The spec does not name it any more.
    let later = scene.provider(vec![scene.target(1, "root")]).await;
    assert!(
        matches!(look(&later, "u1", Kind::Machine, "a").await, Observed::Present(_)),
        "it is remembered"
    );
    scene
        .host(0)
        .write_file("/var/lib/someone/file", "theirs")
        .unwrap();
    let begun = Instant::now();
    assert_eq!(
        later.carry_out(&context, &delete("a", worker.clone())).await,
        Outcome::Done
    );
    println!("release: {} ms", begun.elapsed().as_millis());
    assert_eq!(
        later.carry_out(&context, &delete("a", worker)).await,
        Outcome::Done,
        "again"
    );
    assert!(
        !scene
            .host(0)
            .run_as("root", "ls -d /var/lib/keelson")
            .unwrap()
            .success()
    );
    assert_eq!(
        scene.host(0).read_file("/var/lib/someone/file").unwrap(),
        b"theirs"
    );
    assert_eq!(scene.store.text(RECORD), None);
    assert_eq!(scene.look("u1", Kind::Machine, "a").await, Observed::Absent);
}

async fn others_see_it_and_leave_it(provider: &SshProvider) {
    let claimed = machine(&[MachineRole::Etcd]);
    // Seen by others, and by this cluster's next life.
    for uid in ["u2", "u1-next"] {
        let Observed::Present(seen) = look(provider, uid, Kind::Machine, "a").await else {
            panic!("the claimed host is not seen");
        };
        assert_eq!(
            seen.owner,
            Owner::Other("cluster prod.example.com (uid u1)".to_owned())
        );
    }
    let Outcome::Rejected(error) = provider
        .carry_out(&Scene::context("u2", 9), &create("a", claimed.clone()))
        .await
    else {
        panic!("a host of another cluster was claimed");
    };
    assert!(
        error.class == ErrorClass::Permanent && error.message.contains("another cluster, uid u1"),
        "{error:?}"
    );
    for change in [delete("a", claimed.clone()), update("a", claimed.clone())] {
        let outcome = provider.carry_out(&Scene::context("u2", 9), &change).await;
        assert!(matches!(outcome, Outcome::Rejected(_)), "{change}: {outcome:?}");
    }
}

#[tokio::test]
async fn of_many_claims_one_wins() {
    let Some(scene) = Scene::of_hosts("of_many_claims_one_wins", 1) else {
        return;
    };
    let provider = scene.provider(scene.targets("root")).await;
    let uids: Vec<String> = (0..8).map(|number| format!("u{number}")).collect();
    let claim = create("a", machine(&[MachineRole::Etcd]));
    let claims = uids.iter().map(|uid| {
        let (provider, claim, context) = (&provider, &claim, Scene::context(uid, 1));
        async move { provider.carry_out(&context, claim).await }
    });
    let outcomes = futures_util::future::join_all(claims).await;
    let winners: Vec<_> = uids
        .iter()
        .zip(&outcomes)
        .filter(|(_, outcome)| **outcome == Outcome::Done)
        .collect();
    assert_eq!(winners.len(), 1, "{outcomes:?}");
    let Observed::Present(seen) = look(&provider, winners[0].0, Kind::Machine, "a").await else {
        panic!("the claimed host is not seen");
    };
    assert_eq!(seen.owner, Owner::ThisCluster);
    for outcome in outcomes {
        assert!(
            outcome == Outcome::Done || matches!(outcome, Outcome::Rejected(_)),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn what_cannot_be_seen_is_unknown() {
    let Some(scene) = Scene::of_hosts("what_cannot_be_seen_is_unknown", 2) else {
        return;
    };
    scene
        .host(1)
        .console("systemctl stop ssh.socket ssh.service")
        .unwrap();
    let provider = scene.provider(scene.targets("root")).await;
    for kind in [Kind::Machine, Kind::NodeBundle] {
        let seen = look(&provider, "u1", kind, "b").await;
        assert!(
            matches!(&seen, Observed::Unknown(why) if why.contains("nothing answers")),
            "{seen:?}"
        );
        assert_eq!(look(&provider, "u1", kind, "a").await, Observed::Absent);
    }
    for rubbish in ["", "{", "\u{7f}ELF", "{\"uid\":\"u1\"}", "[]"] {
        scene
            .host(0)
            .write_file("/var/lib/keelson/host.json", rubbish)
            .unwrap();
        scene
            .host(0)
            .write_file("/var/lib/keelson/bundle.json", rubbish)
            .unwrap();
        for kind in [Kind::Machine, Kind::NodeBundle] {
            let seen = look(&provider, "u1", kind, "a").await;
            assert!(
                matches!(&seen, Observed::Unknown(why) if why.contains("damaged")),
                "{rubbish}: {seen:?}"
            );
        }
    }
}
