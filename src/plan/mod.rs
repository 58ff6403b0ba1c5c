//! The planner: a pure function from what is wanted and what was seen to what is to be done.
//!
//! ```text
//! desired, observation, now
//!   -> verdicts   what becomes of each resource            (verdict, comes_back, groups, skew, etcd, lost_data, stalled,
//!                                                         one_at_a_time, unseen)
//!   -> drafts     the steps that this takes                (draft, firewalls)
//!   -> edges      what must come before what               (ordering, api_names, rolling, groups, leftovers,
//!                                                         preferences)
//!   -> held       the steps that wait for what is blocked  (holding, api_servers, ground)
//!   -> Plan       steps in an order that can be carried out, checked   (graph)
//!    + PlanReport what is blocked or waits, and why; what does not work  (report, problems, even_voters)
//! ```
//!
//! There is no IO here, no clock, no environment and no randomness; the same input gives the same plan, byte for
//! byte. [`safety`] is asked again by the executor, with a fresh observation, before every disruptive step.

mod api_names;
mod api_servers;
mod comes_back;
mod desired;
mod draft;
mod etcd;
mod even_voters;
mod firewalls;
mod graph;
mod ground;
mod groups;
mod holding;
mod leftovers;
mod lost_data;
mod one_at_a_time;
mod ordering;
mod preferences;
mod problems;
mod report;
mod rolling;
pub mod safety;
mod saved;
mod skew;
mod stalled;
mod unseen;
mod verdict;

use jiff::Timestamp;
use keelson_provider_api::{ClusterIdentity, Observation};

pub use desired::{Desired, DesiredState, Rolling};
pub use etcd::{EtcdHealth, clusters as etcd_clusters, clusters_with_data};
pub use graph::{Path, Plan, PlanDefect, Step};
pub use problems::{Problem, problems};
pub use report::{Blocked, Held, PlanReport, StandingRestore, UnseenKind};
pub use saved::{PLAN_FORMAT, PlanFile, PlanFileError};

/// Plans the way from what was observed to what is desired.
///
/// `now` names snapshots, tells which of those that are there are young, and is written into the plan; nothing else depends on
/// it.
///
/// # Errors
/// [`PlanDefect`] when the desired state contradicts itself (a cycle of dependencies): a defect of keelson, never
/// of its input.
///
/// ```
/// use jiff::Timestamp;
/// use keelson::plan::{DesiredState, plan};
/// use keelson_provider_api::kinds::Network;
/// use keelson_provider_api::{ClusterIdentity, Kind, Observation, ResourceKey};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let now = Timestamp::UNIX_EPOCH;
/// let cluster = ClusterIdentity { name: "demo".parse()?, uid: None };
/// let main = ResourceKey::new(Kind::Network, "main");
/// let mut desired = DesiredState::default();
/// desired.add(main.clone(), Network { region: "here".to_owned(), cidr: "10.0.0.0/16".parse()?, has_gateway: true });
///
/// let (first, report) = plan(&cluster, &desired, &Observation::of_nothing(now), now)?;
/// assert_eq!(first.steps()[0].change().to_string(), "create network/main");
/// assert!(!report.is_blocked());
///
/// // What was not looked at is unknown, and blocks.
/// let (second, report) = plan(&cluster, &desired, &Observation::new(now), now)?;
/// assert!(second.is_empty());
/// assert_eq!(report.blocked[0].key, main);
/// # Ok(())
/// # }
/// ```
pub fn plan(
    cluster: &ClusterIdentity,
    desired: &DesiredState,
    observation: &Observation,
    now: Timestamp,
) -> Result<(Plan, PlanReport), PlanDefect> {
    let mut report = PlanReport {
        restore: desired.restore.clone(),
        ..PlanReport::default()
    };
    let mut verdicts = verdict::decide_all(desired, observation);
    skew::review(&mut verdicts, desired, observation);
    etcd::review(&mut verdicts, desired, observation);
    stalled::review(&mut verdicts, desired, observation);
    one_at_a_time::review(&mut verdicts, desired, observation);
    unseen::review(&mut verdicts, observation);
    report.unseen_kinds = unseen::kinds(observation);
    let mut drafts = draft::Drafts::from_verdicts(&verdicts, desired, observation, &mut report);
    ordering::connect(&mut drafts, desired, observation);
    if let Some(machine) = &desired.only {
        report.left_out = drafts.narrow(machine);
        report.held.clear();
    }
    report
        .held
        .extend(holding::hold_back(&mut drafts, &verdicts, desired, observation));
    if let Some(machine) = &desired.only {
        report.narrow(|key| verdict::lives_on(key, machine, desired, observation));
    }
    report.problems = problems::left_alone(desired, observation, &drafts, &report.blocked);
    rolling::connect(&mut drafts, desired, observation, now);
    let plan = Plan::assemble(cluster.clone(), desired, observation, now, drafts.into_steps())?;
    if !desired.retires_cluster {
        report.warnings = even_voters::warnings(plan.steps(), observation);
    }
    Ok((plan, report))
}
