//! What controllers make, as they tag it.

use keelson_aws_calls::AwsCalls;
use keelson_aws_calls::ec2::{DescribedRules, IngressProtocol, IngressRule, IngressSource, NewVolume};
use keelson_aws_calls::elb::{HealthCheck, NewLoadBalancer, NewTargetGroup, Scheme, TargetType};
use keelson_aws_calls::mark::Tags;
use keelson_test_hosts::Moto;

use crate::scene::{self, REGION};

pub(super) fn tags(pairs: &[(&str, &str)]) -> Tags {
    let pairs = pairs.iter();
    pairs
        .map(|&(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// Tags of the cloud controller manager of the cluster `name`.
pub(super) fn of_controller(name: &str) -> Tags {
    let mut tags = tags(&[("kubernetes.io/service-name", "shop/front")]);
    tags.insert(format!("kubernetes.io/cluster/{name}"), "owned".to_owned());
    tags
}

/// Tags of the CSI driver of the cluster `name`.
pub(super) fn of_driver(name: &str) -> Tags {
    let mut tags = tags(&[
        ("ebs.csi.aws.com/cluster", "true"),
        ("CSIVolumeName", "pvc-1"),
        ("kubernetes.io/created-for/pvc/namespace", "shop"),
        ("kubernetes.io/created-for/pvc/name", "orders"),
    ]);
    tags.insert(format!("kubernetes.io/cluster/{name}"), "owned".to_owned());
    tags
}

/// A load balancer of `vpc`, in `subnet`, with a target group and two security groups that let in each other, all with `tags`; their
/// names begin with `prefix`. Gives the ids of the security groups.
pub(super) async fn balance(
    calls: &AwsCalls,
    prefix: &str,
    vpc: &str,
    subnet: &str,
    tags: &Tags,
) -> [String; 2] {
    let mut groups = Vec::new();
    for name in ["front", "back"] {
        let name = format!("{prefix}-{name}");
        groups.push(
            calls
                .ec2
                .create_security_group(vpc, &name, "theirs", tags)
                .await
                .unwrap(),
        );
    }
    let [front, back] = <[String; 2]>::try_from(groups).unwrap();
    for (group, other) in [(&front, &back), (&back, &front)] {
        let rules = lets_in(other);
        calls.ec2.authorize_ingress(group, &rules).await.unwrap();
    }
    let balancer = NewLoadBalancer {
        name: prefix.to_owned(),
        scheme: Scheme::InternetFacing,
        subnets: vec![subnet.to_owned()],
        security_groups: vec![front.clone()],
        tags: tags.clone(),
    };
    let balancer = calls.elb.create_load_balancer(&balancer).await.unwrap();
    let group = NewTargetGroup {
        name: prefix.to_owned(),
        vpc: vpc.to_owned(),
        port: 30080,
        target_type: TargetType::Instance,
        health_check: HealthCheck::Tcp,
        tags: tags.clone(),
    };
    let group = calls.elb.create_target_group(&group).await.unwrap();
    let listener = keelson_aws_calls::elb::NewListener {
        load_balancer: balancer.arn,
        target_group: group.arn,
        port: 80,
        tags: tags.clone(),
    };
    calls.elb.create_listener(&listener).await.unwrap();
    [front, back]
}

/// A rule for the security group `group`, as the cloud controller manager adds it to those of nodes.
pub(super) fn lets_in(group: &str) -> DescribedRules {
    let rule = IngressRule {
        protocol: IngressProtocol::Tcp(30080, 30080),
        source: IngressSource::Group(group.to_owned()),
    };
    DescribedRules::from([(rule, format!("kubernetes.io/rule/nlb/client={group}"))])
}

/// A volume with `tags`.
pub(super) async fn volume(calls: &AwsCalls, tags: &Tags, token: &str) -> String {
    let volume = NewVolume {
        zone: format!("{REGION}a"),
        size_gibibytes: 20,
        encryption_key: None,
        tags: tags.clone(),
    };
    calls.ec2.create_volume(&volume, token).await.unwrap()
}

/// A snapshot of `volume` with `tags`, which keelson never makes.
pub(super) fn snapshot(moto: &Moto, volume: &str, tags: &Tags) {
    let mut form =
        format!("Action=CreateSnapshot&VolumeId={volume}&TagSpecification.1.ResourceType=snapshot");
    for (index, (key, value)) in tags.iter().enumerate() {
        let tag = format!("TagSpecification.1.Tag.{}", index + 1);
        form = format!("{form}&{tag}.Key={key}&{tag}.Value={value}");
    }
    let form = format!("{form}&Version=2016-11-15");
    let host = format!("ec2.{REGION}.amazonaws.com");
    scene::ask(moto, &host, &format!("{REGION}/ec2"), &form);
}

/// All that the controllers of the cluster `name` make, in `vpc`; names begin with `prefix`.
pub(crate) async fn make_all_for(
    moto: &Moto,
    calls: &AwsCalls,
    name: &str,
    prefix: &str,
    vpc: &str,
    subnet: &str,
) -> [String; 2] {
    let groups = balance(calls, prefix, vpc, subnet, &of_controller(name)).await;
    let made = volume(calls, &of_driver(name), prefix).await;
    snapshot(moto, &made, &of_driver(name));
    groups
}
