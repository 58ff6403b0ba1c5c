//! What tests on hosts share: a lab, a store in memory, bundles, and the provider that a test asks.

mod bundles;
mod changes;
mod memory;
mod node;
mod scene;

pub(crate) use bundles::{Bundles, CERTIFICATE, Recipe, wanted};
pub(crate) use changes::{create, delete, machine, update};
pub(crate) use memory::MemoryStore;
pub(crate) use node::{Told, claim_all, control_plane, control_planes};
pub(crate) use scene::{Scene, job, look, quiet};
