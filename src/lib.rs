//! keelson builds, changes and retires Kubernetes clusters.

pub mod execute;
pub mod model;
pub mod ops;
pub mod plan;
pub mod spec;
pub mod store;
pub mod view;
