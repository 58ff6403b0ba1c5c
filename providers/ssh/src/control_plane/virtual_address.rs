//! The address that moves between control planes. keepalived holds it up; its configuration came with the bundles.
//!
//! Every machine that may hold it carries a mark. The machines of the address are those that carry one, so one that lacks it is
//! seen as a difference and mended. A machine that does not answer counts as it is known to the others: whether it is still
//! needed is told by its own kind.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use keelson_provider_api::kinds::VirtualAddress;
use keelson_provider_api::{
    ClusterIdentity, ErrorClass, Existing, Health, Kind, KindObservation, Observed, Outcome, Owner,
    ProviderError, ResourceKey, StepContext,
};

use super::begin::{Begin, KEEPALIVED, begin};
use super::look::{ADDRESS, Look, LookError, look};
use super::mark::Mark;
use super::wipe;
use crate::fence::run_fenced;
use crate::hosts::Hosts;

const KIND: &str = "virtual-address";
/// keepalived holds an address a few seconds after the first health check that went well.
const PATIENCE: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(300);
const END_TIMEOUT: Duration = Duration::from_secs(90);

/// What every machine showed.
type Seen = BTreeMap<String, Result<Look<VirtualAddress>, LookError>>;

/// Gives `wanted` to its machines, takes it from others, and waits until one holds it.
pub(super) async fn make(
    hosts: &Hosts,
    context: &StepContext<'_>,
    name: &str,
    wanted: &VirtualAddress,
    generation: u32,
) -> Result<(), Outcome> {
    let seen = look_at_all(hosts).await;
    let strangers = marked(&seen, context).filter(|(machine, _)| !wanted.machines.contains(machine));
    let strangers: Vec<String> = strangers.map(|(machine, _)| machine.clone()).collect();
    for machine in &strangers {
        end_on(hosts, context, machine).await?;
    }
    // An address that changed is another one to the machine as well: what was written down of the old one goes.
    let before = marked(&seen, context)
        .map(|(_, mark)| mark)
        .find(|mark| mark.resource.address == wanted.address);
    let mark = Mark::new(context, name, generation, wanted.clone(), hosts.clock().now())?;
    let mark = Mark {
        generation: before.map_or(generation, |before| before.generation),
        ..mark
    };
    wait(hosts, context, &mark).await
}

/// Begins on every machine, again where that did not go well, until one holds the address and answers there.
async fn wait(hosts: &Hosts, context: &StepContext<'_>, mark: &Mark<VirtualAddress>) -> Result<(), Outcome> {
    let begun = hosts.clock().now();
    let mut told = false;
    loop {
        let failures = begin_on_all(hosts, context, mark, false).await?;
        let seen = look_at_all(hosts).await;
        match judge(&seen, &mark.resource) {
            Verdict::Held(_) => {
                let answered = Mark {
                    answered_at: Some(hosts.clock().now()),
                    ..mark.clone()
                };
                // Those that failed carry no mark, and are seen to lack it.
                let is_well = |machine: &&String| !failures.contains_key(machine.as_str());
                let machines = mark.resource.machines.iter().filter(is_well);
                return note(hosts, context, machines, &answered).await;
            }
            Verdict::Unwell(why) if is_over(hosts, begun) => {
                return Err(Outcome::Indeterminate(late(&mark.resource, why, &failures)));
            }
            Verdict::Unwell(_) => {}
        }
        if !told {
            let address = &mark.resource.address;
            context
                .progress
                .tell(&format!("wait for {address} to be held by a control plane"));
            told = true;
        }
        hosts.clock().sleep(PAUSE).await;
    }
}

fn is_over(hosts: &Hosts, begun: Timestamp) -> bool {
    let waited = Duration::try_from(hosts.clock().now().duration_since(begun));
    waited.is_ok_and(|waited| waited >= PATIENCE)
}

/// Begins on all machines at once, and gives what went wrong where. One machine that is not ready yet keeps no other.
async fn begin_on_all(
    hosts: &Hosts,
    context: &StepContext<'_>,
    mark: &Mark<VirtualAddress>,
    is_rewritten: bool,
) -> Result<BTreeMap<String, ProviderError>, Outcome> {
    let line = mark.line()?;
    let begun = hosts
        .each(mark.resource.machines.iter().cloned(), |machine| {
            let line = line.clone();
            Box::pin(async move {
                let shell = hosts.need(&machine).map_err(Outcome::Rejected)?;
                let what = Begin {
                    name: "start keepalived",
                    kind: KIND,
                    is_rewritten,
                    line,
                    taints: &[],
                    units: &[KEEPALIVED],
                    token: None,
                };
                begin(&*shell, context, what).await
            })
        })
        .await;
    let mut failures = BTreeMap::new();
    for (machine, outcome) in begun {
        match outcome {
            Ok(()) | Err(Outcome::Done) => {}
            Err(Outcome::Rejected(error) | Outcome::Indeterminate(error))
                if error.class == ErrorClass::Fenced =>
            {
                return Err(Outcome::Rejected(error));
            }
            Err(Outcome::Rejected(error) | Outcome::Indeterminate(error)) => {
                failures.insert(machine, error);
            }
        }
    }
    Ok(failures)
}

/// Writes down that the address has been held.
async fn note(
    hosts: &Hosts,
    context: &StepContext<'_>,
    machines: impl Iterator<Item = &String>,
    answered: &Mark<VirtualAddress>,
) -> Result<(), Outcome> {
    let line = answered.line()?;
    let noted = hosts
        .each(machines.cloned(), |machine| {
            let line = line.clone();
            Box::pin(async move {
                let shell = hosts.need(&machine).map_err(Outcome::Rejected)?;
                let what = Begin {
                    name: "mark the virtual address",
                    kind: KIND,
                    is_rewritten: true,
                    line,
                    taints: &[],
                    units: &[],
                    token: None,
                };
                begin(&*shell, context, what).await
            })
        })
        .await;
    // One is enough to know of it.
    let mut failure = None;
    let mut is_noted = false;
    for outcome in noted.into_values() {
        match outcome {
            Ok(()) => is_noted = true,
            Err(outcome) => failure = Some(outcome),
        }
    }
    match failure {
        Some(outcome) if !is_noted => Err(outcome),
        _ => Ok(()),
    }
}

/// Takes the address away from every machine that has it.
pub(super) async fn end(hosts: &Hosts, context: &StepContext<'_>) -> Result<(), Outcome> {
    let seen = look_at_all(hosts).await;
    let machines: Vec<String> = marked(&seen, context)
        .map(|(machine, _)| machine.clone())
        .collect();
    let ended = hosts
        .each(machines, |machine| {
            Box::pin(async move { end_on(hosts, context, &machine).await })
        })
        .await;
    ended.into_values().collect()
}

async fn end_on(hosts: &Hosts, context: &StepContext<'_>, machine: &str) -> Result<(), Outcome> {
    let shell = hosts.need(machine).map_err(Outcome::Rejected)?;
    let job = wipe::job_of("take the virtual address away", wipe::END_ADDRESS, END_TIMEOUT);
    run_fenced(&*shell, context, job).await.map(drop)
}

async fn look_at_all(hosts: &Hosts) -> Seen {
    let names: Vec<String> = hosts.names().map(str::to_owned).collect();
    let seen = hosts
        .each(names, |name| {
            Box::pin(async move {
                let shell = hosts.shell(&name)?;
                Some(look(&*shell, KIND, Duration::ZERO).await)
            })
        })
        .await;
    seen.into_iter()
        .filter_map(|(name, seen)| Some((name, seen?)))
        .collect()
}

/// The machines with a mark of this cluster.
fn marked<'a>(
    seen: &'a Seen,
    context: &StepContext<'_>,
) -> impl Iterator<Item = (&'a String, &'a Mark<VirtualAddress>)> {
    let uid = context.cluster.uid.clone();
    seen.iter()
        .filter_map(move |(machine, look)| Some((machine, look.as_ref().ok()?.ours(uid.as_ref())?)))
}

/// Looks at the address as a whole.
pub(super) async fn observe(
    hosts: &Hosts,
    cluster: &ClusterIdentity,
    wanted: &BTreeSet<ResourceKey>,
) -> KindObservation {
    let mut observation = KindObservation::default();
    let seen = look_at_all(hosts).await;
    if let Some((key, observed)) = observed(&seen, cluster, wanted) {
        observation.found.insert(key, observed);
    }
    observation
}

fn observed(
    seen: &Seen,
    cluster: &ClusterIdentity,
    wanted: &BTreeSet<ResourceKey>,
) -> Option<(ResourceKey, Observed<Existing>)> {
    let readable = || {
        seen.iter()
            .filter_map(|(machine, look)| Some((machine, look.as_ref().ok()?.mark.as_ref()?.as_ref().ok()?)))
    };
    let ours: BTreeMap<&String, &Mark<VirtualAddress>> = readable()
        .filter(|(_, mark)| mark.owner(cluster) == Owner::ThisCluster)
        .collect();
    let newest = ours
        .values()
        .max_by_key(|mark| (mark.answered_at.is_some(), mark.created_at));
    let Some(newest) = newest else {
        let key = wanted.first()?.clone();
        // One of the machines that do not answer may have it.
        let unseen = seen.iter().find_map(|(machine, look)| match look {
            Err(error) => Some(format!("{machine} does not answer: {error}")),
            Ok(look) => match &look.mark {
                Some(Err(problem)) => Some(format!(
                    "the mark on {machine}, /var/lib/keelson/{KIND}.json, is damaged: {problem}"
                )),
                _ => None,
            },
        });
        return unseen.map(|why| (key, Observed::Unknown(why)));
    };
    let key = ResourceKey::new(Kind::VirtualAddress, newest.name.as_str());
    if newest.answered_at.is_none() && wanted.contains(&key) {
        return None;
    }
    let is_gone = |machine: &str| !matches!(seen.get(machine), Some(Ok(_)));
    let has_it = |machine: &String| {
        is_gone(machine)
            || ours
                .get(machine)
                .is_some_and(|mark| mark.resource.address == newest.resource.address)
    };
    let mut machines = newest.resource.machines.clone();
    machines.retain(has_it);
    for machine in ours.keys() {
        if !machines.contains(machine) {
            machines.push((*machine).clone());
        }
    }
    let resource = VirtualAddress {
        address: newest.resource.address.clone(),
        machines,
    };
    let (health, holder) = match judge(seen, &newest.resource) {
        Verdict::Held(holder) => (Health::Healthy, Some(holder)),
        Verdict::Unwell(why) => (Health::Unhealthy(why), holder(seen)),
    };
    let existing = Existing {
        id: format!("{}:{}", newest.resource.address, newest.generation),
        resource: resource.into(),
        owner: Owner::ThisCluster,
        health,
        created_at: newest.created_at,
        generation: newest.generation,
        host_id: None,
        facts: holder
            .into_iter()
            .map(|holder| ("holder".to_owned(), holder))
            .collect(),
    };
    Some((key, Observed::Present(existing)))
}

enum Verdict {
    /// This machine holds it, and its API server answers there.
    Held(String),
    /// It does not do its work, for this reason.
    Unwell(String),
}

fn holder(seen: &Seen) -> Option<String> {
    let mut holders = holders(seen);
    holders.next().map(|(machine, _)| machine.clone())
}

fn holders(seen: &Seen) -> impl Iterator<Item = (&String, &Look<VirtualAddress>)> {
    seen.iter()
        .filter_map(|(machine, look)| Some((machine, look.as_ref().ok()?)))
        .filter(|(_, look)| look.holds_address)
}

fn judge(seen: &Seen, wanted: &VirtualAddress) -> Verdict {
    let address = &wanted.address;
    let held: Vec<_> = holders(seen).collect();
    match held.as_slice() {
        [] => {
            let states = wanted.machines.iter().filter_map(|machine| {
                Some(match seen.get(machine)? {
                    Err(error) => format!("{machine} does not answer: {error}"),
                    Ok(look) if look.mark.is_none() => format!("{machine} was not given it"),
                    Ok(look) => format!("keepalived is {} on {machine}", look.unit("keelson-keepalived")),
                })
            });
            let states: Vec<String> = states.collect();
            Verdict::Unwell(format!("no machine holds {address} ({})", states.join("; ")))
        }
        [(machine, look)] => match look.trouble(ADDRESS) {
            None => Verdict::Held((*machine).clone()),
            Some(why) => Verdict::Unwell(format!(
                "{machine} holds {address}, and its API server does not answer there: {why}"
            )),
        },
        several => {
            let names: Vec<&str> = several.iter().map(|(machine, _)| machine.as_str()).collect();
            Verdict::Unwell(format!(
                "{} hold {address} at the same time: they do not hear each other's keepalived",
                names.join(" and ")
            ))
        }
    }
}

fn late(wanted: &VirtualAddress, why: String, failures: &BTreeMap<String, ProviderError>) -> ProviderError {
    let failures = failures.values().map(|error| error.message.clone());
    let words: Vec<String> = std::iter::once(why).chain(failures).collect();
    ProviderError::new(
        ErrorClass::Permanent,
        format!(
            "{} is not held by one control plane after {} s: {}",
            wanted.address,
            PATIENCE.as_secs(),
            words.join("; ")
        ),
    )
    .with_help(
        "see journalctl -u keelson-keepalived on the machines: they have to reach each other by protocol 112 (VRRP), and the \
         API server of one has to answer",
    )
}

#[cfg(test)]
mod tests;
