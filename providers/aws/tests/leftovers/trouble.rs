//! What cannot go yet.

use keelson_aws_calls::elb::BalancerAttributes;
use keelson_provider_aws::PlacesProvider;

use super::ground::{balance, of_controller, of_driver, tags, volume};
use super::*;
use crate::scene::REGION;

#[tokio::test]
async fn a_load_balancer_that_is_protected_is_told_and_stays() {
    let Some(scene) = Scene::start_or_skip("a_load_balancer_that_is_protected").await else {
        return;
    };
    balance(
        &scene.calls,
        "front",
        &scene.vpc,
        &scene.subnet,
        &of_controller("foo"),
    )
    .await;
    let change = delete_of(&scene, LeftoverSort::LoadBalancer).await;
    let arn = scene.calls.elb.load_balancer("front").await.unwrap().unwrap().arn;
    let protect = |deletion_protection| BalancerAttributes {
        cross_zone: false,
        deletion_protection,
    };
    scene
        .calls
        .elb
        .set_balancer_attributes(&arn, protect(true))
        .await
        .unwrap();
    let before = scene.everything().await;
    let error = refused_for_good(scene.once(&change).await);
    assert!(
        error.message.contains("is protected from being deleted"),
        "{error}"
    );
    assert_eq!(scene.everything().await, before);

    scene
        .calls
        .elb
        .set_balancer_attributes(&arn, protect(false))
        .await
        .unwrap();
    assert_eq!(scene.once(&change).await, Outcome::Done);
}

#[tokio::test]
async fn a_volume_that_an_instance_has_is_waited_for_and_the_instance_told() {
    let Some(scene) = Scene::start_or_skip("a_volume_that_an_instance_has").await else {
        return;
    };
    let calls = &scene.calls;
    let id = volume(calls, &of_driver("foo"), "orders").await;
    let interface = keelson_aws_calls::ec2::NewInterface {
        subnet: scene.subnet.clone(),
        private_address: None,
        groups: Vec::new(),
        tags: tags(&[("Name", "theirs")]),
    };
    let interface = calls.ec2.create_interface(&interface, "node").await.unwrap();
    let marked = mark(&scene.cluster, &key(Kind::Machine, "a"), 0);
    let instance = crate::edge::start(calls, &interface, &marked, "node").await;
    scene
        .moto
        .tell("POST", "settings", r#"{"advance": 120}"#)
        .unwrap();
    calls.ec2.attach_volume(&id, &instance, "/dev/sdf").await.unwrap();
    let change = delete_of(&scene, LeftoverSort::Volume).await;
    let Outcome::Indeterminate(error) = scene.once(&change).await else {
        unreachable!("{instance} has {id}")
    };
    assert!(error.message.contains(&instance), "{error}");
    calls
        .ec2
        .terminate_instances(std::slice::from_ref(&instance))
        .await
        .unwrap();
    assert_eq!(scene.once(&change).await, Outcome::Done);
    assert_eq!(scene.seen().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_subnet_that_cannot_go_is_told_with_what_is_in_it() {
    let Some(scene) = Scene::start_or_skip("a_subnet_that_cannot_go").await else {
        return;
    };
    let calls = &scene.calls;
    let interface = keelson_aws_calls::ec2::NewInterface {
        subnet: scene.subnet.clone(),
        private_address: None,
        groups: Vec::new(),
        tags: tags(&[("Name", "theirs")]),
    };
    let interface = calls.ec2.create_interface(&interface, "theirs").await.unwrap();
    let clock = Arc::new(EmulatorClock::of(scene.moto.clone()));
    let places = PlacesProvider::new(calls, REGION, clock);
    let seen = places
        .observe(&scene.cluster, Kind::Subnet, &BTreeSet::new())
        .await
        .unwrap();
    let mut observation = Observation::new(Timestamp::UNIX_EPOCH);
    observation.record(Kind::Subnet, seen);
    let (key, existing) = observation.owned().next().unwrap();
    let ended = places
        .carry_out(&scene::context(&scene.cluster), &delete(key, existing))
        .await;
    let error = refused_for_good(ended);
    let help = error.help.unwrap();
    assert!(
        help.contains(&interface) && help.contains("its name is `theirs`"),
        "{help}"
    );
}
