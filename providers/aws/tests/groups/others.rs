//! What is somebody else's.

use keelson_aws_calls::mark::Tags;
use keelson_aws_calls::scaling::{HealthCheck, Launch, NewGroup as Theirs, Sizes};
use keelson_provider_api::ErrorClass;

use super::*;

#[tokio::test]
async fn what_belongs_to_others_is_neither_seen_nor_touched() {
    let Some(theirs) = Scene::prepare_or_skip("groups::what_belongs_to_others").await else {
        return;
    };
    theirs.make("workers", &workers()).await;
    let ours = theirs.other_cluster("two").await;
    let before = ours.everything().await;
    assert_eq!(ours.look().await.owned().count(), 0);
    ours.make("workers", &workers()).await;
    assert_eq!(ours.machines().await.len(), 2);
    assert_ne!(ours.group().await.name, theirs.group().await.name);
    let first = ours.machines().await.remove(0).0;
    ours.end(&key(Kind::GroupMachine, &first)).await;
    assert_eq!(theirs.look().await.owned().count(), 3);
    ours.end(&key(Kind::NodeGroup, "workers")).await;
    assert_eq!(ours.everything().await, before);
}

#[tokio::test]
async fn a_name_that_somebody_else_has_is_told_with_whose_it_is() {
    let Some(scene) = Scene::prepare_or_skip("groups::a_name_that_somebody_else_has").await else {
        return;
    };
    let wanted = workers();
    scene.make("workers", &wanted).await;
    let (name, subnets) = {
        let group = scene.group().await;
        (group.name, group.subnets)
    };
    let launch = scene.template().await.1[0].launch.clone().unwrap();
    scene.end(&key(Kind::NodeGroup, "workers")).await;
    let AwsCalls { scaling, ec2, .. } = &scene.calls;

    let nobody = Tags::from([("Name".to_owned(), "theirs".to_owned())]);
    let id = ec2
        .create_launch_template(&name, &launch, &nobody, "theirs")
        .await
        .unwrap();
    let change = create(&key(Kind::NodeGroup, "workers"), &wanted.clone().into(), 0);
    let refusal = async |what: &str, whose: &str| {
        let Outcome::Rejected(error) = scene.once(&change).await else {
            panic!("{what} has the name")
        };
        let message = format!("node-group/workers is to be the {what} {name}, which exists already: {whose}");
        assert_eq!((error.class, error.message), (ErrorClass::Permanent, message));
        assert!(error.help.is_some());
    };
    refusal(
        "launch template",
        "its name is `theirs`, and it bears no mark of keelson",
    )
    .await;
    ec2.delete_launch_template(&id).await.unwrap();

    let id = ec2
        .create_launch_template("theirs", &launch, &nobody, "theirs-2")
        .await
        .unwrap();
    let group = Theirs {
        name: name.clone(),
        subnets,
        launch: Launch {
            template: id,
            version: "1".to_owned(),
            mix: None,
        },
        sizes: Sizes {
            min: 0,
            max: 1,
            desired: Some(1),
        },
        health_check: HealthCheck {
            asks_load_balancers: false,
            grace_seconds: 0,
        },
        target_groups: Vec::new(),
        tags: Tags::from([("KubernetesCluster".to_owned(), "bar".to_owned())]),
    };
    scaling.create_group(&group).await.unwrap();
    refusal(
        "Auto Scaling group",
        "it is of the cluster bar, and nothing that keelson made",
    )
    .await;
    // What was begun is seen, and taken away; theirs stays.
    let key = key(Kind::NodeGroup, "workers");
    let left = scene.existing(&key).await;
    let alone = "its launch template has no Auto Scaling group";
    assert_eq!(left.health, Health::Unhealthy(alone.to_owned()));
    scene.end(&key).await;
    assert_eq!(scene.look().await.owned_of(Kind::NodeGroup).count(), 0);
    let names = [name];
    assert_eq!(scaling.groups(&names).await.unwrap()[0].members.len(), 1);
}
