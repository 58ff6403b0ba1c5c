//! One host under two names.

use std::collections::BTreeMap;

use keelson_provider_api::Finding;

use super::found;
use crate::facts::{Facts, FactsError};
use crate::hosts::Hosts;
use crate::target::Target;

/// Hosts among `answers` that are known under another name too: by their machine-id, or by how they are reached.
pub(super) fn findings(hosts: &Hosts, answers: &BTreeMap<String, Result<Facts, FactsError>>) -> Vec<Finding> {
    let mut by_id: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut by_place: BTreeMap<(String, Option<u16>), Vec<String>> = BTreeMap::new();
    for name in hosts.names() {
        if let Some(target) = hosts.target(name).filter(|_| hosts.is_in_spec(name)) {
            by_place.entry(place(target)).or_default().push(name.to_owned());
        }
        let id = match answers.get(name) {
            Some(Ok(facts)) => Some(facts.machine_id.clone()),
            Some(Err(_)) => None,
            None => hosts.machine_id(name),
        };
        if let Some(id) = id {
            by_id.entry(id).or_default().push(name.to_owned());
        }
    }
    let mut problems: BTreeMap<String, String> = BTreeMap::new();
    for (id, names) in &by_id {
        for name in names.iter().filter(|_| names.len() > 1) {
            let others = others(names, name);
            problems.insert(
                name.clone(),
                format!("it is the same host as {others}: both have the machine-id {id}"),
            );
        }
    }
    for ((address, _), names) in &by_place {
        for name in names.iter().filter(|_| names.len() > 1) {
            let others = others(names, name);
            problems.insert(
                name.clone(),
                format!("it is the same host as {others}: both are reached at {address}"),
            );
        }
    }
    let claimed = problems
        .into_iter()
        .filter(|(name, _)| answers.contains_key(name));
    claimed
        .map(|(name, problem)| found("duplicate-host", &name, problem))
        .collect()
}

fn place(target: &Target) -> (String, Option<u16>) {
    (
        target.address.to_ascii_lowercase(),
        target.port.filter(|&port| port != 22),
    )
}

fn others(names: &[String], name: &str) -> String {
    let others: Vec<_> = names
        .iter()
        .filter(|other| *other != name)
        .map(String::as_str)
        .collect();
    others.join(", ")
}
