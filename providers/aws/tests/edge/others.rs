//! What belongs to others: another life of the same cluster, a record of somebody, a load balancer whose name begins alike.

use keelson_aws_calls::dns::{Change, NewPrivateZone, Record, ZoneVpc};
use keelson_aws_calls::ec2::Filters;
use keelson_aws_calls::elb::{NewLoadBalancer, Scheme};
use keelson_aws_calls::mark::mark;
use keelson_provider_api::Owner;

use super::*;

#[tokio::test]
async fn what_belongs_to_others_is_neither_seen_nor_touched() {
    let Some(scene) = Scene::start_or_skip("edge_of_others_is_neither_seen_nor_touched").await else {
        return;
    };
    // Another life of the same cluster has all but the name, which nobody can have twice.
    let other = Scene {
        cluster: cluster("one more"),
        ..scene
    };
    ground::lay(&other.calls, &other.cluster).await;
    let mut theirs = wanted();
    theirs.remove(1);
    other.make(&theirs).await;
    let found = other.calls.elb.owned("one more").await.unwrap();
    let alike = NewLoadBalancer {
        name: "foo-api".to_owned(),
        scheme: Scheme::Internal,
        subnets: found.load_balancers[0].subnets.clone(),
        security_groups: Vec::new(),
        tags: mark(&cluster("two"), &balancer_key(), 0),
    };
    other.calls.elb.create_load_balancer(&alike).await.unwrap();
    // The public zone is meant, whichever others there are of its name.
    let vpcs = other
        .calls
        .ec2
        .list_vpcs(&Filters::of_cluster("one"))
        .await
        .unwrap();
    let private = NewPrivateZone {
        name: ZONE.to_owned(),
        vpc: ZoneVpc {
            id: vpcs[0].id.clone(),
            region: REGION.to_owned(),
        },
        caller_reference: "private".to_owned(),
        comment: String::new(),
    };
    let private = other
        .calls
        .dns
        .create_private_zone(&private)
        .await
        .unwrap()
        .zone
        .id;
    let of_private = other.calls.dns.records(&private).await.unwrap();
    let before = other.everything().await;

    let ours = Scene {
        cluster: cluster("one"),
        ..other
    };
    assert_eq!(seen(&ours.look().await), []);
    let wanted = wanted();
    ours.make(&wanted).await;
    assert_eq!(seen(&ours.look().await), wanted);
    assert_eq!(ours.calls.dns.records(&private).await.unwrap(), of_private);
    ours.take_away().await;
    assert_eq!(ours.everything().await, before);
}

#[tokio::test]
async fn a_record_of_somebody_else_is_seen_as_theirs_and_never_touched() {
    let Some(scene) = Scene::start_or_skip("a_record_of_somebody_else_is_seen_as_theirs").await else {
        return;
    };
    let wanted = wanted();
    scene.make(&wanted[..1].to_vec()).await;
    let text = |words: &str| Record::texts(&format!("_keelson.{NAME}"), 60, &[words]);
    let records = [
        Record::addresses(NAME, 60, &[Ipv4Addr::LOCALHOST]),
        Record::alias(NAME, "Z2P70J7EXAMPLE", "elsewhere.elb.eu-west-1.amazonaws.com"),
        text("cluster=one more resource=dns-record/api.foo.example.com"),
        text("cluster=on resource=dns-record/api.foo.example.com"),
    ];
    for record in records {
        let (dns, zone) = (&scene.calls.dns, &scene.zone);
        dns.change(zone, &[Change::Upsert(record.clone())]).await.unwrap();
        let before = dns.records(zone).await.unwrap();
        let existing = scene.existing(&name_key()).await.unwrap();
        assert!(matches!(&existing.owner, Owner::Other(_)), "{existing:?}");
        let changes = [
            create(&name_key(), &wanted[1].1, 0),
            delete(&name_key(), &existing),
        ];
        let Outcome::Rejected(error) = scene.once(&changes[0]).await else {
            panic!("{record:?}")
        };
        assert!(error.to_string().contains("belongs to somebody else"), "{error}");
        assert_eq!(scene.once(&changes[1]).await, Outcome::Done);
        assert_eq!(dns.records(zone).await.unwrap(), before);
        dns.change(zone, &[Change::Delete(record)]).await.unwrap();
    }
    // A name that people have given the load balancer stays theirs, and goes unnoticed.
    let balancer = scene
        .calls
        .elb
        .owned("one")
        .await
        .unwrap()
        .load_balancers
        .remove(0);
    let nickname = Record::alias("k8s.example.com", &balancer.zone, &balancer.dns_name);
    let change = Change::Upsert(nickname.clone());
    scene.calls.dns.change(&scene.zone, &[change]).await.unwrap();
    scene.make(&wanted).await;
    assert_eq!(seen(&scene.look().await), wanted);
    scene.take_away().await;
    let left = scene.calls.dns.records(&scene.zone).await.unwrap();
    let address = |record: &&Record| record.record_type == nickname.record_type;
    assert_eq!(left.iter().filter(address).collect::<Vec<_>>(), [&nickname]);
}

#[tokio::test]
async fn a_zone_that_is_not_there_or_is_there_twice_is_told() {
    let Some(scene) = Scene::start_or_skip("a_zone_that_is_not_there_or_is_there_twice").await else {
        return;
    };
    let mut wanted = wanted();
    scene.make(&wanted[..1].to_vec()).await;
    make_public_zone(scene.moto.address, ZONE, "another");
    let seen = scene
        .edge
        .observe(&scene.cluster, Kind::DnsRecord, &BTreeSet::new())
        .await;
    let error = seen.unwrap_err().to_string();
    assert!(error.contains("several public zones `example.com`"), "{error}");

    let edge = edge(&scene.calls, "example.org", &scene.clock);
    let scene = Scene { edge, ..scene };
    assert_eq!(scene.existing(&name_key()).await, None);
    if let Resource::DnsRecord(record) = &mut wanted[1].1 {
        "example.org".clone_into(&mut record.zone);
    }
    let Outcome::Rejected(error) = scene.once(&create(&name_key(), &wanted[1].1, 0)).await else {
        panic!("there is no such zone")
    };
    assert!(
        error.to_string().contains("no public DNS zone `example.org`"),
        "{error}"
    );
}
