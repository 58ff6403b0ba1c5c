//! What a network is left and reached through: internet gateways, elastic IP addresses, NAT gateways.

use keelson_aws_calls::ec2::{Ec2, Filters, NatGateway, NatGatewayState};
use keelson_aws_calls::mark::Tags;

use crate::emulator::Emulator;
use crate::network::{network, ours, refused, tags};

#[tokio::test]
async fn internet_gateways_are_made_attached_found_and_deleted() {
    let test = "aws_calls::gateways::internet_gateways_are_made_attached_found_and_deleted";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    let ec2 = &emulator.calls.ec2;
    let (vpc, _) = network(ec2).await;
    let gateway = ec2.create_internet_gateway(&tags("main")).await.unwrap();
    let other = ec2.create_internet_gateway(&Tags::new()).await.unwrap();
    assert_eq!(ec2.list_internet_gateways(&ours()).await.unwrap()[0].vpc, None);
    for _ in 0..2 {
        ec2.attach_internet_gateway(&gateway, &vpc).await.unwrap();
    }
    let taken = refused(ec2.attach_internet_gateway(&other, &vpc).await);
    assert_eq!(taken, "InvalidParameterValue");
    ec2.delete_internet_gateway(&other).await.unwrap();
    let found = ec2.list_internet_gateways(&ours()).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0].id, found[0].vpc.as_ref()), (&gateway, Some(&vpc)));
    assert_eq!(found[0].tags, tags("main"));

    assert_eq!(
        refused(ec2.delete_internet_gateway(&gateway).await),
        "DependencyViolation"
    );
    for _ in 0..2 {
        ec2.detach_internet_gateway(&gateway, &vpc).await.unwrap();
    }
    for _ in 0..2 {
        ec2.delete_internet_gateway(&gateway).await.unwrap();
    }
    ec2.detach_internet_gateway(&gateway, &vpc).await.unwrap();
    assert_eq!(ec2.list_internet_gateways(&ours()).await.unwrap(), []);
}

async fn nat_gateway(ec2: &Ec2, id: &str) -> NatGateway {
    let filters = Filters::default().with("nat-gateway-id", [id]);
    ec2.list_nat_gateways(&filters).await.unwrap().remove(0)
}

#[tokio::test]
async fn nat_gateways_and_addresses_are_made_found_and_deleted() {
    let test = "aws_calls::gateways::nat_gateways_and_addresses_are_made_found_and_deleted";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    let ec2 = &emulator.calls.ec2;
    let later = || {
        emulator
            .moto
            .tell("POST", "settings", r#"{"advance": 61}"#)
            .unwrap()
    };
    emulator
        .moto
        .tell("POST", "settings", r#"{"delay": 60}"#)
        .unwrap();
    let (vpc, subnet) = network(ec2).await;
    let address = ec2.allocate_address(&tags("a")).await.unwrap();
    let found = ec2.list_addresses(&ours()).await.unwrap();
    assert_eq!((found.len(), &found[0].id), (1, &address));
    assert_eq!((&found[0].association, &found[0].interface), (&None, &None));
    assert_eq!(found[0].tags, tags("a"));

    let create = async |token, name| {
        ec2.create_nat_gateway(&subnet, &address, token, &tags(name))
            .await
    };
    let nat = create("t1", "a").await.unwrap();
    assert_eq!(create("t1", "a").await.unwrap(), nat);
    assert_eq!(refused(create("t1", "b").await), "IdempotentParameterMismatch");
    let found = ec2.list_nat_gateways(&ours()).await.unwrap();
    assert_eq!((found.len(), found[0].state), (1, NatGatewayState::Pending));
    assert_eq!(
        (&found[0].id, &found[0].vpc, &found[0].subnet),
        (&nat, &vpc, &subnet)
    );
    assert_eq!(found[0].tags, tags("a"));
    assert!(found[0].created_at.is_some());
    later();
    has_its_address(ec2, &nat, &address).await;

    let failed = create("t2", "b").await.unwrap();
    later();
    let found = nat_gateway(ec2, &failed).await;
    assert_eq!(found.state, NatGatewayState::Failed);
    assert!(found.failure.unwrap().starts_with("Resource.AlreadyAssociated: "));

    for _ in 0..2 {
        ec2.delete_nat_gateway(&nat).await.unwrap();
        ec2.delete_nat_gateway(&failed).await.unwrap();
    }
    assert_eq!(nat_gateway(ec2, &nat).await.state, NatGatewayState::Deleting);
    later();
    assert_eq!(ec2.list_nat_gateways(&ours()).await.unwrap(), []);
    ec2.delete_nat_gateway("nat-00000000000000000").await.unwrap();
    for _ in 0..2 {
        ec2.release_address(&address).await.unwrap();
    }
    assert_eq!(ec2.list_addresses(&ours()).await.unwrap(), []);
}

async fn has_its_address(ec2: &Ec2, nat: &str, address: &str) {
    let found = nat_gateway(ec2, nat).await;
    assert_eq!(found.state, NatGatewayState::Available);
    let own = &found.addresses[0];
    let held = Filters::default().with("allocation-id", [address]);
    let held = ec2.list_addresses(&held).await.unwrap().remove(0);
    assert_eq!(own.allocation.as_deref(), Some(address));
    assert_eq!(own.public_address.as_ref(), Some(&held.public_address));
    assert!(
        own.private_address.as_ref().unwrap().starts_with("10.0.1."),
        "{own:?}"
    );
    assert!(held.association.is_some(), "{held:?}");
    assert_eq!(held.interface, own.interface);
    assert_eq!(
        refused(ec2.release_address(address).await),
        "InvalidIPAddress.InUse"
    );
}
