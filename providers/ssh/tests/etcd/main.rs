//! etcd on real hosts: a real etcd with certificates, told what to do through real sessions.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    reason = "real hosts live in real time; a test says what is wrong by failing"
)]

mod fixture;
mod on_hosts;
mod session;
