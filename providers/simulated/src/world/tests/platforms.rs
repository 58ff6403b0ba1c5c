use std::time::Duration;

use keelson_provider_api::kinds::{Kind, MemberStart};
use keelson_provider_api::{Disruption, ErrorClass, Health, Observed, Outcome, ResourceKey};

use crate::Like;
use crate::testing::{Fixture, create, identity, rejection};

#[tokio::test]
async fn three_control_planes_come_up_everywhere() {
    for like in [Like::Aws, Like::Digitalocean, Like::Ssh] {
        let fixture = Fixture::with_three(like).await;
        let footprint = fixture.world.footprint(&fixture.context.cluster);
        assert_eq!(footprint.len(), 12);
        assert!(
            footprint.values().all(|existing| existing.health.is_healthy()),
            "{footprint:?}"
        );
        assert_eq!(fixture.world.violations(), []);
    }
}

#[tokio::test]
async fn two_worlds_with_one_seed_are_the_same() {
    let run = async || {
        let fixture = Fixture::with_three(Like::Aws).await;
        fixture.world.footprint(&fixture.context.cluster)
    };
    assert_eq!(run().await, run().await);
}

#[tokio::test]
async fn bare_machines_are_claimed_where_they_stand() {
    let fixture = Fixture::like(Like::Ssh);
    let key = ResourceKey::new(Kind::Machine, "a");
    let (class, message) = rejection(fixture.carry_out(&create(Fixture::machine("a"))).await);
    assert_eq!(class, ErrorClass::Permanent);
    assert!(message.contains("No route to host"), "{message}");
    fixture.world.add_host("a", "10.0.0.11").unwrap();
    fixture.done(Fixture::machine("a")).await;
    fixture.done(Fixture::machine("a")).await;
    let mut other = Fixture::over(fixture.world.clone());
    other.context.cluster = identity("other", "two");
    let (class, message) = rejection(other.carry_out(&create(Fixture::machine("a"))).await);
    assert_eq!(
        (class, message.as_str()),
        (
            ErrorClass::Permanent,
            "host a carries the marker of cluster prod (one)"
        )
    );
    assert!(matches!(
        other.observe(Kind::Machine, &["a"]).await.get("a"),
        Some(Observed::Present(_))
    ));
    assert_eq!(fixture.delete(&key).await, Outcome::Done);
    other.done(Fixture::machine("a")).await;
}

#[tokio::test]
async fn a_power_cut_passes_and_the_data_is_still_there() {
    let fixture = Fixture::with_three(Like::Ssh).await;
    let pause = Duration::from_secs(90);
    fixture
        .world
        .kill_machine(&fixture.context.cluster, "a", pause)
        .unwrap();
    let machines = fixture.observe(Kind::Machine, &[]).await;
    let Some(Observed::Unknown(reason)) = machines.get("a") else {
        panic!("{machines:?}")
    };
    assert_eq!(
        reason,
        "unreachable: ssh: connect to host a port 22: Connection timed out"
    );
    let member = fixture
        .existing(&ResourceKey::new(Kind::EtcdMember, "main:a"))
        .await;
    assert!(
        matches!(member.health, Health::Unhealthy(_)),
        "the others know of it"
    );
    fixture.wait(pause).await;
    assert!(
        fixture
            .world
            .footprint(&fixture.context.cluster)
            .values()
            .all(|thing| thing.health.is_healthy())
    );
}

#[tokio::test]
async fn a_dead_cloud_machine_is_gone_and_its_place_can_be_taken() {
    let fixture = Fixture::with_three(Like::Aws).await;
    fixture
        .world
        .kill_machine(&fixture.context.cluster, "a", Duration::ZERO)
        .unwrap();
    assert!(!fixture.observe(Kind::Machine, &["a"]).await.contains_key("a"));
    fixture.done(Fixture::machine("a")).await;
    fixture.done(Fixture::bundle("a", 36)).await;
    let (class, message) = rejection(
        fixture
            .carry_out(&create(Fixture::member("a", MemberStart::Join)))
            .await,
    );
    assert_eq!(class, ErrorClass::Permanent);
    assert!(
        message.starts_with("etcdserver: Peer URLs already exists"),
        "{message}"
    );
    assert_eq!(
        fixture
            .delete(&ResourceKey::new(Kind::EtcdMember, "main:a"))
            .await,
        Outcome::Done
    );
    fixture.done(Fixture::member("a", MemberStart::Join)).await;
    fixture.done(Fixture::control_plane("a")).await;
    assert!(
        fixture
            .world
            .footprint(&fixture.context.cluster)
            .values()
            .all(|thing| thing.health.is_healthy())
    );
    assert_eq!(fixture.world.violations(), []);
}

#[tokio::test]
async fn a_worker_needs_an_api_that_answers_at_its_endpoint() {
    let fixture = Fixture::with_three(Like::Aws).await;
    fixture.done(Fixture::network("main")).await;
    fixture.done(Fixture::load_balancer()).await;
    fixture.done(Fixture::machine("w")).await;
    fixture.done(Fixture::bundle("w", 36)).await;
    let (class, message) = rejection(fixture.carry_out(&create(Fixture::node("w"))).await);
    assert_eq!(class, ErrorClass::Transient);
    assert_eq!(
        message,
        "node/w did not become ready in 5m: no target of the load balancer is healthy"
    );
    fixture.done(Fixture::target("a")).await;
    fixture.done(Fixture::node("w")).await;
    let (_, message) = rejection(fixture.delete(&ResourceKey::new(Kind::LoadBalancer, "api")).await);
    assert!(message.starts_with("dependency violation"), "{message}");
}

#[tokio::test]
async fn a_drained_node_is_away_while_its_bundle_changes() {
    let fixture = Fixture::with_three(Like::Aws).await;
    let workers = ["w1", "w2"];
    fixture.done_all(workers.map(Fixture::machine)).await;
    fixture
        .done_all(workers.map(|name| Fixture::bundle(name, 35)))
        .await;
    fixture.done_all(workers.map(Fixture::node)).await;
    for name in workers {
        assert_eq!(
            fixture.update(Fixture::bundle(name, 36), Disruption::Drain).await,
            Outcome::Done
        );
        let node = ResourceKey::new(Kind::Node, name);
        fixture.wait(Duration::from_secs(60)).await;
        assert!(fixture.existing(&node).await.health.is_healthy());
    }
    assert_eq!(fixture.world.unavailable_peak()["workers"], 1);
    assert_eq!(
        fixture.delete(&ResourceKey::new(Kind::Machine, "w1")).await,
        Outcome::Done
    );
    let left = fixture.existing(&ResourceKey::new(Kind::Node, "w1")).await;
    assert_eq!(left.health, Health::Unhealthy("machine w1 is gone".to_owned()));
    assert_eq!(
        fixture.delete(&ResourceKey::new(Kind::Node, "w1")).await,
        Outcome::Done
    );
}
