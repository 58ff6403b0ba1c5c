//! Load balancers, zones, roles, in whose name is called: each made, found, changed, deleted, and deleted again.

mod balancers;
mod roles;
mod zones;

use aws_sdk_ec2::Client;
use keelson_aws_calls::dns::{Change, Record};
use keelson_aws_calls::mark::{CLUSTER, RESOURCE, Tags};
use keelson_aws_calls::{AwsCalls, CallError, CallFailure};

use crate::emulator::{Emulator, settings};
use balancers::new_balancer;
use roles::{new_role, policy};
use zones::new_zone;

/// A VPC with two subnets, and a client that made it.
pub(crate) struct Ground {
    pub(crate) ec2: Client,
    pub(crate) vpc: String,
    pub(crate) subnets: Vec<String>,
}

impl Ground {
    pub(crate) async fn lay(emulator: &Emulator) -> Self {
        let given = settings(format!("http://{}", emulator.moto.address));
        let config = aws_sdk_ec2::Config::builder()
            .behavior_version(aws_sdk_ec2::config::BehaviorVersion::latest())
            .region(aws_sdk_ec2::config::Region::new(given.region))
            .endpoint_url(given.endpoint.unwrap())
            .credentials_provider(given.credentials)
            .http_client(given.http_client);
        let ec2 = Client::from_conf(config.build());
        let made = ec2.create_vpc().cidr_block("10.0.0.0/16").send().await.unwrap();
        let vpc = made.vpc.unwrap().vpc_id.unwrap();
        let gateway = ec2.create_internet_gateway().send().await.unwrap();
        let gateway = gateway.internet_gateway.unwrap().internet_gateway_id.unwrap();
        let attach = ec2.attach_internet_gateway().vpc_id(&vpc);
        attach.internet_gateway_id(gateway).send().await.unwrap();
        let mut subnets = Vec::new();
        for (block, zone) in [("10.0.0.0/24", "eu-west-1a"), ("10.0.1.0/24", "eu-west-1b")] {
            let call = ec2.create_subnet().vpc_id(&vpc).cidr_block(block);
            let made = call.availability_zone(zone).send().await.unwrap();
            subnets.push(made.subnet.unwrap().subnet_id.unwrap());
        }
        Self { ec2, vpc, subnets }
    }

    pub(crate) async fn security_group(&self, name: &str) -> String {
        let call = self.ec2.create_security_group().group_name(name);
        let made = call.description(name).vpc_id(&self.vpc).send().await.unwrap();
        made.group_id.unwrap()
    }
}

pub(crate) fn tags(uid: &str, resource: &str) -> Tags {
    [(CLUSTER, uid), (RESOURCE, resource)]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

pub(crate) fn lost<T: std::fmt::Debug>(answer: Result<T, CallError>) {
    assert_eq!(answer.unwrap_err().failure, CallFailure::Lost);
}

/// Tries as often as a caller would; what is sent once is told of throttling.
pub(crate) async fn through_throttling<T, F>(attempt: impl Fn() -> F) -> T
where
    F: Future<Output = Result<T, CallError>>,
{
    for _ in 0..20 {
        match attempt().await {
            Err(error) if error.failure == CallFailure::Throttled => {}
            answer => return answer.unwrap(),
        }
    }
    unreachable!("throttled twenty times in a row")
}

#[tokio::test]
async fn throttling_is_got_over() {
    let Some(emulator) = Emulator::start_or_skip("throttling_is_got_over") else {
        return;
    };
    let ground = Ground::lay(&emulator).await;
    let group = ground.security_group("a").await;
    emulator.trouble(r#"{"kind": "throttle", "share": 0.3, "seed": 7}"#);
    let AwsCalls {
        elb,
        dns,
        iam,
        account,
        ..
    } = &emulator.calls;
    let caller = account.caller().await.unwrap();
    assert_eq!(caller.account, "123456789012");
    assert!(caller.arn.starts_with("arn:aws:sts::"), "{}", caller.arn);
    let balancer = elb
        .create_load_balancer(&new_balancer(&ground, "keelson-api", &group))
        .await
        .unwrap();
    assert_eq!(elb.owned("u1").await.unwrap().load_balancers[0].arn, balancer.arn);
    let zone = dns
        .create_private_zone(&new_zone(&ground.vpc, "u1-zone-0"))
        .await
        .unwrap()
        .zone;
    let record = Record::alias("api.example.internal", &balancer.zone, &balancer.dns_name);
    dns.change(&zone.id, &[Change::Upsert(record.clone())])
        .await
        .unwrap();
    dns.change(&zone.id, &[Change::Delete(record)]).await.unwrap();
    dns.delete_zone(&zone.id).await.unwrap();
    let role = new_role("nodes");
    through_throttling(|| iam.create_role(&role)).await;
    iam.put_role_policy("nodes", "reads", &policy("*")).await.unwrap();
    iam.delete_role_policy("nodes", "reads").await.unwrap();
    iam.delete_role("nodes").await.unwrap();
    elb.delete_load_balancer(&balancer.arn).await.unwrap();
}
