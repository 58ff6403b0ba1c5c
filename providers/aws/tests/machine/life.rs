//! Machines from the first to nothing.

use keelson_aws_calls::ec2::VolumeState;

use super::*;

#[tokio::test]
async fn machines_are_as_they_are_wanted_a_second_time_changes_nothing_and_in_the_end_nothing_is_left() {
    let Some(scene) = Scene::prepare_or_skip("machines_are_as_they_are_wanted").await else {
        return;
    };
    let before = scene.everything().await;
    let wanted = [("a", control_plane()), ("w", worker())];
    for (name, machine) in &wanted {
        scene.make(name, machine, 0).await;
        assert_eq!(scene.machine(name).await, *machine);
    }
    let first = scene.look().await;
    assert_eq!(first.owned().count(), 2);
    let writes = scene.writes();
    for (name, machine) in &wanted {
        scene.make(name, machine, 0).await;
        scene.update(name, machine).await;
    }
    assert_eq!(scene.writes(), writes);
    assert_eq!(scene.look().await.digest(), first.digest());
    // Whoever is there already does not boot for the first time.
    let volume = scene.marked(&key(Kind::Volume, "a"));
    let volume = scene.ec2.list_volumes(&volume).await.unwrap().remove(0).id;
    let asked = [
        (
            "a".to_owned(),
            0,
            keelson_provider_aws::machine::volume_devices(&volume),
        ),
        ("w".to_owned(), 0, Vec::new()),
    ];
    assert_eq!(*scene.given.asked.lock().unwrap(), asked);
    assert_eq!(scene.given.over.lock().unwrap().len(), 0);

    for (name, _) in &wanted {
        let existing = scene.existing(name).await;
        for _ in 0..2 {
            scene
                .carry_out(&delete(&key(Kind::Machine, name), &existing))
                .await;
        }
    }
    assert_eq!(scene.look().await.owned().count(), 0);
    assert_eq!(scene.everything().await, before);
    assert_eq!(*scene.given.over.lock().unwrap(), ["a", "a", "w", "w"]);
}

#[tokio::test]
async fn what_is_seen_of_a_machine_is_told_to_people_too() {
    let Some(scene) = Scene::prepare_or_skip("what_is_seen_of_a_machine_is_told").await else {
        return;
    };
    scene.make("a", &control_plane(), 3).await;
    scene.make("w", &worker(), 0).await;
    let a = scene.existing("a").await;
    let instance = scene.instance("a").await;
    assert_eq!(
        (&a.id, a.generation, &a.health),
        (&instance.id, 3, &Health::Healthy)
    );
    assert_eq!(Some(a.created_at), instance.launched);
    let told: Vec<(&str, &str)> = a
        .facts
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let address = ADDRESS.to_string();
    let expected = [
        ("address", address.as_str()),
        ("id", &instance.id),
        ("image", UBUNTU),
        ("zone", ZONE),
    ];
    assert_eq!(told, expected);
    let w = scene.existing("w").await;
    assert!(w.facts.contains_key("publicAddress"), "{:?}", w.facts);
    assert_eq!(w.facts["image"], DEBIAN);
    // Stopped by hand, it is still there, and does nothing.
    scene.by_hand(&format!("Action=StopInstances&InstanceId.1={}", instance.id));
    let stopped = scene.existing("a").await;
    assert_eq!(stopped.resource, a.resource);
    let Health::Unhealthy(why) = stopped.health else {
        panic!("{:?}", stopped.health)
    };
    assert!(why.starts_with("it is stopped; EC2 says: Client."), "{why}");
}

#[tokio::test]
async fn a_machine_is_replaced_with_its_address_and_its_volume() {
    let Some(scene) = Scene::prepare_or_skip("a_machine_is_replaced_with_its_address").await else {
        return;
    };
    let before = scene.everything().await;
    let volumes = scene.marked(&key(Kind::Volume, "a"));
    let mut ids = BTreeSet::new();
    // The second time nobody remembers the one that is gone, so that the generation is the same.
    for generation in [0, 1, 1] {
        scene.make("a", &control_plane(), generation).await;
        assert_eq!(scene.machine("a").await, control_plane());
        let instance = scene.instance("a").await;
        assert_eq!(instance.private_address, Some(ADDRESS));
        let volume = scene.ec2.list_volumes(&volumes).await.unwrap().remove(0);
        let attachment = volume.attachment.unwrap();
        assert_eq!(
            (&attachment.instance, attachment.device.as_str()),
            (&instance.id, keelson_provider_aws::machine::VOLUME_DEVICE)
        );
        assert!(!attachment.deleted_with_instance);
        assert!(ids.insert(instance.id), "it is another one");
        scene.take_away("a").await;
        let volume = scene.ec2.list_volumes(&volumes).await.unwrap().remove(0);
        assert_eq!(volume.state, VolumeState::Available);
    }
    assert_eq!(scene.everything().await, before);
}

#[tokio::test]
async fn what_was_changed_by_hand_is_seen_and_put_right() {
    let Some(scene) = Scene::prepare_or_skip("what_was_changed_by_hand_is_seen").await else {
        return;
    };
    let ec2 = &scene.ec2;
    scene.make("a", &control_plane(), 0).await;
    scene.make("w", &worker(), 0).await;
    let (a, w) = (scene.instance("a").await.id, scene.instance("w").await.id);
    let group = [scene.group("control-plane").await];
    ec2.change_instance_groups(&w, &group).await.unwrap();
    let profile = instance_profile_name(&scene.cluster, "control-plane");
    ec2.give_profile(&w, &profile).await.unwrap();
    let seen = scene.machine("w").await;
    assert_eq!(differing(&seen, &worker()), ["firewall", "role"]);
    assert_eq!(
        (seen.firewall.as_deref(), seen.role),
        (Some("control-plane"), Some(format!("instance-profile/{profile}")))
    );
    let volume = ec2
        .list_volumes(&scene.marked(&key(Kind::Volume, "a")))
        .await
        .unwrap()
        .remove(0)
        .id;
    ec2.detach_volume(&volume, &a, false).await.unwrap();
    let seen = scene.existing("a").await;
    let without = Health::Unhealthy("its volume a is not attached".to_owned());
    assert_eq!(seen.health, without);
    assert_eq!(
        differing(&scene.machine("a").await, &control_plane()),
        ["firewall"]
    );

    let moved = Machine {
        group: "others".to_owned(),
        roles: BTreeSet::from([MachineRole::Worker, MachineRole::Bastion]),
        ..worker()
    };
    for (name, machine) in [("a", control_plane()), ("w", worker()), ("w", moved)] {
        scene.update(name, &machine).await;
        assert_eq!(scene.machine(name).await, machine);
        assert_eq!(scene.existing(name).await.health, Health::Healthy);
    }
    assert_eq!(
        (scene.instance("a").await.id, scene.instance("w").await.id),
        (a, w)
    );
}

#[tokio::test]
async fn what_belongs_to_others_is_neither_seen_nor_touched() {
    let Some(theirs) = Scene::prepare_or_skip("what_belongs_to_others_is_neither_seen").await else {
        return;
    };
    theirs.make("a", &control_plane(), 0).await;
    theirs.make("w", &worker(), 0).await;
    let ours = theirs.with_cluster("two").await;
    let before = ours.everything().await;
    assert_eq!(ours.look().await.owned().count(), 0);
    ours.make("a", &control_plane(), 0).await;
    assert_eq!(ours.look().await.owned().count(), 1);
    ours.take_away("a").await;
    assert_eq!(ours.everything().await, before);
}
