//! Takes a cluster away, and proves that nothing is left.

use std::time::Duration;

use keelson_provider_api::values::ClusterName;
use keelson_provider_api::{Observation, ProviderError, ResourceKey};

use super::apply::{Approval, Approve};
use super::error::OperationError;
use super::rounds::{Rounds, declined};
use super::session::Session;
use super::{identity, kept_spec};
use crate::execute::observe::observe_all;
use crate::execute::{Interrupt, Reporter};
use crate::plan::DesiredState;

/// How a destroy is done.
#[derive(Debug, Clone, Copy, Default)]
pub struct DestroyOptions {
    /// Goes on although the spec says `deletionProtection: true`.
    pub override_protection: bool,
}

/// What a destroy did.
#[derive(Debug, Clone)]
pub struct Destroyed {
    /// The cluster.
    pub name: ClusterName,
    /// How many steps were done.
    pub steps_done: usize,
    /// How long carrying out took.
    pub took: Duration,
}

impl Session {
    /// Takes the cluster away: everything it owns, and nothing else.
    ///
    /// # Errors
    /// [`OperationError`]; whatever it is, running the same again goes on from where this run ended.
    pub async fn destroy(
        &self,
        options: DestroyOptions,
        approve: &dyn Approve,
        reporter: &dyn Reporter,
        interrupt: &Interrupt,
    ) -> Result<Destroyed, OperationError> {
        let name = self.spec().name();
        if self.identity().await?.uid.is_none() {
            return Err(OperationError::NoCluster {
                name: name.clone(),
                location: self.store().location(),
            });
        }
        self.check_protection(options).await?;
        let work = self.under_lease("destroy", reporter, interrupt, async |lease, journal| {
            let identity = self.identity().await?;
            let desired = DesiredState::nothing();
            let planned = self.look_and_plan(&identity, desired.clone(), reporter).await?;
            if planned.plan.is_empty() && planned.report.is_blocked() {
                return Err(OperationError::Refused(Box::new(planned.report)));
            }
            if approve.approve(&planned).await == Approval::No {
                return Err(declined(interrupt, OperationError::Declined));
            }
            // Whoever was asked may have taken hours, in which a host came back.
            if let Some(gone) = &self.parts.gone_hosts {
                gone.check().await.map_err(of_host)?;
            }
            lease.confirm().await?;
            let rounds = Rounds {
                session: self,
                lease: &lease,
                journal: &journal,
                reporter,
                interrupt,
                approve,
            };
            let (applied, _) = Box::pin(rounds.converge(&identity, desired, planned)).await?;
            let left = observe_all(self.providers(), self.clock(), &identity, []).await;
            check_nothing_left(&left)?;
            lease.confirm().await?;
            // While there is a cluster that could be destroyed once more: nothing else would ever release their claims.
            if let Some(gone) = &self.parts.gone_hosts {
                gone.forget().await.map_err(of_host)?;
            }
            lease.note_life(None).await?;
            identity::end(self.store(), name).await?;
            Ok(Destroyed {
                name: name.clone(),
                steps_done: applied.steps_done(),
                took: applied.took(),
            })
        });
        self.drive(work).await
    }

    /// Protection counts in the spec at hand and in the one that the cluster was last applied with.
    async fn check_protection(&self, options: DestroyOptions) -> Result<(), OperationError> {
        if options.override_protection {
            return Ok(());
        }
        let name = self.spec().name();
        let applied_is_protected = kept_spec::protects(self.store(), name).await?;
        if self.spec().spec().deletion_protection || applied_is_protected {
            return Err(OperationError::Protected(name.clone()));
        }
        Ok(())
    }
}

fn of_host(error: ProviderError) -> OperationError {
    OperationError::Machine(Box::new(error))
}

fn check_nothing_left(observation: &Observation) -> Result<(), OperationError> {
    if let Some((kind, reason)) = observation.unknown_kinds().next() {
        return Err(OperationError::Unproven(format!(
            "each {kind} is unknown: {reason}"
        )));
    }
    let left: Vec<ResourceKey> = observation.owned().map(|(key, _)| key.clone()).collect();
    if left.is_empty() {
        Ok(())
    } else {
        Err(OperationError::LeftOver(left))
    }
}
