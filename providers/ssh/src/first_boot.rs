//! Bundles of machines that put their first one in force by themselves, before anybody can log in.
//!
//! A machine of a cloud does so out of its user data ([`FirstBoot`]), and publishes the keys of its sshd. Whoever brings it its
//! bundle waits for both, and carries only what differs by then; every later bundle comes over SSH, as to any other host.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keelson_provider_api::kinds::Kind;
use keelson_provider_api::{
    Action, BundleSource, Change, ClusterIdentity, ErrorClass, FirstBoot, KindObservation, Outcome, Provider,
    ProviderError, ResourceKey, StepContext,
};

use crate::exit_status::NOT_BOOTED;
use crate::fence::{failure, outcome_of, tell};
use crate::hosts::{HOSTS_AT_ONCE, Hosts};
use crate::session::root::one_line;
use crate::shell::{Job, Output};
use crate::{bundle, duration};

const WAIT: &str = include_str!("scripts/first-boot-wait.sh");
/// A machine is up after half a minute, and its role may be known to S3 some seconds later.
const KEYS_LIMIT: Duration = Duration::from_secs(600);
const KEYS_POLL: Duration = Duration::from_secs(2);
/// A bundle downloads its assets, each of which may take 20 minutes (`templates/node/apply.sh`).
const BOOT_LIMIT: Duration = Duration::from_secs(45 * 60);
/// From the start of an instance to its bundle in force: measured on test hosts, with what downloads take added.
const TYPICAL: Duration = Duration::from_secs(40);

/// The provider of bundles for machines that are made with a [`FirstBoot`].
pub struct FirstBootBundles {
    hosts: Arc<Hosts>,
    bundles: Arc<dyn BundleSource>,
    first_boot: Arc<dyn FirstBoot>,
}

impl FirstBootBundles {
    /// The bundles of `hosts`, which come from `bundles`; the first of each is put in force as `first_boot` has told it.
    pub fn new(hosts: Arc<Hosts>, bundles: Arc<dyn BundleSource>, first_boot: Arc<dyn FirstBoot>) -> Self {
        Self {
            hosts,
            bundles,
            first_boot,
        }
    }

    /// Waits until whoever makes the machine can say by which keys it is known.
    async fn until_known(&self, context: &StepContext<'_>, name: &str) -> Result<(), Outcome> {
        let clock = self.hosts.clock();
        let begun = clock.now();
        let mut is_told = false;
        while !self.hosts.is_known(name).await.map_err(Outcome::Rejected)? {
            let waited = clock.now().duration_since(begun).unsigned_abs();
            if waited >= KEYS_LIMIT {
                return Err(Outcome::Rejected(silent(name)));
            }
            if !is_told {
                context.progress.tell("wait for the machine to boot");
                is_told = true;
            }
            clock.sleep(KEYS_POLL).await;
        }
        Ok(())
    }

    async fn until_booted(&self, context: &StepContext<'_>, name: &str) -> Result<(), Outcome> {
        let shell = self.hosts.need(name).map_err(Outcome::Rejected)?;
        let job = Job {
            name: "wait for its first boot",
            script: WAIT,
            arguments: vec![BOOT_LIMIT.as_secs().to_string()],
            input: Vec::new(),
            timeout: BOOT_LIMIT + Duration::from_secs(60),
        };
        // It changes nothing: who has lost its lease may wait.
        let output = shell.run(&job, &tell(context)).await.map_err(outcome_of)?;
        match output.status {
            0 => Ok(()),
            NOT_BOOTED => Err(Outcome::Rejected(stuck(name, &output))),
            _ => Err(Outcome::Rejected(failure(name, job.name, &output))),
        }
    }

    async fn create(&self, context: &StepContext<'_>, change: &Change) -> Result<(), Outcome> {
        let name = change.machine().unwrap_or(change.key.name());
        self.until_known(context, name).await?;
        self.until_booted(context, name).await?;
        let is_there = bundle::is_as_wanted(&self.hosts, &*self.bundles, context, change).await;
        if !is_there {
            bundle::carry_out(&self.hosts, &*self.bundles, context, change).await?;
        }
        Ok(())
    }

    async fn change(&self, context: &StepContext<'_>, change: &Change) -> Result<(), Outcome> {
        match &change.action {
            Action::Create { .. } => self.create(context, change).await?,
            Action::Update { .. } | Action::Delete { .. } => {
                bundle::carry_out(&self.hosts, &*self.bundles, context, change).await?;
            }
        }
        // Keys and certificates lie there: they stay no longer than they are needed.
        let name = change.machine().unwrap_or(change.key.name());
        let is_over = self.first_boot.is_over(&context.cluster, name).await;
        is_over.map_err(Outcome::Indeterminate)
    }
}

/// It has not said who it is.
fn silent(name: &str) -> ProviderError {
    let minutes = KEYS_LIMIT.as_secs() / 60;
    let problem = format!("{name} has not published its host keys within {minutes} minutes");
    ProviderError::new(ErrorClass::Permanent, problem).with_help(
        "see what it says on its console: it must reach the bucket with the state, and its role must let it write there; then apply \
         again, or delete it, and it is made anew",
    )
}

fn stuck(name: &str, output: &Output) -> ProviderError {
    let said = one_line(output.stderr.trim());
    let problem = format!("the first boot of {name} does not come to its end: {said}");
    ProviderError::new(ErrorClass::Permanent, problem).with_help(format!(
        "it goes on trying; see there: journalctl -u keelson-first-boot on {name}"
    ))
}

fn not_ours(kind: Kind) -> ProviderError {
    ProviderError::new(ErrorClass::Permanent, format!("a {kind} is no bundle"))
}

#[async_trait]
impl Provider for FirstBootBundles {
    fn name(&self) -> &'static str {
        "first-boot-bundles"
    }

    fn kinds(&self) -> &[Kind] {
        &[Kind::NodeBundle]
    }

    fn concurrency_limit(&self) -> usize {
        HOSTS_AT_ONCE
    }

    fn typical_duration(&self, change: &Change) -> Duration {
        match change.action {
            Action::Create { .. } => TYPICAL,
            _ => duration::typical(change),
        }
    }

    async fn observe(
        &self,
        cluster: &ClusterIdentity,
        kind: Kind,
        wanted: &BTreeSet<ResourceKey>,
    ) -> Result<KindObservation, ProviderError> {
        match kind {
            Kind::NodeBundle => Ok(bundle::observe(&self.hosts, &*self.bundles, cluster, wanted).await),
            other => Err(not_ours(other)),
        }
    }

    async fn carry_out(&self, context: &StepContext<'_>, change: &Change) -> Outcome {
        if change.key.kind() != Kind::NodeBundle {
            return Outcome::Rejected(not_ours(change.key.kind()));
        }
        let done = Box::pin(self.change(context, change)).await;
        done.map_or_else(|outcome| outcome, |()| Outcome::Done)
    }
}
