//! Buckets of an emulator, behind a proxy that checks signatures and makes trouble.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what is wrong by failing"
)]

mod access;
mod all;
mod bulk;
#[path = "../../../tests/operations/store_contract.rs"]
mod contract;
mod edge;
mod emulator;
mod faults;
mod groups;
mod kept;
mod leftovers;
mod machine;
mod permissions;
mod places;
mod proxy;
mod scene;
mod shell;
mod signature;
mod small;
mod state_bucket;
mod tls;
