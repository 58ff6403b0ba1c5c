//! The simulated world.
mod clock;
mod faults;
mod latency;
mod log;
mod options;
mod provider;
mod random;
mod simulated;
mod store;
#[cfg(test)]
mod testing;
mod world;

pub use clock::VirtualClock;
pub use faults::{CrashMoment, CrashPoint, FaultPlan};
pub use latency::typical;
pub use log::WorldLogError;
pub use options::{Like, SimulatedOptions};
pub use provider::{SimulatedProvider, providers};
pub use simulated::SimulatedWorld;
pub use store::MemoryStore;
pub use world::{Rule, Violation};
