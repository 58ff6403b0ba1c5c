//! How fields go together.

use super::errors::Finding;
use super::types::Cluster;

/// What the checks found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// What keeps the spec from being used.
    pub(crate) errors: Vec<Finding>,
    /// What is probably not meant.
    pub(crate) warnings: Vec<Finding>,
}

/// Runs every check.
pub(crate) fn validate(_cluster: &Cluster) -> Found {
    Found::default()
}
