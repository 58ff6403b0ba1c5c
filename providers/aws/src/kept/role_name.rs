//! What roles of machines, and their instance profiles, are called in the account.

use keelson_provider_api::ClusterIdentity;

use crate::own_name::{own_name, own_name_pattern};

/// The longest name of a role (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>); one of an instance
/// profile can be longer.
const LONGEST: usize = 64;
/// How names begin of instance profiles that exist already and are only used.
const EXISTING: &str = "instance-profile/";

/// The name of the instance profile of machines whose role the cluster calls `role`: an existing one that is only used is called
/// `instance-profile/NAME`.
pub fn instance_profile_name(cluster: &ClusterIdentity, role: &str) -> String {
    match existing_profile(role) {
        Some(existing) => existing.to_owned(),
        None => own(cluster, role),
    }
}

/// The name of the existing instance profile that is used for `role`, if one is.
pub(crate) fn existing_profile(role: &str) -> Option<&str> {
    role.strip_prefix(EXISTING)
}

/// The name of `role` as patterns of IAM have it.
pub(crate) fn role_name_pattern(cluster: &ClusterIdentity, role: &str) -> String {
    own_name_pattern(cluster, own(cluster, role))
}

/// The name of the role and of the instance profile of `role`.
pub(super) fn own(cluster: &ClusterIdentity, role: &str) -> String {
    own_name(cluster, role, LONGEST, is_allowed)
}

/// What names of IAM can have (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>).
fn is_allowed(character: char) -> bool {
    character.is_ascii_alphanumeric() || "+=,.@_-".contains(character)
}

#[cfg(test)]
mod tests {
    use keelson_provider_api::ClusterUid;

    use super::*;

    #[test]
    fn names_are_short_enough_and_existing_profiles_keep_theirs() {
        let cluster = ClusterIdentity {
            name: "foo".parse().unwrap(),
            uid: Some(ClusterUid::new("u1")),
        };
        let name = instance_profile_name(&cluster, "node");
        assert!(name.starts_with("foo-node-"), "{name}");
        assert_eq!(name, own(&cluster, "node"));
        assert!(own(&cluster, &"r".repeat(70)).len() <= LONGEST);
        assert_eq!(
            instance_profile_name(&cluster, "instance-profile/theirs"),
            "theirs"
        );
    }
}
