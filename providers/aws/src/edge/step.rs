//! What every change at a cluster's edge needs.

use keelson_aws_calls::AwsCalls;
use keelson_aws_calls::elb::{LoadBalancer, Owned, TargetGroup};
use keelson_aws_calls::mark::{self, Tags};
use keelson_provider_api::{ClusterUid, Kind, Outcome, ResourceKey};

use super::zone::EdgeZone;
use crate::marked::key_of_tags;
use crate::step::{Step, refused};

/// One change, being carried out.
#[derive(Clone, Copy)]
pub(super) struct EdgeStep<'a> {
    pub(super) step: Step<'a>,
    pub(super) calls: &'a AwsCalls,
    pub(super) zone: Option<&'a EdgeZone>,
}

impl EdgeStep<'_> {
    /// The load balancers and target groups with the mark of `key`, in order.
    pub(super) async fn owned(&self, key: &ResourceKey) -> Result<Owned, Outcome> {
        let uid = self.step.context.cluster.uid.as_ref();
        let found = self.calls.elb.owned(uid.map_or("", ClusterUid::as_str)).await;
        let mut found = found.map_err(|error| refused(error, "look for the load balancer"))?;
        let is_of_key = |tags: &Tags| key_of_tags(tags).is_some_and(|found| found == key.to_string());
        found.load_balancers.retain(|one| is_of_key(&one.tags));
        found.target_groups.retain(|one| is_of_key(&one.tags));
        found.load_balancers.sort_by(|one, other| one.arn.cmp(&other.arn));
        found.target_groups.sort_by(in_order);
        Ok(found)
    }

    /// The load balancer `name`, if it is there.
    pub(super) async fn balancer(&self, name: &str) -> Result<Option<LoadBalancer>, Outcome> {
        let key = ResourceKey::new(Kind::LoadBalancer, name);
        Ok(self.owned(&key).await?.load_balancers.into_iter().next())
    }

    /// The same, of the incarnation that is there already, if one is: an update does not know which one it is.
    pub(super) fn of_incarnation(mut self, there: &Owned) -> Self {
        let balancers = there.load_balancers.iter().map(|one| &one.tags);
        let groups = there.target_groups.iter().map(|one| &one.tags);
        if let Some(marked) = balancers.chain(groups).find_map(mark::read) {
            self.step.generation = marked.generation;
        }
        self
    }
}

/// Target groups that are in use before others.
pub(super) fn in_order(one: &TargetGroup, other: &TargetGroup) -> std::cmp::Ordering {
    (one.load_balancers.is_empty(), &one.arn).cmp(&(other.load_balancers.is_empty(), &other.arn))
}
