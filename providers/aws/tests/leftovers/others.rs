//! What belongs to others, or may.

use keelson_aws_calls::mark::CLUSTER;
use keelson_provider_api::{ClusterUid, Observed};

use super::ground::{balance, of_controller, of_driver, tags, volume};
use super::*;

#[tokio::test]
async fn what_belongs_to_others_is_neither_seen_nor_touched() {
    let Some(scene) = Scene::start_or_skip("what_belongs_to_others_is_left").await else {
        return;
    };
    let (moto, calls) = (&scene.moto, &scene.calls);
    // Another cluster whose name begins alike, in a network of its own, and in this one's.
    let others = ClusterIdentity {
        name: "foo-bar".parse().unwrap(),
        uid: Some(ClusterUid::new("other")),
    };
    let others = Scene::of(moto.clone(), others, None).await;
    make_all_for(moto, calls, "foo-bar", "theirs", &others.vpc, &others.subnet).await;
    balance(
        calls,
        "guests",
        &scene.vpc,
        &scene.subnet,
        &of_controller("foo-bar"),
    )
    .await;
    // One of the same name, elsewhere.
    let elsewhere = calls
        .ec2
        .create_vpc("10.30.0.0/16", &tags(&[("Name", "theirs")]))
        .await
        .unwrap();
    let there = calls
        .ec2
        .create_subnet(
            &elsewhere,
            "eu-west-1a",
            "10.30.0.0/20",
            &tags(&[("Name", "theirs")]),
        )
        .await;
    balance(
        calls,
        "elsewhere",
        &elsewhere,
        &there.unwrap(),
        &of_controller("foo"),
    )
    .await;
    // Volumes: a user's, one that is shared, one that only looks like a controller's, and one of keelson's.
    let owned = ("kubernetes.io/cluster/foo", "owned");
    let driven = ("ebs.csi.aws.com/cluster", "true");
    let cases = [
        tags(&[("Name", "foo")]),
        tags(&[owned]),
        tags(&[("kubernetes.io/cluster/foo", "shared"), driven]),
        tags(&[owned, driven, ("kubernetes.io/cluster/bar", "owned")]),
        mark(&scene.cluster, &key(Kind::Volume, "a"), 0),
    ];
    for (index, tags) in cases.iter().enumerate() {
        volume(calls, tags, &format!("theirs {index}")).await;
    }
    let theirs = scene.everything().await;
    assert_eq!(scene.seen().await, Vec::<String>::new());

    make_all_for(moto, calls, "foo", "front", &scene.vpc, &scene.subnet).await;
    assert_eq!(scene.seen().await.len(), 6);
    scene.take_away().await;
    assert_eq!(scene.everything().await, theirs);
    assert_eq!(others.seen().await.len(), 6);
}

#[tokio::test]
async fn a_rule_of_somebody_else_s_group_stays_and_is_waited_for() {
    let Some(scene) = Scene::start_or_skip("a_rule_of_somebody_else_s_group").await else {
        return;
    };
    let ec2 = &scene.calls.ec2;
    let group = ec2
        .create_security_group(&scene.vpc, "front", "front", &of_controller("foo"))
        .await
        .unwrap();
    let theirs = ec2
        .create_security_group(&scene.vpc, "theirs", "theirs", &tags(&[("Name", "theirs")]))
        .await
        .unwrap();
    ec2.authorize_ingress(&theirs, &ground::lets_in(&group))
        .await
        .unwrap();
    let change = delete_of(&scene, LeftoverSort::SecurityGroup).await;
    let error = refused_for_good(scene.once(&change).await);
    assert!(error.message.contains("DependencyViolation"), "{error}");
    let itself = Filters::default().with("group-id", [&theirs]);
    let left = ec2.list_security_groups(&itself).await.unwrap().remove(0);
    assert_eq!(left.ingress, ground::lets_in(&group));
}

#[tokio::test]
async fn what_was_given_to_somebody_since_is_left() {
    let Some(scene) = Scene::start_or_skip("what_was_given_to_somebody_since").await else {
        return;
    };
    let id = volume(&scene.calls, &of_driver("foo"), "orders").await;
    let change = delete_of(&scene, LeftoverSort::Volume).await;
    let shared = tags(&[("kubernetes.io/cluster/foo", "shared")]);
    scene.calls.ec2.create_tags(&[id], &shared).await.unwrap();
    let before = scene.everything().await;
    let error = refused_for_good(scene.once(&change).await);
    assert!(error.message.contains("no longer bears the tags"), "{error}");
    assert_eq!(scene.everything().await, before);
}

#[tokio::test]
async fn beside_machines_of_another_cluster_of_that_name_nobody_can_say_whose_a_volume_is() {
    let Some(scene) = Scene::start_or_skip("beside_machines_of_another_cluster").await else {
        return;
    };
    let calls = &scene.calls;
    let id = volume(calls, &of_driver("foo"), "orders").await;
    let claimed = volume(calls, &of_driver("foo"), "claimed").await;
    let ours = tags(&[(CLUSTER, "one")]);
    calls
        .ec2
        .create_tags(std::slice::from_ref(&claimed), &ours)
        .await
        .unwrap();
    balance(calls, "front", &scene.vpc, &scene.subnet, &of_controller("foo")).await;
    let other = cluster("two");
    let interface = keelson_aws_calls::ec2::NewInterface {
        subnet: scene.subnet.clone(),
        private_address: None,
        groups: Vec::new(),
        tags: tags(&[("Name", "theirs")]),
    };
    let interface = calls.ec2.create_interface(&interface, "rival").await.unwrap();
    let marked = mark(&other, &key(Kind::Machine, "a"), 0);
    let instance = crate::edge::start(calls, &interface, &marked, "rival").await;

    let observation = scene.look().await;
    let Observed::Unknown(why) = observation.get(&key(Kind::Leftover, &id)) else {
        unreachable!("{id} may be of either")
    };
    assert!(
        why.contains(&instance) && why.contains("keelson.dev/cluster=one"),
        "{why}"
    );
    // What somebody has said of, and what is in the cluster's own network, is its own.
    assert!(observation.present(&key(Kind::Leftover, &claimed)).is_some());
    assert_eq!(observation.owned().count(), 5);
}
