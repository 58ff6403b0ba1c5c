//! The machines of a cluster, for reading.

use keelson_provider_api::values::Version;

use super::humane::printable;
use super::styles::{BAD, CHANGE, FAINT, GOOD, paint};
use super::table::table;
use crate::ops::{BundleState, NodeEntry, NodeList, NodeState};

/// What stands for something that is not there.
const NONE: &str = "-";

/// The list as a table, and what is wrong below it.
pub fn render(list: &NodeList) -> String {
    let rows: Vec<Vec<String>> = list.nodes.iter().map(row).collect();
    let header = [
        "NAME",
        "GROUP",
        "ROLES",
        "ADDRESS",
        "KUBERNETES",
        "ETCD",
        "BUNDLE",
        "STATE",
    ];
    table(&header, &rows)
}

fn row(node: &NodeEntry) -> Vec<String> {
    vec![
        node.name.clone(),
        node.group.clone(),
        roles(node),
        node.address.as_deref().map_or_else(|| NONE.to_owned(), printable),
        version(node.kubernetes_version),
        version(node.etcd_version),
        bundle(node),
        state(node),
    ]
}

fn roles(node: &NodeEntry) -> String {
    let name = |role| match serde_json::to_value(role) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    };
    node.roles.iter().map(name).collect::<Vec<_>>().join(",")
}

fn version(version: Option<Version>) -> String {
    version.map_or_else(|| NONE.to_owned(), |version| format!("v{version}"))
}

fn bundle(node: &NodeEntry) -> String {
    match node.bundle {
        BundleState::Current => "current".to_owned(),
        BundleState::Outdated => format!("outdated: {}", node.outdated.join(", ")),
        BundleState::Absent | BundleState::Unwanted => NONE.to_owned(),
        BundleState::Unknown => "unknown".to_owned(),
    }
}

/// The last column, so that colours and long reasons do not push others aside.
fn state(node: &NodeEntry) -> String {
    let (style, word) = match node.state {
        NodeState::Ready => (GOOD, "ready"),
        NodeState::Unwell => (BAD, "unwell"),
        NodeState::Absent => (CHANGE, "not part of the cluster yet"),
        NodeState::Foreign => (BAD, "not this cluster's"),
        NodeState::Unknown => (BAD, "unknown"),
    };
    let mut text = paint(style, word);
    if let Some(problem) = &node.problem {
        text = format!("{text}: {}", printable(problem));
    }
    if !node.in_spec {
        text = format!("{text} {}", paint(FAINT, "(not in the spec)"));
    }
    text
}
