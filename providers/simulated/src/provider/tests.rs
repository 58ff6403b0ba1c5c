use std::time::Duration;

use keelson_provider_api::kinds::{Kind, MemberStart};
use keelson_provider_api::{Clock, ErrorClass, Observed, Outcome, Provider, ResourceKey};

use super::*;
use crate::testing::{Fixture, Keyed, create, rejection};
use crate::{CrashPoint, FaultPlan, Like};

#[test]
fn every_kind_belongs_to_exactly_one_side() {
    let fixture = Fixture::like(Like::Aws);
    let mut kinds: Vec<Kind> = providers(&fixture.world)
        .iter()
        .flat_map(|provider| provider.kinds().to_vec())
        .collect();
    kinds.sort();
    assert_eq!(kinds, KINDS.iter().map(|info| info.kind).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_overtaken_lease_changes_nothing_any_more() {
    let fixture = Fixture::like(Like::Aws);
    let mut newer = fixture.context.clone();
    newer.fencing_generation = 2;
    let first = create(Fixture::machine("a"));
    assert_eq!(fixture.carry_out_as(&newer, &first).await, Outcome::Done);
    let (class, message) = rejection(fixture.carry_out(&create(Fixture::machine("b"))).await);
    assert_eq!(
        (class, message.as_str()),
        (
            ErrorClass::Fenced,
            "fencing generation 1 is over: 2 has been seen"
        )
    );
    assert_eq!(fixture.world.footprint(&fixture.context.cluster).len(), 1);
    assert_eq!(fixture.world.fenced_writes(), 1);
}

#[tokio::test]
async fn a_lease_that_is_overtaken_under_way_has_no_effect() {
    let fixture = Fixture::like(Like::Aws);
    let cloud = SimulatedProvider::cloud(&fixture.world, 8);
    let mut newer = fixture.context.clone();
    newer.fencing_generation = 2;
    let (slow, quick) = (create(Fixture::machine("a")), create(Fixture::network("main")));
    let mut ends = None;
    let clock = fixture.world.clock();
    let both = async {
        ends = Some(tokio::join!(
            cloud.carry_out(&fixture.context, &slow),
            cloud.carry_out(&newer, &quick)
        ));
    };
    clock.drive(Box::pin(both)).await;
    let (slow, quick) = ends.unwrap();
    assert_eq!(quick, Outcome::Done);
    assert_eq!(rejection(slow).0, ErrorClass::Fenced);
    assert_eq!(fixture.world.footprint(&fixture.context.cluster).len(), 1);
}

#[tokio::test]
async fn a_change_that_is_dropped_before_its_effect_leaves_none() {
    let fixture = Fixture::like(Like::Aws);
    let cloud = SimulatedProvider::cloud(&fixture.world, 8);
    let change = create(Fixture::machine("a"));
    let clock = fixture.world.clock();
    clock
        .drive(Box::pin(async {
            tokio::select! {
                _ = cloud.carry_out(&fixture.context, &change) => panic!("a machine takes longer than that"),
                () = clock.sleep(Duration::from_secs(5)) => {}
            }
        }))
        .await;
    assert!(fixture.world.footprint(&fixture.context.cluster).is_empty());
}

#[tokio::test]
async fn a_crash_comes_before_or_after_the_effect() {
    for (moment, things) in [(CrashMoment::BeforeEffect, 1), (CrashMoment::AfterEffect, 2)] {
        let fixture = Fixture::like(Like::Aws);
        fixture.world.crash_at(Some(CrashPoint {
            write_index: 1,
            moment,
        }));
        fixture.done(Fixture::machine("a")).await;
        let second = create(Fixture::machine("b"));
        tokio::select! {
            outcome = fixture.carry_out(&second) => panic!("{outcome:?}"),
            () = fixture.world.crashed() => {}
        }
        assert_eq!(
            fixture.world.footprint(&fixture.context.cluster).len(),
            things,
            "{moment:?}"
        );
        fixture.world.restart();
        fixture.done(Fixture::machine("b")).await;
        assert_eq!(fixture.world.footprint(&fixture.context.cluster).len(), 2);
        assert_eq!(fixture.world.violations(), []);
        assert_eq!(fixture.world.writes(), 3);
    }
}

/// Carries a create out with as much patience as it takes, as the executor does.
async fn patiently(fixture: &Fixture, keyed: Keyed) {
    let change = create(keyed);
    for _ in 0..20 {
        match fixture.carry_out(&change).await {
            Outcome::Done => return,
            Outcome::Rejected(error) if error.class == ErrorClass::Permanent => panic!("{change}: {error}"),
            Outcome::Rejected(_) | Outcome::Indeterminate(_) => {}
        }
    }
    panic!("{change} never ended well");
}

#[tokio::test]
async fn patience_wins_over_every_seed() {
    for seed in 1..=20 {
        let fixture = Fixture::like(Like::Aws);
        let plan = FaultPlan {
            most_deaths: 0,
            ..FaultPlan::new(seed, 40)
        };
        fixture.world.set_faults(plan);
        for name in ["a", "b", "c"] {
            patiently(&fixture, Fixture::machine(name)).await;
            patiently(&fixture, Fixture::bundle(name, 36)).await;
            // More often than faults come in a row; alone it waits in vain, but it is there.
            for _ in 0..4 {
                let _ = fixture
                    .carry_out(&create(Fixture::member(name, MemberStart::Initial)))
                    .await;
            }
        }
        for name in ["a", "b", "c"] {
            patiently(&fixture, Fixture::member(name, MemberStart::Initial)).await;
            patiently(&fixture, Fixture::control_plane(name)).await;
        }
        assert_eq!(
            fixture.world.footprint(&fixture.context.cluster).len(),
            12,
            "seed {seed}"
        );
        assert_eq!(fixture.world.violations(), [], "seed {seed}");
    }
}

#[tokio::test]
async fn clouds_show_the_past_for_a_while() {
    let mut late = 0;
    for seed in 1..=30 {
        let fixture = Fixture::like(Like::Aws);
        let plan = FaultPlan {
            most_in_all: 0,
            most_deaths: 0,
            ..FaultPlan::new(seed, 90)
        };
        fixture.world.set_faults(plan);
        fixture.done(Fixture::network("main")).await;
        late += usize::from(fixture.observe(Kind::Network, &[]).await.is_empty());
        fixture.done(Fixture::network("main")).await;
        fixture.wait(Duration::from_secs(6)).await;
        let seen = fixture.observe(Kind::Network, &[]).await;
        assert!(
            matches!(seen.get("main"), Some(Observed::Present(_))),
            "seed {seed}"
        );
        assert_eq!(
            fixture.world.violations(),
            [],
            "a repeated create has the same token"
        );
        let deleted = fixture.delete(&ResourceKey::new(Kind::Network, "main")).await;
        assert_eq!(deleted, Outcome::Done);
        late += usize::from(!fixture.observe(Kind::Network, &[]).await.is_empty());
        fixture.wait(Duration::from_secs(6)).await;
        assert!(fixture.observe(Kind::Network, &[]).await.is_empty());
    }
    assert!(late > 20, "{late}");
}

#[tokio::test]
async fn faults_kill_machines_but_never_a_quorum() {
    for like in [Like::Aws, Like::Ssh] {
        let fixture = Fixture::with_three(like).await;
        let plan = FaultPlan {
            most_in_all: 0,
            ..FaultPlan::new(3, 100)
        };
        fixture.world.set_faults(plan);
        for _ in 0..60 {
            // Whatever it says: what counts is that time passes and writes come.
            let _ = fixture.carry_out(&create(Fixture::bundle("b", 36))).await;
        }
        let dead = fixture.world.lock().faults.deaths;
        assert!((1..=2).contains(&dead), "{dead} on {like}");
        fixture.wait(Duration::from_secs(200)).await;
        let members = fixture.observe(Kind::EtcdMember, &[]).await;
        let well = members
            .values()
            .filter(|member| matches!(member, Observed::Present(member) if member.health.is_healthy()))
            .count();
        assert!(well >= 2, "{members:?}");
    }
}

/// What a run of a thousand workers takes is measured in real seconds: a second look at every thing for every
/// effect would show here.
async fn a_thousand_workers(fixture: &Fixture) {
    fixture.done_all(["a", "b", "c"].map(Fixture::machine)).await;
    fixture
        .done_all(["a", "b", "c"].map(|name| Fixture::bundle(name, 36)))
        .await;
    fixture
        .done_all(["a", "b", "c"].map(|name| Fixture::member(name, MemberStart::Initial)))
        .await;
    fixture
        .done_all(["a", "b", "c"].map(Fixture::control_plane))
        .await;
    let names: Vec<String> = (0..1000).map(|index| format!("w{index:04}")).collect();
    fixture
        .done_all(names.iter().map(|name| Fixture::machine(name)))
        .await;
    fixture
        .done_all(names.iter().map(|name| Fixture::bundle(name, 36)))
        .await;
    fixture
        .done_all(names.iter().map(|name| Fixture::node(name)))
        .await;
    assert_eq!(fixture.observe(Kind::Node, &[]).await.len(), 1000);
    assert_eq!(fixture.world.footprint(&fixture.context.cluster).len(), 3012);
}

#[tokio::test]
async fn a_thousand_workers_in_memory() {
    a_thousand_workers(&Fixture::like(Like::Aws)).await;
}

#[tokio::test]
async fn a_thousand_workers_on_disk() {
    let directory = tempfile::TempDir::new().unwrap();
    let options = crate::SimulatedOptions::new(Like::Aws, 7);
    let world = SimulatedWorld::open(directory.path(), options).unwrap();
    let fixture = Fixture::over(world);
    a_thousand_workers(&fixture).await;
    let again = SimulatedWorld::open(directory.path(), options).unwrap();
    assert_eq!(again.footprint(&fixture.context.cluster).len(), 3012);
}
