//! keelson builds, changes and retires Kubernetes clusters.

pub mod execute;
pub mod model;
pub mod plan;
pub mod spec;
