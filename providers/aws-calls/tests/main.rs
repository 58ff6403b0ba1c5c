//! The calls, against the emulator of AWS (`tests/hosts/scripts/aws`).

#![expect(clippy::unwrap_used, reason = "a test that fails here says where")]

mod edge;
mod emulator;
mod failures;
mod gateways;
mod machines;
mod network;
mod network_faults;
mod routes;
mod scaling;
mod security_groups;
