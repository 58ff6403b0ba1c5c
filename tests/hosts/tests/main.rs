//! Labs on this machine. Without root every test here that needs one is skipped, and says so.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "real hosts live in real time; a test says what is wrong by failing"
)]

mod disk;
mod emulator;
mod network;
mod on_hosts;
mod power;
mod scripts;
mod servers;
mod traces;
mod unprivileged;

use keelson_test_hosts::{Lab, LabOptions, skip_without_root};

/// A lab, or nothing on a machine without root.
fn lab(test: &str, options: &LabOptions) -> Option<Lab> {
    (!skip_without_root(test)).then(|| Lab::new(options).unwrap())
}
