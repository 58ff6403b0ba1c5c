//! How long things take: one table, from typical figures of public clouds and of bare machines.

use std::time::Duration;

use keelson_provider_api::kinds::{Difference, Kind};
use keelson_provider_api::{Action, Change, Disruption};

use crate::options::Like;
use crate::random::{between, draw};

/// How long one kind of call takes.
struct Row {
    kind: Kind,
    /// Milliseconds of create, update and delete.
    aws: [u64; 3],
    digitalocean: [u64; 3],
    ssh: [u64; 3],
    /// How far a call may be from the typical time, in percent of it.
    spread: u64,
}

const fn row(kind: Kind, aws: [u64; 3], digitalocean: [u64; 3], ssh: [u64; 3], spread: u64) -> Row {
    Row {
        kind,
        aws,
        digitalocean,
        ssh,
        spread,
    }
}

/// The table, in the order of [`Kind`]. Figures without a source are estimates of a plain API call or two.
const TABLE: &[Row] = &[
    row(
        Kind::Network,
        [2_000, 800, 2_500],
        [1_500, 800, 1_500],
        [0, 0, 0],
        40,
    ),
    row(Kind::Subnet, [1_500, 800, 1_500], [0, 0, 0], [0, 0, 0], 40),
    // A NAT gateway is available after one to two minutes, and gone after about one: an estimate.
    row(
        Kind::NatGateway,
        [100_000, 1_000, 60_000],
        [0, 0, 0],
        [0, 0, 0],
        30,
    ),
    row(Kind::WayOut, [2_000, 1_500, 2_000], [0, 0, 0], [0, 0, 0], 40),
    row(
        Kind::Firewall,
        [1_500, 900, 1_200],
        [1_200, 900, 900],
        [800, 800, 500],
        40,
    ),
    // A network load balancer was seen to provision for more than 2 minutes:
    // https://github.com/hashicorp/terraform-provider-aws/issues/1838. DigitalOcean's: an estimate, 1 to 2 minutes.
    row(
        Kind::LoadBalancer,
        [150_000, 3_000, 4_000],
        [90_000, 8_000, 2_000],
        [0, 0, 0],
        30,
    ),
    // Route 53 answers INSYNC "within 60 seconds under normal conditions": https://aws.amazon.com/route53/faqs/.
    row(
        Kind::DnsRecord,
        [35_000, 35_000, 35_000],
        [1_500, 1_500, 1_000],
        [1_500, 1_500, 1_000],
        50,
    ),
    // A new role is known everywhere in EC2 after some seconds:
    // https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency.
    row(Kind::Role, [10_000, 1_500, 2_500], [0, 0, 0], [0, 0, 0], 40),
    row(Kind::Volume, [4_000, 3_000, 2_000], [0, 0, 0], [0, 0, 0], 40),
    row(
        Kind::NetworkInterface,
        [1_500, 900, 1_500],
        [0, 0, 0],
        [0, 0, 0],
        40,
    ),
    // EC2, from RunInstances to an open SSH port: 29 s (1.5 + 4.9 + 17.2 + 5.6) in
    // https://www.daemonology.net/blog/2021-08-12-EC2-boot-time-benchmarking.html; 26 s on average elsewhere.
    // Droplets: an estimate, 30 to 60 s to SSH. A host that stands answers at once and is reset in 2.3 s.
    row(
        Kind::Machine,
        [29_000, 2_000, 35_000],
        [45_000, 2_000, 12_000],
        [1_500, 800, 2_300],
        30,
    ),
    // Download and unpack of some 200 MB of binaries, then one script: an estimate.
    row(
        Kind::NodeBundle,
        [30_000, 12_000, 3_000],
        [30_000, 12_000, 3_000],
        [25_000, 10_000, 2_300],
        25,
    ),
    // etcd answers within a few seconds of its start; joining includes the wait for the log apart from this.
    row(
        Kind::EtcdMember,
        [4_000, 1_000, 1_500],
        [4_000, 1_000, 1_500],
        [3_000, 1_000, 1_500],
        30,
    ),
    row(
        Kind::EtcdSnapshot,
        [5_000, 500, 800],
        [5_000, 500, 800],
        [3_000, 500, 500],
        40,
    ),
    // The manifests are laid out here; that the API server answers 11 to 12 s later is in the world itself.
    row(
        Kind::ControlPlane,
        [1_500, 1_000, 2_000],
        [1_500, 1_000, 2_000],
        [1_000, 1_000, 1_500],
        30,
    ),
    row(
        Kind::VirtualAddress,
        [2_000, 2_000, 1_500],
        [2_000, 2_000, 1_500],
        [2_000, 2_000, 1_500],
        30,
    ),
    // Registration, then three health checks 10 s apart: the defaults of a target group with a TCP check, see
    // https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-health-checks.html.
    row(
        Kind::LoadBalancerTarget,
        [35_000, 1_000, 2_000],
        [15_000, 1_000, 2_000],
        [1_000, 1_000, 1_000],
        40,
    ),
    // The calls alone: what boots after them is in the world itself. A group that goes waits for its machines to end.
    row(Kind::NodeGroup, [2_500, 1_500, 45_000], [0, 0, 0], [0, 0, 0], 30),
    row(Kind::GroupMachine, [0, 2_000, 35_000], [0, 0, 0], [0, 0, 0], 30),
    // A worker joins in 1.5 s and is Ready 2 s after it registered (measured, Kubernetes 1.36). Its delete drains:
    // the default grace period of a pod is 30 s, most take less.
    row(
        Kind::Node,
        [3_500, 400, 15_000],
        [3_500, 400, 15_000],
        [3_500, 400, 15_000],
        35,
    ),
    row(
        Kind::Addon,
        [2_500, 1_500, 1_500],
        [2_500, 1_500, 1_500],
        [2_500, 1_500, 1_500],
        40,
    ),
    // Only ever deleted. Security groups wait until the interfaces of load balancers are gone.
    row(Kind::Leftover, [0, 0, 8_000], [0, 0, 8_000], [0, 0, 0], 50),
];

/// How long a drain takes before the restart that it prepares.
pub(crate) const DRAIN: Duration = Duration::from_secs(20);

/// From the moment when a group starts a machine until its node is Ready: as long as a machine, its bundle and its node.
pub(crate) const JOIN: Duration = Duration::from_secs(62);

/// How long one look at a kind takes.
pub(crate) const LOOK: Duration = Duration::from_millis(350);

/// How long `change` takes on a platform like `like` when nothing goes wrong, for forecasts.
pub fn typical(like: Like, change: &Change) -> Duration {
    let drain = if drains(change) { DRAIN } else { Duration::ZERO };
    let after = match (change.key.kind(), &change.action) {
        (Kind::NodeGroup, Action::Create { .. })
        | (Kind::GroupMachine, Action::Update { .. } | Action::Delete { .. }) => JOIN,
        (Kind::NodeGroup, Action::Update { differences, .. }) if grows(differences) => JOIN,
        (_, Action::Delete { .. }) => Duration::ZERO,
        // The API server starts, or starts again.
        (Kind::ControlPlane, _) | (Kind::NodeBundle, Action::Update { .. }) => Duration::from_secs(12),
        // A learner catches up.
        (Kind::EtcdMember, Action::Create { .. }) => Duration::from_secs(2),
        _ => Duration::ZERO,
    };
    typical_call(like, change) + drain + after
}

/// True where a group is to hold more machines than it does.
fn grows(differences: &[Difference]) -> bool {
    let mut replicas = differences.iter().filter(|one| one.field == "replicas");
    replicas.any(|replicas| replicas.to.as_u64() > replicas.from.as_u64())
}

/// True for a change that takes pods off a node before it has its effect.
pub(crate) fn drains(change: &Change) -> bool {
    let is_drained = match change.action {
        Action::Update { .. } => true,
        Action::Delete { .. } => change.key.kind() == Kind::GroupMachine,
        Action::Create { .. } => false,
    };
    change.disruption == Disruption::Drain && is_drained
}

/// How long the call itself takes, drawn for this key and attempt.
pub(crate) fn drawn(like: Like, seed: u64, change: &Change, count: u64) -> Duration {
    let typical = typical_call(like, change);
    let spread = find(change.key.kind()).map_or(0, |row| row.spread);
    let share = typical.mul_f64(f64::from(u32::try_from(spread).unwrap_or(0)) / 100.0);
    let words = [
        &*change.key.to_string(),
        change.action.verb(),
        "latency",
        &count.to_string(),
    ];
    between(typical.saturating_sub(share), typical + share, draw(seed, &words))
}

fn typical_call(like: Like, change: &Change) -> Duration {
    let Some(row) = find(change.key.kind()) else {
        return Duration::from_secs(1);
    };
    let [create, update, delete] = match like {
        Like::Aws => row.aws,
        Like::Digitalocean => row.digitalocean,
        Like::Ssh => row.ssh,
    };
    Duration::from_millis(match change.action {
        Action::Create { .. } => create,
        Action::Update { .. } => update,
        Action::Delete { .. } => delete,
    })
}

fn find(kind: Kind) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.kind == kind)
}

#[cfg(test)]
mod tests {
    use keelson_provider_api::kinds::KINDS;

    use super::*;
    use crate::testing::{Fixture, create};

    #[test]
    fn the_table_has_one_row_for_every_kind_in_order() {
        let kinds: Vec<Kind> = TABLE.iter().map(|row| row.kind).collect();
        assert_eq!(kinds, KINDS.iter().map(|info| info.kind).collect::<Vec<_>>());
    }

    #[test]
    fn drawn_times_repeat_and_stay_within_the_spread() {
        let change = create(Fixture::machine("a"));
        let typical = typical(Like::Aws, &change);
        for count in 0..100 {
            let time = drawn(Like::Aws, 7, &change, count);
            assert_eq!(time, drawn(Like::Aws, 7, &change, count));
            assert!(
                time >= typical.mul_f64(0.69) && time <= typical.mul_f64(1.31),
                "{time:?}"
            );
        }
    }
}
