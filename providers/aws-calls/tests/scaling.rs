//! Auto Scaling groups: made, found, changed, emptied, deleted, and deleted again.

use aws_sdk_ec2::types::{InstanceType, RequestLaunchTemplateData};
use keelson_aws_calls::scaling::{Group, GroupChanges, HealthCheck, Launch, Mix, NewGroup, Scaling, Sizes};

use crate::edge::{Ground, lost, tags, through_throttling};
use crate::emulator::Emulator;

/// Ubuntu 24.04, as the emulator has it.
const UBUNTU: &str = "ami-0ab2404a640000020";

async fn template(ground: &Ground, name: &str, image: &str) -> String {
    let data = RequestLaunchTemplateData::builder()
        .image_id(image)
        .instance_type(InstanceType::T3Medium)
        .build();
    let call = ground.ec2.create_launch_template().launch_template_name(name);
    let made = call.launch_template_data(data).send().await.unwrap();
    made.launch_template.unwrap().launch_template_id.unwrap()
}

async fn new_group(emulator: &Emulator) -> NewGroup {
    let ground = Ground::lay(emulator).await;
    let template = template(&ground, "nodes", UBUNTU).await;
    NewGroup {
        name: "nodes".to_owned(),
        subnets: ground.subnets,
        launch: Launch {
            template,
            version: "1".to_owned(),
            mix: None,
        },
        sizes: Sizes {
            min: 1,
            max: 5,
            desired: Some(3),
        },
        health_check: HealthCheck {
            asks_load_balancers: false,
            grace_seconds: 300,
        },
        target_groups: Vec::new(),
        tags: tags("u1", "node-group/nodes"),
    }
}

#[tokio::test]
async fn why_a_group_starts_nothing_is_told() {
    let Some(emulator) = Emulator::start_or_skip("why_a_group_starts_nothing_is_told") else {
        return;
    };
    let (scaling, new) = (&emulator.calls.scaling, new_group(&emulator).await);
    scaling.create_group(&new).await.unwrap();
    assert_eq!(scaling.last_failure("nodes").await.unwrap(), None);

    let ground = Ground::lay(&emulator).await;
    let broken = Launch {
        template: template(&ground, "broken", "ami-00000000000000000").await,
        ..new.launch
    };
    let changes = GroupChanges {
        launch: Some(broken),
        ..GroupChanges::default()
    };
    scaling.update_group("nodes", &changes).await.unwrap();
    scaling.set_desired("nodes", 4).await.unwrap();
    let told = scaling.last_failure("nodes").await.unwrap().unwrap();
    assert!(told.contains("ami-00000000000000000"), "{told}");
}

async fn group(scaling: &Scaling) -> Group {
    let mut found = scaling.groups(&["nodes".to_owned()]).await.unwrap();
    assert_eq!(found.len(), 1);
    found.pop().unwrap()
}

fn ids(group: &Group) -> Vec<String> {
    let there = group.members.iter().filter(|member| member.is_in_service());
    there.map(|member| member.id.clone()).collect()
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "one life of a group, from its first call to its last"
)]
async fn groups_are_made_found_changed_and_deleted() {
    let Some(emulator) = Emulator::start_or_skip("groups_are_made_found_changed_and_deleted") else {
        return;
    };
    let (scaling, new) = (&emulator.calls.scaling, new_group(&emulator).await);
    scaling.create_group(&new).await.unwrap();
    let refused = scaling.create_group(&new).await.unwrap_err();
    assert!(refused.is(&["AlreadyExists"]), "{refused}");
    let made = group(scaling).await;
    assert_eq!((&made.tags, &made.launch), (&new.tags, &Some(new.launch.clone())));
    assert_eq!((made.sizes, &made.health_check), (new.sizes, &new.health_check));
    assert_eq!(made.subnets, new.subnets);
    assert_eq!(ids(&made).len(), 3);
    assert!(made.members.iter().all(|one| one.is_healthy && !one.is_protected));
    assert!(
        made.members
            .iter()
            .all(|one| one.template_version.as_deref() == Some("1"))
    );
    assert_eq!(scaling.owned("u1").await.unwrap(), std::slice::from_ref(&made));
    assert_eq!(scaling.owned("u").await.unwrap(), []);
    assert_eq!(
        scaling.groups(&[]).await.unwrap(),
        [],
        "none named is none, not all"
    );

    let mix = Mix {
        types: vec!["t3.large".to_owned(), "t3.medium".to_owned()],
        on_demand_base: 1,
        spot_percent: 50,
    };
    let changes = GroupChanges {
        subnets: Some(vec![new.subnets[0].clone()]),
        launch: Some(Launch {
            mix: Some(mix),
            ..new.launch.clone()
        }),
        sizes: Some(Sizes {
            min: 0,
            max: 4,
            desired: None,
        }),
        health_check: Some(HealthCheck {
            asks_load_balancers: true,
            grace_seconds: 60,
        }),
    };
    scaling.update_group("nodes", &changes).await.unwrap();
    let after = group(scaling).await;
    assert_eq!(
        (&after.launch, after.health_check),
        (&changes.launch, changes.health_check.unwrap())
    );
    assert_eq!(
        after.sizes,
        Sizes {
            min: 0,
            max: 4,
            desired: Some(3)
        }
    );
    assert_eq!((&after.subnets[..], &after.tags), (&new.subnets[..1], &new.tags));
    scaling
        .tag_group("nodes", &tags("u1", "node-group/other"))
        .await
        .unwrap();
    assert_eq!(group(scaling).await.tags, tags("u1", "node-group/other"));

    let refused = scaling.delete_group("nodes", false).await.unwrap_err();
    assert!(refused.is(&["ResourceInUse"]), "{refused}");
    emulator
        .moto
        .tell("POST", "settings", r#"{"delay": 60}"#)
        .unwrap();
    scaling.delete_group("nodes", true).await.unwrap();
    assert!(group(scaling).await.is_going);
    scaling.delete_group("nodes", true).await.unwrap();
    emulator
        .moto
        .tell("POST", "settings", r#"{"advance": 600}"#)
        .unwrap();
    assert_eq!(scaling.owned("u1").await.unwrap(), []);
    scaling.delete_group("nodes", false).await.unwrap();
}

#[tokio::test]
async fn instances_leave_a_group_in_every_way() {
    let Some(emulator) = Emulator::start_or_skip("instances_leave_a_group_in_every_way") else {
        return;
    };
    let (scaling, new) = (&emulator.calls.scaling, new_group(&emulator).await);
    scaling.create_group(&new).await.unwrap();
    let first = ids(&group(scaling).await);

    scaling.protect("nodes", &first[..1], true).await.unwrap();
    scaling.set_desired("nodes", 1).await.unwrap();
    let made = group(scaling).await;
    assert_eq!(ids(&made), first[..1], "the protected one stays");
    assert!(made.members[0].is_protected);
    scaling.protect("nodes", &first[..1], false).await.unwrap();

    scaling.set_desired("nodes", 3).await.unwrap();
    let members = ids(&group(scaling).await);
    scaling.detach("nodes", &members[..1], true).await.unwrap();
    let left = group(scaling).await;
    assert_eq!((left.sizes.desired, ids(&left)), (Some(2), members[1..].to_vec()));
    let many = vec![members[1].clone(); 21];
    assert!(
        scaling
            .detach("nodes", &many, true)
            .await
            .unwrap_err()
            .had_no_effect()
    );

    scaling.terminate(&members[1], true).await.unwrap();
    let left = group(scaling).await;
    assert_eq!((left.sizes.desired, ids(&left)), (Some(1), members[2..].to_vec()));
    scaling.terminate(&members[2], false).await.unwrap();
    let left = group(scaling).await;
    assert_eq!((left.sizes.desired, ids(&left).len()), (Some(1), 1));
    assert!(!ids(&left).contains(&members[2]), "another one has come");

    scaling.suspend("nodes", &[]).await.unwrap();
    assert!(
        group(scaling).await.suspended.is_empty(),
        "none named is none, not all"
    );
    scaling.suspend("nodes", &["Launch", "Terminate"]).await.unwrap();
    let mut suspended = group(scaling).await.suspended;
    suspended.sort();
    assert_eq!(suspended, ["Launch", "Terminate"]);
    scaling.resume("nodes", &["Launch"]).await.unwrap();
    assert_eq!(group(scaling).await.suspended, ["Terminate"]);
}

#[tokio::test]
async fn a_lost_create_is_told_and_the_group_found_by_its_mark_also_when_throttled() {
    let Some(emulator) = Emulator::start_or_skip("a_lost_create_is_told_and_the_group_found_by_its_mark")
    else {
        return;
    };
    let (scaling, new) = (&emulator.calls.scaling, new_group(&emulator).await);
    emulator.trouble(r#"{"kind": "lose", "action": "CreateAutoScalingGroup", "times": 1, "reset": true}"#);
    lost(scaling.create_group(&new).await);
    let found = scaling.owned("u1").await.unwrap();
    assert_eq!((found.len(), &found[0].tags), (1, &new.tags));

    emulator.trouble(r#"{"kind": "throttle", "share": 0.3, "seed": 7}"#);
    let second = NewGroup {
        name: "others".to_owned(),
        ..new.clone()
    };
    through_throttling(|| scaling.create_group(&second)).await;
    for desired in [1, 2, 3, 2, 1] {
        scaling.set_desired("others", desired).await.unwrap();
    }
    let names = ["nodes".to_owned(), "others".to_owned()];
    assert_eq!(scaling.groups(&names).await.unwrap().len(), 2);
    for name in &names {
        scaling.delete_group(name, true).await.unwrap();
    }
}
