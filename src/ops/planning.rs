//! Looking and planning, without touching anything.

use std::time::Duration;

use jiff::Timestamp;
use keelson_provider_api::{Change, ClusterIdentity, Finding, Kind, Observation, Severity};

use super::backups::intent;
use super::error::OperationError;
use super::fixed;
use super::identity::{self, ClusterRecord};
use super::session::Session;
use crate::execute::observe::{observe_all, observe_living};
use crate::execute::{Event, Reporter};
use crate::plan::{self, DesiredState, Path, Plan, PlanReport, StandingRestore, Step};

/// A plan and everything that it was made from.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// What it does not do, and why.
    pub report: PlanReport,
    /// What was seen.
    pub observation: Observation,
    /// What was wanted.
    pub desired: DesiredState,
    /// How long it will take.
    pub forecast: Forecast,
}

/// How long a plan will take, by the typical durations of its steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forecast {
    /// The steps that decide it.
    pub critical_path: Path,
    /// How long all steps would take one after the other.
    pub one_by_one: Duration,
}

impl Planned {
    /// What the plan does, in an order that can be carried out.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.plan.steps().iter().map(Step::change)
    }

    /// True for a cluster of which nothing is there yet, and part of which cannot be made: a host does not answer, or somebody
    /// else has a name. What lives goes on without it; what is only begun would stand half-done, so an apply begins nothing.
    pub fn begins_incomplete(&self) -> bool {
        let has_begun = self.observation.owned().next().is_some() || !self.desired.etcd_with_data.is_empty();
        !has_begun && !self.report.blocked.is_empty()
    }
}

impl Session {
    /// Looks at the world and plans the way to the spec. Nothing is touched.
    ///
    /// # Errors
    /// When the state store cannot be read, or lacks something that the cluster began with: an apply would refuse as well.
    pub async fn plan(&self, reporter: &dyn Reporter) -> Result<Planned, OperationError> {
        self.drive(async {
            self.check_keys().await?;
            let record = self.living().await?;
            if let Some(record) = &record {
                fixed::check_all(record, self.spec())?;
            }
            self.lease_beside(record.as_ref()).await?;
            let restore = intent::standing(self.store(), self.spec().name()).await?;
            self.look(record.as_ref(), restore, reporter).await
        })
        .await
    }

    /// The same for the cluster of which `record` tells, and of which `restore` stands, whatever has become of its lease,
    /// authorities and keys.
    pub(super) async fn look(
        &self,
        record: Option<&ClusterRecord>,
        restore: Option<StandingRestore>,
        reporter: &dyn Reporter,
    ) -> Result<Planned, OperationError> {
        let identity = identity::identity(self.spec().name(), record);
        let desired = DesiredState {
            restore,
            ..self.desired_of(record)?
        };
        let mut planned = self.look_and_plan(&identity, desired, reporter).await?;
        self.preflight(&mut planned).await;
        Ok(planned)
    }

    /// Adds to the report what stands in the way of the plan, and what to know before it.
    pub(super) async fn preflight(&self, planned: &mut Planned) {
        let changes: Vec<_> = planned.changes().collect();
        let mut findings = self.store().preflight().await;
        findings.extend(self.providers().preflight(planned.plan.cluster(), &changes).await);
        let ignored = &self.spec().preflight.ignore;
        let passes = |finding: &Finding| finding.can_be_ignored && ignored.contains(&finding.name);
        let (ignored, findings): (Vec<_>, Vec<_>) = findings.into_iter().partition(passes);
        let warns = |finding: &Finding| finding.severity == Severity::Warning;
        let (warnings, findings): (Vec<_>, Vec<_>) = findings.into_iter().partition(warns);
        planned.report.findings = findings;
        planned.report.warnings.extend(warnings);
        planned.report.ignored_findings = ignored;
    }

    /// Looks at the world and plans the way to nothing: what [`Session::destroy`] would do.
    ///
    /// # Errors
    /// When the state store cannot be read.
    pub async fn plan_destruction(&self, reporter: &dyn Reporter) -> Result<Planned, OperationError> {
        self.drive(async {
            let name = self.spec().name();
            let record = self.living().await?;
            self.lease_beside(record.as_ref()).await?;
            let identity = identity::identity(name, record.as_ref());
            self.look_and_plan(&identity, DesiredState::nothing(), reporter)
                .await
        })
        .await
    }

    pub(super) async fn look_and_plan(
        &self,
        identity: &ClusterIdentity,
        desired: DesiredState,
        reporter: &dyn Reporter,
    ) -> Result<Planned, OperationError> {
        self.look_and_plan_as_of(None, identity, desired, reporter).await
    }

    /// The same, as if it were `moment`: a plan that was made then comes out again, if nothing else has changed.
    pub(super) async fn look_and_plan_as_of(
        &self,
        moment: Option<Timestamp>,
        identity: &ClusterIdentity,
        desired: DesiredState,
        reporter: &dyn Reporter,
    ) -> Result<Planned, OperationError> {
        reporter.report(&Event::Observing);
        let mut asked_for: Vec<_> = desired.resources.keys().cloned().collect();
        if desired.retires_cluster {
            // A member on a machine that does not answer is only seen where someone asks for it by its name.
            let wanted = self.desired_state()?.resources.into_keys();
            asked_for.extend(wanted.filter(|key| key.kind() == Kind::EtcdMember));
        }
        let (providers, clock) = (self.providers(), self.clock());
        let observation = if desired.retires_cluster {
            observe_all(providers, clock, identity, asked_for.iter()).await
        } else {
            observe_living(providers, clock, identity, asked_for.iter()).await
        };
        let now = moment.unwrap_or_else(|| self.clock().now());
        let (plan, report) = plan::plan(identity, &desired, &observation, now)?;
        let forecast = self.forecast(&plan);
        Ok(Planned {
            plan,
            report,
            observation,
            desired,
            forecast,
        })
    }

    fn forecast(&self, plan: &Plan) -> Forecast {
        let typical = |change: &_| self.providers().typical_duration(change);
        Forecast {
            critical_path: plan.critical_path(typical),
            one_by_one: plan.steps().iter().map(|step| typical(step.change())).sum(),
        }
    }
}
