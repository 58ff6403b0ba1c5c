//! Bare machines over SSH. Without root every test on hosts is skipped, and says so.
#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "real hosts live in real time; a test says what is wrong by failing, and how long things take"
)]

mod many;
mod on_hosts;
mod scripts;
mod support;
