//! Makes the world what the spec says.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use keelson_provider_api::{Action, Change, ClusterIdentity};

use super::backups::intent;
use super::error::OperationError;
use super::identity::{self, ClusterRecord};
use super::planning::Planned;
use super::rounds::{Rounds, check_works, declined};
use super::session::Session;
use super::status::ClusterStatus;
use super::{fixed, kept_spec};
use crate::execute::{Executed, Interrupt, Lease, Reporter};
use crate::plan::{DesiredState, Plan, Step};

/// How an apply is done.
#[derive(Debug, Clone, Default)]
pub struct ApplyOptions {
    /// A plan that was shown before; it is carried out only if it is still what would be planned now.
    pub saved_plan: Option<Plan>,
    /// The machine that alone is seen to, with what has to be done before that; the rest of the spec waits for another
    /// apply.
    pub only: Option<String>,
}

/// What an apply did.
#[derive(Debug, Clone)]
pub struct Applied {
    /// The cluster.
    pub identity: ClusterIdentity,
    /// What each round did, one entry a plan that was carried out.
    pub rounds: Vec<Executed>,
    /// The first plan, which is the one that was approved.
    pub first_plan: Option<Plan>,
    /// How many changes were left out, because one machine alone was seen to.
    pub left_out: usize,
    /// The machines that something was done to.
    pub touched: BTreeSet<String>,
    /// How the cluster was doing when it was last looked at, as far as that shows without asking more; nothing where the run has
    /// not come to its end.
    pub status: Option<Box<ClusterStatus>>,
}

impl Applied {
    /// How many steps were done.
    pub fn steps_done(&self) -> usize {
        self.rounds.iter().map(|round| round.done).sum()
    }

    /// How long carrying out took.
    pub fn took(&self) -> Duration {
        self.rounds.iter().map(|round| round.took).sum()
    }
}

/// A yes or a no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approval {
    /// Go on.
    Yes,
    /// Leave everything as it is.
    No,
}

/// Someone who is asked before a plan is carried out.
#[async_trait]
pub trait Approve: Send + Sync {
    /// Looks at a plan and says yes or no. Asked once, and again only when a later round would do what the first
    /// plan did not show.
    ///
    /// The lease is renewed meanwhile, however long it takes. On a virtual clock, as that of
    /// [`SessionParts::simulated`](super::SessionParts::simulated), time does not wait for an answer: it passes as soon as
    /// nobody works.
    async fn approve(&self, planned: &Planned) -> Approval;
}

/// Says yes to everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct AutoApprove;

#[async_trait]
impl Approve for AutoApprove {
    async fn approve(&self, _planned: &Planned) -> Approval {
        Approval::Yes
    }
}

impl Session {
    /// Makes the world what the spec says: looks, plans, asks, carries out, and looks again until there is nothing
    /// left to do.
    ///
    /// # Errors
    /// [`OperationError`]; whatever it is, running the same again goes on from where this run ended.
    pub async fn apply(
        &self,
        options: &ApplyOptions,
        approve: &dyn Approve,
        reporter: &dyn Reporter,
        interrupt: &Interrupt,
    ) -> Result<Applied, OperationError> {
        let work = self.under_lease("apply", reporter, interrupt, async |lease, journal| {
            let record = self.record(&lease).await?;
            self.check_keys().await?;
            intent::check_none(self.store(), self.spec().name()).await?;
            let identity = identity::identity(self.spec().name(), Some(&record));
            let desired = DesiredState {
                only: options.only.clone(),
                ..self.desired_of(Some(&record))?
            };
            let saved = options.saved_plan.as_ref();
            let mut first = self
                .look_and_plan_as_of(saved.map(Plan::made_at), &identity, desired.clone(), reporter)
                .await?;
            check_saved(saved, &first)?;
            self.preflight(&mut first).await;
            if !first.report.findings.is_empty() || first.begins_incomplete() {
                return Err(OperationError::Refused(Box::new(first.report)));
            }
            if !first.plan.is_empty() && approve.approve(&first).await == Approval::No {
                return Err(declined(interrupt, OperationError::Declined));
            }
            // Nobody may have been asked: what begins here stays.
            if interrupt.is_stopped() {
                return Err(OperationError::Interrupted(None));
            }
            // Whoever was asked may have taken hours, on a machine that slept.
            lease.confirm().await?;
            identity::begin(self.store(), &record).await?;
            lease.note_life(Some(&record.uid)).await?;
            if options.only.is_none() || !record.spec_is_kept {
                kept_spec::keep(self.store(), &record, &self.spec().to_yaml()).await?;
            }
            self.pin_assets().await?;
            let rounds = Rounds {
                session: self,
                lease: &lease,
                journal: &journal,
                reporter,
                interrupt,
                approve,
            };
            let (applied, last) = Box::pin(rounds.converge(&identity, desired, first)).await?;
            let last = Box::pin(rounds.settle(&applied, last)).await?;
            check_works(&last)?;
            let status = self.summarise(&last, Some(&record), None);
            Ok(Applied {
                status: Some(Box::new(status)),
                ..applied
            })
        });
        // Whoever calls it holds it, too.
        let work = Box::pin(work);
        self.drive(async {
            self.store().prepare().await?;
            work.await
        })
        .await
    }

    async fn record(&self, lease: &Lease) -> Result<ClusterRecord, OperationError> {
        let name = self.spec().name();
        let mark = format!("{}\n{}", self.parts.holder, lease.generation());
        let mut record = identity::read_or_new(self.store(), name, self.clock().now(), &mark).await?;
        fixed::check_all(&record, self.spec())?;
        fixed::fix(&mut record, self.spec());
        Ok(record)
    }
}

/// A saved plan is carried out only if planning now gives the same.
fn check_saved(saved: Option<&Plan>, now: &Planned) -> Result<(), OperationError> {
    let Some(saved) = saved else { return Ok(()) };
    let stale = |problem: &str| Err(OperationError::StalePlan(problem.to_owned()));
    if saved.cluster().name != now.plan.cluster().name {
        return stale("it is for another cluster");
    }
    if saved.cluster().uid.is_some() && saved.cluster().uid != now.plan.cluster().uid {
        return stale("it is for an earlier life of this cluster");
    }
    if saved.retires_cluster() {
        return stale("it ends the cluster, which only `keelson destroy` does");
    }
    if saved.desired_digest() != now.plan.desired_digest() {
        return stale("the spec has changed since it was made");
    }
    if saved.observation_digest() != now.plan.observation_digest() {
        return stale("the world has moved since it was made");
    }
    let mut steps = saved.steps().iter().zip(now.plan.steps());
    if saved.steps().len() != now.plan.steps().len() || !steps.all(|(saved, now)| is_same(saved, now)) {
        return stale("it was changed by hand, or made by another version of keelson");
    }
    Ok(())
}

fn is_same(saved: &Step, now: &Step) -> bool {
    let (was, is) = (saved.change(), now.change());
    let action = match (&was.action, &is.action) {
        // What goes may have changed in its facts and its health, which is no matter for the plan.
        (Action::Delete { existing: was }, Action::Delete { existing: is }) => {
            was.id == is.id && was.resource == is.resource
        }
        (was, is) => was == is,
    };
    let rest = |change: &Change| (change.key.clone(), change.disruption, change.replacement);
    action && rest(was) == rest(is) && was.reason == is.reason && saved.after() == now.after()
}
