//! Bare machines over SSH. Without root every test here is skipped, and says so.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    reason = "real hosts live in real time; a test says what is wrong by failing"
)]

mod on_hosts;
mod support;
