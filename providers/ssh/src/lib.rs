//! Bare machines that answer to SSH, and the machine that keelson itself runs on.
//!
//! | module | holds |
//! |---|---|
//! | [`options`] | what it takes to reach hosts |
//! | [`hosts`] | the hosts of the spec, and those that the state store remembers |
//! | [`target`] | how a host is reached |
//! | [`control_plane`] | the kinds control-plane and virtual-address, ways to an API server, kubelets |
//! | [`etcd`] | the kinds etcd-member and etcd-snapshot |
//! | [`shell`] | running something as root on a host, however it is reached |
//! | [`fence`] | scripts that change something, and how they can end |
//! | [`facts`] | what a host is like |
//! | [`mark`] | the mark that a claimed host bears |
//! | [`records`] | what the state store remembers of a host |
//! | [`preflight`] | what stands in the way of a claim |
//! | [`provider`] | the kinds machine and node-bundle: which change goes where |
//! | [`first_boot`] | the kind node-bundle on machines that put their first one in force by themselves |
//! | [`login_file`] | the file from which ssh reads a cluster's own key |
//! | `machine` | the kind machine: hosts that are claimed where they stand, and released |
//! | `bundle` | the kind node-bundle: what a host is given to run |
//! | `certificates` | the certificates that lie on a host |
//! | `session` | hosts over ssh: connections, host keys, becoming root, forwarded ports, logging in by hand |
//! | `local` | the machine that keelson itself runs on |
//! | `hearing` | what a script says, up to a bound |
//! | `duration` | how long changes take as a rule |
//!
//! # How a host is reached
//!
//! Over one connection of the system's own ssh, which many commands share; the user's configuration, agent and jump hosts
//! are in force. The key of a host must be known: to the user's known hosts, or pinned in the state store. Nothing ever
//! asks for a password. Machines of a cloud are where [`Whereabouts`] says, with the keys that they have published, and nothing of
//! the user's is in force. Scripts are the same for every host and stand in `src/scripts/`; what differs comes as arguments
//! or over stdin, and secrets over stdin alone. The host itself ends a script whose time is over.
//!
//! # What keeps two runs apart
//!
//! [`fence`]: every script that changes something first shows the fencing generation of its run, under a lock on the host.
//! A claim is a hard link to `/var/lib/keelson/host.json`, which one of two can make.

pub mod control_plane;
pub mod etcd;
pub mod facts;
pub mod fence;
pub mod first_boot;
pub mod hosts;
pub mod login_file;
pub mod mark;
pub mod options;
pub mod preflight;
pub mod provider;
pub mod records;
pub mod shell;
pub mod target;
pub mod whereabouts;

mod bundle;
mod certificates;
mod duration;
mod exit_status;
mod file_parts;
mod hearing;
mod local;
mod machine;
mod session;

pub use control_plane::ControlPlaneProvider;
pub use exit_status::FENCED as FENCED_STATUS;
pub use fence::{fence_arguments, fenced, run_fenced};
pub use first_boot::FirstBootBundles;
pub use hosts::Hosts;
pub use login_file::LoginFile;
pub use options::SshOptions;
pub use provider::SshProvider;
pub use session::login::{Login, LoginOptions};
pub use shell::{Forward, HostError, HostErrorKind, Job, OnLine, Output, Shell};
pub use target::Target;
pub use whereabouts::{Whereabout, Whereabouts};
