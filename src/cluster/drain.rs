//! Moving a node's pods elsewhere: through the eviction API, which asks their budgets
//! (<https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/>), each with the time to end that it asks for.
//!
//! Left where they are: pods of DaemonSets, which would come back; mirrors of static pods, which are the machine's own; and
//! pods that have ended. A pod without a controller is evicted too and comes back nowhere, unless the options forbid it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::api::policy::v1::Eviction;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{DeleteOptions, Preconditions};
use keelson_provider_api::{BoxFuture, Clock, Patience, Progress, ProviderError};
use kube::ResourceExt as _;
use kube::api::{ListParams, ObjectMeta, PostParams};
use serde_json::json;

use super::at_once::at_once;
use super::connection::Connection;
use super::ready::{Readiness, readiness};
use super::step::permanent;
use super::trouble::{Trouble, TroubleKind};

/// How many pods are asked to go at once.
const CONCURRENCY: usize = 8;
/// A node has room for 110 pods unless someone gave it more.
const PODS_A_PAGE: u32 = 500;
/// How long between two looks at the pods that are going, and two tries at those whose budget forbids it; `kubectl drain`
/// tries every five seconds.
const POLL: Duration = Duration::from_secs(1);
const TRIES_EVERY: u32 = 5;
/// A kubelet that says nothing for so long has fallen silent; a machine that boots, or has no network for a moment, comes back
/// before.
const SILENCE: Duration = Duration::from_secs(120);

/// The annotation of pods that mirror a static pod
/// (<https://kubernetes.io/docs/reference/labels-annotations-taints/#kubernetes-io-config-mirror>).
const MIRROR: &str = "kubernetes.io/config.mirror";

/// How a node is drained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrainOptions {
    /// How long it may take in all. Pods end within their own grace periods, and budgets may have them wait.
    pub limit: Duration,
    /// Evicts pods without a controller too: they come back nowhere.
    pub evicts_unmanaged: bool,
}

impl Default for DrainOptions {
    fn default() -> Self {
        Self {
            limit: Duration::from_secs(600),
            evicts_unmanaged: true,
        }
    }
}

/// What a drain has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drained {
    /// The pods that were evicted, `NAMESPACE/NAME`.
    pub evicted: Vec<String>,
    /// The pods that were left where they are, each with why.
    pub left: Vec<(String, &'static str)>,
}

/// How a drain ends.
#[derive(Debug)]
pub(super) enum Emptied {
    /// What was to go has gone.
    Yes(Drained),
    /// The node's kubelet has fallen silent, for this reason: nothing on it is told to end any more.
    Not(String),
}

/// Keeps new pods off a node, or lets them come again.
pub(super) async fn cordon(
    connection: &Connection,
    node: &str,
    is_cordoned: bool,
) -> Result<(), ProviderError> {
    let verb = if is_cordoned { "cordon" } else { "uncordon" };
    let fields = json!({ "spec": { "unschedulable": is_cordoned } });
    let nodes = connection.global::<Node>();
    match connection.merge(&nodes, node, &fields).await {
        Ok(_) => Ok(()),
        Err(trouble) if trouble.kind == TroubleKind::NotFound => {
            Err(permanent(format!("the cluster has no node {node}")))
        }
        Err(trouble) => Err(trouble.into_error(&format!("{verb} {node}"))),
    }
}

/// Cordons a node and moves its pods elsewhere. A machine that has died is known for that after a while only, and pods that
/// were asked to go meanwhile stay for ever: so it is asked for as long as pods are waited for.
pub(super) async fn drain(
    connection: &Arc<Connection>,
    clock: &dyn Clock,
    node: &str,
    options: &DrainOptions,
    progress: &Progress<'_>,
) -> Result<Emptied, ProviderError> {
    progress.tell(&format!("cordon {node}"));
    cordon(connection, node, true).await?;
    let mut draining = Draining {
        connection,
        node,
        progress,
        evicted: BTreeMap::new(),
        obstacles: BTreeMap::new(),
    };
    let patience = Patience::of(clock, options.limit);
    let mut silence = None;
    let mut told = 0;
    for round in 0.. {
        let (going, left) = draining.look(options).await?;
        if going.is_empty() {
            return Ok(Emptied::Yes(Drained {
                evicted: draining.evicted.into_values().collect(),
                left,
            }));
        }
        if going.len() != told {
            progress.tell(&format!("wait for {} to leave {node}", counted(going.len())));
            told = going.len();
        }
        if round % TRIES_EVERY == 0 {
            match draining.silence().await {
                None => silence = None,
                Some(why) => {
                    let silence = silence.get_or_insert_with(|| Patience::of(clock, SILENCE));
                    if silence.is_over() {
                        return Ok(Emptied::Not(why));
                    }
                }
            }
            draining.evict(&going).await?;
        }
        if !patience.wait(POLL).await {
            return Err(draining.given_up(&going, options.limit));
        }
    }
    Ok(Emptied::Yes(Drained::default()))
}

fn counted(pods: usize) -> String {
    if pods == 1 {
        "1 pod".to_owned()
    } else {
        format!("{pods} pods")
    }
}

/// A node while it is drained.
struct Draining<'a> {
    connection: &'a Arc<Connection>,
    node: &'a str,
    progress: &'a Progress<'a>,
    /// The pods that were asked to go and agreed, by uid.
    evicted: BTreeMap<String, String>,
    /// Why pods were not evicted the last time, by uid.
    obstacles: BTreeMap<String, String>,
}

impl Draining<'_> {
    /// The pods that are to go, and those that stay.
    async fn look(
        &self,
        options: &DrainOptions,
    ) -> Result<(Vec<Pod>, Vec<(String, &'static str)>), ProviderError> {
        let pods = pods_on(self.connection, self.node).await;
        let pods = pods.map_err(|trouble| trouble.into_error(&format!("list the pods on {}", self.node)))?;
        let mut going = Vec::new();
        let mut left = Vec::new();
        for pod in pods {
            match why_left(&pod) {
                Some(why) => left.push((name(&pod), why)),
                None => going.push(pod),
            }
        }
        let unmanaged: Vec<String> = going.iter().filter(|pod| !is_managed(pod)).map(name).collect();
        if !options.evicts_unmanaged && !unmanaged.is_empty() {
            let message = format!(
                "no controller would bring these pods back: {}",
                unmanaged.join(", ")
            );
            return Err(permanent(message).with_help("delete them, or have them evicted as well"));
        }
        Ok((going, left))
    }

    /// Why nothing is heard of the node's kubelet, if so. Whether it is so is asked again soon, so no answer is none.
    async fn silence(&self) -> Option<String> {
        let nodes = self.connection.global::<Node>();
        let found = self.connection.settle(nodes.get_opt(self.node).await);
        match readiness(&found.ok()??) {
            Readiness::Silent(why) => Some(why),
            Readiness::Ready | Readiness::NotReady(_) => None,
        }
    }

    /// Asks the pods of `going` that were not asked yet, or could not go, to go.
    async fn evict(&mut self, going: &[Pod]) -> Result<(), ProviderError> {
        let connection = self.connection;
        let asked: Vec<&Pod> = going
            .iter()
            .filter(|pod| pod.metadata.deletion_timestamp.is_none())
            .collect();
        let calls: Vec<BoxFuture<'_, Result<Result<(), Trouble>, ProviderError>>> = asked
            .iter()
            .map(|&pod| {
                let answer = async move { Ok(evict(connection, pod).await) };
                Box::pin(answer) as BoxFuture<'_, _>
            })
            .collect();
        let answers = at_once(CONCURRENCY, calls).await?;
        for (pod, answer) in asked.into_iter().zip(answers) {
            let (uid, name) = (pod.uid().unwrap_or_default(), name(pod));
            match answer {
                Ok(()) => {
                    self.obstacles.remove(&uid);
                    if self.evicted.insert(uid, name.clone()).is_none() {
                        self.progress.tell(&format!("evict {name}"));
                    }
                }
                Err(trouble) if may_pass(&trouble) => {
                    let words = trouble.words();
                    if self
                        .obstacles
                        .insert(uid, words.clone())
                        .is_none_or(|before| before != words)
                    {
                        self.progress.tell(&format!("cannot evict {name} yet: {words}"));
                    }
                }
                Err(trouble) => return Err(trouble.into_error(&format!("evict {name}"))),
            }
        }
        Ok(())
    }

    fn given_up(&self, going: &[Pod], limit: Duration) -> ProviderError {
        let describe = |pod: &Pod| {
            let name = name(pod);
            let uid = pod.uid().unwrap_or_default();
            let why = match (&pod.metadata.deletion_timestamp, self.obstacles.get(&uid)) {
                (Some(_), _) => format!(
                    "it is ending, for which it has {} s",
                    pod.metadata.deletion_grace_period_seconds.unwrap_or_default()
                ),
                (None, Some(obstacle)) => obstacle.clone(),
                (None, None) => "it came meanwhile".to_owned(),
            };
            format!("{name} ({why})")
        };
        let pods: Vec<String> = going.iter().map(describe).collect();
        permanent(format!(
            "{} still on {} after {} s: {}",
            counted(pods.len()),
            self.node,
            limit.as_secs(),
            pods.join(", ")
        ))
        .with_help(
            "let the budgets in the way allow a disruption, with more replicas for example, then run the command again; \
             the node stays cordoned",
        )
    }
}

/// True for an answer that another try may change: a budget that forbids it now, a namespace on its way out, a server that
/// fails.
fn may_pass(trouble: &Trouble) -> bool {
    matches!(
        trouble.kind,
        TroubleKind::Throttled | TroubleKind::Server | TroubleKind::Conflict
    ) || (trouble.kind == TroubleKind::Forbidden && trouble.message.contains("being terminated"))
}

async fn evict(connection: &Connection, pod: &Pod) -> Result<(), Trouble> {
    let pods = connection.within::<Pod>(&pod.namespace().unwrap_or_default());
    let eviction = Eviction {
        metadata: ObjectMeta {
            name: Some(pod.name_any()),
            namespace: pod.namespace(),
            ..ObjectMeta::default()
        },
        // Its own grace period; and no other pod of that name.
        delete_options: Some(DeleteOptions {
            preconditions: Some(Preconditions {
                uid: pod.uid(),
                resource_version: None,
            }),
            ..DeleteOptions::default()
        }),
    };
    // Not by `Api::evict`: it sends the options under a name that API servers do not know (kube 5.0.0).
    let asked = pods
        .create_subresource::<_, serde_json::Value>(
            "eviction",
            &pod.name_any(),
            &PostParams::default(),
            &eviction,
        )
        .await;
    match connection.settle(asked) {
        Ok(_) => Ok(()),
        // It has gone by itself, or another one has taken its name.
        Err(trouble) if matches!(trouble.kind, TroubleKind::NotFound | TroubleKind::Conflict) => Ok(()),
        Err(trouble) => Err(trouble),
    }
}

async fn pods_on(connection: &Connection, node: &str) -> Result<Vec<Pod>, Trouble> {
    let pods: kube::Api<Pod> = kube::Api::all(connection.client.clone());
    let mut asked = ListParams::default()
        .fields(&format!("spec.nodeName={node}"))
        .limit(PODS_A_PAGE);
    let mut all = Vec::new();
    loop {
        let page = connection.settle(pods.list(&asked).await)?;
        all.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => asked.continue_token = Some(token),
            None => return Ok(all),
        }
    }
}

fn name(pod: &Pod) -> String {
    format!("{}/{}", pod.namespace().unwrap_or_default(), pod.name_any())
}

fn is_managed(pod: &Pod) -> bool {
    pod.owner_references()
        .iter()
        .any(|owner| owner.controller == Some(true))
}

/// Why a pod stays where it is, if it does.
fn why_left(pod: &Pod) -> Option<&'static str> {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    let of_daemon_set = pod
        .owner_references()
        .iter()
        .any(|owner| owner.controller == Some(true) && owner.kind == "DaemonSet");
    if pod.annotations().contains_key(MIRROR) {
        Some("it is the machine's own")
    } else if of_daemon_set {
        Some("a DaemonSet would bring it back")
    } else if matches!(phase, Some("Succeeded" | "Failed")) {
        Some("it has ended")
    } else {
        None
    }
}
