//! What load balancers, targets and names stand on: a network, machines with fixed interfaces, a public zone.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use keelson_aws_calls::AwsCalls;
use keelson_aws_calls::ec2::{Launch, LaunchInterface, NewInterface, RootVolume};
use keelson_aws_calls::mark::{Tags, mark};
use keelson_provider_api::{ClusterIdentity, Kind};

use crate::places::key;

/// Ubuntu 24.04, as the emulator has it.
const IMAGE: &str = "ami-0ab2404a640000020";

/// The network of a cluster, with a public subnet in each of two zones, a firewall, and two machines.
pub(super) async fn lay(calls: &AwsCalls, cluster: &ClusterIdentity) {
    let tags = |kind: Kind, name: &str| mark(cluster, &key(kind, name), 0);
    let ec2 = &calls.ec2;
    let vpc = ec2
        .create_vpc("10.20.0.0/16", &tags(Kind::Network, "main"))
        .await
        .unwrap();
    let mut subnets = Vec::new();
    for (zone, cidr) in [
        ("a", "10.20.0.0/20"),
        ("b", "10.20.16.0/20"),
        ("c", "10.20.32.0/20"),
    ] {
        let tags = tags(Kind::Subnet, &format!("{zone}-public"));
        let zone = format!("eu-west-1{zone}");
        subnets.push(ec2.create_subnet(&vpc, &zone, cidr, &tags).await.unwrap());
    }
    let mut groups = Vec::new();
    for name in ["api", "other"] {
        let tags = tags(Kind::Firewall, name);
        groups.push(ec2.create_security_group(&vpc, name, name, &tags).await.unwrap());
    }
    for (index, name) in ["cp-a", "cp-b"].iter().enumerate() {
        let interface = NewInterface {
            subnet: subnets[index].clone(),
            private_address: Some(Ipv4Addr::new(10, 20, 16 * u8::try_from(index).unwrap(), 10)),
            groups: vec![groups[1].clone()],
            tags: tags(Kind::NetworkInterface, name),
        };
        let token = format!("{:?} {name}", cluster.uid);
        let interface = ec2.create_interface(&interface, &token).await.unwrap();
        start(calls, &interface, &tags(Kind::Machine, name), &token).await;
    }
}

/// Starts an instance with the interface `interface`.
pub(crate) async fn start(calls: &AwsCalls, interface: &str, tags: &Tags, token: &str) -> String {
    let launch = Launch {
        image: IMAGE.to_owned(),
        instance_type: "m6i.large".to_owned(),
        interface: LaunchInterface::Existing {
            id: interface.to_owned(),
        },
        root: RootVolume {
            device: "/dev/sda1".to_owned(),
            size_gibibytes: 20,
            encryption_key: None,
        },
        user_data: Vec::new(),
        instance_profile: None,
        key_pair: None,
        spot: false,
        protected: false,
        tags: tags.clone(),
    };
    calls.ec2.run_instance(&launch, token).await.unwrap().id
}

/// Makes a public zone, which keelson never does.
pub(crate) fn make_public_zone(emulator: SocketAddr, name: &str, reference: &str) {
    let body = format!(
        "<CreateHostedZoneRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><Name>{name}</Name>\
         <CallerReference>{reference}</CallerReference></CreateHostedZoneRequest>"
    );
    let scope = "Credential=AKIAKEELSON/20260101/us-east-1/route53/aws4_request";
    let fields = format!(
        "Host: route53.amazonaws.com\r\nAuthorization: AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, \
         Signature=0\r\nContent-Type: text/xml\r\nContent-Length: {}\r\nConnection: close",
        body.len()
    );
    let mut stream = TcpStream::connect(emulator).unwrap();
    write!(
        stream,
        "POST /2013-04-01/hostedzone HTTP/1.1\r\n{fields}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1);
    assert_eq!(status, Some("201"), "{answer}");
}
