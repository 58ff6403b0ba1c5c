//! Networks: VPCs, subnets, gateways, addresses, routes, security groups.

use std::collections::BTreeSet;
use std::future::Future;

use keelson_aws_calls::ec2::{
    Ec2, Filters, IngressProtocol, IngressRule, IngressSource, NatGatewayState, RouteTarget, VpcDns,
};
use keelson_aws_calls::mark::{self, Tags};
use keelson_aws_calls::{CallError, CallFailure};
use keelson_provider_api::{ClusterIdentity, ClusterUid, Kind, ResourceKey};

use crate::emulator::Emulator;

const UID: &str = "u1";
const ZONE: &str = "eu-west-1a";

fn tags(name: &str) -> Tags {
    let cluster = ClusterIdentity {
        name: "prod.example.com".parse().unwrap(),
        uid: Some(ClusterUid::new(UID)),
    };
    mark::mark(&cluster, &ResourceKey::new(Kind::Network, name), 1)
}

fn ours() -> Filters {
    Filters::of_cluster(UID)
}

/// A VPC with a subnet in it.
async fn network(ec2: &Ec2) -> (String, String) {
    let vpc = ec2.create_vpc("10.0.0.0/16", &tags("main")).await.unwrap();
    let subnet = ec2.create_subnet(&vpc, ZONE, "10.0.1.0/24", &tags("a")).await;
    (vpc, subnet.unwrap())
}

#[tokio::test]
async fn vpcs_and_subnets_are_made_found_changed_and_deleted() {
    let test = "aws_calls::network::vpcs_and_subnets_are_made_found_changed_and_deleted";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    let ec2 = &emulator.calls.ec2;
    let zones = ec2.list_zones().await.unwrap();
    let names: Vec<&str> = zones.iter().map(|zone| zone.name.as_str()).collect();
    assert_eq!(names, ["eu-west-1a", "eu-west-1b", "eu-west-1c"]);
    let is_well = |state: &str, id: &str| state == "available" && id.starts_with("euw1-az");
    assert!(
        zones.iter().all(|zone| is_well(&zone.state, &zone.id)),
        "{zones:?}"
    );

    let (vpc, subnet) = network(ec2).await;
    let found = ec2.list_vpcs(&ours()).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0].id, found[0].cidr.as_str()), (&vpc, "10.0.0.0/16"));
    assert_eq!((found[0].is_available, found[0].is_default), (true, false));
    assert_eq!(found[0].tags, tags("main"));
    let ids = Filters::default().with("vpc-id", [vpc.as_str(), "vpc-00000000000000000"]);
    assert_eq!(ec2.list_vpcs(&ids).await.unwrap(), found);
    assert_eq!(ec2.list_vpcs(&Filters::default()).await.unwrap().len(), 2);
    for nothing in [
        Filters::of_cluster("u"),
        Filters::of_cluster("u*"),
        ours().with("vpc-id", [""; 0]),
    ] {
        assert_eq!(ec2.list_vpcs(&nothing).await.unwrap(), [], "{nothing:?}");
    }

    for (support, host_names) in [(true, true), (true, false), (false, false), (true, true)] {
        let dns = VpcDns { support, host_names };
        ec2.set_vpc_dns(&vpc, dns).await.unwrap();
        assert_eq!(ec2.vpc_dns(&vpc).await.unwrap(), dns);
    }

    ec2.create_tags(
        &[vpc.clone(), subnet.clone()],
        &Tags::from([("a".to_owned(), "1".to_owned())]),
    )
    .await
    .unwrap();
    let found = ec2.list_subnets(&ours().with_tag("a", "1")).await.unwrap();
    assert_eq!(found.len(), 1);
    let one = &found[0];
    assert_eq!((&one.id, &one.vpc, one.zone.as_str()), (&subnet, &vpc, ZONE));
    assert_eq!((one.cidr.as_str(), one.free_addresses), ("10.0.1.0/24", 251));
    assert_eq!((one.is_available, one.maps_public_addresses), (true, false));
    assert_eq!(mark::read(&one.tags), mark::read(&tags("a")));
    for maps in [true, true, false] {
        ec2.set_subnet_public_addresses(&subnet, maps).await.unwrap();
        let found = ec2.list_subnets(&Filters::in_vpc(&vpc)).await.unwrap();
        assert_eq!(found[0].maps_public_addresses, maps);
    }
    let refused = ec2
        .create_subnet(&vpc, ZONE, "10.0.1.0/25", &tags("b"))
        .await
        .unwrap_err();
    assert!(refused.is(&["InvalidSubnet.Conflict"]), "{refused}");

    let refused = ec2.delete_vpc(&vpc).await.unwrap_err();
    assert!(
        refused.is(&["DependencyViolation"]) && refused.had_no_effect(),
        "{refused}"
    );
    for _ in 0..2 {
        ec2.delete_subnet(&subnet).await.unwrap();
        ec2.delete_vpc(&vpc).await.unwrap();
    }
    assert_eq!(ec2.list_subnets(&ours()).await.unwrap(), []);
    assert_eq!(ec2.list_vpcs(&ours()).await.unwrap(), []);
}

#[tokio::test]
async fn gateways_and_addresses_are_made_found_and_deleted() {
    let test = "aws_calls::network::gateways_and_addresses_are_made_found_and_deleted";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    let ec2 = &emulator.calls.ec2;
    let (vpc, subnet) = network(ec2).await;
    let gateway = ec2.create_internet_gateway(&tags("main")).await.unwrap();
    for _ in 0..2 {
        ec2.attach_internet_gateway(&gateway, &vpc).await.unwrap();
    }
    let other = ec2.create_internet_gateway(&Tags::new()).await.unwrap();
    assert!(
        ec2.attach_internet_gateway(&other, &vpc)
            .await
            .unwrap_err()
            .had_no_effect()
    );
    ec2.delete_internet_gateway(&other).await.unwrap();
    let found = ec2.list_internet_gateways(&ours()).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0].id, found[0].vpc.as_ref()), (&gateway, Some(&vpc)));
    assert_eq!(found[0].tags, tags("main"));

    let address = ec2.allocate_address(&tags("a")).await.unwrap();
    let found = ec2.list_addresses(&ours()).await.unwrap();
    assert_eq!((found.len(), &found[0].id), (1, &address));
    assert_eq!((&found[0].association, &found[0].interface), (&None, &None));
    let public = found[0].public_address.clone();

    emulator
        .moto
        .tell("POST", "settings", r#"{"delay": 60}"#)
        .unwrap();
    let later = || {
        emulator
            .moto
            .tell("POST", "settings", r#"{"advance": 61}"#)
            .unwrap()
    };
    let nat = ec2
        .create_nat_gateway(&subnet, &address, "t1", &tags("a"))
        .await
        .unwrap();
    let again = ec2
        .create_nat_gateway(&subnet, &address, "t1", &tags("a"))
        .await
        .unwrap();
    assert_eq!(nat, again);
    let mismatch = ec2
        .create_nat_gateway(&subnet, &address, "t1", &tags("b"))
        .await
        .unwrap_err();
    assert!(mismatch.is(&["IdempotentParameterMismatch"]), "{mismatch}");
    let found = ec2.list_nat_gateways(&ours()).await.unwrap();
    assert_eq!((found.len(), found[0].state), (1, NatGatewayState::Pending));
    assert_eq!(
        (&found[0].id, &found[0].vpc, &found[0].subnet),
        (&nat, &vpc, &subnet)
    );
    assert_eq!(found[0].tags, tags("a"));
    assert!(found[0].created_at.is_some());
    later();
    let found = ec2
        .list_nat_gateways(&Filters::default().with("nat-gateway-id", [&nat]))
        .await
        .unwrap();
    assert_eq!((found.len(), found[0].state), (1, NatGatewayState::Available));
    let own = &found[0].addresses[0];
    assert_eq!(
        (&own.allocation, &own.public_address),
        (&Some(address.clone()), &Some(public))
    );
    assert!(
        own.private_address.as_ref().unwrap().starts_with("10.0.1."),
        "{own:?}"
    );
    let held = ec2
        .list_addresses(&Filters::default().with("allocation-id", [&address]))
        .await
        .unwrap();
    assert!(held[0].association.is_some(), "{held:?}");
    assert_eq!(held[0].interface, own.interface);
    assert!(
        ec2.release_address(&address)
            .await
            .unwrap_err()
            .is(&["InvalidIPAddress.InUse"])
    );

    let failed = ec2
        .create_nat_gateway(&subnet, &address, "t2", &tags("b"))
        .await
        .unwrap();
    later();
    let found = ec2
        .list_nat_gateways(&Filters::default().with("nat-gateway-id", [&failed]))
        .await
        .unwrap();
    assert_eq!(found[0].state, NatGatewayState::Failed);
    assert!(
        found[0]
            .failure
            .as_ref()
            .unwrap()
            .starts_with("Resource.AlreadyAssociated: ")
    );

    for _ in 0..2 {
        ec2.delete_nat_gateway(&nat).await.unwrap();
        ec2.delete_nat_gateway(&failed).await.unwrap();
    }
    let found = ec2.list_nat_gateways(&ours()).await.unwrap();
    assert!(
        found.iter().all(|nat| nat.state == NatGatewayState::Deleting),
        "{found:?}"
    );
    later();
    assert_eq!(ec2.list_nat_gateways(&ours()).await.unwrap(), []);
    ec2.delete_nat_gateway("nat-00000000000000000").await.unwrap();
    assert!(
        ec2.delete_internet_gateway(&gateway)
            .await
            .unwrap_err()
            .is(&["DependencyViolation"])
    );
    for _ in 0..2 {
        ec2.release_address(&address).await.unwrap();
        ec2.detach_internet_gateway(&gateway, &vpc).await.unwrap();
    }
    for _ in 0..2 {
        ec2.delete_internet_gateway(&gateway).await.unwrap();
    }
    ec2.detach_internet_gateway(&gateway, &vpc).await.unwrap();
    assert_eq!(ec2.list_addresses(&ours()).await.unwrap(), []);
    assert_eq!(ec2.list_internet_gateways(&ours()).await.unwrap(), []);
}

#[tokio::test]
async fn route_tables_are_made_found_changed_and_deleted() {
    let test = "aws_calls::network::route_tables_are_made_found_changed_and_deleted";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    let ec2 = &emulator.calls.ec2;
    let (vpc, subnet) = network(ec2).await;
    let gateway = ec2.create_internet_gateway(&tags("main")).await.unwrap();
    ec2.attach_internet_gateway(&gateway, &vpc).await.unwrap();
    let address = ec2.allocate_address(&tags("a")).await.unwrap();
    let nat = ec2
        .create_nat_gateway(&subnet, &address, "nat", &tags("a"))
        .await
        .unwrap();

    let table = ec2.create_route_table(&vpc, "t1", &tags("a")).await.unwrap();
    assert_eq!(
        ec2.create_route_table(&vpc, "t1", &tags("a")).await.unwrap(),
        table
    );
    let other = ec2.create_route_table(&vpc, "t2", &tags("b")).await.unwrap();
    assert_ne!(other, table);
    let all = ec2.list_route_tables(&Filters::in_vpc(&vpc)).await.unwrap();
    assert_eq!(all.iter().filter(|table| table.is_main).count(), 1);
    assert_eq!(all.len(), 3);

    let (internet, inside) = (
        RouteTarget::InternetGateway(gateway),
        RouteTarget::NatGateway(nat),
    );
    for _ in 0..2 {
        ec2.create_route(&table, "0.0.0.0/0", &internet).await.unwrap();
        ec2.create_route(&table, "::/0", &internet).await.unwrap();
    }
    let refused = ec2.create_route(&table, "0.0.0.0/0", &inside).await.unwrap_err();
    assert!(refused.is(&["RouteAlreadyExists"]), "{refused}");
    for _ in 0..2 {
        ec2.replace_route(&table, "0.0.0.0/0", &inside).await.unwrap();
    }
    assert!(
        ec2.replace_route(&table, "10.9.0.0/16", &inside)
            .await
            .unwrap_err()
            .had_no_effect()
    );
    let association = ec2.associate_route_table(&table, &subnet).await.unwrap();
    assert_eq!(
        ec2.associate_route_table(&table, &subnet).await.unwrap(),
        association
    );
    let refused = ec2.associate_route_table(&other, &subnet).await.unwrap_err();
    assert!(refused.is(&["Resource.AlreadyAssociated"]), "{refused}");

    let found = ec2
        .list_route_tables(&ours().with("route-table-id", [&table]))
        .await
        .unwrap();
    assert_eq!((found.len(), &found[0].vpc, found[0].is_main), (1, &vpc, false));
    assert_eq!(found[0].tags, tags("a"));
    let routes: Vec<_> = found[0]
        .routes
        .iter()
        .map(|route| (route.destination.as_str(), route.target.as_ref()))
        .collect();
    let expected = [
        ("10.0.0.0/16", None),
        ("0.0.0.0/0", Some(&inside)),
        ("::/0", Some(&internet)),
    ];
    assert_eq!(routes, expected);
    assert!(found[0].routes.iter().all(|route| !route.is_black_hole));
    assert_eq!(found[0].associations.len(), 1);
    let one = &found[0].associations[0];
    assert_eq!((&one.id, &one.subnet), (&association, &subnet));

    assert!(
        ec2.delete_route_table(&table)
            .await
            .unwrap_err()
            .is(&["DependencyViolation"])
    );
    for _ in 0..2 {
        ec2.delete_route(&table, "0.0.0.0/0").await.unwrap();
        ec2.delete_route(&table, "::/0").await.unwrap();
        ec2.disassociate_route_table(&association).await.unwrap();
    }
    let found = ec2
        .list_route_tables(&ours().with("route-table-id", [&table]))
        .await
        .unwrap();
    assert_eq!((found[0].routes.len(), found[0].associations.len()), (1, 0));
    for _ in 0..2 {
        ec2.delete_route_table(&table).await.unwrap();
        ec2.delete_route_table(&other).await.unwrap();
    }
    assert_eq!(ec2.list_route_tables(&ours()).await.unwrap(), []);
}

fn rule(protocol: IngressProtocol, source: IngressSource) -> IngressRule {
    IngressRule { protocol, source }
}

fn range(cidr: &str) -> IngressSource {
    IngressSource::Cidr(cidr.to_owned())
}

#[tokio::test]
async fn security_groups_let_in_what_they_are_told_to() {
    let test = "aws_calls::network::security_groups_let_in_what_they_are_told_to";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    let ec2 = &emulator.calls.ec2;
    let (vpc, _) = network(ec2).await;
    let group = ec2
        .create_security_group(&vpc, "nodes", "for nodes", &tags("nodes"))
        .await
        .unwrap();
    let other = ec2
        .create_security_group(&vpc, "api", "for the API", &tags("api"))
        .await
        .unwrap();
    let refused = ec2
        .create_security_group(&vpc, "api", "twice", &tags("api"))
        .await
        .unwrap_err();
    assert!(refused.is(&["InvalidGroup.Duplicate"]), "{refused}");
    assert_eq!(
        ec2.list_security_groups(&Filters::in_vpc(&vpc))
            .await
            .unwrap()
            .len(),
        3
    );
    let find = async || {
        let found = ec2
            .list_security_groups(&ours().with("group-id", [&group]))
            .await
            .unwrap();
        assert_eq!(found.len(), 1);
        found.into_iter().next().unwrap()
    };
    let found = find().await;
    assert_eq!(
        (&found.vpc, found.name.as_str(), found.description.as_str()),
        (&vpc, "nodes", "for nodes")
    );
    assert_eq!((found.tags, found.ingress), (tags("nodes"), BTreeSet::new()));

    let first = BTreeSet::from([
        rule(IngressProtocol::Tcp(22, 22), range("192.0.2.0/24")),
        rule(IngressProtocol::Tcp(22, 22), range("2001:db8::/32")),
        rule(
            IngressProtocol::Udp(0, 65535),
            IngressSource::Group(other.clone()),
        ),
        rule(IngressProtocol::All, IngressSource::Group(group.clone())),
        rule(IngressProtocol::Icmp, range("0.0.0.0/0")),
    ]);
    for _ in 0..2 {
        ec2.authorize_ingress(&group, &first).await.unwrap();
        assert_eq!(find().await.ingress, first);
    }
    let new = rule(IngressProtocol::Tcp(30000, 32767), range("10.0.0.0/8"));
    let more: BTreeSet<_> = first.iter().cloned().chain([new.clone()]).collect();
    ec2.authorize_ingress(&group, &more).await.unwrap();
    assert_eq!(
        find().await.ingress,
        more,
        "a rule that was there keeps no other one out"
    );
    ec2.authorize_ingress(&group, &BTreeSet::new()).await.unwrap();

    assert!(
        ec2.delete_security_group(&other)
            .await
            .unwrap_err()
            .is(&["DependencyViolation"])
    );
    ec2.revoke_ingress(&group, &BTreeSet::from([new])).await.unwrap();
    assert_eq!(find().await.ingress, first);
    for _ in 0..2 {
        ec2.revoke_ingress(&group, &more).await.unwrap();
        assert_eq!(
            find().await.ingress,
            BTreeSet::new(),
            "a rule that is gone keeps no other one in"
        );
    }
    for _ in 0..2 {
        ec2.delete_security_group(&group).await.unwrap();
        ec2.delete_security_group(&other).await.unwrap();
    }
    ec2.revoke_ingress(&group, &more).await.unwrap();
    assert!(
        ec2.authorize_ingress(&group, &first)
            .await
            .unwrap_err()
            .is_absent()
    );
    assert_eq!(ec2.list_security_groups(&ours()).await.unwrap(), []);
}

#[tokio::test]
async fn an_answer_that_is_lost_makes_nothing_twice() {
    let test = "aws_calls::network::an_answer_that_is_lost_makes_nothing_twice";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    let ec2 = &emulator.calls.ec2;
    let lose = |action: &str| {
        emulator.trouble(&format!(
            r#"{{"kind": "lose", "action": "{action}", "times": 1}}"#
        ));
    };
    lose("CreateVpc");
    let lost = ec2.create_vpc("10.0.0.0/16", &tags("main")).await.unwrap_err();
    assert_eq!(lost.failure, CallFailure::Lost, "{lost}");
    let found = ec2.list_vpcs(&ours()).await.unwrap();
    assert_eq!((found.len(), &found[0].tags), (1, &tags("main")));
    assert_eq!(emulator.count("CreateVpc"), 1, "sent once");

    let vpc = &found[0].id;
    let subnet = ec2
        .create_subnet(vpc, ZONE, "10.0.1.0/24", &tags("a"))
        .await
        .unwrap();
    let gateway = ec2.create_internet_gateway(&tags("main")).await.unwrap();
    let address = ec2.allocate_address(&tags("a")).await.unwrap();
    let group = ec2
        .create_security_group(vpc, "nodes", "for nodes", &tags("nodes"))
        .await
        .unwrap();
    let actions = [
        "AssociateRouteTable",
        "AttachInternetGateway",
        "AuthorizeSecurityGroupIngress",
        "CreateNatGateway",
        "CreateRoute",
        "CreateRouteTable",
        "DeleteNatGateway",
        "DeleteRoute",
        "DeleteSubnet",
        "DetachInternetGateway",
        "DisassociateRouteTable",
        "RevokeSecurityGroupIngress",
    ];
    actions.iter().for_each(|action| lose(action));

    ec2.attach_internet_gateway(&gateway, vpc).await.unwrap();
    let nat = ec2
        .create_nat_gateway(&subnet, &address, "t1", &tags("a"))
        .await
        .unwrap();
    let found = ec2.list_nat_gateways(&ours()).await.unwrap();
    assert_eq!((found.len(), &found[0].id), (1, &nat));
    let table = ec2.create_route_table(vpc, "t1", &tags("a")).await.unwrap();
    let target = RouteTarget::NatGateway(nat.clone());
    ec2.create_route(&table, "0.0.0.0/0", &target).await.unwrap();
    let association = ec2.associate_route_table(&table, &subnet).await.unwrap();
    let found = ec2.list_route_tables(&ours()).await.unwrap();
    assert_eq!((found.len(), &found[0].id), (1, &table));
    assert_eq!((found[0].routes.len(), found[0].associations.len()), (2, 1));
    let rules = BTreeSet::from([rule(IngressProtocol::All, range("10.0.0.0/8"))]);
    ec2.authorize_ingress(&group, &rules).await.unwrap();
    assert_eq!(ec2.list_security_groups(&ours()).await.unwrap()[0].ingress, rules);

    ec2.revoke_ingress(&group, &rules).await.unwrap();
    ec2.delete_security_group(&group).await.unwrap();
    ec2.delete_route(&table, "0.0.0.0/0").await.unwrap();
    ec2.disassociate_route_table(&association).await.unwrap();
    ec2.delete_route_table(&table).await.unwrap();
    ec2.delete_nat_gateway(&nat).await.unwrap();
    ec2.release_address(&address).await.unwrap();
    ec2.detach_internet_gateway(&gateway, vpc).await.unwrap();
    ec2.delete_internet_gateway(&gateway).await.unwrap();
    ec2.delete_subnet(&subnet).await.unwrap();
    ec2.delete_vpc(vpc).await.unwrap();
    for action in actions {
        assert_eq!(emulator.count(action), 2, "{action} was sent again");
    }
}

/// What an API that is called too often refuses is asked for again: whoever calls does that with creates that are sent once.
async fn got_over<T, F: Future<Output = Result<T, CallError>>>(call: impl Fn() -> F) -> T {
    for _ in 0..20 {
        match call().await {
            Ok(answer) => return answer,
            Err(error) => assert_eq!(error.failure, CallFailure::Throttled, "{error}"),
        }
    }
    panic!("20 calls were throttled");
}

#[tokio::test]
async fn a_network_is_made_and_deleted_while_30_calls_of_100_are_throttled() {
    let test = "aws_calls::network::a_network_is_made_and_deleted_while_30_calls_of_100_are_throttled";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    let ec2 = &emulator.calls.ec2;
    emulator.trouble(r#"{"kind": "throttle", "service": "ec2", "share": 0.3, "seed": 7}"#);
    let (main, a) = (tags("main"), tags("a"));
    let vpc = got_over(|| ec2.create_vpc("10.0.0.0/16", &main)).await;
    ec2.set_vpc_dns(
        &vpc,
        VpcDns {
            support: true,
            host_names: true,
        },
    )
    .await
    .unwrap();
    let subnet = got_over(|| ec2.create_subnet(&vpc, ZONE, "10.0.1.0/24", &a)).await;
    let gateway = got_over(|| ec2.create_internet_gateway(&main)).await;
    ec2.attach_internet_gateway(&gateway, &vpc).await.unwrap();
    let address = got_over(|| ec2.allocate_address(&a)).await;
    let nat = ec2.create_nat_gateway(&subnet, &address, "t1", &a).await.unwrap();
    let table = ec2.create_route_table(&vpc, "t1", &a).await.unwrap();
    ec2.create_route(&table, "0.0.0.0/0", &RouteTarget::NatGateway(nat.clone()))
        .await
        .unwrap();
    let association = ec2.associate_route_table(&table, &subnet).await.unwrap();
    assert_eq!(ec2.list_vpcs(&ours()).await.unwrap().len(), 1);
    assert_eq!(ec2.list_subnets(&ours()).await.unwrap().len(), 1);
    assert_eq!(ec2.list_addresses(&ours()).await.unwrap().len(), 1);
    assert_eq!(ec2.list_nat_gateways(&ours()).await.unwrap().len(), 1);
    assert_eq!(ec2.list_route_tables(&ours()).await.unwrap().len(), 1);
    ec2.disassociate_route_table(&association).await.unwrap();
    ec2.delete_route_table(&table).await.unwrap();
    ec2.delete_nat_gateway(&nat).await.unwrap();
    ec2.release_address(&address).await.unwrap();
    ec2.detach_internet_gateway(&gateway, &vpc).await.unwrap();
    ec2.delete_internet_gateway(&gateway).await.unwrap();
    ec2.delete_subnet(&subnet).await.unwrap();
    ec2.delete_vpc(&vpc).await.unwrap();
    assert_eq!(ec2.list_vpcs(&ours()).await.unwrap(), []);
}
