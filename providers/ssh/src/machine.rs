//! The kind `machine`: hosts that are claimed where they stand, and released.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use keelson_provider_api::kinds::{Kind, Machine};
use keelson_provider_api::{
    Action, Change, ClusterIdentity, ErrorClass, Existing, Health, KindObservation, Observed, Outcome,
    ProviderError, Resource, ResourceKey, StepContext,
};

use crate::control_plane::wipe;
use crate::facts::{Facts, FactsError, Scope};
use crate::fence::run_fenced;
use crate::hosts::Hosts;
use crate::mark::Mark;
use crate::shell::Job;

const MARK: &str = include_str!("scripts/mark.sh");
const MARK_TIMEOUT: Duration = Duration::from_secs(60);
/// Units are stopped before a host is let go.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(600);

/// Looks at every host that is known, all at the same time.
pub(crate) async fn observe(
    hosts: &Hosts,
    cluster: &ClusterIdentity,
    wanted: &BTreeSet<ResourceKey>,
) -> KindObservation {
    let names = names(hosts, wanted.iter().map(ResourceKey::name));
    let found = hosts
        .each(names, |name| {
            Box::pin(async move { seen(&name, cluster, hosts.facts(&name, Scope::Marks).await) })
        })
        .await;
    let mut observation = KindObservation::default();
    for (name, seen) in found {
        observation
            .found
            .insert(ResourceKey::new(Kind::Machine, name), seen);
    }
    observation
}

/// Every host that is known, and of those asked for the ones that are.
pub(crate) fn names<'a>(hosts: &'a Hosts, wanted: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let known = wanted.filter(|name| hosts.target(name).is_some());
    hosts.names().chain(known).map(str::to_owned).collect()
}

fn seen(name: &str, cluster: &ClusterIdentity, answer: Result<Facts, FactsError>) -> Observed<Existing> {
    let facts = match answer {
        Ok(facts) => facts,
        Err(error) => return Observed::Unknown(error.with_help()),
    };
    let mark = match &facts.mark {
        None => return Observed::Absent,
        Some(Err(problem)) => {
            return Observed::Unknown(format!(
                "the mark on {name}, /var/lib/keelson/host.json, is damaged: {problem}"
            ));
        }
        Some(Ok(mark)) => mark,
    };
    Observed::Present(Existing {
        resource: mark.machine.clone().into(),
        id: facts.machine_id.clone(),
        owner: mark.owner(cluster, name),
        health: health(&facts),
        created_at: mark.claimed_at,
        generation: mark.generation,
        host_id: None,
        facts: for_people(&facts, &mark.machine),
    })
}

/// A host that answers does its work; what runs on it is looked at by itself.
fn health(facts: &Facts) -> Health {
    if facts.init == "systemd" {
        Health::Healthy
    } else {
        Health::Unhealthy(format!("its first process is {} and not systemd", facts.init))
    }
}

fn for_people(facts: &Facts, machine: &Machine) -> BTreeMap<String, String> {
    let booted = facts.boot_time.map(|time| time.to_string());
    let rows = [
        ("address", machine.address.clone()),
        ("hostname", Some(facts.hostname.clone())),
        ("os", Some(facts.os_name.clone())),
        ("kernel", Some(facts.kernel.clone())),
        ("architecture", Some(facts.architecture.clone())),
        ("booted", booted),
    ];
    let told = rows
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?)));
    told.filter(|(_, value)| !value.is_empty()).collect()
}

/// Claims, updates or releases a host.
pub(crate) async fn carry_out(
    hosts: &Hosts,
    context: &StepContext<'_>,
    change: &Change,
) -> Result<(), Outcome> {
    let name = change.key.name();
    match &change.action {
        Action::Create { resource, generation } => {
            let machine = machine(resource)?;
            let uid = uid(context)?;
            // First of all, so that no host is claimed that nobody would find again.
            hosts
                .remember(name, None, &uid)
                .await
                .map_err(Outcome::Rejected)?;
            let mark = Mark {
                uid,
                cluster: context.cluster.name.clone(),
                name: name.to_owned(),
                claimed_at: hosts.clock().now(),
                generation: *generation,
                machine: machine.clone(),
            };
            write(hosts, context, "claim", &mark).await
        }
        Action::Update { resource, .. } => {
            let facts = hosts.facts(name, Scope::Marks).await.map_err(not_done)?;
            let Some(Ok(before)) = facts.mark else {
                let problem = format!("{name} bears no readable mark of keelson any more");
                return Err(Outcome::Rejected(ProviderError::new(
                    ErrorClass::Permanent,
                    problem,
                )));
            };
            let mark = Mark {
                machine: machine(resource)?.clone(),
                uid: uid(context)?,
                ..before
            };
            write(hosts, context, "update", &mark).await
        }
        Action::Delete { .. } => release(hosts, context, name).await,
    }
}

fn uid(context: &StepContext<'_>) -> Result<keelson_provider_api::ClusterUid, Outcome> {
    context.cluster.uid.clone().ok_or_else(|| {
        let problem = format!("cluster {} has no uid to mark a host with", context.cluster.name);
        Outcome::Rejected(ProviderError::new(ErrorClass::Permanent, problem))
    })
}

fn machine(resource: &Resource) -> Result<&Machine, Outcome> {
    match resource {
        Resource::Machine(machine) => Ok(machine),
        other => Err(Outcome::Rejected(ProviderError::new(
            ErrorClass::Permanent,
            format!("a {} is no machine", other.kind()),
        ))),
    }
}

/// Asking a host changes nothing, whatever became of the question.
pub(crate) fn not_done(error: FactsError) -> Outcome {
    Outcome::Rejected(error.into())
}

async fn write(
    hosts: &Hosts,
    context: &StepContext<'_>,
    how: &'static str,
    mark: &Mark,
) -> Result<(), Outcome> {
    let rejected = |problem: String| Outcome::Rejected(ProviderError::new(ErrorClass::Permanent, problem));
    let shell = hosts.need(&mark.name).map_err(Outcome::Rejected)?;
    let mut text = serde_json::to_vec(mark).map_err(|error| rejected(error.to_string()))?;
    text.push(b'\n');
    let job = Job {
        name: if how == "claim" {
            "claim the host"
        } else {
            "update the host's mark"
        },
        script: MARK,
        arguments: vec![how.to_owned(), mark.name.clone()],
        input: text,
        timeout: MARK_TIMEOUT,
    };
    let output = run_fenced(&*shell, context, job).await?;
    let machine_id = output.stdout.trim();
    // The host is marked; without this the store only knows less of it.
    hosts
        .remember(&mark.name, Some(machine_id), &mark.uid)
        .await
        .map_err(Outcome::Indeterminate)
}

async fn release(hosts: &Hosts, context: &StepContext<'_>, name: &str) -> Result<(), Outcome> {
    let shell = hosts.need(name).map_err(Outcome::Rejected)?;
    // Before the marks go, by which the cluster's data is known to be its own.
    if let Some(uid) = &context.cluster.uid {
        run_fenced(&*shell, context, crate::etcd::wipe::job(uid)).await?;
    }
    run_fenced(&*shell, context, wipe::job()).await?;
    let job = Job {
        name: "release the host",
        script: wipe::RELEASE,
        arguments: Vec::new(),
        input: Vec::new(),
        timeout: RELEASE_TIMEOUT,
    };
    run_fenced(&*shell, context, job).await?;
    hosts.forget_claim(name).await.map_err(Outcome::Indeterminate)
}
