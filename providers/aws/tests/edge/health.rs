//! How load balancers and targets are, and what takes its time.

use keelson_provider_api::Health;

use super::*;

#[tokio::test]
async fn what_takes_its_time_is_waited_for() {
    let Some(scene) = Scene::start_or_skip("what_takes_its_time_is_waited_for").await else {
        return;
    };
    let before = scene.everything().await;
    scene.tell("settings", r#"{"delay": 0.2}"#);
    let wanted = wanted();
    for (key, resource) in &wanted {
        assert_eq!(
            scene.once(&create(key, resource, 0)).await,
            Outcome::Done,
            "{key}"
        );
        let existing = scene.existing(key).await.unwrap();
        assert_eq!(existing.health, Health::Healthy, "{key}");
    }
    let target = key(Kind::LoadBalancerTarget, "cp-a");
    let existing = scene.existing(&target).await.unwrap();
    assert_eq!(scene.once(&delete(&target, &existing)).await, Outcome::Done);
    let groups = scene.calls.elb.owned("one").await.unwrap().target_groups;
    let targets = scene.calls.elb.target_health(&groups[0].arn).await.unwrap();
    assert_eq!(targets.len(), 1, "the other one has drained: {targets:?}");
    scene.take_away().await;
    assert_eq!(scene.everything().await, before);
}

#[tokio::test]
async fn what_does_not_come_to_work_is_told() {
    let Some(scene) = Scene::start_or_skip("what_does_not_come_to_work_is_told").await else {
        return;
    };
    let wanted = wanted();
    scene.clock.haste.store(10, Ordering::SeqCst);
    scene.tell("settings", r#"{"delay": 3600}"#);
    let target = key(Kind::LoadBalancerTarget, "cp-a");
    let cases = [
        (
            0,
            "load-balancer/api does not come to work",
            Some("it is being set up"),
        ),
        (
            1,
            "not all name servers of Route 53 know api.foo.example.com yet",
            None,
        ),
        (
            2,
            "the load balancer does not find load-balancer-target/cp-a well: it was registered just now",
            Some("it was registered just now"),
        ),
    ];
    for (index, problem, trouble) in cases {
        let (key, resource) = &wanted[index];
        let Outcome::Indeterminate(error) = scene.once(&create(key, resource, 0)).await else {
            panic!("{key}")
        };
        assert_eq!(error.to_string(), problem);
        let existing = scene.existing(key).await.unwrap();
        assert_eq!(existing.health.trouble(), trouble, "{key}");
    }
    let existing = scene.existing(&target).await.unwrap();
    let Outcome::Indeterminate(error) = scene.once(&delete(&target, &existing)).await else {
        panic!("it has connections")
    };
    assert_eq!(
        error.to_string(),
        "load-balancer-target/cp-a still has connections"
    );
    assert_eq!(scene.existing(&target).await, None, "it is on its way out");

    scene.tell(
        "settings",
        r#"{"delay": 0, "advance": 3601, "health": "unhealthy"}"#,
    );
    assert_eq!(
        scene.existing(&balancer_key()).await.unwrap().health,
        Health::Healthy
    );
    let Outcome::Indeterminate(error) = scene.once(&create(&target, &wanted[2].1, 0)).await else {
        panic!("it is not healthy")
    };
    let why = "it is unhealthy: Health checks failed";
    assert!(error.to_string().ends_with(why), "{error}");
    let existing = scene.existing(&target).await.unwrap();
    assert_eq!(existing.health, Health::Unhealthy(why.to_owned()));
    scene.tell("settings", r#"{"health": "healthy"}"#);
    scene.make(&wanted).await;
    assert_eq!(seen(&scene.look().await), wanted);
}

#[tokio::test]
async fn a_target_waits_for_its_machine_and_its_load_balancer() {
    let Some(scene) = Scene::start_or_skip("a_target_waits_for_its_machine_and_its_load_balancer").await
    else {
        return;
    };
    let mut wanted = wanted();
    let (target, resource) = wanted.pop().unwrap();
    let missing = |outcome: Outcome, what: &str| match outcome {
        Outcome::Rejected(error) => {
            assert!(error.class.may_pass(), "{error}");
            assert!(error.to_string().starts_with(what), "{error}");
        }
        other => panic!("{other:?}"),
    };
    missing(
        scene.once(&create(&target, &resource, 0)).await,
        "load-balancer/api",
    );
    missing(
        scene.once(&create(&name_key(), &wanted[1].1, 0)).await,
        "load-balancer/api",
    );
    scene.make(&wanted[..1].to_vec()).await;
    let nobody = LoadBalancerTarget {
        load_balancer: "api".to_owned(),
        machine: "cp".to_owned(),
    };
    let nobody_key = key(Kind::LoadBalancerTarget, "cp");
    let outcome = scene.once(&create(&nobody_key, &nobody.into(), 0)).await;
    missing(outcome, "machine/cp is not there");
    scene.carry_out(&create(&target, &resource, 0)).await;
}
