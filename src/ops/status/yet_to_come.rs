//! What a cluster lacks that nobody but an apply brings or mends.

use std::collections::BTreeSet;

use keelson_provider_api::kinds::Difference;
use keelson_provider_api::{Action, Change, Kind, Observation, Observed, ResourceKey};

use crate::ops::planning::Planned;
use crate::plan::Step;

/// What nobody but an apply makes: a node joins by itself once its machine has what it runs, and a setting is no loss.
const BROUGHT_KINDS: [Kind; 5] = [
    Kind::Machine,
    Kind::NodeBundle,
    Kind::EtcdMember,
    Kind::ControlPlane,
    Kind::NodeGroup,
];

/// The resources of the plan's changes that do not settle by themselves, in order of their keys. Where `nothing_else` is wrong, none
/// of them does: what could settle is unwell until then.
pub(super) fn yet_to_come(planned: &Planned, nothing_else: bool) -> Vec<ResourceKey> {
    let changes = planned.plan.steps().iter().map(Step::change);
    let needed = changes.filter(|change| nothing_else || needs_apply(change, &planned.observation));
    let keys: BTreeSet<&ResourceKey> = needed.map(|change| &change.key).collect();
    keys.into_iter().cloned().collect()
}

fn needs_apply(change: &Change, observation: &Observation) -> bool {
    let kind = change.key.kind();
    match &change.action {
        // What is replaced is there until then.
        Action::Create { .. } => {
            let is_absent = matches!(observation.get(&change.key), Observed::Absent);
            BROUGHT_KINDS.contains(&kind) && !change.replacement && is_absent
        }
        // What is left of one that is none any more stays so; what is to be replaced may come back by itself until then.
        Action::Delete { .. } => !change.replacement && matches!(kind, Kind::EtcdMember | Kind::ControlPlane),
        // A member that its etcd does not list, or that does not vote yet, becomes no voter by itself.
        Action::Update { differences, .. } => {
            let is_phase = |difference: &Difference| difference.field == "phase";
            kind == Kind::EtcdMember && differences.iter().any(is_phase)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;
    use keelson_provider_api::kinds::{EtcdMember, MemberPhase, MemberStart};
    use keelson_provider_api::{Disruption, Existing, Health, Owner, Resource};

    use super::*;

    fn member(phase: MemberPhase, running: bool) -> Resource {
        EtcdMember {
            cluster: "events".to_owned(),
            machine: "c".to_owned(),
            phase,
            start: MemberStart::Join,
            initial_members: Vec::new(),
            running,
        }
        .into()
    }

    #[test]
    fn members_that_do_not_mend_themselves_need_an_apply_and_one_that_starts_does_not() {
        let wanted = member(MemberPhase::Voter, true);
        let update = |seen: &Resource| Action::Update {
            id: "c".to_owned(),
            resource: Box::new(wanted.clone()),
            differences: seen.differences(&wanted),
        };
        let delete = Action::Delete {
            existing: Box::new(Existing {
                resource: wanted.clone(),
                id: "c".to_owned(),
                owner: Owner::ThisCluster,
                health: Health::Healthy,
                created_at: Timestamp::UNIX_EPOCH,
                generation: 0,
                host_id: None,
                facts: BTreeMap::new(),
            }),
        };
        let create = Action::Create {
            resource: Box::new(wanted.clone()),
            generation: 0,
        };
        let unlisted = update(&member(MemberPhase::Waiting, true));
        let stopped = update(&member(MemberPhase::Voter, false));
        let rows = [
            (Kind::EtcdMember, unlisted, false, true),
            (Kind::EtcdMember, stopped, false, false),
            (Kind::EtcdMember, delete.clone(), false, true),
            (Kind::ControlPlane, delete.clone(), false, true),
            (Kind::EtcdMember, delete.clone(), true, false),
            (Kind::Node, delete, false, false),
            (Kind::EtcdMember, create.clone(), false, true),
            (Kind::Machine, create.clone(), true, false),
            (Kind::Node, create, false, false),
        ];
        for (kind, action, replacement, expected) in rows {
            let change = Change {
                key: ResourceKey::new(kind, "events:c"),
                action,
                reason: String::new(),
                disruption: Disruption::None,
                replacement,
            };
            let nothing = Observation::of_nothing(Timestamp::UNIX_EPOCH);
            assert_eq!(needs_apply(&change, &nothing), expected, "{change}");
        }
    }
}
