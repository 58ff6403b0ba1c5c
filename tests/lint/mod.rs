//! A second look at a finished plan, by rules that the planner does not share.
//!
//! The planner decides; the linter only looks at what came out. Tests run it over every plan they make.

mod skew;

use std::collections::{BTreeMap, BTreeSet};

use keelson::plan::Plan;
use keelson_provider_api::kinds::MemberStart;
use keelson_provider_api::{Action, Disruption, Observation, Owner, Resource};

use self::skew::findings_of_skew;

/// Something that no plan should do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The step's index.
    pub(crate) step: usize,
    /// What is wrong with it.
    pub(crate) problem: String,
}

/// Looks for steps that no plan should have, given the observation it was made from.
pub(crate) fn lint(plan: &Plan, observation: &Observation) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut complain = |step: usize, problem: String| findings.push(Finding { step, problem });
    let reach = quorum_reach(plan);
    for (index, step) in plan.steps().iter().enumerate() {
        let change = step.change();
        match &change.action {
            Action::Create { resource, .. } => {
                let makes_room = change.replacement;
                if observation.present(&change.key).is_some() && !makes_room {
                    complain(index, format!("creates {}, which exists", change.key));
                }
                if resource.kind() != change.key.kind() {
                    complain(index, format!("creates a {} as {}", resource.kind(), change.key));
                }
            }
            Action::Update { .. } | Action::Delete { .. } => {
                let ours = observation
                    .present(&change.key)
                    .is_some_and(|existing| existing.owner == Owner::ThisCluster);
                if !ours {
                    complain(
                        index,
                        format!("touches {}, which is not known to be ours", change.key),
                    );
                }
            }
        }
    }
    if !plan.retires_cluster() {
        findings_of_skew(plan, observation, &mut complain);
        for (first, second) in unordered_pairs(plan, &reach) {
            complain(
                second,
                format!("may run together with step {first}, and both concern etcd's quorum"),
            );
        }
    }
    findings
}

fn concerns_quorum(plan: &Plan, index: usize) -> bool {
    let change = plan.steps()[index].change();
    match (&change.action, change.resource()) {
        (Action::Create { .. }, Resource::EtcdMember(member)) => member.start == MemberStart::Join,
        (Action::Delete { .. }, Resource::EtcdMember(_)) => true,
        (Action::Update { .. }, Resource::NodeBundle(bundle)) => {
            bundle.etcd_version.is_some() && change.disruption >= Disruption::Restart
        }
        _ => false,
    }
}

/// For each step that concerns the quorum: all such steps that come before it.
fn quorum_reach(plan: &Plan) -> BTreeMap<usize, BTreeSet<usize>> {
    let mut before: Vec<BTreeSet<usize>> = Vec::with_capacity(plan.steps().len());
    let mut reach = BTreeMap::new();
    let any = (0..plan.steps().len()).any(|index| concerns_quorum(plan, index));
    if !any {
        return reach;
    }
    for (index, step) in plan.steps().iter().enumerate() {
        let mut earlier: BTreeSet<usize> = BTreeSet::new();
        for &waits_for in step.after() {
            earlier.extend(&before[waits_for]);
        }
        if concerns_quorum(plan, index) {
            reach.insert(index, earlier.clone());
            earlier.insert(index);
        }
        before.push(earlier);
    }
    reach
}

fn unordered_pairs(plan: &Plan, reach: &BTreeMap<usize, BTreeSet<usize>>) -> Vec<(usize, usize)> {
    let machine = |index: usize| plan.steps()[index].change().machine().map(str::to_owned);
    let mut pairs = Vec::new();
    for (&second, earlier) in reach {
        for (&first, _) in reach.range(..second) {
            if !earlier.contains(&first) && machine(first) != machine(second) {
                pairs.push((first, second));
            }
        }
    }
    pairs
}
