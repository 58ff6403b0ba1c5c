//! Ways to an API server: [`ReachApi`] on bare machines.
//!
//! Through a port that ssh forwards over the connection that stands already, so no port of the cluster has to be reachable
//! from where keelson runs.

use std::sync::PoisonError;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream;
use keelson_provider_api::kinds::ControlPlane;
use keelson_provider_api::{ApiPath, BoxFuture, ClusterIdentity, ErrorClass, ProviderError, ReachApi};

use super::look::{COMPONENTS, Look, LookError, look};
use super::provider::ControlPlaneProvider;
use super::start::KIND;
use crate::hosts::HOSTS_AT_ONCE;
use crate::shell::Shell;

/// The one that answered last is asked alone for so long.
const HEAD_START: Duration = Duration::from_millis(700);

/// What looking at one machine came to.
type Sight = Result<Look<ControlPlane>, LookError>;

/// What asking one machine came to.
enum Answer {
    /// Its API server is ready, and this is the way there.
    Ready(ApiPath),
    /// It is no control plane of this cluster.
    None,
    /// It is one, or may be one, and does not answer.
    Unwell(String),
}

#[async_trait]
impl ReachApi for ControlPlaneProvider {
    async fn reach(&self, cluster: &ClusterIdentity) -> Result<ApiPath, ProviderError> {
        let last = self.last_reached().clone();
        let others: Vec<String> = self
            .hosts()
            .names()
            .filter(|name| Some(*name) != last.as_deref())
            .map(str::to_owned)
            .collect();
        let mut reasons = Vec::new();
        let mut questions: Vec<BoxFuture<'_, Answer>> = Vec::new();
        if let Some(last) = &last {
            let mut question: BoxFuture<'_, Answer> = Box::pin(self.ask(cluster, last));
            tokio::select! {
                answer = &mut question => match answer {
                    Answer::Ready(path) => return Ok(path),
                    Answer::None => {}
                    Answer::Unwell(reason) => reasons.push(reason),
                },
                // It may be gone; the others are asked while it is waited for.
                () = self.hosts().clock().sleep(HEAD_START) => questions.push(question),
            }
        }
        for name in &others {
            questions.push(Box::pin(self.ask(cluster, name)));
        }
        let mut answers = stream::iter(questions).buffer_unordered(HOSTS_AT_ONCE);
        while let Some(answer) = answers.next().await {
            match answer {
                Answer::Ready(path) => {
                    self.last_reached().clone_from(&path.machine);
                    return Ok(path);
                }
                Answer::None => {}
                Answer::Unwell(reason) => reasons.push(reason),
            }
        }
        Err(nobody(cluster, reasons))
    }

    async fn has_control_plane(&self, cluster: &ClusterIdentity) -> Result<bool, ProviderError> {
        // Nothing was ever marked for a cluster without a uid.
        if cluster.uid.is_none() {
            return Ok(false);
        }
        let names: Vec<String> = self.hosts().names().map(str::to_owned).collect();
        let work = |name: String| -> BoxFuture<'_, Word> {
            Box::pin(async move { self.word_of(cluster, &name).await })
        };
        let words = self.hosts().each(names, work).await;
        judge(cluster, words.into_values())
    }
}

/// What one machine says to whether it is a control plane of this cluster.
#[derive(Debug, Clone, PartialEq)]
enum Word {
    /// It is one.
    Yes,
    /// It is none.
    No,
    /// It may be one, and this is why it does not say.
    Silence(String),
}

/// What a look at a machine came to. One that the cluster never claimed is no control plane of it, though it be silent:
/// what is claimed is written down in the state store before.
fn word(name: &str, cluster: &ClusterIdentity, seen: &Sight, may_be_claimed: bool) -> Word {
    match seen {
        Ok(look) if look.ours(cluster.uid.as_ref()).is_some() => Word::Yes,
        Ok(look) => match &look.mark {
            Some(Err(problem)) => Word::Silence(format!(
                "the mark on {name}, /var/lib/keelson/{KIND}.json, is damaged: {problem}"
            )),
            _ => Word::No,
        },
        Err(error) if may_be_claimed => Word::Silence(error.to_string()),
        Err(_) => Word::No,
    }
}

/// One control plane is enough to know that there is one; that there is none takes a word of every machine.
fn judge(cluster: &ClusterIdentity, words: impl Iterator<Item = Word>) -> Result<bool, ProviderError> {
    let mut reasons = Vec::new();
    for word in words {
        match word {
            Word::Yes => return Ok(true),
            Word::No => {}
            Word::Silence(reason) => reasons.push(reason),
        }
    }
    if reasons.is_empty() {
        return Ok(false);
    }
    let message = format!(
        "whether cluster {} has a control plane is not known: {}",
        cluster.name,
        reasons.join("; ")
    );
    Err(ProviderError::new(ErrorClass::Transient, message)
        .with_help("see to it that these machines answer; those that are gone for good can be given up"))
}

impl ControlPlaneProvider {
    fn last_reached(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.last_reached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn word_of(&self, cluster: &ClusterIdentity, name: &str) -> Word {
        let hosts = self.hosts();
        let Some(shell) = hosts.shell(name) else {
            return Word::No;
        };
        let seen = look(&*shell, KIND, Duration::ZERO).await;
        let may_be_claimed = match &seen {
            Ok(_) => true,
            Err(_) => match hosts.record(name).await {
                Ok(record) => record.is_some_and(|record| record.claimed_by == cluster.uid),
                Err(_) => true,
            },
        };
        word(name, cluster, &seen, may_be_claimed)
    }

    async fn ask(&self, cluster: &ClusterIdentity, name: &str) -> Answer {
        let Some(shell) = self.hosts().shell(name) else {
            return Answer::None;
        };
        let seen: Look<ControlPlane> = match look(&*shell, KIND, Duration::ZERO).await {
            Ok(seen) => seen,
            Err(error) => return Answer::Unwell(error.to_string()),
        };
        if seen.ours(cluster.uid.as_ref()).is_none() {
            return Answer::None;
        }
        let (api_server, port) = COMPONENTS[0];
        if let Some(why) = seen.trouble(api_server) {
            return Answer::Unwell(format!("{name}: {why}"));
        }
        match forward(&*shell, port).await {
            Ok(path) => Answer::Ready(path),
            Err(problem) => Answer::Unwell(problem),
        }
    }
}

async fn forward(shell: &dyn Shell, port: u16) -> Result<ApiPath, String> {
    let forward = shell.forward(port).await.map_err(|error| error.to_string())?;
    let machine = Some(shell.host().to_owned());
    Ok(ApiPath::new(forward.address, machine, forward))
}

fn nobody(cluster: &ClusterIdentity, mut reasons: Vec<String>) -> ProviderError {
    reasons.sort();
    let why = if reasons.is_empty() {
        "no machine is a control plane of it".to_owned()
    } else {
        reasons.join("; ")
    };
    ProviderError::new(
        ErrorClass::Transient,
        format!("no API server of cluster {} answers: {why}", cluster.name),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control_plane::look::{read, tests::text};
    use crate::control_plane::mark::tests::control_plane;
    use crate::shell::{HostError, HostErrorKind};
    use keelson_provider_api::ClusterUid;

    fn cluster(uid: &str) -> ClusterIdentity {
        ClusterIdentity {
            name: "prod.example.com".parse().unwrap(),
            uid: Some(ClusterUid::new(uid)),
        }
    }

    fn silent() -> Sight {
        Err(LookError::Host(HostError {
            host: "a".to_owned(),
            address: "10.0.0.1".to_owned(),
            kind: HostErrorKind::Unreachable,
            problem: "nothing answers".to_owned(),
            help: None,
        }))
    }

    #[test]
    fn a_machine_is_none_when_it_says_so_or_was_never_claimed() {
        let marked = |mark: &str| -> Sight { Ok(read(&text(mark, "")).unwrap()) };
        let empty: Sight = Ok(read("machine-id\t1\nend\tend\n").unwrap());
        let line = control_plane().line().unwrap();
        let cases = [
            ("its own mark", "u1", marked(&line), true, Some(Word::Yes)),
            ("another's mark", "u2", marked(&line), true, Some(Word::No)),
            ("no mark", "u1", empty, true, Some(Word::No)),
            ("a damaged mark", "u1", marked("{"), true, None),
            ("silent, claimed", "u1", silent(), true, None),
            ("silent, never claimed", "u1", silent(), false, Some(Word::No)),
        ];
        for (case, uid, seen, may_be_claimed, expected) in cases {
            let word = word("a", &cluster(uid), &seen, may_be_claimed);
            match expected {
                Some(expected) => assert_eq!(word, expected, "{case}"),
                None => assert!(matches!(word, Word::Silence(_)), "{case}: {word:?}"),
            }
        }
    }

    #[test]
    fn one_yes_is_enough_and_a_no_takes_the_word_of_all() {
        let silence = || Word::Silence("a: nothing answers".to_owned());
        let cases = [
            (vec![], Some(false)),
            (vec![Word::No, Word::No], Some(false)),
            (vec![silence(), Word::Yes, Word::No], Some(true)),
            (vec![Word::No, silence()], None),
            (vec![silence()], None),
        ];
        for (words, expected) in cases {
            let judged = judge(&cluster("u1"), words.clone().into_iter());
            if let Some(expected) = expected {
                assert_eq!(judged, Ok(expected), "{words:?}");
                continue;
            }
            let error = judged.unwrap_err();
            assert_eq!(error.class, ErrorClass::Transient);
            assert!(error.message.contains("a: nothing answers"), "{error}");
        }
    }
}
