//! The names and addresses by which machines reach the API: they are there before anyone is told of them, and for as long as
//! anyone uses them.
//!
//! An API server's certificate holds the names that its bundle knows, so control planes are told first.

use keelson_provider_api::{Action, Change, Kind, ResourceKey};

use super::api_servers::{changes_built_in_addon, lone_kubelet};
use super::desired::DesiredState;
use super::draft::Drafts;
use super::verdict::{Verdicts, is_blocked};

/// The drafts that have to do with names of the API.
#[derive(Default)]
struct Names {
    /// These make a name in DNS.
    records: Vec<usize>,
    /// These make an address that moves between control planes.
    addresses: Vec<usize>,
    /// These take a name or an address away.
    removals: Vec<usize>,
    /// Control planes are told by these.
    control_planes: Vec<usize>,
    /// Everybody else is told by these.
    others: Vec<usize>,
    /// Bundles that go: until then somebody on their machines may use an old name.
    leaving: Vec<usize>,
}

impl Names {
    fn of(drafts: &Drafts, desired: &DesiredState) -> Self {
        let mut names = Self::default();
        for (index, draft) in drafts.iter() {
            let change = &draft.change;
            match change.key.kind() {
                Kind::DnsRecord | Kind::VirtualAddress if change.is_removal() && !change.replacement => {
                    names.removals.push(index);
                }
                Kind::DnsRecord if !change.is_removal() => names.records.push(index),
                Kind::VirtualAddress if gives_address(change) => names.addresses.push(index),
                Kind::NodeBundle if change.is_removal() => names.leaving.push(index),
                Kind::NodeBundle if !is_told(change) => {}
                Kind::NodeBundle if lone_kubelet(change, desired).is_some() => names.others.push(index),
                Kind::NodeBundle | Kind::ControlPlane if is_told(change) => names.control_planes.push(index),
                Kind::Addon if changes_built_in_addon(change) => names.others.push(index),
                _ => {}
            }
        }
        names
    }

    fn makes_any(&self) -> bool {
        !self.records.is_empty() || !self.addresses.is_empty()
    }
}

/// Whoever comes new asks for what it needs itself.
fn is_told(change: &Change) -> bool {
    match change.action {
        Action::Create { .. } => change.replacement,
        Action::Update { .. } => true,
        Action::Delete { .. } => false,
    }
}

fn gives_address(change: &Change) -> bool {
    match &change.action {
        Action::Create { .. } => true,
        Action::Update { differences, .. } => {
            differences.iter().any(|difference| difference.field == "address")
        }
        Action::Delete { .. } => false,
    }
}

/// What comes before what where names are made or taken away.
pub(super) fn orders(drafts: &Drafts, desired: &DesiredState) -> Vec<(usize, usize)> {
    let names = Names::of(drafts, desired);
    let mut orders = Vec::new();
    let mut all_before = |earlier: &[usize], later: &[usize]| {
        orders.extend(
            earlier
                .iter()
                .flat_map(|&earlier| later.iter().map(move |&later| (earlier, later))),
        );
    };
    if names.makes_any() {
        all_before(&names.records, &names.control_planes);
        all_before(&names.control_planes, &names.addresses);
        for told_before in [&names.records, &names.addresses, &names.control_planes] {
            all_before(told_before, &names.others);
        }
    }
    for told_before in [&names.control_planes, &names.others, &names.leaving] {
        all_before(told_before, &names.removals);
    }
    orders
}

/// What has to wait while something is blocked that uses an old name, or has to know a new one first; and for what.
pub(super) fn waiting(
    drafts: &Drafts,
    desired: &DesiredState,
    verdicts: &Verdicts,
) -> Vec<(usize, ResourceKey)> {
    let names = Names::of(drafts, desired);
    let blocked = || verdicts.keys().filter(|key| is_blocked(verdicts, key));
    let mut on_machines = blocked().filter(|key| matches!(key.kind(), Kind::Machine | Kind::NodeBundle));
    let serves = on_machines.clone().find(|key| desired.serves_api(key.name()));
    let uses = on_machines.next();
    let removals = names.removals.iter().zip(std::iter::repeat(uses));
    let told = names.addresses.iter().chain(&names.others);
    let told = told.filter(|_| names.makes_any()).zip(std::iter::repeat(serves));
    removals
        .chain(told)
        .filter_map(|(&index, blocker)| Some((index, blocker?.clone())))
        .collect()
}
