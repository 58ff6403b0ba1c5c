//! keelson builds, changes and retires Kubernetes clusters.

pub mod execute;
pub mod plan;
