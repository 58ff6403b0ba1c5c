//! Waiting until a machine is as well with its new bundle as it was with the one before.
//!
//! A kubelet that does not like its settings, or an API server that does not know a flag, ends only after the script that
//! put them there: whoever went on to the next machine then would take one after the other down.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use keelson_provider_api::kinds::ControlPlane;
use keelson_provider_api::{ErrorClass, Outcome, ProviderError, StepContext};

use super::look::{Look, look};
use super::start::{FIRST_WORDS, KIND, PATIENCE, Wait, lacking};
use super::words::words;
use crate::hearing::Hearing;
use crate::hosts::Hosts;
use crate::session::root::one_line;
use crate::shell::{Job, Shell};

const SCRIPT: &str = concat!(
    include_str!("../scripts/unit.sh"),
    include_str!("../scripts/kubernetes-running.sh")
);
/// A few static pods, each asked about in up to ten seconds, and its containers.
const LIMIT: Duration = Duration::from_secs(120);
/// More than any machine has to say.
const ANSWER_BYTES: usize = 1 << 16;
const POLL: Duration = Duration::from_secs(1);
/// Where a control plane did not answer before, it may be others that it waits for.
const SHORT_PATIENCE: Duration = Duration::from_secs(60);

/// What a machine runs of Kubernetes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Running {
    /// True for a control plane or a node; nothing is said of other machines.
    is_node: bool,
    /// True where its kubelet has run for a few seconds.
    is_steady: bool,
    /// The digests of its static pods' manifests, by name.
    manifests: BTreeMap<String, String>,
    /// The pods that were made of them and are up.
    pods: BTreeMap<String, BTreeSet<String>>,
}

impl Running {
    fn read(text: &str) -> Option<Self> {
        let mut running = Self::default();
        let mut is_whole = false;
        for (key, value) in text.lines().filter_map(|line| line.split_once('\t')) {
            let (name, rest) = value.split_once(' ').unwrap_or((value, ""));
            match key {
                "node" => running.is_node = true,
                "steady" => running.is_steady = true,
                "manifest" => {
                    running.manifests.insert(name.to_owned(), rest.to_owned());
                }
                "pod" => {
                    let pods = running.pods.entry(name.to_owned()).or_default();
                    pods.insert(rest.to_owned());
                }
                "end" => is_whole = true,
                _ => {}
            }
        }
        is_whole.then_some(running)
    }

    /// What is not up yet of what differs from `before`.
    fn lacks(&self, before: &Self) -> Vec<String> {
        let kubelet = (!self.is_steady).then(|| "kubelet.service".to_owned());
        let nothing = BTreeSet::new();
        let is_up = |name: &str| {
            let pods = |of: &Self| of.pods.get(name).unwrap_or(&nothing).clone();
            before.manifests.get(name) == self.manifests.get(name) || !pods(self).is_subset(&pods(before))
        };
        let stale = self.manifests.keys().filter(|name| !is_up(name));
        kubelet
            .into_iter()
            .chain(stale.map(|name| format!("the new pod of {name}")))
            .collect()
    }
}

/// A machine whose bundle is about to change.
pub(crate) struct Settling<'a> {
    hosts: &'a Hosts,
    shell: &'a dyn Shell,
    context: &'a StepContext<'a>,
    before: Running,
    control_plane: Before,
}

/// How the control plane of a machine was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// There is none, or it has never answered: it is waited for by whoever makes it.
    Absent,
    Answered,
    Silent,
}

impl<'a> Settling<'a> {
    /// Looks at the machine before its bundle changes.
    ///
    /// # Errors
    /// When it cannot be asked; nothing has been done then.
    pub(crate) async fn of(
        hosts: &'a Hosts,
        shell: &'a dyn Shell,
        context: &'a StepContext<'a>,
    ) -> Result<Self, Outcome> {
        let before = running(shell).await.map_err(Outcome::Rejected)?;
        let mut control_plane = Before::Absent;
        if before.is_node {
            let seen: Look<ControlPlane> = look(shell, KIND, Duration::ZERO)
                .await
                .map_err(|error| Outcome::Rejected(error.into()))?;
            let mark = seen.ours(context.cluster.uid.as_ref());
            if mark.is_some_and(|mark| mark.answered_at.is_some()) {
                control_plane = match lacking(&seen).next() {
                    None => Before::Answered,
                    Some(_) => Before::Silent,
                };
            }
        }
        Ok(Self {
            hosts,
            shell,
            context,
            before,
            control_plane,
        })
    }

    /// Waits until the machine is well with its new bundle.
    ///
    /// # Errors
    /// [`Outcome::Rejected`] with the machine's own words when it is not. A control plane that did not answer before either
    /// is waited for, and nothing more: it may be others that it needs.
    pub(crate) async fn end(self) -> Result<(), Outcome> {
        if !self.before.is_node {
            return Ok(());
        }
        let until_it_runs = self.until_it_runs(&self.wait(PATIENCE)).await;
        until_it_runs.map_err(Outcome::Rejected)?;
        match self.control_plane {
            Before::Absent => Ok(()),
            Before::Answered => {
                let answer = self.wait(PATIENCE).until_it_answers().await;
                answer.map(drop).map_err(Outcome::Rejected)
            }
            Before::Silent => {
                if let Err(error) = self.wait(SHORT_PATIENCE).until_it_answers().await {
                    self.context.progress.tell(&error.message);
                }
                Ok(())
            }
        }
    }

    fn wait(&self, patience: Duration) -> Wait<'_> {
        Wait {
            shell: self.shell,
            clock: &**self.hosts.clock(),
            context: self.context,
            begun: self.hosts.clock().now(),
            patience,
        }
    }

    async fn until_it_runs(&self, wait: &Wait<'_>) -> Result<(), ProviderError> {
        let mut told = String::new();
        loop {
            let lacks = running(self.shell).await?.lacks(&self.before);
            if lacks.is_empty() {
                return Ok(());
            }
            let action = format!("wait for {}", lacks.join(", "));
            if action != told {
                self.context.progress.tell(&action);
                told = action;
            }
            if wait.waited() >= FIRST_WORDS {
                let words = words(self.shell, wait.waited()).await?;
                let is_late = wait.waited() >= wait.patience;
                // Of pods that are not there yet nothing can be said: those before them may have ended badly.
                let why = words.of_units().or_else(|| is_late.then(|| words.of_node())?);
                match why {
                    Some(why) => return Err(self.failed(&lacks, &why)),
                    None if is_late => return Err(self.failed(&lacks, "it says nothing of it")),
                    None => {}
                }
            }
            wait.clock.sleep(POLL).await;
        }
    }

    fn failed(&self, lacks: &[String], why: &str) -> ProviderError {
        let host = self.shell.host();
        let message = format!(
            "{host} has its new bundle, and {} does not come up: {why}",
            lacks.join(", ")
        );
        ProviderError::new(ErrorClass::Permanent, message).with_help(format!(
            "put the spec right, or mend that on {host}, and run keelson again; what waits for {host} was not touched"
        ))
    }
}

async fn running(shell: &dyn Shell) -> Result<Running, ProviderError> {
    let job = Job {
        name: "see what runs of Kubernetes",
        script: SCRIPT,
        arguments: Vec::new(),
        input: Vec::new(),
        timeout: LIMIT,
    };
    let hearing = Hearing::new(ANSWER_BYTES);
    let output = shell.run(&job, &|line| hearing.hear(line)).await?;
    Running::read(&hearing.into_text()).ok_or_else(|| {
        ProviderError::new(
            ErrorClass::Transient,
            format!(
                "{} says nothing whole of what it runs: {}",
                shell.host(),
                one_line(output.stderr.trim())
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "node\tyes\nsteady\tyes\nmanifest\tkube-apiserver 11\npod\tkube-apiserver one\n\
        manifest\tkube-scheduler 22\npod\tkube-scheduler two\nend\tend\n";

    #[test]
    fn an_answer_is_whole_or_none() {
        assert_eq!(Running::read("node\tyes\n"), None);
        assert_eq!(Running::read("end\tend\n"), Some(Running::default()));
    }

    #[test]
    fn what_has_changed_is_waited_for_until_its_pod_is_another() {
        let before = Running::read(BEFORE).unwrap();
        for (after, lacks) in [
            (BEFORE.to_owned(), &[][..]),
            (BEFORE.replace("steady\tyes\n", ""), &["kubelet.service"]),
            (
                BEFORE.replace("kube-apiserver 11", "kube-apiserver 12"),
                &["the new pod of kube-apiserver"],
            ),
            (
                BEFORE.replace("kube-apiserver 11\npod\tkube-apiserver one", "kube-apiserver 12"),
                &["the new pod of kube-apiserver"],
            ),
            (
                BEFORE.replace(
                    "kube-apiserver 11\npod\tkube-apiserver one",
                    "kube-apiserver 12\npod\tkube-apiserver three",
                ),
                &[],
            ),
            // The old one is on its way out, and a manifest that is gone is waited for by nobody.
            (
                BEFORE.replace(
                    "kube-apiserver 11\n",
                    "kube-apiserver 12\npod\tkube-apiserver three\n",
                ),
                &[],
            ),
            (BEFORE.replace("manifest\tkube-scheduler 22\n", ""), &[]),
        ] {
            assert_eq!(Running::read(&after).unwrap().lacks(&before), lacks, "{after}");
        }
    }
}
