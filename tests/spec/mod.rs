//! The spec: what loads, what does not and what is said about it, and what hostile files cost.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod aws;
mod corpus;
mod explain;
mod hostile;
mod valid;
