//! Runs that have lost their lease.

use std::sync::Arc;

use keelson_provider_api::kinds::MachineRole;
use keelson_provider_api::{ErrorClass, Outcome, Provider};
use keelson_provider_ssh::{FENCED_STATUS, fence_arguments, fenced, run_fenced};

use crate::support::{Scene, create, job, machine, quiet, update};

#[tokio::test]
async fn a_lower_generation_is_refused() {
    let Some(scene) = Scene::of_hosts("a_lower_generation_is_refused", 1) else {
        return;
    };
    let provider = scene.provider(scene.targets("operator")).await;
    let etcd = machine(&[MachineRole::Etcd]);
    let of = |generation| Scene::context("u1", generation);
    assert_eq!(
        provider.carry_out(&of(7), &create("a", etcd.clone())).await,
        Outcome::Done
    );
    for generation in [6, 0] {
        let Outcome::Rejected(error) = provider
            .carry_out(&of(generation), &update("a", etcd.clone()))
            .await
        else {
            panic!("generation {generation} came in");
        };
        assert_eq!(error.class, ErrorClass::Fenced, "{error}");
        assert!(error.message.contains("generation 7"), "{error}");
    }
    for generation in [7, 8, 8, 100] {
        assert_eq!(
            provider
                .carry_out(&of(generation), &update("a", etcd.clone()))
                .await,
            Outcome::Done
        );
    }
    scene.host(0).power_cut().unwrap();
    scene.host(0).start().unwrap();
    scene.host(0).wait_for_ssh().unwrap();
    let shell = provider.hosts().shell("a").unwrap();
    let script = fenced("echo in");
    let mut late = job(&script);
    late.arguments = fence_arguments(&of(99)).unwrap().to_vec();
    let output = shell.run(&late, &quiet).await.unwrap();
    assert_eq!(
        (output.status, output.stdout.as_str()),
        (FENCED_STATUS, ""),
        "{output:?}"
    );
}

#[tokio::test]
async fn a_later_run_waits_for_the_scripts_of_an_earlier_one() {
    let Some(scene) = Scene::of_hosts("a_later_run_waits_for_the_scripts_of_an_earlier_one", 1) else {
        return;
    };
    let hosts = scene.hosts("root").await;
    let (one, other) = (hosts.shell("a").unwrap(), hosts.shell("a").unwrap());
    let (seventh, eighth) = (Scene::context("u1", 7), Scene::context("u1", 8));
    // Each waits for what the other does on the host, and not for a time: at most ten seconds.
    let until = |file: &str| format!("for n in $(seq 200); do ! test -e {file} || break; sleep 0.05; done");
    let first = format!(
        "touch /run/begun; {}; sleep 2; echo ended >>/run/order",
        until("/run/same")
    );
    let together = async {
        run_fenced(&*one, &seventh, job(&first)).await.unwrap();
    };
    let same = async {
        let same = format!("{}; echo same >>/run/order; touch /run/same", until("/run/begun"));
        let shell = hosts.shell("a").unwrap();
        run_fenced(&*shell, &seventh, job(&same)).await.unwrap();
    };
    let later = async {
        other.run(&job(&until("/run/same")), &quiet).await.unwrap();
        run_fenced(&*other, &eighth, job("echo later >>/run/order"))
            .await
            .unwrap();
    };
    tokio::join!(together, same, later);
    assert_eq!(
        scene.host(0).run("cat /run/order").unwrap(),
        "same\nended\nlater\n"
    );
    let late = run_fenced(&*Arc::clone(&one), &seventh, job("true"))
        .await
        .unwrap_err();
    assert!(matches!(late, Outcome::Rejected(error) if error.class == ErrorClass::Fenced));
}

/// What a release does at its very end, while a claim of a run that lost its lease waits for the lock.
#[tokio::test]
async fn a_late_claim_does_not_follow_a_release() {
    let Some(scene) = Scene::of_hosts("a_late_claim_does_not_follow_a_release", 1) else {
        return;
    };
    let provider = scene.provider(scene.targets("root")).await;
    let claim = create("a", machine(&[MachineRole::Etcd]));
    let (seventh, eighth) = (Scene::context("u1", 7), Scene::context("u1", 8));
    assert_eq!(provider.carry_out(&seventh, &claim).await, Outcome::Done);
    let shell = provider.hosts().shell("a").unwrap();
    // Who waits for the lock alone is a process `flock`, and has opened the file by then; who holds it is none.
    let end_of_release = "rm /var/lib/keelson/host.json /var/lib/keelson/fence; touch /run/forgotten; \
                          for n in $(seq 300); do if pgrep -f '^flock --exclusive' >/dev/null; then break; fi; sleep 0.1; done; \
                          rm -rf /var/lib/keelson";
    let release = run_fenced(&*shell, &eighth, job(end_of_release));
    let late = async {
        let forgotten = "while ! test -e /run/forgotten; do sleep 0.05; done";
        let shell = scene.hosts("root").await.shell("a").unwrap();
        shell.run(&job(forgotten), &quiet).await.unwrap();
        provider.carry_out(&seventh, &claim).await
    };
    let (released, late) = tokio::join!(release, late);
    released.unwrap();
    let Outcome::Rejected(error) = late else {
        panic!("{late:?}");
    };
    assert_eq!(error.class, ErrorClass::Transient, "{error}");
    assert!(error.message.contains("was released while"), "{error}");
    scene.host(0).run("! test -e /var/lib/keelson/host.json").unwrap();
}
