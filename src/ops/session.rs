//! What every operation needs.

use std::sync::Arc;
use std::time::Duration;

use keelson_provider_api::{Clock, ClusterIdentity, Store, StoreError};

use super::authorities::Authorities;
use super::backups::BackupParts;
use super::error::OperationError;
use super::fixed;
use super::gone_hosts::GoneHosts;
use super::identity::{self, ClusterRecord};
use super::machine_access::MachineAccess;
use crate::cluster::ClusterProvider;
use crate::execute::{
    Event, Interrupt, Journal, Lease, LeaseHolder, LeaseRecord, Processes, ProviderSet, Reporter, StopReason,
    lease,
};
use crate::node::AssetIndex;
use crate::plan::DesiredState;
use crate::spec::ValidSpec;

/// How long a lease lasts without being renewed, unless an embedder says otherwise: after a crash of another machine the next
/// run waits no longer than this.
pub const LEASE_TIME_TO_LIVE: Duration = Duration::from_secs(30);

/// The parts that a [`Session`] is made of. An embedder fills them in; the `keelson` program takes them from
/// [`registry::connect`](crate::registry::connect).
pub struct SessionParts {
    /// What is wanted.
    pub spec: ValidSpec,
    /// Who looks after which kind.
    pub providers: ProviderSet,
    /// The time in which the providers live: virtual for the simulated world.
    pub clock: Arc<dyn Clock>,
    /// The release files that machines need.
    pub assets: AssetIndex,
    /// Where the cluster's state is kept.
    pub store: Arc<dyn Store>,
    /// The time in which leases run out: that of the machines that keelson itself runs on.
    pub lease_clock: Arc<dyn Clock>,
    /// In whose name leases are taken, for people: user, machine, process.
    pub holder: String,
    /// How long a lease lasts without being renewed.
    pub lease_time_to_live: Duration,
    /// Who knows the processes of this machine, so that a holder among them that has ended is not waited for; `None` to wait
    /// for each.
    pub processes: Option<Arc<dyn Processes>>,
    /// The certificate authorities; `None` where nothing has certificates, as in the simulated world.
    pub authorities: Option<Authorities>,
    /// The way to single machines; `None` where they are in memory.
    pub machine_access: Option<Arc<dyn MachineAccess>>,
    /// The way to nodes; `None` where no API server answers.
    pub node_access: Option<Arc<ClusterProvider>>,
    /// What backups of etcd take; `None` where there are none.
    pub backups: Option<BackupParts>,
    /// The hosts that a destroy does without; `None` where each is to answer.
    pub gone_hosts: Option<Arc<dyn GoneHosts>>,
}

impl SessionParts {
    /// The parts of a session in a world that is imagined: one `clock` for everything, and nothing that needs release files,
    /// certificates, logins or an API server.
    ///
    /// The lease and the journal go by that clock as well. Where it is virtual, its time passes as soon as nobody works: while
    /// an [`Approve`](super::Approve) waits for a person, hours may go by in moments, snapshots grow old, and the lease is
    /// renewed all the while. Who lets people answer there sets `lease_clock` to the system's clock.
    pub fn simulated(
        spec: ValidSpec,
        providers: ProviderSet,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        holder: impl Into<String>,
    ) -> Self {
        Self {
            spec,
            providers,
            clock: clock.clone(),
            assets: AssetIndex::Imagined,
            store,
            lease_clock: clock,
            holder: holder.into(),
            lease_time_to_live: LEASE_TIME_TO_LIVE,
            processes: None,
            authorities: None,
            machine_access: None,
            node_access: None,
            backups: None,
            gone_hosts: None,
        }
    }
}

/// A cluster that one can do something with: a spec, its providers, its state store.
///
/// ```
/// use jiff::Timestamp;
/// use keelson::execute::{Interrupt, Silent};
/// use keelson::ops::{ApplyOptions, AutoApprove, Condition};
/// use keelson::{registry, spec};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let spec = spec::load(include_bytes!("../../examples/quickstart.yaml"), "quickstart.yaml")?;
/// let (session, _world) = registry::connect_in_memory(spec, Timestamp::UNIX_EPOCH)?;
///
/// let planned = session.plan(&Silent).await?;
/// assert!(!planned.plan.is_empty());
///
/// let applied = session
///     .apply(&ApplyOptions::default(), &AutoApprove, &Silent, &Interrupt::new())
///     .await?;
/// assert_eq!(applied.steps_done(), planned.plan.steps().len());
///
/// assert_eq!(session.status(&Silent).await?.condition, Condition::Healthy);
/// assert!(session.plan(&Silent).await?.plan.is_empty(), "nothing is left to do");
/// # Ok(())
/// # }
/// ```
pub struct Session {
    pub(super) parts: SessionParts,
}

impl Session {
    /// A session of these parts.
    pub fn new(parts: SessionParts) -> Self {
        Self { parts }
    }

    /// The spec.
    pub fn spec(&self) -> &ValidSpec {
        &self.parts.spec
    }

    /// The providers.
    pub fn providers(&self) -> &ProviderSet {
        &self.parts.providers
    }

    /// The state store.
    pub fn store(&self) -> &dyn Store {
        self.parts.store.as_ref()
    }

    /// The time in which the providers live.
    pub fn clock(&self) -> &dyn Clock {
        self.parts.clock.as_ref()
    }

    /// What the spec asks for, in the catalogue's terms.
    ///
    /// # Errors
    /// [`OperationError::Render`] when a value of the spec cannot stand in what machines run.
    pub fn desired_state(&self) -> Result<DesiredState, OperationError> {
        Ok(crate::model::desired_state(&self.parts.spec, &self.parts.assets)?)
    }

    /// The same, for the cluster of which `record` tells.
    pub(super) fn desired_of(&self, record: Option<&ClusterRecord>) -> Result<DesiredState, OperationError> {
        let etcd_with_data = record.map(|record| record.etcd_clusters.clone());
        Ok(DesiredState {
            etcd_with_data: etcd_with_data.unwrap_or_default(),
            ..self.desired_state()?
        })
    }

    /// What the state store says of the cluster, if it has begun. Its machines are where the spec looks for them.
    pub(super) async fn living(&self) -> Result<Option<ClusterRecord>, OperationError> {
        let (store, name) = (self.store(), self.spec().name());
        let record = identity::read(store, name).await?;
        if let Some(record) = &record {
            fixed::check_place(record, self.spec())?;
        }
        Ok(record)
    }

    /// The cluster's name, and its uid if it has one by now.
    pub(super) async fn identity(&self) -> Result<ClusterIdentity, OperationError> {
        let record = self.living().await?;
        Ok(identity::identity(self.spec().name(), record.as_ref()))
    }

    /// The cluster's name and uid.
    ///
    /// # Errors
    /// [`OperationError::NoCluster`] when it has none yet.
    pub(super) async fn existing_identity(&self) -> Result<ClusterIdentity, OperationError> {
        let name = self.spec().name();
        let Some(record) = self.living().await? else {
            return Err(OperationError::NoCluster {
                name: name.clone(),
                location: self.store().location(),
            });
        };
        // Who needs the lease itself finds out that it cannot be read.
        if let Ok(Some(lease)) = lease::holder(self.store(), name).await {
            identity::check_life(self.store(), &record, &lease).await?;
        }
        Ok(identity::identity(name, Some(&record)))
    }

    /// Makes sure that the state store still has the authorities and keys that the cluster began with.
    pub(super) async fn check_keys(&self) -> Result<(), OperationError> {
        match &self.parts.authorities {
            Some(authorities) => Ok(authorities.check().await?),
            None => Ok(()),
        }
    }

    /// The lease as it is stored; none before the first apply. The record of a cluster is written under the lease, and no
    /// lease is ever deleted: a cluster with a record and no lease is a damaged store, and so is one whose record and lease
    /// tell of different lives. `record` was read before: it may be that someone else is writing the lease, and then the
    /// record, just now.
    pub(super) async fn lease_beside(
        &self,
        record: Option<&ClusterRecord>,
    ) -> Result<Option<LeaseRecord>, StoreError> {
        let (store, name) = (self.store(), self.spec().name());
        let stored = lease::holder(store, name).await?;
        if stored.is_none() && record.is_some() {
            let why = format!("{} is there", identity::path(name));
            return Err(lease::missing(store, name, &why));
        }
        if let (Some(record), Some(lease)) = (record, &stored) {
            identity::check_life(store, record, lease).await?;
        }
        Ok(stored)
    }

    /// The lease of whoever is changing the cluster now, if anyone is.
    ///
    /// # Errors
    /// When the state store cannot be read, or what stands in the lease's place is none.
    pub async fn lease_in_use(&self) -> Result<Option<LeaseRecord>, StoreError> {
        let stored = lease::holder(self.store(), self.spec().name()).await?;
        let now = self.parts.lease_clock.now();
        let has_ended = |record: &LeaseRecord| match (&self.parts.processes, &record.process) {
            (Some(processes), Some(process)) => processes.has_ended(process),
            _ => false,
        };
        Ok(stored.filter(|record| !record.released && record.expires_at > now && !has_ended(record)))
    }

    /// The way to single machines.
    pub(super) fn machine_access(&self) -> Option<&dyn MachineAccess> {
        self.parts.machine_access.as_deref()
    }

    /// Runs `work` in the providers' time.
    pub(super) async fn drive<T: Send>(
        &self,
        work: impl Future<Output = Result<T, OperationError>> + Send,
    ) -> Result<T, OperationError> {
        let mut result = Err(OperationError::ClockStopped);
        self.clock().drive(Box::pin(async { result = work.await })).await;
        result
    }

    /// Runs `work` while holding the lease, and lets it go afterwards, however the work ends. When the lease is
    /// lost the work is asked to stop, and the loss is what is reported.
    pub(super) async fn under_lease<T, W>(
        &self,
        purpose: &str,
        reporter: &dyn Reporter,
        interrupt: &Interrupt,
        work: impl FnOnce(Arc<Lease>, Arc<Journal>) -> W + Send,
    ) -> Result<T, OperationError>
    where
        T: Send,
        W: Future<Output = Result<T, OperationError>> + Send,
    {
        let parts = &self.parts;
        let holder = LeaseHolder {
            name: parts.holder.clone(),
            purpose: purpose.to_owned(),
            time_to_live: parts.lease_time_to_live,
            processes: parts.processes.clone(),
        };
        let name = parts.spec.name();
        let record = self.living().await?;
        self.lease_beside(record.as_ref()).await?;
        if record.is_none() {
            // The lease itself stands on it.
            parts.store.check_conditions().await?;
        }
        let lease = Lease::take(parts.store.clone(), parts.lease_clock.clone(), name, &holder).await?;
        let lease = Arc::new(lease);
        let generation = lease.generation();
        let journal = Journal::new(parts.store.clone(), parts.lease_clock.clone(), name, generation);
        let journal = Arc::new(journal);
        let taken = Event::LeaseTaken {
            generation,
            taken_over: lease.taken_over(),
        };
        reporter.report(&taken);
        journal.report(&taken);

        let (mut lost, mut unwritten) = (None, None);
        let result = {
            let keep_lease = async {
                lost = Some(lease.keep(interrupt).await);
                std::future::pending::<()>().await;
            };
            let keep_journal = async {
                unwritten = Some(journal.keep().await);
                interrupt.stop_because(StopReason::JournalUnwritable);
                std::future::pending::<()>().await;
            };
            tokio::select! {
                biased;
                result = work(lease.clone(), journal.clone()) => result,
                () = keep_lease => Err(OperationError::ClockStopped),
                () = keep_journal => Err(OperationError::ClockStopped),
            }
        };
        let released = lease.release().await;
        if released.is_ok() && lost.is_none() {
            journal.report(&Event::LeaseReleased);
            reporter.report(&Event::LeaseReleased);
        }
        let saved = journal.save().await;
        if let Some(lost) = lost {
            return Err(lost.into());
        }
        if let (Some(unwritten), Err(OperationError::Interrupted(_))) = (unwritten, &result) {
            return Err(unwritten.into());
        }
        let value = result?;
        saved?;
        released?;
        Ok(value)
    }
}
