//! The edge from the first to nothing.

use keelson_aws_calls::dns::{Change, Record};
use keelson_aws_calls::elb::{BalancerAttributes, GroupAttributes, NewListener, Owned};
use keelson_aws_calls::mark::mark;
use keelson_provider_api::Health;

use keelson_aws_calls::ec2::Filters;

use super::*;

#[tokio::test]
async fn the_edge_is_as_it_is_wanted_a_second_time_changes_nothing_and_in_the_end_nothing_is_left() {
    let Some(scene) = Scene::start_or_skip("the_edge_is_as_it_is_wanted").await else {
        return;
    };
    let before = scene.everything().await;
    let wanted = wanted();
    assert_eq!(seen(&scene.look().await), []);
    scene.make(&wanted).await;
    let first = scene.look().await;
    assert_eq!(seen(&first), wanted);
    assert!(
        first
            .owned()
            .all(|(_, existing)| existing.health == Health::Healthy)
    );

    let found = scene.calls.elb.owned("one").await.unwrap();
    let [balancer] = found.load_balancers.as_slice() else {
        panic!("{found:?}")
    };
    assert!(balancer.name.starts_with("foo-api-"), "{}", balancer.name);
    let seen_balancer = first.present(&balancer_key()).unwrap();
    assert_eq!(seen_balancer.facts["hostname"], balancer.dns_name);
    let machines = scene.calls.ec2.list_instances(&Filters::of_cluster("one")).await;
    let machines: BTreeSet<String> = machines.unwrap().into_iter().map(|machine| machine.id).collect();
    let hosts = first.owned_of(Kind::LoadBalancerTarget);
    let hosts: BTreeSet<String> = hosts.filter_map(|(_, target)| target.host_id.clone()).collect();
    assert_eq!(hosts, machines);

    let writes = scene.writes();
    scene.make(&wanted).await;
    assert_eq!(scene.writes(), writes);
    assert_eq!(scene.look().await.digest(), first.digest());

    scene.take_away().await;
    assert_eq!(seen(&scene.look().await), []);
    assert_eq!(scene.everything().await, before);
}

/// What a hand can change of a load balancer.
const HANDS: [&str; 7] = [
    "its listener is gone",
    "it has another listener",
    "it has another security group",
    "it is in another subnet too",
    "its targets see clients",
    "its targets drain for long",
    "it stays in a zone",
];

async fn change_by_hand(scene: &Scene, hand: &str) {
    let AwsCalls { ec2, elb, .. } = &scene.calls;
    let ours = &Filters::of_cluster("one");
    let owned = elb.owned("one").await.unwrap();
    let (balancer, group) = (&owned.load_balancers[0], &owned.target_groups[0]);
    let listener = elb.listeners(&balancer.arn).await.unwrap().remove(0);
    let attributes = GroupAttributes::default();
    let done = match hand {
        "its listener is gone" => elb.delete_listener(&listener.arn).await,
        "it has another listener" => {
            let more = NewListener {
                load_balancer: balancer.arn.clone(),
                port: 80,
                target_group: group.arn.clone(),
                tags: listener.tags.clone(),
            };
            elb.create_listener(&more).await.map(drop)
        }
        "it has another security group" => {
            let groups = ec2.list_security_groups(ours).await.unwrap();
            let groups: Vec<String> = groups.into_iter().map(|group| group.id).collect();
            elb.set_security_groups(&balancer.arn, &groups).await
        }
        "it is in another subnet too" => {
            let subnets = ec2.list_subnets(ours).await.unwrap();
            let subnets: Vec<String> = subnets.into_iter().map(|subnet| subnet.id).collect();
            elb.set_subnets(&balancer.arn, &subnets).await
        }
        "its targets see clients" => {
            let attributes = GroupAttributes {
                keeps_client_addresses: true,
                ..attributes
            };
            elb.set_group_attributes(&group.arn, attributes).await
        }
        "its targets drain for long" => {
            let attributes = GroupAttributes {
                drain_seconds: 300,
                ..attributes
            };
            elb.set_group_attributes(&group.arn, attributes).await
        }
        _ => {
            let attributes = BalancerAttributes {
                cross_zone: false,
                deletion_protection: false,
            };
            elb.set_balancer_attributes(&balancer.arn, attributes).await
        }
    };
    done.unwrap();
}

#[tokio::test]
async fn a_load_balancer_that_was_changed_by_hand_is_seen_and_put_right() {
    let Some(scene) = Scene::start_or_skip("a_load_balancer_that_was_changed_by_hand").await else {
        return;
    };
    let wanted = wanted();
    scene.make(&wanted).await;
    let before = scene.calls.elb.owned("one").await.unwrap();
    for hand in HANDS {
        change_by_hand(&scene, hand).await;
        let mended = scene.mend(&wanted).await;
        assert_eq!(mended, [format!("update {}", balancer_key())], "{hand}");
        assert_eq!(seen(&scene.look().await), wanted, "{hand}");
    }
    let after = scene.calls.elb.owned("one").await.unwrap();
    let arns = |owned: &Owned| {
        (
            owned.load_balancers[0].arn.clone(),
            owned.target_groups[0].arn.clone(),
        )
    };
    assert_eq!(arns(&after), arns(&before), "nothing was made anew");
}

#[tokio::test]
async fn what_was_taken_away_by_hand_is_made_anew() {
    let Some(scene) = Scene::start_or_skip("what_was_taken_away_by_hand_is_made_anew").await else {
        return;
    };
    let (elb, wanted) = (&scene.calls.elb, wanted());
    scene.make(&wanted).await;
    let found = elb.owned("one").await.unwrap();
    let (balancer, group) = (&found.load_balancers[0], &found.target_groups[0]);
    let target = elb.target_health(&group.arn).await.unwrap().remove(0).target;
    elb.deregister(&group.arn, &[target]).await.unwrap();
    assert_eq!(scene.mend(&wanted).await, ["create load-balancer-target/cp-a"]);
    assert_eq!(seen(&scene.look().await), wanted);

    // Only the target group is left, with its targets, and the name leads to what is gone.
    elb.delete_load_balancer(&balancer.arn).await.unwrap();
    let mended = scene.mend(&wanted).await;
    assert_eq!(
        mended,
        [
            format!("update {}", balancer_key()),
            format!("update {}", name_key())
        ]
    );
    assert_eq!(seen(&scene.look().await), wanted);
}

#[tokio::test]
async fn a_name_that_was_changed_by_hand_is_seen_and_put_right() {
    let Some(scene) = Scene::start_or_skip("a_name_that_was_changed_by_hand").await else {
        return;
    };
    let (dns, wanted) = (&scene.calls.dns, wanted());
    scene.make(&wanted).await;
    let records = dns.records(&scene.zone).await.unwrap();
    let find = |name: &str| records.iter().find(|record| record.name == name).unwrap().clone();
    let (alias, text) = (find(NAME), find(&format!("_keelson.{NAME}")));
    let elsewhere = Record::alias(NAME, "Z2P70J7EXAMPLE", "elsewhere.elb.eu-west-1.amazonaws.com");
    let addresses = Record::addresses(NAME, 60, &[Ipv4Addr::LOCALHOST]);
    let words = "cluster=one resource=dns-record/api.foo.example.com";
    let longer = Record::texts(&text.name, 600, &[words]);
    assert_eq!(Record::texts(&text.name, 60, &[words]), text);
    let hands = [
        Change::Upsert(elsewhere),
        Change::Upsert(addresses),
        Change::Upsert(longer),
        // Half of it, as no run of keelson leaves it.
        Change::Delete(alias),
        Change::Delete(text),
    ];
    for hand in hands {
        dns.change(&scene.zone, std::slice::from_ref(&hand))
            .await
            .unwrap();
        let mended = scene.mend(&wanted).await;
        assert_eq!(mended, [format!("update {}", name_key())], "{hand:?}");
        assert_eq!(dns.records(&scene.zone).await.unwrap(), records, "{hand:?}");
    }
}

#[tokio::test]
async fn a_load_balancer_serves_another_port_by_another_target_group() {
    let Some(scene) = Scene::start_or_skip("a_load_balancer_serves_another_port").await else {
        return;
    };
    let mut wanted = wanted();
    scene.make(&wanted).await;
    let before = scene.calls.elb.owned("one").await.unwrap();
    let moved = LoadBalancer {
        port: 443,
        subnets: vec!["b-public".to_owned(), "c-public".to_owned()],
        ..balancer()
    };
    wanted[0].1 = moved.into();
    let mended = scene.mend(&wanted).await;
    assert_eq!(mended, [format!("update {}", balancer_key())]);
    // Its targets are not those of the port before.
    assert_eq!(
        scene.mend(&wanted).await,
        [
            "create load-balancer-target/cp-a",
            "create load-balancer-target/cp-b"
        ]
    );
    assert_eq!(seen(&scene.look().await), wanted);
    let after = scene.calls.elb.owned("one").await.unwrap();
    assert_eq!(after.load_balancers[0].arn, before.load_balancers[0].arn);
    assert_eq!(after.target_groups.len(), 1);
    assert_ne!(after.target_groups[0].name, before.target_groups[0].name);
}

#[tokio::test]
async fn an_instance_that_takes_a_machine_s_place_is_registered_in_its_stead() {
    let Some(scene) = Scene::start_or_skip("an_instance_that_takes_a_machine_s_place").await else {
        return;
    };
    let wanted = wanted();
    scene.make(&wanted).await;
    let target = key(Kind::LoadBalancerTarget, "cp-a");
    let old = scene.existing(&target).await.unwrap().id;
    let ec2 = &scene.calls.ec2;
    let itself = Filters::default().with("instance-id", [&old]);
    let instance = ec2.list_instances(&itself).await.unwrap().remove(0);
    ec2.terminate_instances(std::slice::from_ref(&old)).await.unwrap();
    assert_eq!(scene.existing(&target).await, None, "it went with its machine");
    let tags = mark(&scene.cluster, &key(Kind::Machine, "cp-a"), 1);
    let new = start(&scene.calls, &instance.interface.unwrap(), &tags, "again").await;
    assert_eq!(scene.mend(&wanted).await, [format!("create {target}")]);
    let existing = scene.existing(&target).await.unwrap();
    assert_eq!(existing.host_id, Some(new));
    assert_eq!(existing.health, Health::Healthy);
}
