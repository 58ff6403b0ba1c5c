//! What there is of groups.

use std::collections::BTreeMap;

use keelson_aws_calls::ec2::{Filters, Instance, LaunchTemplate};
use keelson_aws_calls::scaling::Group;
use keelson_aws_calls::{AwsCalls, CallError};
use keelson_provider_api::{ClusterUid, ProviderError};

use super::full;
use crate::marked::Names;

/// What AWS shows of a cluster's groups.
#[derive(Debug)]
pub(super) struct Look {
    /// Those of all machines, and not of groups alone, which have not ended.
    pub(super) instances: Vec<Instance>,
    pub(super) groups: Vec<Group>,
    pub(super) templates: Vec<LaunchTemplate>,
    /// Those of subnets.
    pub(super) names: Names,
    /// Why groups that do not hold what they are to could not do what they did last, by their names.
    pub(super) failures: BTreeMap<String, String>,
}

impl Look {
    /// What there is of the cluster's life `uid`.
    pub(super) async fn at(calls: &AwsCalls, uid: &ClusterUid) -> Result<Self, ProviderError> {
        let looked = Self::taken(calls, uid).await;
        looked.map_err(|error| error.told("look at the node groups"))
    }

    async fn taken(calls: &AwsCalls, uid: &ClusterUid) -> Result<Self, CallError> {
        let owned = &Filters::of_cluster(uid.as_str());
        // First: an instance that shows is one of its group's by the time that the group is looked at, or was let go.
        let mut instances = calls.ec2.list_instances(owned).await?;
        instances.retain(Instance::is_alive);
        let (groups, templates, subnets) = Box::pin(async {
            tokio::try_join!(
                calls.scaling.owned(uid.as_str()),
                calls.ec2.list_launch_templates(owned),
                calls.ec2.list_subnets(owned),
            )
        })
        .await?;
        let mut failures = BTreeMap::new();
        for group in groups.iter().filter(|group| !full::is_full(group)) {
            let failure = calls.scaling.last_failure(&group.name).await?;
            failures.extend(failure.map(|failure| (group.name.clone(), failure)));
        }
        let subnets = subnets.iter().map(|subnet| (&subnet.id, &subnet.tags));
        Ok(Self {
            instances,
            names: Names::of(subnets),
            groups,
            templates,
            failures,
        })
    }
}
