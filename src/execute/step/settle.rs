//! What became of a change of which it is not known whether it happened.

use std::collections::BTreeSet;

use keelson_provider_api::{Action, Change, ErrorClass, Existing, Observed, Owner, Provider};

use crate::execute::execution::Execution;

/// What looking again showed.
pub(super) enum Settled {
    /// The change has happened.
    Done,
    /// It has not, or nothing can be said yet: doing it again is safe, since every change is idempotent.
    Open,
    /// The world is neither as before nor as wanted.
    Changed(String),
}

/// Looks at what `change` was to change, after an attempt that ended with an error of `class`.
pub(super) async fn look_again(
    execution: &Execution<'_>,
    provider: &dyn Provider,
    change: &Change,
    class: ErrorClass,
) -> Settled {
    let wanted = BTreeSet::from([change.key.clone()]);
    let kind = change.key.kind();
    let Ok(seen) = provider.observe(execution.plan.cluster(), kind, &wanted).await else {
        return Settled::Open;
    };
    match seen.found.get(&change.key).unwrap_or(&Observed::Absent) {
        Observed::Absent if change.is_removal() => Settled::Done,
        Observed::Absent | Observed::Unknown(_) => Settled::Open,
        Observed::Present(existing) => settle_present(change, existing, class),
    }
}

fn settle_present(change: &Change, existing: &Existing, class: ErrorClass) -> Settled {
    let deletes = change.is_removal();
    if let Owner::Other(owner) = &existing.owner {
        // What was to be deleted is gone, and someone else has taken its name.
        if deletes {
            return Settled::Done;
        }
        return Settled::Changed(format!("it exists by now and belongs to {owner}"));
    }
    match &change.action {
        Action::Create { resource, .. } | Action::Update { resource, .. } => {
            // Made and unwell for a reason that stays: a node that is not Ready is no node that is done.
            let stays_unwell = class == ErrorClass::Permanent && !existing.health.is_healthy();
            if existing.resource.differences(resource).is_empty() && !stays_unwell {
                Settled::Done
            } else {
                Settled::Open
            }
        }
        // Something that was made since is not what was to be deleted.
        Action::Delete { existing: doomed } if doomed.id != existing.id => Settled::Done,
        Action::Delete { .. } => Settled::Open,
    }
}
