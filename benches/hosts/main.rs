//! What keelson costs on real hosts: `make bench-hosts`, as root. `docs/performance.md` holds the figures.
//!
//! Not a test: how long things take on a busy machine says nothing about whether they are right.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark says what is wrong by ending, and runs in real time"
)]

mod backups;
mod fan_out;
mod kubernetes;
/// What the tests on hosts stand on.
#[path = "../../tests/on_hosts"]
#[expect(dead_code, reason = "tests need more of it")]
mod on_hosts {
    pub(crate) mod desk;
    #[path = "kubernetes/site.rs"]
    pub(crate) mod site;
}

use std::time::{Duration, Instant};

use keelson_test_hosts::serve_directory;
use on_hosts::desk::{Desk, Spec};

const HOSTS: [&str; 3] = ["a", "b", "c"];
const APPLIES: usize = 5;
const IDLE_APPLIES: usize = 10;

/// All of it, or what is named: `cargo bench --bench hosts -- backups`.
fn main() {
    let named = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    let parts: [(&str, fn()); 4] = [
        ("etcd", etcd),
        ("backups", backups::measure),
        ("fan-out", fan_out::measure),
        ("kubernetes", kubernetes::measure),
    ];
    for (name, measure) in parts {
        if named.as_ref().is_none_or(|named| named == name) {
            measure();
        }
    }
}

/// An etcd of three members, from empty hosts.
fn etcd() {
    let Some(desk) = Desk::before("bench-hosts", &HOSTS) else {
        return;
    };
    let assets = keelson_test_hosts::assets().unwrap();
    let mirror = serve_directory(&assets.folder, desk.lab.gateway()).unwrap();
    let spec = Spec {
        assets: mirror.url(),
        ..desk.spec_of(&HOSTS)
    };
    desk.write(&spec);
    let mut applies = Vec::new();
    let mut starts = Vec::new();
    for round in 0..APPLIES {
        if round > 0 {
            desk.expect(0, "destroy --yes");
        }
        let since = Instant::now();
        desk.expect(0, "apply --yes --accept-new-host-keys");
        applies.push(since.elapsed());
        starts.extend(HOSTS.map(|name| start_of_unit(&desk, name, "etcd")));
    }
    show("apply, 3 empty hosts to a healthy etcd", applies);
    show("etcd's own start, from the unit's to its readiness", starts);
    let idle = (0..IDLE_APPLIES).map(|_| {
        let since = Instant::now();
        desk.expect(0, "apply --yes");
        since.elapsed()
    });
    show("apply with nothing to do, 3 hosts", idle.collect());
}

/// How long the unit took on that host, by systemd's own clock.
fn start_of_unit(desk: &Desk, name: &str, unit: &str) -> Duration {
    let moment = |property: &str| -> u64 {
        let show = format!("systemctl show -P {property}TimestampMonotonic {unit}");
        desk.host(name).run(&show).unwrap().trim().parse().unwrap()
    };
    Duration::from_micros(moment("ActiveEnter") - moment("InactiveExit"))
}

/// A line with the fastest, the median and the slowest; gives the median.
fn show(what: &str, mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    let (fastest, median, slowest) = (times[0], times[times.len() / 2], times[times.len() - 1]);
    println!(
        "{what}: fastest {fastest:.2?}, median {median:.2?}, slowest {slowest:.2?} of {}",
        times.len()
    );
    median
}
