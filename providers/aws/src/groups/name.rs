//! What a group and its launch template are called: a region gives each name once.

use keelson_provider_api::ClusterIdentity;

use crate::own_name::{own_name, own_name_pattern};

/// The longest name of a launch template
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateLaunchTemplate.html>); one of a group can be longer
/// (<https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CreateAutoScalingGroup.html>).
const LONGEST: usize = 128;

/// The name of the group `group` of a cluster, and of its launch template.
pub(super) fn group_name(cluster: &ClusterIdentity, group: &str) -> String {
    own_name(cluster, group, LONGEST, is_allowed)
}

/// The same as patterns of IAM have it.
pub(crate) fn group_name_pattern(cluster: &ClusterIdentity, group: &str) -> String {
    own_name_pattern(cluster, group_name(cluster, group))
}

/// What names of launch templates can have, and those of groups too.
fn is_allowed(character: char) -> bool {
    character.is_ascii_alphanumeric() || "._-".contains(character)
}
