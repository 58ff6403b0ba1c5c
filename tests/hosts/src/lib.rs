//! Test hosts: real Linux machines with systemd and sshd, made of namespaces on this one, about two seconds a host.
//!
//! keelson's tests of SSH, etcd and whole clusters need machines that boot, lose power, fill their disks and lose each
//! other. A [`Lab`] is some of them on a network of their own:
//!
//! ```no_run
//! use keelson_test_hosts::{Lab, LabError, LabOptions};
//!
//! fn main() -> Result<(), LabError> {
//!     let options = LabOptions::with_hosts(3).host(2, |host| host.disk_mib = Some(512));
//!     let lab = Lab::new(&options)?;
//!     let [a, b, c] = lab.hosts() else { unreachable!() };
//!     a.run("systemctl is-system-running --wait")?;
//!     a.cut_from(b)?;
//!     b.power_cut()?;
//!     b.start()?;
//!     c.fill_disk()?;
//!     lab.down()
//! }
//! ```
//!
//! A test begins with [`skip_without_root`], because all of this needs root. By hand there is the program `test-hosts`.
//! For downloads there are a [server of files](serve_directory) that can also answer wrong, a [proxy](serve_proxy), and a
//! [mirror of etcd's releases](assets()). For real Kubernetes there are the [folder](kubernetes_assets) that
//! `KEELSON_KUBERNETES_ASSETS` names, and a [registry](serve_registry) of the images in it.
//!
//! # How a host is made
//!
//! All hosts share one [root file system](root_filesystem), built once with mmdebstrap by `scripts/rootfs.sh` and kept in
//! the cache. `scripts/host.sh` is a host's power supply: it moves into a cgroup of the host, makes namespaces and runs
//! `scripts/init.sh` in them, which mounts the shared root under an overlay, makes devices, cgroups and the network, and
//! becomes systemd. When that ends with a reboot, the power supply boots it again. Killing the first process is a power
//! cut: the kernel ends everything in its namespaces, and the disk stays. `/var/lib/etcd`, `/var/lib/kubelet`,
//! `/var/lib/containerd` and `/var/log/pods` are not on the overlay; a disk with a limit is an ext4 in a file.
//!
//! The network is a switch in a namespace of its own, 10.90.x.0/23: the machine is .1, hosts are .10 and up, and .200 to
//! .249 are [free](Lab::free_address). There is no way out from there. A pulled cable is a port of the switch that is
//! down, a partition a rule of the switch, so that nothing a host does can tell, or heal, either. A boot begins with a
//! fresh network: routes that were added by hand are gone, as on any machine.
//!
//! # Who may log in
//!
//! The lab's [key](Lab::key) logs in as `root`; as `operator`, who may do everything with sudo; as `limited`, who may
//! not; and as `careful`, whose sudo asks for the password `careful-password`.
//!
//! # Instances of EC2
//!
//! A [`Cloud`] is a lab with the [emulator of AWS](Moto) in it, whose instances are hosts: what a program starts by the API boots,
//! runs its user data by Debian's cloud-init, asks a metadata service at 169.254.169.254, has its volumes as block devices,
//! and resolves what the emulator has of names: those of load balancers lead to their targets.
//!
//! # Leaving nothing
//!
//! `scripts/down.sh` takes a lab down from its record in `/run/keelson-test-hosts`, written before anything is made. It
//! finds processes by the lab's cgroups, so nothing of a host can hide. `scripts/guard.sh` runs it: a process in a session
//! of its own, which waits at the end of a pipe whose other end only the owner of the lab has. It does its work when the
//! lab is dropped, when its owner dies in whatever way, and when the lab's lifetime is over. Should the guard itself be
//! killed, [`clean()`] finds the record. What stays is the cache.
//!
//! # What is not as on a machine
//!
//! Hosts share the machine's kernel, clock and memory, its modules, and settings that have no namespace. Those that
//! Kubernetes sets (`vm.overcommit_memory`, `kernel.panic`, …) are private copies without effect. `systemd-udevd` does not
//! run. On a machine with cgroup v1 the hosts have cgroup v1 too.
#![expect(
    clippy::disallowed_methods,
    reason = "real hosts live in real time, on a real machine with an environment"
)]

mod archive;
mod assets;
mod cached;
mod clean;
mod cloud;
mod command;
mod error;
mod file_server;
mod host;
mod keys;
mod kubernetes;
mod lab;
mod listener;
mod lock;
mod machine;
mod moto;
mod namespace;
mod network;
mod options;
mod places;
mod process;
mod proxy;
mod record;
mod registry;
mod rootfs;
mod seed;
mod skipped;
mod wait;

pub use assets::{Assets, assets, newer_etcd_or_skip};
pub use clean::clean;
pub use cloud::{Cloud, CloudOptions, Credentials};
pub use command::Output;
pub use error::LabError;
pub use file_server::{Disturbance, Fault, FileServer, serve_directory};
pub use host::Host;
pub use kubernetes::{KubernetesAssets, SPEC_OF_HOSTS, kubernetes_assets, skip_without_kubernetes};
pub use lab::Lab;
pub use machine::{check_machine, skip_without_root};
pub use moto::{Moto, moto, moto_python_or_skip};
pub use options::{HostOptions, LabOptions};
pub use proxy::{Proxy, serve_proxy};
pub use registry::{Registry, serve_registry};
pub use rootfs::root_filesystem;
pub use skipped::skip;
