//! Clouds leave nothing, however they end.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use keelson_test_hosts::{Lab, clean, moto_python_or_skip, skip_without_root};

use super::{ZONE, aws, wait_until};
use crate::traces::{RECORDS, Traces};

/// The program, holding a cloud with an instance.
struct Owner {
    process: Child,
    /// Where its emulator listens.
    address: String,
    lab: String,
    traces: Traces,
}

/// Nothing without root or without the emulator. The instance has mounted its volume, so that the kernel does not let go of that
/// by itself.
fn owner(test: &str, name: &str) -> Option<Owner> {
    if skip_without_root(test) || moto_python_or_skip(test).is_none() {
        return None;
    }
    let lab = format!("{name}-{}", std::process::id());
    let mut process = Command::new(env!("CARGO_BIN_EXE_test-hosts"))
        .args(["cloud", "--name", &lab])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut url = String::new();
    BufReader::new(process.stdout.take().unwrap())
        .read_line(&mut url)
        .unwrap();
    let url = url.trim();
    let address = url.strip_prefix("http://").unwrap();
    let block = format!("{}.0/23", address.rsplit_once('.').unwrap().0);
    let id = aws(
        url,
        &format!(
            "one = run(SubnetId=network({block:?}))
attach(ec2.create_volume(AvailabilityZone={ZONE:?}, Size=1)['VolumeId'], one)
print(one)"
        ),
    );
    let opened = || Lab::open(&lab).unwrap();
    wait_until(|| {
        let lab = opened();
        lab.host(&id)
            .is_ok_and(|host| host.run("test -b /dev/nvme1n1").is_ok())
    });
    let host = opened().host(&id).unwrap().clone();
    host.run("mkfs.ext4 -q /dev/nvme1n1 && mount /dev/nvme1n1 /mnt && echo 1 >/mnt/file")
        .unwrap();
    let traces = Traces::of(&opened());
    assert!(
        traces.find().iter().any(|found| found.contains("/volumes/")),
        "{:?}",
        traces.find()
    );
    Some(Owner {
        process,
        address: address.to_owned(),
        lab,
        traces,
    })
}

impl Owner {
    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[test]
fn a_cloud_whose_owner_is_killed_leaves_nothing() {
    let test = "on_hosts::cloud::ends::a_cloud_whose_owner_is_killed_leaves_nothing";
    let Some(mut owner) = owner(test, "killed") else {
        return;
    };
    owner.kill();
    owner.traces.expect_gone();
    wait_until(|| TcpStream::connect(&owner.address).is_err());
}

#[test]
fn a_cloud_whose_guard_is_killed_too_is_cleaned_away() {
    let test = "on_hosts::cloud::ends::a_cloud_whose_guard_is_killed_too_is_cleaned_away";
    let Some(mut owner) = owner(test, "stray") else {
        return;
    };
    let guard = fs::read_to_string(Path::new(RECORDS).join(&owner.lab).join("guard")).unwrap();
    let (guard, _) = guard.split_once(' ').unwrap();
    let killed = Command::new("kill").args(["-KILL", guard]).status().unwrap();
    assert!(killed.success());
    owner.kill();
    wait_until(|| {
        // What tests of other labs forge at the same time cannot be cleaned away.
        clean().ok();
        owner.traces.find().is_empty()
    });
    wait_until(|| TcpStream::connect(&owner.address).is_err());
}
