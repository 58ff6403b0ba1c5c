//! Tags of load balancers, target groups and listeners, and finding things by them.

use std::collections::BTreeMap;

use aws_sdk_elasticloadbalancingv2::types::Tag;

use crate::failure::{CallError, Called as _};
use crate::mark::{CLUSTER, Tags};
use crate::whole::if_there;

use super::{BATCH, Elb, LoadBalancer, TargetGroup};

const DESCRIBE_TAGS: &str = "DescribeTags";

/// What belongs to a cluster. Its listeners are found by their load balancer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owned {
    /// Its load balancers.
    pub load_balancers: Vec<LoadBalancer>,
    /// Its target groups.
    pub target_groups: Vec<TargetGroup>,
}

impl Elb {
    /// Everything that has the mark of the cluster `uid`.
    ///
    /// # Errors
    ///
    /// When Elastic Load Balancing refuses or cannot be asked, and when there are more than a list's bound.
    pub async fn owned(&self, uid: &str) -> Result<Owned, CallError> {
        self.tagged(|tags| tags.get(CLUSTER).is_some_and(|owner| owner == uid))
            .await
    }

    /// Everything with tags that `is_owned` says yes to, be it for the network or for HTTP.
    ///
    /// There is no filter for tags: all load balancers and target groups of the region are listed, and their tags read.
    ///
    /// # Errors
    ///
    /// When Elastic Load Balancing refuses or cannot be asked, and when there are more than a list's bound.
    pub async fn tagged(&self, is_owned: impl Fn(&Tags) -> bool) -> Result<Owned, CallError> {
        let mut load_balancers = self.every_load_balancer().await?;
        load_balancers.retain(|found| is_owned(&found.tags));
        let mut target_groups = self.every_target_group().await?;
        target_groups.retain(|found| is_owned(&found.tags));
        Ok(Owned {
            load_balancers,
            target_groups,
        })
    }

    /// The tags of each of `arns` that is there, whichever kind it is.
    pub(super) async fn tags(&self, arns: &[String]) -> Result<BTreeMap<String, Tags>, CallError> {
        let mut found = BTreeMap::new();
        for batch in arns.chunks(BATCH) {
            // One that went meanwhile has the whole call refused.
            if let Some(tags) = if_there(self.tags_of_all(batch).await)? {
                found.extend(tags);
                continue;
            }
            for one in batch {
                let alone = std::slice::from_ref(one);
                found.extend(if_there(self.tags_of_all(alone).await)?.into_iter().flatten());
            }
        }
        Ok(found)
    }

    async fn tags_of_all(&self, arns: &[String]) -> Result<Vec<(String, Tags)>, CallError> {
        let answer = self
            .clients
            .patient
            .describe_tags()
            .set_resource_arns(Some(arns.to_vec()))
            .send()
            .await
            .called(DESCRIBE_TAGS)?;
        let described = answer.tag_descriptions.unwrap_or_default();
        Ok(described
            .into_iter()
            .filter_map(|one| Some((one.resource_arn?, read(one.tags))))
            .collect())
    }
}

/// Tags as Elastic Load Balancing takes them.
pub(super) fn written(tags: &Tags) -> Option<Vec<Tag>> {
    // An empty list is refused.
    (!tags.is_empty()).then(|| {
        tags.iter()
            .map(|(key, value)| Tag::builder().key(key).value(value).build())
            .collect()
    })
}

fn read(tags: Option<Vec<Tag>>) -> Tags {
    tags.unwrap_or_default()
        .into_iter()
        .filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default())))
        .collect()
}
