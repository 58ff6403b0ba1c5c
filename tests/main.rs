//! Every integration test, in one binary: one folder a topic.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what is wrong by failing"
)]

mod backup;
mod cli;
mod cluster;
mod documents;
mod examples;
mod floors;
mod fuzzed;
mod lint;
#[cfg(feature = "ssh")]
mod on_hosts;
mod operations;
mod pki;
mod plan;
mod simulation;
mod spec;
mod views;
