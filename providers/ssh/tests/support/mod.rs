//! What tests on hosts share: a lab, a store in memory, and the provider that a test asks.

mod memory;
mod scene;

pub(crate) use memory::MemoryStore;
pub(crate) use scene::{LATER, Scene, job, quiet};
