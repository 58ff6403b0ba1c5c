//! What a group and its machines say of themselves besides their mark: what was asked for, where AWS shows only what became of it.

use keelson_aws_calls::mark::Tags;
use keelson_provider_api::kinds::NodeGroup;
use keelson_provider_api::values::{Digest, Labels, TextValue as _, Version};

/// What a group's machines start from, as it was asked for: JSON, in as many parts as it takes, the last of which is shorter than
/// the others.
const ASKED: &str = "keelson.dev/asked-";
/// The launch template that the group was told to start machines from, and the number of its version.
const LAUNCH: &str = "keelson.dev/launch";
/// What a machine was started from: the digest that its group had.
const TEMPLATE: &str = "keelson.dev/template";

/// Of these, what changes while a group lives, as patterns of IAM have it.
pub(crate) const CHANGING: [&str; 2] = ["keelson.dev/asked-*", LAUNCH];

/// Characters of a part: the value of a tag can have 256
/// (<https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_Tag.html>).
const PART: usize = 250;
/// A group can have 50 tags (<https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-tagging.html>); some are left for
/// others.
const MOST_PARTS: usize = 32;

/// What a group is given besides its mark when it is to be `group`; nothing where that is more than tags can hold.
pub(super) fn of(group: &NodeGroup) -> Option<Tags> {
    // How many machines there are, and where, the group shows itself.
    let asked = NodeGroup {
        min: 0,
        max: 0,
        replicas: 0,
        subnets: Vec::new(),
        ..group.clone()
    };
    let text: Vec<char> = serde_json::to_string(&asked).ok()?.chars().collect();
    let mut parts: Vec<String> = text.chunks(PART).map(|part| part.iter().collect()).collect();
    if text.len().is_multiple_of(PART) {
        parts.push(String::new());
    }
    if parts.len() > MOST_PARTS {
        return None;
    }
    let parts = parts.into_iter().enumerate();
    let tags = parts.map(|(number, part)| (format!("{ASKED}{number}"), part));
    Some(tags.collect())
}

/// What was asked for, as the tags of a group say it, without how many machines there are and where; nothing where that cannot
/// be read.
pub(super) fn asked(tags: &Tags) -> Option<NodeGroup> {
    let mut text = String::new();
    for number in 0..MOST_PARTS {
        let part = tags.get(&format!("{ASKED}{number}"))?;
        text.push_str(part);
        if part.chars().count() < PART {
            return serde_json::from_str(&text).ok();
        }
    }
    None
}

/// What is known of a group that says nothing of itself.
pub(super) fn nothing() -> NodeGroup {
    NodeGroup {
        min: 0,
        max: 0,
        replicas: 0,
        max_surge: 0,
        subnets: Vec::new(),
        firewall: String::new(),
        role: None,
        machine_type: None,
        types: Vec::new(),
        image: None,
        root_volume: None,
        kms_key: None,
        spot_share: None,
        kubernetes_version: Version::new(0, 0, 0),
        labels: Labels::new(),
        taints: Vec::new(),
        settings: unknown(),
    }
}

/// A digest of nothing that anybody wants.
pub(super) fn unknown() -> Digest {
    Digest::of_bytes(b"")
}

/// The launch template and version that a group was told, as [`launch`] says them.
pub(super) fn told(tags: &Tags) -> Option<&str> {
    tags.get(LAUNCH).map(String::as_str)
}

/// A launch template and the number of its version, in one word.
pub(super) fn launch(template: &str, version: &str) -> String {
    format!("{template}:{version}")
}

/// What a group is given besides that starts machines from this launch template and version.
pub(super) fn of_launch(template: &str, version: &str) -> (String, String) {
    (LAUNCH.to_owned(), launch(template, version))
}

/// What a machine that is started from `template` says of itself besides its mark.
pub(super) fn of_machine(template: &Digest) -> (String, String) {
    (TEMPLATE.to_owned(), template.to_string())
}

/// What a machine was started from; what nothing is started from, where it does not say.
pub(super) fn template(tags: &Tags) -> Digest {
    let said = tags.get(TEMPLATE).map(|text| Digest::parse_text(text));
    said.and_then(Result::ok).unwrap_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_is_read_as_it_was_written_however_long_it_is() {
        let sized = NodeGroup {
            min: 1,
            max: 5,
            replicas: 3,
            subnets: vec!["a".to_owned()],
            max_surge: 1,
            ..nothing()
        };
        let mut lengths = std::collections::BTreeSet::new();
        for more in (0..PART + 20).chain([PART * 20]) {
            let asked_for = NodeGroup {
                firewall: "ä".repeat(more),
                ..sized.clone()
            };
            let mut tags = of(&asked_for).unwrap();
            tags.extend([of_launch("lt-1", "2")]);
            assert!(tags.values().all(|value| value.chars().count() <= 256));
            let expected = NodeGroup {
                min: 0,
                max: 0,
                replicas: 0,
                subnets: Vec::new(),
                ..asked_for
            };
            assert_eq!(asked(&tags), Some(expected), "{more}");
            assert_eq!(told(&tags), Some("lt-1:2"));
            lengths.insert(tags.len());
            let mut cut = tags.clone();
            cut.remove(&format!("{ASKED}0"));
            assert_eq!(asked(&cut), None);
        }
        assert!(lengths.len() > 2, "{lengths:?}");
        let too_long = NodeGroup {
            firewall: "a".repeat(PART * MOST_PARTS),
            ..sized
        };
        assert_eq!(of(&too_long), None);
        assert_eq!(asked(&Tags::new()), None);
    }

    #[test]
    fn what_a_shorter_text_leaves_of_a_longer_one_is_not_read() {
        let long = NodeGroup {
            firewall: "a".repeat(PART * 3),
            ..nothing()
        };
        let mut tags = of(&long).unwrap();
        tags.extend(of(&nothing()).unwrap());
        assert_eq!(asked(&tags), Some(nothing()));
    }

    #[test]
    fn a_machine_says_what_it_was_started_from() {
        let digest = nothing().template();
        assert_eq!(template(&Tags::from([of_machine(&digest)])), digest);
        assert_eq!(template(&Tags::new()), unknown());
    }
}
