//! The machine that the hosts stand on: what it must have, and what it tells about itself.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::LabError;
use crate::command::tool;
use crate::error::AboutFile;
use crate::places::RECORDS;

/// Programs that labs use, and the packages of Debian that bring them.
const PROGRAMS: &[(&str, &str)] = &[
    ("apt-get", "apt"),
    ("bash", "bash"),
    ("depmod", "kmod"),
    ("ip", "iproute2"),
    ("losetup", "mount"),
    ("mkfs.ext4", "e2fsprogs"),
    ("mmdebstrap", "mmdebstrap"),
    ("nft", "nftables"),
    ("nsenter", "util-linux"),
    ("setsid", "util-linux"),
    ("ssh", "openssh-client"),
    ("ssh-keygen", "openssh-client"),
    ("unshare", "util-linux"),
];

/// Folders that root's programs live in, and that are not in every `PATH`.
const SYSTEM_FOLDERS: &[&str] = &["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// Enough for a hundred hosts.
const INOTIFY_INSTANCES: u32 = 8192;

/// Kernel configuration, and the module that it would be if it were not built in.
const BUILT_IN: &[(&str, &str)] = &[
    ("CONFIG_OVERLAY_FS", "kernel/fs/overlayfs/overlay.ko"),
    ("CONFIG_BRIDGE_NETFILTER", "kernel/net/bridge/br_netfilter.ko"),
    ("CONFIG_BRIDGE", "kernel/net/bridge/bridge.ko"),
    ("CONFIG_NF_CONNTRACK", "kernel/net/netfilter/nf_conntrack.ko"),
    ("CONFIG_NF_TABLES", "kernel/net/netfilter/nf_tables.ko"),
    ("CONFIG_IP_SET", "kernel/net/netfilter/ipset/ip_set.ko"),
    ("CONFIG_IP_VS", "kernel/net/netfilter/ipvs/ip_vs.ko"),
    ("CONFIG_IP_NF_IPTABLES", "kernel/net/ipv4/netfilter/ip_tables.ko"),
    ("CONFIG_VXLAN", "kernel/drivers/net/vxlan/vxlan.ko"),
    ("CONFIG_TUN", "kernel/drivers/net/tun.ko"),
    ("CONFIG_VETH", "kernel/drivers/net/veth.ko"),
];

/// Whether this machine can carry test hosts: root, and the programs.
///
/// # Errors
///
/// [`LabError::NeedsRoot`] and [`LabError::NeedsPrograms`].
pub fn check_machine() -> Result<(), LabError> {
    if !rustix::process::geteuid().is_root() {
        return Err(LabError::NeedsRoot);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path)
        .chain(SYSTEM_FOLDERS.iter().map(PathBuf::from))
        .collect();
    let missing = |program: &str| !folders.iter().any(|folder| folder.join(program).is_file());
    let absent: Vec<_> = PROGRAMS.iter().filter(|(program, _)| missing(program)).collect();
    if absent.is_empty() {
        return Ok(());
    }
    let packages: BTreeSet<_> = absent.iter().map(|(_, package)| *package).collect();
    Err(LabError::NeedsPrograms {
        programs: absent.iter().map(|(program, _)| *program).collect(),
        packages: packages.into_iter().collect(),
    })
}

/// Whether a test that needs hosts has to be skipped on this machine, and then says so by name on standard error.
pub fn skip_without_root(test: &str) -> bool {
    let skip = check_machine().is_err_and(|error| error.is_reason_to_skip());
    if skip {
        crate::skip(test, LabError::NeedsRoot);
    }
    skip
}

/// A mounted hierarchy of cgroups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hierarchy {
    version: u8,
    mount_point: String,
    /// What version 1 is mounted with: its controllers or its name.
    options: String,
}

/// Every hierarchy of cgroups that this machine has mounted, each once, outer folders first.
pub(crate) fn hierarchies() -> Result<Vec<Hierarchy>, LabError> {
    let path = Path::new("/proc/self/mountinfo");
    let text = fs::read_to_string(path).about("failed to read", path)?;
    let mut found = hierarchies_in(&text);
    found.sort_by(|one, other| one.mount_point.cmp(&other.mount_point));
    if found.is_empty() {
        return Err(LabError::refused(
            "no hierarchy of cgroups is mounted below /sys/fs/cgroup",
            "mount one: mount -t cgroup2 cgroup2 /sys/fs/cgroup",
        ));
    }
    Ok(found)
}

fn hierarchies_in(mountinfo: &str) -> Vec<Hierarchy> {
    let mut found: Vec<Hierarchy> = Vec::new();
    for line in mountinfo.lines() {
        let Some((mount, system)) = line.split_once(" - ") else {
            continue;
        };
        let Some(mount_point) = mount.split(' ').nth(4) else {
            continue;
        };
        let system: Vec<_> = system.split(' ').collect();
        let version = match system.first() {
            Some(&"cgroup") => 1,
            Some(&"cgroup2") => 2,
            _ => continue,
        };
        let of_hierarchy = |option: &&str| !matches!(*option, "rw" | "ro") && !option.starts_with("xattr");
        let options = system.last().into_iter().flat_map(|options| options.split(','));
        let mut options: Vec<_> = options.filter(of_hierarchy).collect();
        // A hierarchy without a controller says so when it is mounted, but not when it is listed.
        if version == 1 && options.iter().all(|option| option.starts_with("name=")) {
            options.insert(0, "none");
        }
        let hierarchy = Hierarchy {
            version,
            mount_point: mount_point.to_owned(),
            options: if version == 1 {
                options.join(",")
            } else {
                "-".to_owned()
            },
        };
        let known =
            |other: &Hierarchy| other.version == hierarchy.version && other.options == hierarchy.options;
        if mount_point.starts_with("/sys/fs/cgroup") && !found.iter().any(known) {
            found.push(hierarchy);
        }
    }
    found
}

/// The form that the scripts read.
pub(crate) fn hierarchy_lines(hierarchies: &[Hierarchy]) -> String {
    let line = |hierarchy: &Hierarchy| {
        format!(
            "{} {} {}\n",
            hierarchy.version, hierarchy.mount_point, hierarchy.options
        )
    };
    hierarchies.iter().map(line).collect()
}

/// The folder that stands for `/lib/modules/<release>` in hosts: the machine's own, or one made at `folder` in which
/// what is built into the kernel counts as loaded, so that `modprobe overlay` succeeds.
pub(crate) fn modules(folder: &Path) -> Result<PathBuf, LabError> {
    let release = Path::new("/proc/sys/kernel/osrelease");
    let release = fs::read_to_string(release).about("failed to read", release)?;
    let release = release.trim();
    let own = Path::new("/lib/modules").join(release);
    if own.is_dir() {
        return Ok(own);
    }
    // depmod wants the whole path below its base folder.
    let made = folder.join("lib/modules").join(release);
    fs::create_dir_all(&made).about("failed to make", &made)?;
    let configuration = tool("sh", 10)
        .args([
            "-c",
            "zcat /proc/config.gz 2>/dev/null || cat \"/boot/config-$1\" 2>/dev/null || true",
        ])
        .args(["sh", release])
        .run()?;
    let has = |option: &str| {
        let line = format!("{option}=y");
        configuration.is_empty() || configuration.lines().any(|found| found == line)
    };
    let built_in = BUILT_IN.iter().filter(|(option, _)| has(option));
    let modules: Vec<_> = built_in.map(|(_, module)| *module).collect();
    let modules = modules.join("\n") + "\n";
    for (name, text) in [("modules.builtin", modules.as_str()), ("modules.order", "")] {
        let file = made.join(name);
        fs::write(&file, text).about("failed to write", &file)?;
    }
    tool("depmod", 30)
        .arg("--basedir")
        .arg(folder)
        .arg(release)
        .run()?;
    Ok(made)
}

/// Each host's systemd uses about twenty instances of inotify, and the machine's limit is made for one machine. The old
/// limit is written down, and set again with the last lab. The caller holds the lock of the records.
pub(crate) fn raise_inotify_limit() -> Result<(), LabError> {
    let limit = Path::new("/proc/sys/fs/inotify/max_user_instances");
    let text = fs::read_to_string(limit).about("failed to read", limit)?;
    if text
        .trim()
        .parse()
        .is_ok_and(|value: u32| value >= INOTIFY_INSTANCES)
    {
        return Ok(());
    }
    let before = Path::new(RECORDS).join("inotify-before");
    if !before.exists() {
        fs::write(&before, &text).about("failed to write", &before)?;
    }
    fs::write(limit, INOTIFY_INSTANCES.to_string()).about("failed to write", limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIXED: &str = "\
1 1 0:1 / / rw - ext4 /dev/vda rw
2 1 0:2 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
3 2 0:3 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct
4 2 0:4 / /sys/fs/cgroup/systemd rw,relatime shared:5 - cgroup cgroup rw,xattr,name=systemd
5 2 0:5 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate
6 2 0:3 / /sys/fs/cgroup/cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
";

    #[test]
    fn both_versions_of_cgroups_are_found_each_once() {
        let lines = hierarchy_lines(&hierarchies_in(MIXED));
        assert_eq!(
            lines,
            "1 /sys/fs/cgroup/cpu cpu,cpuacct\n\
             1 /sys/fs/cgroup/systemd none,name=systemd\n\
             2 /sys/fs/cgroup/unified -\n"
        );
    }

    #[test]
    fn a_machine_with_version_2_alone_has_one_hierarchy() {
        let lines = hierarchy_lines(&hierarchies_in(
            "1 1 0:1 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n",
        ));
        assert_eq!(lines, "2 /sys/fs/cgroup -\n");
    }
}
