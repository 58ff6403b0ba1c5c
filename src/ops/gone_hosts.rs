//! Hosts that are given up with the cluster that ends.

use async_trait::async_trait;
use keelson_provider_api::ProviderError;

/// The hosts that someone calls gone for good, so that a cluster ends without waiting for them.
#[async_trait]
pub trait GoneHosts: Send + Sync {
    /// Makes sure that none of them answers as a host of the cluster.
    ///
    /// # Errors
    /// When one does, when nobody knows it, or when it answers and cannot be asked.
    async fn check(&self) -> Result<(), ProviderError>;

    /// Forgets that the cluster claimed them.
    ///
    /// # Errors
    /// When that cannot be written down.
    async fn forget(&self) -> Result<(), ProviderError>;
}
