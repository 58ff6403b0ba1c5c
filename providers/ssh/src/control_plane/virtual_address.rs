//! The address that moves between control planes. keepalived holds it up; its configuration came with the bundles.
//!
//! Every machine that may hold it carries a mark. The machines of the address are those that carry one, so one that lacks it is
//! seen as a difference and mended. A machine that does not answer counts as it is known to the others: whether it is still
//! needed is told by its own kind.

mod judge;
mod observe;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use keelson_provider_api::kinds::VirtualAddress;
use keelson_provider_api::{ErrorClass, Outcome, ProviderError, StepContext};

use super::begin::{Begin, KEEPALIVED, begin};
use super::look::{Look, LookError, look};
use super::mark::Mark;
use super::wipe;
use crate::fence::run_fenced;
use crate::hosts::Hosts;
use judge::{Verdict, judge};
pub(super) use observe::observe;

const KIND: &str = "virtual-address";
/// keepalived holds an address a few seconds after the first health check that went well.
const PATIENCE: Duration = Duration::from_secs(90);
/// keepalived looks at its API server once a second.
const PAUSE: Duration = Duration::from_secs(1);
const END_TIMEOUT: Duration = Duration::from_secs(90);

/// What machines showed.
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

/// Begins on every machine, again where that did not go well, until one of them holds the address and answers there.
async fn wait(hosts: &Hosts, context: &StepContext<'_>, mark: &Mark<VirtualAddress>) -> Result<(), Outcome> {
    let begun = hosts.clock().now();
    let mut told = false;
    let mut failures = begin_on(hosts, context, mark, mark.resource.machines.clone()).await?;
    loop {
        let seen = look_at(hosts, mark.resource.machines.clone()).await;
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
        failures = begin_on(hosts, context, mark, failures.into_keys().collect()).await?;
    }
}

fn is_over(hosts: &Hosts, begun: Timestamp) -> bool {
    let waited = Duration::try_from(hosts.clock().now().duration_since(begun));
    waited.is_ok_and(|waited| waited >= PATIENCE)
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

/// Begins on `machines`, all at once, and gives what went wrong where.
async fn begin_on(
    hosts: &Hosts,
    context: &StepContext<'_>,
    mark: &Mark<VirtualAddress>,
    machines: Vec<String>,
) -> Result<BTreeMap<String, ProviderError>, Outcome> {
    let line = mark.line()?;
    let begun = hosts
        .each(machines, |machine| {
            let line = line.clone();
            Box::pin(async move {
                let shell = hosts.need(&machine).map_err(Outcome::Rejected)?;
                let what = Begin {
                    name: "start keepalived",
                    kind: KIND,
                    is_rewritten: false,
                    line,
                    taints: &[],
                    units: &[KEEPALIVED],
                    token: None,
                    registers: false,
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
                    registers: false,
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

/// Looks at every host that is known: one that should not have the address may.
async fn look_at_all(hosts: &Hosts) -> Seen {
    look_at(hosts, hosts.names().map(str::to_owned).collect()).await
}

async fn look_at(hosts: &Hosts, machines: Vec<String>) -> Seen {
    let seen = hosts
        .each(machines, |name| {
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

#[cfg(test)]
mod tests;
