//! What belongs to others.

use keelson_aws_calls::ec2::{NewInterface, NewVolume};
use keelson_aws_calls::iam::{NewInstanceProfile, NewRole, path_of};
use keelson_aws_calls::mark::{NAME, Tags, mark};

use super::*;

fn named() -> Tags {
    Tags::from([(NAME.to_owned(), "theirs".to_owned())])
}

impl Scene {
    async fn make_role(&self, name: &str, path: &str, tags: &Tags) {
        let role = NewRole {
            name: name.to_owned(),
            path: path.to_owned(),
            trust: trust_of_others(),
            permissions_boundary: None,
            tags: tags.clone(),
        };
        self.calls.iam.create_role(&role).await.unwrap();
        let profile = NewInstanceProfile {
            name: name.to_owned(),
            path: path.to_owned(),
            tags: tags.clone(),
        };
        self.calls.iam.create_instance_profile(&profile).await.unwrap();
    }

    async fn make_interface(&self, address: Ipv4Addr, tags: Tags, token: &str) -> String {
        let ec2 = &self.calls.ec2;
        let subnets = ec2.list_subnets(&self.marked(Kind::Subnet, "a-private")).await;
        let new = NewInterface {
            subnet: subnets.unwrap().remove(0).id,
            private_address: Some(address),
            groups: Vec::new(),
            tags,
        };
        ec2.create_interface(&new, token).await.unwrap()
    }
}

#[tokio::test]
async fn what_belongs_to_others_is_neither_seen_nor_touched() {
    let Some(scene) = Scene::start_or_skip("what_belongs_to_others_is_kept").await else {
        return;
    };
    let wanted = wanted();
    let other = scene.other_life("one-more");
    other.prepare().await;
    other.make(&wanted).await;
    let name = scene.name("node");
    let role = key(Kind::Role, "node");
    let marked = mark(&scene.cluster, &role, 0);
    // The beginnings of names and paths say nothing, nor does a mark alone.
    scene
        .make_role(&format!("{name}-more"), "/theirs/", &named())
        .await;
    scene
        .make_role(&format!("{name}1"), &path_of("one"), &named())
        .await;
    scene.make_role("copied", "/theirs/", &marked).await;
    scene.make_role("below", "/keelson/one/below/", &marked).await;
    let volume = NewVolume {
        zone: "eu-west-1a".to_owned(),
        size_gibibytes: 20,
        encryption_key: None,
        tags: mark(&cluster("on"), &key(Kind::Volume, "a"), 0),
    };
    scene.calls.ec2.create_volume(&volume, "theirs").await.unwrap();
    scene
        .make_interface([10, 20, 0, 9].into(), named(), "theirs")
        .await;
    let theirs = scene.everything().await;
    let theirs_seen = other.look().await.digest();

    assert_eq!(scene.seen().await, []);
    scene.make(&wanted).await;
    assert_eq!(scene.seen().await, wanted);
    scene.take_away().await;
    assert_eq!(scene.everything().await, theirs);
    assert_eq!(other.look().await.digest(), theirs_seen);
}

#[tokio::test]
async fn a_name_that_somebody_has_is_told_with_whose_it_is() {
    let Some(scene) = Scene::start_or_skip("a_name_that_somebody_has").await else {
        return;
    };
    let role = key(Kind::Role, "node");
    let name = scene.name("node");
    let marked = mark(&scene.cluster, &key(Kind::Role, "control-plane"), 0);
    let cases = [
        (
            "/theirs/",
            named(),
            "below the path /theirs/: its name is `theirs`, and it bears no mark of keelson",
        ),
        (
            "/keelson/one/",
            marked,
            "below the path /keelson/one/: it is role/control-plane of the cluster foo with the uid one",
        ),
    ];
    for (path, tags, words) in cases {
        scene.make_role(&name, path, &tags).await;
        let before = scene.everything().await;
        let writes = scene.writes();
        let create = create(&role, &wanted()[1].1, 0);
        let error = refused_for_good(scene.once(&create).await);
        assert_eq!(
            error.message,
            format!("role/node is to be the role {name}, which exists already, {words}")
        );
        let existing = keelson_provider_api::Existing {
            resource: wanted()[1].1.clone(),
            id: name.clone(),
            owner: keelson_provider_api::Owner::ThisCluster,
            health: keelson_provider_api::Health::Healthy,
            created_at: Timestamp::UNIX_EPOCH,
            generation: 0,
            host_id: None,
            facts: std::collections::BTreeMap::new(),
        };
        assert_eq!(scene.once(&delete(&role, &existing)).await, Outcome::Done);
        assert_eq!(scene.writes(), writes);
        assert_eq!(scene.everything().await, before);
        scene.calls.iam.delete_instance_profile(&name).await.unwrap();
        scene.calls.iam.delete_role(&name).await.unwrap();
    }
    scene.make(&wanted()).await;
}

#[tokio::test]
async fn an_address_that_somebody_has_is_told_with_who_has_it() {
    let Some(scene) = Scene::start_or_skip("an_address_that_somebody_has").await else {
        return;
    };
    let key = key(Kind::NetworkInterface, "a");
    let wanted = Resource::from(interface("a", [10, 20, 0, 10], false));
    let ours = mark(&scene.cluster, &ResourceKey::new(Kind::NetworkInterface, "c"), 0);
    let cases = [
        (named(), "its name is `theirs`", false),
        (
            mark(&cluster("two"), &key, 0),
            "it is network-interface/a of the cluster foo with the uid two",
            false,
        ),
        (
            ours,
            "it is network-interface/c of the cluster foo with the uid one",
            true,
        ),
    ];
    for (index, (tags, words, may_pass)) in cases.into_iter().enumerate() {
        let token = format!("theirs {index}");
        let id = scene.make_interface([10, 20, 0, 10].into(), tags, &token).await;
        let Outcome::Rejected(error) = scene.once(&create(&key, &wanted, 0)).await else {
            unreachable!("the address {index} is taken")
        };
        let beginning = format!(
            "network-interface/a is to have the address 10.20.0.10 in a-private, which is taken by {id}"
        );
        assert!(error.message.starts_with(&beginning), "{error}");
        assert!(error.message.contains(words), "{error}");
        assert_eq!(error.class.may_pass(), may_pass, "{error}");
        scene.calls.ec2.delete_interface(&id).await.unwrap();
    }
    scene.make(&vec![(key.clone(), wanted)]).await;
    // One that is there stays where it is.
    let moved = Resource::from(interface("a", [10, 20, 0, 12], false));
    let error = refused_for_good(scene.once(&create(&key, &moved, 0)).await);
    assert!(error.message.contains("that cannot be changed"), "{error}");
}
