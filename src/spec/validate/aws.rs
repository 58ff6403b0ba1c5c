//! The network, the ways in and the rights of a cluster on AWS.

use std::net::IpAddr;

use super::clouds::ZONE_LIMIT;
use super::{Found, for_each_repetition};
use crate::spec::check::nearest;
use crate::spec::errors::Finding;
use crate::spec::path::{Path, path_of};
use crate::spec::text::{HttpUrl, StateStore};
use crate::spec::types::{
    AwsDns, AwsLoadBalancer, AwsNat, AwsProvider, AwsRole, AwsSubnets, AwsTopology, ClusterSpec, Provider,
    SnapshotPlace,
};

fn base() -> Path {
    path_of!("spec", "provider", "aws")
}

/// The provider, when it is the real one.
fn aws_of(spec: &ClusterSpec) -> Option<&AwsProvider> {
    match &spec.provider {
        Provider::Aws(aws) => Some(aws),
        _ => None,
    }
}

pub(super) fn ways_out(spec: &ClusterSpec, found: &mut Found) {
    let Some(nat) = spec.provider.nat() else {
        return;
    };
    let provider = path_of!("spec", "provider", spec.provider.field());
    let aws = aws_of(spec);
    let path = match aws {
        Some(_) => provider.then("network").then("nat"),
        None => provider.then("nat"),
    };
    if spec.provider.topology() == Some(AwsTopology::Public) {
        found.error(
            Finding::new(path, "machines with public addresses go out by themselves")
                .help("remove the field, or write `topology: private`")
                .rests_on(provider.then("topology")),
        );
        return;
    }
    let Some(network) = aws.map(|aws| &aws.network) else {
        return;
    };
    if !network.subnets.is_empty() && nat != AwsNat::None {
        let problem = "existing subnets have routes of their own, which keelson does not change";
        found.error(
            Finding::new(path, problem)
                .expected("`none`")
                .help("remove the field"),
        );
    } else if network.vpc.is_none() && network.subnets.is_empty() && nat == AwsNat::None {
        found.error(
            Finding::new(path, "a VPC that keelson makes has no other way out")
                .expected("`zone` or `single`")
                .help("or name the existing VPC that has one, in `vpc` beside it"),
        );
    }
}

pub(super) fn existing_subnets(spec: &ClusterSpec, found: &mut Found) {
    let Some(aws) = aws_of(spec).filter(|aws| !aws.network.subnets.is_empty()) else {
        return;
    };
    let path = base().then("network").then("subnets");
    if aws.network.vpc.is_none() {
        found.error(
            Finding::new(path.clone(), "existing subnets are those of an existing VPC")
                .expected("the VPC in `vpc` beside them"),
        );
    }
    if aws.zones.len() > ZONE_LIMIT {
        // That is an error already, and to compare each with each would take long.
        return;
    }
    for (zone, subnets) in &aws.network.subnets {
        let place = path.then(zone.as_str());
        if aws.zones.contains(zone) {
            subnets_suffice(aws, subnets, &place, found);
        } else {
            let finding = Finding::new(place, format!("`{zone}` is not a zone of the cluster"))
                .expected(format!("one of: {}", aws.zones.join(", ")))
                .rests_on(base().then("zones"));
            found.error(match nearest(zone, aws.zones.iter().map(String::as_str)) {
                Some(meant) => finding.help(format!("did you mean `{meant}`?")),
                None => finding.help("remove it, or name the zone in `zones`"),
            });
        }
    }
    for zone in &aws.zones {
        if !aws.network.subnets.contains_key(zone) {
            found.error(
                Finding::new(path.clone(), format!("the zone `{zone}` has no subnets"))
                    .expected("those of every zone of the cluster")
                    .help("add them, or remove the zone from `zones`")
                    .rests_on(base().then("zones")),
            );
        }
    }
    each_subnet_once(aws, &path, found);
    bastion_has_a_subnet(spec, aws, found);
}

/// What one zone's existing subnets are needed for.
fn subnets_suffice(aws: &AwsProvider, subnets: &AwsSubnets, place: &Path, found: &mut Found) {
    let is_internal = aws.api.load_balancer == AwsLoadBalancer::Internal;
    let is_public = aws.topology == AwsTopology::Public;
    if !is_public && subnets.private.is_none() {
        found.error(
            Finding::new(place.clone(), "there is no private subnet for the machines")
                .expected("a subnet such as `private: subnet-0a1b2c3d4e5f60718`"),
        );
    }
    if is_public && subnets.private.is_some() {
        let problem = "with `topology: public`, nothing is put into a private subnet";
        found.warn(Finding::new(place.then("private"), problem).help("remove it"));
    }
    if subnets.public.is_some() {
        return;
    }
    let finding = |problem: &str| {
        Finding::new(place.clone(), problem).expected("a subnet such as `public: subnet-0a1b2c3d4e5f60718`")
    };
    if is_public {
        found.error(finding("there is no public subnet for the machines"));
    } else if !is_internal {
        found.error(
            finding("there is no public subnet for the API's load balancer")
                .help("name one, or write `provider.aws.api: { loadBalancer: internal }`"),
        );
    }
}

/// One public subnet in any zone will do. Where the load balancer needs them too, each zone has its own error.
fn bastion_has_a_subnet(spec: &ClusterSpec, aws: &AwsProvider, found: &mut Found) {
    let is_alone = aws.topology == AwsTopology::Private && aws.api.load_balancer == AwsLoadBalancer::Internal;
    let mut subnets = aws.network.subnets.values();
    if spec.ssh.bastion && is_alone && subnets.all(|subnets| subnets.public.is_none()) {
        let problem = "the bastion needs a public subnet, and no zone has one";
        found.error(
            Finding::new(path_of!("spec", "ssh", "bastion"), problem)
                .help("name one in one zone of `provider.aws.network.subnets`, or remove the field")
                .rests_on(base().then("network").then("subnets")),
        );
    }
}

fn each_subnet_once(aws: &AwsProvider, path: &Path, found: &mut Found) {
    let all = aws.network.subnets.iter().flat_map(|(zone, subnets)| {
        let kinds = [("private", &subnets.private), ("public", &subnets.public)];
        kinds
            .into_iter()
            .filter_map(move |(kind, subnet)| Some((zone, kind, subnet.as_deref()?)))
    });
    let all: Vec<(&String, &'static str, &str)> = all.collect();
    let subnets: Vec<&str> = all.iter().map(|(_, _, subnet)| *subnet).collect();
    for_each_repetition(&subnets, |later, first| {
        let (Some((zone, kind, _)), Some((other, other_kind, _))) = (all.get(later), all.get(first)) else {
            return;
        };
        let problem = format!("it is the {other_kind} subnet of {other} too");
        found.error(
            Finding::new(path.then(zone.as_str()).then(*kind), problem)
                .help("a subnet is in one zone, and is either private or public"),
        );
    });
}

pub(super) fn record(spec: &ClusterSpec, found: &mut Found) {
    let Some(aws) = aws_of(spec) else {
        return;
    };
    match (aws.dns, &aws.hosted_zone) {
        (Some(AwsDns::Public | AwsDns::Private), None) => found.error(
            Finding::new(base().then("dns"), "there is no zone to make the record in")
                .help("name the zone in `hostedZone` beside it, or remove the field"),
        ),
        (Some(AwsDns::None), Some(zone)) => {
            let problem = format!("with `dns: none`, no record is made in `{zone}`");
            found.warn(Finding::new(base().then("hostedZone"), problem).help("remove one of the two"));
        }
        _ => {}
    }
}

pub(super) fn bastion(spec: &ClusterSpec, found: &mut Found) {
    if spec.ssh.bastion && spec.provider.topology() == Some(AwsTopology::Public) {
        let problem = "machines have public addresses: there is nothing to reach through a bastion";
        found.error(
            Finding::new(path_of!("spec", "ssh", "bastion"), problem)
                .help("remove the field, or write `topology: private`")
                .rests_on(path_of!("spec", "provider", spec.provider.field(), "topology")),
        );
    }
}

pub(super) fn roles(spec: &ClusterSpec, found: &mut Found) {
    let Some(aws) = aws_of(spec) else {
        return;
    };
    let path = base().then("roles");
    let roles = [
        ("controlPlane", &aws.roles.control_plane),
        ("node", &aws.roles.node),
        ("bastion", &aws.roles.bastion),
    ];
    for (name, role) in roles {
        let place = path.then(name);
        for_each_repetition(&role.policies, |later, first| {
            let problem = format!("the policy is repeated; the first is policies[{first}]");
            found.error(
                Finding::new(place.then("policies").then(later), problem).help("remove one of the two"),
            );
        });
        let Some(profile) = &role.instance_profile else {
            continue;
        };
        let given = [
            ("permissionsBoundary", role.permissions_boundary.is_some()),
            ("policies", !role.policies.is_empty()),
        ];
        for (field, _) in given.iter().filter(|(_, is_given)| *is_given) {
            let problem =
                format!("the existing instance profile `{profile}` has its own role, which is left as it is");
            found.error(
                Finding::new(place.then(*field), problem)
                    .help(format!("remove the field, or `{name}.instanceProfile`")),
            );
        }
    }
    if !spec.ssh.bastion && aws.roles.bastion != AwsRole::default() {
        found.error(
            Finding::new(path.then("bastion"), "the cluster has no bastion")
                .help("remove the field, or write `ssh: { bastion: true }`"),
        );
    }
}

/// What is in the issuer's bucket is for everyone to read; what is in the others opens the cluster.
pub(super) fn issuer(spec: &ClusterSpec, found: &mut Found) {
    let Some(issuer) = aws_of(spec).and_then(|aws| aws.service_account_issuer.as_ref()) else {
        return;
    };
    let bucket = issuer.bucket.as_str();
    let is_state = matches!(&spec.state_store, StateStore::S3(store) if store.name == bucket);
    let is_backup =
        matches!(&spec.etcd.snapshots.to, SnapshotPlace::S3(snapshots) if snapshots.bucket == bucket);
    let holds = match (is_state, is_backup) {
        (true, _) => "the state store, which holds the cluster's keys",
        (false, true) => "snapshots of etcd, which hold the cluster's Secrets",
        (false, false) => return,
    };
    found.error(
        Finding::new(
            base().then("serviceAccountIssuer").then("bucket"),
            format!("`{bucket}` is the bucket of {holds}"),
        )
        .expected("a bucket of its own")
        .help("what stands in the issuer's bucket is for everyone to read"),
    );
}

pub(super) fn endpoint(spec: &ClusterSpec, found: &mut Found) {
    let Some(endpoint) = aws_of(spec).and_then(|aws| aws.endpoint.as_ref()) else {
        return;
    };
    if !endpoint.is_secure() && !is_near(endpoint) {
        found.error(
            Finding::new(
                base().then("endpoint"),
                format!("`{endpoint}` would be asked without encryption, through networks of others"),
            )
            .expected("a URL that begins with https://, or http:// and a loopback or private IP address"),
        );
    }
}

/// True when the way to the server of `url` leads through no network of others.
fn is_near(url: &HttpUrl) -> bool {
    let authority = url.authority();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => authority.split(':').next(),
    };
    let host = host.unwrap_or(authority);
    let is_private = |address: IpAddr| match address.to_canonical() {
        IpAddr::V4(address) => address.is_loopback() || address.is_private(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
    };
    host == "localhost" || host.parse().is_ok_and(is_private)
}
