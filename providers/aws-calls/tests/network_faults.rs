//! Networks while answers are lost and calls are throttled.

use keelson_aws_calls::ec2::{DescribedRules, IngressProtocol, RouteTarget, VpcDns};
use keelson_aws_calls::{CallError, CallFailure};

use crate::emulator::Emulator;
use crate::network::{ZONE, ours, tags};
use crate::security_groups::{range, rule};

/// What has the same effect twice, and is sent again when its answer is lost.
const RESENT: &[&str] = &[
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

#[tokio::test]
async fn an_answer_that_is_lost_makes_nothing_twice() {
    let test = "aws_calls::network_faults::an_answer_that_is_lost_makes_nothing_twice";
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
    let unheard = ec2.create_vpc("10.0.0.0/16", &tags("main")).await.unwrap_err();
    assert_eq!(unheard.failure, CallFailure::Lost, "{unheard}");
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
    for action in RESENT {
        lose(action);
    }

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
    let rules = DescribedRules::from([rule(IngressProtocol::All, range("10.0.0.0/8"))]);
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
    for action in RESENT {
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
    unreachable!("20 calls were throttled")
}

#[tokio::test]
async fn a_network_is_made_and_deleted_while_30_calls_of_100_are_throttled() {
    let test = "aws_calls::network_faults::a_network_is_made_and_deleted_while_30_calls_of_100_are_throttled";
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
