//! What there is of a cluster's load balancers, as AWS shows it at one moment.

use keelson_aws_calls::ec2::{Filters, Instance};
use keelson_aws_calls::elb::{GroupAttributes, Listener, LoadBalancer, TargetGroup, TargetHealth};
use keelson_aws_calls::{AwsCalls, CallError};
use keelson_provider_api::{ClusterUid, Kind, ProviderError};

use crate::marked::{Names, key_of_tags};

/// A load balancer with what belongs to it alone.
#[derive(Debug)]
pub(super) struct Balancer {
    pub(super) found: LoadBalancer,
    pub(super) listeners: Vec<Listener>,
    /// Whether its address in one zone forwards to targets in all.
    pub(super) cross_zone: bool,
}

/// A target group with its targets.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) found: TargetGroup,
    pub(super) attributes: GroupAttributes,
    pub(super) targets: Vec<TargetHealth>,
}

/// Everything with the mark of a cluster's life.
#[derive(Debug, Default)]
pub(super) struct Look {
    pub(super) balancers: Vec<Balancer>,
    /// By their ARNs.
    pub(super) groups: Vec<Group>,
    /// Those that have not ended.
    pub(super) instances: Vec<Instance>,
    /// The cluster's own VPCs.
    pub(super) vpcs: Vec<String>,
    names: Names,
}

impl Look {
    pub(super) async fn at(calls: &AwsCalls, uid: &ClusterUid) -> Result<Self, ProviderError> {
        // Many calls are no small future.
        let look = Box::pin(Self::told(calls, uid)).await;
        look.map_err(|error| error.told("look at the load balancers and their targets"))
    }

    async fn told(calls: &AwsCalls, uid: &ClusterUid) -> Result<Self, CallError> {
        let AwsCalls { ec2, elb, .. } = calls;
        let of_cluster = &Filters::of_cluster(uid.as_str());
        let (owned, vpcs, subnets, firewalls, mut instances) = tokio::try_join!(
            elb.owned(uid.as_str()),
            ec2.list_vpcs(of_cluster),
            ec2.list_subnets(of_cluster),
            ec2.list_security_groups(of_cluster),
            ec2.list_instances(of_cluster),
        )?;
        instances.retain(Instance::is_alive);
        let named = (vpcs.iter().map(|vpc| (&vpc.id, &vpc.tags)))
            .chain(subnets.iter().map(|subnet| (&subnet.id, &subnet.tags)))
            .chain(firewalls.iter().map(|group| (&group.id, &group.tags)));
        let mut look = Self {
            names: Names::of(named),
            vpcs: vpcs.iter().map(|vpc| vpc.id.clone()).collect(),
            instances,
            ..Self::default()
        };
        for found in owned.load_balancers {
            let listeners = elb.listeners(&found.arn).await?;
            if let Some(attributes) = if_there(elb.balancer_attributes(&found.arn).await)? {
                look.balancers.push(Balancer {
                    found,
                    listeners,
                    cross_zone: attributes.cross_zone,
                });
            }
        }
        for found in owned.target_groups {
            let attributes = if_there(elb.group_attributes(&found.arn).await)?;
            let targets = if_there(elb.target_health(&found.arn).await)?;
            if let (Some(attributes), Some(targets)) = (attributes, targets) {
                look.groups.push(Group {
                    found,
                    attributes,
                    targets,
                });
            }
        }
        look.groups
            .sort_by(|one, other| one.found.arn.cmp(&other.found.arn));
        Ok(look)
    }

    /// What the cluster calls the thing of `kind` with this id; the id itself where it is none of the cluster's.
    pub(super) fn name_of(&self, kind: Kind, id: &str) -> String {
        self.names.name_of(kind, id)
    }

    /// The target groups with the mark of `key`, the key of a load balancer.
    pub(super) fn groups_of<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a Group> {
        let is_of_key =
            move |group: &&Group| key_of_tags(&group.found.tags).is_some_and(|found| found == key);
        self.groups.iter().filter(is_of_key)
    }
}

/// What went between two calls of a look is not there.
fn if_there<T>(answer: Result<T, CallError>) -> Result<Option<T>, CallError> {
    match answer {
        Err(error) if error.is_absent() => Ok(None),
        answer => answer.map(Some),
    }
}
