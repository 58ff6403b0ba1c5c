//! What roles of machines, and their instance profiles, are called in the account.

use keelson_provider_api::values::Digest;
use keelson_provider_api::{ClusterIdentity, ClusterUid};

/// The longest name of a role (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>); one of an instance
/// profile can be longer.
const LONGEST: usize = 64;
/// So many digits tell lives of a cluster apart, and what was cut.
const DIGITS: usize = 8;
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

/// The name of `role` as patterns of IAM have it: before a cluster has a uid, nobody knows the digits at its end.
pub(crate) fn role_name_pattern(cluster: &ClusterIdentity, role: &str) -> String {
    let mut name = own(cluster, role);
    if cluster.uid.is_none() {
        name.truncate(name.len() - DIGITS);
        name.push_str(&"?".repeat(DIGITS));
    }
    name
}

/// The name of the role and of the instance profile of `role`. It says cluster and role for people, and has a digest of the
/// cluster's life, since a name is given once in an account, also to what another life or region has left.
pub(super) fn own(cluster: &ClusterIdentity, role: &str) -> String {
    let uid = cluster.uid.as_ref().map_or("", ClusterUid::as_str);
    let name = cluster.name.as_str();
    let digest = Digest::of_bytes(format!("{name}\n{uid}\n{role}").as_bytes()).short(DIGITS);
    let room = LONGEST - DIGITS - 1;
    // The cluster's name is cut first: its digest tells it from others, and which role it is people want to read.
    let role: String = role.chars().map(allowed).take(room).collect();
    let cut = room.saturating_sub(role.len() + 1);
    let cluster: String = name.chars().map(allowed).take(cut).collect();
    let parts = [cluster, role, digest];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("-")
}

/// What names of IAM can have (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>).
fn allowed(character: char) -> char {
    let is_allowed = character.is_ascii_alphanumeric() || "+=,.@_-".contains(character);
    if is_allowed { character } else { '-' }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(name: &str, uid: &str) -> ClusterIdentity {
        ClusterIdentity {
            name: name.parse().unwrap(),
            uid: Some(ClusterUid::new(uid)),
        }
    }

    #[test]
    fn names_say_cluster_and_role_and_are_short_enough() {
        let long = format!("{}.example.com", "a".repeat(45));
        let cases = [
            (
                "prod.example.com",
                "control-plane",
                "prod.example.com-control-plane-".to_owned(),
            ),
            (&long, "control-plane", format!("{}-control-plane-", &long[..41])),
            ("foo", "a b/ä", "foo-a-b---".to_owned()),
            ("foo", &"r".repeat(70), format!("{}-", "r".repeat(55))),
            ("foo", &"r".repeat(54), format!("{}-", "r".repeat(54))),
        ];
        for (name, role, beginning) in cases {
            let found = own(&cluster(name, "u1"), role);
            assert!(found.starts_with(&beginning), "{found}");
            assert_eq!(found.len(), beginning.len() + DIGITS, "{found}");
            assert!(found.len() <= LONGEST, "{found}");
        }
    }

    #[test]
    fn names_differ_by_life_and_role_and_existing_profiles_keep_theirs() {
        let names = [
            own(&cluster("foo", "u1"), "node"),
            own(&cluster("foo", "u2"), "node"),
            own(&cluster("foo", "u1"), "etcd"),
            own(&cluster("foo-etcd", "u1"), "node"),
            own(&cluster("foo", "u1"), "etcd-node"),
        ];
        let different: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(different.len(), names.len(), "{names:?}");
        let foo = cluster("foo", "u1");
        assert_eq!(instance_profile_name(&foo, "node"), names[0]);
        assert_eq!(instance_profile_name(&foo, "instance-profile/theirs"), "theirs");
    }
}
