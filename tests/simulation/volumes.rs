//! Machines that are lost whose members of etcd have their data on a volume.

use std::collections::BTreeMap;

use keelson::execute::Silent;
use keelson_provider_api::kinds::EtcdMember;
use keelson_provider_api::{Existing, Kind, Observation, ResourceKey};

use super::life::{Life, NAME, Operation, Run, block_on};
use super::specs::Shape;

fn shape(dedicated_etcd: bool) -> Shape {
    Shape {
        like: "aws",
        control_planes: 3,
        dedicated_etcd,
        separate_events: true,
        domain: false,
        workers: 1,
        ..Shape::of_seed(0)
    }
}

async fn look(life: &Life, shape: &Shape) -> Observation {
    let session = life.session(shape.spec(NAME, life.seed));
    session.plan(&Silent).await.unwrap().observation
}

fn members(seen: &Observation) -> BTreeMap<ResourceKey, Existing> {
    let members = seen.owned_of(Kind::EtcdMember);
    members
        .map(|(key, existing)| (key.clone(), existing.clone()))
        .collect()
}

async fn lost_and_made_anew(dedicated_etcd: bool, lost: &[&str]) {
    let shape = shape(dedicated_etcd);
    let mut life = Life::new(1, &shape);
    let apply = Operation::Apply(shape.clone());
    assert!(matches!(life.run(&apply, &Silent).await, Run::Done));
    let seen = look(&life, &shape).await;
    let before = members(&seen);
    assert_eq!(before.len(), 6);
    let identity = life.session(shape.spec(NAME, 1)).plan(&Silent).await.unwrap();
    let identity = identity.plan.cluster().clone();
    for machine in lost {
        life.world.lose_machine(&identity, machine).unwrap();
    }
    match life.run(&apply, &Silent).await {
        Run::Done => {}
        other => panic!("{lost:?}: {other:?}"),
    }
    life.check(&apply).await.unwrap();
    let seen = look(&life, &shape).await;
    let after = members(&seen);
    assert_eq!(after.len(), before.len());
    for (key, member) in &after {
        // Whoever leaves and joins anew is another one.
        assert_eq!(member.id, before[key].id, "{key}");
        let (_, machine) = EtcdMember::parse_name(key.name()).unwrap();
        let machine = seen.present(&ResourceKey::new(Kind::Machine, machine)).unwrap();
        assert_eq!(member.host_id.as_ref(), Some(&machine.id), "{key}");
        let is_new = member.host_id != before[key].host_id;
        assert_eq!(
            is_new,
            key.host().is_some_and(|host| lost.contains(&host)),
            "{key}"
        );
    }
    let destroy = Operation::Destroy(shape);
    life.converge(&destroy, |_, _| {}).await.unwrap();
    life.check_gone().unwrap();
}

#[test]
fn a_member_is_the_same_on_the_next_machine() {
    block_on(async {
        lost_and_made_anew(false, &["control-plane-2"]).await;
        lost_and_made_anew(true, &["etcd-1"]).await;
    });
}

/// Without a quorum nobody may join: the members come back as they were, or not at all.
#[test]
fn a_quorum_that_is_lost_comes_back_with_the_machines() {
    block_on(async {
        lost_and_made_anew(false, &["control-plane-1", "control-plane-3"]).await;
        lost_and_made_anew(true, &["etcd-2", "etcd-3"]).await;
    });
}
