//! What a run did, how long it took, and what to do next.

use std::fmt::Write as _;

use keelson_provider_api::ResourceKey;

use super::groups::fold_names;
use super::humane::{duration, plural};
use super::styles::{BAD, GOOD, STRONG, paint};
use super::{status_text, trouble, waiting};
use crate::execute::Executed;
use crate::ops::{Applied, ClusterStatus, Condition, Destroyed};
use crate::plan::{Held, PlanReport};

/// So many failures are shown one by one.
const FAILURE_LIMIT: usize = 10;

/// The end of an apply that reached its goal; `offers_etcd` for a cluster whose etcd others are to use.
pub fn applied(applied: &Applied, status: &ClusterStatus, spec_file: &str, offers_etcd: bool) -> String {
    let mut text = String::new();
    let name = &applied.identity.name;
    let is_well = status.condition == Condition::Healthy;
    let done = if is_well {
        paint(GOOD, "Done:")
    } else {
        paint(BAD, "Done, and not all is well:")
    };
    if applied.steps_done() == 0 {
        let _ = writeln!(
            text,
            "{done} cluster {name} is as the spec says; nothing was changed"
        );
    } else {
        let _ = writeln!(
            text,
            "{done} cluster {name} is as the spec says: {} in {}",
            plural(applied.steps_done(), "step"),
            duration(applied.took())
        );
    }
    let api = status
        .endpoint
        .iter()
        .map(|endpoint| format!("; API at {endpoint}"));
    let api: String = api.collect();
    let ready = status.nodes.iter().filter(|node| node.ready).count();
    if status.nodes.is_empty() && status.control_planes.is_empty() {
        let members = status.etcd.values().flat_map(|etcd| &etcd.members);
        let well = members.clone().filter(|member| member.problem.is_none()).count();
        let members = plural(members.count(), "etcd member");
        let _ = writeln!(text, "      {members}, {well} healthy");
    } else {
        let _ = writeln!(
            text,
            "      {}, {ready} of {} Ready{api}",
            plural(status.control_planes.len(), "control plane"),
            plural(status.nodes.len(), "node"),
        );
    }
    if !is_well {
        text.push_str(&status_text::problems(status));
    }
    if applied.steps_done() == 0 && is_well {
        return text;
    }
    let mut commands = vec![(
        format!("keelson status -f {spec_file}"),
        "how the cluster is doing",
    )];
    if status.endpoint.is_some() {
        commands.push((
            format!("keelson kubeconfig -f {spec_file}"),
            "credentials for kubectl",
        ));
    }
    if offers_etcd {
        commands.push((
            format!("keelson etcd credentials -f {spec_file} --out etcd-client"),
            "a certificate and endpoints for its clients",
        ));
    }
    text + &next(&commands)
}

/// The end of bringing in (`is_there`) or taking out one machine.
pub fn of_one_node(changed: &Applied, machine: &str, is_there: bool, spec_file: &str) -> String {
    let name = &changed.identity.name;
    let done = match (is_there, changed.steps_done()) {
        (true, 0) => format!("{machine} is in cluster {name} already; nothing was changed"),
        (true, steps) => format!(
            "{machine} is in cluster {name}: {} in {}",
            plural(steps, "step"),
            duration(changed.took())
        ),
        (false, steps) => format!(
            "{machine} is out of cluster {name}: {} in {}",
            plural(steps, "step"),
            duration(changed.took())
        ),
    };
    let mut text = format!("{} {done}\n", paint(GOOD, "Done:"));
    if changed.left_out > 0 {
        let left = plural(changed.left_out, "other change");
        let _ = writeln!(text, "      {left} of the spec wait for an apply");
        text += &next(&[(format!("keelson plan -f {spec_file}"), "what they are")]);
    }
    text
}

/// The end of a destroy; the keys of the hosts `pinned` stay remembered, `forget` is the command that forgets one, and nobody
/// asked the hosts `gone`.
pub fn destroyed(destroyed: &Destroyed, pinned: &[String], forget: &str, gone: &[String]) -> String {
    let but = if gone.is_empty() {
        String::new()
    } else {
        format!(" but what is on {}, which nobody asked", fold_names(gone))
    };
    let mut text = format!(
        "{} cluster {} is gone: {} in {}; nothing of it is left{but}\n",
        paint(GOOD, "Done:"),
        destroyed.name,
        plural(destroyed.steps_done, "step"),
        duration(destroyed.took)
    );
    if !pinned.is_empty() {
        let _ = writeln!(
            text,
            "      the SSH keys of {} stay remembered in the state store, so that the next cluster there notices another\n      \
             key in their place; `{forget} NAME` forgets one",
            fold_names(pinned)
        );
    }
    text
}

/// The end of a run in which steps failed or were not started.
pub fn unfinished(executed: &Executed, again: &str) -> String {
    let mut text = format!(
        "{} {} done in {}, {} failed, {} not started\n",
        plural(executed.done, "step"),
        if executed.done == 1 { "was" } else { "were" },
        duration(executed.took),
        executed.failures.len(),
        executed.not_started
    );
    for failure in executed.failures.iter().take(FAILURE_LIMIT) {
        let _ = writeln!(
            text,
            "  {} {} {}: {}",
            paint(BAD, "!"),
            failure.verb,
            failure.key,
            failure.problem
        );
        if let Some(help) = &failure.help {
            let _ = writeln!(text, "    {help}");
        }
    }
    if let Some(more) = executed
        .failures
        .len()
        .checked_sub(FAILURE_LIMIT)
        .filter(|&more| more > 0)
    {
        let _ = writeln!(text, "  and {more} more");
    }
    text + &next(&[(again.to_owned(), "goes on from here")])
}

/// What nothing may be done to, at the end of a run that did everything else.
pub fn blocked(report: &PlanReport) -> String {
    trouble::blocked(report, "`keelson plan -o json` has them all")
}

/// What waits for something that was not done.
pub fn waiting(held: &[Held]) -> String {
    waiting::lines(held)
}

/// What a destroy could not take away.
pub fn left_over(keys: &[ResourceKey]) -> String {
    let mut text = String::new();
    for key in keys.iter().take(FAILURE_LIMIT) {
        let _ = writeln!(text, "  {key}");
    }
    if let Some(more) = keys.len().checked_sub(FAILURE_LIMIT).filter(|&more| more > 0) {
        let _ = writeln!(text, "  and {more} more");
    }
    text
}

fn next(commands: &[(String, &str)]) -> String {
    let width = commands
        .iter()
        .map(|(command, _)| command.len())
        .max()
        .unwrap_or(0);
    let mut text = format!("{}\n", paint(STRONG, "Next:"));
    for (command, purpose) in commands {
        let _ = writeln!(text, "  {command:width$}  {purpose}");
    }
    text
}
