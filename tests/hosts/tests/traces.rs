//! Labs leave nothing: when they are dropped, when whoever made them is killed, when their time is up, and when all of
//! that has failed.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use keelson_test_hosts::{Host, Lab, LabOptions, clean, skip_without_root};

use crate::lab;

/// So soon everything is gone; usually within one second.
const GONE_LIMIT: Duration = Duration::from_secs(20);
pub(crate) const RECORDS: &str = "/run/keelson-test-hosts";

/// What is known of a lab while it stands, to look for it afterwards.
pub(crate) struct Traces {
    name: String,
    uplink: String,
    disks: String,
}

impl Traces {
    pub(crate) fn of(lab: &Lab) -> Self {
        let record = Path::new(RECORDS).join(lab.name());
        let read = |file| fs::read_to_string(record.join(file)).unwrap().trim().to_owned();
        Self {
            name: lab.name().to_owned(),
            uplink: read("uplink"),
            disks: read("folder"),
        }
    }

    /// Everything on this machine that belongs to the lab.
    pub(crate) fn find(&self) -> Vec<String> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let mut paths = vec![
            format!("{RECORDS}/{}", self.name),
            format!("/sys/class/net/{}", self.uplink),
            self.disks.clone(),
        ];
        let hierarchies = mounts.lines().filter(|mount| mount.contains(" - cgroup"));
        let mount_points = hierarchies.map(|mount| mount.split(' ').nth(4).unwrap());
        paths.extend(mount_points.map(|folder| format!("{folder}/keelson-{}", self.name)));
        paths.retain(|path| Path::new(path).exists());
        let of_lab = |text: &str| text.contains(&format!("/{}/", self.name));
        let mounts = mounts.lines().filter(|mount| of_lab(mount)).map(str::to_owned);
        let devices = fs::read_dir("/sys/block").unwrap().flatten();
        let devices =
            devices.filter_map(|device| fs::read_to_string(device.path().join("loop/backing_file")).ok());
        let devices = devices.filter(|file| of_lab(file));
        paths
            .into_iter()
            .chain(mounts)
            .chain(devices)
            .chain(self.processes())
            .collect()
    }

    fn processes(&self) -> impl Iterator<Item = String> {
        let own = std::process::id().to_string();
        let processes = fs::read_dir("/proc").unwrap().flatten();
        processes.filter_map(move |process| {
            let of_lab = |file: &str| {
                let text = fs::read(process.path().join(file)).unwrap_or_default();
                String::from_utf8_lossy(&text).contains(&self.name)
            };
            let found = process.file_name() != *own && (of_lab("cmdline") || of_lab("cgroup"));
            let stat = fs::read_to_string(process.path().join("stat")).unwrap_or_default();
            // One that has ended, and that the machine's own first process has only to take note of.
            (found && !stat.contains(") Z 1 ")).then_some(stat)
        })
    }

    pub(crate) fn expect_gone(&self) {
        let start = Instant::now();
        loop {
            let found = self.find();
            if found.is_empty() {
                return;
            }
            assert!(start.elapsed() < GONE_LIMIT, "left:\n{}", found.join("\n"));
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// The program, holding a lab, once the hosts of it answer.
#[expect(
    clippy::zombie_processes,
    reason = "who calls waits for it; a test that fails ends with it"
)]
fn program_with_lab(name: &str, more: &[&str]) -> (Child, Traces) {
    let child = Command::new(env!("CARGO_BIN_EXE_test-hosts"))
        .args(["up", "2", "--disk-mib", "128", "--name", name])
        .args(more)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    loop {
        if let Ok(lab) = Lab::open(name)
            && lab.hosts().iter().all(Host::ssh_answers)
        {
            return (child, Traces::of(&lab));
        }
        assert!(start.elapsed() < Duration::from_secs(120), "no lab {name}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn two_labs_stand_at_once_and_a_dropped_one_leaves_nothing() {
    let mut options = LabOptions::with_hosts(1);
    options.name = Some(format!("one-{}", std::process::id()));
    let Some(one) = lab(
        "two_labs_stand_at_once_and_a_dropped_one_leaves_nothing",
        &options,
    ) else {
        return;
    };
    let refused = Lab::new(&options).unwrap_err().to_string();
    assert!(refused.contains("there is a lab"), "{refused}");
    let two = Lab::new(&LabOptions::with_hosts(1)).unwrap();
    assert_ne!(one.gateway(), two.gateway());
    let traces = Traces::of(&one);
    assert!(traces.find().len() > 5, "{:?}", traces.find());
    drop(one);
    // Dropping waits until everything is gone.
    assert_eq!(traces.find(), Vec::<String>::new());
    two.hosts()[0].run("true").unwrap();
}

#[test]
fn a_killed_owner_leaves_nothing() {
    if skip_without_root("a_killed_owner_leaves_nothing") {
        return;
    }
    let name = format!("killed-{}", std::process::id());
    let (mut owner, traces) = program_with_lab(&name, &[]);
    owner.kill().unwrap();
    owner.wait().unwrap();
    traces.expect_gone();
}

#[test]
fn a_lab_whose_time_is_up_goes_although_it_is_held() {
    let mut options = LabOptions::with_hosts(1);
    // It has to be up within that.
    options.lifetime = Duration::from_secs(60);
    options.name = Some(format!("short-{}", std::process::id()));
    let Some(lab) = lab("a_lab_whose_time_is_up_goes_although_it_is_held", &options) else {
        return;
    };
    let traces = Traces::of(&lab);
    std::thread::sleep(options.lifetime);
    traces.expect_gone();
    lab.down().unwrap();
}

#[test]
fn cleaning_removes_what_nobody_looks_after_and_nothing_else() {
    let Some(held) = lab(
        "cleaning_removes_what_nobody_looks_after_and_nothing_else",
        &LabOptions::with_hosts(1),
    ) else {
        return;
    };
    // A record that somebody began, and then died.
    let forged = format!("forged-{}", std::process::id());
    let record = Path::new(RECORDS).join(&forged);
    fs::create_dir_all(record.join("hosts/a")).unwrap();
    fs::write(record.join("owner"), "1 1\n").unwrap();
    fs::write(record.join("folder"), "/tmp/not-a-lab\n").unwrap();
    let refused = clean().unwrap_err().to_string();
    assert!(refused.contains("/tmp/not-a-lab"), "{refused}");
    fs::remove_file(record.join("folder")).unwrap();

    // A lab without owner and guard, with everything that belongs to one.
    let orphan = format!("orphan-{}", std::process::id());
    let (mut program, traces) = program_with_lab(&orphan, &["--detach"]);
    assert!(program.wait().unwrap().success());
    assert!(clean().unwrap().iter().all(|removed| *removed != orphan));
    let guard = fs::read_to_string(Path::new(RECORDS).join(&orphan).join("guard")).unwrap();
    let (guard, _) = guard.split_once(' ').unwrap();
    assert!(
        Command::new("kill")
            .args(["-KILL", guard])
            .status()
            .unwrap()
            .success()
    );
    // The guard has to be reaped first, and the kernel lets go of disks later.
    for _ in 0..100 {
        clean().unwrap();
        if traces.find().is_empty() && !record.exists() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(traces.find(), Vec::<String>::new());
    assert!(!record.exists());
    held.hosts()[0].run("true").unwrap();
}
