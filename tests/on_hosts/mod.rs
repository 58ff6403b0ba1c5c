//! The program against real machines: `keelson` makes, watches, mends and removes clusters on hosts out of namespaces. Without root these tests are skipped, and say so.
#![expect(
    clippy::print_stdout,
    reason = "figures, and what was killed where, are for the reader of the test's output"
)]

mod another_cluster;
mod aws;
mod backups;
mod bucket;
mod client;
mod commands;
mod desk;
mod endings;
mod etcd;
mod events;
mod faults;
mod in_s3;
mod keys;
mod killed;
mod kubernetes;
mod logins;
mod mirror;
mod mistakes;
mod newer;
mod quorum;
mod renewal;
mod restores;
mod scaling;
mod scheduled;
