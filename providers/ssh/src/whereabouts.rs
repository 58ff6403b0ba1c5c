//! Where machines are that keelson makes.

use std::collections::BTreeMap;
use std::net::IpAddr;

use async_trait::async_trait;
use keelson_provider_api::ProviderError;

/// Where a machine is, and how it is known again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whereabout {
    /// The address to reach it by.
    pub address: IpAddr,
    /// The user to log in as.
    pub user: String,
    /// The keys of its sshd as a `known_hosts` file has them (`ssh-ed25519 AAAA…`), from a place that nobody but it can write
    /// to; none while it boots for the first time.
    pub host_keys: Vec<String>,
}

impl Whereabout {
    /// True when it has not published its keys yet.
    pub fn boots_for_the_first_time(&self) -> bool {
        self.host_keys.is_empty()
    }
}

/// Where the machines of a cluster are, said by whoever makes them. It is asked before every connection.
#[async_trait]
pub trait Whereabouts: Send + Sync {
    /// All machines that are there, by name.
    ///
    /// # Errors
    /// When it cannot be found out.
    async fn all(&self) -> Result<BTreeMap<String, Whereabout>, ProviderError>;
}
