//! What there is that controllers of a cluster made.

use std::collections::BTreeMap;

use jiff::Timestamp;
use keelson_aws_calls::CallError;
use keelson_aws_calls::ec2::{Ec2, Filters, SecurityGroup, Snapshot, Volume};
use keelson_aws_calls::elb::{Elb, LoadBalancer, TargetGroup};
use keelson_aws_calls::mark::Tags;
use keelson_provider_api::kinds::{Leftover, LeftoverSort};
use keelson_provider_api::values::Quantity;
use keelson_provider_api::{
    ClusterIdentity, Existing, Health, Kind, KindObservation, Observed, Owner, ResourceKey,
};

use super::purpose::{purpose, purpose_of_group};
use super::whose::{Ground, Writing};

/// Everything that bears the cluster's writing, and is where it can be.
pub(super) async fn observation(
    ec2: &Ec2,
    elb: &Elb,
    cluster: &ClusterIdentity,
    existing: Option<&String>,
) -> Result<KindObservation, CallError> {
    let writing = Writing::of(cluster);
    let ground = Ground::look(ec2, &writing, existing).await?;
    let mut found = Vec::new();
    let balanced = elb.tagged(|tags| writing.is_on_balancing(tags)).await?;
    found.extend(balanced.load_balancers.into_iter().filter_map(of_balancer));
    found.extend(balanced.target_groups.into_iter().filter_map(of_target_group));
    found.retain(|one| {
        one.network
            .as_ref()
            .is_some_and(|vpc| ground.networks().any(|other| other == vpc))
    });
    for vpc in ground.networks() {
        let groups = ec2.list_security_groups(&Filters::in_vpc(vpc)).await?;
        let groups = groups
            .into_iter()
            .filter(|group| writing.is_on_balancing(&group.tags));
        found.extend(groups.map(of_security_group));
    }
    let volumes = ec2.list_volumes(&writing.of_driver()).await?;
    let volumes = volumes.into_iter().filter(Volume::is_there);
    found.extend(
        volumes
            .filter(|volume| writing.is_on_data(&volume.tags))
            .map(of_volume),
    );
    let snapshots = ec2.list_snapshots(&writing.of_driver()).await?;
    found.extend(
        snapshots
            .into_iter()
            .filter(|snapshot| writing.is_on_data(&snapshot.tags))
            .map(of_snapshot),
    );
    let observed = found.into_iter().map(|one| {
        let doubt = ground.doubt(&writing, one.network.as_deref(), &one.tags);
        let key = ResourceKey::new(Kind::Leftover, &*one.name);
        (key, doubt.map_or_else(|| one.present(), Observed::Unknown))
    });
    Ok(KindObservation {
        found: observed.collect(),
        ..KindObservation::default()
    })
}

/// Something that a controller made.
struct Found {
    /// What keys call it.
    name: String,
    /// What calls name it by.
    id: String,
    network: Option<String>,
    leftover: Leftover,
    created: Option<Timestamp>,
    tags: Tags,
}

impl Found {
    fn present(&self) -> Observed<Existing> {
        Observed::Present(Existing {
            resource: self.leftover.clone().into(),
            id: self.id.clone(),
            owner: Owner::ThisCluster,
            health: Health::Healthy,
            created_at: self.created.unwrap_or(Timestamp::UNIX_EPOCH),
            generation: 0,
            host_id: None,
            facts: BTreeMap::new(),
        })
    }
}

/// What keys call something of Elastic Load Balancing: the end of its ARN, such as `net/NAME/ID` of a load balancer, as its
/// interfaces are described, and `targetgroup/NAME/ID`.
fn short(arn: &str) -> Option<&str> {
    let (_, resource) = arn.split_once(":elasticloadbalancing:")?;
    let resource = resource.splitn(3, ':').nth(2)?;
    Some(resource.strip_prefix("loadbalancer/").unwrap_or(resource))
}

fn of_balancer(balancer: LoadBalancer) -> Option<Found> {
    Some(Found {
        name: short(&balancer.arn)?.to_owned(),
        leftover: Leftover {
            sort: LeftoverSort::LoadBalancer,
            made_for: purpose(&balancer.tags),
            size: None,
        },
        id: balancer.arn,
        network: Some(balancer.vpc),
        created: None,
        tags: balancer.tags,
    })
}

fn of_target_group(group: TargetGroup) -> Option<Found> {
    Some(Found {
        name: short(&group.arn)?.to_owned(),
        leftover: Leftover {
            sort: LeftoverSort::TargetGroup,
            made_for: purpose(&group.tags),
            size: None,
        },
        id: group.arn,
        network: Some(group.vpc),
        created: None,
        tags: group.tags,
    })
}

fn of_security_group(group: SecurityGroup) -> Found {
    Found {
        name: group.id.clone(),
        leftover: Leftover {
            sort: LeftoverSort::SecurityGroup,
            made_for: purpose_of_group(&group.tags, &group.description),
            size: None,
        },
        id: group.id,
        network: Some(group.vpc),
        created: None,
        tags: group.tags,
    }
}

fn of_volume(volume: Volume) -> Found {
    Found {
        name: volume.id.clone(),
        leftover: Leftover {
            sort: LeftoverSort::Volume,
            made_for: purpose(&volume.tags),
            size: Some(Quantity::from_gibibytes(volume.size_gibibytes.into())),
        },
        id: volume.id,
        network: None,
        created: volume.created,
        tags: volume.tags,
    }
}

fn of_snapshot(snapshot: Snapshot) -> Found {
    Found {
        name: snapshot.id.clone(),
        leftover: Leftover {
            sort: LeftoverSort::Snapshot,
            made_for: purpose(&snapshot.tags),
            size: Some(Quantity::from_gibibytes(snapshot.size_gibibytes.into())),
        },
        id: snapshot.id,
        network: None,
        created: snapshot.created,
        tags: snapshot.tags,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_are_shortened_to_what_tells_one_from_another() {
        let arn = |rest: &str| format!("arn:aws:elasticloadbalancing:eu-west-1:1:{rest}");
        let cases = [
            (arn("loadbalancer/net/a/1"), Some("net/a/1")),
            (arn("loadbalancer/app/a/1"), Some("app/a/1")),
            (arn("targetgroup/a/1"), Some("targetgroup/a/1")),
            ("arn:aws:ec2:eu-west-1:1:volume/vol-1".to_owned(), None),
        ];
        for (arn, expected) in cases {
            assert_eq!(short(&arn), expected, "{arn}");
        }
    }
}
