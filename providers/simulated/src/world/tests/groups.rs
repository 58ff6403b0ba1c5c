use std::time::Duration;

use keelson_provider_api::kinds::{Firewall, GroupMachine, Kind, NodeGroup};
use keelson_provider_api::values::{Digest, Version};
use keelson_provider_api::{
    Action, Disruption, ErrorClass, Existing, Health, Observed, Outcome, Resource, ResourceKey,
};

use crate::Like;
use crate::testing::{Fixture, Keyed, change, create, rejection};

fn group(replicas: u32) -> NodeGroup {
    NodeGroup {
        min: replicas,
        max: replicas,
        replicas,
        max_surge: 0,
        subnets: Vec::new(),
        firewall: "nodes".to_owned(),
        role: None,
        machine_type: None,
        types: Vec::new(),
        image: None,
        root_volume: None,
        kms_key: None,
        spot_share: None,
        kubernetes_version: Version::new(1, 36, 2),
        labels: std::collections::BTreeMap::new(),
        taints: Vec::new(),
        settings: Digest::of_bytes(b""),
    }
}

fn keyed(group: NodeGroup) -> Keyed {
    (ResourceKey::new(Kind::NodeGroup, "workers"), group.into())
}

/// Three control planes behind a balancer, and the firewall of nodes.
async fn ground() -> Fixture {
    let fixture = Fixture::with_three(Like::Aws).await;
    fixture.done(Fixture::network("main")).await;
    let firewall = Firewall {
        network: "main".to_owned(),
        rules: Vec::new(),
    };
    fixture
        .done((ResourceKey::new(Kind::Firewall, "nodes"), firewall.into()))
        .await;
    fixture.done(Fixture::load_balancer()).await;
    fixture.done(Fixture::target("a")).await;
    fixture
}

async fn machines(fixture: &Fixture) -> Vec<(ResourceKey, GroupMachine)> {
    let seen = fixture.observe(Kind::GroupMachine, &[]).await;
    let machine = |(name, observed): (String, Observed<Existing>)| match observed {
        Observed::Present(existing) => match existing.resource {
            Resource::GroupMachine(machine) => (ResourceKey::new(Kind::GroupMachine, name), machine),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    seen.into_iter().map(machine).collect()
}

async fn health(fixture: &Fixture) -> Health {
    fixture.existing(&keyed(group(3)).0).await.health
}

/// Removes a machine as a plan does.
async fn remove(fixture: &Fixture, key: &ResourceKey) -> Outcome {
    let existing = Box::new(fixture.existing(key).await);
    let action = Action::Delete { existing };
    let removal = change(key.clone(), action, Disruption::Drain);
    fixture.carry_out(&removal).await
}

#[tokio::test]
async fn a_group_is_made_when_its_machines_are_nodes() {
    let fixture = ground().await;
    fixture.done(keyed(group(3))).await;
    let made = machines(&fixture).await;
    assert_eq!(made.len(), 3);
    let nodes = fixture.observe(Kind::Node, &[]).await;
    for (key, machine) in &made {
        assert!(key.name().starts_with("i-0"), "{key}");
        assert_eq!(machine.template, group(3).template());
        assert!(nodes.contains_key(&machine.node), "{nodes:?}");
    }
    assert_eq!(health(&fixture).await, Health::Healthy);
    // Time goes by, and nothing else happens.
    fixture.wait(Duration::from_secs(3600)).await;
    assert_eq!(machines(&fixture).await, made);
    let (class, message) = rejection(
        fixture
            .carry_out(&create((
                ResourceKey::new(Kind::GroupMachine, "i-1"),
                made[0].1.clone().into(),
            )))
            .await,
    );
    assert_eq!(
        (class, message.as_str()),
        (ErrorClass::Permanent, "a group makes its machines by itself")
    );
}

#[tokio::test]
async fn what_is_lost_is_replaced_and_its_node_is_left() {
    let fixture = ground().await;
    fixture.done(keyed(group(3))).await;
    let lost = machines(&fixture).await.remove(0);
    let cluster = &fixture.context.cluster;
    fixture
        .world
        .kill_machine(cluster, lost.0.name(), Duration::ZERO)
        .unwrap();
    assert_eq!(
        health(&fixture).await,
        Health::Impaired("2 of 3 nodes are Ready".to_owned())
    );
    fixture.wait(Duration::from_secs(120)).await;
    assert_eq!(health(&fixture).await, Health::Healthy);
    let now = machines(&fixture).await;
    assert!(now.len() == 3 && !now.contains(&lost), "{now:?}");
    let node = fixture
        .existing(&ResourceKey::new(Kind::Node, &*lost.1.node))
        .await;
    assert!(matches!(node.health, Health::Unhealthy(_)), "{:?}", node.health);
    let left = ResourceKey::new(Kind::Node, &*lost.1.node);
    assert_eq!(fixture.delete(&left).await, Outcome::Done);
    assert_eq!(fixture.observe(Kind::Node, &[]).await.len(), 3);
}

#[tokio::test]
async fn machines_are_replaced_by_ones_of_the_new_template() {
    for (max_surge, most_away) in [(0, 1), (1, 0)] {
        let fixture = ground().await;
        let old = NodeGroup {
            max_surge,
            ..group(2)
        };
        fixture.done(keyed(old.clone())).await;
        let before = machines(&fixture).await;
        let new = NodeGroup {
            kubernetes_version: Version::new(1, 36, 3),
            ..old
        };
        let updated = fixture.update(keyed(new.clone()), Disruption::None).await;
        assert_eq!(updated, Outcome::Done);
        assert_eq!(machines(&fixture).await, before, "they are outdated, and stay");
        for (key, machine) in &before {
            if max_surge > 0 {
                let let_go = GroupMachine {
                    detached: true,
                    ..machine.clone()
                };
                let let_go = fixture
                    .update((key.clone(), let_go.into()), Disruption::None)
                    .await;
                assert_eq!((let_go, machines(&fixture).await.len()), (Outcome::Done, 3));
            }
            assert_eq!(remove(&fixture, key).await, Outcome::Done);
            assert_eq!(health(&fixture).await, Health::Healthy, "another has come");
        }
        let after = machines(&fixture).await;
        assert!(
            after
                .iter()
                .all(|(_, machine)| machine.template == new.template() && !machine.detached)
        );
        assert_eq!(
            (after.len(), fixture.observe(Kind::Node, &[]).await.len()),
            (2, 2)
        );
        let away = fixture.world.unavailable_peak();
        assert_eq!(away.get("workers"), Some(&most_away), "{max_surge}");
    }
}

#[tokio::test]
async fn a_group_holds_what_it_is_told_or_what_something_else_has_set() {
    let fixture = ground().await;
    fixture.done(keyed(group(1))).await;
    for (wanted, holds) in [
        (group(3), 3),
        (group(2), 2),
        // From here on something scales it.
        (
            NodeGroup {
                min: 1,
                max: 5,
                ..group(4)
            },
            2,
        ),
        (
            NodeGroup {
                min: 3,
                max: 5,
                ..group(4)
            },
            3,
        ),
    ] {
        let updated = fixture.update(keyed(wanted.clone()), Disruption::None).await;
        assert_eq!(updated, Outcome::Done, "{wanted:?}");
        assert_eq!(machines(&fixture).await.len(), holds, "{wanted:?}");
        assert_eq!(fixture.observe(Kind::Node, &[]).await.len(), holds, "{wanted:?}");
    }
}

#[tokio::test]
async fn a_group_ends_with_all_that_it_has_made() {
    let fixture = ground().await;
    fixture.done(keyed(group(2))).await;
    let firewall = ResourceKey::new(Kind::Firewall, "nodes");
    let (_, message) = rejection(fixture.delete(&firewall).await);
    assert_eq!(
        message,
        "dependency violation: firewall/nodes is used by node-group/workers"
    );
    assert_eq!(fixture.delete(&keyed(group(2)).0).await, Outcome::Done);
    for kind in [Kind::NodeGroup, Kind::GroupMachine, Kind::Node] {
        assert!(fixture.observe(kind, &[]).await.is_empty(), "{kind}");
    }
    assert_eq!(fixture.delete(&firewall).await, Outcome::Done);
}

#[tokio::test]
async fn machines_wait_for_an_api_that_answers() {
    let fixture = Fixture::like(Like::Aws);
    fixture.done(Fixture::network("main")).await;
    let firewall = Firewall {
        network: "main".to_owned(),
        rules: Vec::new(),
    };
    fixture
        .done((ResourceKey::new(Kind::Firewall, "nodes"), firewall.into()))
        .await;
    match fixture.carry_out(&create(keyed(group(1)))).await {
        Outcome::Indeterminate(error) => assert!(error.message.contains("is not Ready"), "{error:?}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(machines(&fixture).await.len(), 1);
    assert_eq!(
        health(&fixture).await,
        Health::Unhealthy("0 of 1 nodes are Ready".to_owned())
    );
}
