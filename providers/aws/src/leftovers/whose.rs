//! Whose something is that a controller may have made.
//!
//! What tags say, by their very keys and values:
//!
//! | tag | on | from |
//! |---|---|---|
//! | `kubernetes.io/cluster/NAME` = `owned` | load balancers, target groups, security groups | the cloud controller manager (<https://github.com/kubernetes/cloud-provider-aws/blob/master/pkg/providers/v1/tags.go>) |
//! | `elbv2.k8s.aws/cluster` = `NAME` | the same | the load balancer controller (<https://github.com/kubernetes-sigs/aws-load-balancer-controller/blob/main/pkg/deploy/tracking/provider.go>) |
//! | `kubernetes.io/cluster/NAME` = `owned`, and `ebs.csi.aws.com/cluster` = `true` | volumes, snapshots | the CSI driver of EBS (<https://github.com/kubernetes-sigs/aws-ebs-csi-driver/blob/master/docs/tagging.md>) |
//!
//! NAME is the cluster's name: `--cluster-name` of the first two, `--k8s-tag-cluster-id` of the third. Two clusters can bear one
//! name, and then these tags do not tell them apart. What is in a network that keelson made for this cluster is this cluster's;
//! of anything else nobody can say whose it is while instances of another cluster of that name are there.

use std::collections::BTreeSet;

use keelson_aws_calls::CallError;
use keelson_aws_calls::ec2::{Ec2, Filters, Instance};
use keelson_aws_calls::mark::{self, CLUSTER, Tags};
use keelson_provider_api::{ClusterIdentity, ClusterUid};

const CLUSTER_TAG: &str = "kubernetes.io/cluster/";
const OWNED: &str = "owned";
/// Of the load balancer controller, with the cluster's name.
pub(crate) const BALANCED: &str = "elbv2.k8s.aws/cluster";
/// Of the CSI driver, with `true`.
pub(crate) const DRIVEN: &str = "ebs.csi.aws.com/cluster";

/// So many instances of others are named.
const NAMED: usize = 3;

/// The tag of what is of the cluster `name` alone, and its value.
pub(crate) fn cluster_tag(name: &str) -> (String, &'static str) {
    (format!("{CLUSTER_TAG}{name}"), OWNED)
}

/// What controllers of one cluster write on what they make.
#[derive(Debug, Clone)]
pub(super) struct Writing {
    /// The tag with the cluster's name in its key.
    tag: String,
    name: String,
    uid: String,
}

impl Writing {
    pub(super) fn of(cluster: &ClusterIdentity) -> Self {
        Self {
            tag: cluster_tag(cluster.name.as_str()).0,
            name: cluster.name.to_string(),
            uid: cluster.uid.as_ref().map_or("", ClusterUid::as_str).to_owned(),
        }
    }

    /// The filter for what the CSI driver made.
    pub(super) fn of_driver(&self) -> Filters {
        Filters::default()
            .with_tag(&self.tag, OWNED)
            .with_tag(DRIVEN, "true")
    }

    /// True for what has to do with balancing load and bears the writing.
    pub(super) fn is_on_balancing(&self, tags: &Tags) -> bool {
        let owned = tags.get(&self.tag).is_some_and(|value| value == OWNED);
        let balanced = tags.get(BALANCED).is_some_and(|value| *value == self.name);
        (owned || balanced) && !self.is_of_others(tags)
    }

    /// True for what keeps data and bears the writing.
    pub(super) fn is_on_data(&self, tags: &Tags) -> bool {
        let owned = tags.get(&self.tag).is_some_and(|value| value == OWNED);
        let driven = tags.get(DRIVEN).is_some_and(|value| value == "true");
        owned && driven && !self.is_of_others(tags)
    }

    /// What keelson made itself has its own keys; and what bears another cluster's tag beside this one's is not this one's alone.
    fn is_of_others(&self, tags: &Tags) -> bool {
        let other_life = tags.get(CLUSTER).is_some_and(|uid| *uid != self.uid);
        let shared = |key: &String| key.starts_with(CLUSTER_TAG) && *key != self.tag;
        let balanced_elsewhere = tags.get(BALANCED).is_some_and(|value| *value != self.name);
        mark::read(tags).is_some() || other_life || balanced_elsewhere || tags.keys().any(shared)
    }

    /// True where somebody has said by hand that it is this life's.
    fn is_claimed(&self, tags: &Tags) -> bool {
        tags.get(CLUSTER).is_some_and(|uid| *uid == self.uid)
    }

    /// True for a security group of this cluster, whoever of it has made that.
    pub(super) fn is_group_of_ours(&self, tags: &Tags) -> bool {
        self.is_claimed(tags) || self.is_on_balancing(tags)
    }
}

/// What is known of where things are, and who else may have made them.
#[derive(Debug, Default)]
pub(super) struct Ground {
    /// The networks that keelson made for this cluster.
    pub(super) own: BTreeSet<String>,
    /// A network that was there before, which others may use.
    pub(super) existing: Option<String>,
    /// The instances of other clusters of this name.
    rivals: Vec<String>,
}

impl Ground {
    pub(super) async fn look(
        ec2: &Ec2,
        writing: &Writing,
        existing: Option<&String>,
    ) -> Result<Self, CallError> {
        let own = ec2.list_vpcs(&Filters::of_cluster(&writing.uid)).await?;
        let of_that_name = Filters::default().with_tag(&writing.tag, OWNED);
        let mut rivals: Vec<String> = ec2
            .list_instances(&of_that_name)
            .await?
            .into_iter()
            .filter(|instance| Instance::is_alive(instance) && !writing.is_claimed(&instance.tags))
            .map(|instance| instance.id)
            .collect();
        rivals.sort();
        Ok(Self {
            own: own.into_iter().map(|vpc| vpc.id).collect(),
            existing: existing.cloned(),
            rivals,
        })
    }

    /// The networks that leftovers can be in.
    pub(super) fn networks(&self) -> impl Iterator<Item = &String> {
        self.own.iter().chain(&self.existing)
    }

    /// Why nobody can say whose something with `tags` in `network` is, if so. It bears the cluster's writing.
    pub(super) fn doubt(&self, writing: &Writing, network: Option<&str>, tags: &Tags) -> Option<String> {
        let is_in_own = network.is_some_and(|network| self.own.contains(network));
        if is_in_own || writing.is_claimed(tags) || self.rivals.is_empty() {
            return None;
        }
        let Writing { name, uid, .. } = writing;
        let mut named = self.rivals.clone();
        named.truncate(NAMED);
        let named = named.join(", ");
        Some(format!(
            "it bears the name {name}, and so do instances of another cluster ({named}): it may be of either. The tag \
             {CLUSTER}={uid} says that it is this one's, and without {CLUSTER_TAG}{name} it is none of its business"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writing() -> Writing {
        Writing::of(&ClusterIdentity {
            name: "foo".parse().unwrap(),
            uid: Some(ClusterUid::new("u1")),
        })
    }

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        let pairs = pairs.iter();
        pairs
            .map(|&(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    const OURS: (&str, &str) = ("kubernetes.io/cluster/foo", "owned");
    const DRIVER: (&str, &str) = ("ebs.csi.aws.com/cluster", "true");

    type Tagged = &'static [(&'static str, &'static str)];

    #[test]
    fn only_what_bears_the_very_name_and_nobody_else_s_is_the_cluster_s() {
        let cases: [(Tagged, bool, bool); 12] = [
            (&[OURS], true, false),
            (&[OURS, DRIVER], true, true),
            (&[DRIVER], false, false),
            (&[("elbv2.k8s.aws/cluster", "foo")], true, false),
            (&[("elbv2.k8s.aws/cluster", "foo-bar")], false, false),
            (&[("kubernetes.io/cluster/foo", "shared"), DRIVER], false, false),
            (
                &[("kubernetes.io/cluster/foo-bar", "owned"), DRIVER],
                false,
                false,
            ),
            (
                &[OURS, DRIVER, ("kubernetes.io/cluster/bar", "shared")],
                false,
                false,
            ),
            (&[OURS, DRIVER, ("elbv2.k8s.aws/cluster", "bar")], false, false),
            (&[OURS, DRIVER, (CLUSTER, "u2")], false, false),
            (&[OURS, DRIVER, (CLUSTER, "u1")], true, true),
            (
                &[
                    OURS,
                    DRIVER,
                    (CLUSTER, "u1"),
                    (mark::RESOURCE, "volume/a"),
                    (mark::GENERATION, "0"),
                ],
                false,
                false,
            ),
        ];
        for (pairs, balancing, data) in cases {
            let tags = tags(pairs);
            assert_eq!(writing().is_on_balancing(&tags), balancing, "{pairs:?}");
            assert_eq!(writing().is_on_data(&tags), data, "{pairs:?}");
        }
    }

    #[test]
    fn beside_another_cluster_of_that_name_only_the_own_network_or_a_word_tells() {
        let ground = |rivals: &[&str]| Ground {
            own: BTreeSet::from(["vpc-1".to_owned()]),
            existing: Some("vpc-2".to_owned()),
            rivals: rivals.iter().map(|&id| id.to_owned()).collect(),
        };
        let claimed = tags(&[OURS, (CLUSTER, "u1")]);
        let plain = tags(&[OURS]);
        let cases = [
            (&[][..], None, &plain, false),
            (&["i-1"], None, &plain, true),
            (&["i-1"], Some("vpc-2"), &plain, true),
            (&["i-1"], Some("vpc-1"), &plain, false),
            (&["i-1"], None, &claimed, false),
        ];
        for (rivals, network, tags, is_doubtful) in cases {
            let doubt = ground(rivals).doubt(&writing(), network, tags);
            assert_eq!(doubt.is_some(), is_doubtful, "{rivals:?} {network:?} {tags:?}");
        }
        assert_eq!(ground(&[]).networks().collect::<Vec<_>>(), ["vpc-1", "vpc-2"]);
    }
}
