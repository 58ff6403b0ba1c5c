//! Machines while calls are refused, answers are lost, runs are ended, and things take their time.

use std::time::Duration;

use super::*;

/// The calls that machines are made and ended by.
const MAKING: [&str; 2] = ["RunInstances", "AttachVolume"];

/// Brings `name` to what it is to be as the next run does, which looks first.
async fn go_on(scene: &Scene, name: &str, machine: &Machine) {
    let observation = scene.look().await;
    match observation.get(&key(Kind::Machine, name)) {
        Observed::Present(_) => scene.update(name, machine).await,
        _ => scene.make(name, machine, 0).await,
    }
    assert_eq!(scene.machine(name).await, *machine);
    scene.instance(name).await;
}

#[tokio::test]
async fn answers_that_are_lost_make_nothing_twice() {
    let Some(scene) = Scene::prepare_or_skip("machine::answers_that_are_lost").await else {
        return;
    };
    let before = scene.everything().await;
    for action in [
        "RunInstances",
        "AttachVolume",
        "TerminateInstances",
        "ModifyInstanceAttribute",
        "CreateTags",
        "ReplaceIamInstanceProfileAssociation",
    ] {
        scene.tell(
            "faults",
            &format!(r#"{{"kind": "lose", "action": "{action}", "times": 1, "reset": true}}"#),
        );
    }
    scene.make("a", &control_plane(), 0).await;
    scene.make("w", &worker(), 0).await;
    let moved = Machine {
        group: "others".to_owned(),
        firewall: Some("control-plane".to_owned()),
        role: Some("control-plane".to_owned()),
        ..worker()
    };
    scene.update("w", &moved).await;
    assert_eq!(scene.machine("w").await, moved);
    for name in ["a", "w"] {
        scene.instance(name).await;
        scene.take_away(name).await;
    }
    assert_eq!(scene.everything().await, before);
}

#[tokio::test]
async fn a_run_that_ends_at_any_call_is_gone_on_with_and_what_it_left_is_deleted() {
    let Some(scene) = Scene::prepare_or_skip("machine::a_run_that_ends_at_any_call").await else {
        return;
    };
    let before = scene.everything().await;
    for action in MAKING {
        for is_done in [true, false] {
            for is_gone_on_with in [true, false] {
                // Nobody hears of the call, whether it is done or not, and the rest is never begun.
                let kind = if is_done { "lose" } else { "fail" };
                scene.tell(
                    "faults",
                    &format!(r#"{{"kind": "{kind}", "action": "{action}", "times": 9, "reset": true}}"#),
                );
                let change = create(&key(Kind::Machine, "a"), &control_plane().into(), 0);
                let ended = scene.once(&change).await;
                let case = format!("{action} {is_done} {is_gone_on_with}");
                assert!(matches!(ended, Outcome::Indeterminate(_)), "{case}: {ended:?}");
                scene.no_more_trouble();
                if is_gone_on_with {
                    go_on(&scene, "a", &control_plane()).await;
                }
                if scene.look().await.owned().count() > 0 {
                    scene.take_away("a").await;
                }
                assert_eq!(scene.everything().await, before, "{case}");
            }
        }
    }
}

#[tokio::test]
async fn an_end_that_was_begun_is_gone_on_with() {
    let Some(scene) = Scene::prepare_or_skip("machine::an_end_that_was_begun").await else {
        return;
    };
    let before = scene.everything().await;
    scene.make("a", &control_plane(), 0).await;
    let delete = delete(&key(Kind::Machine, "a"), &scene.existing("a").await);
    scene.tell(
        "faults",
        r#"{"kind": "lose", "action": "TerminateInstances", "times": 9, "reset": true}"#,
    );
    let ended = scene.once(&delete).await;
    assert!(matches!(ended, Outcome::Indeterminate(_)), "{ended:?}");
    scene.no_more_trouble();
    scene.carry_out(&delete).await;
    assert_eq!(scene.everything().await, before);
}

#[tokio::test]
async fn what_was_just_made_shows_late() {
    let Some(scene) = Scene::prepare_or_skip("machine::what_was_just_made_shows_late").await else {
        return;
    };
    let before = scene.everything().await;
    scene.show_late(60);
    // A run that was ended has started it, and the next one does not see that.
    scene.tell(
        "faults",
        r#"{"kind": "lose", "action": "RunInstances", "times": 9, "reset": true}"#,
    );
    let change = create(&key(Kind::Machine, "a"), &control_plane().into(), 0);
    let ended = scene.once(&change).await;
    assert!(matches!(ended, Outcome::Indeterminate(_)), "{ended:?}");
    scene.no_more_trouble();
    scene.make("a", &control_plane(), 0).await;
    scene.make("w", &worker(), 0).await;
    for (name, machine) in [("a", control_plane()), ("w", worker())] {
        assert_eq!(scene.machine(name).await, machine);
        scene.instance(name).await;
        scene.take_away(name).await;
    }
    scene.tell("settings", r#"{"late": 0}"#);
    assert_eq!(scene.everything().await, before);
}

#[tokio::test]
async fn an_earlier_start_with_other_words_is_found_or_made_good() {
    let Some(scene) = Scene::prepare_or_skip("machine::an_earlier_start_with_other_words").await else {
        return;
    };
    scene.show_late(10);
    scene.tell(
        "faults",
        r#"{"kind": "lose", "action": "RunInstances", "times": 9, "reset": true}"#,
    );
    let change = create(&key(Kind::Machine, "w"), &worker().into(), 0);
    let ended = scene.once(&change).await;
    assert!(matches!(ended, Outcome::Indeterminate(_)), "{ended:?}");
    scene.no_more_trouble();
    // What it runs when it first boots is another thing by now, so that its token is refused.
    scene.given.say(b"#!/bin/sh\nfalse\n");
    scene.make("w", &worker(), 0).await;
    assert_eq!(scene.machine("w").await, worker());
    scene.instance("w").await;
}

#[tokio::test]
async fn what_takes_its_time_is_waited_for() {
    let Some(scene) = Scene::prepare_or_skip("machine::what_takes_its_time").await else {
        return;
    };
    let before = scene.everything().await;
    scene.tell("settings", r#"{"delay": 20}"#);
    // EC2 does not know it for a while.
    scene.make_profile("fresh").await;
    let machine = Machine {
        role: Some("fresh".to_owned()),
        ..control_plane()
    };
    let change = create(&key(Kind::Machine, "a"), &machine.clone().into(), 0);
    assert_eq!(scene.once(&change).await, Outcome::Done);
    assert_eq!(scene.machine("a").await, machine);
    assert_eq!(scene.instance("a").await.state, InstanceState::Running);
    // The next one has what it had at once when it has gone.
    for generation in [1, 2] {
        let delete = delete(&key(Kind::Machine, "a"), &scene.existing("a").await);
        assert_eq!(scene.once(&delete).await, Outcome::Done);
        let change = create(&key(Kind::Machine, "a"), &machine.clone().into(), generation);
        assert_eq!(scene.once(&change).await, Outcome::Done);
        assert_eq!(scene.machine("a").await, machine);
    }
    scene.take_away("a").await;
    assert_eq!(scene.everything().await, before);
}

#[tokio::test]
async fn one_that_does_not_run_yet_is_seen_so_and_one_that_goes_away_at_once_is_told() {
    let Some(scene) = Scene::prepare_or_skip("machine::one_that_goes_away_at_once").await else {
        return;
    };
    scene.tell("settings", r#"{"delay": 800}"#);
    let change = create(&key(Kind::Machine, "a"), &control_plane().into(), 0);
    let meanwhile = async {
        while scene.instances("a").await.is_empty() {
            SystemClock.sleep(Duration::from_millis(20)).await;
        }
        let seen = scene.existing("a").await;
        assert_eq!(seen.health, Health::Unhealthy("it does not run yet".to_owned()));
        assert_eq!(
            differing(&scene.machine("a").await, &control_plane()),
            ["firewall"]
        );
        let id = scene.instance("a").await.id;
        scene.ec2.terminate_instances(&[id]).await.unwrap();
        scene.tell("settings", r#"{"advance": 1000}"#);
    };
    let (ended, ()) = tokio::join!(scene.once(&change), meanwhile);
    let Outcome::Indeterminate(error) = ended else {
        panic!("{ended:?}")
    };
    assert!(error.message.contains(" has ended at once; EC2 "), "{error}");
    // The next attempt starts another one.
    scene.tell("settings", r#"{"delay": 0}"#);
    scene.make("a", &control_plane(), 0).await;
    assert_eq!(scene.machine("a").await, control_plane());
}

#[tokio::test]
async fn of_two_the_one_with_the_volume_stays() {
    let Some(scene) = Scene::prepare_or_skip("machine::of_two_the_one_with_the_volume").await else {
        return;
    };
    // As a token that was used up leaves them, which shows too late.
    let twice = Machine {
        volume: Some("a".to_owned()),
        ..worker()
    };
    scene.show_late(120);
    scene.tell(
        "faults",
        r#"{"kind": "lose", "action": "RunInstances", "times": 9, "reset": true}"#,
    );
    let change = create(&key(Kind::Machine, "w"), &twice.clone().into(), 0);
    let ended = scene.once(&change).await;
    assert!(matches!(ended, Outcome::Indeterminate(_)), "{ended:?}");
    scene.no_more_trouble();
    scene.given.say(b"#!/bin/sh\nfalse\n");
    scene.make("w", &twice, 0).await;
    scene.tell("settings", r#"{"late": 0}"#);
    let all = scene.instances("w").await;
    assert_eq!(scene.machine("w").await, twice);
    let with_volume = all.iter().find(|instance| instance.block_devices.len() == 2);
    assert_eq!(scene.existing("w").await.id, with_volume.unwrap().id);
    scene.update("w", &twice).await;
    assert_eq!(scene.instance("w").await.id, with_volume.unwrap().id);
}

#[tokio::test]
async fn throttling_and_refusals_that_pass_are_got_over() {
    let Some(scene) = Scene::prepare_or_skip("machine::throttling_and_refusals").await else {
        return;
    };
    let before = scene.everything().await;
    scene.tell("faults", r#"{"kind": "throttle", "share": 0.3, "seed": 7}"#);
    for (name, machine) in [("a", control_plane()), ("w", worker())] {
        scene.make(name, &machine, 0).await;
        assert_eq!(scene.machine(name).await, machine);
        scene.take_away(name).await;
    }
    scene.no_more_trouble();
    assert_eq!(scene.everything().await, before);
}
