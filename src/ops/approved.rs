//! What someone has said yes to, in an apply of several rounds.

use std::collections::BTreeMap;

use keelson_provider_api::{Action, Change, Disruption, ResourceKey};

use crate::plan::Held;

/// What was said yes to.
#[derive(Default)]
pub(super) struct Approved(BTreeMap<(ResourceKey, &'static str), Disruption>);

impl Approved {
    /// All of `changes` were shown, and said yes to.
    pub(super) fn extend<'a>(&mut self, changes: impl IntoIterator<Item = &'a Change>) {
        for change in changes {
            let most = self.0.entry(name(change)).or_insert(change.disruption);
            *most = change.disruption.max(*most);
        }
    }

    /// These were shown as what comes later, and said yes to as far as they take nothing down.
    pub(super) fn extend_by_held(&mut self, held: &[Held]) {
        for held in held {
            let verb = match held.verb.as_str() {
                "create" => "create",
                "update" => "update",
                _ => "delete",
            };
            self.0.entry((held.key.clone(), verb)).or_insert(Disruption::None);
        }
    }

    /// True where `changes` are nothing else, and take nothing down more than was shown.
    pub(super) fn covers<'a>(&self, changes: impl IntoIterator<Item = &'a Change>) -> bool {
        changes.into_iter().all(|change| {
            let shown = self.0.get(&name(change));
            shown.is_some_and(|&shown| change.disruption <= shown)
        })
    }
}

/// What a change is known by: a removal for good is another thing than one that makes room.
fn name(change: &Change) -> (ResourceKey, &'static str) {
    let verb = match change.action {
        Action::Delete { .. } if change.replacement => "replace",
        _ => change.action.verb(),
    };
    (change.key.clone(), verb)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;
    use keelson_provider_api::kinds::Network;
    use keelson_provider_api::{Existing, Health, Kind, Owner};

    use super::*;

    fn change(name: &str, action: Action, disruption: Disruption, replacement: bool) -> Change {
        Change {
            key: ResourceKey::new(Kind::Network, name),
            action,
            reason: String::new(),
            disruption,
            replacement,
        }
    }

    fn network() -> Network {
        Network {
            region: "here".to_owned(),
            cidr: "10.0.0.0/16".parse().unwrap(),
            has_gateway: true,
        }
    }

    fn update(disruption: Disruption) -> Change {
        let action = Action::Update {
            id: "id".to_owned(),
            resource: Box::new(network().into()),
            differences: Vec::new(),
        };
        change("main", action, disruption, false)
    }

    fn removal(replacement: bool) -> Change {
        let existing = Existing {
            resource: network().into(),
            id: "id".to_owned(),
            owner: Owner::ThisCluster,
            health: Health::Healthy,
            created_at: Timestamp::UNIX_EPOCH,
            generation: 0,
            host_id: None,
            facts: BTreeMap::new(),
        };
        let action = Action::Delete {
            existing: Box::new(existing),
        };
        change("main", action, Disruption::Removal, replacement)
    }

    #[test]
    fn what_takes_more_down_than_was_shown_is_not_covered() {
        let table = [
            (update(Disruption::Restart), update(Disruption::Restart), true),
            (update(Disruption::Drain), update(Disruption::Restart), true),
            (update(Disruption::Restart), update(Disruption::Drain), false),
            (removal(true), removal(true), true),
            (removal(true), removal(false), false),
            (update(Disruption::Removal), removal(true), false),
        ];
        for (shown, later, expected) in table {
            let mut approved = Approved::default();
            approved.extend([&shown]);
            assert_eq!(approved.covers([&later]), expected, "{shown} then {later}");
        }
    }
}
