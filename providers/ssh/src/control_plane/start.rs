//! Bringing a control plane up, and waiting until all of it answers.

use std::time::Duration;

use jiff::Timestamp;
use keelson_provider_api::kinds::ControlPlane;
use keelson_provider_api::{Clock, ErrorClass, Outcome, ProviderError, StepContext};

use super::begin::{Begin, CONTAINERD, KUBELET, begin};
use super::look::{COMPONENTS, Look, LookError, look};
use super::mark::Mark;
use super::words::{Words, words};
use crate::hosts::Hosts;
use crate::shell::{HostErrorKind, Shell};

pub(super) const KIND: &str = "control-plane";
/// As long as kubeadm waits for a control plane (`controlPlaneComponentHealthCheck` in
/// <https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/>).
pub(super) const PATIENCE: Duration = Duration::from_secs(240);
/// So long the machine waits by itself before it says again how far it is.
const SLICE: Duration = Duration::from_secs(2);
/// After so long without an answer the node is asked for its words, and then again and again.
pub(super) const FIRST_WORDS: Duration = Duration::from_secs(8);
/// A registry that does not answer is given so long to come back.
const PULL_PATIENCE: Duration = Duration::from_secs(45);

/// Makes a control plane of a machine, or goes on making it.
pub(super) async fn make(
    hosts: &Hosts,
    context: &StepContext<'_>,
    wanted: &ControlPlane,
    generation: u32,
) -> Result<(), Outcome> {
    let shell = hosts.need(&wanted.machine).map_err(Outcome::Rejected)?;
    let now = hosts.clock().now();
    let mark = Mark::new(context, &wanted.machine, generation, wanted.clone(), now)?;
    let what = Begin {
        name: "start the control plane",
        kind: KIND,
        is_rewritten: false,
        line: mark.line()?,
        taints: &[],
        units: &[CONTAINERD, KUBELET],
        token: None,
        registers: false,
    };
    begin(&*shell, context, what).await?;
    finish(hosts, context, &*shell, mark).await
}

/// Lets a control plane be what is wanted now. Its files came with the bundle, which has restarted what uses them.
pub(super) async fn change(
    hosts: &Hosts,
    context: &StepContext<'_>,
    wanted: &ControlPlane,
) -> Result<(), Outcome> {
    let shell = hosts.need(&wanted.machine).map_err(Outcome::Rejected)?;
    let seen: Look<ControlPlane> = look(&*shell, KIND, Duration::ZERO)
        .await
        .map_err(|error| Outcome::Rejected(error.into()))?;
    let Some(before) = seen.ours(context.cluster.uid.as_ref()) else {
        return make(hosts, context, wanted, 0).await;
    };
    let mark = Mark {
        resource: wanted.clone(),
        ..before.clone()
    };
    finish(hosts, context, &*shell, mark).await
}

/// Waits until it answers, and writes that down.
async fn finish(
    hosts: &Hosts,
    context: &StepContext<'_>,
    shell: &dyn Shell,
    mark: Mark<ControlPlane>,
) -> Result<(), Outcome> {
    let wait = Wait {
        shell,
        clock: &**hosts.clock(),
        context,
        begun: hosts.clock().now(),
        patience: PATIENCE,
    };
    let seen = wait.until_it_answers().await.map_err(Outcome::Indeterminate)?;
    // What a run before has written stays as it was.
    let before = seen.ours(context.cluster.uid.as_ref());
    let answered = Mark {
        answered_at: before
            .and_then(|before| before.answered_at)
            .or_else(|| Some(hosts.clock().now())),
        created_at: before.map_or(mark.created_at, |before| before.created_at),
        ..mark
    };
    if before == Some(&answered) {
        return Ok(());
    }
    let what = Begin {
        name: "mark the control plane",
        kind: KIND,
        is_rewritten: true,
        line: answered.line()?,
        taints: &[],
        units: &[],
        token: None,
        registers: false,
    };
    begin(shell, context, what).await
}

/// Waits for one machine.
pub(super) struct Wait<'a> {
    pub(super) shell: &'a dyn Shell,
    pub(super) clock: &'a dyn Clock,
    pub(super) context: &'a StepContext<'a>,
    pub(super) begun: Timestamp,
    pub(super) patience: Duration,
}

impl Wait<'_> {
    pub(super) fn waited(&self) -> Duration {
        Duration::try_from(self.clock.now().duration_since(self.begun)).unwrap_or_default()
    }

    /// Until all of its control plane answers.
    pub(super) async fn until_it_answers(&self) -> Result<Look<ControlPlane>, ProviderError> {
        let mut told = String::new();
        let mut pulls_fail_since = None;
        loop {
            let seen: Look<ControlPlane> = match look(self.shell, KIND, SLICE).await {
                // Servers that accept and do not answer may take longer than the look has; it is asked again.
                Err(LookError::Host(error))
                    if error.kind == HostErrorKind::Lost && self.waited() < self.patience =>
                {
                    continue;
                }
                seen => seen?,
            };
            let lacking: Vec<(&str, &str)> = lacking(&seen).collect();
            if lacking.is_empty() {
                return Ok(seen);
            }
            let names: Vec<&str> = lacking.iter().map(|(name, _)| *name).collect();
            let action = format!("wait for {}", names.join(", "));
            if action != told {
                self.context.progress.tell(&action);
                told = action;
            }
            let is_late = self.waited() >= self.patience;
            if !is_late && self.waited() < FIRST_WORDS {
                continue;
            }
            let words = words(self.shell, self.waited()).await?;
            if is_late {
                return Err(self.late(&words, &lacking));
            }
            if let Some(why) = words.decisive() {
                return Err(self.failed(&why));
            }
            pulls_fail_since = match words.pull_trouble() {
                Some(why) => {
                    let since = *pulls_fail_since.get_or_insert_with(|| self.waited());
                    if self.waited().saturating_sub(since) >= PULL_PATIENCE {
                        return Err(self.failed(&why));
                    }
                    Some(since)
                }
                None => None,
            };
        }
    }

    fn failed(&self, why: &str) -> ProviderError {
        let host = self.shell.host();
        let help = if why.contains("image") {
            format!(
                "see whether the registry is up and has the image ({host} has to reach it), and run keelson again"
            )
        } else {
            format!("mend that on {host}, and run keelson again: it goes on from where it is")
        };
        ProviderError::new(
            ErrorClass::Permanent,
            format!("{host}: the control plane does not come up: {why}"),
        )
        .with_help(help)
    }

    fn late(&self, words: &Words, lacking: &[(&str, &str)]) -> ProviderError {
        let host = self.shell.host();
        let why = words.of_components(lacking.iter().copied());
        ProviderError::new(
            ErrorClass::Permanent,
            format!(
                "{host}: the control plane does not answer after {} s: {why}",
                self.patience.as_secs()
            ),
        )
        .with_help(format!(
            "see more on {host} (journalctl -u kubelet; /opt/keelson/bin/crictl ps -a), and run keelson again: it goes on \
             from where it is"
        ))
    }
}

/// The programs that do not answer, and why.
pub(super) fn lacking(seen: &Look<ControlPlane>) -> impl Iterator<Item = (&'static str, &str)> {
    COMPONENTS
        .iter()
        .filter_map(|(name, _)| Some((*name, seen.trouble(name)?)))
}

impl From<LookError> for ProviderError {
    fn from(error: LookError) -> Self {
        match error {
            LookError::Host(error) => error.into(),
            LookError::Rubbish { .. } => Self::new(ErrorClass::Transient, error.to_string()),
        }
    }
}
