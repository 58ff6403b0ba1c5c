//! How a cluster's etcd is, for reading.

use std::fmt::Write as _;

use keelson_provider_api::kinds::MemberPhase;

use super::humane::{approximate_size, plural, printable};
use super::styles::{BAD, GOOD, STRONG, paint};
use super::table::table;
use crate::ops::{EtcdClusterReport, EtcdMemberReport, EtcdReport};

/// What stands for something that is not known.
const NONE: &str = "-";

/// The report as text: a table for each etcd cluster, and what is wrong below it.
pub fn render(report: &EtcdReport) -> String {
    let mut text = String::new();
    if let Some(restore) = &report.restore {
        let _ = writeln!(text, "{} {}", paint(BAD, "!"), printable(restore));
    }
    for (index, (name, cluster)) in report.clusters.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        write_cluster(&mut text, name, cluster);
    }
    if report.clusters.is_empty() {
        let _ = writeln!(text, "cluster {} has no etcd", report.name);
    }
    text
}

fn write_cluster(text: &mut String, name: &str, cluster: &EtcdClusterReport) {
    let condition = match (cluster.healthy, cluster.quorum) {
        (true, _) => paint(GOOD, "healthy"),
        (false, true) => paint(BAD, "has quorum, but is not healthy"),
        (false, false) => paint(BAD, "no quorum"),
    };
    let leader = cluster.leader.as_deref().map_or_else(
        || "no leader is known".to_owned(),
        |leader| format!("{leader} leads"),
    );
    let _ = writeln!(
        text,
        "{}: {condition}; {} of {} healthy, {leader}",
        paint(STRONG, format!("etcd ({name})")),
        cluster.healthy_voters,
        plural(cluster.voters, "voter"),
    );
    let header = [
        "MEMBER", "PHASE", "VERSION", "DB", "IN USE", "REVISION", "TERM", "INDEX", "LAG", "ANSWER", "ALARMS",
    ];
    let rows: Vec<Vec<String>> = cluster.members.iter().map(row).collect();
    text.push_str(&table(&header, &rows));
    for member in &cluster.members {
        if let Some(problem) = &member.problem {
            let _ = writeln!(
                text,
                "  {} {}: {}",
                paint(BAD, "!"),
                member.machine,
                printable(problem)
            );
        }
    }
}

fn row(member: &EtcdMemberReport) -> Vec<String> {
    let number = |number: Option<u64>| number.map_or_else(|| NONE.to_owned(), |number| number.to_string());
    let size = |bytes: Option<u64>| bytes.map_or_else(|| NONE.to_owned(), approximate_size);
    let phase = match member.phase {
        Some(MemberPhase::Voter) if member.is_leader => "leader",
        Some(MemberPhase::Voter) => "voter",
        Some(MemberPhase::Learner) => "learner",
        Some(MemberPhase::Waiting) => "waiting",
        None => NONE,
    };
    let alarms = match (member.alarms.is_empty(), member.raft_index) {
        (false, _) => printable(&member.alarms.join(" ")),
        (true, Some(_)) => "none".to_owned(),
        (true, None) => NONE.to_owned(),
    };
    vec![
        member.machine.clone(),
        phase.to_owned(),
        member
            .version
            .as_deref()
            .map_or_else(|| NONE.to_owned(), printable),
        size(member.database_bytes),
        size(member.database_in_use_bytes),
        number(member.revision),
        number(member.raft_term),
        number(member.raft_index),
        number(member.raft_lag),
        member
            .latency_ms
            .map_or_else(|| NONE.to_owned(), |latency| format!("{latency} ms")),
        alarms,
    ]
}
