//! The simulated world: machines, networks, load balancers, DNS, etcd members, control planes and nodes in memory,
//! on virtual time, with faults from a seed.
//!
//! It is the ground on which every operation is tested against a crash at each step, the provider for trying
//! keelson out, and the source of the time that a plan is said to take. It is as strict as real platforms are, so
//! that a plan in a wrong order fails here as it would there, and with the same words where those are known.
//!
//! # How it is made
//!
//! | module | holds |
//! |---|---|
//! | `world` | a pure state machine: it decides what a call would do, as a list of effects, and applies them |
//! | `write` | how a change comes into the world: lease, checks, latency, effect |
//! | `provider` | the world as two [`Provider`](keelson_provider_api::Provider)s: `simulated-cloud` for what lasts until it is deleted, `simulated-hosts` for what lives on machines |
//! | `simulated` | [`SimulatedWorld`], the handle that providers, tests and commands share |
//! | `clock` | [`VirtualClock`]: time stands still while there is work and jumps to the next sleeper when there is none |
//! | `latency` | how long everything takes, with sources |
//! | `faults` | what goes wrong and when: [`FaultPlan`], [`CrashPoint`] |
//! | `log` | the world on disk: an append-only log that commands share |
//! | `store`, `bulk` | [`MemoryStore`], a state store without a disk, also for large objects |
//! | `maintenance` | [`SimulatedMaintenance`]: snapshots, as members write them |
//! | `restoring` | [`SimulatedRestore`]: members that are given what a snapshot holds |
//!
//! # What is simulated
//!
//! - **Existence**: nothing is made before what it stands on, nor deleted from under what stands on it. Clouds know
//!   machines, networks and load balancers by token: the same token gives the same thing, another one makes a
//!   second thing ([`Rule::MadeTwice`]). Everything else goes by name. What is gone is remembered.
//! - **Ownership**: things belong to one life of one cluster. Others' are seen where they hold a wanted name, and
//!   never touched ([`Rule::ForeignTouched`]).
//! - **etcd**: members wait, form a cluster by majority, join as learners one at a time, and leave only when a
//!   quorum is left. Members whose machine is gone stay in the list until they are removed.
//! - **Data of etcd**: which incarnation of an etcd gave which revisions tells one content from another
//!   ([`EtcdContents`]). A snapshot carries it. Members of before a restore and of after it are never one cluster, a
//!   restored one starts only where all founders have the data, and what is moved aside stays with its machine
//!   ([`SimulatedWorld::etcd_copies`]).
//! - **Kubernetes**: API servers need etcd, kubelets need an API server that answers at its endpoint, versions keep
//!   to the skew policy; a changed bundle takes its machine's components down for a while.
//! - **Machines**: clouds make them and lose them for good; bare machines stand there, are claimed by a marker, and
//!   come back with their data after a power cut.
//! - **Leases**: the highest fencing generation of each cluster is remembered, and lower ones are refused.
//! - **Trouble**: calls fail before or after their effect, are throttled, are slow; clouds show the past for a
//!   while; machines die, never so that a quorum is lost by it; keelson itself is gone at any write.
//!
//! # What is not
//!
//! Contents: files, certificates, pods, traffic, prices, quotas. Nodes and add-ons stay as they are when their etcd goes
//! back to a snapshot: kubelets would register anew, add-ons be applied again. A look at nodes and add-ons succeeds also while no
//! API server answers. The latency of one call does not depend on how many others are under way.
//!
//! # Determinism
//!
//! Nothing here reads the machine's clock or its environment. The same seed, the same calls in the same order, on
//! one thread, give the same world to the byte.

mod bulk;
mod clock;
mod faults;
mod latency;
mod log;
mod maintenance;
mod options;
mod provider;
mod random;
mod restoring;
mod simulated;
mod store;
#[cfg(test)]
mod testing;
mod world;
mod write;

pub use clock::VirtualClock;
pub use faults::{CrashMoment, CrashPoint, FaultPlan};
pub use latency::typical;
pub use log::WorldLogError;
pub use maintenance::SimulatedMaintenance;
pub use options::{Like, SimulatedOptions};
pub use provider::{SimulatedProvider, providers};
pub use restoring::SimulatedRestore;
pub use simulated::SimulatedWorld;
pub use store::MemoryStore;
pub use world::{EtcdContents, EtcdCopy, EtcdPlace, Rule, Stretch, Violation};
