//! Node groups that a cloud keeps at their size.

use crate::values::{Digest, Labels, Quantity, Taint, Version};
use serde::{Deserialize, Serialize};

use super::{Catalogued, Effect, Field, Kind, Lifetime};
use crate::key::ResourceKey;

/// A group of equal workers that the cloud keeps at its size by itself: what is lost it replaces, and something in the cluster
/// may scale it (<https://docs.aws.amazon.com/autoscaling/ec2/userguide/auto-scaling-groups.html>). Its machines are
/// [`GroupMachine`](super::GroupMachine)s: nobody wants one of them by name.
///
/// Everything that its machines start from is a field of the group, not a resource of its own: one number tells whether a
/// machine is up to date, [`template`](Self::template). Changing it changes nothing of the machines that are there; it is
/// they that are outdated then.
///
/// It is [healthy](crate::Health::Healthy) when as many of its machines' nodes are Ready as it is to hold machines. Making it,
/// or changing it, has come to its end when it holds as many machines as it is to, and the nodes of those are Ready that were
/// started from what it starts machines from now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeGroup {
    /// The fewest machines that scaling may leave.
    pub min: u32,

    /// The most machines that scaling may reach. Where that is `min`, nothing scales the group.
    pub max: u32,

    /// How many machines it holds. Where something may scale it, that is how many it begins with, and any number between
    /// `min` and `max` is as good.
    pub replicas: u32,

    /// How many machines more than `replicas` there may be while outdated ones are replaced: so many are let go at once, and
    /// each is drained when another has come in its place. 0 where each is drained first, and makes room.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub max_surge: u32,

    /// The names of the subnets that its machines are spread over, one a zone.
    pub subnets: Vec<String>,

    /// The name of the firewall that its machines stand behind.
    pub firewall: String,

    /// The name of the role that says what its machines may do in the cloud.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,

    /// The provider's machine type, the first choice where there are `types` as well; `None` for the provider's default.
    pub machine_type: Option<String>,

    /// More machine types that it may take.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,

    /// The operating system image; `None` for the provider's default.
    pub image: Option<String>,

    /// The size of the root volume; `None` for the provider's default.
    pub root_volume: Option<Quantity>,

    /// The key that the root volume is encrypted with; `None` for the account's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,

    /// How many of a hundred machines are spare capacity, which the cloud may take back at any time; `None` where none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spot_share: Option<u8>,

    /// The version of kubelet.
    pub kubernetes_version: Version,

    /// The labels that its nodes register with.
    pub labels: Labels,

    /// The taints that its nodes register with.
    pub taints: Vec<Taint>,

    /// A digest of everything else that a machine which joins is given.
    pub settings: Digest,
}

impl NodeGroup {
    /// The digest of all that its machines start from. A machine that was started from another is outdated.
    pub fn template(&self) -> Digest {
        let Self {
            min: _,
            max: _,
            replicas: _,
            max_surge: _,
            subnets: _,
            firewall,
            role,
            machine_type,
            types,
            image,
            root_volume,
            kms_key,
            spot_share,
            kubernetes_version,
            labels,
            taints,
            settings,
        } = self;
        Digest::of_json(&(
            (firewall, role, machine_type, types, image, root_volume),
            (kms_key, spot_share, kubernetes_version, labels, taints, settings),
        ))
    }

    /// True where something else than keelson may set how many machines it holds.
    pub fn is_scaled(&self) -> bool {
        self.min < self.max
    }

    /// How many machines the group is to hold that holds `current` now: where something scales it, as many, as far as the
    /// bounds let it.
    pub fn replicas_from(&self, current: u32) -> u32 {
        if self.is_scaled() {
            current.max(self.min).min(self.max)
        } else {
            self.replicas
        }
    }
}

impl Catalogued for NodeGroup {
    const SUMMARY: &'static str = "A group of equal workers that the cloud keeps at its size.";
    const LIFETIME: Lifetime = Lifetime::Own;
    const FIELDS: &'static [Field] = &[
        Field::new("min", Effect::InPlace),
        Field::new("max", Effect::InPlace),
        Field::new(REPLICAS, Effect::InPlace),
        Field::new("maxSurge", Effect::InPlace),
        Field::new("subnets", Effect::InPlace),
        Field::new("firewall", Effect::InPlace),
        Field::new("role", Effect::InPlace),
        Field::new("machineType", Effect::InPlace),
        Field::new("types", Effect::InPlace),
        Field::new("image", Effect::InPlace),
        Field::new("rootVolume", Effect::InPlace),
        Field::new("kmsKey", Effect::InPlace),
        Field::new("spotShare", Effect::InPlace),
        Field::new("kubernetesVersion", Effect::InPlace),
        Field::new("labels", Effect::InPlace),
        Field::new("taints", Effect::InPlace),
        Field::new("settings", Effect::InPlace),
    ];

    fn references(&self) -> Vec<ResourceKey> {
        let subnets = self
            .subnets
            .iter()
            .map(|subnet| ResourceKey::new(Kind::Subnet, &**subnet));
        let role = self.role.iter().map(|role| ResourceKey::new(Kind::Role, &**role));
        subnets
            .chain([ResourceKey::new(Kind::Firewall, &*self.firewall)])
            .chain(role)
            .collect()
    }

    fn accepts(&self, field: &str, actual: &Self) -> bool {
        field == REPLICAS && actual.replicas == self.replicas_from(actual.replicas)
    }
}

const REPLICAS: &str = "replicas";

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks this way")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[cfg(test)]
impl NodeGroup {
    pub(super) fn sample() -> Self {
        Self {
            min: 1,
            max: 5,
            replicas: 3,
            max_surge: 1,
            subnets: vec!["a-private".to_owned()],
            firewall: "nodes".to_owned(),
            role: Some("node".to_owned()),
            machine_type: Some("m6i.xlarge".to_owned()),
            types: vec!["m6a.xlarge".to_owned()],
            image: Some("ubuntu-24.04".to_owned()),
            root_volume: Some(Quantity::from_gibibytes(50)),
            kms_key: Some("alias/nodes".to_owned()),
            spot_share: Some(70),
            kubernetes_version: Version::new(1, 36, 2),
            labels: Labels::new(),
            taints: Vec::new(),
            settings: Digest::of_bytes(b""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Resource;

    #[test]
    fn what_scales_a_group_is_let_do_so_within_its_bounds() {
        let rows = [
            // min, max, wanted, there; what differs, what it is to hold
            (1, 5, 3, 5, "", 5),
            (1, 5, 3, 1, "", 1),
            (1, 5, 3, 0, "replicas", 1),
            (1, 5, 3, 9, "replicas", 5),
            (3, 3, 3, 2, "replicas", 3),
            (3, 3, 3, 3, "", 3),
        ];
        for (min, max, replicas, there, differs, then) in rows {
            let wanted = NodeGroup {
                min,
                max,
                replicas,
                ..NodeGroup::sample()
            };
            let actual = NodeGroup {
                replicas: there,
                ..wanted.clone()
            };
            assert_eq!(
                wanted.replicas_from(there),
                then,
                "{min} {max} {replicas} {there}"
            );
            let differences = Resource::from(actual).differences(&wanted.into());
            let fields: Vec<&str> = differences.iter().map(|one| one.field.as_str()).collect();
            assert_eq!(fields.join(" "), differs, "{min} {max} {replicas} {there}");
        }
    }

    #[test]
    fn only_what_machines_start_from_makes_them_outdated() {
        let group = NodeGroup::sample();
        let moved = NodeGroup {
            min: 0,
            max: 9,
            replicas: 7,
            max_surge: 0,
            subnets: Vec::new(),
            ..group.clone()
        };
        assert_eq!(group.template(), moved.template());
        let upgraded = NodeGroup {
            kubernetes_version: Version::new(1, 37, 0),
            ..group.clone()
        };
        assert_ne!(group.template(), upgraded.template());
    }
}
