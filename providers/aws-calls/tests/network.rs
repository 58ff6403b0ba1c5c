//! Networks: VPCs, subnets, zones, and what the other tests of networks begin with.

use keelson_aws_calls::CallError;
use keelson_aws_calls::ec2::{Ec2, Filters, VpcDns};
use keelson_aws_calls::mark::{self, Tags};
use keelson_provider_api::{ClusterIdentity, ClusterUid, Kind, ResourceKey};

use crate::emulator::Emulator;

const UID: &str = "u1";
pub(crate) const ZONE: &str = "eu-west-1a";

pub(crate) fn tags(name: &str) -> Tags {
    let cluster = ClusterIdentity {
        name: "prod.example.com".parse().unwrap(),
        uid: Some(ClusterUid::new(UID)),
    };
    mark::mark(&cluster, &ResourceKey::new(Kind::Network, name), 1)
}

pub(crate) fn ours() -> Filters {
    Filters::of_cluster(UID)
}

/// A VPC with a subnet in it.
pub(crate) async fn network(ec2: &Ec2) -> (String, String) {
    let vpc = ec2.create_vpc("10.0.0.0/16", &tags("main")).await.unwrap();
    let subnet = ec2.create_subnet(&vpc, ZONE, "10.0.1.0/24", &tags("a")).await;
    (vpc, subnet.unwrap())
}

/// The code of a refusal that changed nothing.
pub(crate) fn refused<T: std::fmt::Debug>(answer: Result<T, CallError>) -> String {
    let error = answer.unwrap_err();
    assert!(error.had_no_effect(), "{error}");
    error.code
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
