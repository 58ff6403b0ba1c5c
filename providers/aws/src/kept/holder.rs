//! Who has what a cluster wants, or wants to be rid of, in words for people.

use keelson_aws_calls::ec2::Interface;
use keelson_aws_calls::mark::{self, NAME, Tags};
use keelson_provider_api::{ErrorClass, Outcome, ProviderError, ResourceKey};

/// The tag by which the parts of Kubernetes that know AWS find what is theirs.
const KUBERNETES_CLUSTER: &str = "KubernetesCluster";

/// Whose a thing with these tags is.
pub(crate) fn owner(tags: &Tags) -> String {
    let name = tags.get(NAME).filter(|name| !name.is_empty());
    match (mark::read(tags), tags.get(KUBERNETES_CLUSTER), name) {
        (Some(marked), Some(cluster), _) => {
            format!(
                "it is {} of the cluster {cluster} with the uid {}",
                marked.resource, marked.cluster
            )
        }
        (Some(marked), None, _) => format!(
            "it is {} of the cluster with the uid {}",
            marked.resource, marked.cluster
        ),
        (None, Some(cluster), _) => format!("it is of the cluster {cluster}, and nothing that keelson made"),
        (None, None, Some(name)) => format!("its name is `{name}`, and it bears no mark of keelson"),
        (None, None, None) => "it bears no mark of keelson".to_owned(),
    }
}

/// An interface, who has it, and whose it is.
pub(crate) fn interface(interface: &Interface) -> String {
    let description = Some(&interface.description).filter(|description| !description.is_empty());
    let description = description.map(|description| format!(" (`{description}`)"));
    let attachment = interface.attachment.as_ref();
    let instance = attachment.and_then(|attachment| attachment.instance.as_ref());
    let holder = match instance {
        Some(instance) => format!(", which is attached to {instance}"),
        None if interface.belongs_to_service => ", which a service of AWS has made".to_owned(),
        None => String::new(),
    };
    let (id, description, owner) = (
        &interface.id,
        description.unwrap_or_default(),
        owner(&interface.tags),
    );
    format!("{id}{description}{holder}: {owner}")
}

/// Something that `holders` have not let go of for as long as was waited for.
pub(crate) fn keeps(holders: &[String], key: &ResourceKey) -> Outcome {
    let holders = if holders.is_empty() {
        "a machine".to_owned()
    } else {
        holders.join(", ")
    };
    let problem = format!("{key} is still attached to {holders}, and is deleted when it is no longer");
    let help = "see whether the machine is ended, or end it, and do the same again";
    Outcome::Indeterminate(ProviderError::new(ErrorClass::Transient, problem).with_help(help))
}

#[cfg(test)]
mod tests {
    use keelson_aws_calls::mark::{CLUSTER, GENERATION, RESOURCE};

    use super::*;

    #[test]
    fn owners_are_told_as_far_as_tags_say() {
        let mark = [(CLUSTER, "u1"), (RESOURCE, "role/node"), (GENERATION, "0")];
        let named = [(NAME, "theirs")];
        let kubernetes = [(KUBERNETES_CLUSTER, "foo")];
        let cases = [
            (
                vec![&mark[..], &kubernetes, &named],
                "it is role/node of the cluster foo with the uid u1",
            ),
            (vec![&mark], "it is role/node of the cluster with the uid u1"),
            (
                vec![&kubernetes, &named],
                "it is of the cluster foo, and nothing that keelson made",
            ),
            (
                vec![&mark[..2], &named],
                "its name is `theirs`, and it bears no mark of keelson",
            ),
            (vec![&[(NAME, "")]], "it bears no mark of keelson"),
            (vec![], "it bears no mark of keelson"),
        ];
        for (tags, expected) in cases {
            let tags: Tags = tags
                .iter()
                .flat_map(|tags| tags.iter())
                .map(|&(key, value)| (key.to_owned(), value.to_owned()))
                .collect();
            assert_eq!(owner(&tags), expected);
        }
    }
}
