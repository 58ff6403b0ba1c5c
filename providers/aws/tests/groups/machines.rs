//! Machines of a group, replaced one by one as a plan does.

use super::*;

#[tokio::test]
async fn machines_are_replaced_where_they_make_room_first() {
    let Some(scene) = Scene::prepare_or_skip("machines_are_replaced_where_they_make_room").await else {
        return;
    };
    let before = scene.everything().await;
    scene.tell("settings", r#"{"delay": 5}"#);
    let group = workers();
    scene.make("workers", &group).await;
    let wanted = upgraded(group.clone());
    scene.given.starts_from();
    assert_eq!(scene.bring("workers", &wanted).await, ["kubernetesVersion"]);
    // What is there stays, and is outdated.
    let (new, old) = scene.by_template(&wanted).await;
    assert_eq!((new.len(), old.len()), (0, 2));
    assert!(
        scene.given.starts_from().is_empty(),
        "some still start from another one"
    );
    for (at, id) in old.iter().enumerate() {
        scene.end(&key(Kind::GroupMachine, id)).await;
        let (new, old) = scene.by_template(&wanted).await;
        assert_eq!((new.len(), old.len()), (at + 1, 1 - at));
        assert_eq!(
            scene.instances(std::slice::from_ref(id)).await[0].state,
            InstanceState::Terminated
        );
        let over = (at == 1).then(|| ("workers".to_owned(), Some(wanted.template())));
        assert_eq!(scene.given.starts_from(), over.into_iter().collect::<Vec<_>>());
    }
    assert_eq!(scene.bring("workers", &wanted).await, [""; 0]);
    // One version is there, whatever came before.
    let (template, versions) = scene.template().await;
    assert_eq!(
        (template.default_version, template.latest_version, versions.len()),
        (2, 2, 1)
    );
    scene.end(&key(Kind::NodeGroup, "workers")).await;
    assert_eq!(scene.everything().await, before);
}

#[tokio::test]
async fn machines_are_let_go_first_where_there_may_be_more() {
    let Some(scene) = Scene::prepare_or_skip("machines_are_let_go_first").await else {
        return;
    };
    let before = scene.everything().await;
    scene.tell("settings", r#"{"delay": 5}"#);
    let group = NodeGroup {
        max_surge: 1,
        ..workers()
    };
    scene.make("workers", &group).await;
    let wanted = upgraded(group);
    scene.bring("workers", &wanted).await;
    let (_, old) = scene.by_template(&wanted).await;
    for id in &old {
        let let_go = scene.let_go(id).await;
        for _ in 0..2 {
            assert_eq!(scene.once(&let_go).await, Outcome::Done);
        }
        let machines = scene.machines().await;
        assert_eq!(machines.len(), 3);
        let detached: Vec<&String> = machines
            .iter()
            .filter(|(_, machine)| machine.detached)
            .map(|(id, _)| id)
            .collect();
        assert_eq!(detached, [id]);
        assert_eq!(scene.health("workers").await, Health::Healthy);
        let ended = delete(
            &key(Kind::GroupMachine, id),
            &scene.existing(&key(Kind::GroupMachine, id)).await,
        );
        for _ in 0..2 {
            assert_eq!(scene.once(&ended).await, Outcome::Done);
        }
        assert_eq!(scene.machines().await.len(), 2);
    }
    let (new, old) = scene.by_template(&wanted).await;
    assert_eq!((new.len(), old.len()), (2, 0));
    scene.end(&key(Kind::NodeGroup, "workers")).await;
    assert_eq!(scene.everything().await, before);
}

#[tokio::test]
async fn what_a_group_let_go_outlives_it_and_ends_by_itself() {
    let Some(scene) = Scene::prepare_or_skip("what_a_group_let_go_outlives_it").await else {
        return;
    };
    let before = scene.everything().await;
    scene.make("workers", &workers()).await;
    let id = scene.machines().await.remove(0).0;
    scene.carry_out(&scene.let_go(&id).await).await;
    scene.end(&key(Kind::NodeGroup, "workers")).await;
    let left = scene.machines().await;
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].0.as_str(), left[0].1.detached), (id.as_str(), true));
    scene.given.starts_from();
    scene.end(&key(Kind::GroupMachine, &id)).await;
    assert!(
        scene.given.starts_from().is_empty(),
        "its group is gone, and that was told"
    );
    assert_eq!(scene.everything().await, before);
}

#[tokio::test]
async fn a_group_that_was_made_smaller_meanwhile_has_what_it_is_to() {
    let Some(scene) = Scene::prepare_or_skip("a_group_that_was_made_smaller_meanwhile").await else {
        return;
    };
    let wanted = scaled(1, 3);
    scene.make("workers", &wanted).await;
    let machines = scene.machines().await;
    let changes: Vec<Change> = {
        let observation = scene.look().await;
        let machines = machines.iter().map(|(id, _)| key(Kind::GroupMachine, id));
        machines
            .map(|key| delete(&key, observation.present(&key).unwrap()))
            .collect()
    };
    let name = scene.group().await.name;
    scene.calls.scaling.set_desired(&name, 1).await.unwrap();
    for change in &changes {
        assert_eq!(scene.once(change).await, Outcome::Done);
    }
    let left = scene.machines().await;
    assert_eq!(left.len(), 1);
    assert!(!machines.iter().any(|(id, _)| *id == left[0].0));
    assert_eq!(scene.group().await.sizes.desired, Some(1));
}

#[tokio::test]
async fn a_machine_that_is_protected_is_told_so() {
    let Some(scene) = Scene::prepare_or_skip("groups::a_machine_that_is_protected").await else {
        return;
    };
    scene.make("workers", &workers()).await;
    let id = scene.machines().await.remove(0).0;
    scene.carry_out(&scene.let_go(&id).await).await;
    scene.calls.ec2.protect_instance(&id, true).await.unwrap();
    let key = key(Kind::GroupMachine, &id);
    let ended = delete(&key, &scene.existing(&key).await);
    let Outcome::Rejected(error) = scene.once(&ended).await else {
        panic!("it is protected")
    };
    assert!(
        error
            .help
            .unwrap_or_default()
            .contains("take the protection away")
    );
    scene.calls.ec2.protect_instance(&id, false).await.unwrap();
    assert_eq!(scene.once(&ended).await, Outcome::Done);
}
