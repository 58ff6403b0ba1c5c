//! What keeps a host from running kubelet and pods.

use std::collections::BTreeMap;
use std::time::Duration;

use keelson_provider_api::Finding;
use keelson_provider_api::kinds::{Machine, MachineRole};

use super::{FINDINGS, HostNeeds, found};
use crate::hosts::Hosts;
use crate::session::root::one_line;
use crate::shell::Job;

const SCRIPT: &str = include_str!("../scripts/node-check.sh");
const TIMEOUT: Duration = Duration::from_secs(30);

/// Asks every host among `claims` that is to be a node. One that does not answer has its finding already.
pub(super) async fn findings(
    hosts: &Hosts,
    claims: &BTreeMap<&str, &Machine>,
    needs: &HostNeeds,
) -> Vec<Finding> {
    let is_node = |machine: &Machine| {
        let roles = &machine.roles;
        roles.contains(&MachineRole::ControlPlane) || roles.contains(&MachineRole::Worker)
    };
    let nodes = claims.iter().filter(|(_, machine)| is_node(machine));
    let names: Vec<String> = nodes.map(|(name, _)| (*name).to_owned()).collect();
    let runtime = if needs.brings_containerd { "brought" } else { "own" };
    let mut arguments = vec![runtime.to_owned()];
    arguments.extend(needs.node_programs.iter().cloned());
    let answers = hosts
        .each(names, |name| {
            let arguments = arguments.clone();
            Box::pin(async move {
                let shell = hosts.shell(&name)?;
                let job = Job {
                    name: "check the node",
                    script: SCRIPT,
                    arguments,
                    input: Vec::new(),
                    timeout: TIMEOUT,
                };
                Some(shell.run(&job, &|_| {}).await.ok()?.stdout)
            })
        })
        .await;
    answers
        .iter()
        .flat_map(|(name, answer)| of_answer(name, answer.as_deref().unwrap_or_default()))
        .collect()
}

fn of_answer(name: &str, text: &str) -> Vec<Finding> {
    let lines = text.lines().filter_map(|line| line.split_once('\t'));
    lines
        .filter_map(|(finding, problem)| {
            let row = FINDINGS.iter().find(|row| row.name == finding)?;
            Some(found(row.name, name, one_line(problem)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_script_finds_has_rows_and_rubbish_is_nothing() {
        for name in ["kernel-modules", "node-programs", "container-runtime"] {
            assert!(SCRIPT.contains(&format!("say {name} ")), "{name}");
            let found = of_answer("a", &format!("{name}\tit is so\n"));
            assert_eq!(found.len(), 1, "{name}");
            assert!(found[0].can_be_ignored && found[0].help.as_ref().unwrap().len() > 10);
        }
        assert_eq!(of_answer("a", "\nx\ty\n\t\nkernel-modules"), []);
    }
}
