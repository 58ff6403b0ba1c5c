//! What is kept, from the first to nothing.

use keelson_aws_calls::iam::path_of;

use super::*;

#[tokio::test]
async fn what_is_kept_is_as_it_is_wanted_a_second_time_changes_nothing_and_in_the_end_nothing_is_left() {
    let Some(scene) = Scene::start_or_skip("what_is_kept_is_as_it_is_wanted").await else {
        return;
    };
    let before = scene.everything().await;
    let wanted = wanted();
    assert_eq!(scene.seen().await, []);
    scene.make(&wanted).await;
    let first = scene.look().await;
    assert_eq!(scene.seen().await, wanted);
    assert!(first.owned().all(|(_, existing)| existing.health.is_healthy()));
    let path = path_of("one");
    let roles = scene.calls.iam.roles(&path).await.unwrap();
    let names: BTreeSet<String> = roles.into_iter().map(|role| role.name).collect();
    assert_eq!(
        names,
        ["control-plane", "node"].map(|role| scene.name(role)).into()
    );

    let writes = scene.writes();
    scene.make(&wanted).await;
    assert_eq!(scene.writes(), writes);
    assert_eq!(scene.look().await.digest(), first.digest());

    scene.take_away().await;
    assert_eq!(scene.seen().await, []);
    assert_eq!(scene.everything().await, before);
    // Whoever deletes what is gone has no more to do.
    for (key, existing) in first.owned() {
        assert_eq!(scene.once(&delete(key, existing)).await, Outcome::Done);
    }
}

#[tokio::test]
async fn roles_that_were_changed_by_hand_are_seen_and_put_right() {
    let Some(scene) = Scene::start_or_skip("roles_that_were_changed_by_hand").await else {
        return;
    };
    let wanted = wanted();
    scene.make(&wanted).await;
    let iam = &scene.calls.iam;
    let (both, name) = (["role/control-plane", "role/node"], scene.name("control-plane"));
    let node = scene.name("node");
    let more = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "*", "Resource": "*" }] });
    iam.put_role_policy(&name, "more", &more).await.unwrap();
    iam.put_role_policy(&node, "keelson", &more).await.unwrap();
    assert_eq!(scene.put_right(&wanted).await, both);
    assert_eq!(iam.role_policies(&node).await.unwrap(), Vec::<String>::new());

    iam.put_role_policy(&name, "keelson", &more).await.unwrap();
    iam.attach_policy(&node, &arn("audit")).await.unwrap();
    assert_eq!(scene.put_right(&wanted).await, both);
    iam.detach_policy(&name, &arn("logs")).await.unwrap();
    iam.set_boundary(&node, Some(&arn("boundary"))).await.unwrap();
    assert_eq!(scene.put_right(&wanted).await, both);
    iam.set_boundary(&name, None).await.unwrap();
    iam.set_trust(&node, &trust_of_others()).await.unwrap();
    assert_eq!(scene.put_right(&wanted).await, both);

    iam.remove_role(&name, &name).await.unwrap();
    iam.delete_instance_profile(&name).await.unwrap();
    iam.remove_role(&node, &node).await.unwrap();
    iam.add_role(&node, &name).await.unwrap();
    assert_eq!(scene.put_right(&wanted).await, both);
    iam.remove_role(&node, &node).await.unwrap();
    iam.delete_role(&node).await.unwrap();
    assert_eq!(scene.put_right(&wanted).await, ["role/node"]);
    assert_eq!(scene.seen().await, wanted);
    assert_eq!(scene.put_right(&wanted).await, Vec::<String>::new());
}

#[tokio::test]
async fn interfaces_that_were_changed_by_hand_are_seen_and_put_right() {
    let Some(scene) = Scene::start_or_skip("interfaces_that_were_changed_by_hand").await else {
        return;
    };
    let before = scene.everything().await;
    let wanted = wanted();
    scene.make(&wanted).await;
    let ec2 = &scene.calls.ec2;
    let groups = ec2
        .list_security_groups(&scene.marked(Kind::Firewall, "nodes"))
        .await;
    let groups = [groups.unwrap().remove(0).id];
    let ids = [scene.interface("a").await.id, scene.interface("b").await.id];
    let address = async || {
        let marked = scene.marked(Kind::NetworkInterface, "b");
        let mut found = ec2.list_addresses(&marked).await.unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    };
    ec2.change_interface_groups(&ids[0], &groups).await.unwrap();
    let association = address().await.association.unwrap();
    ec2.disassociate_address(&association).await.unwrap();
    let both = ["network-interface/a", "network-interface/b"];
    assert_eq!(scene.put_right(&wanted).await, both);
    assert_eq!(address().await.interface.as_ref(), Some(&ids[1]));

    let association = address().await.association.unwrap();
    ec2.disassociate_address(&association).await.unwrap();
    ec2.release_address(&address().await.id).await.unwrap();
    assert_eq!(scene.put_right(&wanted).await, both[1..]);
    assert_eq!(scene.seen().await, wanted);
    let kept = [scene.interface("a").await.id, scene.interface("b").await.id];
    assert_eq!(kept, ids, "they are changed in place");

    // A public address that nobody wants any more goes, and one whose interface is gone is seen.
    let mut other = wanted.clone();
    other[4].1 = interface("a", [10, 20, 0, 10], true).into();
    other[5].1 = interface("b", [10, 20, 0, 11], false).into();
    assert_eq!(scene.put_right(&other).await, both);
    assert_eq!(scene.seen().await, other);
    ec2.delete_interface(&ids[0]).await.unwrap();
    let seen = scene.seen().await;
    assert_eq!(seen.len(), wanted.len());
    assert_ne!(seen, other);
    scene.take_away().await;
    assert_eq!(scene.everything().await, before);
}

#[tokio::test]
async fn a_volume_grows_in_place_and_never_shrinks() {
    let Some(scene) = Scene::start_or_skip("a_volume_grows_in_place_and_never_shrinks").await else {
        return;
    };
    let key = key(Kind::Volume, "a");
    scene
        .make(&vec![(key.clone(), volume("a", 20, None).into())])
        .await;
    let id = scene.volume("a").await.id;
    let larger = vec![(key.clone(), Resource::from(volume("a", 40, None)))];
    scene.tell(
        "faults",
        r#"{"kind": "lose", "action": "ModifyVolume", "times": 1, "reset": true}"#,
    );
    assert_eq!(scene.put_right(&larger).await, ["volume/a"]);
    let grown = scene.volume("a").await;
    assert_eq!((&grown.id, grown.size_gibibytes), (&id, 40));
    assert!(grown.encrypted && grown.volume_type == "gp3");
    assert_eq!(scene.seen().await, larger);

    let elsewhere = Volume {
        zone: "eu-west-1b".to_owned(),
        ..volume("a", 40, None)
    };
    let in_bytes = Volume {
        size: Quantity::from_bytes(41_000_000_000),
        ..volume("a", 40, None)
    };
    let cases = [
        (volume("a", 30, None), "a volume never shrinks"),
        (elsewhere, "in the zone eu-west-1a"),
        (volume("a", 40, Some(KMS_KEY)), "encrypted in another way"),
        (in_bytes, "whole gibibytes"),
    ];
    for (wanted, words) in cases {
        let error = refused_for_good(scene.once(&create(&key, &wanted.into(), 0)).await);
        assert!(error.message.contains(words), "{error}");
        assert!(error.help.is_some(), "{error}");
    }
    assert_eq!(scene.seen().await, larger);
}

#[tokio::test]
async fn what_is_made_again_under_a_key_that_was_deleted_is_another_thing() {
    let Some(scene) = Scene::start_or_skip("kept_again_under_a_key").await else {
        return;
    };
    let before = scene.everything().await;
    let wanted = wanted();
    for _ in 0..3 {
        // The generation is the same: nobody remembers the one that is gone.
        scene.make(&wanted).await;
        assert_eq!(scene.seen().await, wanted);
        scene.take_away().await;
        assert_eq!(scene.everything().await, before);
    }
}
