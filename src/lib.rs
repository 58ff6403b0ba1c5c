//! keelson builds, changes and retires Kubernetes clusters.

pub mod spec;
