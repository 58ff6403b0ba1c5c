//! What is allowed, compared with what AWS says of its actions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use keelson_provider_api::kinds::{
    DnsRecord, Firewall, GroupMachine, LoadBalancer, LoadBalancerTarget, Machine, MachineRole, NatGateway,
    Network, NetworkInterface, NodeGroup, Role, Subnet, Through, Volume, WayOut,
};
use keelson_provider_api::values::{Digest, Labels, Quantity, Version};
use keelson_provider_api::{ClusterIdentity, ClusterUid, Disruption, Existing, Health, Owner};
use serde_json::json;

use super::*;
use crate::edge::{EdgeZone, PrivateZone};

const FACTS: &str = include_str!("facts.txt");
/// Of what is not there IAM knows no path.
const BY_NAME: [&str; 2] = ["iam:GetInstanceProfile", "iam:GetRole"];

/// For each action, what it is asked about: the types, whether they have to be allowed, and the condition keys that they take.
fn facts() -> BTreeMap<&'static str, BTreeMap<&'static str, (bool, BTreeSet<&'static str>)>> {
    let lines = FACTS.lines().filter(|line| !line.starts_with('#'));
    let of_line = |line: &'static str| {
        let (action, types) = line.split_once(": ").unwrap_or((line, ""));
        let types = types.split("; ").filter(|kind| !kind.is_empty()).map(|kind| {
            let mut words = kind.split(' ');
            let name = words.next().unwrap();
            let plain = name.trim_end_matches('*');
            (plain, (plain != name, words.collect()))
        });
        (action, types.collect())
    };
    lines.map(of_line).collect()
}

fn cluster(uid: Option<&str>) -> ClusterIdentity {
    ClusterIdentity {
        name: "foo".parse().unwrap(),
        uid: uid.map(ClusterUid::new),
    }
}

fn key(kind: Kind, name: &str) -> ResourceKey {
    ResourceKey::new(kind, name)
}

fn machine(name: Option<&str>) -> Machine {
    Machine {
        group: "workers".to_owned(),
        roles: BTreeSet::from([MachineRole::Worker]),
        machine_type: Some("m6i.large".to_owned()),
        image: Some("ubuntu-24.04".to_owned()),
        root_volume: None,
        spot: name.is_none(),
        zone: Some("eu-west-1a".to_owned()),
        subnet: name.is_none().then(|| "a-public".to_owned()),
        firewall: name.is_none().then(|| "nodes".to_owned()),
        address: None,
        volume: name.map(str::to_owned),
        network_interface: name.map(str::to_owned),
        role: Some("node".to_owned()),
    }
}

/// One of everything, in the network `network` and the subnet `subnet`.
fn wanted(network: &str, subnet: &str) -> BTreeMap<ResourceKey, Resource> {
    let kept = kept(subnet).into_iter();
    let all = places(network, subnet).into_iter().chain(kept);
    let ends = groups(subnet).into_iter().chain(leftovers());
    all.chain(edge(network, subnet)).chain(ends).collect()
}

type Wanted = Vec<(ResourceKey, Resource)>;

fn places(network: &str, subnet: &str) -> Wanted {
    let network = network.to_owned();
    let whole = Network {
        region: "eu-west-1".to_owned(),
        cidr: "10.0.0.0/16".parse().unwrap(),
        has_gateway: true,
    };
    let part = Subnet {
        network: network.clone(),
        zone: "eu-west-1a".to_owned(),
        cidr: "10.0.0.0/20".parse().unwrap(),
        public: true,
    };
    let gateway = NatGateway {
        subnet: subnet.to_owned(),
    };
    let way = WayOut {
        network: network.clone(),
        subnets: vec![subnet.to_owned()],
        through: Through::Internet,
    };
    let rules = Vec::new();
    vec![
        (key(Kind::Network, "main"), whole.into()),
        (key(Kind::Subnet, "a-public"), part.into()),
        (key(Kind::NatGateway, "a"), gateway.into()),
        (key(Kind::WayOut, "a"), way.into()),
        (key(Kind::Firewall, "nodes"), Firewall { network, rules }.into()),
    ]
}

fn kept(subnet: &str) -> Wanted {
    let role = |boundary: Option<&str>| Role {
        machines: MachineRole::Worker,
        statements: json!([{ "Effect": "Allow" }]),
        boundary: boundary.map(str::to_owned),
        policies: vec!["arn:aws:iam::aws:policy/Theirs".to_owned()],
    };
    let bound = role(Some("arn:aws:iam::1:policy/b"));
    let interface = |public| NetworkInterface {
        machine: "a".to_owned(),
        subnet: subnet.to_owned(),
        firewall: "nodes".to_owned(),
        address: [10, 0, 0, 9].into(),
        public,
    };
    let volume = Volume {
        machine: "a".to_owned(),
        zone: "eu-west-1a".to_owned(),
        size: Quantity::from_gibibytes(20),
        encrypted: true,
        kms_key: Some("8c5b2c63-b9bc-45a3-a87a-5513eab232c7".to_owned()),
    };
    let mut own_image = machine(Some("b"));
    own_image.image = Some("ami-1".to_owned());
    own_image.role = Some("instance-profile/theirs".to_owned());
    vec![
        (key(Kind::Role, "node"), role(None).into()),
        (key(Kind::Role, "bound"), bound.into()),
        (key(Kind::Volume, "a"), volume.into()),
        (key(Kind::NetworkInterface, "a"), interface(false).into()),
        (key(Kind::NetworkInterface, "b"), interface(true).into()),
        (key(Kind::Machine, "a"), machine(Some("a")).into()),
        (key(Kind::Machine, "b"), own_image.into()),
        (key(Kind::Machine, "w"), machine(None).into()),
    ]
}

fn edge(network: &str, subnet: &str) -> Wanted {
    let balancer = LoadBalancer {
        network: network.to_owned(),
        subnets: vec![subnet.to_owned()],
        port: 6443,
        public: true,
        allowed_cidrs: Vec::new(),
        firewall: None,
    };
    let name = DnsRecord {
        zone: "example.com".to_owned(),
        target: key(Kind::LoadBalancer, "api"),
        ttl_seconds: 60,
    };
    let target = LoadBalancerTarget {
        load_balancer: "api".to_owned(),
        machine: "a".to_owned(),
    };
    vec![
        (key(Kind::LoadBalancer, "api"), balancer.into()),
        (key(Kind::DnsRecord, "api.foo.example.com"), name.into()),
        (key(Kind::LoadBalancerTarget, "a"), target.into()),
    ]
}

fn groups(subnet: &str) -> Wanted {
    let group = |role: Option<&str>| NodeGroup {
        min: 1,
        max: 3,
        replicas: 1,
        max_surge: 0,
        subnets: vec![subnet.to_owned()],
        firewall: "nodes".to_owned(),
        role: role.map(str::to_owned),
        machine_type: Some("m6i.large".to_owned()),
        types: Vec::new(),
        image: role.is_none().then(|| "ami-1".to_owned()),
        root_volume: None,
        kms_key: None,
        spot_share: role.is_some().then_some(70),
        kubernetes_version: Version::new(1, 36, 2),
        labels: Labels::new(),
        taints: Vec::new(),
        settings: Digest::of_bytes(b""),
    };
    let machine = GroupMachine {
        group: "spare".to_owned(),
        template: Digest::of_bytes(b""),
        node: "i-1".to_owned(),
        detached: false,
    };
    vec![
        (key(Kind::NodeGroup, "spare"), group(Some("node")).into()),
        (key(Kind::NodeGroup, "plain"), group(None).into()),
        (key(Kind::GroupMachine, "i-1"), machine.into()),
    ]
}

/// The zones that names can be in.
static ZONES: LazyLock<[EdgeZone; 3]> = LazyLock::new(|| {
    let private = |existing_vpc: Option<&str>| {
        EdgeZone::Private(PrivateZone {
            name: "example.com".to_owned(),
            region: "eu-west-1".to_owned(),
            existing_vpc: existing_vpc.map(str::to_owned),
        })
    };
    let public = EdgeZone::Public("example.com".to_owned());
    [private(None), private(Some("vpc-1")), public]
});

/// With names in a private zone, which more is asked of than of a public one.
fn scope<'a>(cluster: &'a ClusterIdentity, wanted: &'a BTreeMap<ResourceKey, Resource>) -> Scope<'a> {
    Scope {
        cluster,
        region: "eu-west-1",
        zone: Some(&ZONES[0]),
        zone_id: None,
        state: Some(StateFolder {
            bucket: "clusters",
            prefix: "teams/a",
            makes_bucket: true,
        }),
        ends: false,
        wanted,
    }
}

/// The type of what an ARN stands for, as the facts call it.
fn type_of(arn: &str) -> &str {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let &[_, _, service, _, _, resource] = parts.as_slice() else {
        return arn;
    };
    if service == "s3" {
        return if resource.contains('/') {
            "object"
        } else {
            "bucket"
        };
    }
    let two = resource
        .match_indices('/')
        .nth(1)
        .map_or(resource, |(end, _)| &resource[..end]);
    match two {
        "loadbalancer/app" | "loadbalancer/net" | "listener/net" => two,
        _ => resource.split(['/', ':']).next().unwrap_or(resource),
    }
}

/// A condition key without the tag that it is about.
fn plain(key: &str) -> &str {
    match key.split_once('/') {
        Some((plain @ ("aws:RequestTag" | "aws:ResourceTag"), _)) => plain,
        _ => key,
    }
}

#[test]
fn every_action_is_allowed_on_what_aws_asks_about_it_by_conditions_that_it_takes() {
    let facts = facts();
    let mut problems = BTreeSet::new();
    for uid in [None, Some("u1")] {
        let (cluster, wanted) = (cluster(uid), wanted("vpc-1", "a-public"));
        let scope = scope(&cluster, &wanted);
        for (key, resource) in &wanted {
            for row in table::rows(key.kind())
                .iter()
                .filter(|row| row.applies_to(resource))
            {
                for grant in scope.grants(row, Some((key, resource))) {
                    problems.extend(grant.actions.iter().flat_map(|action| {
                        let types = facts.get(action.as_str());
                        grant.resources.iter().filter_map(move |arn| {
                            let Some(types) = types else {
                                return Some(format!("{action} is not known"));
                            };
                            if arn == "*" {
                                let is_right = types.is_empty() || BY_NAME.contains(&action.as_str());
                                return (!is_right).then(|| format!("{action} is allowed on everything"));
                            }
                            None
                        })
                    }));
                    for (action, arn) in pairs(&grant) {
                        problems.extend(problems_of(&facts, &grant, action, arn));
                    }
                }
            }
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

fn pairs(grant: &document::Grant) -> impl Iterator<Item = (&str, &str)> {
    let resources = grant.resources.iter().filter(|arn| *arn != "*");
    resources.flat_map(|arn| {
        grant
            .actions
            .iter()
            .map(move |action| (action.as_str(), arn.as_str()))
    })
}

fn problems_of(
    facts: &BTreeMap<&str, BTreeMap<&str, (bool, BTreeSet<&str>)>>,
    grant: &document::Grant,
    action: &str,
    arn: &str,
) -> Vec<String> {
    let kind = type_of(arn);
    let Some((_, keys)) = facts.get(action).and_then(|types| types.get(kind)) else {
        return vec![format!("{action} is never asked about a {kind}")];
    };
    let conditions = grant.conditions.iter().map(|condition| plain(&condition.key));
    let untaken = conditions.filter(|key| !keys.contains(key));
    untaken
        .map(|key| format!("{action} takes no {key} for a {kind}"))
        .collect()
}

#[test]
fn all_that_has_to_be_allowed_for_an_action_is_and_nothing_is_without_a_fact() {
    let facts = facts();
    let mut used = BTreeSet::new();
    for network in ["main", "vpc-1"] {
        for subnet in ["a-public", "subnet-1"] {
            let (cluster, wanted) = (cluster(Some("u1")), wanted(network, subnet));
            let policy = policy_of_life(&scope(&cluster, &wanted));
            let mut allowed: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
            for statement in policy["Statement"].as_array().unwrap() {
                for action in statement["Action"].as_array().unwrap() {
                    let types = allowed.entry(action.as_str().unwrap()).or_default();
                    let resources = statement["Resource"].as_array().unwrap().iter();
                    types.extend(resources.map(|arn| type_of(arn.as_str().unwrap())));
                }
            }
            for (action, types) in &allowed {
                let required = facts[action].iter().filter(|(_, (is_required, _))| *is_required);
                for (kind, _) in required.filter(|_| !BY_NAME.contains(action)) {
                    assert!(types.contains(kind), "{action} is not allowed on a {kind}");
                }
            }
            used.extend(allowed.into_keys().map(str::to_owned));
        }
    }
    let known: BTreeSet<String> = facts.into_keys().map(str::to_owned).collect();
    assert_eq!(used, known);
}

#[test]
fn what_exists_is_used_by_its_id_and_nothing_is_made_in_what_is_not_there() {
    let cluster = cluster(Some("u1"));
    let resources = |network, subnet| {
        let wanted = wanted(network, subnet);
        let policy = policy_of_life(&scope(&cluster, &wanted));
        let statements = policy["Statement"].as_array().unwrap().clone();
        let existing = statements.into_iter().find(|one| one["Sid"] == "UseWhatExists");
        existing.map(|one| (one["Action"].clone(), one["Resource"].clone()))
    };
    assert_eq!(resources("main", "a-public"), None);
    let (actions, arns) = resources("vpc-1", "a-public").unwrap();
    assert_eq!(
        actions,
        json!([
            "ec2:CreateRouteTable",
            "ec2:CreateSecurityGroup",
            "ec2:CreateSubnet"
        ])
    );
    assert_eq!(arns, json!(["arn:aws:ec2:eu-west-1:*:vpc/vpc-1"]));
}

fn statement<'a>(policy: &'a Value, name: &str) -> &'a Value {
    let mut all = policy["Statement"].as_array().unwrap().iter();
    all.find(|one| one["Sid"] == name).unwrap_or(&Value::Null)
}

#[test]
fn the_mark_is_the_uid_and_before_there_is_one_the_name_beside_any() {
    let wanted = wanted("main", "a-public");
    let of = |uid| policy_of_life(&scope(&cluster(uid), &wanted));
    let (unborn, alive) = (of(None), of(Some("u1")));
    assert_eq!(
        statement(&alive, "ChangeItsOwn")["Condition"],
        json!({ "StringEquals": { "aws:ResourceTag/keelson.dev/cluster": ["u1"] } })
    );
    assert_eq!(
        statement(&unborn, "MakeMarked")["Condition"],
        json!({
            "Null": { "aws:RequestTag/keelson.dev/cluster": ["false"] },
            "StringEquals": { "aws:RequestTag/KubernetesCluster": ["foo"] },
        })
    );
    assert_eq!(
        statement(&alive, "ChangeRoles")["Resource"],
        json!(["arn:aws:iam::*:role/keelson/u1/*"])
    );
    assert_eq!(
        statement(&unborn, "ChangeRoles")["Resource"],
        json!([
            "arn:aws:iam::*:role/keelson/*/foo-bound-????????",
            "arn:aws:iam::*:role/keelson/*/foo-node-????????"
        ])
    );
    let passed = statement(&alive, "PassRoles");
    assert_eq!(
        passed["Condition"],
        json!({ "StringEquals": { "iam:PassedToService": ["ec2.amazonaws.com"] } })
    );
}

fn changed(key: ResourceKey, action: Action) -> Change {
    Change {
        key,
        action,
        reason: String::new(),
        disruption: Disruption::None,
        replacement: false,
    }
}

#[test]
fn a_policy_is_for_its_changes_alone_the_same_in_whichever_order_they_come() {
    let (cluster, wanted) = (cluster(Some("u1")), wanted("main", "a-public"));
    let scope = Scope {
        zone_id: Some("Z1"),
        state: Some(StateFolder {
            bucket: "clusters",
            prefix: "teams/a",
            makes_bucket: false,
        }),
        ..scope(&cluster, &wanted)
    };
    let none = policy_of_changes(&scope, []);
    for statement in none["Statement"].as_array().unwrap() {
        let looks = ["Describe", "Get", "List"];
        let is_look = |action: &Value| {
            let action = action.as_str().unwrap().split_once(':').unwrap().1;
            looks.iter().any(|look| action.starts_with(look))
        };
        let actions = statement["Action"].as_array().unwrap();
        assert!(
            statement["Sid"] == "KeepState" || actions.iter().all(is_look),
            "{statement}"
        );
    }
    assert_eq!(
        statement(&none, "ReadNames")["Resource"],
        json!(["arn:aws:route53:::hostedzone/Z1"])
    );
    let subnet = key(Kind::Subnet, "a-public");
    let create = Action::Create {
        resource: Box::new(wanted[&subnet].clone()),
        generation: 0,
    };
    let volume = key(Kind::Volume, "a");
    let delete = Action::Delete {
        existing: Box::new(Existing {
            resource: wanted[&volume].clone(),
            id: "vol-1".to_owned(),
            owner: Owner::ThisCluster,
            health: Health::Healthy,
            created_at: jiff::Timestamp::UNIX_EPOCH,
            generation: 0,
            host_id: None,
            facts: BTreeMap::new(),
        }),
    };
    let (create, delete) = (changed(subnet, create), changed(volume, delete));
    let policy = policy_of_changes(&scope, [&create, &delete]);
    assert_eq!(
        policy.to_string(),
        policy_of_changes(&scope, [&delete, &create]).to_string()
    );
    assert_eq!(
        statement(&policy, "ChangeItsOwn")["Action"],
        json!(["ec2:CreateSubnet", "ec2:DeleteVolume"])
    );
    assert_eq!(
        statement(&policy, "MakeMarked")["Action"],
        json!(["ec2:CreateSubnet"])
    );
    assert_eq!(statement(&policy, "MakeMarkedRoles"), &Value::Null);
}

#[test]
fn where_roles_are_others_none_is_changed_and_no_statement_is_without_resources() {
    let cluster = cluster(None);
    let mut wanted = wanted("main", "a-public");
    wanted.retain(|key, _| key.kind() != Kind::Role);
    let policy = policy_of_life(&scope(&cluster, &wanted));
    assert_eq!(statement(&policy, "ChangeRoles"), &Value::Null);
    for statement in policy["Statement"].as_array().unwrap() {
        assert!(
            !statement["Resource"].as_array().unwrap().is_empty(),
            "{statement}"
        );
    }
}

#[test]
fn who_sees_a_private_zone_is_changed_for_the_cluster_s_own_network_alone() {
    let (cluster, wanted) = (cluster(None), wanted("main", "a-public"));
    let shown = json!({ "ForAllValues:StringLike": { "route53:VPCs": ["VPCId=*,VPCRegion=eu-west-1"] } });
    let looks = json!(["route53:GetHostedZone", "route53:ListResourceRecordSets"]);
    let cases = [
        (&ZONES[0], shown, looks.clone()),
        (&ZONES[1], Value::Null, looks),
        (&ZONES[2], Value::Null, json!(["route53:ListResourceRecordSets"])),
    ];
    for (zone, shown, looks) in cases {
        let scope = Scope {
            zone: Some(zone),
            ..scope(&cluster, &wanted)
        };
        let policy = policy_of_life(&scope);
        assert_eq!(statement(&policy, "ShowNames")["Condition"], shown, "{zone:?}");
        assert_eq!(statement(&policy, "ReadNames")["Action"], looks, "{zone:?}");
    }
}

#[test]
fn parts_of_aws_and_places_without_names_or_buckets_have_their_own_words() {
    let (cluster, wanted) = (cluster(None), wanted("main", "a-public"));
    let cases = [
        ("cn-north-1", "arn:aws-cn:"),
        ("us-gov-west-1", "arn:aws-us-gov:"),
        ("us-east-1", "arn:aws:"),
    ];
    for (region, beginning) in cases {
        let scope = Scope {
            region,
            zone: None,
            state: None,
            ..scope(&cluster, &wanted)
        };
        let policy = policy_of_life(&scope);
        for statement in policy["Statement"].as_array().unwrap() {
            for arn in statement["Resource"].as_array().unwrap() {
                let arn = arn.as_str().unwrap();
                assert!(arn == "*" || arn.starts_with(beginning), "{arn}");
            }
        }
        for word in ["route53:", "s3:"] {
            assert!(!policy.to_string().contains(word), "{word}");
        }
    }
}
