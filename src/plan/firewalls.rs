//! Firewalls open before what needs them, and close after what needed them.
//!
//! A change that does both is made in two plans: the first opens a firewall for what comes and leaves it open for what goes,
//! the next one closes it. Where something moves from behind one firewall to behind another, such as etcd to machines of its
//! own, both let in whoever either does for as long as it moves: the members hear each other all the time.
//!
//! Who comes from outside the cluster is shut out at once.

use std::collections::{BTreeMap, BTreeSet};

use keelson_provider_api::kinds::{Firewall, FirewallRule, Protocol};
use keelson_provider_api::{Action, Change, Kind, Observation, Resource, ResourceKey};

use super::desired::DesiredState;
use super::draft::Drafts;
use super::report::Held;
use super::verdict::{Verdict, Verdicts, is_blocked};

/// What a rule lets in, whoever may come.
type Service<'a> = (&'a str, Protocol, (u16, u16));

/// Rules by firewall.
type Rules<'a> = BTreeMap<&'a ResourceKey, &'a [FirewallRule]>;

/// What firewalls are for now, where that is not what is wanted of them in the end.
#[derive(Default)]
pub(super) struct ForNow {
    firewalls: BTreeMap<ResourceKey, Resource>,
    /// Those that let somebody in to others, and so have to stay.
    needed: BTreeSet<String>,
}

impl ForNow {
    /// What `observation` shows of the firewalls, on the way to `desired`.
    pub(super) fn on_the_way(desired: &DesiredState, observation: &Observation) -> Self {
        let seen: Rules<'_> = observation
            .owned_of(Kind::Firewall)
            .filter_map(|(key, existing)| Some((key, rules(&existing.resource)?)))
            .collect();
        let wanted_firewalls = desired.resources.iter();
        let wanted: Rules<'_> = wanted_firewalls
            .filter_map(|(key, wanted)| Some((key, rules(&wanted.resource)?)))
            .collect();
        let moving = moving(&seen, &wanted);
        let mut for_now = Self::default();
        for (&key, &rules) in &wanted {
            let now = seen.get(key).copied().unwrap_or_default();
            let rules = rules_for_now(now, rules, &moving);
            let Some(Resource::Firewall(firewall)) =
                desired.resources.get(key).map(|wanted| &wanted.resource)
            else {
                continue;
            };
            if rules != firewall.rules {
                for_now
                    .needed
                    .extend(rules.iter().flat_map(|rule| rule.sources.iter().cloned()));
                let network = firewall.network.clone();
                let firewall = Resource::from(Firewall { network, rules });
                for_now.firewalls.insert(key.clone(), firewall);
            }
        }
        for_now
    }

    /// What `key` is for now, where that is not what is wanted of it in the end.
    pub(super) fn of(&self, key: &ResourceKey) -> Option<&Resource> {
        self.firewalls.get(key)
    }

    /// What comes in a later plan, as it is reported.
    pub(super) fn later(&self, verdicts: &Verdicts) -> Vec<Held> {
        let moves = |verdict: &Verdict| !matches!(verdict, Verdict::Keep | Verdict::Update { .. });
        let moving = verdicts
            .iter()
            .find(|(key, verdict)| key.kind() == Kind::EtcdMember && moves(verdict));
        let held = |key: &ResourceKey, verb: &str| Held {
            key: key.clone(),
            verb: verb.to_owned(),
            waits_for: moving.map_or(key, |(key, _)| key).clone(),
        };
        let updates = self.firewalls.keys().map(|key| held(key, "update"));
        let removals = verdicts
            .iter()
            .filter(|(key, verdict)| matches!(verdict, Verdict::Delete { .. }) && self.needs(key))
            .map(|(key, _)| held(key, "delete"));
        updates.chain(removals).collect()
    }

    /// True for a firewall that is not to be removed yet.
    pub(super) fn needs(&self, key: &ResourceKey) -> bool {
        key.kind() == Kind::Firewall && self.needed.contains(key.name())
    }
}

fn rules(resource: &Resource) -> Option<&[FirewallRule]> {
    match resource {
        Resource::Firewall(firewall) => Some(&firewall.rules),
        _ => None,
    }
}

fn service(rule: &FirewallRule) -> Service<'_> {
    (&rule.purpose, rule.protocol, rule.ports)
}

/// Who may come to what.
fn lets_in(rules: &[FirewallRule]) -> BTreeSet<(Service<'_>, &str)> {
    let pairs = rules.iter().flat_map(|rule| {
        rule.sources
            .iter()
            .map(move |source| (service(rule), source.as_str()))
    });
    pairs.collect()
}

/// The services that one firewall lets in and is not to, and another is to and does not yet, with whoever may come to either.
fn moving<'a>(seen: &Rules<'a>, wanted: &Rules<'a>) -> BTreeMap<Service<'a>, BTreeSet<&'a String>> {
    let lacks = |rules: &Rules<'a>, key: &ResourceKey, of: Service<'a>| {
        let mut rules = rules.get(key).copied().unwrap_or_default().iter();
        !rules.any(|rule| service(rule) == of)
    };
    let only_in = |here: &Rules<'a>, there: &Rules<'a>| -> BTreeSet<Service<'a>> {
        let all = here
            .iter()
            .flat_map(|(&key, &rules)| rules.iter().map(move |rule| (key, service(rule))));
        all.filter(|&(key, of)| lacks(there, key, of))
            .map(|(_, of)| of)
            .collect()
    };
    let leaving = only_in(seen, wanted);
    let coming = only_in(wanted, seen);
    let all_rules = || {
        seen.values()
            .chain(wanted.values())
            .flat_map(|rules| rules.iter())
    };
    let sources = |of: Service<'a>| {
        let those = all_rules().filter(move |rule| service(rule) == of);
        those.flat_map(|rule| &rule.sources).collect()
    };
    leaving
        .intersection(&coming)
        .map(|&of| (of, sources(of)))
        .collect()
}

fn rules_for_now(
    now: &[FirewallRule],
    wanted: &[FirewallRule],
    moving: &BTreeMap<Service<'_>, BTreeSet<&String>>,
) -> Vec<FirewallRule> {
    let moves = now.iter().any(|rule| moving.contains_key(&service(rule)));
    let difference = Difference::between(now, wanted);
    let mut rules = wanted.to_vec();
    if moves || (difference.drops_inside && (difference.opens || difference.drops_outside)) {
        for rule in now.iter().filter(|rule| !wanted.contains(rule)) {
            let sources: Vec<String> = rule
                .sources
                .iter()
                .filter(|source| is_inside(source))
                .cloned()
                .collect();
            if !sources.is_empty() {
                rules.push(FirewallRule {
                    sources,
                    ..rule.clone()
                });
            }
        }
    }
    let mut done = BTreeSet::new();
    rules.retain_mut(|rule| {
        let found = moving
            .iter()
            .find(|(service_of, _)| **service_of == service(rule));
        let Some((&moving_service, sources)) = found else {
            return true;
        };
        let missing = sources.iter().filter(|source| !rule.sources.contains(source));
        let missing: Vec<String> = missing.map(|&source| source.clone()).collect();
        rule.sources.extend(missing);
        done.insert(moving_service)
    });
    FirewallRule::in_order(rules)
}

/// Machines behind firewalls come by the firewalls' names, everybody else by ranges of addresses.
fn is_inside(source: &str) -> bool {
    !source.contains('/')
}

/// What a change of rules does.
struct Difference {
    opens: bool,
    /// Other machines of the cluster may come no longer.
    drops_inside: bool,
    /// Somebody else may come no longer. That happens at once.
    drops_outside: bool,
}

impl Difference {
    fn between(now: &[FirewallRule], wanted: &[FirewallRule]) -> Self {
        let (now, wanted) = (lets_in(now), lets_in(wanted));
        let drops = |inside: bool| {
            now.difference(&wanted)
                .any(|(_, source)| is_inside(source) == inside)
        };
        Self {
            opens: !wanted.is_subset(&now),
            drops_inside: drops(true),
            drops_outside: drops(false),
        }
    }
}

/// True where `change` does nothing but close a firewall for other machines of the cluster.
fn closes(change: &Change, observation: &Observation) -> bool {
    let Action::Update { resource, .. } = &change.action else {
        return false;
    };
    let now = observation
        .present(&change.key)
        .and_then(|existing| rules(&existing.resource));
    let (Some(now), Some(wanted)) = (now, rules(resource)) else {
        return false;
    };
    let difference = Difference::between(now, wanted);
    difference.drops_inside && !difference.opens && !difference.drops_outside
}

/// The drafts that close a firewall. They come last, and nothing needs them but the removals of other firewalls, whose names
/// they may drop.
pub(super) fn closings(drafts: &Drafts, observation: &Observation) -> Vec<usize> {
    let closing = drafts
        .iter()
        .filter(|(_, draft)| closes(&draft.change, observation));
    closing.map(|(index, _)| index).collect()
}

/// What may still need what a firewall lets in: something on a machine that nothing may be done to.
pub(super) fn needed_by(verdicts: &Verdicts) -> Option<&ResourceKey> {
    let on_machine = |key: &&ResourceKey| {
        matches!(key.kind(), Kind::Machine | Kind::NodeGroup | Kind::GroupMachine) || key.host().is_some()
    };
    verdicts
        .keys()
        .filter(on_machine)
        .find(|key| is_blocked(verdicts, key))
}
