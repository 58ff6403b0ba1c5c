//! Instances of EC2 that boot: their user data, their metadata service, and volumes that outlive them.

mod ends;
mod names;
mod several;

use std::time::{Duration, Instant};

use keelson_test_hosts::{Cloud, CloudOptions, Host, moto_python_or_skip};

use crate::traces::Traces;

/// From the call to the end of the user data, on a machine that is busy with other tests too; alone it takes four seconds.
const BOOT_LIMIT: Duration = Duration::from_secs(60);
const GONE_LIMIT: Duration = Duration::from_secs(30);
const IMAGE: &str = "ami-0deb1200a64000001";
const ZONE: &str = "eu-central-1a";
const ASK: &str = "curl -s -m 5 -o /dev/stdout -w '%{http_code}'";
const METADATA: &str = "http://169.254.169.254/latest";

/// What an instance does at its first start, as whoever asks without a library would write it.
const USER_DATA: &str = r#"#!/bin/sh
set -e
echo ran >>/var/lib/ran
token=$(curl -sf -m 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token)
curl -sf -m 5 -H "X-aws-ec2-metadata-token: $token" http://169.254.169.254/latest/meta-data/instance-id >/var/lib/own-id
for attempt in $(seq 200); do
    device=$(ls /dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol* 2>/dev/null) && break
    sleep 0.1
done
blkid "$device" || mkfs.ext4 -q "$device"
mkdir -p /data
mount "$device" /data
cat /var/lib/own-id >>/data/instances
echo >>/data/instances
"#;

const PRELUDE: &str = r#"
import boto3, json, os
def client(name):
    return boto3.client(name, endpoint_url=os.environ["URL"], region_name="eu-central-1",
        aws_access_key_id="AKIATESTER", aws_secret_access_key="secret")
ec2, iam = client("ec2"), client("iam")
def network(block):
    vpc = ec2.create_vpc(CidrBlock=block)["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=block.replace("/23", "/25"), AvailabilityZone="eu-central-1a")
    return subnet["Subnet"]["SubnetId"]
def run(**asked):
    asked = {"ImageId": "ami-0deb1200a64000001", "InstanceType": "t3.medium", "MinCount": 1, "MaxCount": 1, **asked}
    return ec2.run_instances(**asked)["Instances"][0]["InstanceId"]
def attach(volume, instance):
    ec2.describe_instances(InstanceIds=[instance])
    ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
"#;

/// What a program in Python says, with clients of the emulator at hand.
fn aws(url: &str, program: &str) -> String {
    let mut python = moto_python_or_skip("cloud").unwrap();
    let program = format!("{PRELUDE}\n{program}");
    let said = python
        .args(["-W", "ignore", "-c", &program])
        .env("URL", url)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{program}\n{errors}");
    String::from_utf8(said.stdout).unwrap().trim().to_owned()
}

/// An instance at .20 of a subnet.
fn begin(cloud: &Cloud, subnet: &str, volume: &str) -> String {
    let address = address(cloud, 20);
    begin_at(
        cloud,
        &format!("SubnetId={subnet:?}, PrivateIpAddress={address:?}"),
        volume,
    )
}

/// An instance with the user data above, the role `nodes` and the volume, where the arguments in Python have it.
fn begin_at(cloud: &Cloud, place: &str, volume: &str) -> String {
    aws(
        &cloud.url(),
        &format!(
            "data = {USER_DATA:?}
one = run({place}, UserData=data, IamInstanceProfile={{'Name': 'node'}},
    MetadataOptions={{'HttpTokens': 'required', 'HttpPutResponseHopLimit': 1}})
attach({volume:?}, one)
print(one)"
        ),
    )
}

fn address(cloud: &Cloud, last: u8) -> String {
    cloud.network().replace(".0/23", &format!(".{last}"))
}

/// The subnet and the volume.
fn prepare(cloud: &Cloud) -> (String, String) {
    let network = cloud.network();
    let made = aws(
        &cloud.url(),
        &format!(
            "trust = {{'Version': '2012-10-17', 'Statement': [{{'Effect': 'Allow',
    'Principal': {{'Service': 'ec2.amazonaws.com'}}, 'Action': 'sts:AssumeRole'}}]}}
iam.create_role(RoleName='nodes', AssumeRolePolicyDocument=json.dumps(trust))
iam.create_instance_profile(InstanceProfileName='node')
iam.add_role_to_instance_profile(InstanceProfileName='node', RoleName='nodes')
print(network({network:?}), ec2.create_volume(AvailabilityZone={ZONE:?}, Size=1)['VolumeId'])"
        ),
    );
    let (subnet, volume) = made.split_once(' ').unwrap();
    (subnet.to_owned(), volume.to_owned())
}

#[test]
fn an_instance_boots_and_its_volume_outlives_it() {
    let test = "on_hosts::cloud::an_instance_boots_and_its_volume_outlives_it";
    let Some(cloud) = Cloud::start_or_skip(test, &CloudOptions::default()).unwrap() else {
        return;
    };
    let traces = Traces::of(cloud.lab());
    let (subnet, volume) = prepare(&cloud);
    let start = Instant::now();
    let first = begin(&cloud, &subnet, &volume);
    let host = cloud.wait_for_host(&first).unwrap();
    figure("from RunInstances to sshd", start);
    cloud.wait_for_user_data(&first).unwrap();
    figure("from RunInstances to the end of user data", start);
    assert!(start.elapsed() < BOOT_LIMIT, "{:?}", start.elapsed());
    assert_eq!(host.address().to_string(), address(&cloud, 20));
    assert_eq!(
        host.run("cat /var/lib/ran /var/lib/own-id").unwrap(),
        format!("ran\n{first}")
    );
    host.run("systemctl is-active dev-nvme1n1.device && grep -q ' /data ext4 ' /proc/mounts")
        .unwrap();
    metadata_is_its_own(&cloud, &host);
    nobody_further_away_gets_a_token(&cloud, &host);

    // User data runs at the first start alone, and the volume is there at each.
    host.reboot().unwrap();
    cloud.wait_for_user_data(&first).unwrap();
    let seen = host.run("cat /var/lib/ran && mount /dev/nvme1n1 /mnt && cat /mnt/instances");
    assert_eq!(seen.unwrap(), format!("ran\n{first}\n"));
    stopped_and_started_it_is_the_same(&cloud, &host);

    terminate(&cloud, &first);
    let second = begin(&cloud, &subnet, &volume);
    let host = cloud.wait_for_user_data(&second).unwrap();
    assert_eq!(
        host.run("cat /data/instances /var/lib/ran").unwrap(),
        format!("{first}\n{second}\nran\n")
    );
    others_are_refused(&cloud);
    cloud.down().unwrap();
    assert_eq!(traces.find(), Vec::<String>::new());
}

#[expect(
    clippy::print_stderr,
    reason = "figures for docs/testing.md, seen with --no-capture"
)]
fn figure(what: &str, since: Instant) {
    eprintln!("figure: {what}: {:.1} s", since.elapsed().as_secs_f32());
}

fn metadata_is_its_own(cloud: &Cloud, host: &Host) {
    let refused = host.run(&format!("{ASK} {METADATA}/meta-data/instance-id"));
    assert_eq!(refused.unwrap(), "401");
    let refused = host.run(&format!("{ASK} -X PUT {METADATA}/api/token"));
    assert_eq!(refused.unwrap(), "400", "without a time");
    let ask = |path: &str| {
        let field = "X-aws-ec2-metadata-token";
        let token = format!("$(curl -sf -X PUT -H '{field}-ttl-seconds: 60' {METADATA}/api/token)");
        host.run(&format!("curl -sf -H \"{field}: {token}\" {METADATA}/{path}"))
            .unwrap()
    };
    for (path, expected) in [
        ("meta-data/instance-id", host.name()),
        ("meta-data/local-ipv4", &host.address().to_string()),
        ("meta-data/placement/region", "eu-central-1"),
        ("meta-data/placement/availability-zone", ZONE),
        ("meta-data/instance-type", "t3.medium"),
        ("meta-data/ami-id", IMAGE),
        (
            "meta-data/mac",
            host.run("cat /sys/class/net/eth0/address").unwrap().trim(),
        ),
        ("meta-data/iam/security-credentials/", "nodes"),
        ("user-data", USER_DATA),
    ] {
        assert_eq!(ask(path), expected, "{path}");
    }
    let known = cloud.credentials(host.name()).unwrap();
    let given = ask("meta-data/iam/security-credentials/nodes");
    for part in [
        &known.access_key_id,
        &known.secret_access_key,
        &known.token,
        &known.expiration,
    ] {
        assert!(given.contains(part.as_str()), "{given}");
    }
    let document = ask("dynamic/instance-identity/document");
    assert!(document.contains(host.name()), "{document}");
}

/// From a network behind the host, as that of a pod is.
fn nobody_further_away_gets_a_token(cloud: &Cloud, host: &Host) {
    host.run(
        "ip netns add pod && ip link add pod type veth peer name eth0 netns pod && ip address add 10.244.0.1/24 dev pod && \
         ip link set pod up && ip -n pod address add 10.244.0.2/24 dev eth0 && ip -n pod link set eth0 up && \
         ip -n pod route add default via 10.244.0.1 && echo 1 >/proc/sys/net/ipv4/ip_forward && \
         nft 'add table ip pods; add chain ip pods post { type nat hook postrouting priority 100; }; \
         add rule ip pods post ip saddr 10.244.0.0/24 masquerade'",
    )
    .unwrap();
    let put = format!(
        "ip netns exec pod curl -s -m 3 -o /dev/null -w '%{{http_code}}' -X PUT \
         -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' {METADATA}/api/token"
    );
    let answered = || host.run_as("root", &put).unwrap().stdout;
    assert_eq!(answered(), "000");
    let set = |limit: u32| {
        let id = host.name();
        aws(
            &cloud.url(),
            &format!(
                "ec2.modify_instance_metadata_options(InstanceId={id:?}, HttpPutResponseHopLimit={limit})"
            ),
        );
        // The metadata service hears of it a moment later.
        std::thread::sleep(Duration::from_secs(2));
    };
    set(2);
    assert_eq!(answered(), "200");
    set(1);
    assert_eq!(answered(), "000");
}

fn stopped_and_started_it_is_the_same(cloud: &Cloud, host: &Host) {
    let (id, boots) = (host.name(), host.boots());
    aws(&cloud.url(), &format!("ec2.stop_instances(InstanceIds=[{id:?}])"));
    wait_until(|| !host.is_on());
    aws(
        &cloud.url(),
        &format!("ec2.start_instances(InstanceIds=[{id:?}])"),
    );
    cloud.wait_for_user_data(id).unwrap();
    assert_eq!(host.boots(), boots + 1);
    assert_eq!(
        host.run("cat /var/lib/ran; ls -d /dev/nvme*").unwrap(),
        "ran\n/dev/nvme1n1\n"
    );
}

fn terminate(cloud: &Cloud, id: &str) {
    aws(
        &cloud.url(),
        &format!("ec2.terminate_instances(InstanceIds=[{id:?}])"),
    );
    wait_until(|| cloud.hosts().iter().all(|host| host.name() != id));
}

fn others_are_refused(cloud: &Cloud) {
    let said = aws(
        &cloud.url(),
        "try:
    network('10.0.0.0/24')
except Exception as problem:
    print(problem)
# In the VPC that is there from the start.
others = [one['SubnetId'] for one in ec2.describe_subnets()['Subnets'] if one['DefaultForAz']]
print(run(SubnetId=others[0]))",
    );
    let (refused, stray) = said.rsplit_once('\n').unwrap();
    assert!(refused.contains("InvalidVpc.Range"), "{refused}");
    assert!(refused.contains(&cloud.network()), "{refused}");
    let told = cloud.wait_for_host(stray).unwrap_err().to_string();
    assert!(
        told.contains("none that a host can have") && told.contains(&cloud.network()),
        "{told}"
    );
}

fn wait_until(done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < GONE_LIMIT, "not within {GONE_LIMIT:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
