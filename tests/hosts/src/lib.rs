//! Test hosts.
#![expect(
    clippy::disallowed_methods,
    reason = "real hosts live in real time, on a real machine with an environment"
)]

mod cached;
mod clean;
mod command;
mod error;
mod host;
mod keys;
mod lab;
mod lock;
mod machine;
mod network;
mod options;
mod places;
mod process;
mod record;
mod rootfs;
mod seed;
mod wait;

pub use clean::clean;
pub use command::Output;
pub use error::LabError;
pub use host::Host;
pub use lab::Lab;
pub use machine::{check_machine, skip_without_root};
pub use options::{HostOptions, LabOptions};
pub use rootfs::root_filesystem;
