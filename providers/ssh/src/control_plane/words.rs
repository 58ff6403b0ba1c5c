//! Why a control plane or a kubelet does not do its work, in the node's own words.

use std::collections::BTreeMap;
use std::time::Duration;

use super::look::COMPONENTS;
use crate::hearing::Hearing;
use crate::session::root::one_line;
use crate::shell::{HostError, Job, Shell};

const SCRIPT: &str = include_str!("../scripts/kubernetes-words.sh");
/// Three programs, each asked about in up to thirty seconds.
const LIMIT: Duration = Duration::from_secs(120);
/// More than any machine has to say.
const ANSWER_BYTES: usize = 256 << 10;
/// What a registry says when asking again does not help.
const DECISIVE_PULLS: &[&str] = &[
    "not found",
    "NotFound",
    "denied",
    "unauthorized",
    "manifest unknown",
    "x509:",
    "HTTP response to HTTPS client",
];
/// A program that was begun so often and always ended is not going to stay: kubelet begins it again after 10, 20 and 40
/// seconds (kubeadm gives it 4 minutes: `controlPlaneComponentHealthCheck` in
/// <https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/>).
const RUNS: u32 = 4;

/// What a machine says of its kubelet and its static pods.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Words {
    /// Units: state, how often systemd began them again, how they ended.
    units: BTreeMap<String, (String, u32, String)>,
    /// The last errors in the journals of units.
    journals: BTreeMap<String, Vec<String>>,
    /// What the last pull of an image failed with.
    pull: Option<String>,
    /// Who listens at the port of a static pod.
    listeners: BTreeMap<String, (String, String)>,
    /// The newest containers of static pods.
    containers: BTreeMap<String, Container>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Container {
    state: String,
    /// How often it was begun again.
    attempt: u32,
    exit_code: String,
    reason: String,
    log: Vec<String>,
}

impl Container {
    fn has_ended(&self) -> bool {
        self.state == "CONTAINER_EXITED"
    }
}

/// Asks the machine behind `shell`, whose work has been waited for as long as `waited`.
///
/// # Errors
/// When it could not be asked.
pub(super) async fn words(shell: &dyn Shell, waited: Duration) -> Result<Words, HostError> {
    let recent = waited.as_secs().saturating_add(1).to_string();
    let pods = COMPONENTS.iter().map(|(name, port)| format!("{name}:{port}"));
    let job = Job {
        name: "see what is wrong with Kubernetes",
        script: SCRIPT,
        arguments: std::iter::once(recent).chain(pods).collect(),
        input: Vec::new(),
        timeout: LIMIT,
    };
    let hearing = Hearing::new(ANSWER_BYTES);
    shell.run(&job, &|line| hearing.hear(line)).await?;
    Ok(Words::read(&hearing.into_text()))
}

impl Words {
    /// Reads what the script wrote; a machine may say anything, and half of it is better than nothing.
    fn read(text: &str) -> Self {
        let mut words = Self::default();
        for line in text.lines() {
            let mut fields = line.split('\t');
            let mut next = || fields.next().map(one_line).unwrap_or_default();
            let (key, name) = (next(), next());
            match key.as_str() {
                "unit" => {
                    let (state, restarts, result) = (next(), next(), next());
                    words
                        .units
                        .insert(name, (state, restarts.parse().unwrap_or(0), result));
                }
                "journal" => words.journals.entry(name).or_default().push(next()),
                "pull" => words.pull = Some(pull_words(&name)),
                "listener" => {
                    words.listeners.insert(name, (next(), next()));
                }
                "container" => {
                    let container = words.containers.entry(name).or_default();
                    container.state = next();
                    container.attempt = next().parse().unwrap_or(0);
                    container.exit_code = next();
                    container.reason = next();
                }
                "log" => words.containers.entry(name).or_default().log.push(next()),
                _ => {}
            }
        }
        words
    }

    /// What does not pass by itself, as a sentence; nothing where waiting may still help.
    pub(super) fn decisive(&self) -> Option<String> {
        for (component, port) in COMPONENTS {
            if let Some(taken) = self.taken(component, port) {
                return Some(taken);
            }
        }
        if let Some(why) = self.of_units() {
            return Some(why);
        }
        if let Some(pull) = self.pull_trouble()
            && DECISIVE_PULLS.iter().any(|word| pull.contains(word))
        {
            return Some(pull);
        }
        // The other two end by themselves when they find no API server.
        let api_server = self.containers.get("kube-apiserver")?;
        (api_server.has_ended() && api_server.attempt.saturating_add(1) >= RUNS)
            .then(|| self.container_words("kube-apiserver"))
            .flatten()
    }

    /// Why the runtime or the kubelet does not come up, where that does not pass by itself.
    pub(super) fn of_units(&self) -> Option<String> {
        if let Some(("failed", ..)) = self.unit("containerd") {
            return Some(self.unit_words("containerd"));
        }
        let (state, restarts, _) = self.unit("kubelet")?;
        let is_given_up = state == "failed" || (state != "active" && restarts >= RUNS);
        is_given_up.then(|| self.unit_words("kubelet"))
    }

    /// What a pull of an image fails with while a static pod has no container.
    pub(super) fn pull_trouble(&self) -> Option<String> {
        let lacking = COMPONENTS
            .iter()
            .any(|(name, _)| !self.containers.contains_key(*name));
        let pull = self.pull.as_ref().filter(|_| lacking)?;
        Some(format!("an image cannot be pulled: {pull}"))
    }

    /// Everything that is known of why `components` do not answer.
    pub(super) fn of_components<'a>(
        &self,
        components: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> String {
        let mut told = Vec::new();
        for (name, trouble) in components {
            let port = COMPONENTS.iter().find(|(known, _)| *known == name);
            let taken = port.and_then(|(_, port)| self.taken(name, *port));
            let why = taken.or_else(|| self.container_words(name));
            told.push(match why {
                Some(why) => format!("{name} does not answer ({trouble}): {why}"),
                None if self.containers.contains_key(name) => format!("{name} does not answer: {trouble}"),
                None => format!("{name} does not answer ({trouble}): it has no container"),
            });
        }
        told.extend(self.pull_trouble());
        for unit in ["containerd", "kubelet"] {
            let is_well = self.unit(unit).is_some_and(|(state, ..)| state == "active");
            if !is_well || (unit == "kubelet" && self.containers.is_empty() && self.pull.is_none()) {
                told.push(self.unit_words(unit));
            }
        }
        told.join("; ")
    }

    /// What is known of why a node is not ready: its kubelet's and its runtime's state and last errors.
    pub(super) fn of_node(&self) -> Option<String> {
        let mut told = Vec::new();
        for unit in ["containerd", "kubelet"] {
            let is_well = self.unit(unit).is_some_and(|(state, ..)| state == "active");
            if !is_well || self.journals.contains_key(unit) {
                told.push(self.unit_words(unit));
            }
        }
        if let Some(pull) = &self.pull {
            told.push(format!("an image could not be pulled: {pull}"));
        }
        (!told.is_empty()).then(|| told.join("; "))
    }

    fn unit(&self, name: &str) -> Option<(&str, u32, &str)> {
        let (state, restarts, result) = self.units.get(name)?;
        Some((state, *restarts, result))
    }

    fn unit_words(&self, unit: &str) -> String {
        let (state, restarts, result) = self.unit(unit).unwrap_or(("unknown", 0, ""));
        let mut told = format!("{unit}.service is {state}");
        if !matches!(result, "" | "success") {
            told = format!("{told} ({result})");
        }
        if restarts > 0 {
            told = format!("{told} and was begun again {restarts} times");
        }
        if let Some(last) = self.journals.get(unit).filter(|lines| !lines.is_empty()) {
            told = format!("{told}; it said last: {}", last.join(" | "));
        }
        told
    }

    fn taken(&self, component: &str, port: u16) -> Option<String> {
        let (program, process) = self.listeners.get(component)?;
        // The kernel keeps 15 characters of a program's name.
        let is_its_own = !program.is_empty() && component.starts_with(program.as_str());
        (!is_its_own).then(|| {
            format!("port {port}, which {component} needs, is taken by {program} (process {process})")
        })
    }

    fn container_words(&self, name: &str) -> Option<String> {
        let container = self.containers.get(name)?;
        let mut told = match container.state.as_str() {
            "CONTAINER_EXITED" => format!(
                "its container ended with status {} ({}), run {}",
                container.exit_code,
                container.reason,
                container.attempt.saturating_add(1)
            ),
            "CONTAINER_RUNNING" => "its container runs".to_owned(),
            "CONTAINER_CREATED" => "its container was made and has not begun".to_owned(),
            _ => "the state of its container is not known".to_owned(),
        };
        if !container.log.is_empty() {
            told = format!("{told}; it said last: {}", container.log.join(" | "));
        }
        Some(told)
    }
}

/// The runtime's own words in a line of kubelet's log, where they are quoted once or twice: `… err="rpc error: code = NotFound
/// desc = …" image="…"`, `… err="failed to \"StartContainer\" … desc = …\"" pod="…"`.
fn pull_words(line: &str) -> String {
    let plain = line.replace('\\', "");
    let words = plain.rsplit("desc = ").next().unwrap_or(&plain);
    let ends = ["\" image=\"", "\" pod=\"", "\" podUID=\""];
    let end = ends.iter().filter_map(|end| words.find(end)).min();
    let words = end.and_then(|end| words.get(..end)).unwrap_or(words);
    // A quotation inside of it has its own end.
    if words.matches('"').count() % 2 == 1 {
        words.trim_end_matches('"').to_owned()
    } else {
        words.to_owned()
    }
}

#[cfg(test)]
mod tests;
