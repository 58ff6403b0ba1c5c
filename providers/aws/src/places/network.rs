//! A network: a VPC, and its gateway to the internet.

use std::collections::BTreeMap;
use std::time::Duration;

use keelson_aws_calls::ec2::{Filters, VpcDns};
use keelson_provider_api::kinds::Network;
use keelson_provider_api::{Health, Outcome, ResourceKey};

use super::look::Look;
use crate::in_the_way;
use crate::marked::Seen;
use crate::step::{Step, refused};

/// Interfaces of balancers and gateways that are gone keep a VPC for minutes.
const FREE_LIMIT: Duration = Duration::from_secs(300);

/// Machines have names in it, by which kubelets and the cloud controller manager know them.
const DNS: VpcDns = VpcDns {
    support: true,
    host_names: true,
};

/// The networks among what was seen. One without its gateway was begun and not ended.
pub(super) fn seen(look: &Look, region: &str) -> Vec<Seen> {
    let networks = look.vpcs.iter().map(|vpc| {
        let has_gateway = look
            .gateways
            .iter()
            .any(|gateway| gateway.vpc.as_deref() == Some(vpc.id.as_str()));
        let cidr = vpc.cidr.parse();
        Seen {
            id: vpc.id.clone(),
            tags: vpc.tags.clone(),
            resource: cidr
                .map(|cidr| {
                    Network {
                        region: region.to_owned(),
                        cidr,
                        has_gateway,
                    }
                    .into()
                })
                .map_err(|_| format!("its address range `{}` is none", vpc.cidr)),
            health: Health::Healthy,
            created_at: None,
            facts: BTreeMap::new(),
        }
    });
    networks.collect()
}

pub(super) async fn bring(step: &Step<'_>, key: &ResourceKey, network: &Network) -> Result<(), Outcome> {
    let what = "make the network";
    let mut vpcs = ids(step, key).await?;
    if vpcs.is_empty() {
        let made = step
            .ec2
            .create_vpc(&network.cidr.to_string(), &step.mark(key))
            .await;
        made.map_err(|error| refused(error, what))?;
        // An earlier call whose answer was lost may show only now.
        vpcs = ids(step, key).await?;
    }
    let Some((vpc, doubles)) = vpcs.split_first() else {
        return Err(crate::step::missing(key));
    };
    for double in doubles {
        let gone = step.ec2.delete_vpc(double).await;
        gone.map_err(|error| refused(error, "delete a network that was made twice"))?;
    }
    let named = step.ec2.set_vpc_dns(vpc, DNS).await;
    named.map_err(|error| refused(error, "have names in the network"))?;
    gateway(step, key, vpc).await
}

async fn ids(step: &Step<'_>, key: &ResourceKey) -> Result<Vec<String>, Outcome> {
    let vpcs = step.ec2.list_vpcs(&step.marked(key)).await;
    let vpcs = vpcs.map_err(|error| refused(error, "look for the network"))?;
    let mut ids: Vec<String> = vpcs.into_iter().map(|vpc| vpc.id).collect();
    ids.sort();
    Ok(ids)
}

async fn gateway(step: &Step<'_>, key: &ResourceKey, vpc: &str) -> Result<(), Outcome> {
    let look = || async {
        let gateways = step.ec2.list_internet_gateways(&step.marked(key)).await;
        gateways.map_err(|error| refused(error, "look for the internet gateway"))
    };
    let mut gateways = look().await?;
    if gateways.is_empty() {
        let made = step.ec2.create_internet_gateway(&step.mark(key)).await;
        made.map_err(|error| refused(error, "make the internet gateway"))?;
        gateways = look().await?;
    }
    // One that is attached stays; of several that are not, the first one is.
    gateways.sort_by(|one, other| (one.vpc.is_none(), &one.id).cmp(&(other.vpc.is_none(), &other.id)));
    let Some((first, doubles)) = gateways.split_first() else {
        return Err(crate::step::missing(key));
    };
    for double in doubles {
        let gone = step.ec2.delete_internet_gateway(&double.id).await;
        gone.map_err(|error| refused(error, "delete an internet gateway that was made twice"))?;
    }
    if first.vpc.as_deref() == Some(vpc) {
        return Ok(());
    }
    let attached = step.ec2.attach_internet_gateway(&first.id, vpc).await;
    attached.map_err(|error| refused(error, "attach the internet gateway"))
}

pub(super) async fn delete(step: &Step<'_>, key: &ResourceKey) -> Result<(), Outcome> {
    let gateways = step.ec2.list_internet_gateways(&step.marked(key)).await;
    for gateway in gateways.map_err(|error| refused(error, "look for the internet gateway"))? {
        if let Some(vpc) = &gateway.vpc {
            // Public addresses that are in use keep it attached.
            let detach = || step.ec2.detach_internet_gateway(&gateway.id, vpc);
            if let Err(error) = step.deleted_when_free(FREE_LIMIT, detach).await {
                return Err(in_the_way::told(step, error, key, &Filters::in_vpc(vpc)).await);
            }
        }
        let delete = || step.ec2.delete_internet_gateway(&gateway.id);
        step.delete_when_free(key, FREE_LIMIT, delete).await?;
    }
    for vpc in ids(step, key).await? {
        let delete = || step.ec2.delete_vpc(&vpc);
        if let Err(error) = step.deleted_when_free(FREE_LIMIT, delete).await {
            return Err(in_the_way::told(step, error, key, &Filters::in_vpc(&vpc)).await);
        }
    }
    Ok(())
}
