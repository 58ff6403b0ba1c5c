//! What a cluster's own controllers made, and when it can go.
//!
//! It goes in a destroy alone. While controllers run they make anew what they miss, and while machines run they have their volumes:
//! so it goes after all of them. What it stands in goes after it: interfaces of load balancers are in subnets, their public
//! addresses keep a network's gateway, and security groups name each other.

use keelson_provider_api::kinds::LeftoverSort;
use keelson_provider_api::{Kind, Resource};

use super::draft::Drafts;

/// Where controllers and pods run.
const USERS: &[Kind] = &[Kind::Machine, Kind::NodeGroup, Kind::GroupMachine];

/// What leftovers stand in, or are named by.
pub(super) const GROUND: &[Kind] = &[
    Kind::Network,
    Kind::Subnet,
    Kind::NatGateway,
    Kind::WayOut,
    Kind::Firewall,
];

/// Those of them that need each other, the first to go first.
const NEEDS: &[LeftoverSort] = &[
    LeftoverSort::LoadBalancer,
    LeftoverSort::TargetGroup,
    LeftoverSort::SecurityGroup,
];

/// What comes before what where leftovers are removed.
pub(super) fn orders(drafts: &Drafts) -> Vec<(usize, usize)> {
    let leftovers = leftovers(drafts);
    if leftovers.is_empty() {
        return Vec::new();
    }
    let removals = |kinds: &[Kind]| -> Vec<usize> {
        let removals = drafts.iter().filter(|(_, draft)| draft.change.is_removal());
        removals
            .filter(|(_, draft)| kinds.contains(&draft.change.key.kind()))
            .map(|(index, _)| index)
            .collect()
    };
    let (users, ground) = (removals(USERS), removals(GROUND));
    let mut orders = Vec::new();
    for &(leftover, _) in &leftovers {
        orders.extend(users.iter().map(|&user| (user, leftover)));
        orders.extend(ground.iter().map(|&ground| (leftover, ground)));
    }
    let of_sort = |sort: LeftoverSort| leftovers.iter().filter(move |(_, other)| *other == sort);
    for (index, &sort) in NEEDS.iter().enumerate() {
        let earlier = NEEDS[..index].iter().flat_map(|&earlier| of_sort(earlier));
        orders
            .extend(earlier.flat_map(|&(earlier, _)| of_sort(sort).map(move |&(later, _)| (earlier, later))));
    }
    orders
}

fn leftovers(drafts: &Drafts) -> Vec<(usize, LeftoverSort)> {
    let removals = drafts.iter().filter(|(_, draft)| draft.change.is_removal());
    removals
        .filter_map(|(index, draft)| match draft.change.resource() {
            Resource::Leftover(leftover) => Some((index, leftover.sort)),
            _ => None,
        })
        .collect()
}
