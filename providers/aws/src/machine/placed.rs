//! Where the machines of a cluster are, for whoever logs in on them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use keelson_aws_calls::AwsCalls;
use keelson_aws_calls::ec2::{Ec2, Filters, InstanceState};
use keelson_provider_api::{ClusterIdentity, Kind, ProviderError};

use crate::instances::in_order;
use crate::marked::key_of;

/// An instance that is a machine of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedMachine {
    /// What EC2 calls it, for example `i-0a1b2c3d4e5f60718`.
    pub id: String,
    /// Its private address.
    pub private_address: Option<Ipv4Addr>,
    /// Its public address.
    pub public_address: Option<Ipv4Addr>,
}

/// The way to ask where machines in one region are.
pub struct PlacedMachines {
    ec2: Ec2,
}

impl PlacedMachines {
    /// Asks in the region that `calls` are to.
    pub fn new(calls: &AwsCalls) -> Self {
        Self {
            ec2: calls.ec2.clone(),
        }
    }

    /// The machines of `cluster` that run or are about to, by name; none where it has not begun.
    ///
    /// # Errors
    /// When EC2 does not tell.
    pub async fn of(
        &self,
        cluster: &ClusterIdentity,
    ) -> Result<BTreeMap<String, PlacedMachine>, ProviderError> {
        let Some(uid) = &cluster.uid else {
            return Ok(BTreeMap::new());
        };
        let instances = self.ec2.list_instances(&Filters::of_cluster(uid.as_str())).await;
        let mut instances =
            in_order(instances.map_err(|error| error.told("find out where the machines are"))?);
        instances
            .retain(|instance| matches!(instance.state, InstanceState::Pending | InstanceState::Running));
        let mut placed = BTreeMap::new();
        for instance in instances {
            let key = key_of(cluster, &instance.tags).map(|(key, _)| key);
            if let Some(key) = key.filter(|key| key.kind() == Kind::Machine) {
                // The first of two counts, here as everywhere.
                placed.entry(key.name().to_owned()).or_insert(PlacedMachine {
                    id: instance.id,
                    private_address: instance.private_address,
                    public_address: instance.public_address,
                });
            }
        }
        Ok(placed)
    }
}
