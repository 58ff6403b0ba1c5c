//! What is changed by hand, or by what scales a group.

use keelson_aws_calls::scaling::{GroupChanges, Launch, Sizes};

use super::*;

fn sizes(min: u32, max: u32, desired: u32) -> GroupChanges {
    GroupChanges {
        sizes: Some(Sizes {
            min,
            max,
            desired: Some(desired),
        }),
        ..GroupChanges::default()
    }
}

#[tokio::test]
async fn groups_that_were_changed_by_hand_are_seen_and_put_right() {
    let Some(scene) = Scene::prepare_or_skip("groups_that_were_changed_by_hand").await else {
        return;
    };
    let (wanted, AwsCalls { scaling, ec2, .. }) = (workers(), &scene.calls);
    scene.make("workers", &wanted).await;
    let group = scene.group().await;
    let name = group.name.as_str();

    scaling.update_group(name, &sizes(1, 5, 3)).await.unwrap();
    assert_eq!(scene.bring("workers", &wanted).await, ["min", "max", "replicas"]);
    scaling.update_group(name, &sizes(2, 2, 2)).await.unwrap();
    assert_eq!(scene.bring("workers", &wanted).await, [""; 0]);

    let one_zone = GroupChanges {
        subnets: Some(group.subnets[..1].to_vec()),
        ..GroupChanges::default()
    };
    scaling.update_group(name, &one_zone).await.unwrap();
    assert_eq!(scene.bring("workers", &wanted).await, ["subnets"]);

    // Another version of the launch template, and the group is told to start machines from it.
    let (template, versions) = scene.template().await;
    let mut other = versions[0].launch.clone().unwrap();
    other.instance_type = "m5.large".to_owned();
    let number = ec2
        .create_launch_template_version(&template.id, &other, "theirs")
        .await
        .unwrap();
    let launch = group.launch.clone().unwrap();
    for version in [number.to_string(), "$Latest".to_owned()] {
        let changes = GroupChanges {
            launch: Some(Launch {
                version: version.clone(),
                ..launch.clone()
            }),
            ..GroupChanges::default()
        };
        scaling.update_group(name, &changes).await.unwrap();
        let Health::Unhealthy(why) = scene.health("workers").await else {
            panic!("it is another version")
        };
        assert!(
            why.contains(&format!("{}:{version}, and was told", template.id)),
            "{why}"
        );
        assert_eq!(scene.bring("workers", &wanted).await, ["settings"]);
    }
    let (template, versions) = scene.template().await;
    let numbers: Vec<i64> = versions.iter().map(|version| version.number).collect();
    assert_eq!(numbers, [template.default_version]);

    // The launch template is gone.
    ec2.delete_launch_template(&template.id).await.unwrap();
    assert_eq!(scene.bring("workers", &wanted).await, ["settings"]);
    assert_ne!(scene.template().await.0.id, template.id);

    // The group is gone, and its machines with it: what is left is gone on with.
    scaling.delete_group(name, true).await.unwrap();
    assert_eq!(scene.seen("workers").await.replicas, 0);
    assert!(!scene.bring("workers", &wanted).await.is_empty());
    assert_eq!(scene.seen("workers").await, wanted);
}

#[tokio::test]
async fn what_a_group_mixes_is_seen_and_put_right() {
    let Some(scene) = Scene::prepare_or_skip("what_a_group_mixes_is_seen").await else {
        return;
    };
    let wanted = NodeGroup {
        types: vec!["m5.large".to_owned()],
        spot_share: Some(50),
        ..workers()
    };
    scene.make("workers", &wanted).await;
    let group = scene.group().await;
    let mut launch = group.launch.unwrap();
    let mix = launch.mix.as_mut().unwrap();
    (mix.types, mix.spot_percent) = (vec!["m5.large".to_owned(), "m6i.large".to_owned()], 100);
    let changes = GroupChanges {
        launch: Some(launch),
        ..GroupChanges::default()
    };
    let scaling = &scene.calls.scaling;
    scaling.update_group(&group.name, &changes).await.unwrap();
    let differed = scene.bring("workers", &wanted).await;
    assert_eq!(differed, ["machineType", "types", "spotShare", "settings"]);
}

#[tokio::test]
async fn what_scales_a_group_is_let_do_so_within_its_bounds() {
    let Some(scene) = Scene::prepare_or_skip("groups::what_scales_a_group").await else {
        return;
    };
    let wanted = scaled(1, 4);
    scene.make("workers", &wanted).await;
    let name = scene.group().await.name;
    let scaling = &scene.calls.scaling;
    for desired in [4, 1, 3] {
        scaling.set_desired(&name, desired).await.unwrap();
        assert_eq!(scene.bring("workers", &wanted).await, [""; 0], "{desired}");
        assert_eq!(scene.seen("workers").await.replicas, desired);
    }
    // A change leaves it as it is, as far as the bounds let it.
    let moved = upgraded(wanted);
    assert_eq!(scene.bring("workers", &moved).await, ["kubernetesVersion"]);
    assert_eq!(scene.group().await.sizes.desired, Some(3));
    let tighter = NodeGroup { max: 2, ..moved };
    assert_eq!(scene.bring("workers", &tighter).await, ["max", "replicas"]);
    assert_eq!(scene.group().await.sizes.desired, Some(2));
    // What nothing scales any more holds what it is to.
    let fixed = NodeGroup {
        min: 3,
        max: 3,
        replicas: 3,
        ..tighter
    };
    assert_eq!(scene.bring("workers", &fixed).await, ["min", "max", "replicas"]);
    assert_eq!(scene.machines().await.len(), 3);
}

#[tokio::test]
async fn a_machine_that_somebody_ends_is_replaced_by_its_group_and_seen() {
    let Some(scene) = Scene::prepare_or_skip("a_machine_that_somebody_ends_is_replaced").await else {
        return;
    };
    let wanted = workers();
    scene.make("workers", &wanted).await;
    let (before, _) = scene.by_template(&wanted).await;
    scene.tell("settings", r#"{"delay": 20}"#);
    let ended = before[..1].to_vec();
    scene.calls.ec2.terminate_instances(&ended).await.unwrap();
    let lacks = Health::Unhealthy("1 of 2 machines are in service".to_owned());
    assert_eq!(scene.health("workers").await, lacks);
    assert_eq!(scene.by_template(&wanted).await.0, before[1..]);
    scene.tell("settings", r#"{"advance": 25}"#);
    let (coming, _) = scene.by_template(&wanted).await;
    assert_eq!(coming.len(), 2);
    let new = coming.into_iter().find(|id| !before.contains(id)).unwrap();
    let pending = scene.existing(&key(Kind::GroupMachine, &new)).await;
    assert_eq!(
        pending.health,
        Health::Unhealthy("it does not run yet".to_owned())
    );
    scene.tell("settings", r#"{"advance": 100}"#);
    assert_eq!(scene.health("workers").await, Health::Healthy);
    assert!(
        scene
            .existing(&key(Kind::GroupMachine, &new))
            .await
            .health
            .is_healthy()
    );
    assert_eq!(scene.bring("workers", &wanted).await, [""; 0]);
}

#[tokio::test]
async fn why_machines_do_not_come_is_told() {
    let Some(scene) = Scene::prepare_or_skip("groups::why_machines_do_not_come").await else {
        return;
    };
    let wanted = workers();
    scene.make("workers", &wanted).await;
    let group = scene.group().await;
    let scaling = &scene.calls.scaling;
    scaling.suspend(&group.name, &["Launch"]).await.unwrap();
    let ended = [group.members[0].id.clone()];
    scene.calls.ec2.terminate_instances(&ended).await.unwrap();
    let Health::Unhealthy(why) = scene.health("workers").await else {
        panic!("one is missing")
    };
    assert_eq!(why, "1 of 2 machines are in service; it is kept from Launch");
    // Whoever waits for it waits so long and no longer.
    let update = Action::Update {
        id: group.name.clone(),
        resource: Box::new(wanted.clone().into()),
        differences: Vec::new(),
    };
    let Outcome::Indeterminate(error) = scene
        .once(&change(&key(Kind::NodeGroup, "workers"), update))
        .await
    else {
        panic!("it is not full")
    };
    assert!(error.message.ends_with(&why), "{error}");
    assert!(error.class.may_pass());
}
