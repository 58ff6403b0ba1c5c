//! Names of which there is one each in an account or a region.

use keelson_provider_api::values::Digest;
use keelson_provider_api::{ClusterIdentity, ClusterUid};

/// So many digits tell lives of a cluster apart, and what was cut.
const DIGITS: usize = 8;

/// The name of what the cluster calls `thing`, with `longest` characters at the most: it says cluster and thing for people, and has
/// a digest of the cluster's life, since a name is given once, also to what another life has left. What is not `allowed` in it
/// becomes a hyphen.
pub(crate) fn own_name(
    cluster: &ClusterIdentity,
    thing: &str,
    longest: usize,
    allowed: fn(char) -> bool,
) -> String {
    let uid = cluster.uid.as_ref().map_or("", ClusterUid::as_str);
    let name = cluster.name.as_str();
    let digest = Digest::of_bytes(format!("{name}\n{uid}\n{thing}").as_bytes()).short(DIGITS);
    let room = longest - DIGITS - 1;
    let allow = |character| if allowed(character) { character } else { '-' };
    // The cluster's name is cut first: its digest tells it from others, and which thing it is people want to read.
    let thing: String = thing.chars().map(allow).take(room).collect();
    let cut = room.saturating_sub(thing.len() + 1);
    let cluster: String = name.chars().map(allow).take(cut).collect();
    let parts = [cluster, thing, digest];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("-")
}

/// The same as patterns of IAM have it: before a cluster has a uid, nobody knows the digits at its end.
pub(crate) fn own_name_pattern(cluster: &ClusterIdentity, mut name: String) -> String {
    if cluster.uid.is_none() {
        name.truncate(name.len() - DIGITS);
        name.push_str(&"?".repeat(DIGITS));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(name: &str, uid: Option<&str>) -> ClusterIdentity {
        ClusterIdentity {
            name: name.parse().unwrap(),
            uid: uid.map(ClusterUid::new),
        }
    }

    fn allowed(character: char) -> bool {
        character.is_ascii_alphanumeric() || "._-".contains(character)
    }

    #[test]
    fn names_say_cluster_and_thing_and_are_short_enough() {
        const LONGEST: usize = 64;
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
        for (name, thing, beginning) in cases {
            let found = own_name(&cluster(name, Some("u1")), thing, LONGEST, allowed);
            assert!(found.starts_with(&beginning), "{found}");
            assert_eq!(found.len(), beginning.len() + DIGITS, "{found}");
            assert!(found.len() <= LONGEST, "{found}");
        }
    }

    #[test]
    fn names_differ_by_life_and_thing_and_patterns_fit_any_life() {
        let name = |name, uid, thing| own_name(&cluster(name, uid), thing, 64, allowed);
        let names = [
            name("foo", Some("u1"), "node"),
            name("foo", Some("u2"), "node"),
            name("foo", Some("u1"), "etcd"),
            name("foo-etcd", Some("u1"), "node"),
            name("foo", Some("u1"), "etcd-node"),
        ];
        let different: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(different.len(), names.len(), "{names:?}");
        let unborn = cluster("foo", None);
        let pattern = own_name_pattern(&unborn, name("foo", None, "node"));
        assert_eq!(pattern, "foo-node-????????");
        let alive = cluster("foo", Some("u1"));
        assert_eq!(own_name_pattern(&alive, names[0].clone()), names[0]);
    }
}
