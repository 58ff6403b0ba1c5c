//! Makes sure that one keelson at a time changes a cluster.
//!
//! The lease is an object in the state store, taken and renewed with conditional writes. Each taking has a higher
//! fencing generation than the one before; whoever carries changes out refuses those of a lower one, so a holder
//! that was taken for dead cannot do harm when it wakes up. The object stays when the lease is released: the
//! generation must never go back.

mod process;
mod record;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use keelson_provider_api::store::ObjectVersion;
use keelson_provider_api::values::ClusterName;
use keelson_provider_api::{Clock, ClusterUid, Precondition, Store, StoreError};
use tokio::sync::Mutex;

use super::interrupt::{Interrupt, StopReason};
pub use process::{HolderProcess, Processes};
pub use record::{LeaseRecord, holder, lease_path, missing};
use record::{encode, read};

/// Who asks for a lease, and for how long one renewal lasts.
#[derive(Clone)]
pub struct LeaseHolder {
    /// Who, for people: user, machine, process.
    pub name: String,
    /// What for.
    pub purpose: String,
    /// How long one renewal lasts; it is renewed three times as often.
    pub time_to_live: Duration,
    /// Who knows the processes of this machine: a holder among them that has ended is not waited for. Nobody where leases
    /// are not held by processes.
    pub processes: Option<Arc<dyn Processes>>,
}

impl LeaseHolder {
    /// True when it is certain that whoever holds `record` does nothing any more.
    fn knows_ended(&self, record: &LeaseRecord) -> bool {
        match (&self.processes, &record.process) {
            (Some(processes), Some(process)) => processes.has_ended(process),
            _ => false,
        }
    }
}

/// Why there is no lease.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Someone else holds it.
    #[error("{} holds the lease of cluster {cluster} since {:.0} ({})", .record.holder, .record.since, .record.purpose)]
    Held {
        /// The cluster.
        cluster: ClusterName,
        /// The lease as it is stored.
        record: Box<LeaseRecord>,
    },
    /// It was held and someone else has it now.
    #[error("the lease of cluster {cluster} was lost")]
    Lost {
        /// The cluster.
        cluster: ClusterName,
        /// The cause, where there is one.
        source: Option<Box<StoreError>>,
    },
    /// It was held, and its time is over: it could not be renewed. Nobody else need have it.
    #[error("the lease of cluster {cluster} ran out, as it could not be renewed")]
    RanOut {
        /// The cluster.
        cluster: ClusterName,
        /// Why it could not.
        source: Box<StoreError>,
    },
    /// The state store did not do its part.
    #[error("cannot write the lease of cluster {cluster}")]
    Store {
        /// The cluster.
        cluster: ClusterName,
        /// The cause.
        source: Box<StoreError>,
    },
}

/// The right to change a cluster, for as long as it is renewed.
pub struct Lease {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    cluster: ClusterName,
    time_to_live: Duration,
    generation: u64,
    taken_over: bool,
    current: Mutex<(LeaseRecord, ObjectVersion)>,
}

impl Lease {
    /// Takes the lease of `cluster`, if it is free, or its holder has let its time run out or has certainly ended.
    ///
    /// # Errors
    /// [`LeaseError::Held`] when someone else holds it; [`LeaseError::Store`] when the store cannot be used, or
    /// holds something that is not a lease.
    pub async fn take(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        cluster: &ClusterName,
        holder: &LeaseHolder,
    ) -> Result<Self, LeaseError> {
        let path = lease_path(cluster);
        let failed = |source| LeaseError::Store {
            cluster: cluster.clone(),
            source: Box::new(source),
        };
        let before = read(store.as_ref(), &path).await.map_err(failed)?;
        let now = clock.now();
        let precondition = match &before {
            None => Precondition::Absent,
            Some((record, version))
                if record.released || record.expires_at <= now || holder.knows_ended(record) =>
            {
                Precondition::Version(version.clone())
            }
            Some((record, _)) => {
                return Err(LeaseError::Held {
                    cluster: cluster.clone(),
                    record: Box::new(record.clone()),
                });
            }
        };
        let generation = before
            .as_ref()
            .map_or(0, |(record, _)| record.generation)
            .saturating_add(1);
        let record = LeaseRecord {
            holder: holder.name.clone(),
            purpose: holder.purpose.clone(),
            since: now,
            expires_at: later(now, holder.time_to_live),
            generation,
            released: false,
            process: holder.processes.as_ref().and_then(|processes| processes.own()),
            life: before.as_ref().and_then(|(record, _)| record.life.clone()),
        };
        match store.write(&path, &encode(&record), precondition).await {
            Ok(version) => Ok(Self {
                store,
                clock,
                cluster: cluster.clone(),
                time_to_live: holder.time_to_live,
                generation,
                taken_over: before.is_some_and(|(record, _)| !record.released),
                current: Mutex::new((record, version)),
            }),
            Err(StoreError::Conflict { .. }) => {
                Err(Self::lost_the_race(store.as_ref(), &path, cluster).await)
            }
            Err(error) => Err(failed(error)),
        }
    }

    async fn lost_the_race(store: &dyn Store, path: &str, cluster: &ClusterName) -> LeaseError {
        match read(store, path).await {
            Ok(Some((record, _))) => LeaseError::Held {
                cluster: cluster.clone(),
                record: Box::new(record),
            },
            Ok(None) => LeaseError::Lost {
                cluster: cluster.clone(),
                source: None,
            },
            Err(source) => LeaseError::Store {
                cluster: cluster.clone(),
                source: Box::new(source),
            },
        }
    }

    /// The fencing generation.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// True when the holder before had not let go, and was taken over after its time had run out or it had ended.
    pub fn taken_over(&self) -> bool {
        self.taken_over
    }

    /// Makes sure, right before something is changed, that the lease is still held: by the clock, or where its time is
    /// over by renewing it. A process that slept, or was kept from the store, learns it here before it does harm.
    ///
    /// # Errors
    /// [`LeaseError::Lost`] when its time is over and someone else has it, [`LeaseError::RanOut`] when it cannot be renewed.
    pub async fn confirm(&self) -> Result<(), LeaseError> {
        let expires_at = self.current.lock().await.0.expires_at;
        if self.clock.now() < expires_at {
            return Ok(());
        }
        self.renew().await.map_err(|problem| self.over(problem))
    }

    /// Renews the lease for as long as it is polled. Ends only when the lease is lost: it then asks `interrupt` to
    /// stop the work and says why.
    pub async fn keep(&self, interrupt: &Interrupt) -> LeaseError {
        loop {
            self.clock.sleep(self.time_to_live / 3).await;
            let problem = match self.renew().await {
                Ok(()) => continue,
                Err(problem) => problem,
            };
            let expired = self.current.lock().await.0.expires_at <= self.clock.now();
            if is_gone(&problem) || expired {
                interrupt.stop_because(StopReason::LeaseOver);
                return self.over(problem);
            }
        }
    }

    async fn renew(&self) -> Result<(), StoreError> {
        let expires_at = later(self.clock.now(), self.time_to_live);
        self.replace(|record| record.expires_at = expires_at).await
    }

    /// Writes down which life of the cluster has begun, or with nothing that it ends.
    ///
    /// # Errors
    /// [`LeaseError::Lost`] when the lease is someone else's by now, or gone; [`LeaseError::Store`] when the store cannot be
    /// written.
    pub async fn note_life(&self, life: Option<&ClusterUid>) -> Result<(), LeaseError> {
        if self.current.lock().await.0.life.as_ref() == life {
            return Ok(());
        }
        let noted = self.replace(|record| record.life = life.cloned()).await;
        noted.map_err(|problem| {
            if is_gone(&problem) {
                return self.over(problem);
            }
            LeaseError::Store {
                cluster: self.cluster.clone(),
                source: Box::new(problem),
            }
        })
    }

    /// What the end of the lease is called when its record could not be written for `problem`.
    fn over(&self, problem: StoreError) -> LeaseError {
        let cluster = self.cluster.clone();
        if is_gone(&problem) {
            LeaseError::Lost {
                cluster,
                source: Some(Box::new(problem)),
            }
        } else {
            LeaseError::RanOut {
                cluster,
                source: Box::new(problem),
            }
        }
    }

    /// Lets the lease go, so that the next run need not wait for its end.
    ///
    /// # Errors
    /// When the store cannot be written; the lease then ends by itself.
    pub async fn release(&self) -> Result<(), StoreError> {
        match self.replace(|record| record.released = true).await {
            // Someone else has it: there is nothing to let go of.
            Err(StoreError::Conflict { .. }) => Ok(()),
            result => result,
        }
    }

    /// Writes a changed record. An answer that was lost on the way leaves the store ahead of what is known here; the
    /// record is still ours then, by its generation, and the write is done again on top of it.
    async fn replace(&self, change: impl Fn(&mut LeaseRecord)) -> Result<(), StoreError> {
        let path = lease_path(&self.cluster);
        let mut current = self.current.lock().await;
        let mut record = current.0.clone();
        change(&mut record);
        let precondition = Precondition::Version(current.1.clone());
        let conflict = match self.store.write(&path, &encode(&record), precondition).await {
            Ok(version) => {
                *current = (record, version);
                return Ok(());
            }
            Err(conflict @ StoreError::Conflict { .. }) => conflict,
            Err(error) => return Err(error),
        };
        let stored = read(self.store.as_ref(), &path).await?;
        let Some((mut record, version)) = stored else {
            return Err(missing(
                self.store.as_ref(),
                &self.cluster,
                "this run of keelson holds it",
            ));
        };
        if record.generation != self.generation {
            return Err(conflict);
        }
        change(&mut record);
        let version = self
            .store
            .write(&path, &encode(&record), Precondition::Version(version))
            .await?;
        *current = (record, version);
        Ok(())
    }
}

/// True when what the store says means that the lease is someone else's, or nobody's.
fn is_gone(problem: &StoreError) -> bool {
    matches!(problem, StoreError::Conflict { .. } | StoreError::Damaged { .. })
}

fn later(now: Timestamp, by: Duration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}
