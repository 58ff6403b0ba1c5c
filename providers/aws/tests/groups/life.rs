//! Groups from the first to nothing.

use keelson_provider_api::{ErrorClass, Finding};

use super::*;

#[tokio::test]
async fn groups_are_as_they_are_wanted_a_second_time_changes_nothing_and_in_the_end_nothing_is_left() {
    let Some(scene) = Scene::prepare_or_skip("groups_are_as_they_are_wanted").await else {
        return;
    };
    let before = scene.everything().await;
    let spare = NodeGroup {
        replicas: 1,
        labels: (0..40)
            .map(|number| (format!("example.com/label-{number}"), "a".repeat(60)))
            .collect(),
        ..scaled(0, 3)
    };
    let wanted = [("spare", spare), ("workers", workers())];
    for (name, group) in &wanted {
        scene.make(name, group).await;
        assert_eq!(scene.seen(name).await, *group);
        assert_eq!(scene.health(name).await, Health::Healthy);
    }
    let first = scene.look().await;
    assert_eq!(first.owned_of(Kind::NodeGroup).count(), 2);
    assert_eq!(first.owned_of(Kind::GroupMachine).count(), 3);
    assert!(first.owned().all(|(_, existing)| existing.health.is_healthy()));
    for (name, group) in &wanted {
        let asked = ((*name).to_owned(), group.template());
        assert!(scene.given.asked.lock().unwrap().contains(&asked), "{name}");
    }
    let writes = scene.writes();
    for (name, group) in &wanted {
        scene.make(name, group).await;
        assert_eq!(scene.bring(name, group).await, [""; 0]);
    }
    assert_eq!(scene.writes(), writes);
    assert_eq!(scene.look().await.digest(), first.digest());

    scene.given.starts_from();
    for (name, _) in &wanted {
        let key = key(Kind::NodeGroup, name);
        let existing = scene.existing(&key).await;
        for _ in 0..2 {
            assert_eq!(scene.once(&delete(&key, &existing)).await, Outcome::Done);
            assert_eq!(scene.given.starts_from(), [((*name).to_owned(), None)]);
        }
    }
    assert_eq!(scene.look().await.owned().count(), 0);
    assert_eq!(scene.everything().await, before);
}

#[tokio::test]
async fn machines_start_as_all_do_spread_over_zones_and_marked() {
    let Some(scene) = Scene::prepare_or_skip("groups::machines_start_as_all_do").await else {
        return;
    };
    let group = NodeGroup {
        kms_key: Some("8c5b2c63-b9bc-45a3-a87a-5513eab232c7".to_owned()),
        ..workers()
    };
    scene.make("workers", &group).await;
    let (template, versions) = scene.template().await;
    // What is no launch of all machines' is read as none: with a session for the service that tells about them, and encrypted.
    let launch = versions[0].launch.clone().unwrap();
    assert_eq!((versions.len(), launch.user_data.as_slice()), (1, USER_DATA));
    assert_eq!(launch.root.encryption_key, group.kms_key);
    assert_eq!(launch.root.size_gibibytes, 50);
    let told = scene.moto.tell("GET", "calls?since=0", "").unwrap();
    for said in ["HttpTokens\": \"required", "HttpPutResponseHopLimit\": \"1"] {
        assert!(
            told.contains(&format!("LaunchTemplateData.MetadataOptions.{said}")),
            "{said}"
        );
    }
    let existing = scene.existing(&key(Kind::NodeGroup, "workers")).await;
    assert!(existing.id.starts_with("foo-workers-"), "{}", existing.id);
    assert_eq!(template.name, existing.id);

    let machines = ids(scene.machines().await, |(id, _)| id);
    let instances = scene.instances(&machines).await;
    let zones: BTreeSet<&str> = instances.iter().map(|instance| instance.zone.as_str()).collect();
    assert_eq!(zones, ["eu-west-1a", "eu-west-1b"].into());
    for instance in &instances {
        assert_eq!(instance.public_address, None);
        assert_eq!(instance.tags["keelson.dev/resource"], "node-group/workers");
        assert_eq!(instance.tags["kubernetes.io/cluster/foo"], "owned");
        assert!(instance.instance_profile.is_some());
        assert!(
            !instance
                .tags
                .keys()
                .any(|tag| tag.starts_with("keelson.dev/asked"))
        );
    }
    let marked = Filters::of_cluster("one").with_tag("keelson.dev/resource", "node-group/workers");
    assert_eq!(scene.calls.ec2.list_volumes(&marked).await.unwrap().len(), 2);
    assert_eq!(scene.calls.ec2.list_interfaces(&marked).await.unwrap().len(), 2);
}

#[tokio::test]
async fn machines_in_public_subnets_have_public_addresses() {
    let Some(scene) = Scene::prepare_or_skip("groups::machines_in_public_subnets").await else {
        return;
    };
    let group = NodeGroup {
        subnets: vec!["a-public".to_owned()],
        ..workers()
    };
    scene.make("workers", &group).await;
    let machines = ids(scene.machines().await, |(id, _)| id);
    for instance in scene.instances(&machines).await {
        assert!(instance.public_address.is_some(), "{}", instance.id);
    }
}

#[tokio::test]
async fn types_are_mixed_and_some_are_spare_capacity() {
    let Some(scene) = Scene::prepare_or_skip("types_are_mixed_and_some_are_spare").await else {
        return;
    };
    let mixed = NodeGroup {
        replicas: 4,
        types: vec!["m5.large".to_owned(), "m6a.large".to_owned()],
        spot_share: Some(50),
        ..scaled(0, 6)
    };
    scene.make("workers", &mixed).await;
    assert_eq!(scene.seen("workers").await, mixed);
    let mix = scene.group().await.launch.unwrap().mix.unwrap();
    assert_eq!(mix.types, ["m6i.large", "m5.large", "m6a.large"]);
    let machines = ids(scene.machines().await, |(id, _)| id);
    let spot = scene.instances(&machines).await.into_iter();
    assert_eq!(spot.filter(|instance| instance.spot).count(), 2);

    // All of one type, and none of spare capacity, and back.
    let alike = NodeGroup {
        types: Vec::new(),
        spot_share: None,
        ..mixed.clone()
    };
    for group in [&alike, &mixed] {
        assert_eq!(scene.bring("workers", group).await, ["types", "spotShare"]);
        assert_eq!(scene.seen("workers").await, *group);
    }
}

type Altered = fn(&mut NodeGroup);

#[tokio::test]
async fn what_would_not_start_is_found_before_anything_is_touched() {
    let Some(scene) = Scene::prepare_or_skip("groups::what_would_not_start").await else {
        return;
    };
    let cases: [(Altered, &[&str], &str); 5] = [
        (|_| {}, &[], ""),
        (
            |group| group.machine_type = Some("m6i.huge".to_owned()),
            &["machine-type"],
            "there is no machine type `m6i.huge` in this region",
        ),
        (
            |group| group.types = vec!["m5.large".to_owned(), "m6i.huge".to_owned()],
            &["machine-type"],
            "there is no machine type `m6i.huge` in this region",
        ),
        (
            |group| group.types = vec!["m6g.large".to_owned()],
            &["machine-type"],
            "`m6g.large` does not run the image of `m6i.large`, ",
        ),
        (
            |group| group.image = Some("plan9".to_owned()),
            &["machine-image"],
            "`plan9` is neither the id of an image nor one of ubuntu-24.04, debian-12",
        ),
    ];
    for (alter, names, problem) in cases {
        let mut group = workers();
        alter(&mut group);
        let change = create(&key(Kind::NodeGroup, "workers"), &group.into(), 0);
        let findings: Vec<Finding> = scene.groups.preflight(&scene.cluster, &[&change]).await;
        let found: Vec<&str> = findings.iter().map(|finding| finding.name.as_str()).collect();
        assert_eq!(found, names);
        for finding in &findings {
            assert_eq!(finding.machine, "workers");
            assert!(finding.problem.starts_with(problem), "{finding:?}");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_made_is_refused() {
    let Some(scene) = Scene::prepare_or_skip("groups::what_cannot_be_made").await else {
        return;
    };
    let machine = GroupMachine {
        group: "workers".to_owned(),
        template: workers().template(),
        node: "i-1".to_owned(),
        detached: false,
    };
    let wordy = NodeGroup {
        labels: (0..200)
            .map(|number| (format!("example.com/label-{number}"), "a".repeat(63)))
            .collect(),
        ..workers()
    };
    let cases: [(ResourceKey, Resource, &str); 2] = [
        (
            key(Kind::GroupMachine, "i-1"),
            machine.into(),
            "group-machine/i-1 cannot be made by itself",
        ),
        (
            key(Kind::NodeGroup, "workers"),
            wordy.into(),
            "the labels and taints of node-group/workers are longer than tags of AWS can hold",
        ),
    ];
    let writes = scene.writes();
    for (key, resource, message) in cases {
        let Outcome::Rejected(error) = scene.once(&create(&key, &resource, 0)).await else {
            panic!("{key}")
        };
        assert_eq!(
            (error.class, error.message.as_str()),
            (ErrorClass::Permanent, message)
        );
    }
    assert_eq!(scene.writes(), writes);
}
