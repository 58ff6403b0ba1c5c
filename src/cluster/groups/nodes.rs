//! The nodes of groups: how many are Ready, waiting for them, emptying and deleting them.

use std::time::Duration;

use k8s_openapi::api::core::v1::Node;
use keelson_provider_api::{BoxFuture, Patience, ProviderError};
use kube::ResourceExt as _;

use crate::cluster::at_once::at_once;
use crate::cluster::node::{self, Seen, group_of};
use crate::cluster::provider::ClusterProvider;
use crate::cluster::ready::{Readiness, readiness};
use crate::cluster::step::{Step, permanent};

/// How long machines may take from the time when they run: they download what they are to run.
const READY_LIMIT: Duration = Duration::from_secs(15 * 60);
/// After that time it is asked again which machines there are: one may have ended, and another come in its place.
const MACHINES_ANEW: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_secs(2);
/// How many nodes of a group that goes are emptied at once.
const CONCURRENCY: usize = 4;

/// Why the group `name`, which is to have `replicas` nodes, has fewer that are Ready; nothing where it has them.
pub(super) fn lacking(name: &str, replicas: u32, seen: &Seen) -> Option<String> {
    let nodes = seen.objects.values().filter(|node| group_of(node) == Some(name));
    let mut ready = 0;
    let mut first = None;
    for node in nodes {
        match trouble(node, seen) {
            None => ready += 1,
            Some(why) if first.is_none() => first = Some(format!("; {}: {why}", node.name_any())),
            Some(_) => {}
        }
    }
    let lacks = ready < usize::try_from(replicas).unwrap_or(usize::MAX);
    lacks.then(|| {
        format!(
            "{ready} of {replicas} nodes are Ready{}",
            first.unwrap_or_default()
        )
    })
}

fn trouble(node: &Node, seen: &Seen) -> Option<String> {
    match readiness(node) {
        Readiness::Ready => seen.heartbeats.silence(node),
        Readiness::NotReady(why) | Readiness::Silent(why) => Some(why),
    }
}

/// Somebody who waits for the nodes of a group.
pub(super) struct Waiting<'a> {
    step: &'a Step<'a>,
    group: &'a str,
    patience: Patience<'a>,
    told: String,
}

impl<'a> Waiting<'a> {
    pub(super) fn begin(step: &'a Step<'a>, group: &'a str) -> Self {
        Self {
            step,
            group,
            patience: step.patience(READY_LIMIT),
            told: String::new(),
        }
    }

    /// Waits until all `nodes` are Ready; false where it is time to see which there are.
    ///
    /// # Errors
    /// When they are not, after all the time that they have.
    pub(super) async fn until_ready(&mut self, nodes: &[String]) -> Result<bool, ProviderError> {
        let round = self.step.patience(MACHINES_ANEW);
        loop {
            let lacking = self.lacking(nodes).await;
            if lacking.is_empty() {
                return Ok(true);
            }
            let words = lacking.join("; ");
            if words != self.told {
                self.step
                    .tell(&format!("wait until nodes of {} are Ready: {words}", self.group));
                self.told.clone_from(&words);
            }
            if !self.patience.wait(POLL).await {
                let limit = READY_LIMIT.as_secs();
                let message = format!("nodes of {} are not Ready after {limit} s: {words}", self.group);
                return Err(permanent(message).with_help(
                    "see on such a machine what `journalctl -u keelson-first-boot -u containerd -u kubelet` tells; mend it, or end the \
                     machine, and run the command again, which goes on from here",
                ));
            }
            if round.is_over() {
                return Ok(false);
            }
        }
    }

    /// Those of `nodes` that are not Ready, each with why.
    async fn lacking(&self, nodes: &[String]) -> Vec<String> {
        let seen = match self.step.connection().await {
            Ok(connection) => node::look(&connection).await.map_err(|trouble| trouble.words()),
            Err(error) => Err(error.to_string()),
        };
        let seen = match seen {
            Ok(seen) => seen,
            Err(why) => return vec![format!("the API says nothing of them: {why}")],
        };
        let why = |name: &String| match seen.objects.get(name) {
            None => Some(format!("{name} has not registered")),
            Some(node) => trouble(node, &seen).map(|why| format!("{name}: {why}")),
        };
        nodes.iter().filter_map(why).collect()
    }
}

/// Cordons all of `names`, and moves their pods elsewhere. Where no API server answers pods stay.
pub(super) async fn empty(
    step: &Step<'_>,
    cluster: &ClusterProvider,
    names: &[String],
) -> Result<(), ProviderError> {
    let context = step.context;
    let seen = match cluster.nodes(&context.cluster).await {
        Ok(seen) => seen,
        Err(error) if error.class.may_pass() => {
            step.tell(&format!(
                "no API server answers, so pods stay where they are: {error}"
            ));
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let names: Vec<&String> = names
        .iter()
        .filter(|name| seen.objects.contains_key(*name))
        .collect();
    // All at first: none of them is an elsewhere for the others.
    for name in &names {
        cluster.cordon(&context.cluster, name, true).await?;
    }
    let emptying = names.into_iter().map(|name| {
        let emptied = async move { cluster.empty(context, name).await };
        Box::pin(emptied) as BoxFuture<'_, _>
    });
    at_once(CONCURRENCY, emptying.collect()).await.map(drop)
}

/// Deletes the Node objects of machines that are gone.
pub(super) async fn delete(step: &Step<'_>, names: &[String]) -> Result<(), ProviderError> {
    for name in names {
        let connection = step.connection().await?;
        let nodes = connection.global::<Node>();
        let deleted = connection.delete(&nodes, name, None).await;
        step.wrote(deleted)
            .map_err(|trouble| trouble.into_error(&format!("delete node {name}")))?;
    }
    Ok(())
}
