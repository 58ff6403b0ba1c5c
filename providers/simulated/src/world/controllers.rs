//! What the controllers of clusters make by themselves, in worlds like AWS, for some seeds: a load balancer for a Service with
//! all that belongs to it, and a volume for a claim.
//!
//! As in the cloud itself, what is deleted is made anew as long as a control plane and a node are there; and it stands in the way
//! of what it needs.

use jiff::Timestamp;
use keelson_provider_api::kinds::{Kind, Leftover, LeftoverSort};
use keelson_provider_api::values::{Digest, Quantity};
use keelson_provider_api::{ProviderError, Resource, ResourceKey};

use super::{Effect, Holder, Thing, World, permanent};
use crate::options::Like;

/// One world in so many has controllers that make something.
const ONE_IN: u64 = 2;

/// What they make: its sort, what it is for, and how many GiB it holds.
const MADE: &[(LeftoverSort, &str, u64)] = &[
    (LeftoverSort::LoadBalancer, "Service shop/front", 0),
    (LeftoverSort::TargetGroup, "Service shop/front", 0),
    (LeftoverSort::SecurityGroup, "Service shop/front", 0),
    (LeftoverSort::Volume, "PersistentVolumeClaim shop/orders", 20),
];

/// An id of the shape that AWS gives, for what is called by its sort until then.
pub(super) fn id(sort: &str, digest: &Digest) -> String {
    let prefix = match sort {
        "load balancer" => "net/front/",
        "target group" => "targetgroup/front/",
        "security group" => "sg-0",
        "volume" => "vol-0",
        _ => "snap-0",
    };
    format!("{prefix}{}", digest.short(16))
}

fn leftover(thing: &Thing) -> Option<&Leftover> {
    match &thing.resource {
        Resource::Leftover(leftover) => Some(leftover),
        _ => None,
    }
}

impl World {
    /// What controllers have made by `now` of what is missing; `serial` is the next number for a thing.
    pub(super) fn made_by_controllers(&self, mut serial: u64, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.like != Like::Aws || !self.seed.is_multiple_of(ONE_IN) {
            return effects;
        }
        for node in self.first_nodes() {
            let holder = &node.holder;
            if self.endpoint_answers(holder, now).is_err() {
                continue;
            }
            for &(sort, made_for, gibibytes) in MADE {
                let is_there = self.leftovers(holder).any(|(_, other)| other.sort == sort);
                if is_there {
                    continue;
                }
                let made = Leftover {
                    sort,
                    made_for: Some(made_for.to_owned()),
                    size: sort.holds_data().then(|| Quantity::from_gibibytes(gibibytes)),
                };
                let name = self.id_for(&ResourceKey::new(Kind::Leftover, sort.to_string()), serial);
                let key = ResourceKey::new(Kind::Leftover, &*name);
                let thing = self.of_its_own(node, key, made.into(), serial, now);
                effects.push(Effect::Put(Box::new(Thing { id: name, ..thing })));
                serial += 1;
            }
        }
        effects
    }

    /// A node of each cluster that has one.
    fn first_nodes(&self) -> Vec<&Thing> {
        let mut nodes: Vec<&Thing> = Vec::new();
        for node in self.things.of_kind(Kind::Node) {
            if !nodes.iter().any(|other| other.holder == node.holder) {
                nodes.push(node);
            }
        }
        nodes
    }

    fn leftovers<'a>(&'a self, holder: &'a Holder) -> impl Iterator<Item = (&'a Thing, &'a Leftover)> {
        let held = self.things.held(holder, Kind::Leftover);
        held.filter_map(|thing| Some((thing, leftover(thing)?)))
    }

    /// Refuses the delete of what a leftover needs, or of a leftover that somebody has.
    pub(super) fn check_leftovers(&self, thing: &Thing) -> Result<(), ProviderError> {
        let in_the_way = match (thing.key.kind(), leftover(thing)) {
            (_, Some(leftover)) => self.keeps_leftover(thing, leftover),
            (Kind::Network | Kind::Subnet | Kind::NatGateway | Kind::WayOut | Kind::Firewall, None) => self
                .leftovers(&thing.holder)
                .find(|(_, other)| !other.sort.holds_data())
                .map(|(other, _)| other),
            _ => None,
        };
        match in_the_way {
            Some(other) => Err(permanent(format!(
                "dependency violation: {} is used by {}",
                thing.key, other.key
            ))
            .with_help(format!("{} has to go before {}", other.key, thing.key))),
            None => Ok(()),
        }
    }

    fn keeps_leftover<'a>(&'a self, thing: &'a Thing, leftover: &Leftover) -> Option<&'a Thing> {
        let of_kind = |kind: Kind| self.things.held(&thing.holder, kind).next();
        match leftover.sort {
            LeftoverSort::Volume => of_kind(Kind::Machine).or_else(|| of_kind(Kind::GroupMachine)),
            LeftoverSort::Snapshot | LeftoverSort::LoadBalancer => None,
            LeftoverSort::TargetGroup | LeftoverSort::SecurityGroup => self
                .things
                .held(&thing.holder, Kind::Leftover)
                .find(|other| other_sort(other).is_some_and(|sort| sort < leftover.sort)),
        }
    }
}

fn other_sort(thing: &Thing) -> Option<LeftoverSort> {
    Some(leftover(thing)?.sort)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_shape_that_aws_gives_them() {
        let digest = Digest::of_bytes(b"");
        for (sort, prefix) in [
            (LeftoverSort::LoadBalancer, "net/front/"),
            (LeftoverSort::TargetGroup, "targetgroup/front/"),
            (LeftoverSort::SecurityGroup, "sg-0"),
            (LeftoverSort::Volume, "vol-0"),
            (LeftoverSort::Snapshot, "snap-0"),
        ] {
            assert!(id(&sort.to_string(), &digest).starts_with(prefix), "{sort}");
        }
    }
}
