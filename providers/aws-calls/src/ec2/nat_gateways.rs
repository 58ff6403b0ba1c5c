//! NAT gateways: how machines without public addresses reach the internet.

use aws_sdk_ec2::types::{self, ResourceType};
use jiff::Timestamp;

use crate::failure::{CallError, Called as _};
use crate::mark::Tags;

use super::answers::{Page, deleted, every_page, promised, time};
use super::{Ec2, Filters, tags};

/// A NAT gateway that is not deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatGateway {
    /// Its id.
    pub id: String,
    /// Its VPC's id.
    pub vpc: String,
    /// Its subnet's id.
    pub subnet: String,
    /// How it is.
    pub state: NatGatewayState,
    /// Why it failed, in EC2's words, where it did.
    pub failure: Option<String>,
    /// Its addresses.
    pub addresses: Vec<NatGatewayAddress>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// Its tags.
    pub tags: Tags,
}

/// How a NAT gateway is (<https://docs.aws.amazon.com/vpc/latest/userguide/vpc-nat-gateway.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NatGatewayState {
    /// It is being made.
    Pending,
    /// It works.
    Available,
    /// It could not be made, and EC2 deletes it after about an hour.
    Failed,
    /// It is being deleted, and has its addresses until that is done.
    Deleting,
    /// EC2 has a word for it that is not known here.
    Unknown,
}

/// An address of a NAT gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatGatewayAddress {
    /// The id of the allocation of its elastic IP address.
    pub allocation: Option<String>,
    /// Its public address.
    pub public_address: Option<String>,
    /// Its address in the subnet.
    pub private_address: Option<String>,
    /// The id of its interface.
    pub interface: Option<String>,
}

impl Ec2 {
    /// Makes a public NAT gateway in `subnet` with the elastic IP address of `allocation`, and gives its id. The same `token`
    /// makes nothing twice.
    ///
    /// It is pending at first. That somebody else has the address shows later: the gateway fails.
    ///
    /// # Errors
    /// When EC2 refuses (`IdempotentParameterMismatch`: another gateway was asked for with that token), or cannot be asked.
    pub async fn create_nat_gateway(
        &self,
        subnet: &str,
        allocation: &str,
        token: &str,
        tags: &Tags,
    ) -> Result<String, CallError> {
        let answer = self
            .clients
            .patient
            .create_nat_gateway()
            .subnet_id(subnet)
            .allocation_id(allocation)
            .client_token(token)
            .tag_specifications(tags::specification(ResourceType::Natgateway, tags))
            .send()
            .await
            .called("CreateNatGateway")?;
        let gateway = answer.nat_gateway;
        promised(
            "CreateNatGateway",
            gateway.and_then(|gateway| gateway.nat_gateway_id),
            "natGatewayId",
        )
    }

    /// The NAT gateways without those that are deleted, which EC2 shows for about an hour; their own filters are
    /// `nat-gateway-id` and `subnet-id`.
    ///
    /// # Errors
    /// When EC2 refuses, or cannot be asked.
    pub async fn list_nat_gateways(&self, filters: &Filters) -> Result<Vec<NatGateway>, CallError> {
        let Some(filters) = filters.written() else {
            return Ok(Vec::new());
        };
        let call = self.clients.patient.describe_nat_gateways();
        let call = call.set_filter(Some(filters));
        let found = every_page("DescribeNatGateways", |token| {
            let call = call.clone().set_next_token(token);
            async move {
                let answer = call.send().await.called("DescribeNatGateways")?;
                Ok(Page::new(answer.nat_gateways, answer.next_token))
            }
        });
        let is_there = |gateway: &types::NatGateway| gateway.state != Some(types::NatGatewayState::Deleted);
        let found = found.await?.into_iter().filter(is_there);
        found.map(read).collect()
    }

    /// Begins to delete the NAT gateway `id`; one that is not there, or is deleted, stays so. Its addresses are free when it is
    /// no longer listed.
    ///
    /// # Errors
    /// When EC2 refuses, or cannot be asked.
    pub async fn delete_nat_gateway(&self, id: &str) -> Result<(), CallError> {
        let call = self.clients.patient.delete_nat_gateway().nat_gateway_id(id);
        deleted(call.send().await.called("DeleteNatGateway"))
    }
}

fn read(gateway: types::NatGateway) -> Result<NatGateway, CallError> {
    const ACTION: &str = "DescribeNatGateways";
    let failure = [gateway.failure_code, gateway.failure_message];
    let failure: Vec<String> = failure.into_iter().flatten().collect();
    let address = |address: types::NatGatewayAddress| NatGatewayAddress {
        allocation: address.allocation_id,
        public_address: address.public_ip,
        private_address: address.private_ip,
        interface: address.network_interface_id,
    };
    let addresses = gateway.nat_gateway_addresses.unwrap_or_default();
    Ok(NatGateway {
        id: promised(ACTION, gateway.nat_gateway_id, "natGatewayId")?,
        vpc: promised(ACTION, gateway.vpc_id, "vpcId")?,
        subnet: promised(ACTION, gateway.subnet_id, "subnetId")?,
        state: match promised(ACTION, gateway.state, "state")? {
            types::NatGatewayState::Pending => NatGatewayState::Pending,
            types::NatGatewayState::Available => NatGatewayState::Available,
            types::NatGatewayState::Failed => NatGatewayState::Failed,
            types::NatGatewayState::Deleting => NatGatewayState::Deleting,
            _ => NatGatewayState::Unknown,
        },
        failure: (!failure.is_empty()).then(|| failure.join(": ")),
        addresses: addresses.into_iter().map(address).collect(),
        created_at: time(gateway.create_time),
        tags: tags::read(gateway.tags),
    })
}
