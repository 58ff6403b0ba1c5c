//! Every integration test, in one binary: one folder a topic.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "a test says what is wrong by failing"
)]

mod cli;
mod examples;
mod floors;
mod plan;
mod simulation;
mod spec;
