//! What instances resolve: names of load balancers and of instances, by what there is at the moment.

use keelson_test_hosts::{Cloud, CloudOptions, Host};

use super::{address, aws, wait_until};
use crate::traces::Traces;

const BALANCER: &str = r#"
route53, elb = client("route53"), client("elbv2")
vpc = ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["VpcId"]
ec2.describe_instances()
balancer = elb.create_load_balancer(Name="api", Subnets=[subnet], Type="network", Scheme="internal")["LoadBalancers"][0]
group = elb.create_target_group(Name="api", Protocol="TCP", Port=6443, VpcId=vpc)["TargetGroups"][0]["TargetGroupArn"]
elb.create_listener(LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="TCP", Port=6443,
    DefaultActions=[{"Type": "forward", "TargetGroupArn": group}])
elb.register_targets(TargetGroupArn=group, Targets=[{"Id": one}, {"Id": other}])
zone = route53.create_hosted_zone(Name="example.org", CallerReference="1")["HostedZone"]
alias = {"HostedZoneId": balancer["CanonicalHostedZoneId"], "DNSName": balancer["DNSName"], "EvaluateTargetHealth": False}
record = {"Name": "api.example.org", "Type": "A", "AliasTarget": alias}
route53.change_resource_record_sets(HostedZoneId=zone["Id"],
    ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]})
print(one, other, group, balancer["LoadBalancerArn"], balancer["DNSName"])
"#;

/// The addresses of a name, each in a line; nothing when the host finds that there are none.
fn resolved(host: &Host, name: &str) -> String {
    let script = format!(
        "getent ahosts {name} >/tmp/found; status=$?; awk '{{ print $1 }}' /tmp/found | sort -u; exit $status"
    );
    let done = host.run_as("root", &script).unwrap();
    assert_eq!(done.success(), !done.stdout.is_empty(), "{name}: {}", done.stderr);
    done.stdout
}

#[test]
fn instances_resolve_what_there_is() {
    let test = "on_hosts::cloud::names::instances_resolve_what_there_is";
    let Some(cloud) = Cloud::start_or_skip(test, &CloudOptions::default()).unwrap() else {
        return;
    };
    let traces = Traces::of(cloud.lab());
    let addresses = [21, 22].map(|last| address(&cloud, last));
    let network = cloud.network();
    let made = aws(
        &cloud.url(),
        &format!(
            "subnet = network({network:?})
one, other = (run(SubnetId=subnet, PrivateIpAddress=address) for address in {addresses:?})
{BALANCER}"
        ),
    );
    let made: Vec<_> = made.split(' ').collect();
    let [one, other, group, balancer, name]: [&str; 5] = made.try_into().unwrap();
    let host = cloud.wait_for_host(one).unwrap();
    let both = format!("{}\n{}\n", addresses[0], addresses[1]);
    let second = format!("{}\n", addresses[1]);
    let own = format!(
        "ip-{}.eu-central-1.compute.internal",
        addresses[1].replace('.', "-")
    );
    for (name, expected) in [
        ("api.example.org", both.as_str()),
        ("API.example.org.", &both),
        (name, &both),
        (&own, &second),
        ("example.org", ""),
        ("pi.example.org", ""),
        ("keelson.dev", ""),
    ] {
        assert_eq!(resolved(&host, name), expected, "{name}");
    }

    let change = |program: &str| {
        let prelude = format!("elb, group, balancer = client('elbv2'), {group:?}, {balancer:?}");
        aws(&cloud.url(), &format!("{prelude}\n{program}"));
    };
    change(&format!(
        "elb.deregister_targets(TargetGroupArn=group, Targets=[{{'Id': {one:?}}}])"
    ));
    wait_until(|| resolved(&host, "api.example.org") == second);
    change(&format!(
        "elb.register_targets(TargetGroupArn=group, Targets=[{{'Id': {one:?}}}])"
    ));
    wait_until(|| resolved(&host, "api.example.org") == both);
    aws(
        &cloud.url(),
        &format!("ec2.terminate_instances(InstanceIds=[{other:?}])"),
    );
    wait_until(|| resolved(&host, "api.example.org") == format!("{}\n", addresses[0]));
    assert_eq!(resolved(&host, &own), "");
    change("elb.delete_load_balancer(LoadBalancerArn=balancer)");
    wait_until(|| resolved(&host, name).is_empty());
    assert_eq!(resolved(&host, "api.example.org"), "");
    cloud.down().unwrap();
    assert_eq!(traces.find(), Vec::<String>::new());
}
