//! Subnets.

use std::collections::BTreeMap;
use std::time::Duration;

use keelson_aws_calls::ec2::Filters;
use keelson_provider_api::kinds::Subnet;
use keelson_provider_api::{Health, Kind, Outcome, ResourceKey};

use super::look::Look;
use crate::in_the_way;
use crate::marked::Seen;
use crate::step::{Step, missing, refused};

/// Where the cloud controller manager puts load balancers that can be reached from outside, and by what keelson itself knows
/// a public subnet (<https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/deploy/subnet_discovery/>).
pub(crate) const PUBLIC: &str = "kubernetes.io/role/elb";
/// The same for those that cannot.
const PRIVATE: &str = "kubernetes.io/role/internal-elb";

/// Interfaces of what is gone keep a subnet for a while.
const FREE_LIMIT: Duration = Duration::from_secs(300);

/// The subnets among what was seen.
pub(super) fn seen(look: &Look) -> Vec<Seen> {
    let subnets = look.subnets.iter().map(|subnet| {
        let cidr = subnet.cidr.parse();
        Seen {
            id: subnet.id.clone(),
            tags: subnet.tags.clone(),
            resource: cidr
                .map(|cidr| {
                    Subnet {
                        network: look.name_of(Kind::Network, &subnet.vpc),
                        zone: subnet.zone.clone(),
                        cidr,
                        public: subnet.tags.contains_key(PUBLIC),
                    }
                    .into()
                })
                .map_err(|_| format!("its address range `{}` is none", subnet.cidr)),
            health: Health::Healthy,
            created_at: None,
            facts: BTreeMap::new(),
        }
    });
    subnets.collect()
}

/// Instances are given public addresses when they are made, not by their subnet.
pub(super) async fn bring(step: &Step<'_>, key: &ResourceKey, subnet: &Subnet) -> Result<(), Outcome> {
    if !ids(step, key).await?.is_empty() {
        return Ok(());
    }
    let vpc = step.network_id(&subnet.network).await?;
    let mut tags = step.mark(key);
    let role = if subnet.public { PUBLIC } else { PRIVATE };
    tags.insert(role.to_owned(), "1".to_owned());
    let made = step
        .ec2
        .create_subnet(&vpc, &subnet.zone, &subnet.cidr.to_string(), &tags)
        .await;
    match made {
        // No two subnets have the same addresses: it is an earlier one, which does not show yet.
        Err(error) if error.is(&["InvalidSubnet.Conflict"]) && ids(step, key).await?.is_empty() => {
            Err(refused(error, "make the subnet"))
        }
        Err(error) if error.is(&["InvalidSubnet.Conflict"]) => Ok(()),
        Err(error) => Err(refused(error, "make the subnet")),
        Ok(_) if ids(step, key).await?.is_empty() => Err(missing(key)),
        Ok(_) => Ok(()),
    }
}

async fn ids(step: &Step<'_>, key: &ResourceKey) -> Result<Vec<String>, Outcome> {
    let subnets = step.ec2.list_subnets(&step.marked(key)).await;
    let subnets = subnets.map_err(|error| refused(error, "look for the subnet"))?;
    Ok(subnets.into_iter().map(|subnet| subnet.id).collect())
}

pub(super) async fn delete(step: &Step<'_>, key: &ResourceKey) -> Result<(), Outcome> {
    for subnet in ids(step, key).await? {
        let delete = || step.ec2.delete_subnet(&subnet);
        if let Err(error) = step.deleted_when_free(FREE_LIMIT, delete).await {
            let inside = Filters::default().with("subnet-id", [&subnet]);
            return Err(in_the_way::told(step, error, key, &inside).await);
        }
    }
    Ok(())
}
