//! A cluster from the first to nothing.

use keelson_aws_calls::dns::{NewPrivateZone, ZoneVpc};
use keelson_aws_calls::ec2::Filters;
use keelson_aws_calls::elb::{HealthCheck, NewTargetGroup, TargetType};
use keelson_aws_calls::mark::RESOURCE;
use keelson_provider_api::kinds::{
    DnsRecord, Firewall, FirewallRule, GroupMachine, NodeGroup, Role, Through, WayOut,
};
use keelson_provider_aws::permissions::policy_of_life;
use keelson_provider_aws::{PrivateZone, instance_profile_name};
use serde_json::json;

use super::*;
use crate::places::key;

/// Asked for once in an account, by a service of AWS in the name of whoever needs it first.
const OF_SERVICES: &str = "iam:CreateServiceLinkedRole";

#[tokio::test]
async fn each_change_asks_for_what_its_policy_allows_and_a_life_for_all_that_its_policy_allows() {
    let Some(scene) = Scene::start_or_skip("each_change_asks_for_what_its_policy_allows") else {
        return;
    };
    Box::pin(lives(&scene)).await;
}

#[tokio::test]
async fn so_it_is_of_names_in_a_private_zone() {
    let zone = PrivateZone {
        name: ZONE.to_owned(),
        region: REGION.to_owned(),
        existing_vpc: None,
    };
    let test = "what_is_asked_of_a_private_zone_is_allowed";
    let Some(scene) = Scene::with_names_in(EdgeZone::Private(zone), test) else {
        return;
    };
    let theirs = scene.hands.ec2.create_vpc("10.30.0.0/16", &BTreeMap::new()).await;
    let theirs = NewPrivateZone {
        name: ZONE.to_owned(),
        vpc: ZoneVpc {
            id: theirs.unwrap(),
            region: REGION.to_owned(),
        },
        caller_reference: "theirs".to_owned(),
        comment: String::new(),
    };
    scene.hands.dns.create_private_zone(&theirs).await.unwrap();
    Box::pin(lives(&scene)).await;
}

/// From the first to nothing.
async fn lives(scene: &Scene) {
    let mut asked = scene.apply(&[]).await;
    asked.extend(scene.bring(&wanted::all()).await);
    asked.extend(scene.apply(&[]).await);
    assert_eq!(
        scene.bring(&wanted::all()).await,
        BTreeSet::new(),
        "nothing is to be done"
    );

    change_by_hand(scene).await;
    asked.extend(scene.bring(&wanted::all()).await);
    asked.extend(scene.bring(&changed()).await);
    asked.extend(look_at_a_group_that_lacks_a_machine(scene).await);
    asked.extend(let_a_machine_go(scene).await);
    make_leftovers(scene).await;
    asked.extend(scene.take_away().await);
    assert_eq!(scene.look().await.owned().count(), 0);

    let allowed = actions(&policy_of_life(&scene.scope()));
    let missing: Vec<&String> = asked.difference(&allowed).collect();
    assert_eq!(missing, Vec::<&String>::new(), "are asked for, and not allowed");
    let unused: Vec<&String> = allowed.difference(&asked).collect();
    assert_eq!(unused, [OF_SERVICES], "are allowed, and never asked for");
}

/// What no spec says can only be changed by hand: whom a role trusts, where a listener leads.
async fn change_by_hand(scene: &Scene) {
    let AwsCalls { elb, iam, .. } = &scene.hands;
    let principal = json!({ "Service": "ssm.amazonaws.com" });
    let statement = json!({ "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal });
    let trust = json!({ "Version": "2012-10-17", "Statement": [statement] });
    let node = instance_profile_name(&scene.cluster, "node");
    iam.set_trust(&node, &trust).await.unwrap();

    let owned = elb.owned("one").await.unwrap();
    let balancer = &owned.load_balancers[0];
    let elsewhere = NewTargetGroup {
        name: "elsewhere".to_owned(),
        vpc: balancer.vpc.clone(),
        port: 6443,
        target_type: TargetType::Instance,
        health_check: HealthCheck::Tcp,
        tags: BTreeMap::new(),
    };
    let elsewhere = elb.create_target_group(&elsewhere).await.unwrap();
    let listener = elb.listeners(&balancer.arn).await.unwrap().remove(0);
    elb.forward_listener(&listener.arn, &elsewhere.arn).await.unwrap();
}

async fn look_at_a_group_that_lacks_a_machine(scene: &Scene) -> BTreeSet<String> {
    let AwsCalls { scaling, ec2, .. } = &scene.hands;
    let group = scaling.owned("one").await.unwrap().remove(0);
    scaling.suspend(&group.name, &["Launch"]).await.unwrap();
    ec2.terminate_instances(&[group.members[0].id.clone()])
        .await
        .unwrap();
    let asked = scene.apply(&[]).await;
    scaling.resume(&group.name, &["Launch"]).await.unwrap();
    // Whatever changes about it has it look after its machines.
    let desired = group.sizes.desired.unwrap();
    scaling.set_desired(&group.name, desired).await.unwrap();
    asked
}

async fn let_a_machine_go(scene: &Scene) -> BTreeSet<String> {
    let observation = scene.look().await;
    let mut machines = observation.owned_of(Kind::GroupMachine);
    let (key, existing) = machines.next().unwrap();
    let Resource::GroupMachine(machine) = &existing.resource else {
        unreachable!("it is a machine of a group")
    };
    let resource: Resource = GroupMachine {
        detached: true,
        ..machine.clone()
    }
    .into();
    let update = Action::Update {
        id: existing.id.clone(),
        differences: existing.resource.differences(&resource),
        resource: Box::new(resource),
    };
    scene.apply(&[change(key, update)]).await
}

/// What the cluster's controllers make.
async fn make_leftovers(scene: &Scene) {
    let owned = Filters::of_cluster("one");
    let vpc = scene.hands.ec2.list_vpcs(&owned).await.unwrap().remove(0).id;
    let subnet = owned.with_tag(RESOURCE, "subnet/a-public");
    let subnet = scene.hands.ec2.list_subnets(&subnet).await.unwrap().remove(0).id;
    let name = scene.cluster.name.as_str();
    crate::leftovers::make_all_for(&scene.moto, &scene.hands, name, "front", &vpc, &subnet).await;
}

/// All of it, with whatever can be changed changed.
fn changed() -> Wanted {
    wanted::all()
        .into_iter()
        .map(|(key, resource)| (key.clone(), other(&key, resource)))
        .collect()
}

fn other(key: &ResourceKey, resource: Resource) -> Resource {
    match (resource, key.name()) {
        (Resource::Firewall(firewall), "nodes") => other_firewall(firewall).into(),
        (Resource::WayOut(way), "a") => WayOut {
            subnets: Vec::new(),
            through: Through::Internet,
            ..way
        }
        .into(),
        (Resource::Role(_), "control-plane") => Role {
            policies: vec![wanted::arn("logs")],
            statements: json!([]),
            boundary: None,
            ..wanted::control_plane_role()
        }
        .into(),
        (Resource::Role(_), _) => Role {
            boundary: Some(wanted::arn("boundary")),
            ..wanted::node_role()
        }
        .into(),
        (Resource::Volume(_), _) => wanted::volume(30).into(),
        (Resource::NetworkInterface(interface), _) => {
            let is_public = !interface.public;
            let firewall = if is_public { "nodes" } else { "control-plane" };
            let mut other = interface;
            (other.public, other.firewall) = (is_public, firewall.to_owned());
            other.into()
        }
        (Resource::Machine(_), "w") => {
            let mut machine = wanted::worker("control-plane", "control-plane");
            "others".clone_into(&mut machine.group);
            machine.into()
        }
        (Resource::Machine(_), "n") => wanted::worker("nodes", "node").into(),
        (Resource::NodeGroup(group), _) => NodeGroup {
            min: 2,
            machine_type: Some("m5.large".to_owned()),
            types: Vec::new(),
            subnets: vec!["a-private".to_owned(), "b-public".to_owned()],
            ..group
        }
        .into(),
        (Resource::LoadBalancer(_), _) => {
            let mut balancer = wanted::balancer(443);
            balancer.subnets = vec!["a-private".to_owned(), "b-public".to_owned()];
            balancer.firewall = Some("control-plane".to_owned());
            balancer.into()
        }
        (Resource::DnsRecord(record), _) => DnsRecord {
            ttl_seconds: 120,
            ..record
        }
        .into(),
        (resource, _) => resource,
    }
}

/// One rule less, and another one for another purpose.
fn other_firewall(firewall: Firewall) -> Firewall {
    let mut rules = firewall.rules;
    rules.truncate(2);
    "something else".clone_into(&mut rules[0].purpose);
    Firewall {
        rules: FirewallRule::in_order(rules),
        ..firewall
    }
}

#[tokio::test]
async fn a_policy_for_one_change_does_not_allow_another() {
    let Some(scene) = Scene::start_or_skip("a_policy_for_one_change_does_not_allow") else {
        return;
    };
    let network = wanted::all().remove(0);
    let create = create(&key(Kind::Network, "main"), &network.1, 0);
    scene.apply(std::slice::from_ref(&create)).await;
    // Whoever may only look is not allowed what was asked for just now.
    let looks = Allowed::by(&policy_of_changes(&scene.scope(), []));
    let told = std::panic::catch_unwind(|| journal::check(&scene.moto, &looks, "a look"));
    let told = *told.unwrap_err().downcast::<String>().unwrap();
    for action in [
        "ec2:CreateVpc",
        "ec2:CreateTags",
        "ec2:CreateInternetGateway",
        "ec2:ModifyVpcAttribute",
    ] {
        assert!(told.contains(&format!("{action} is not allowed\"")), "{told}");
    }
}
