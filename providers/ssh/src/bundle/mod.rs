//! The kind `node-bundle`: what a host is given to run.

pub(crate) mod upload;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keelson_provider_api::archive::archive;
use keelson_provider_api::kinds::{Kind, NodeBundle};
use keelson_provider_api::{
    Action, AssetSource, Bundle, BundleRecord, BundleSource, Change, ClusterIdentity, ErrorClass, Existing,
    Health, KindObservation, Observed, Outcome, Owner, ProviderError, Resource, ResourceKey, StepContext,
};

use crate::certificates;
use crate::control_plane::settle::Settling;
use crate::control_plane::wipe;
use crate::facts::{Facts, FactsError, Scope};
use crate::fence::run_fenced;
use crate::hosts::Hosts;
use crate::machine;
use crate::shell::{Job, Output, Shell};
use upload::Upload;

const LACKS: &str = include_str!("../scripts/bundle-lacks.sh");
const FILES: &str = include_str!("../scripts/bundle-files.sh");
const APPLY: &str = concat!(
    include_str!("../scripts/bundle-incoming.sh"),
    include_str!("../scripts/bundle-apply.sh")
);
const REMOVE: &str = concat!(
    include_str!("../scripts/bundle-incoming.sh"),
    include_str!("../scripts/bundle-remove.sh")
);
const START: &str = concat!(
    include_str!("../scripts/unit.sh"),
    include_str!("../scripts/bundle-start.sh")
);
/// The file of a bundle that comes last (`scripts/bundle-files.sh`).
const LAST_FILE: &str = "whole";
const SHORT_TIMEOUT: Duration = Duration::from_secs(120);
/// A bundle downloads its assets, each of which may take 20 minutes (`templates/node/apply.sh`).
const APPLY_TIMEOUT: Duration = Duration::from_secs(45 * 60);
const REMOVE_TIMEOUT: Duration = Duration::from_secs(600);

/// Looks at every host that is known, all at the same time.
pub(crate) async fn observe(
    hosts: &Hosts,
    bundles: &dyn BundleSource,
    cluster: &ClusterIdentity,
    wanted: &BTreeSet<ResourceKey>,
) -> KindObservation {
    let names = machine::names(hosts, wanted.iter().map(ResourceKey::name));
    let found = hosts
        .each(names, |name| {
            Box::pin(async move {
                let answer = hosts.facts(&name, Scope::Marks).await;
                // What nobody wants any more is taken away whatever has become of the authorities.
                let is_wanted = wanted.contains(&ResourceKey::new(Kind::NodeBundle, name.as_str()));
                seen(&name, is_wanted.then_some(bundles), cluster, answer).await
            })
        })
        .await;
    let mut observation = KindObservation::default();
    for (name, seen) in found {
        observation
            .found
            .insert(ResourceKey::new(Kind::NodeBundle, name), seen);
    }
    observation
}

/// What a host's answer tells of its bundle, as `judge` sees its certificates; as it was recorded without one.
async fn seen(
    name: &str,
    judge: Option<&dyn BundleSource>,
    cluster: &ClusterIdentity,
    answer: Result<Facts, FactsError>,
) -> Observed<Existing> {
    let facts = match answer {
        Ok(facts) => facts,
        Err(error) => return Observed::Unknown(error.with_help()),
    };
    let record = match &facts.bundle {
        None => return Observed::Absent,
        Some(Err(problem)) => {
            return Observed::Unknown(format!(
                "the record of the bundle on {name}, /var/lib/keelson/bundle.json, is damaged: {problem}; remove the file \
                 to have the bundle put in force again"
            ));
        }
        Some(Ok(record)) => record,
    };
    let owner = match &facts.mark {
        Some(Ok(mark)) => mark.owner(cluster, name),
        Some(Err(problem)) => Owner::Other(format!("a mark that cannot be read: {problem}")),
        None => Owner::Other("nobody: the host bears no mark".to_owned()),
    };
    let mut bundle = match judge {
        Some(bundles) if owner == Owner::ThisCluster => match bundles.judge(record, &facts.found()).await {
            Ok(bundle) => bundle,
            Err(error) => {
                return Observed::Unknown(format!("the certificates on {name} cannot be judged: {error}"));
            }
        },
        _ => record.bundle.clone(),
    };
    bundle.altered_files = facts.altered_files;
    bundle.stopped_units = facts.stopped_units;
    let digest = facts.bundle_digest.clone().unwrap_or_default();
    Observed::Present(Existing {
        resource: bundle.into(),
        id: digest.clone(),
        owner,
        health: Health::Healthy,
        created_at: facts.bundle_time.unwrap_or_default(),
        generation: 0,
        host_id: Some(facts.machine_id),
        facts: BTreeMap::from([("bundle".to_owned(), digest)]),
    })
}

/// Whether the bundle that `change` wants is in force already, with certificates that are good.
pub(crate) async fn is_as_wanted(
    hosts: &Hosts,
    bundles: &dyn BundleSource,
    context: &StepContext<'_>,
    change: &Change,
) -> bool {
    let name = change.machine().unwrap_or(change.key.name());
    let answer = hosts.facts(name, Scope::Marks).await;
    let seen = seen(name, Some(bundles), &context.cluster, answer).await;
    match seen {
        Observed::Present(existing) => {
            existing.owner == Owner::ThisCluster
                && existing.resource.differences(change.resource()).is_empty()
        }
        Observed::Absent | Observed::Unknown(_) => false,
    }
}

/// Puts a bundle in force, or takes it away.
pub(crate) async fn carry_out(
    hosts: &Hosts,
    bundles: &dyn BundleSource,
    context: &StepContext<'_>,
    change: &Change,
) -> Result<(), Outcome> {
    let name = change.machine().unwrap_or(change.key.name());
    let shell = hosts.need(name).map_err(Outcome::Rejected)?;
    let wanted = match &change.action {
        Action::Delete { .. } => {
            // While the programs for it are there: when the host is released it could not be told any more whose what
            // containerd and the kubelet have left is.
            run_fenced(&*shell, context, wipe::job()).await?;
            let job = job("remove the bundle", REMOVE, Vec::new(), REMOVE_TIMEOUT);
            return run_fenced(&*shell, context, job).await.map(drop);
        }
        Action::Create { resource, .. } | Action::Update { resource, .. } => wanted(resource)?,
    };
    let facts = hosts.facts(name, Scope::Marks).await.map_err(machine::not_done)?;
    let found = certificates::found(&*shell, &facts, &bundles.paths(name)).await;
    let found = found.map_err(Outcome::Rejected)?;
    let bundle = bundles.bundle(&context.cluster, wanted, &found).await;
    let bundle = bundle.map_err(Outcome::Rejected)?;
    deliver(&*shell, context, &bundle).await?;
    let settling = Settling::of(hosts, &*shell, context).await?;
    let record = put_in_force(&*shell, context, &bundle).await?;
    if record.bundle != *wanted {
        return Err(rejected(format!(
            "{name} says that it runs another bundle than the one that was put in force"
        )));
    }
    start(&*shell, context, &facts.stopped_units).await?;
    settling.end().await
}

fn wanted(resource: &Resource) -> Result<&NodeBundle, Outcome> {
    match resource {
        Resource::NodeBundle(bundle) => Ok(bundle),
        other => Err(rejected(format!("a {} is no bundle", other.kind()))),
    }
}

fn rejected(problem: String) -> Outcome {
    Outcome::Rejected(ProviderError::new(ErrorClass::Permanent, problem))
}

fn job<'a>(name: &'static str, script: &'a str, arguments: Vec<String>, timeout: Duration) -> Job<'a> {
    Job {
        name,
        script,
        arguments,
        input: Vec::new(),
        timeout,
    }
}

/// Carries what the host lacks.
async fn deliver(shell: &dyn Shell, context: &StepContext<'_>, bundle: &Bundle) -> Result<(), Outcome> {
    let digest = bundle.digest.hexadecimal();
    let carried = || {
        bundle.assets.iter().filter_map(|asset| match &asset.source {
            AssetSource::File(path) => Some((asset, path)),
            AssetSource::Url(_) => None,
        })
    };
    let mut arguments = vec![digest.clone()];
    arguments.extend(carried().map(|(asset, _)| asset.sha256.hexadecimal()));
    let asked = job("see what the host lacks", LACKS, arguments, SHORT_TIMEOUT);
    let lacks = lacks(&run_fenced(shell, context, asked).await?);
    for (asset, path) in carried() {
        if let Some(&there) = lacks.get(&asset.sha256.hexadecimal()) {
            let upload = Upload {
                name: &asset.name,
                sha256: asset.sha256,
                path,
                there,
            };
            upload.carry_asset(shell, context).await?;
        }
    }
    if lacks.contains_key("bundle") {
        context.progress.tell("upload the bundle");
        let files = bundle
            .files
            .iter()
            .map(|(path, content)| (path.as_str(), content.as_slice()))
            .chain([(LAST_FILE, [].as_slice())]);
        let files = archive(files, 0o600).map_err(rejected)?;
        let mut job = job("upload the bundle", FILES, vec![digest], SHORT_TIMEOUT);
        job.input = files.expose().clone();
        run_fenced(shell, context, job).await?;
    }
    Ok(())
}

/// What is lacking, with how much of it is there.
fn lacks(output: &Output) -> BTreeMap<String, u64> {
    let line = |line: &str| {
        let (what, there) = line.split_once(' ').unwrap_or((line, "0"));
        (what.to_owned(), there.trim().parse().unwrap_or(0))
    };
    output.stdout.lines().map(line).collect()
}

/// Runs the apply script, and gives the record of the bundle that is in force then.
async fn put_in_force(
    shell: &dyn Shell,
    context: &StepContext<'_>,
    bundle: &Bundle,
) -> Result<BundleRecord, Outcome> {
    let secrets = bundle
        .secrets
        .iter()
        .map(|(name, secret)| (name.as_str(), secret.expose().as_slice()));
    let secrets = archive(secrets, 0o600).map_err(rejected)?;
    let mut arguments = vec![bundle.digest.hexadecimal()];
    arguments.extend(bundle.secrets.keys().cloned());
    let mut job = job("apply the bundle", APPLY, arguments, APPLY_TIMEOUT);
    job.input = secrets.expose().clone();
    let output = run_fenced(shell, context, job).await?;
    let unreadable = || {
        rejected(format!(
            "{} ran the apply script to its end, and its record of the bundle cannot be read",
            shell.host()
        ))
    };
    let last = output.stdout.lines().last().ok_or_else(unreadable)?;
    let text = STANDARD.decode(last.trim()).map_err(|_| unreadable())?;
    serde_json::from_slice(&text).map_err(|_| unreadable())
}

/// Starts the units of the bundle that do not run and are to.
async fn start(
    shell: &dyn Shell,
    context: &StepContext<'_>,
    units: &BTreeSet<String>,
) -> Result<(), Outcome> {
    if units.is_empty() {
        return Ok(());
    }
    let units = units.iter().cloned().collect();
    let job = job("start what does not run", START, units, SHORT_TIMEOUT);
    run_fenced(shell, context, job).await.map(drop)
}

#[cfg(test)]
mod tests;
