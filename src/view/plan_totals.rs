//! The last lines of a plan: how much, how disruptive, how long.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use keelson_provider_api::kinds::LeftoverSort;
use keelson_provider_api::{Action, Change, Disruption, Kind, Resource, ResourceKey};

use super::groups::{Group, Verb, fold_names};
use super::humane::{duration, plural};
use super::styles::{STRONG, paint};
use crate::ops::Planned;
use crate::plan;

/// So many steps of the critical path are named.
const PATH_LIMIT: usize = 6;

pub(super) fn write(text: &mut String, planned: &Planned, groups: &[Group]) {
    let report = &planned.report;
    let plan = paint(STRONG, "Plan:");
    if groups.is_empty() {
        let state = if report.restore.is_some() {
            "nothing can be done now: a restore has begun and did not come to its end".to_owned()
        } else if report.is_blocked() && report.blocked.is_empty() {
            "nothing can be done now: part of the world could not be looked at".to_owned()
        } else if report.is_blocked() {
            format!(
                "nothing can be done now, {} blocked",
                plural(report.blocked.len(), "resource")
            )
        } else if report.held.is_empty() {
            "no changes".to_owned()
        } else {
            format!(
                "nothing can be done now, {} waiting",
                plural(report.held.len(), "change")
            )
        };
        let as_wanted = match report.unchanged {
            0 => String::new(),
            1 => "; 1 resource is as it should be".to_owned(),
            many => format!("; {many} resources are as they should be"),
        };
        let _ = writeln!(text, "{plan} {state}{as_wanted}");
        return;
    }
    let count = |verb: Verb| -> usize {
        let of_verb = groups.iter().filter(|group| group.verb == verb);
        of_verb.map(|group| group.names.len()).sum()
    };
    let counts: Vec<String> = [
        (count(Verb::Create), "to create"),
        (count(Verb::Update), "to change"),
        (count(Verb::Replace), "to replace"),
        (count(Verb::Delete), "to delete"),
        (report.goes_along.len(), "going with their machines"),
        (report.unchanged, "unchanged"),
        (report.blocked.len(), "blocked"),
    ]
    .into_iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, words)| format!("{number} {words}"))
    .collect();
    let _ = writeln!(text, "{plan} {}", counts.join(", "));
    if planned.begins_incomplete() && !planned.plan.retires_cluster() {
        text.push_str("      nothing of it is begun before all of it can be: half a cluster helps nobody\n");
    }
    if report.restore.is_some() {
        text.push_str("      nothing of it is begun before the restore has come to its end\n");
    }
    let _ = writeln!(text, "{} {}", paint(STRONG, "Disruption:"), disruption(planned));
    if let Some(data) = data(groups) {
        let _ = writeln!(text, "{} {data}", paint(STRONG, "Data:"));
    }
    let _ = writeln!(text, "{} {}", paint(STRONG, "Time:"), time(planned));
}

/// What pods have kept data on, where that goes.
fn data(groups: &[Group]) -> Option<String> {
    let count = |sort: LeftoverSort| {
        let gone = groups.iter().filter(|group| group.verb == Verb::Delete);
        gone.filter(|group| {
            group
                .leftover
                .as_ref()
                .is_some_and(|leftover| leftover.sort == sort)
        })
        .count()
    };
    let parts = [LeftoverSort::Volume, LeftoverSort::Snapshot]
        .map(|sort| (count(sort), sort))
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, sort)| plural(count, &sort.to_string()));
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| format!("{} of pods lost for good", parts.join(" and ")))
}

/// What happens to a machine, the mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Restart,
    MemberReplaced,
    MemberRemoved,
    Drain,
    ControlPlaneRemoved,
    Replaced,
    Removed,
}

impl Fate {
    fn of(change: &Change) -> Self {
        let is_member = change.key.kind() == Kind::EtcdMember;
        match change.disruption {
            Disruption::None | Disruption::Restart => Self::Restart,
            // Its group starts another.
            Disruption::Drain if change.key.kind() == Kind::GroupMachine => Self::Replaced,
            Disruption::Drain => Self::Drain,
            Disruption::Removal if change.replacement && is_member => Self::MemberReplaced,
            Disruption::Removal if is_member => Self::MemberRemoved,
            Disruption::Removal if change.replacement => Self::Replaced,
            // Of a machine that goes as well, its own removal is worse.
            Disruption::Removal => match change.key.kind() {
                Kind::ControlPlane | Kind::LoadBalancerTarget => Self::ControlPlaneRemoved,
                Kind::Node => Self::Drain,
                _ => Self::Removed,
            },
        }
    }

    fn words(self, has_pods: bool) -> &'static str {
        match self {
            Self::Restart => "components restart on",
            Self::MemberReplaced => "etcd is made anew on",
            Self::MemberRemoved => "etcd leaves",
            Self::Drain => "pods move off",
            Self::ControlPlaneRemoved => "the control plane leaves",
            Self::Replaced if has_pods => "pods move off and machines are replaced:",
            Self::Replaced => "machines are replaced:",
            Self::Removed => "removed for good:",
        }
    }
}

fn disruption(planned: &Planned) -> String {
    if planned.plan.retires_cluster() {
        return "the cluster ends".to_owned();
    }
    let mut worst: BTreeMap<&str, Fate> = BTreeMap::new();
    for step in planned.plan.steps().iter().filter(|step| step.is_disruptive()) {
        let change = step.change();
        let fate = Fate::of(change);
        let on = change.machine().unwrap_or_else(|| change.key.name());
        let entry = worst.entry(on).or_insert(fate);
        *entry = fate.max(*entry);
    }
    let api_moves = api_moves(planned);
    if worst.is_empty() {
        return api_moves.unwrap_or_else(|| "none".to_owned());
    }
    let mut machines: BTreeMap<(Fate, bool), Vec<String>> = BTreeMap::new();
    for (machine, fate) in &worst {
        let node = ResourceKey::new(Kind::Node, *machine);
        let has_pods = planned.observation.present(&node).is_some();
        let names = machines.entry((*fate, has_pods && *fate == Fate::Replaced));
        names.or_default().push((*machine).to_owned());
    }
    let mut parts: Vec<String> = machines
        .into_iter()
        .map(|((fate, has_pods), names)| format!("{} {}", fate.words(has_pods), fold_names(&names)))
        .collect();
    parts.extend(at_once(planned, &worst));
    parts.extend(quorums(planned, &worst));
    parts.extend(api_pauses(planned, &worst));
    parts.extend(api_moves);
    parts.join("; ")
}

/// Where the API's address is another one: it moves in one step, and nodes are told one after the other.
fn api_moves(planned: &Planned) -> Option<String> {
    planned.plan.steps().iter().find_map(|step| {
        let Action::Update {
            resource,
            differences,
            ..
        } = &step.change().action
        else {
            return None;
        };
        let Resource::VirtualAddress(virtual_address) = resource.as_ref() else {
            return None;
        };
        let moves = differences.iter().any(|difference| difference.field == "address");
        moves.then(|| {
            format!(
                "the API moves to {}: nodes reach it again after their turn",
                virtual_address.address
            )
        })
    })
}

/// What becomes of etcd's quorums where machines with members are touched.
fn quorums(planned: &Planned, worst: &BTreeMap<&str, Fate>) -> Vec<String> {
    let touched: Vec<(&str, Fate)> = planned
        .observation
        .owned_of(Kind::EtcdMember)
        .filter_map(|(_, existing)| match &existing.resource {
            Resource::EtcdMember(member) => {
                Some((member.cluster.as_str(), *worst.get(member.machine.as_str())?))
            }
            _ => None,
        })
        .collect();
    if touched.is_empty() {
        return Vec::new();
    }
    let clusters = plan::etcd_clusters(&planned.observation);
    let formed = clusters.iter().filter(|(_, health)| health.formed);
    let pauses = formed.filter_map(|(name, health)| {
        let restarts = touched
            .iter()
            .any(|(cluster, fate)| cluster == name && matches!(fate, Fate::Restart | Fate::Drain));
        match health.voters {
            _ if !health.has_quorum() => Some(format!("etcd cluster `{name}` {health}")),
            1 if restarts => Some(format!(
                "etcd cluster `{name}` pauses while its only member restarts"
            )),
            2 if restarts => Some(format!(
                "etcd cluster `{name}` pauses while either of its two members restarts"
            )),
            _ => None,
        }
    });
    let pauses: Vec<String> = pauses.collect();
    if pauses.is_empty() {
        vec!["etcd keeps its quorum".to_owned()]
    } else {
        pauses
    }
}

/// That nobody else answers while the only API server is taken down, or loses the member of etcd beside it.
fn api_pauses(planned: &Planned, worst: &BTreeMap<&str, Fate>) -> Option<String> {
    let mut control_planes = planned.observation.owned_of(Kind::ControlPlane);
    let (only, None) = (control_planes.next()?.0, control_planes.next()) else {
        return None;
    };
    let fate = worst.get(only.name())?;
    (*fate != Fate::Removed).then(|| "the API pauses: it has one server".to_owned())
}

/// How many machines of a group are away at the same time, where that is fewer than all that are touched.
fn at_once(planned: &Planned, worst: &BTreeMap<&str, Fate>) -> Vec<String> {
    let mut touched: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, existing) in planned.observation.owned_of(Kind::Node) {
        if let Resource::Node(node) = &existing.resource
            && matches!(
                worst.get(node.machine.as_str()),
                Some(Fate::Drain | Fate::Replaced)
            )
        {
            *touched.entry(node.group.as_str()).or_default() += 1;
        }
    }
    touched
        .into_iter()
        .filter_map(|(group, count)| {
            let limit = usize::try_from(planned.plan.rolling(group).at_once()).ok()?;
            (limit < count).then(|| format!("{limit} of {group} at a time"))
        })
        .collect()
}

fn time(planned: &Planned) -> String {
    let forecast = &planned.forecast;
    let path = &forecast.critical_path;
    let names: Vec<String> = path
        .steps
        .iter()
        .map(|&index| planned.plan.steps()[index].change().key.to_string())
        .collect();
    let shown = match names.len() {
        0..=PATH_LIMIT => names.join(" > "),
        many => {
            let last = &names[many - (PATH_LIMIT - 3)..];
            format!("{} > … > {}", names[..3].join(" > "), last.join(" > "))
        }
    };
    let together = duration(path.duration);
    let one_by_one = duration(forecast.one_by_one);
    if together == one_by_one {
        format!("about {together}")
    } else {
        format!("about {together}, decided by {shown}; one by one it would be {one_by_one}")
    }
}
