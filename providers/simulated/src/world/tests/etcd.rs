use std::time::Duration;

use keelson_provider_api::kinds::{EtcdMember, EtcdSnapshot, Kind, MemberPhase, MemberStart, NodeBundle};
use keelson_provider_api::values::Digest;
use keelson_provider_api::{
    Action, Clock, Disruption, ErrorClass, EtcdMemberFacts, Outcome, Provider, Resource, ResourceKey,
};

use crate::testing::{Fixture, change, create, rejection};
use crate::{Like, Rule, SimulatedProvider};

fn member_key(machine: &str) -> ResourceKey {
    ResourceKey::new(Kind::EtcdMember, EtcdMember::name("main", machine))
}

async fn phase(fixture: &Fixture, machine: &str) -> MemberPhase {
    match fixture.existing(&member_key(machine)).await.resource {
        Resource::EtcdMember(member) => member.phase,
        other => panic!("{other:?}"),
    }
}

async fn ready_for_etcd() -> Fixture {
    let fixture = Fixture::like(Like::Aws);
    let names = ["a", "b", "c", "d"];
    fixture.done_all(names.map(Fixture::machine)).await;
    fixture
        .done_all(names.map(|name| Fixture::bundle(name, 36)))
        .await;
    fixture
}

#[tokio::test]
async fn a_member_waits_until_a_majority_of_the_initial_members_is_there() {
    let fixture = ready_for_etcd().await;
    let alone = fixture
        .carry_out(&create(Fixture::member("a", MemberStart::Initial)))
        .await;
    let Outcome::Indeterminate(error) = alone else {
        panic!("{alone:?}")
    };
    assert_eq!(
        error.message,
        "etcd-member/main:a did not become ready in 5m: etcd main waits for its other initial members"
    );
    assert_eq!(phase(&fixture, "a").await, MemberPhase::Waiting);
    fixture.done(Fixture::member("b", MemberStart::Initial)).await;
    assert_eq!(phase(&fixture, "a").await, MemberPhase::Voter);
    assert_eq!(phase(&fixture, "b").await, MemberPhase::Voter);
    // The third of the initial members is a voter that has not started; a fourth would split the cluster.
    fixture.done(Fixture::member("c", MemberStart::Initial)).await;
    assert_eq!(phase(&fixture, "c").await, MemberPhase::Voter);
    let fourth = fixture
        .carry_out(&create(Fixture::member("d", MemberStart::Initial)))
        .await;
    let (class, message) = rejection(fourth);
    assert_eq!(class, ErrorClass::Permanent);
    assert!(message.contains("would split it"), "{message}");
}

#[tokio::test]
async fn an_update_lets_a_member_that_waits_go_on() {
    let fixture = ready_for_etcd().await;
    let (key, resource) = Fixture::member("a", MemberStart::Initial);
    fixture.carry_out(&create((key.clone(), resource.clone()))).await;
    let update = fixture.update((key, resource), Disruption::None);
    assert!(
        matches!(update.await, Outcome::Indeterminate(_)),
        "nobody else is there"
    );
    fixture.done(Fixture::member("b", MemberStart::Initial)).await;
    assert_eq!(
        fixture
            .carry_out(&create(Fixture::member("a", MemberStart::Initial)))
            .await,
        Outcome::Done
    );
}

#[tokio::test]
async fn a_joining_member_learns_first_and_then_votes() {
    let fixture = Fixture::with_three(Like::Aws).await;
    fixture.done(Fixture::machine("d")).await;
    fixture.done(Fixture::bundle("d", 36)).await;
    fixture.done(Fixture::member("d", MemberStart::Join)).await;
    assert_eq!(phase(&fixture, "d").await, MemberPhase::Voter);
    let early = Fixture::like(Like::Aws);
    early.done(Fixture::machine("a")).await;
    early.done(Fixture::bundle("a", 36)).await;
    let (class, message) = rejection(
        early
            .carry_out(&create(Fixture::member("a", MemberStart::Join)))
            .await,
    );
    assert_eq!(class, ErrorClass::Transient, "{message}");
}

#[tokio::test]
async fn there_is_one_learner_at_a_time() {
    let fixture = Fixture::with_three(Like::Aws).await;
    fixture.done_all(["d", "e"].map(Fixture::machine)).await;
    fixture
        .done_all(["d", "e"].map(|name| Fixture::bundle(name, 36)))
        .await;
    let [first, second] = ["d", "e"].map(|name| create(Fixture::member(name, MemberStart::Join)));
    let clock = fixture.world.clock();
    let mut outcomes = Vec::new();
    Clock::drive(
        &*clock,
        Box::pin(async {
            let hosts = SimulatedProvider::hosts(&fixture.world, 8);
            let (first, second) = tokio::join!(
                Provider::carry_out(&hosts, &fixture.context, &first),
                Provider::carry_out(&hosts, &fixture.context, &second),
            );
            outcomes.extend([first, second]);
        }),
    )
    .await;
    outcomes.sort_by_key(|outcome| *outcome != Outcome::Done);
    assert_eq!(outcomes[0], Outcome::Done);
    let (class, message) = rejection(outcomes.remove(1));
    assert_eq!(class, ErrorClass::Transient);
    assert_eq!(message, "etcdserver: too many learner members in cluster");
}

#[tokio::test]
async fn a_removal_must_leave_a_quorum() {
    let fixture = Fixture::with_three(Like::Aws).await;
    fixture
        .world
        .kill_machine(&fixture.context.cluster, "a", Duration::ZERO)
        .unwrap();
    let dangling = fixture.existing(&member_key("a")).await;
    assert!(
        !dangling.health.is_healthy(),
        "it stays in etcd's list: {:?}",
        dangling.health
    );
    let (class, message) = rejection(fixture.delete(&member_key("b")).await);
    assert_eq!(class, ErrorClass::Permanent);
    assert_eq!(
        message,
        "etcdserver: re-configuration failed due to not enough started members"
    );
    assert_eq!(fixture.delete(&member_key("a")).await, Outcome::Done);
    assert_eq!(fixture.world.violations(), []);
}

#[tokio::test]
async fn a_change_that_takes_quorum_away_is_a_violation_until_the_cluster_ends() {
    let fixture = Fixture::with_three(Like::Aws).await;
    for name in ["a", "b"] {
        assert_eq!(
            fixture.delete(&ResourceKey::new(Kind::Machine, name)).await,
            Outcome::Done
        );
    }
    let rules: Vec<Rule> = fixture
        .world
        .violations()
        .iter()
        .map(|violation| violation.rule)
        .collect();
    assert_eq!(rules, [Rule::BelowQuorum]);
    assert_eq!(
        fixture.delete(&ResourceKey::new(Kind::Machine, "c")).await,
        Outcome::Done
    );
    assert_eq!(
        fixture.world.violations(),
        [],
        "it was a part of taking the cluster down"
    );
    assert!(fixture.world.footprint(&fixture.context.cluster).is_empty());
}

#[tokio::test]
async fn restarts_one_after_another_keep_the_quorum_and_together_break_it() {
    let fixture = Fixture::with_three(Like::Aws).await;
    for name in ["a", "b", "c"] {
        let outcome = fixture.update(Fixture::bundle(name, 37), Disruption::Drain).await;
        assert_eq!(outcome, Outcome::Done, "{name}");
    }
    assert_eq!(fixture.world.violations(), []);
    update_together(&fixture, Disruption::Restart, |bundle| {
        bundle.settings = Digest::of_bytes(b"other");
    })
    .await;
    assert_eq!(
        fixture.world.violations().len(),
        1,
        "{:?}",
        fixture.world.violations()
    );
}

#[tokio::test]
async fn a_snapshot_records_the_revision_and_outlives_its_purpose() {
    let fixture = Fixture::with_three(Like::Aws).await;
    let snapshot = EtcdSnapshot {
        cluster: "main".to_owned(),
        purpose: "a test".to_owned(),
    };
    let key = ResourceKey::new(Kind::EtcdSnapshot, "main-1");
    fixture.done((key.clone(), snapshot.into())).await;
    let first = fixture.existing(&key).await.facts;
    fixture.wait(Duration::from_secs(60)).await;
    assert_eq!(
        fixture.existing(&key).await.facts,
        first,
        "a snapshot does not change"
    );
    let live = fixture.existing(&member_key("a")).await.facts;
    let revision =
        |facts: &std::collections::BTreeMap<String, String>| facts["revision"].parse::<u64>().unwrap();
    assert!(revision(&live) > revision(&first));
    for name in ["a", "b", "c"] {
        fixture.delete(&ResourceKey::new(Kind::Machine, name)).await;
    }
    let left = fixture.world.footprint(&fixture.context.cluster);
    assert_eq!(
        left.values()
            .map(|existing| existing.resource.kind())
            .collect::<Vec<_>>(),
        [Kind::EtcdSnapshot]
    );
}

#[tokio::test]
async fn members_say_of_themselves_what_those_of_real_machines_do() {
    let fixture = Fixture::with_three(Like::Ssh).await;
    let mut leaders = 0;
    for name in ["a", "b", "c"] {
        let existing = fixture.existing(&member_key(name)).await;
        let facts = EtcdMemberFacts::from_facts(&existing.facts);
        let answer = facts.answer.unwrap();
        assert!(facts.id.is_some() && facts.client_url.unwrap().ends_with(":2379"));
        assert!(answer.database_bytes >= answer.database_in_use_bytes);
        assert!(answer.revision > 0 && answer.raft_index > answer.revision);
        assert!(answer.latency_ms.is_some());
        leaders += usize::from(answer.is_leader);
    }
    assert_eq!(leaders, 1);
}

#[tokio::test]
async fn certificates_are_read_anew_while_everything_goes_on() {
    let fixture = Fixture::with_three(Like::Aws).await;
    update_together(&fixture, Disruption::None, |bundle| {
        bundle.certificates = Some(Digest::of_bytes(b"other"));
    })
    .await;
    assert_eq!(fixture.world.violations(), []);
}

/// Changes the bundles of two machines of three at the same moment.
async fn update_together(fixture: &Fixture, disruption: Disruption, edit: impl Fn(&mut NodeBundle)) {
    let mut changes = Vec::new();
    for name in ["a", "b"] {
        let (key, resource) = Fixture::bundle(name, 37);
        let existing = fixture.existing(&key).await;
        let Resource::NodeBundle(mut bundle) = resource else {
            continue;
        };
        let Resource::NodeBundle(now) = &existing.resource else {
            continue;
        };
        bundle.kubernetes_version.clone_from(&now.kubernetes_version);
        edit(&mut bundle);
        let resource = Resource::from(bundle);
        let action = Action::Update {
            id: existing.id,
            differences: existing.resource.differences(&resource),
            resource: Box::new(resource),
        };
        changes.push(change(key, action, disruption));
    }
    let [first, second] = &changes[..] else {
        panic!("two bundles are there");
    };
    let hosts = SimulatedProvider::hosts(&fixture.world, 8);
    let both = async {
        tokio::join!(
            hosts.carry_out(&fixture.context, first),
            hosts.carry_out(&fixture.context, second),
        );
    };
    fixture.world.clock().drive(Box::pin(both)).await;
}
