//! Backups of 1 GiB beside what etcd's own programs and ssh take for the same data, in the same run.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::on_hosts::desk::Desk;

const MEBIBYTES: u32 = 1024;
/// As much as memory is compared with: what keelson takes should not depend on it.
const SMALL_MEBIBYTES: u32 = 64;
/// So many are written at once.
const STEP: usize = 64;
const ROUNDS: usize = 3;
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
    let Some(desk) = Desk::before("bench-hosts: backups", &["a"]) else {
        return;
    };
    desk.spec(&["a"], "  preflight: { ignore: [time-sync] }\n");
    desk.expect(0, "apply --yes --accept-new-host-keys");
    fill(&desk);
    let before = digests(&desk);
    let name = |arguments: &str| format!("keelson etcd {arguments}, {MEBIBYTES} MiB");
    for arguments in ["snapshot save", "snapshot verify", "drill", "restore --yes"] {
        if arguments.starts_with("restore") {
            spoil(&desk);
        }
        let mut peak_kib = 0;
        let times = (0..ROUNDS).map(|_| {
            let (time, kib) = keelson(&desk, arguments);
            peak_kib = peak_kib.max(kib);
            time
        });
        let times = times.collect();
        super::show(&name(arguments), times);
        let small = small_kib.get(arguments).map_or(0, |kib| kib / 1024);
        println!(
            "    memory at most: {} MiB, and {small} MiB with {SMALL_MEBIBYTES} MiB",
            peak_kib / 1024
        );
    }
    compare(&before, &digests(&desk));
    for (what, measured) in [
        (
            "etcdctl snapshot save, etcdutl snapshot status, ssh cat",
            saved as fn(&Desk) -> Duration,
        ),
        ("sha256sum, etcdutl snapshot status of that file", verified),
        ("ssh cat, etcdutl snapshot restore, start", restored),
    ] {
        super::show(what, (0..ROUNDS).map(|_| measured(&desk)).collect());
    }
    desk.expect(0, "destroy --yes");
}

/// How many KiB of memory each command has at most, of a member that has little; nothing where there are no hosts.
fn peaks_when_small() -> Option<BTreeMap<&'static str, u64>> {
    let desk = Desk::before("bench-hosts: backups of little", &["a"])?;
    desk.spec(&["a"], "  preflight: { ignore: [time-sync] }\n");
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
fn digests(desk: &Desk) -> Vec<String> {
    let host = desk.host("a");
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

fn compare(before: &[String], after: &[String]) {
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
        "    every value of {} is restored as it was, by its SHA-256",
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

fn timed(work: impl FnOnce()) -> Duration {
    let since = Instant::now();
    work();
    since.elapsed()
}

/// As an operator would by hand: write it, look at it, fetch it.
fn saved(desk: &Desk) -> Duration {
    let host = desk.host("a");
    host.run("rm -f /root/plain.db").unwrap();
    timed(|| {
        let save = format!(
            "{ETCDCTL} snapshot save /root/plain.db && /opt/keelson/bin/etcdutl snapshot status /root/plain.db"
        );
        host.run(&save).unwrap();
        let file = fs::File::create(desk.path("plain.db")).unwrap();
        let fetch = host
            .ssh_command("root")
            .arg("cat /root/plain.db")
            .stdout(file)
            .status();
        assert!(fetch.unwrap().success());
    })
}

fn verified(desk: &Desk) -> Duration {
    let host = desk.host("a");
    timed(|| {
        let check = Command::new("sha256sum")
            .arg(desk.path("plain.db"))
            .stdout(Stdio::null())
            .status();
        assert!(check.unwrap().success());
        host.run("/opt/keelson/bin/etcdutl snapshot status /root/plain.db")
            .unwrap();
    })
}

/// The member of the cluster stands still: the data is given to one beside it.
fn restored(desk: &Desk) -> Duration {
    let host = desk.host("a");
    host.run("rm -rf /root/carried.db /root/scratch").unwrap();
    let time = timed(|| {
        let file = fs::File::open(desk.path("plain.db")).unwrap();
        let carry = host
            .ssh_command("root")
            .arg("cat >/root/carried.db")
            .stdin(file)
            .status();
        assert!(carry.unwrap().success());
        let start = "/opt/keelson/bin/etcdutl snapshot restore /root/carried.db --data-dir /root/scratch 2>/dev/null && \
                     systemd-run --quiet --collect --unit scratch /opt/keelson/bin/etcd --data-dir /root/scratch \
                     --listen-client-urls http://127.0.0.1:12379 --advertise-client-urls http://127.0.0.1:12379 \
                     --listen-peer-urls http://127.0.0.1:12380 && \
                     env ETCDCTL_API=3 /opt/keelson/bin/etcdctl --endpoints=http://127.0.0.1:12379 --dial-timeout=60s \
                     --command-timeout=60s get nothing";
        host.run(start).unwrap();
    });
    host.run("systemctl stop scratch; rm -rf /root/scratch /root/carried.db")
        .unwrap();
    time
}
