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
        let hosts = self.hosts();
        let names: Vec<String> = hosts.names().map(str::to_owned).collect();
        let seen = hosts
            .each(names, |name| {
                Box::pin(async move {
                    let shell = hosts.shell(&name)?;
                    Some(look::<ControlPlane>(&*shell, KIND, Duration::ZERO).await)
                })
            })
            .await;
        let mut failure = None;
        let mut has_answer = false;
        for look in seen.into_values().flatten() {
            match look {
                Ok(look) if look.ours(cluster.uid.as_ref()).is_some() => return Ok(true),
                Ok(_) => has_answer = true,
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            Some(error) if !has_answer => Err(error.into()),
            _ => Ok(false),
        }
    }
}

impl ControlPlaneProvider {
    fn last_reached(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.last_reached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, cluster: &ClusterIdentity, name: &str) -> Answer {
        let Some(shell) = self.hosts().shell(name) else {
            return Answer::None;
        };
        let seen: Look<ControlPlane> = match look(&*shell, KIND, Duration::ZERO).await {
            Ok(seen) => seen,
            Err(LookError::Host(error)) => return Answer::Unwell(error.to_string()),
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
