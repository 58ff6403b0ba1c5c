//! Nodes as their machines know them: [`Kubelets`] on bare machines.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use keelson_provider_api::kinds::Node;
use keelson_provider_api::{
    ClusterIdentity, ErrorClass, Health, Joined, Kubelets, Observed, Outcome, ProviderError, Registration,
    StepContext,
};

use super::begin::{Begin, CONTAINERD, KUBELET, begin};
use super::look::{Look, LookError, look};
use super::mark::Mark;
use super::provider::ControlPlaneProvider;
use super::{wipe, words};
use crate::fence::run_fenced;
use crate::machine;

const KIND: &str = "node";
/// As long as a node is waited for until it is Ready, and a little more.
const NODE_PATIENCE: Duration = Duration::from_secs(300);

#[async_trait]
impl Kubelets for ControlPlaneProvider {
    async fn joined(
        &self,
        cluster: &ClusterIdentity,
        wanted: &BTreeSet<String>,
    ) -> BTreeMap<String, Observed<Joined>> {
        let hosts = self.hosts();
        let names = machine::names(hosts, wanted.iter().map(String::as_str));
        let seen = hosts
            .each(names, |name| {
                Box::pin(async move {
                    let shell = hosts.shell(&name)?;
                    Some(look::<Node>(&*shell, KIND, Duration::ZERO).await)
                })
            })
            .await;
        let mut joined: BTreeMap<_, _> = seen
            .into_iter()
            .filter_map(|(name, seen)| {
                let observed = observed(&name, cluster, seen?);
                Some((name, observed))
            })
            .collect();
        for name in wanted {
            joined
                .entry(name.clone())
                .or_insert_with(|| Observed::Unknown(format!("nobody knows how to reach {name}")));
        }
        joined
    }

    async fn join(
        &self,
        context: &StepContext<'_>,
        node: &Node,
        generation: u32,
        registration: Registration<'_>,
    ) -> Result<(), Outcome> {
        let shell = self.hosts().need(&node.machine).map_err(Outcome::Rejected)?;
        let token = registration.bootstrap_token;
        if token.is_some_and(|token| !is_token(token.expose())) {
            let problem = format!("the bootstrap token for {} is no token", node.machine);
            return Err(Outcome::Rejected(ProviderError::new(
                ErrorClass::Permanent,
                problem,
            )));
        }
        let now = self.hosts().clock().now();
        let mark = Mark::new(context, &node.machine, generation, node.clone(), now)?;
        let what = Begin {
            name: "join the node",
            kind: KIND,
            is_rewritten: false,
            line: mark.line()?,
            taints: &node.taints,
            units: &[CONTAINERD, KUBELET],
            token,
            registers: registration.is_due,
        };
        begin(&*shell, context, what).await
    }

    async fn rewrite(&self, context: &StepContext<'_>, node: &Node) -> Result<(), Outcome> {
        let shell = self.hosts().need(&node.machine).map_err(Outcome::Rejected)?;
        let seen: Look<Node> = look(&*shell, KIND, Duration::ZERO)
            .await
            .map_err(|error| Outcome::Rejected(error.into()))?;
        let Some(before) = seen.ours(context.cluster.uid.as_ref()) else {
            let problem = format!("{} bears no mark of a node of this cluster", node.machine);
            return Err(Outcome::Rejected(ProviderError::new(
                ErrorClass::Permanent,
                problem,
            )));
        };
        let mark = Mark {
            resource: node.clone(),
            ..before.clone()
        };
        let what = Begin {
            name: "rewrite the node's mark",
            kind: KIND,
            is_rewritten: true,
            line: mark.line()?,
            taints: &node.taints,
            units: &[],
            token: None,
            registers: false,
        };
        begin(&*shell, context, what).await
    }

    async fn leave(&self, context: &StepContext<'_>, machine: &str) -> Result<(), Outcome> {
        let shell = self.hosts().need(machine).map_err(Outcome::Rejected)?;
        let job = wipe::job_of("end the node", wipe::LEAVE, wipe::LEAVE_TIMEOUT);
        run_fenced(&*shell, context, job).await.map(drop)
    }

    fn knows(&self, machine: &str) -> bool {
        self.hosts().target(machine).is_some()
    }

    async fn last_words(&self, machine: &str) -> Option<String> {
        let shell = self.hosts().shell(machine)?;
        match words::words(&*shell, NODE_PATIENCE).await {
            Ok(words) => words.of_node(),
            Err(error) => Some(error.to_string()),
        }
    }
}

/// A token of Kubernetes: six and sixteen of a-z and 0-9
/// (<https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/>). It becomes a line of a file.
fn is_token(text: &str) -> bool {
    let of = |part: &str, length: usize| {
        part.len() == length
            && part
                .chars()
                .all(|character| character.is_ascii_lowercase() || character.is_ascii_digit())
    };
    text.split_once('.')
        .is_some_and(|(id, secret)| of(id, 6) && of(secret, 16))
}

fn observed(name: &str, cluster: &ClusterIdentity, seen: Result<Look<Node>, LookError>) -> Observed<Joined> {
    let seen = match seen {
        Ok(seen) => seen,
        Err(error) => return Observed::Unknown(error.to_string()),
    };
    match seen.mark.as_ref() {
        None => Observed::Absent,
        Some(Err(problem)) => Observed::Unknown(format!(
            "the mark on {name}, /var/lib/keelson/{KIND}.json, is damaged: {problem}; remove the file to have the node \
             joined again"
        )),
        Some(Ok(mark)) => Observed::Present(Joined {
            node: mark.resource.clone(),
            owner: mark.owner(cluster),
            joined_at: mark.created_at,
            generation: mark.generation,
            machine_id: seen.machine_id.clone(),
            kubelet: kubelet(&seen),
            has_certificate: seen.has_certificate,
        }),
    }
}

fn kubelet(seen: &Look<Node>) -> Health {
    let unwell = ["containerd", "kubelet"].into_iter().filter_map(|unit| {
        let state = seen.unit(unit);
        (state != "active").then(|| format!("{unit}.service is {state}"))
    });
    let unwell: Vec<String> = unwell.collect();
    if unwell.is_empty() {
        Health::Healthy
    } else {
        Health::Unhealthy(unwell.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_tokens_and_nothing_that_a_line_could_end_in() {
        assert!(is_token("abcdef.0123456789abcdef"));
        for other in [
            "",
            "abcdef",
            "abcdef.0123456789abcde",
            "abcdef.0123456789abcdef\n",
            "ABCDEF.0123456789abcdef",
            "a.b",
        ] {
            assert!(!is_token(other), "{other:?}");
        }
    }
}
