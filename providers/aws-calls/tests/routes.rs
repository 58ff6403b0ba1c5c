//! Route tables, their routes and subnets.

use keelson_aws_calls::ec2::{Ec2, Filters, RouteTable, RouteTarget};

use crate::emulator::Emulator;
use crate::network::{network, ours, refused, tags};

async fn table(ec2: &Ec2, id: &str) -> RouteTable {
    let filters = Filters::default().with("route-table-id", [id]);
    ec2.list_route_tables(&filters).await.unwrap().remove(0)
}

#[tokio::test]
async fn route_tables_are_made_found_given_to_subnets_and_deleted() {
    let test = "aws_calls::routes::route_tables_are_made_found_given_to_subnets_and_deleted";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    let ec2 = &emulator.calls.ec2;
    let (vpc, subnet) = network(ec2).await;
    let own = ec2.create_route_table(&vpc, "t1", &tags("a")).await.unwrap();
    let again = ec2.create_route_table(&vpc, "t1", &tags("a")).await.unwrap();
    assert_eq!(again, own);
    let other = ec2.create_route_table(&vpc, "t2", &tags("b")).await.unwrap();
    assert_ne!(other, own);
    let all = ec2.list_route_tables(&Filters::in_vpc(&vpc)).await.unwrap();
    assert_eq!(all.iter().filter(|table| table.is_main).count(), 1);
    assert_eq!(all.len(), 3);

    let association = ec2.associate_route_table(&own, &subnet).await.unwrap();
    let again = ec2.associate_route_table(&own, &subnet).await.unwrap();
    assert_eq!(again, association);
    let taken = refused(ec2.associate_route_table(&other, &subnet).await);
    assert_eq!(taken, "Resource.AlreadyAssociated");
    let found = table(ec2, &own).await;
    assert_eq!((&found.vpc, found.is_main), (&vpc, false));
    assert_eq!(found.tags, tags("a"));
    assert_eq!(found.associations.len(), 1);
    let one = &found.associations[0];
    assert_eq!((&one.id, &one.subnet), (&association, &subnet));

    assert_eq!(refused(ec2.delete_route_table(&own).await), "DependencyViolation");
    for _ in 0..2 {
        ec2.disassociate_route_table(&association).await.unwrap();
    }
    assert_eq!(table(ec2, &own).await.associations, []);
    for _ in 0..2 {
        ec2.delete_route_table(&own).await.unwrap();
        ec2.delete_route_table(&other).await.unwrap();
    }
    assert_eq!(ec2.list_route_tables(&ours()).await.unwrap(), []);
}

#[tokio::test]
async fn routes_are_made_found_led_elsewhere_and_deleted() {
    let test = "aws_calls::routes::routes_are_made_found_led_elsewhere_and_deleted";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    let ec2 = &emulator.calls.ec2;
    let (vpc, subnet) = network(ec2).await;
    let gateway = ec2.create_internet_gateway(&tags("main")).await.unwrap();
    ec2.attach_internet_gateway(&gateway, &vpc).await.unwrap();
    let address = ec2.allocate_address(&tags("a")).await.unwrap();
    let nat = ec2.create_nat_gateway(&subnet, &address, "nat", &tags("a")).await;
    let internet = RouteTarget::InternetGateway(gateway);
    let inside = RouteTarget::NatGateway(nat.unwrap());
    let own = ec2.create_route_table(&vpc, "t1", &tags("a")).await.unwrap();

    for _ in 0..2 {
        ec2.create_route(&own, "0.0.0.0/0", &internet).await.unwrap();
        ec2.create_route(&own, "::/0", &internet).await.unwrap();
    }
    let taken = refused(ec2.create_route(&own, "0.0.0.0/0", &inside).await);
    assert_eq!(taken, "RouteAlreadyExists");
    for _ in 0..2 {
        ec2.replace_route(&own, "0.0.0.0/0", &inside).await.unwrap();
    }
    refused(ec2.replace_route(&own, "10.9.0.0/16", &inside).await);

    let routes = table(ec2, &own).await.routes;
    let aims: Vec<_> = routes
        .iter()
        .map(|route| (route.destination.as_str(), route.target.as_ref()))
        .collect();
    let expected = [
        ("10.0.0.0/16", None),
        ("0.0.0.0/0", Some(&inside)),
        ("::/0", Some(&internet)),
    ];
    assert_eq!(aims, expected);
    assert!(routes.iter().all(|route| !route.is_black_hole));
    for _ in 0..2 {
        ec2.delete_route(&own, "0.0.0.0/0").await.unwrap();
        ec2.delete_route(&own, "::/0").await.unwrap();
    }
    assert_eq!(table(ec2, &own).await.routes.len(), 1);
}
