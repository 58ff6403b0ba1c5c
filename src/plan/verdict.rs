//! What becomes of each resource, looked at by itself.

use std::collections::BTreeMap;

use keelson_provider_api::kinds::{Difference, Effect, Lifetime, NodeBundle};
use keelson_provider_api::{Existing, Kind, Observation, Observed, Owner, ResourceKey};

use super::comes_back::machine_with_data;
use super::desired::{Desired, DesiredState};
use super::etcd;
use super::groups::GroupMachines;

/// What becomes of one resource.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Verdict {
    /// It is as it should be.
    Keep,
    /// It is made.
    Create { reason: String },
    /// It is changed in place.
    Update {
        reason: String,
        differences: Vec<Difference>,
    },
    /// It is removed and made anew.
    Replace { reason: String },
    /// It is removed.
    Delete { reason: String },
    /// It goes with what it lives on.
    GoesAlong,
    /// Its data is there, and nothing is done to it before the machine that it comes back with is.
    ComesBack { with: ResourceKey },
    /// Nothing may be done to it.
    Blocked { reason: String, help: Option<String> },
}

pub(super) type Verdicts = BTreeMap<ResourceKey, Verdict>;

/// True when nothing may be done to `key`.
pub(super) fn is_blocked(verdicts: &Verdicts, key: &ResourceKey) -> bool {
    matches!(verdicts.get(key), Some(Verdict::Blocked { .. }))
}

impl Verdict {
    pub(super) fn blocked(reason: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Blocked {
            reason: reason.into(),
            help: Some(help.into()),
        }
    }

    /// True when the resource will be another one afterwards.
    pub(super) fn makes_anew(&self) -> bool {
        matches!(self, Self::Create { .. } | Self::Replace { .. })
    }
}

/// Decides on every resource that is wanted or was seen. Keys come from the ground up, so what a resource stands
/// on has been decided before it.
pub(super) fn decide_all(desired: &DesiredState, observation: &Observation) -> Verdicts {
    let mut verdicts = Verdicts::new();
    let group_machines = GroupMachines::of(observation);
    let mut wanted = desired.resources.iter().peekable();
    let mut seen = observation.entries().map(|(key, _)| key).peekable();
    loop {
        let key = match (wanted.peek(), seen.peek()) {
            (Some((wanted_key, _)), Some(seen_key)) => (*wanted_key).min(*seen_key).clone(),
            (Some((wanted_key, _)), None) => (*wanted_key).clone(),
            (None, Some(seen_key)) => (*seen_key).clone(),
            (None, None) => return verdicts,
        };
        let resource = wanted
            .next_if(|(wanted_key, _)| **wanted_key == key)
            .map(|(_, resource)| resource);
        seen.next_if(|seen_key| **seen_key == key);
        let verdict = match resource {
            Some(resource) => Some(decide_wanted(&key, resource, desired, observation, &verdicts)),
            None => decide_unwanted(&key, desired, observation, &group_machines, &verdicts),
        };
        if let Some(verdict) = verdict {
            verdicts.insert(key, verdict);
        }
    }
}

/// True when the resource is that machine or lives on it.
pub(super) fn lives_on(
    key: &ResourceKey,
    machine: &str,
    desired: &DesiredState,
    observation: &Observation,
) -> bool {
    machine_of(key, desired, observation) == Some(machine)
}

/// The name of the machine that the resource is or lives on, as far as that is known.
pub(super) fn machine_of<'a>(
    key: &'a ResourceKey,
    desired: &'a DesiredState,
    observation: &'a Observation,
) -> Option<&'a str> {
    if key.kind() == Kind::Machine {
        return Some(key.name());
    }
    let wanted = desired.resources.get(key).map(|wanted| &wanted.resource);
    let seen = observation.present(key).map(|existing| &existing.resource);
    wanted.or(seen)?.machine(key)
}

fn decide_wanted(
    key: &ResourceKey,
    wanted: &Desired,
    desired: &DesiredState,
    observation: &Observation,
    verdicts: &Verdicts,
) -> Verdict {
    if let Some(with) = machine_with_data(key, desired, observation, verdicts) {
        return Verdict::ComesBack { with };
    }
    let existing = match observation.get(key) {
        Observed::Absent => {
            return Verdict::Create {
                reason: "not there yet".to_owned(),
            };
        }
        Observed::Unknown(reason) => {
            return bears_another_name(key, observation).unwrap_or_else(|| {
                Verdict::blocked(
                    format!("its state is unknown: {reason}"),
                    "nothing is done to what cannot be seen; run the command again when it can",
                )
            });
        }
        Observed::Present(existing) => existing,
    };
    if let Owner::Other(owner) = &existing.owner {
        if let Some(verdict) = bears_another_name(key, observation) {
            return verdict;
        }
        return Verdict::blocked(format!("it exists and belongs to {owner}"), help_foreign(key));
    }
    if let Some(ground) = ground_made_anew(key, wanted, existing, observation, verdicts) {
        return Verdict::Replace {
            reason: format!("{ground} is made anew"),
        };
    }
    decide_by_differences(existing.resource.differences(&wanted.resource))
}

/// What blocks a machine, and all that is wanted on it, where its address leads to one that bears another name of this cluster.
fn bears_another_name(key: &ResourceKey, observation: &Observation) -> Option<Verdict> {
    let name = match key.kind() {
        Kind::Machine => key.name(),
        _ => key.host()?,
    };
    let there = observation.present(&ResourceKey::new(Kind::Machine, name))?;
    if there.owner == Owner::ThisCluster {
        return None;
    }
    let mut machines = observation.owned_of(Kind::Machine);
    let (same, _) = machines.find(|(_, existing)| existing.id == there.id)?;
    let old = same.name();
    Some(Verdict::blocked(
        format!("the machine at this address is `{old}` of this cluster"),
        format!("put the name `{old}` back into the spec, or give `{name}` a machine of its own"),
    ))
}

/// True where something of `kind` references one of `ground` that it can be given and rid of while it is there.
fn is_attached(kind: Kind, ground: Kind) -> bool {
    matches!(
        (kind, ground),
        (Kind::Machine | Kind::NodeGroup, Kind::Firewall | Kind::Role)
            | (Kind::NetworkInterface, Kind::Firewall)
            | (Kind::LoadBalancer, Kind::Subnet | Kind::Firewall)
            | (Kind::WayOut, Kind::Subnet)
    )
}

/// What the resource stands on and that will be, or already is, another one.
fn ground_made_anew(
    key: &ResourceKey,
    wanted: &Desired,
    existing: &Existing,
    observation: &Observation,
    verdicts: &Verdicts,
) -> Option<ResourceKey> {
    let references = wanted.resource.references();
    let anew = |reference: &ResourceKey| verdicts.get(reference).is_some_and(Verdict::makes_anew);
    let stands_on = |reference: &ResourceKey| !is_attached(key.kind(), reference.kind());
    if let Some(reference) = references
        .into_iter()
        .find(|reference| stands_on(reference) && anew(reference))
    {
        return Some(reference);
    }
    let machine = ResourceKey::new(Kind::Machine, wanted.resource.machine(key)?);
    if machine == *key {
        return None;
    }
    let moved = match (observation.present(&machine), &existing.host_id) {
        (Some(host), Some(lives_on)) => host.id != *lives_on,
        _ => false,
    };
    (moved || anew(&machine)).then_some(machine)
}

fn decide_by_differences(differences: Vec<Difference>) -> Verdict {
    let Some(effect) = differences.iter().map(|difference| difference.effect).max() else {
        return Verdict::Keep;
    };
    let fields: Vec<&str> = differences
        .iter()
        .filter(|difference| difference.effect == effect)
        .map(|difference| difference.field.as_str())
        .collect();
    let fields = fields.join(", ");
    if let Some(reason) = NodeBundle::only_mends(&differences) {
        return Verdict::Update {
            reason: reason.to_owned(),
            differences,
        };
    }
    match effect {
        _ if etcd::only_starts(&differences) => Verdict::Update {
            reason: "it is not running: start it".to_owned(),
            differences,
        },
        Effect::Immutable => Verdict::blocked(
            format!("{fields} cannot change while the cluster lives"),
            "put the old value back into the spec, or make a new cluster",
        ),
        Effect::Replace => Verdict::Replace {
            reason: format!("{fields} can only change with a new one"),
        },
        _ => Verdict::Update {
            reason: format!("{fields} changed"),
            differences,
        },
    }
}

fn help_foreign(key: &ResourceKey) -> &'static str {
    let kind = key.kind();
    if kind == Kind::Machine || kind.info().lifetime == Lifetime::Machine {
        "keelson touches only what it made for this cluster: take another machine, or destroy the cluster that has it; \
         where that has ended while the machine was away, docs/state-store.md says how to clean it"
    } else {
        "keelson touches only what it made for this cluster: choose another name, or remove the other one"
    }
}

fn help_unseen(key: &ResourceKey, desired: &DesiredState, observation: &Observation) -> String {
    let again = "nothing is removed that cannot be seen; run the command again when it can";
    let machine = ResourceKey::new(Kind::Machine, key.host().unwrap_or(key.name()));
    match key.kind() {
        // Its machine answers: it is not gone.
        Kind::NodeBundle if !matches!(observation.get(&machine), Observed::Unknown(_)) => again.to_owned(),
        Kind::Machine | Kind::NodeBundle if desired.retires_cluster => etcd::help_to_end_without(key.name()),
        Kind::Machine | Kind::NodeBundle => {
            format!(
                "{again}, or, if the machine is gone for good: keelson node forget {}",
                key.name()
            )
        }
        Kind::Leftover => format!("say by its tags whose it is, as docs/aws.md tells; {again}"),
        _ => again.to_owned(),
    }
}

fn decide_unwanted(
    key: &ResourceKey,
    desired: &DesiredState,
    observation: &Observation,
    group_machines: &GroupMachines<'_>,
    verdicts: &Verdicts,
) -> Option<Verdict> {
    let existing = match observation.get(key) {
        Observed::Absent => return None,
        // A member that was asked for by its name, on a machine that is said to be gone, or was released.
        Observed::Unknown(_) if desired.retires_cluster && is_on_an_absent_machine(key, observation) => {
            return None;
        }
        Observed::Unknown(reason) => {
            return Some(Verdict::blocked(
                format!("it is not wanted any more, and its state is unknown: {reason}"),
                help_unseen(key, desired, observation),
            ));
        }
        Observed::Present(existing) => existing,
    };
    if existing.owner != Owner::ThisCluster {
        return None;
    }
    let of_group = group_machines.decide(key, existing, desired, verdicts);
    if of_group.is_some() {
        return of_group;
    }
    let lifetime = key.kind().info().lifetime;
    Some(match (desired.retires_cluster, lifetime) {
        (true, Lifetime::Own | Lifetime::Archive) => Verdict::Delete {
            reason: "the cluster is destroyed".to_owned(),
        },
        (true, Lifetime::Machine | Lifetime::Group | Lifetime::Cluster) => Verdict::GoesAlong,
        (false, Lifetime::Archive) => Verdict::Keep,
        (false, _) => Verdict::Delete {
            reason: "no longer in the spec".to_owned(),
        },
    })
}

fn is_on_an_absent_machine(key: &ResourceKey, observation: &Observation) -> bool {
    let machine = key.host().map(|host| ResourceKey::new(Kind::Machine, host));
    machine.is_some_and(|machine| matches!(observation.get(&machine), Observed::Absent))
}
