//! keelson builds, changes and retires Kubernetes clusters.

pub mod cli;
pub mod execute;
pub mod model;
pub mod ops;
pub mod plan;
pub mod registry;
pub mod spec;
pub mod store;
pub mod view;
