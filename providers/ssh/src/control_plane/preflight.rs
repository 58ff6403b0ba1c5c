//! What stands in the way of a virtual address, found before anything is touched.

use std::collections::BTreeMap;
use std::time::Duration;

use keelson_provider_api::kinds::VirtualAddress;
use keelson_provider_api::{Action, Change, Finding, Resource, Severity};

use crate::hosts::Hosts;
use crate::session::root::one_line;
use crate::shell::Job;

const SCRIPT: &str = include_str!("../scripts/virtual-address-check.sh");
const TIMEOUT: Duration = Duration::from_secs(30);

/// What the script can find: the finding's name, and what to do about it.
const FINDINGS: &[(&str, &str)] = &[
    (
        "keepalived",
        "install it on {host}: apt-get install keepalived; or balance the API yourself, name that address in \
         spec.provider.ssh.apiAddress and write keepalived: false beside it",
    ),
    (
        "api-address-network",
        "choose an address of the network that the control planes share, one that nobody has",
    ),
    (
        "api-address-own",
        "choose a free address of the hosts' network for spec.provider.ssh.apiAddress; with one control plane, write it as \
         the host's privateAddress, or keepalived: false beside apiAddress, and it stays where it is",
    ),
    (
        "api-address-taken",
        "find out who has it (ip neigh; arp-scan) and choose another address for spec.provider.ssh.apiAddress; where it is \
         your load balancer's, write keepalived: false beside it",
    ),
];

/// Everything that stands in the way of the virtual addresses that `changes` make. A machine that does not answer is found
/// by the preflight of machines.
pub(super) async fn findings(hosts: &Hosts, changes: &[&Change]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for wanted in changes.iter().filter_map(|change| made(change)) {
        let answers = hosts
            .each(wanted.machines.iter().cloned(), |machine| {
                Box::pin(async move {
                    let shell = hosts.shell(&machine)?;
                    let job = Job {
                        name: "check the virtual address",
                        script: SCRIPT,
                        arguments: vec![wanted.address.clone()],
                        input: Vec::new(),
                        timeout: TIMEOUT,
                    };
                    Some(shell.run(&job, &|_| {}).await.ok()?.stdout)
                })
            })
            .await;
        findings.extend(of_answers(&answers));
    }
    findings
}

fn made<'a>(change: &'a &Change) -> Option<&'a VirtualAddress> {
    match (&change.action, change.resource()) {
        (Action::Create { .. } | Action::Update { .. }, Resource::VirtualAddress(wanted)) => Some(wanted),
        _ => None,
    }
}

/// An address that one of the machines itself has is taken by nobody else.
fn of_answers(answers: &BTreeMap<String, Option<String>>) -> Vec<Finding> {
    let lines = || {
        answers.iter().flat_map(|(machine, answer)| {
            let lines = answer.iter().flat_map(|text| text.lines());
            lines
                .filter_map(|line| line.split_once('\t'))
                .map(move |(name, problem)| (machine, name, problem))
        })
    };
    let is_held = lines().any(|(_, name, _)| matches!(name, "holds" | "api-address-own"));
    let mut findings = Vec::new();
    for (machine, name, problem) in lines() {
        let Some((name, help)) = FINDINGS.iter().find(|(known, _)| *known == name) else {
            continue;
        };
        if *name == "api-address-taken" && is_held {
            continue;
        }
        findings.push(Finding {
            machine: machine.clone(),
            name: (*name).to_owned(),
            problem: one_line(problem),
            help: Some(help.replace("{host}", machine)),
            severity: Severity::Error,
            can_be_ignored: true,
        });
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_have_names_and_help_and_an_own_address_is_none() {
        let answers = |of_b: &str| {
            BTreeMap::from([
                (
                    "a".to_owned(),
                    Some(
                        "keepalived\tit has no keepalived\napi-address-taken\tx answers\nrubbish\tx\n"
                            .to_owned(),
                    ),
                ),
                ("b".to_owned(), Some(of_b.to_owned())),
                ("c".to_owned(), None),
            ])
        };
        let names = |of_b: &str| -> Vec<String> {
            of_answers(&answers(of_b))
                .into_iter()
                .map(|finding| finding.name)
                .collect()
        };
        assert_eq!(names(""), ["keepalived", "api-address-taken"]);
        assert_eq!(names("holds\t10.0.0.100\n"), ["keepalived"]);
        let own = names("api-address-own\t10.0.0.12 is its own\n");
        assert_eq!(own, ["keepalived", "api-address-own"]);
        assert!(
            of_answers(&answers(""))[0]
                .help
                .as_deref()
                .unwrap()
                .contains("install it on a")
        );
    }
}
