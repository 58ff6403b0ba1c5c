//! The rounds of looking, planning and carrying out, until nothing is left to do.

use std::collections::BTreeSet;
use std::time::Duration;

use keelson_provider_api::{Change, ClusterIdentity, Kind, ResourceKey};

use super::apply::{Applied, Approval, Approve};
use super::approved::Approved;
use super::error::OperationError;
use super::identity;
use super::planning::Planned;
use super::session::Session;
use crate::execute::event::Both;
use crate::execute::{Executed, Execution, Interrupt, Journal, Lease, Reporter};
use crate::plan::{self, DesiredState, Plan, Problem, Step};

/// How often the world is looked at again and brought closer to what is wanted, before something is wrong.
const ROUND_LIMIT: u32 = 6;

/// How often what does not work in the end is looked at again.
const SETTLING_LOOKS: u32 = 6;
/// The time between two such looks.
const SETTLING_PAUSE: Duration = Duration::from_secs(5);

/// The loop of looking, planning and carrying out.
pub(super) struct Rounds<'a> {
    pub session: &'a Session,
    pub lease: &'a Lease,
    pub journal: &'a Journal,
    pub reporter: &'a dyn Reporter,
    pub interrupt: &'a Interrupt,
    pub approve: &'a dyn Approve,
}

impl Rounds<'_> {
    /// Carries `planned` out, and whatever is left to do afterwards, until nothing is. Gives the last look at the world, too.
    pub(super) async fn converge(
        &self,
        identity: &ClusterIdentity,
        desired: DesiredState,
        planned: Planned,
    ) -> Result<(Applied, Planned), OperationError> {
        let mut approved = Approved::default();
        approved.extend(changes(&planned.plan));
        approved.extend_by_held(&planned.report.held);
        let mut applied = Applied {
            identity: identity.clone(),
            rounds: Vec::new(),
            first_plan: Some(planned.plan.clone()),
            left_out: 0,
            touched: BTreeSet::new(),
            status: None,
        };
        let mut planned = planned;
        for round in 0.. {
            self.note_data(&planned).await?;
            if planned.plan.is_empty() {
                return finish(applied, planned);
            }
            if round == ROUND_LIMIT {
                break;
            }
            if round > 0 {
                self.ask_again(&planned, &applied, &mut approved).await?;
            }
            let executed = self.execute(&planned.plan).await;
            let ended = outcome(&executed);
            let noted = match &ended {
                // It is looked again, and noted then.
                Ok(()) => Ok(()),
                Err(_) if executed.fenced => Ok(()),
                Err(_) => self.note_clusters(etcd_begun(&planned.plan, &executed)).await,
            };
            applied.touched.extend(machines(&planned.plan, &executed));
            applied.rounds.push(executed);
            ended?;
            noted?;
            planned = self
                .session
                .look_and_plan(identity, desired.clone(), self.reporter)
                .await?;
        }
        Err(OperationError::NotConverged(ROUND_LIMIT))
    }

    /// Asks for what a later round would do and the first plan did not show.
    async fn ask_again(
        &self,
        planned: &Planned,
        applied: &Applied,
        approved: &mut Approved,
    ) -> Result<(), OperationError> {
        if approved.covers(changes(&planned.plan)) {
            return Ok(());
        }
        if self.approve.approve(planned).await == Approval::No {
            return Err(if self.interrupt.is_stopped() {
                interrupted_after(applied)
            } else {
                OperationError::DeclinedRest
            });
        }
        approved.extend(changes(&planned.plan));
        approved.extend_by_held(&planned.report.held);
        Ok(())
    }

    /// Writes down which etcd clusters have data by now, whatever becomes of this run: they are never begun once more.
    async fn note_data(&self, planned: &Planned) -> Result<(), OperationError> {
        if planned.desired.retires_cluster {
            return Ok(());
        }
        self.note_clusters(plan::clusters_with_data(&planned.observation))
            .await
    }

    async fn note_clusters(&self, with_data: BTreeSet<String>) -> Result<(), OperationError> {
        if with_data.is_empty() {
            return Ok(());
        }
        let session = self.session;
        identity::amend(session.store(), session.spec().name(), |record| {
            record.etcd_clusters.extend(with_data.iter().cloned());
        })
        .await?;
        Ok(())
    }

    /// Looks again for a while as long as the cluster as a whole does not work, or a machine that something was done to: what
    /// was restarted just now needs a moment.
    pub(super) async fn settle(
        &self,
        applied: &Applied,
        mut last: Planned,
    ) -> Result<Planned, OperationError> {
        let session = self.session;
        for _ in 0..SETTLING_LOOKS {
            if check_works(&last).is_ok() && !is_unwell(applied, &last) {
                break;
            }
            tokio::select! {
                () = session.clock().sleep(SETTLING_PAUSE) => {}
                () = self.interrupt.stopped() => return Err(interrupted_after(applied)),
            }
            let identity = last.plan.cluster().clone();
            last = session
                .look_and_plan(&identity, last.desired, self.reporter)
                .await?;
        }
        Ok(last)
    }

    async fn execute(&self, plan: &Plan) -> Executed {
        let reporter = Both(self.reporter, self.journal);
        let session = self.session;
        Execution::new(
            plan,
            self.lease,
            session.providers(),
            session.clock(),
            &reporter,
            self.interrupt,
        )
        .run()
        .await
    }
}

fn changes(plan: &Plan) -> impl Iterator<Item = &Change> {
    plan.steps().iter().map(Step::change)
}

/// A stop after the last round: what that did is done.
fn interrupted_after(applied: &Applied) -> OperationError {
    OperationError::Interrupted(applied.rounds.last().cloned().map(Box::new))
}

/// What the steps changed that were done.
fn done<'a>(plan: &'a Plan, executed: &'a Executed) -> impl Iterator<Item = &'a Change> {
    let done = executed.step_durations.keys();
    done.filter_map(|&index| Some(plan.steps().get(index)?.change()))
}

/// The machines of the steps that were done.
fn machines(plan: &Plan, executed: &Executed) -> Vec<String> {
    done(plan, executed)
        .filter_map(|change| Some(change.machine()?.to_owned()))
        .collect()
}

/// The etcd clusters that have got a member by what was done: each waits for its quorum.
fn etcd_begun(plan: &Plan, executed: &Executed) -> BTreeSet<String> {
    done(plan, executed)
        .filter(|change| change.key.kind() == Kind::EtcdMember && !change.is_removal())
        .filter_map(|change| Some(change.key.etcd_cluster()?.to_owned()))
        .collect()
}

/// True while a machine that something was done to does not work.
fn is_unwell(applied: &Applied, last: &Planned) -> bool {
    let resources = last.report.problems.iter();
    let mut machines = resources.filter_map(|problem| {
        let key = problem.resource.as_ref()?;
        key.host()
            .or_else(|| (key.kind() == Kind::Machine).then(|| key.name()))
    });
    machines.any(|machine| applied.touched.contains(machine))
}

fn outcome(executed: &Executed) -> Result<(), OperationError> {
    if executed.failures.is_empty() && executed.stopped {
        return Err(OperationError::Interrupted(Some(Box::new(executed.clone()))));
    }
    if executed.is_complete() {
        Ok(())
    } else {
        Err(OperationError::StepsFailed(Box::new(executed.clone())))
    }
}

fn finish(applied: Applied, last: Planned) -> Result<(Applied, Planned), OperationError> {
    check_left_alone(&last)?;
    if !last.report.held.is_empty() {
        return Err(OperationError::Waits(last.report.held));
    }
    let applied = Applied {
        left_out: last.report.left_out,
        ..applied
    };
    Ok((applied, last))
}

fn check_left_alone(last: &Planned) -> Result<(), OperationError> {
    if last.report.is_blocked() {
        return Err(OperationError::Blocked(Box::new(last.report.clone())));
    }
    Ok(())
}

/// A cluster that is as the spec says and does not work is no success, nor is one without the redundancy that it asks for, and
/// none that has moved away from it since.
pub(super) fn check_works(last: &Planned) -> Result<(), OperationError> {
    check_left_alone(last)?;
    if !last.plan.is_empty() {
        return Err(OperationError::MovedAway);
    }
    let grave = |concerns: fn(Option<Kind>) -> bool| -> Vec<Problem> {
        let problems = last.report.problems.iter();
        let kind = |problem: &Problem| problem.resource.as_ref().map(ResourceKey::kind);
        problems
            .filter(|problem| concerns(kind(problem)))
            .cloned()
            .collect()
    };
    let of_all = grave(|kind| kind.is_none());
    if !of_all.is_empty() {
        return Err(OperationError::Down(of_all));
    }
    let mut of_some = grave(|kind| matches!(kind, Some(Kind::EtcdMember | Kind::ControlPlane)));
    if let Some(only) = &last.desired.only {
        // How the others are was not asked.
        of_some.retain(|problem| problem.resource.as_ref().and_then(ResourceKey::host) == Some(only));
    }
    if !of_some.is_empty() {
        return Err(OperationError::Degraded(of_some));
    }
    Ok(())
}

/// Who is interrupted while being asked has not said no.
pub(super) fn declined(interrupt: &Interrupt, no: OperationError) -> OperationError {
    if interrupt.is_stopped() {
        OperationError::Interrupted(None)
    } else {
        no
    }
}
