//! NAT gateways, each with a public address of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use keelson_aws_calls::ec2::NatGatewayState;
use keelson_provider_api::kinds::NatGateway;
use keelson_provider_api::{Health, Kind, Outcome, ResourceKey};

use super::look::Look;
use crate::marked::{Seen, key_of_tags};
use crate::public_address;
use crate::step::{Step, late, refused};

/// It takes one to three minutes until one works, and one until it is gone
/// (<https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-basics.html>).
const LIMIT: Duration = Duration::from_secs(600);

/// The NAT gateways among what was seen. An address whose gateway is not there is what a run that was ended has left: it is
/// seen as a gateway in no subnet, so that it is made anew, or goes with the cluster.
pub(super) fn seen(look: &Look) -> Vec<Seen> {
    let gateways = look.nat_gateways.iter().map(|gateway| Seen {
        id: gateway.id.clone(),
        tags: gateway.tags.clone(),
        resource: Ok(NatGateway {
            subnet: look.name_of(Kind::Subnet, &gateway.subnet),
        }
        .into()),
        health: match gateway.state {
            NatGatewayState::Failed => Health::Unhealthy(gateway.failure.clone().unwrap_or_default()),
            _ => Health::Healthy,
        },
        created_at: gateway.created_at,
        facts: BTreeMap::new(),
    });
    let keys: Vec<_> = look
        .nat_gateways
        .iter()
        .filter_map(|gateway| key_of_tags(&gateway.tags))
        .collect();
    let alone = look.addresses.iter().filter(|address| {
        let key = key_of_tags(&address.tags);
        key.is_some_and(|key| key.starts_with("nat-gateway/") && !keys.contains(&key))
    });
    let alone = alone.map(|address| Seen {
        id: address.id.clone(),
        tags: address.tags.clone(),
        resource: Ok(NatGateway {
            subnet: String::new(),
        }
        .into()),
        health: Health::Unhealthy("it was begun and not ended".to_owned()),
        created_at: None,
        facts: BTreeMap::new(),
    });
    gateways.chain(alone).collect()
}

pub(super) async fn bring(step: &Step<'_>, key: &ResourceKey, gateway: &NatGateway) -> Result<(), Outcome> {
    if working(step, key).await?.is_none() {
        make(step, key, gateway).await?;
    }
    let works = step.until_found(LIMIT, || working(step, key)).await?;
    works.ok_or_else(|| late(format!("{key} does not come to work")))
}

/// Something when the gateway is there and works.
async fn working(step: &Step<'_>, key: &ResourceKey) -> Result<Option<()>, Outcome> {
    let gateways = step.ec2.list_nat_gateways(&step.marked(key)).await;
    let gateways = gateways.map_err(|error| refused(error, "look for the NAT gateway"))?;
    let mut states = gateways.iter().map(|gateway| gateway.state);
    Ok(states
        .any(|state| state == NatGatewayState::Available)
        .then_some(()))
}

async fn make(step: &Step<'_>, key: &ResourceKey, gateway: &NatGateway) -> Result<(), Outcome> {
    let subnet = step.subnet_id(&gateway.subnet).await?;
    let address = public_address::the_one(step, key).await?.id;
    // Another address is another gateway, also under the same key.
    let token = step.token(key, &address);
    let made = step
        .ec2
        .create_nat_gateway(&subnet, &address, &token, &step.mark(key))
        .await;
    made.map(drop)
        .map_err(|error| refused(error, "make the NAT gateway"))
}

pub(super) async fn delete(step: &Step<'_>, key: &ResourceKey) -> Result<(), Outcome> {
    let look = || async {
        let gateways = step.ec2.list_nat_gateways(&step.marked(key)).await;
        gateways.map_err(|error| refused(error, "look for the NAT gateway"))
    };
    for gateway in look().await? {
        let gone = step.ec2.delete_nat_gateway(&gateway.id).await;
        gone.map_err(|error| refused(error, "delete the NAT gateway"))?;
    }
    let gone = step
        .until_found(LIMIT, || async { Ok(look().await?.is_empty().then_some(())) })
        .await?;
    gone.ok_or_else(|| late(format!("{key} does not go")))?;
    public_address::release(step, key, LIMIT).await
}
