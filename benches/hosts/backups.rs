//! Backups of 1 GiB beside what etcd's own programs and ssh take for the same data, in the same run.

mod by_hand;

use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use keelson_test_hosts::Host;

use super::on_hosts::desk::Desk;

const MEBIBYTES: u32 = 1024;
/// As much as memory is compared with: what keelson takes should not depend on it.
const SMALL_MEBIBYTES: u32 = 64;
/// So many are written at once.
const STEP: usize = 64;
const ROUNDS: usize = 3;
const MORE: &str = "  preflight: { ignore: [time-sync] }\n";
const ETCDCTL: &str = "env ETCDCTL_API=3 /opt/keelson/bin/etcdctl --endpoints=https://127.0.0.1:2379 --cacert=/etc/etcd/pki/ca.crt \
                       --cert=/etc/etcd/pki/healthcheck-client.crt --key=/etc/etcd/pki/healthcheck-client.key \
                       --command-timeout=600s";

/// Measures saves, verifications, drills and restores of a member with 1 GiB, and how much memory keelson takes for them.
///
/// # Panics
/// Where a value is another one after the restores than it was before the saves.
pub(crate) fn measure() {
    let Some(small_kib) = peaks_when_small() else {
        return;
    };
    let Some(desk) = Desk::before("bench-hosts: backups", &["a", "b"]) else {
        return;
    };
    desk.spec(&["a"], MORE);
    desk.expect(0, "apply --yes --accept-new-host-keys");
    fill(&desk);
    let before = digests(desk.host("a"));
    let measured = |what, by_hand: fn(&Desk) -> Duration| {
        super::show(what, (0..ROUNDS).map(|_| by_hand(&desk)).collect())
    };
    let save = measured(
        "etcdctl snapshot save, etcdutl snapshot status, ssh cat",
        by_hand::saved,
    );
    let verify = measured(
        "sha256sum, etcdutl snapshot status of that file",
        by_hand::verified,
    );
    let restore = measured("ssh cat, etcdutl snapshot restore, start", by_hand::restored);
    for (arguments, beside) in [
        ("snapshot save", Some(save)),
        ("snapshot verify", Some(verify)),
        ("drill", None),
        ("restore --yes", Some(restore)),
    ] {
        let small = small_kib.get(arguments).copied().unwrap_or(0);
        measure_one(&desk, arguments, small, beside);
    }
    compare("the same host", &before, &digests(desk.host("a")));
    onto_another(&desk, &before);
    desk.expect(0, "destroy --yes");
}

/// Measures a command of keelson, and compares it with what was taken by hand.
fn measure_one(desk: &Desk, arguments: &str, small_kib: u64, by_hand: Option<Duration>) {
    if arguments.starts_with("restore") {
        spoil(desk);
    }
    let mut peak_kib = 0;
    let times = (0..ROUNDS).map(|_| {
        let (time, kib) = keelson(desk, arguments);
        peak_kib = peak_kib.max(kib);
        time
    });
    let times = times.collect();
    let median = super::show(&format!("keelson etcd {arguments}, {MEBIBYTES} MiB"), times);
    if let Some(by_hand) = by_hand {
        let ratio = median.as_secs_f64() / by_hand.as_secs_f64();
        println!("    {ratio:.2} times as long as by hand");
    }
    println!(
        "    memory at most: {} MiB, and {} MiB with {SMALL_MEBIBYTES} MiB",
        peak_kib / 1024,
        small_kib / 1024
    );
}

/// The host is lost with all that it had; another one takes its place and is given the snapshot.
fn onto_another(desk: &Desk, before: &[String]) {
    desk.host("a").power_cut().unwrap();
    desk.spec(&["b"], MORE);
    desk.expect(0, "node forget a");
    desk.expect(3, "apply --yes --accept-new-host-keys");
    let (time, _) = keelson(desk, "restore --yes");
    super::show("keelson etcd restore onto another host", vec![time]);
    compare("another host", before, &digests(desk.host("b")));
}

/// How many KiB of memory each command has at most, of a member that has little; nothing where there are no hosts.
fn peaks_when_small() -> Option<BTreeMap<&'static str, u64>> {
    let desk = Desk::before("bench-hosts: backups of little", &["a"])?;
    desk.spec(&["a"], MORE);
    desk.expect(0, "apply --yes --accept-new-host-keys");
    fill_to(&desk, SMALL_MEBIBYTES);
    let commands = ["snapshot save", "snapshot verify", "drill", "restore --yes"];
    let peaks = commands.map(|arguments| (arguments, keelson(&desk, arguments).1));
    desk.expect(0, "destroy --yes");
    Some(peaks.into())
}

/// Values of 1 MiB that compress to three quarters.
fn fill(desk: &Desk) {
    fill_to(desk, MEBIBYTES);
}

fn fill_to(desk: &Desk, mebibytes: u32) {
    for first in (0..mebibytes).step_by(STEP) {
        let last = first + u32::try_from(STEP).unwrap() - 1;
        let put = format!(
            "for n in $(seq {first} {last}); do head -c 786000 /dev/urandom | base64 -w 0 | {ETCDCTL} put big/$n >/dev/null || \
             exit 1; done"
        );
        desk.host("a").run(&put).unwrap();
    }
}

/// The SHA-256 of each value, in the order of the keys' numbers. One after the other: at once etcd and etcdctl would have all of
/// them in memory.
fn digests(host: &Host) -> Vec<String> {
    let steps = (0..MEBIBYTES).step_by(STEP).map(|first| {
        let last = first + u32::try_from(STEP).unwrap() - 1;
        let get = format!(
            "for n in $(seq {first} {last}); do {ETCDCTL} get big/$n --print-value-only | sha256sum || exit 1; done"
        );
        host.run(&get).unwrap()
    });
    let steps: Vec<String> = steps.collect();
    let lines = steps.iter().flat_map(|step| step.lines());
    lines.map(str::to_owned).collect()
}

/// Takes all keys away but the first one, which has another value then: what is there after a restore is the snapshot's.
fn spoil(desk: &Desk) {
    let spoil = format!("{ETCDCTL} del --prefix big/ && {ETCDCTL} put big/0 other");
    desk.host("a").run(&spoil).unwrap();
}

fn compare(place: &str, before: &[String], after: &[String]) {
    assert_eq!(before.len(), after.len());
    let other: Vec<String> = (0..before.len())
        .filter(|number| before[*number] != after[*number])
        .map(|number| format!("big/{number}"))
        .collect();
    assert!(
        other.is_empty(),
        "not restored as they were: {}",
        other.join(", ")
    );
    println!(
        "    every value of {} is restored as it was on {place}, by its SHA-256",
        before.len()
    );
}

/// How long keelson takes, and how many KiB of memory it had at most.
fn keelson(desk: &Desk, arguments: &str) -> (Duration, u64) {
    let since = Instant::now();
    let mut child = desk
        .command(&format!("etcd {arguments}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut peak_kib = 0;
    let status = loop {
        if let Ok(text) = fs::read_to_string(format!("/proc/{}/status", child.id())) {
            let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let peak = peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse().ok());
            peak_kib = peak_kib.max(peak.unwrap_or(0));
        }
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(status.success(), "keelson etcd {arguments}: {status}");
    (since.elapsed(), peak_kib)
}
