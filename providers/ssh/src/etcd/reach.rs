//! What this module needs of the machines.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;

use crate::hosts::Hosts;
use crate::shell::Shell;

/// The machines of a cluster, and the way to each.
#[async_trait]
pub trait Reach: Send + Sync {
    /// The names of all machines.
    fn machines(&self) -> Vec<String>;

    /// The way to the machine of that name.
    fn shell(&self, machine: &str) -> Option<Arc<dyn Shell>>;

    /// The address under which the other machines reach the machine of that name.
    fn internal_address(&self, machine: &str) -> Option<IpAddr>;

    /// The id of the machine of that name, as its own kind observes it, where it is known.
    fn host_id(&self, _machine: &str) -> Option<String> {
        None
    }

    /// The machines of which it is known that they are not there, or have not booted yet: there is nothing on them.
    async fn absent(&self) -> BTreeSet<String> {
        BTreeSet::new()
    }
}

#[async_trait]
impl Reach for Hosts {
    fn machines(&self) -> Vec<String> {
        self.names().map(str::to_owned).collect()
    }

    fn shell(&self, machine: &str) -> Option<Arc<dyn Shell>> {
        Self::shell(self, machine)
    }

    fn internal_address(&self, machine: &str) -> Option<IpAddr> {
        self.target(machine).map(|target| target.internal_address)
    }

    fn host_id(&self, machine: &str) -> Option<String> {
        self.machine_id(machine)
    }

    async fn absent(&self) -> BTreeSet<String> {
        Self::absent(self).await
    }
}
