//! Who may be taken down now.
//!
//! A plan says in which order things are taken down; whether one may be taken down *now* depends on how the others
//! are doing. The executor asks here before every disruptive step, with an observation made for the purpose, and
//! cannot go on without the permit.
//!
//! What cannot be seen counts as there and out of service: a machine that does not answer is no reason to believe that
//! there are fewer members or control planes. So that it is seen at all, the observation has to ask for each of
//! [`Plan::decisive`] by its name.
//!
//! A member of etcd that runs without a quorum is not taken down either: that would bring nothing back. What is down already
//! may be changed and started.
//!
//! Several changes may be carried out at the same time. What one that has its permit has not taken down yet still looks
//! well; so the machines of those count as out of service.

use std::collections::BTreeSet;

use keelson_provider_api::kinds::{EtcdMember, MemberPhase};
use keelson_provider_api::{
    Change, Disruption, Health, Kind, Observation, Observed, Owner, Resource, ResourceKey,
};

use super::etcd::EtcdHealth;
use super::graph::Plan;

/// The right to carry out one disruptive change. Only [`permit`] gives one, and carrying the change out uses it up.
#[derive(Debug)]
pub struct QuorumPermit {
    key: ResourceKey,
}

impl QuorumPermit {
    /// The resource that may be taken down.
    pub fn key(&self) -> &ResourceKey {
        &self.key
    }
}

/// Why a change may not be carried out now: a lower-case fragment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// The kinds whose health decides about permits; the observation must have looked at them.
pub const DECISIVE_KINDS: &[Kind] = &[Kind::EtcdMember, Kind::ControlPlane, Kind::NodeGroup, Kind::Node];

/// What decides about the permits of a plan made from these: what is known to be this cluster's, and what may be.
pub(super) fn decisive<'a>(
    wanted: impl Iterator<Item = &'a ResourceKey>,
    observation: &'a Observation,
) -> BTreeSet<ResourceKey> {
    // What is asked for on a machine that is known to be another is nowhere.
    let is_on_another = |key: &ResourceKey| {
        let machine = key.host().map(|host| ResourceKey::new(Kind::Machine, host));
        let machine = machine.and_then(|machine| observation.present(&machine));
        machine.is_some_and(|machine| machine.owner != Owner::ThisCluster)
    };
    let counts = |key: &&ResourceKey| match observation.get(key) {
        Observed::Present(existing) => existing.owner == Owner::ThisCluster,
        Observed::Unknown(_) => !is_on_another(key),
        Observed::Absent => false,
    };
    wanted
        .chain(observation.entries().map(|(key, _)| key))
        .filter(|key| DECISIVE_KINDS.contains(&key.kind()))
        .filter(counts)
        .cloned()
        .collect()
}

/// Gives the right to carry out `change` of `plan`, if what `observation` shows allows it. `going_down` are the machines
/// of changes that hold a permit: something on them may stop working at any moment, however well it looks.
///
/// # Errors
/// [`Refusal`] when etcd would lose its quorum, the last API server would go while others could take over, too many
/// nodes of a group would be out of service, or the health of the others could not be seen.
pub fn permit(
    plan: &Plan,
    change: &Change,
    observation: &Observation,
    going_down: &BTreeSet<String>,
) -> Result<QuorumPermit, Refusal> {
    let granted = QuorumPermit {
        key: change.key.clone(),
    };
    if plan.retires_cluster() || change.disruption == Disruption::None {
        return Ok(granted);
    }
    for &kind in DECISIVE_KINDS {
        if let Some((_, reason)) = observation.unknown_kinds().find(|(unknown, _)| *unknown == kind) {
            return Err(Refusal(format!("the health of each {kind} is unknown: {reason}")));
        }
    }
    let Some(machine) = change.machine() else {
        return Ok(granted);
    };
    let scene = Scene {
        change,
        machine,
        observation,
        going_down,
    };
    scene.check_etcd()?;
    scene.check_control_planes()?;
    match change.resource() {
        Resource::GroupMachine(leaving) => scene.check_node_group(plan, &leaving.group)?,
        _ => scene.check_group(plan)?,
    }
    Ok(granted)
}

/// Whether something does its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    In,
    Out,
    /// It runs and does not serve, because others are out of service: to take it down mends nothing.
    Stalled,
    /// It cannot be seen: it may not be relied on, and may not be taken for out of service where it would be taken down.
    Unknown,
}

/// A thing that is this cluster's, or may be.
struct Seen<'a> {
    machine: &'a str,
    service: Service,
    /// True where it is seen not to do its work, whatever is about to be done to it.
    is_unwell: bool,
    /// What it is, where that is known.
    resource: Option<&'a Resource>,
    key: &'a ResourceKey,
}

/// A member of etcd that votes, or that cannot be seen and may.
struct Voter<'a> {
    cluster: &'a str,
    machine: &'a str,
    service: Service,
}

/// A change that takes something down on a machine, and how everything else is.
struct Scene<'a> {
    change: &'a Change,
    machine: &'a str,
    observation: &'a Observation,
    going_down: &'a BTreeSet<String>,
}

impl<'a> Scene<'a> {
    fn seen(&self, kind: Kind) -> impl Iterator<Item = Seen<'a>> {
        let (observation, going_down, own) = (self.observation, self.going_down, self.machine);
        let of_kind = observation.entries().filter(move |(key, _)| key.kind() == kind);
        of_kind.filter_map(move |(key, observed)| {
            let machine = match kind {
                Kind::EtcdMember => EtcdMember::parse_name(key.name())?.1,
                _ => key.name(),
            };
            let (service, is_unwell, resource) = match observed {
                Observed::Present(existing) if existing.owner == Owner::ThisCluster => {
                    let goes_down = machine != own && going_down.contains(machine);
                    let service = match existing.health {
                        _ if goes_down => Service::Out,
                        Health::Healthy | Health::Impaired(_) => Service::In,
                        Health::Unhealthy(_) | Health::Lost(_) => Service::Out,
                        Health::Stalled(_) => Service::Stalled,
                    };
                    let is_unwell = matches!(existing.health, Health::Unhealthy(_) | Health::Lost(_));
                    (service, is_unwell, Some(&existing.resource))
                }
                Observed::Unknown(_) => (Service::Unknown, false, None),
                Observed::Present(_) | Observed::Absent => return None,
            };
            Some(Seen {
                machine,
                service,
                is_unwell,
                resource,
                key,
            })
        })
    }

    fn removes(&self) -> bool {
        self.change.is_removal()
    }

    fn voters(&self) -> Vec<Voter<'a>> {
        let voter = |seen: Seen<'a>| {
            if let Some(Resource::EtcdMember(member)) = seen.resource
                && member.phase != MemberPhase::Voter
            {
                return None;
            }
            let (cluster, machine) = EtcdMember::parse_name(seen.key.name())?;
            Some(Voter {
                cluster,
                machine,
                service: seen.service,
            })
        };
        self.seen(Kind::EtcdMember).filter_map(voter).collect()
    }

    fn check_etcd(&self) -> Result<(), Refusal> {
        // Leaving a machine happens in order: only the member's own removal, and what would take the member down with
        // it, concern etcd.
        let concerns_etcd = matches!(
            self.change.key.kind(),
            Kind::Machine | Kind::EtcdMember | Kind::NodeBundle
        );
        if !concerns_etcd {
            return Ok(());
        }
        let voters = self.voters();
        let affected = voters
            .iter()
            .filter(|voter| voter.machine == self.machine && voter.service != Service::Out);
        for Voter { cluster, .. } in affected {
            let mut before = EtcdHealth::default();
            let mut after = EtcdHealth::default();
            for voter in voters.iter().filter(|voter| voter.cluster == *cluster) {
                let is_own = voter.machine == self.machine;
                before.count(voter.service == Service::In);
                if !(is_own && self.removes()) {
                    after.count(voter.service == Service::In && !is_own);
                }
            }
            // One or two members cannot keep a quorum while one of them restarts, whatever is waited for: an only one may
            // restart, and one of two that both answer, but no data may be removed.
            let both_answer = before.voters == 2 && before.healthy_voters == 2;
            let has_none_to_keep = (before.voters == 1 || both_answer) && !self.removes();
            if has_none_to_keep || after.has_quorum() {
                continue;
            }
            return Err(Refusal(if before.has_quorum() {
                format!(
                    "etcd cluster `{cluster}` would lose its quorum: {} of {} voting members answer",
                    before.healthy_voters, before.voters
                )
            } else {
                format!(
                    "etcd cluster `{cluster}` {before}, and to take down one that runs would not bring it back"
                )
            }));
        }
        Ok(())
    }

    fn check_control_planes(&self) -> Result<(), Refusal> {
        let is_own = |seen: &Seen<'_>| seen.machine == self.machine;
        let control_planes = || self.seen(Kind::ControlPlane);
        let takes_down = control_planes().any(|seen| is_own(&seen) && seen.service != Service::Out);
        let is_alone = control_planes().all(|seen| is_own(&seen));
        let others_answer = control_planes().any(|seen| !is_own(&seen) && seen.service == Service::In);
        // Draining the node of a control plane leaves its API server running.
        let concerns_api = self.change.key.kind() != Kind::Node;
        // Those that were there when the plan was made may be gone by now.
        let takes_api = matches!(
            self.change.key.kind(),
            Kind::Machine | Kind::NodeBundle | Kind::ControlPlane
        );
        let goes_for_good = takes_api && self.removes() && !self.change.replacement;
        if !concerns_api || !takes_down {
            return Ok(());
        }
        if !others_answer && (goes_for_good || !is_alone) {
            return Err(Refusal("no other API server answers".to_owned()));
        }
        // What was changed last may be what is wrong with it.
        let unwell = control_planes().find(|seen| !is_own(seen) && seen.service == Service::Out);
        match unwell {
            Some(other) => Err(Refusal(format!(
                "{} is out of service, and one control plane may be at a time",
                other.key
            ))),
            None => Ok(()),
        }
    }

    fn check_group(&self, plan: &Plan) -> Result<(), Refusal> {
        // A node that leaves for good was taken out of the group's size by the spec.
        let comes_back = self.change.replacement || !self.removes();
        if !comes_back {
            return Ok(());
        }
        // What is out of service already is not taken down by changing it.
        let own = self
            .seen(Kind::Node)
            .find(|seen| seen.machine == self.machine && seen.service == Service::In);
        let Some(group) = own.as_ref().and_then(group_of) else {
            return Ok(());
        };
        // Pods stay where a kubelet restarts: those that are about to do so are no reason to wait, those that did and are not
        // well again are.
        let restarts = self.change.disruption < Disruption::Drain;
        let counts = |seen: &Seen<'a>| match seen.service {
            Service::In => false,
            _ if restarts => seen.is_unwell,
            // Of a node that cannot be seen the group is not known: it may be this one.
            _ => true,
        };
        let out_of_service = self
            .seen(Kind::Node)
            .filter(|seen| seen.machine != self.machine && counts(seen))
            .filter(|seen| group_of(seen).is_none_or(|other| other == group))
            .count();
        let allowed = usize::try_from(plan.rolling(group).max_unavailable).unwrap_or(usize::MAX);
        if out_of_service >= allowed {
            return Err(Refusal(format!(
                "{out_of_service} other nodes of group `{group}` are out of service; {allowed} may be at once"
            )));
        }
        Ok(())
    }

    /// A machine of a group that makes them by itself: what has gone has left no node that could be counted, so it is the
    /// number of those that serve which decides.
    fn check_node_group(&self, plan: &Plan, group: &str) -> Result<(), Refusal> {
        let key = ResourceKey::new(Kind::NodeGroup, group);
        let wanted = match self.observation.get(&key) {
            Observed::Present(existing) => match &existing.resource {
                Resource::NodeGroup(group) => group.replicas,
                _ => return Ok(()),
            },
            Observed::Absent => return Ok(()),
            Observed::Unknown(reason) => return Err(Refusal(format!("{key} cannot be seen: {reason}"))),
        };
        let serving = || {
            self.seen(Kind::Node)
                .filter(|seen| seen.service == Service::In && group_of(seen) == Some(group))
        };
        // What is out of service already is not taken down by removing it.
        if !serving().any(|seen| seen.machine == self.machine) {
            return Ok(());
        }
        let others = serving().filter(|seen| seen.machine != self.machine).count();
        let out_of_service = usize::try_from(wanted)
            .unwrap_or(usize::MAX)
            .saturating_sub(others + 1);
        let allowed = usize::try_from(plan.rolling(group).at_once()).unwrap_or(usize::MAX);
        if out_of_service >= allowed {
            return Err(Refusal(format!(
                "{out_of_service} other nodes of group `{group}` are out of service or have not come yet; {allowed} may be at \
                 once"
            )));
        }
        Ok(())
    }
}

fn group_of<'a>(seen: &Seen<'a>) -> Option<&'a str> {
    match seen.resource {
        Some(Resource::Node(node)) => Some(node.group.as_str()),
        _ => None,
    }
}
