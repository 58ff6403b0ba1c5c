//! From what a row says to ARNs and conditions of one cluster.

use std::collections::{BTreeMap, BTreeSet};

use keelson_aws_calls::iam::path_of;
use keelson_aws_calls::mark::CLUSTER;
use keelson_provider_api::{ClusterIdentity, ClusterUid, Kind, Resource, ResourceKey};

use super::document::{Condition, Grant};
use super::row::{On, Row};
use crate::edge::{EdgeZone, text_name};
use crate::groups::{CHANGING_GROUP_TAGS, group_name_pattern};
use crate::kept::{ec2_service, existing_profile, role_name_pattern};
use crate::leftovers::{BALANCED, DRIVEN, cluster_tag};
use crate::machine::{CHANGING_TAGS, ImageSource, image_source};

/// The tag with the cluster's name, which everything that is marked has too.
const CLUSTER_NAME: &str = "KubernetesCluster";

/// Services of which each region has its own.
const REGIONAL: [&str; 3] = ["autoscaling:", "ec2:", "elasticloadbalancing:"];

const EQUAL: &str = "StringEquals";
/// True of each of several values, and of none.
const EACH_EQUAL: &str = "ForAllValues:StringEquals";
/// The same, of patterns.
const EACH_LIKE: &str = "ForAllValues:StringLike";

/// The cluster that a policy is for, and where it is.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The cluster; without a uid, one that has not begun.
    pub cluster: &'a ClusterIdentity,
    /// Its region.
    pub region: &'a str,
    /// The zone of Route 53 that its names are in, if they are in one.
    pub zone: Option<&'a EdgeZone>,
    /// What Route 53 calls that zone, where it is known; any zone otherwise, since nobody is asked.
    pub zone_id: Option<&'a str>,
    /// Where its state is, if that is in a bucket of AWS.
    pub state: Option<StateFolder<'a>>,
    /// Whether the cluster is taken away: what its controllers made is looked for then.
    pub ends: bool,
    /// All that is wanted of the cluster.
    pub wanted: &'a BTreeMap<ResourceKey, Resource>,
}

/// A folder in a bucket.
#[derive(Debug, Clone, Copy)]
pub struct StateFolder<'a> {
    /// The bucket's name.
    pub bucket: &'a str,
    /// What keys in it begin with, without a slash at the end; empty where the bucket is the state store's alone.
    pub prefix: &'a str,
    /// Whether keelson makes the bucket, or has made it and puts it right.
    pub makes_bucket: bool,
}

/// A resource under its key.
type Named<'a> = (&'a ResourceKey, &'a Resource);

impl Scope<'_> {
    /// What `row` allows for `named`; for a look, for whatever there is.
    pub(super) fn grants(&self, row: &Row, named: Option<Named<'_>>) -> Vec<Grant> {
        let grant = |name, resources, conditions| granted(name, row, resources, conditions);
        match row.on {
            On::Everything => vec![self.everything(row)],
            On::Made(types) => self.made(row, types),
            On::Own(types) => vec![grant("ChangeItsOwn", self.of_ec2(types), self.is_own())],
            On::Network => self.existing_or_own(row, "vpc", networks(named)),
            On::Subnets => self.existing_or_own(row, "subnet", subnets(named)),
            On::Image => self.image(row, named),
            On::Interface => vec![grant(
                "StartBehindInterfaces",
                self.of_ec2(&["network-interface"]),
                Vec::new(),
            )],
            On::MachineTags => {
                let mut conditions = self.is_own();
                conditions.push(Condition::new(EACH_EQUAL, "aws:TagKeys", CHANGING_TAGS.to_vec()));
                vec![grant("TellOfMachines", self.of_ec2(&["instance"]), conditions)]
            }
            On::MadeBalancing(types) => self.made_balancing(row, types),
            On::Listened => self.listened(row),
            On::OwnBalancing(types) => {
                let own = self.of_balancing(types);
                vec![grant("ChangeItsBalancers", own, self.is_own())]
            }
            On::BalancingOfControllers(types) => self.of_controllers(row, &self.of_balancing(types)),
            On::GroupsOfControllers => self.of_controllers(row, &self.of_ec2(&["security-group"])),
            On::DataOfControllers(kind) => vec![self.data_of_controllers(row, kind)],
            On::ZoneSearch | On::Zone | On::PrivateZone | On::JoinedZone | On::Name | On::NameChange => {
                self.of_names(row, named)
            }
            On::Roles
            | On::MadeRole
            | On::MadeProfile
            | On::Role
            | On::BoundRole
            | On::GivenPolicies
            | On::Profiles
            | On::PassedRole => self.of_roles(row, named),
            On::ServiceRole(service) => {
                let role = format!(
                    "arn:{}:iam::*:role/aws-service-role/{service}/*",
                    self.partition()
                );
                let of_service = Condition::new(EQUAL, "iam:AWSServiceName", [service]);
                vec![grant("LetServicesBegin", vec![role], vec![of_service])]
            }
            On::MadeGroup => {
                let own = named.map(|(key, _)| group_name_pattern(self.cluster, key.name()));
                let own = own.map(|name| self.group_arn(&name)).into_iter();
                vec![grant("MakeMarkedGroups", own.collect(), self.is_marked())]
            }
            On::OwnGroups => vec![grant("ChangeItsGroups", vec![self.group_arn("*")], self.is_own())],
            On::GroupTags => {
                let mut conditions = self.is_own();
                conditions.push(Condition::new(EACH_LIKE, "aws:TagKeys", CHANGING_GROUP_TAGS));
                vec![grant("TellOfGroups", vec![self.group_arn("*")], conditions)]
            }
            On::VolumeKey | On::VolumeKeyGrant => self.of_key(row, named),
        }
    }

    /// The part of AWS that the region is in (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>).
    pub(super) fn partition(&self) -> &'static str {
        match self.region.split('-').next() {
            Some("cn") => "aws-cn",
            _ if self.region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        }
    }

    /// Services that are in one place for all regions know no region.
    fn everything(&self, row: &Row) -> Grant {
        let everything = vec!["*".to_owned()];
        let is_regional = |action: &&str| REGIONAL.iter().any(|service| action.starts_with(service));
        if row.actions.iter().all(is_regional) {
            let here = Condition::new(EQUAL, "aws:RequestedRegion", [self.region]);
            return granted("Look", row, everything, vec![here]);
        }
        granted("LookEverywhere", row, everything, Vec::new())
    }

    /// The call that makes something is asked about the mark twice: as itself, and as what gives tags.
    fn made(&self, row: &Row, types: &[&str]) -> Vec<Grant> {
        let resources = self.of_ec2(types);
        let names = row.actions.iter().filter_map(|action| action.split_once(':'));
        let names = names.map(|(_, name)| name);
        let mut conditions = self.is_marked();
        conditions.push(Condition::new(EQUAL, "ec2:CreateAction", names));
        let marks = Grant {
            name: "MarkWhatIsMade",
            actions: vec!["ec2:CreateTags".to_owned()],
            resources: resources.clone(),
            conditions,
        };
        vec![granted("MakeMarked", row, resources, self.is_marked()), marks]
    }

    fn existing_or_own(&self, row: &Row, kind: &'static str, names: BTreeSet<&str>) -> Vec<Grant> {
        let prefix = format!("{kind}-");
        let (existing, own): (Vec<&str>, Vec<&str>) =
            names.into_iter().partition(|name| name.starts_with(&prefix));
        let mut grants = Vec::new();
        if !own.is_empty() {
            grants.push(granted("ChangeItsOwn", row, self.of_ec2(&[kind]), self.is_own()));
        }
        if !existing.is_empty() {
            let arns = existing.iter().map(|id| self.ec2_arn(kind, id));
            grants.push(granted("UseWhatExists", row, arns.collect(), Vec::new()));
        }
        grants
    }

    fn image(&self, row: &Row, named: Option<Named<'_>>) -> Vec<Grant> {
        let image = match named {
            Some((_, Resource::Machine(machine))) => machine.image.as_deref(),
            Some((_, Resource::NodeGroup(group))) => group.image.as_deref(),
            _ => return Vec::new(),
        };
        // Images have no account in their ARNs.
        let arn = |id: &str| format!("arn:{}:ec2:{}::image/{id}", self.partition(), self.region);
        match image_source(image) {
            ImageSource::Id(id) => vec![granted("StartThisImage", row, vec![arn(id)], Vec::new())],
            ImageSource::Owner(owner) => {
                let of_owner = Condition::new(EQUAL, "ec2:Owner", [owner]);
                vec![granted("StartImagesOf", row, vec![arn("*")], vec![of_owner])]
            }
            ImageSource::Unknown => Vec::new(),
        }
    }

    fn made_balancing(&self, row: &Row, types: &[&str]) -> Vec<Grant> {
        let resources = self.of_balancing(types);
        let marks = self.balancing_marks(row, resources.clone());
        vec![
            granted("MakeMarkedBalancers", row, resources, self.is_marked()),
            marks,
        ]
    }

    /// Either of two controllers may have made it, each with a tag of its own.
    fn of_controllers(&self, row: &Row, resources: &[String]) -> Vec<Grant> {
        let name = self.cluster.name.as_str();
        let by_tag = |statement, tag: String, value: &str| {
            let tagged = Condition::new(EQUAL, format!("aws:ResourceTag/{tag}"), [value]);
            granted(statement, row, resources.to_vec(), vec![tagged])
        };
        let (tag, owned) = cluster_tag(name);
        vec![
            by_tag("EndWhatItsControllersMade", tag, owned),
            by_tag("EndWhatItsBalancerControllerMade", BALANCED.to_owned(), name),
        ]
    }

    fn data_of_controllers(&self, row: &Row, kind: &str) -> Grant {
        let (tag, owned) = cluster_tag(self.cluster.name.as_str());
        let of_cluster = Condition::new(EQUAL, format!("aws:ResourceTag/{tag}"), [owned]);
        let of_driver = Condition::new(EQUAL, format!("aws:ResourceTag/{DRIVEN}"), ["true"]);
        // Snapshots have no account in their ARNs.
        let arn = match kind {
            "snapshot" => format!("arn:{}:ec2:{}::snapshot/*", self.partition(), self.region),
            other => self.ec2_arn(other, "*"),
        };
        granted("EndItsClaims", row, vec![arn], vec![of_cluster, of_driver])
    }

    /// A listener is asked about as its load balancer, which is the cluster's own.
    fn listened(&self, row: &Row) -> Vec<Grant> {
        let mut conditions = self.is_own();
        conditions.extend(self.is_marked());
        let balancers = self.of_balancing(&["loadbalancer/net"]);
        let marks = self.balancing_marks(row, self.of_balancing(&["listener/net"]));
        vec![granted("MakeMarkedListeners", row, balancers, conditions), marks]
    }

    fn balancing_marks(&self, row: &Row, resources: Vec<String>) -> Grant {
        let names = row.actions.iter().filter_map(|action| action.split_once(':'));
        let names = names.map(|(_, name)| name);
        let mut conditions = self.is_marked();
        conditions.push(Condition::new(EQUAL, "elasticloadbalancing:CreateAction", names));
        Grant {
            name: "MarkBalancers",
            actions: vec!["elasticloadbalancing:AddTags".to_owned()],
            resources,
            conditions,
        }
    }

    /// Records have no tags; which of them are written is said by their names and types.
    fn of_names(&self, row: &Row, named: Option<Named<'_>>) -> Vec<Grant> {
        let Some(edge_zone) = self.zone else {
            return Vec::new();
        };
        let partition = self.partition();
        let zone = || {
            let id = self.zone_id.unwrap_or("*");
            vec![format!("arn:{partition}:route53:::hostedzone/{id}")]
        };
        match (row.on, named) {
            (On::ZoneSearch, _) => vec![self.everything(row)],
            (On::Zone, _) => vec![granted("ReadNames", row, zone(), Vec::new())],
            (On::PrivateZone, _) if matches!(edge_zone, EdgeZone::Private(_)) => {
                vec![granted("ReadNames", row, zone(), Vec::new())]
            }
            (On::JoinedZone, _) if edge_zone.joined().is_some() => {
                // Nobody knows the VPC before it is there.
                let here = format!("VPCId=*,VPCRegion={}", self.region);
                let vpcs = Condition::new(EACH_LIKE, "route53:VPCs", [here]);
                vec![granted("ShowNames", row, zone(), vec![vpcs])]
            }
            (On::NameChange, _) => {
                let changes = vec![format!("arn:{partition}:route53:::change/*")];
                vec![granted("WaitForNames", row, changes, Vec::new())]
            }
            (On::Name, Some((key, _))) => {
                let name = key.name().to_ascii_lowercase();
                let texts = text_name(&name);
                let of_records = |what: &str, values: [&str; 2]| {
                    Condition::new(
                        EACH_EQUAL,
                        format!("route53:ChangeResourceRecordSets{what}"),
                        values,
                    )
                };
                let conditions = vec![
                    of_records("Actions", ["DELETE", "UPSERT"]),
                    of_records("NormalizedRecordNames", [&name, &texts]),
                    of_records("RecordTypes", ["A", "TXT"]),
                ];
                vec![granted("WriteNames", row, zone(), conditions)]
            }
            _ => Vec::new(),
        }
    }

    fn of_roles(&self, row: &Row, named: Option<Named<'_>>) -> Vec<Grant> {
        let grant = |name, resources, conditions| vec![granted(name, row, resources, conditions)];
        let role = match named {
            Some((key, Resource::Role(role))) => Some((key, role)),
            _ => None,
        };
        let this_role = || role.map(|(key, _)| self.iam_arn("role", key.name()));
        match row.on {
            On::Roles => grant("ChangeRoles", self.below_path("role", named), Vec::new()),
            On::Profiles => grant(
                "ChangeProfiles",
                self.below_path("instance-profile", named),
                Vec::new(),
            ),
            On::MadeRole => grant(
                "MakeMarkedRoles",
                self.below_path("role", named),
                self.is_marked(),
            ),
            On::MadeProfile => {
                let profiles = self.below_path("instance-profile", named);
                grant("MakeMarkedProfiles", profiles, self.is_marked())
            }
            On::Role => grant("MakeRoles", this_role().into_iter().collect(), self.is_marked()),
            On::BoundRole => {
                let boundary = role.and_then(|(_, role)| role.boundary.clone());
                let bound = Condition::new(EQUAL, "iam:PermissionsBoundary", boundary);
                grant("MakeBoundRoles", this_role().into_iter().collect(), vec![bound])
            }
            On::GivenPolicies => {
                let policies = role.map(|(_, role)| role.policies.clone()).unwrap_or_default();
                let given = Condition::new("ArnEquals", "iam:PolicyARN", policies);
                grant("GivePolicies", this_role().into_iter().collect(), vec![given])
            }
            On::PassedRole => {
                let passed = match named {
                    Some((_, Resource::Machine(machine))) => {
                        machine.role.as_ref().map(|role| self.role_of_machines(role))
                    }
                    Some((_, Resource::NodeGroup(group))) => {
                        group.role.as_ref().map(|role| self.role_of_machines(role))
                    }
                    _ => this_role(),
                };
                let to_instances = Condition::new(EQUAL, "iam:PassedToService", [ec2_service(self.region)]);
                grant("PassRoles", passed.into_iter().collect(), vec![to_instances])
            }
            _ => Vec::new(),
        }
    }

    /// Which role an existing instance profile has nobody says.
    fn role_of_machines(&self, role: &str) -> String {
        match existing_profile(role) {
            Some(_) => format!("arn:{}:iam::*:role/*", self.partition()),
            None => self.iam_arn("role", role),
        }
    }

    /// All that the cluster has below its path; before there is one, all that it will have.
    fn below_path(&self, what: &str, named: Option<Named<'_>>) -> Vec<String> {
        if self.cluster.uid.is_some() {
            return vec![format!("arn:{}:iam::*:{what}{}*", self.partition(), self.path())];
        }
        let wanted = self.wanted.keys().chain(named.map(|(key, _)| key));
        let roles = wanted.filter(|key| key.kind() == Kind::Role);
        roles.map(|key| self.iam_arn(what, key.name())).collect()
    }

    fn iam_arn(&self, what: &str, role: &str) -> String {
        let name = role_name_pattern(self.cluster, role);
        format!("arn:{}:iam::*:{what}{}{name}", self.partition(), self.path())
    }

    fn path(&self) -> String {
        path_of(self.cluster.uid.as_ref().map_or("*", ClusterUid::as_str))
    }

    /// What EC2 asks of a key that is not AWS's own, in the name of whoever asks EC2.
    fn of_key(&self, row: &Row, named: Option<Named<'_>>) -> Vec<Grant> {
        let volume = match named {
            Some((_, Resource::Volume(volume))) => Some(volume),
            Some((_, Resource::Machine(machine))) => machine.volume.as_ref().and_then(|name| {
                match self.wanted.get(&ResourceKey::new(Kind::Volume, &**name)) {
                    Some(Resource::Volume(volume)) => Some(volume),
                    _ => None,
                }
            }),
            _ => None,
        };
        let Some(key) = volume.and_then(|volume| volume.kms_key.clone()) else {
            return Vec::new();
        };
        let arn = if key.starts_with("arn:") {
            key
        } else {
            format!("arn:{}:kms:{}:*:key/{key}", self.partition(), self.region)
        };
        let domain = if self.partition() == "aws-cn" {
            "amazonaws.com.cn"
        } else {
            "amazonaws.com"
        };
        let by_ec2 = format!("ec2.{}.{domain}", self.region);
        let mut conditions = vec![Condition::new(EQUAL, "kms:ViaService", [by_ec2])];
        let name = if matches!(row.on, On::VolumeKeyGrant) {
            conditions.push(Condition::new("Bool", "kms:GrantIsForAWSResource", ["true"]));
            "LendKeys"
        } else {
            "UseKeys"
        };
        vec![granted(name, row, vec![arn], conditions)]
    }

    /// That the call gives the cluster's mark to what it makes.
    fn is_marked(&self) -> Vec<Condition> {
        self.bears("aws:RequestTag")
    }

    /// That what is changed bears the cluster's mark.
    fn is_own(&self) -> Vec<Condition> {
        self.bears("aws:ResourceTag")
    }

    fn bears(&self, of: &str) -> Vec<Condition> {
        match &self.cluster.uid {
            Some(uid) => vec![Condition::new(EQUAL, format!("{of}/{CLUSTER}"), [uid.as_str()])],
            None => vec![
                Condition::new(
                    EQUAL,
                    format!("{of}/{CLUSTER_NAME}"),
                    [self.cluster.name.as_str()],
                ),
                Condition::new("Null", format!("{of}/{CLUSTER}"), ["false"]),
            ],
        }
    }

    fn of_ec2(&self, types: &[&str]) -> Vec<String> {
        types.iter().map(|kind| self.ec2_arn(kind, "*")).collect()
    }

    fn ec2_arn(&self, kind: &str, id: &str) -> String {
        format!("arn:{}:ec2:{}:*:{kind}/{id}", self.partition(), self.region)
    }

    fn group_arn(&self, name: &str) -> String {
        let (partition, region) = (self.partition(), self.region);
        format!("arn:{partition}:autoscaling:{region}:*:autoScalingGroup:*:autoScalingGroupName/{name}")
    }

    fn of_balancing(&self, types: &[&str]) -> Vec<String> {
        let (partition, region) = (self.partition(), self.region);
        let arn = |kind: &&str| format!("arn:{partition}:elasticloadbalancing:{region}:*:{kind}/*");
        types.iter().map(arn).collect()
    }
}

/// The names of the networks that a resource is in.
fn networks(named: Option<Named<'_>>) -> BTreeSet<&str> {
    let name = match named.map(|(_, resource)| resource) {
        Some(Resource::Subnet(subnet)) => Some(&subnet.network),
        Some(Resource::WayOut(way)) => Some(&way.network),
        Some(Resource::Firewall(firewall)) => Some(&firewall.network),
        _ => None,
    };
    name.into_iter().map(String::as_str).collect()
}

/// The names of the subnets that a resource is in. A machine with an interface is where that is, and interfaces are kept in
/// subnets of the cluster's own.
fn subnets(named: Option<Named<'_>>) -> BTreeSet<&str> {
    match named.map(|(_, resource)| resource) {
        Some(Resource::NatGateway(gateway)) => BTreeSet::from([gateway.subnet.as_str()]),
        Some(Resource::WayOut(way)) => way.subnets.iter().map(String::as_str).collect(),
        Some(Resource::NetworkInterface(interface)) => BTreeSet::from([interface.subnet.as_str()]),
        Some(Resource::NodeGroup(group)) => group.subnets.iter().map(String::as_str).collect(),
        Some(Resource::Machine(machine)) => BTreeSet::from([machine.subnet.as_deref().unwrap_or_default()]),
        _ => BTreeSet::new(),
    }
}

/// The statement `name` with what `row` says.
fn granted(name: &'static str, row: &Row, resources: Vec<String>, conditions: Vec<Condition>) -> Grant {
    Grant {
        name,
        actions: row.actions.iter().map(|&action| action.to_owned()).collect(),
        resources,
        conditions,
    }
}
