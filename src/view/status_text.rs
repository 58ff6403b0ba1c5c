//! How a cluster is doing, for reading.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::backups_text::age;
use super::groups::fold_names;
use super::humane::{plural, printable};
use super::styles::{BAD, CHANGE, GOOD, STRONG, paint};
use super::table::table;
use super::trouble;
use crate::ops::{CertificatesStatus, ClusterStatus, Condition, NodeStatus, SnapshotStatus};

/// Groups of more nodes than this are folded to one row, as long as all are alike.
const ROWS_OF_A_GROUP: usize = 10;

/// So many problems are named of those that are waited for; the others are counted.
const WAITS_LIMIT: usize = 3;

/// The status as text.
pub fn render(status: &ClusterStatus) -> String {
    let mut text = format!(
        "Cluster {}: {}\n",
        paint(STRONG, &status.name),
        condition(status.condition)
    );
    if !status.exists {
        text.push_str("  it has not been applied yet, or has been destroyed\n");
        write_lease(&mut text, status);
        return text;
    }
    match &status.endpoint {
        Some(endpoint) => {
            let _ = writeln!(text, "  API  {endpoint}");
        }
        None if status.control_planes.is_empty() => {}
        None => text.push_str("  API  no address yet\n"),
    }
    text.push_str(&problems(status));
    for warning in &status.warnings {
        let _ = writeln!(text, "  {} {}", paint(CHANGE, "!"), printable(warning));
    }
    text.push('\n');
    write_machines(&mut text, status);
    write_etcd(&mut text, status);
    write_nodes(&mut text, status);
    write_rest(&mut text, status);
    text
}

/// What is waited for until a cluster is well, in a line.
pub fn waits_for(status: &ClusterStatus) -> String {
    let named = status.problems.iter().take(WAITS_LIMIT);
    let mut parts: Vec<String> = named.map(|problem| printable(&problem.to_string())).collect();
    let more = status.problems.len().saturating_sub(WAITS_LIMIT);
    if more > 0 {
        parts.push(format!("and {more} more"));
    }
    format!("still waiting: {}", parts.join("; "))
}

/// What is wrong, folded: one trouble of a hundred machines is one line.
pub(super) fn problems(status: &ClusterStatus) -> String {
    trouble::problems(&status.problems, "`keelson status -o json` has them all")
}

fn condition(condition: Condition) -> String {
    match condition {
        Condition::Healthy => paint(GOOD, "healthy"),
        Condition::Degraded => paint(CHANGE, "degraded"),
        Condition::Down => paint(BAD, "down"),
        Condition::Absent => paint(CHANGE, "there is no such cluster"),
    }
}

fn state(problem: Option<&String>) -> String {
    problem.map_or_else(|| "ok".to_owned(), |problem| printable(problem))
}

fn write_machines(text: &mut String, status: &ClusterStatus) {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut groups: Vec<&str> = status
        .machines
        .iter()
        .map(|machine| machine.group.as_str())
        .collect();
    groups.sort_unstable();
    groups.dedup();
    for group in groups {
        let members: Vec<_> = status
            .machines
            .iter()
            .filter(|machine| machine.group == group)
            .collect();
        let all_well = members.iter().all(|machine| machine.problem.is_none());
        if all_well && members.len() > ROWS_OF_A_GROUP {
            let names: Vec<String> = members.iter().map(|machine| machine.name.clone()).collect();
            rows.push(vec![
                fold_names(&names),
                group.to_owned(),
                format!("{} machines", members.len()),
                "ok".to_owned(),
            ]);
            continue;
        }
        for machine in members {
            let state = state(machine.problem.as_ref());
            rows.push(vec![
                machine.name.clone(),
                group.to_owned(),
                machine.id.clone(),
                state,
            ]);
        }
    }
    let _ = writeln!(text, "{}", paint(STRONG, "Machines"));
    text.push_str(&table(&["NAME", "GROUP", "ID", "STATE"], &rows));
    text.push('\n');
}

fn write_etcd(text: &mut String, status: &ClusterStatus) {
    for (name, etcd) in &status.etcd {
        let quorum = if etcd.quorum {
            paint(GOOD, "has quorum")
        } else {
            paint(BAD, "no quorum")
        };
        let _ = writeln!(text, "{} {quorum}", paint(STRONG, format!("etcd ({name})")));
        let rows: Vec<Vec<String>> = etcd
            .members
            .iter()
            .map(|member| {
                let phase = serde_json::to_value(member.phase).ok();
                let phase = phase
                    .as_ref()
                    .and_then(|phase| phase.as_str())
                    .unwrap_or_default()
                    .to_owned();
                vec![member.machine.clone(), phase, state(member.problem.as_ref())]
            })
            .collect();
        text.push_str(&table(&["MEMBER", "PHASE", "STATE"], &rows));
        text.push('\n');
    }
}

fn write_nodes(text: &mut String, status: &ClusterStatus) {
    let row = |name: String, node: &NodeStatus| {
        let version = node
            .version
            .map_or_else(String::new, |version| format!("v{version}"));
        let state = if node.ready {
            "Ready".to_owned()
        } else {
            state(node.problem.as_ref())
        };
        vec![name, node.group.clone(), version, state]
    };
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut groups: Vec<&str> = status.nodes.iter().map(|node| node.group.as_str()).collect();
    groups.sort_unstable();
    groups.dedup();
    for group in groups {
        let members: Vec<&NodeStatus> = status.nodes.iter().filter(|node| node.group == group).collect();
        let alike = |node: &&NodeStatus| node.ready && node.version == members[0].version;
        if members.len() > ROWS_OF_A_GROUP && members.iter().all(alike) {
            let names: Vec<String> = members.iter().map(|node| node.name.clone()).collect();
            rows.push(row(fold_names(&names), members[0]));
        } else {
            rows.extend(members.into_iter().map(|node| row(node.name.clone(), node)));
        }
    }
    let _ = writeln!(text, "{}", paint(STRONG, "Nodes"));
    text.push_str(&table(&["NAME", "GROUP", "VERSION", "STATE"], &rows));
    text.push('\n');
}

fn write_rest(text: &mut String, status: &ClusterStatus) {
    if let Some(certificates) = &status.certificates {
        let _ = writeln!(text, "Certificates   {}", of_certificates(certificates));
    }
    write_snapshots(text, status);
    let drift = match (status.pending_changes, status.blocked) {
        (0, 0) => "none: the cluster is as the spec says".to_owned(),
        (0, blocked) => format!("{} blocked; `keelson plan` says why", plural(blocked, "resource")),
        (changes, _) => format!("{}; `keelson plan` shows them", plural(changes, "change")),
    };
    let _ = writeln!(text, "Drift          {drift}");
    if let Some(end) = status.ends_at {
        let _ = writeln!(
            text,
            "Lifetime       until {end:.0}; nothing but `keelson destroy` ends the cluster"
        );
    }
    write_lease(text, status);
}

/// How old the last snapshot of each etcd is: by the etcd's name where there are several.
fn write_snapshots(text: &mut String, status: &ClusterStatus) {
    let mut label = "Last snapshot";
    for (etcd, snapshot) in &status.last_snapshots {
        let of_etcd = match status.last_snapshots.len() {
            1 => String::new(),
            _ => format!("{}: ", printable(etcd)),
        };
        let snapshot = snapshot.as_ref().map_or_else(
            || "none yet".to_owned(),
            |last| of_snapshot(last, status.observed_at),
        );
        let _ = writeln!(text, "{label:<13}  {of_etcd}{snapshot}");
        label = "";
    }
}

fn of_snapshot(snapshot: &SnapshotStatus, now: Timestamp) -> String {
    let ago = match age(snapshot.taken_at, now) {
        ago if snapshot.taken_at <= now => format!("{ago} ago"),
        ahead => ahead,
    };
    format!(
        "{:.0}, {ago} ({})",
        snapshot.taken_at,
        printable(&snapshot.purpose)
    )
}

fn of_certificates(certificates: &CertificatesStatus) -> String {
    let mut words = certificates.count.to_string();
    if let Some(end) = certificates.next_end {
        let _ = write!(words, "; the first ends {end:.0}");
    }
    if certificates.unseen_machines > 0 {
        let machines = plural(certificates.unseen_machines, "machine");
        let _ = write!(words, "; those of {machines} could not be looked at");
    }
    if certificates.unknown > 0 {
        let _ = write!(words, "; nothing is known of {}", certificates.unknown);
    }
    if certificates.not_good > 0 {
        let not_good = paint(BAD, format!("{} not good", certificates.not_good));
        let _ = write!(words, "; {not_good}: `keelson certs check` shows them");
    }
    words
}

fn write_lease(text: &mut String, status: &ClusterStatus) {
    if let Some(lease) = &status.lease {
        let _ = writeln!(
            text,
            "Lease          {} since {:.0} ({}), until {:.0} unless it is renewed",
            lease.holder, lease.since, lease.purpose, lease.expires_at
        );
    }
}
