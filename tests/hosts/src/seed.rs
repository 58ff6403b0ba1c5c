//! A new host's disk, and the files on it that no other host has.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

use crate::command::tool;
use crate::error::AboutFile;
use crate::record::{HostRecord, Record};
use crate::{LabError, keys};

/// How the identity of each machine of EC2 begins.
const EC2: [char; 3] = ['e', 'c', '2'];
/// Who the lab's key lets in, with the numbers that the root file system gave them.
const USERS: &[(&str, u32)] = &[
    ("root", 0),
    ("home/operator", 1001),
    ("home/limited", 1002),
    ("home/careful", 1003),
];

/// Prepares a host's disk. The files are copied onto it by the host's first boot.
pub(crate) fn make_disk(record: &Record, host: &HostRecord) -> Result<(), LabError> {
    let folder = record.folder.join(&host.name);
    let seed = folder.join("seed");
    make_folder(&seed, 0o755, 0)?;
    let random = Path::new("/proc/sys/kernel/random/uuid");
    let uuid = fs::read_to_string(random).about("failed to read", random)?;
    let machine = if host.instance.is_some() {
        uuid.char_indices()
            .map(|(index, digit)| EC2.get(index).copied().unwrap_or(digit))
            .collect()
    } else {
        uuid.clone()
    };
    write(&folder.join("machine-uuid"), &machine, 0o644, 0)?;
    make_folder(&seed.join("etc"), 0o755, 0)?;
    write(&seed.join("etc/machine-id"), &uuid.replace('-', ""), 0o444, 0)?;
    if host.instance.is_some() {
        be_instance(&seed, &machine)?;
    }
    write(
        &seed.join("etc/hostname"),
        &format!("{}\n", host.hostname),
        0o644,
        0,
    )?;
    write(&seed.join("etc/hosts"), &hosts_file(record, host), 0o644, 0)?;
    // Nobody answers there but a cloud, and the machine says so at once: a name that is not known fails without a wait.
    let patience = match host.instance {
        None => "timeout:1 attempts:1",
        // The emulator is asked before the answer, and may be busy.
        Some(_) => "timeout:2 attempts:3",
    };
    let resolver = format!("nameserver {}\noptions {patience}\n", record.gateway());
    write(&seed.join("etc/resolv.conf"), &resolver, 0o644, 0)?;
    authorize(record, &seed)?;
    make_host_key(record, host, &seed)?;
    if let Some(bytes) = host.disk_bytes {
        make_image(&folder.join("disk.image"), bytes)?;
    }
    Ok(())
}

/// cloud-init runs, and sees that it is on EC2: by what the machine's firmware says (EC2 user guide, "Identify EC2 instances"),
/// which is asked by a program where the kernel does not know.
fn be_instance(seed: &Path, uuid: &str) -> Result<(), LabError> {
    let wants = seed.join("etc/systemd/system/multi-user.target.wants");
    let local = seed.join("usr/local/sbin");
    for folder in ["etc/systemd", "etc/systemd/system", "usr", "usr/local"] {
        make_folder(&seed.join(folder), 0o755, 0)?;
    }
    make_folder(&wants, 0o755, 0)?;
    make_folder(&local, 0o755, 0)?;
    let link = wants.join("cloud-init.target");
    symlink("/lib/systemd/system/cloud-init.target", &link).about("failed to make", &link)?;
    let words = "system-uuid | system-serial-number";
    let script = format!("#!/bin/sh\ncase $2 in {words}) echo {} ;; esac\n", uuid.trim());
    write(&local.join("dmidecode"), &script, 0o755, 0)
}

fn authorize(record: &Record, seed: &Path) -> Result<(), LabError> {
    let path = record.path("id_ed25519.pub");
    let key = fs::read_to_string(&path).about("failed to read", &path)?;
    make_folder(&seed.join("home"), 0o755, 0)?;
    for (home, number) in USERS {
        make_folder(&seed.join(home), 0o700, *number)?;
        make_folder(&seed.join(home).join(".ssh"), 0o700, *number)?;
        write(
            &seed.join(home).join(".ssh/authorized_keys"),
            &key,
            0o600,
            *number,
        )?;
    }
    Ok(())
}

fn make_host_key(record: &Record, host: &HostRecord, seed: &Path) -> Result<(), LabError> {
    make_folder(&seed.join("etc/ssh"), 0o755, 0)?;
    let key = seed.join("etc/ssh/ssh_host_ed25519_key");
    keys::generate(&key, &host.name)?;
    let public = key.with_extension("pub");
    let known = record.path("hosts").join(&host.name).join("host-key.pub");
    fs::copy(&public, &known)
        .map(drop)
        .about("failed to write", &known)
}

/// A file system of its own in a file: full when it is full, whatever the machine has left.
fn make_image(path: &Path, bytes: u64) -> Result<(), LabError> {
    let file = fs::File::create(path).about("failed to make", path)?;
    file.set_len(bytes).about("failed to size", path)?;
    // All of it for the host: nothing is kept back for root, who fills it.
    tool("mkfs.ext4", 60)
        .words("-q -m 0 -E nodiscard,lazy_itable_init=1")
        .arg(path)
        .run()
        .map(drop)
}

fn hosts_file(record: &Record, host: &HostRecord) -> String {
    let own = format!(
        "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n127.0.1.1 {}\n",
        host.hostname
    );
    // An instance knows of no other.
    let known = |other: &&HostRecord| other.name != host.name && host.instance.is_none();
    let others = record.hosts.iter().filter(known);
    let others = others.map(|other| format!("{} {}\n", other.address, other.name));
    std::iter::once(own).chain(others).collect()
}

/// Modes are set whatever the caller's umask is: the host's root file system shows these folders instead of its own.
fn make_folder(path: &Path, mode: u32, owner: u32) -> Result<(), LabError> {
    fs::create_dir_all(path).about("failed to make", path)?;
    own(path, mode, owner)
}

fn write(path: &Path, text: &str, mode: u32, owner: u32) -> Result<(), LabError> {
    fs::write(path, text).about("failed to write", path)?;
    own(path, mode, owner)
}

fn own(path: &Path, mode: u32, owner: u32) -> Result<(), LabError> {
    fs::set_permissions(path, Permissions::from_mode(mode)).about("failed to set the mode of", path)?;
    chown(path, Some(owner), None).about("failed to set the owner of", path)
}
