use std::collections::BTreeSet;

use keelson_provider_api::kinds::{DnsRecord, Kind, Subnet};
use keelson_provider_api::{Action, Disruption, ErrorClass, Observed, Outcome, Owner, Provider, ResourceKey};

use crate::testing::{Fixture, Keyed, change, create, identity, rejection};
use crate::{Like, Rule, SimulatedProvider};

fn subnet() -> Keyed {
    let subnet = Subnet {
        network: "main".to_owned(),
        zone: "a".to_owned(),
        cidr: "10.0.0.0/20".parse().unwrap(),
        public: false,
    };
    (ResourceKey::new(Kind::Subnet, "a"), subnet.into())
}

fn record(ttl_seconds: u32) -> Keyed {
    let record = DnsRecord {
        zone: "example.com".to_owned(),
        target: ResourceKey::new(Kind::LoadBalancer, "api"),
        ttl_seconds,
    };
    (
        ResourceKey::new(Kind::DnsRecord, "api.prod.example.com"),
        record.into(),
    )
}

fn create_as(keyed: Keyed, generation: u32) -> keelson_provider_api::Change {
    let action = Action::Create {
        resource: Box::new(keyed.1),
        generation,
    };
    change(keyed.0, action, Disruption::None)
}

#[tokio::test]
async fn nothing_is_made_before_what_it_stands_on_nor_taken_from_under_it() {
    let fixture = Fixture::like(Like::Aws);
    let (class, message) = rejection(fixture.carry_out(&create(subnet())).await);
    assert_eq!(
        (class, message.as_str()),
        (
            ErrorClass::Permanent,
            "dependency violation: network/main does not exist"
        )
    );
    fixture.done(Fixture::network("main")).await;
    fixture.done(subnet()).await;
    let (class, message) = rejection(fixture.delete(&ResourceKey::new(Kind::Network, "main")).await);
    assert_eq!(
        (class, message.as_str()),
        (
            ErrorClass::Permanent,
            "dependency violation: network/main is used by subnet/a"
        )
    );
    assert_eq!(fixture.delete(&subnet().0).await, Outcome::Done);
    assert_eq!(
        fixture.delete(&ResourceKey::new(Kind::Network, "main")).await,
        Outcome::Done
    );
}

#[tokio::test]
async fn the_same_token_makes_one_thing_and_another_token_makes_two() {
    let fixture = Fixture::like(Like::Aws);
    for _ in 0..3 {
        fixture.done(Fixture::machine("a")).await;
    }
    assert_eq!(fixture.world.footprint(&fixture.context.cluster).len(), 1);
    assert_eq!(fixture.world.violations(), []);
    assert_eq!(
        fixture.carry_out(&create_as(Fixture::machine("a"), 1)).await,
        Outcome::Done
    );
    assert_eq!(fixture.world.footprint(&fixture.context.cluster).len(), 2);
    assert_eq!(fixture.world.violations()[0].rule, Rule::MadeTwice);
}

#[tokio::test]
async fn what_is_gone_is_remembered_and_its_token_makes_the_next_incarnation() {
    let fixture = Fixture::like(Like::Aws);
    let key = ResourceKey::new(Kind::Machine, "a");
    fixture.done(Fixture::machine("a")).await;
    let first = fixture.existing(&key).await;
    assert_eq!(fixture.delete(&key).await, Outcome::Done);
    fixture.done(Fixture::machine("a")).await;
    let second = fixture.existing(&key).await;
    assert_eq!((first.generation, second.generation), (0, 1));
    assert_ne!(first.id, second.id);
    let cloud = SimulatedProvider::cloud(&fixture.world, 1);
    let mut retired = None;
    let clock = fixture.world.clock();
    keelson_provider_api::Clock::drive(
        &*clock,
        Box::pin(async {
            let cluster = &fixture.context.cluster;
            let seen = cloud
                .observe(cluster, Kind::Machine, &BTreeSet::new())
                .await
                .unwrap();
            retired = seen.retired_generations.get(&key).copied();
        }),
    )
    .await;
    assert_eq!(retired, Some(0));
    // A delete of the first one, decided long ago, does not touch the second.
    let late = change(
        key.clone(),
        Action::Delete {
            existing: Box::new(first),
        },
        Disruption::Removal,
    );
    assert_eq!(fixture.carry_out(&late).await, Outcome::Done);
    assert_eq!(fixture.existing(&key).await.id, second.id);
}

#[tokio::test]
async fn kinds_that_go_by_name_exist_once() {
    let fixture = Fixture::like(Like::Aws);
    fixture.done(Fixture::network("main")).await;
    fixture.done(Fixture::load_balancer()).await;
    fixture.done(record(60)).await;
    fixture.done(record(60)).await;
    let (class, message) = rejection(fixture.carry_out(&create(record(30))).await);
    assert_eq!(
        (class, message.as_str()),
        (
            ErrorClass::Permanent,
            "dns-record/api.prod.example.com exists already with another ttlSeconds"
        )
    );
    assert_eq!(fixture.update(record(30), Disruption::None).await, Outcome::Done);
}

#[tokio::test]
async fn what_belongs_to_others_is_seen_and_never_touched() {
    let fixture = Fixture::like(Like::Aws);
    let near = identity("prod-2", "two");
    for keyed in [Fixture::machine("a"), Fixture::network("main")] {
        fixture.world.add_foreign(&near, keyed.0, keyed.1).unwrap();
    }
    let by_hand = record(300);
    fixture
        .world
        .add_unowned("somebody by hand", by_hand.0, by_hand.1)
        .unwrap();
    let before = fixture.world.foreign(&fixture.context.cluster);
    assert_eq!(before.len(), 3);
    assert!(
        fixture.observe(Kind::Machine, &["a"]).await.is_empty(),
        "a cloud knows machines by id"
    );
    let seen = fixture.observe(Kind::DnsRecord, &["api.prod.example.com"]).await;
    let Some(Observed::Present(existing)) = seen.get("api.prod.example.com") else {
        panic!("{seen:?}")
    };
    assert_eq!(existing.owner, Owner::Other("somebody by hand".to_owned()));
    let (class, _) = rejection(fixture.carry_out(&create(record(60))).await);
    assert_eq!(class, ErrorClass::Permanent);
    let action = Action::Delete {
        existing: Box::new(existing.clone()),
    };
    let (class, _) = rejection(
        fixture
            .carry_out(&change(record(60).0, action, Disruption::Removal))
            .await,
    );
    assert_eq!(class, ErrorClass::Permanent);
    assert_eq!(fixture.world.violations()[0].rule, Rule::ForeignTouched);
    fixture.done(Fixture::machine("a")).await;
    assert_eq!(fixture.world.foreign(&fixture.context.cluster), before);
}

#[tokio::test]
async fn another_life_of_the_same_cluster_is_somebody_else() {
    let fixture = Fixture::like(Like::Aws);
    let former = identity("prod", "zero");
    for keyed in [Fixture::network("main"), subnet()] {
        fixture.world.add_foreign(&former, keyed.0, keyed.1).unwrap();
    }
    fixture.done(Fixture::network("main")).await;
    let (class, message) = rejection(fixture.carry_out(&create(subnet())).await);
    assert_eq!(class, ErrorClass::Permanent);
    assert_eq!(
        message,
        "subnet/a exists already and belongs to cluster prod (zero)"
    );
}

#[tokio::test]
async fn what_cannot_change_in_place_is_refused() {
    let fixture = Fixture::like(Like::Aws);
    fixture.done(Fixture::machine("a")).await;
    let (key, mut resource) = Fixture::machine("a");
    if let keelson_provider_api::Resource::Machine(machine) = &mut resource {
        machine.zone = Some("b".to_owned());
    }
    let (class, message) = rejection(fixture.update((key, resource), Disruption::None).await);
    assert_eq!(
        (class, message.as_str()),
        (
            ErrorClass::Permanent,
            "zone of machine/a cannot be changed in place"
        )
    );
}
