//! Places from the first to nothing.

use keelson_aws_calls::mark;

use super::*;

/// What the cluster has, without the ids.
fn seen(observation: &Observation) -> Wanted {
    let owned = observation.owned();
    owned
        .map(|(key, existing)| (key.clone(), existing.resource.clone()))
        .collect()
}

#[tokio::test]
async fn places_are_as_they_are_wanted_a_second_time_changes_nothing_and_in_the_end_nothing_is_left() {
    let Some(scene) = Scene::start_or_skip("places_are_as_they_are_wanted") else {
        return;
    };
    let before = scene.everything().await;
    let wanted = wanted();
    assert_eq!(seen(&scene.look().await), []);
    scene.make(&wanted, 0).await;
    let first = scene.look().await;
    assert_eq!(seen(&first), wanted);

    let writes = scene.writes();
    scene.make(&wanted, 0).await;
    // The two attributes of names are set anew: they are no part of what EC2 lists.
    assert_eq!(scene.writes(), writes + 2);
    assert_eq!(scene.look().await.digest(), first.digest());

    scene.take_away().await;
    assert_eq!(seen(&scene.look().await), []);
    assert_eq!(scene.everything().await, before);
}

#[tokio::test]
async fn what_was_changed_by_hand_is_seen_and_put_right() {
    let Some(scene) = Scene::start_or_skip("what_was_changed_by_hand_is_seen_and_put_right") else {
        return;
    };
    let wanted = wanted();
    scene.make(&wanted, 0).await;
    let ec2 = &scene.ec2;
    let ours = &Filters::of_cluster("one");
    let group = ec2.list_security_groups(ours).await.unwrap().remove(0);
    ec2.revoke_ingress(&group.id, &group.ingress).await.unwrap();
    for table in ec2.list_route_tables(ours).await.unwrap() {
        ec2.delete_route(&table.id, "0.0.0.0/0").await.unwrap();
        let association = &table.associations[0];
        ec2.disassociate_route_table(&association.id).await.unwrap();
    }
    for gateway in ec2.list_internet_gateways(ours).await.unwrap() {
        let vpc = gateway.vpc.unwrap();
        // A public address that is in use holds the gateway.
        let held = ec2.detach_internet_gateway(&gateway.id, &vpc).await;
        assert!(held.is_err_and(|error| error.is(&["DependencyViolation"])));
    }
    let observation = scene.look().await;
    let differing: Vec<String> = wanted
        .iter()
        .filter(|(key, resource)| observation.present(key).unwrap().resource != *resource)
        .map(|(key, _)| key.to_string())
        .collect();
    let firewall = mark::read(&group.tags).unwrap().resource;
    assert_eq!(differing, ["way-out/a", "way-out/internet", firewall.as_str()]);
    for (key, resource) in &wanted {
        let existing = observation.present(key).unwrap();
        let update = Action::Update {
            id: existing.id.clone(),
            resource: Box::new(resource.clone()),
            differences: existing.resource.differences(resource),
        };
        scene.carry_out(&change(key, update)).await;
    }
    assert_eq!(seen(&scene.look().await), wanted);
}

#[tokio::test]
async fn what_belongs_to_others_is_neither_seen_nor_touched() {
    let Some(scene) = Scene::start_or_skip("what_belongs_to_others_is_neither_seen_nor_touched") else {
        return;
    };
    let wanted = wanted();
    let other = Scene {
        cluster: cluster("one more"),
        places: PlacesProvider::new(&scene.calls, REGION, Arc::new(SystemClock)),
        ec2: scene.ec2.clone(),
        calls: scene.calls.clone(),
        moto: scene.moto,
    };
    other.make(&wanted, 0).await;
    let theirs = other.everything().await;
    let ours = Scene {
        cluster: cluster("one"),
        ..other
    };
    assert_eq!(seen(&ours.look().await), []);
    ours.make(&wanted, 0).await;
    ours.take_away().await;
    assert_eq!(ours.everything().await, theirs);
}

#[tokio::test]
async fn what_is_made_again_under_a_key_that_was_deleted_is_another_thing() {
    let Some(scene) = Scene::start_or_skip("what_is_made_again_under_a_key") else {
        return;
    };
    let before = scene.everything().await;
    let wanted = wanted();
    for _ in 0..2 {
        // The generation is the same: nobody remembers the one that is gone.
        scene.make(&wanted, 0).await;
        assert_eq!(seen(&scene.look().await), wanted);
        let observation = scene.look().await;
        for kind in [Kind::WayOut, Kind::NatGateway] {
            for (key, existing) in observation.owned_of(kind) {
                scene.carry_out(&delete(key, existing)).await;
            }
        }
    }
    scene.take_away().await;
    assert_eq!(scene.everything().await, before);
}
