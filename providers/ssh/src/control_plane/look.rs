//! Looking at what one machine is of its cluster.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;

use super::mark::Mark;
use crate::hearing::Hearing;
use crate::session::root::one_line;
use crate::shell::{HostError, HostErrorKind, Job, Shell};

const SCRIPT: &str = concat!(
    include_str!("../scripts/virtual-address.sh"),
    include_str!("../scripts/kubernetes-look.sh")
);
/// Three questions of four seconds each, and the way there.
const LIMIT: Duration = Duration::from_secs(40);
/// How long the script sleeps between two rounds of questions.
const ROUND: Duration = Duration::from_millis(200);
/// More than any machine has to say.
const ANSWER_BYTES: usize = 1 << 20;
/// What a server that answers is reported with.
const OK: &str = "ok";

/// Where the address is reported among the servers.
pub(super) const ADDRESS: &str = "address";
/// The three programs of a control plane, and the port at which each tells its health
/// (<https://kubernetes.io/docs/reference/networking/ports-and-protocols/>).
pub(super) const COMPONENTS: [(&str, u16); 3] = [
    ("kube-apiserver", 6443),
    ("kube-controller-manager", 10257),
    ("kube-scheduler", 10259),
];

/// What one machine shows of a kind.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Look<T> {
    /// The machine's id.
    pub machine_id: String,
    /// Its mark: none, a readable one, or what is wrong with it.
    pub mark: Option<Result<Mark<T>, String>>,
    /// The states of its units, in systemd's words; without a mark nothing is said of them.
    pub units: BTreeMap<String, String>,
    /// How its servers are: why one does not answer, or nothing where it does.
    pub health: BTreeMap<String, Option<String>>,
    /// True where it holds the virtual address.
    pub holds_address: bool,
    /// True where its kubelet has a certificate.
    pub has_certificate: bool,
}

/// Why nothing is known of a machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum LookError {
    /// It could not be asked.
    #[error(transparent)]
    Host(#[from] HostError),
    /// It answered, with something else.
    #[error("{host} says nothing whole of itself: {problem}")]
    Rubbish {
        /// The machine.
        host: String,
        /// What is wrong with the answer.
        problem: String,
    },
}

/// Looks at what the machine behind `shell` is of the kind whose mark is called `kind`; for up to `patience` while its
/// servers do not answer. A connection that had ended unnoticed is opened anew: asking twice harms nobody.
pub(super) async fn look<T: DeserializeOwned>(
    shell: &dyn Shell,
    kind: &'static str,
    patience: Duration,
) -> Result<Look<T>, LookError> {
    match ask(shell, kind, patience).await {
        Err(LookError::Host(error)) if error.kind == HostErrorKind::Lost => ask(shell, kind, patience).await,
        answer => answer,
    }
}

async fn ask<T: DeserializeOwned>(
    shell: &dyn Shell,
    kind: &'static str,
    patience: Duration,
) -> Result<Look<T>, LookError> {
    let rounds = patience.as_millis() / ROUND.as_millis();
    let job = Job {
        name: "look at Kubernetes",
        script: SCRIPT,
        arguments: vec![kind.to_owned(), rounds.to_string()],
        input: Vec::new(),
        // A question that is not answered takes its time in every round.
        timeout: LIMIT.saturating_add(patience.saturating_mul(2)),
    };
    let hearing = Hearing::new(ANSWER_BYTES);
    let output = shell.run(&job, &|line| hearing.hear(line)).await?;
    read(&hearing.into_text()).map_err(|problem| LookError::Rubbish {
        host: shell.host().to_owned(),
        problem: format!("{problem} {}", one_line(output.stderr.trim()))
            .trim()
            .to_owned(),
    })
}

/// Reads what the script wrote; it may have written anything.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<Look<T>, String> {
    let mut look = Look {
        machine_id: String::new(),
        mark: None,
        units: BTreeMap::new(),
        health: BTreeMap::new(),
        holds_address: false,
        has_certificate: false,
    };
    let mut is_whole = false;
    for (key, value) in text.lines().filter_map(|line| line.split_once('\t')) {
        let pair = || value.split_once(' ').unwrap_or((value, ""));
        match key {
            "machine-id" => look.machine_id = one_line(value),
            "mark" => look.mark = Some(mark(value)),
            "unit" => {
                let (unit, state) = pair();
                look.units.insert(unit.to_owned(), one_line(state));
            }
            "health" => {
                let (server, answer) = pair();
                let answer = one_line(answer);
                look.health
                    .insert(server.to_owned(), (answer != OK).then_some(answer));
            }
            "holds" => look.holds_address = true,
            "certificate" => look.has_certificate = true,
            "end" => is_whole = true,
            _ => {}
        }
    }
    if is_whole {
        Ok(look)
    } else {
        Err("the answer has no end".to_owned())
    }
}

fn mark<T: DeserializeOwned>(value: &str) -> Result<Mark<T>, String> {
    let bytes = STANDARD.decode(value.trim()).map_err(|error| error.to_string())?;
    serde_json::from_slice(&bytes).map_err(|error| one_line(&error.to_string()))
}

impl<T> Look<T> {
    /// The mark, where it is one of the cluster with this uid.
    pub(super) fn ours(&self, uid: Option<&keelson_provider_api::ClusterUid>) -> Option<&Mark<T>> {
        let mark = self.mark.as_ref()?.as_ref().ok()?;
        (uid == Some(&mark.uid)).then_some(mark)
    }

    /// Why the server of that name does not answer; nothing where it does.
    pub(super) fn trouble(&self, server: &str) -> Option<&str> {
        match self.health.get(server) {
            Some(None) => None,
            Some(Some(why)) => Some(why),
            None => Some("it was not asked"),
        }
    }

    /// The state of a unit, in systemd's words.
    pub(super) fn unit(&self, name: &str) -> &str {
        self.units.get(name).map_or("unknown", String::as_str)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::control_plane::mark::tests::control_plane;
    use keelson_provider_api::ClusterUid;
    use keelson_provider_api::kinds::ControlPlane;

    pub(in crate::control_plane) fn text(mark: &str, rest: &str) -> String {
        format!(
            "machine-id\t0123\nmark\t{}\n{rest}end\tend\n",
            STANDARD.encode(mark)
        )
    }

    #[test]
    fn an_answer_is_whole_or_none() {
        for text in ["", "end", "machine-id\t1\n", "\t\n\t\t\n"] {
            assert!(read::<ControlPlane>(text).is_err(), "{text:?}");
        }
        let nothing = read::<ControlPlane>("machine-id\t1\nend\tend\n").unwrap();
        assert_eq!(nothing.mark, None);
        assert_eq!(nothing.trouble("kube-apiserver"), Some("it was not asked"));
    }

    #[test]
    fn marks_and_health_are_read_and_rubbish_is_no_mark_of_ours() {
        let uid = ClusterUid::new("u1");
        let line = control_plane().line().unwrap();
        let rest = "unit\tkubelet active\nhealth\tkube-apiserver ok\nhealth\tkube-scheduler connection refused\nholds\t10.0.0.100\n";
        let look = read::<ControlPlane>(&text(&line, rest)).unwrap();
        assert_eq!(look.ours(Some(&uid)), Some(&control_plane()));
        assert_eq!(look.ours(Some(&ClusterUid::new("u2"))), None);
        assert_eq!(look.ours(None), None);
        assert_eq!(look.trouble("kube-apiserver"), None);
        assert_eq!(look.trouble("kube-scheduler"), Some("connection refused"));
        assert!(look.holds_address && look.unit("kubelet") == "active" && look.unit("x") == "unknown");
        for rubbish in ["", "{}", "null", "\u{0}", "{\"uid\":\"u1\"}"] {
            let look = read::<ControlPlane>(&text(rubbish, "")).unwrap();
            assert!(matches!(look.mark, Some(Err(_))), "{rubbish}");
            assert_eq!(look.ours(Some(&uid)), None);
        }
    }
}
