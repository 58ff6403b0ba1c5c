//! The permit that a step needs which takes something down, and how long it is waited for.

use std::collections::BTreeSet;
use std::time::Duration;

use keelson_provider_api::{
    Change, ErrorClass, Existing, Health, Kind, Observation, Observed, ProviderError, Resource, ResourceKey,
};

use super::silence::SILENCE_LIMIT;
use super::{StepEnd, sleep_unless_stopped};
use crate::execute::event::{Event, milliseconds};
use crate::execute::execution::Execution;
use crate::execute::observe::observe;
use crate::execute::permits::Held;
use crate::plan::{Step, safety};

/// How long a disruptive step waits for the others to be well before it counts as refused.
const PERMIT_PATIENCE: Duration = Duration::from_secs(600);
const PERMIT_POLL: Duration = Duration::from_secs(5);

/// That a change may be carried out, once.
pub(super) enum Permission<'a> {
    /// It takes nothing down.
    NotNeeded,
    /// It takes something down and may, as long as this is held.
    Held(Held<'a>),
}

/// Asks for the permit, with a fresh observation each time, until it is given or patience ends.
pub(super) async fn obtain<'a>(
    execution: &'a Execution<'_>,
    index: usize,
    step: &Step,
) -> Result<Permission<'a>, StepEnd> {
    if !step.is_disruptive() {
        return Ok(Permission::NotNeeded);
    }
    let change = step.change();
    let mut waited = Duration::ZERO;
    let mut counts_from = None;
    let mut told = Told::default();
    loop {
        let asking = execution.permits.ask(index).await;
        if execution.interrupt.is_stopped() {
            return Err(StepEnd::Stopped);
        }
        let observation = look_at_the_others(execution).await;
        let refusal = match safety::permit(execution.plan, change, &observation, asking.going_down()) {
            Ok(permit) => return Ok(Permission::Held(asking.hold(permit, change.machine()))),
            Err(refusal) => refusal,
        };
        let others_are_at_it = !asking.going_down().is_empty();
        drop(asking);
        // Looks take their time as well, where machines do not answer.
        let now = execution.clock.now();
        if let Some(from) = counts_from {
            waited += Duration::try_from(now.duration_since(from)).unwrap_or_default();
        }
        // Steps that hold a permit come to an end: waiting for them is no sign that something is wrong.
        counts_from = (!others_are_at_it).then_some(now);
        let entries = observation.entries();
        let answering = entries.filter_map(|(key, observed)| answering_machine(key, observed));
        execution.permits.note_answers(answering);
        let silent = execution.permits.silent_machines();
        let patience = patience(change, &observation, &silent);
        if waited >= patience {
            let message = format!("it is not safe to take it down: {refusal}");
            let error = ProviderError::new(ErrorClass::Permanent, message)
                .with_help("`keelson status` shows what is unwell; mend that, then run the command again");
            return Err(StepEnd::Failed(error));
        }
        let reason = refusal.to_string();
        if told.is_news(&reason, patience, others_are_at_it) {
            execution.reporter.report(&Event::StepWaits {
                step: index,
                key: change.key.clone(),
                reason,
                given_up_in_ms: milliseconds(patience.saturating_sub(waited)),
            });
        }
        sleep_unless_stopped(execution, PERMIT_POLL).await?;
    }
}

/// What was told last of what is waited for, and of how long.
#[derive(Default)]
struct Told(Option<(String, Duration)>);

impl Told {
    /// True where there is something new to tell, which counts as told then. While others change what may be taken down,
    /// one of them after the other is the reason: that is not told each time.
    fn is_news(&mut self, reason: &str, patience: Duration, others_are_at_it: bool) -> bool {
        let is_news = self
            .0
            .as_ref()
            .is_none_or(|(told, until)| *until != patience || (!others_are_at_it && told != reason));
        if is_news {
            self.0 = Some((reason.to_owned(), patience));
        }
        is_news
    }
}

/// The machine of a resource that was seen, where seeing it means that its machine answers. What is known of a node that is
/// not ready comes from the API alone, and of a member that does not answer from its fellows.
fn answering_machine<'a>(key: &'a ResourceKey, observed: &Observed<Existing>) -> Option<&'a str> {
    match observed {
        Observed::Present(existing) => match (key.kind(), &existing.health) {
            (Kind::Node | Kind::EtcdMember, Health::Unhealthy(_)) => None,
            _ => key.host(),
        },
        Observed::Unknown(_) | Observed::Absent => None,
    }
}

/// What decides about permits, as it is now. Where the cluster ends nothing does.
async fn look_at_the_others(execution: &Execution<'_>) -> Observation {
    if execution.plan.retires_cluster() {
        return Observation::new(execution.clock.now());
    }
    let wanted = execution.permits.decisive();
    let cluster = execution.plan.cluster();
    let kinds = safety::DECISIVE_KINDS;
    observe(execution.providers, execution.clock, cluster, kinds, &wanted).await
}

/// How long the permit for `change` is waited for. What is refused because of a machine that was given up as silent will not
/// be allowed by waiting for it.
fn patience(change: &Change, observation: &Observation, silent: &BTreeSet<String>) -> Duration {
    let keys = || {
        let entries = observation.entries();
        let there = entries.filter(|(_, observed)| !matches!(observed, Observed::Absent));
        there.map(|(key, _)| key)
    };
    let own: Vec<&ResourceKey> = keys()
        .filter(|key| key.host().is_some() && key.host() == change.machine())
        .collect();
    let counts = keys().any(|key| {
        let is_silent = key.host().is_some_and(|host| silent.contains(host));
        is_silent && own.iter().any(|own| count_together(own, key, observation))
    });
    if counts { SILENCE_LIMIT } else { PERMIT_PATIENCE }
}

/// True when it matters to one of the two how the other is: members of one etcd cluster, control planes, and nodes of one
/// group. Of a node that cannot be seen the group is not known: it may be the same.
fn count_together(one: &ResourceKey, other: &ResourceKey, observation: &Observation) -> bool {
    if one.kind() != other.kind() || one.host() == other.host() {
        return false;
    }
    let group = |key: &ResourceKey| match &observation.present(key)?.resource {
        Resource::Node(node) => Some(node.group.clone()),
        _ => None,
    };
    match one.kind() {
        Kind::EtcdMember => one.etcd_cluster() == other.etcd_cluster(),
        Kind::Node => match (group(one), group(other)) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        },
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;
    use keelson_provider_api::kinds::Node;
    use keelson_provider_api::{Action, Disruption, KindObservation, Owner};

    use super::*;

    fn node(machine: &str, group: &str) -> Existing {
        Existing {
            resource: Node {
                machine: machine.to_owned(),
                group: group.to_owned(),
                labels: BTreeMap::new(),
                taints: Vec::new(),
            }
            .into(),
            id: machine.to_owned(),
            owner: Owner::ThisCluster,
            health: Health::Healthy,
            created_at: Timestamp::UNIX_EPOCH,
            generation: 0,
            host_id: None,
            facts: BTreeMap::new(),
        }
    }

    #[test]
    fn what_is_waited_for_is_told_again_when_it_changes() {
        let mut told = Told::default();
        let table = [
            ("a is not well", PERMIT_PATIENCE, false, true, "the first"),
            ("a is not well", PERMIT_PATIENCE, false, false, "the same"),
            ("b is not well", PERMIT_PATIENCE, false, true, "another reason"),
            ("c restarts", PERMIT_PATIENCE, true, false, "others are at it"),
            (
                "c restarts",
                SILENCE_LIMIT,
                true,
                true,
                "it is waited for less long",
            ),
            (
                "c restarts",
                PERMIT_PATIENCE,
                false,
                true,
                "it is waited for longer",
            ),
        ];
        for (reason, patience, others_are_at_it, is_news, why) in table {
            assert_eq!(told.is_news(reason, patience, others_are_at_it), is_news, "{why}");
        }
    }

    #[test]
    fn a_machine_answers_when_what_only_it_can_tell_is_seen() {
        let key = |text: &str| -> ResourceKey { text.parse().unwrap() };
        let unready = || Existing {
            health: Health::Unhealthy("it is not ready".to_owned()),
            ..node("a", "workers")
        };
        let table = [
            ("node/a", Observed::Present(node("a", "workers")), Some("a")),
            ("node/a", Observed::Present(unready()), None),
            ("etcd-member/main:a", Observed::Present(unready()), None),
            ("control-plane/a", Observed::Present(unready()), Some("a")),
            (
                "etcd-member/main:a",
                Observed::Unknown("it is silent".to_owned()),
                None,
            ),
            ("node/a", Observed::Absent, None),
        ];
        for (name, observed, expected) in table {
            let key = key(name);
            assert_eq!(
                answering_machine(&key, &observed),
                expected,
                "{name}: {observed:?}"
            );
        }
    }

    #[test]
    fn only_a_silent_machine_that_counts_for_the_permit_shortens_the_wait() {
        let key = |text: &str| -> ResourceKey { text.parse().unwrap() };
        let unknown = || Observed::Unknown("it does not answer".to_owned());
        let mut observation = Observation::of_nothing(Timestamp::UNIX_EPOCH);
        for (name, observed) in [
            ("etcd-member/main:a", unknown()),
            ("etcd-member/main:b", unknown()),
            ("etcd-member/events:c", unknown()),
            ("node/a", Observed::Present(node("a", "control-plane"))),
            ("node/w1", Observed::Present(node("w1", "workers"))),
            ("node/w2", Observed::Present(node("w2", "workers"))),
            ("node/unseen", unknown()),
        ] {
            let key = key(name);
            let found = KindObservation {
                found: BTreeMap::from([(key.clone(), observed)]),
                ..KindObservation::default()
            };
            observation.record(key.kind(), found);
        }
        let table = [
            ("a", "b", true, "a member of the same etcd cluster"),
            ("a", "c", false, "a member of another etcd cluster"),
            (
                "a",
                "w1",
                false,
                "a worker has no part in what a control plane waits for",
            ),
            ("w1", "w2", true, "a node of the same group"),
            ("w1", "b", false, "a member of etcd is no node"),
            ("w1", "unseen", true, "it may be of the same group"),
            ("w1", "w1", false, "its own machine is what is changed"),
            ("nothing", "w1", false, "nothing of it counts"),
        ];
        for (own, silent, shortens, why) in table {
            let change = Change {
                key: key(&format!("node/{own}")),
                action: Action::Delete {
                    existing: Box::new(node(own, "workers")),
                },
                reason: String::new(),
                disruption: Disruption::Drain,
                replacement: false,
            };
            let silent = BTreeSet::from([silent.to_owned()]);
            let expected = if shortens { SILENCE_LIMIT } else { PERMIT_PATIENCE };
            assert_eq!(patience(&change, &observation, &silent), expected, "{own}: {why}");
        }
    }
}
