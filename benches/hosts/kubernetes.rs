//! From empty hosts to nodes that are Ready, beside what Kubernetes takes of that by itself.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::{show, start_of_unit};
use crate::on_hosts::site::Site;

const ROUNDS: usize = 3;

/// One host that is everything, and three control planes behind one address with two workers.
pub(super) fn measure() {
    let name = "bench-hosts: Kubernetes";
    if let Some(site) = Site::with_hosts(name, &["a"]) {
        site.spec(&[("a", "control-plane, worker")], "", "");
        rounds(&site, "one host", &["a"]);
    }
    let names = ["a", "b", "c", "d", "e"];
    if let Some(site) = Site::with_hosts(name, &names) {
        let roles = names.map(|name| match name {
            "a" | "b" | "c" => (name, "control-plane"),
            _ => (name, "worker"),
        });
        let address = format!("      apiAddress: {}\n", site.api_address());
        site.spec(&roles, &address, "");
        rounds(&site, "3 control planes and 2 workers", &names);
    }
}

fn rounds(site: &Site, what: &str, hosts: &[&str]) {
    let (mut applies, mut idle, mut runtimes, mut chains) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        if round > 0 {
            site.desk.expect(0, "destroy --yes");
        }
        let since = Instant::now();
        site.desk.expect(0, "apply --yes --accept-new-host-keys");
        applies.push(since.elapsed());
        let since = Instant::now();
        site.desk.expect(0, "apply --yes");
        idle.push(since.elapsed());
        runtimes.extend(
            hosts
                .iter()
                .map(|host| start_of_unit(&site.desk, host, "containerd")),
        );
        chains.push(chain(site, hosts));
    }
    show(&format!("apply, {what}: empty to every node Ready"), applies);
    show(
        &format!("{what}: from the first kubelet's start to the last node's readiness"),
        chains,
    );
    show(&format!("{what}: containerd's own start"), runtimes);
    show(&format!("apply with nothing to do, {what}"), idle);
}

/// What Kubernetes takes by itself: kubelets start static pods, an API server answers, the controller manager gives each node
/// its range of pods, and the network comes. The API tells of readiness in whole seconds.
fn chain(site: &Site, hosts: &[&str]) -> Duration {
    let start = |host: &&str| -> Timestamp {
        let show = "date -u +%Y-%m-%dT%H:%M:%S.%NZ -d \"$(systemctl show -P ActiveEnterTimestamp --timestamp=us+utc kubelet)\"";
        site.desk.host(host).run(show).unwrap().trim().parse().unwrap()
    };
    let first = hosts.iter().map(start).min().unwrap();
    let ready = site.kubectl(
        "a",
        "get nodes -o jsonpath='{range .items[*].status.conditions[?(@.type==\"Ready\")]}{.lastTransitionTime}{\"\\n\"}{end}'",
    );
    let last: Timestamp = ready.lines().map(|moment| moment.parse().unwrap()).max().unwrap();
    last.duration_since(first).unsigned_abs()
}
