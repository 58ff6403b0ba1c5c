//! Zones and records.

use std::net::Ipv4Addr;

use keelson_aws_calls::dns::{Change, NewPrivateZone, Record, RecordData, RecordType, ZoneVpc};

use super::{Ground, tags};
use crate::emulator::Emulator;

pub(super) fn new_zone(vpc: &str, reference: &str) -> NewPrivateZone {
    NewPrivateZone {
        name: "example.internal".to_owned(),
        vpc: ZoneVpc {
            id: vpc.to_owned(),
            region: "eu-west-1".to_owned(),
        },
        caller_reference: reference.to_owned(),
        comment: "keelson".to_owned(),
    }
}

async fn private_zone(emulator: &Emulator) -> String {
    let ground = Ground::lay(emulator).await;
    let new = new_zone(&ground.vpc, "u1-zone-0");
    emulator
        .calls
        .dns
        .create_private_zone(&new)
        .await
        .unwrap()
        .zone
        .id
}

#[tokio::test]
async fn zones_are_made_once_for_a_reference() {
    let Some(emulator) = Emulator::start_or_skip("zones_are_made_once_for_a_reference") else {
        return;
    };
    let (dns, ground) = (&emulator.calls.dns, Ground::lay(&emulator).await);
    let new = new_zone(&ground.vpc, "u1-zone-0");
    emulator.trouble(r#"{"kind": "lose", "action": "CreateHostedZone", "times": 1, "reset": true}"#);
    let made = dns.create_private_zone(&new).await.unwrap();
    assert_eq!(
        made.change, None,
        "the first answer was lost, so the zone was there"
    );
    assert_eq!(dns.create_private_zone(&new).await.unwrap(), made);
    assert_eq!(
        dns.zones("Example.internal.").await.unwrap(),
        std::slice::from_ref(&made.zone)
    );
    assert_eq!(dns.public_zones("example.internal").await.unwrap(), []);
    assert_eq!(
        dns.private_zones("example.internal").await.unwrap(),
        [(made.zone.clone(), vec![new.vpc.clone()])]
    );
    let second = Ground::lay(&emulator).await;
    let other = ZoneVpc {
        id: second.vpc,
        region: "eu-west-1".to_owned(),
    };
    let zone = &made.zone.id;
    let change = dns.associate_vpc(zone, &other).await.unwrap().unwrap();
    assert!(dns.change_is_in_sync(&change).await.unwrap());
    assert_eq!(
        dns.associate_vpc(zone, &other).await.unwrap(),
        None,
        "it sees it already"
    );
    assert_eq!(
        dns.zone_vpcs(zone).await.unwrap(),
        [new.vpc.clone(), other.clone()]
    );
    let alike = dns
        .create_private_zone(&new_zone(&ground.vpc, "u1-zone-1"))
        .await
        .unwrap_err();
    assert!(alike.is(&["ConflictingDomainExists"]), "{alike}");
    for _ in 0..2 {
        dns.disassociate_vpc(zone, &other).await.unwrap();
    }
    assert_eq!(dns.zone_vpcs(zone).await.unwrap(), std::slice::from_ref(&new.vpc));
    let last = dns.disassociate_vpc(zone, &new.vpc).await.unwrap_err();
    assert!(last.is(&["LastVPCAssociation"]), "{last}");

    let mut many = tags("u1", "network/main");
    many.extend((0..12).map(|index| (format!("tag-{index}"), String::from("x"))));
    dns.tag_zone(&made.zone.id, &many).await.unwrap();
    assert_eq!(dns.zone_tags(&made.zone.id).await.unwrap(), many);
    for _ in 0..2 {
        dns.delete_zone(&made.zone.id).await.unwrap();
    }
    assert_eq!(dns.zones("example.internal").await.unwrap(), []);
    let refused = dns.create_private_zone(&new).await.unwrap_err();
    assert!(
        refused.is(&["HostedZoneAlreadyExists"]),
        "a reference is used up: {refused}"
    );
}

#[tokio::test]
async fn records_are_written_read_and_deleted_exactly() {
    let Some(emulator) = Emulator::start_or_skip("records_are_written_read_and_deleted_exactly") else {
        return;
    };
    let (dns, zone) = (&emulator.calls.dns, private_zone(&emulator).await);
    let long = "a\"b\\ ".repeat(100);
    let records = [
        Record::alias(
            "api.example.internal",
            "Z2IFOLAFXWLO4F",
            "api-1.elb.eu-west-1.amazonaws.com",
        ),
        Record::addresses(
            "Node.example.internal.",
            60,
            &[Ipv4Addr::new(10, 0, 0, 5), Ipv4Addr::new(10, 0, 0, 6)],
        ),
        Record::texts("api.example.internal", 300, &["v=1; owner", &long]),
        Record::addresses(
            "api.example.internal.example.internal",
            60,
            &[Ipv4Addr::LOCALHOST],
        ),
    ];
    let upserts: Vec<Change> = records.iter().cloned().map(Change::Upsert).collect();
    let change = dns.change(&zone, &upserts).await.unwrap().unwrap();
    assert!(dns.change_is_in_sync(&change).await.unwrap());
    for record in &records {
        let found = dns
            .record(&zone, &record.name, &record.record_type)
            .await
            .unwrap();
        assert_eq!(found, std::slice::from_ref(record));
    }
    assert_eq!(
        dns.record(&zone, "example.inter", &RecordType::A).await.unwrap(),
        []
    );
    assert_eq!(
        dns.record(&zone, "api.example.internal", &RecordType::Aaaa)
            .await
            .unwrap(),
        []
    );

    let changed = Record::addresses("node.example.internal", 60, &[Ipv4Addr::new(10, 0, 0, 7)]);
    dns.change(&zone, &[Change::Upsert(changed.clone())])
        .await
        .unwrap();
    let refused = dns
        .change(&zone, &[Change::Delete(records[1].clone())])
        .await
        .unwrap_err();
    assert!(
        refused.is(&["InvalidChangeBatch"]),
        "somebody else's value stays: {refused}"
    );
    let mut deletes: Vec<Change> = records.iter().cloned().map(Change::Delete).collect();
    deletes[1] = Change::Delete(changed);
    // The answer of a deletion is lost: the SDK's next attempt is refused, since the records are gone.
    emulator.trouble(r#"{"kind": "lose", "action": "ChangeResourceRecordSets", "times": 1}"#);
    assert_eq!(dns.change(&zone, &deletes).await.unwrap(), None);
    assert_eq!(
        dns.change(&zone, &deletes).await.unwrap(),
        None,
        "nothing is left to do"
    );
    let mine = |record: &Record| {
        matches!(record.data, RecordData::Alias { .. }) || record.name != "example.internal"
    };
    assert!(!dns.records(&zone).await.unwrap().iter().any(mine));
}
