//! Subnets, and the zones that they are in.

use aws_sdk_ec2::types::{self, AttributeBooleanValue, ResourceType, SubnetState};

use crate::failure::{CallError, Called as _};
use crate::mark::Tags;

use super::answers::{Page, deleted, every_page, promised};
use super::{Ec2, Filters, tags};

/// A subnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subnet {
    /// Its id.
    pub id: String,
    /// Its VPC's id.
    pub vpc: String,
    /// The name of its zone, for example `eu-west-1a`.
    pub zone: String,
    /// Its range of addresses.
    pub cidr: String,
    /// Whether it can be used: it is not while it is being made.
    pub is_available: bool,
    /// Whether instances that start in it are given public addresses.
    pub maps_public_addresses: bool,
    /// How many of its addresses nobody has.
    pub free_addresses: u32,
    /// Its tags.
    pub tags: Tags,
}

/// An availability zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// Its name in this account, for example `eu-west-1a`.
    pub name: String,
    /// Its id, the same in all accounts, for example `euw1-az1`.
    pub id: String,
    /// How it is, in EC2's word: `available`, `information`, `impaired`, `unavailable`, `constrained`.
    pub state: String,
}

impl Ec2 {
    /// The region's availability zones that the account can use, by name; no local and no wavelength zones.
    ///
    /// # Errors
    /// When EC2 refuses, or cannot be asked.
    pub async fn list_zones(&self) -> Result<Vec<Zone>, CallError> {
        const ACTION: &str = "DescribeAvailabilityZones";
        let call = self.clients.patient.describe_availability_zones();
        let found = call.send().await.called(ACTION)?.availability_zones;
        let usual = |zone: &types::AvailabilityZone| {
            zone.zone_type
                .as_deref()
                .is_none_or(|kind| kind == "availability-zone")
        };
        let read = |zone: types::AvailabilityZone| {
            let state = promised(ACTION, zone.state, "zoneState")?;
            Ok(Zone {
                name: promised(ACTION, zone.zone_name, "zoneName")?,
                id: promised(ACTION, zone.zone_id, "zoneId")?,
                state: state.as_str().to_owned(),
            })
        };
        let found = found.unwrap_or_default().into_iter().filter(usual);
        let mut zones: Vec<Zone> = found.map(read).collect::<Result<_, CallError>>()?;
        zones.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(zones)
    }

    /// Makes a subnet of the VPC `vpc` in `zone`, and gives its id. Sent once, since EC2 has no token for it.
    ///
    /// # Errors
    /// When EC2 refuses (`InvalidSubnet.Conflict`: another one has some of these addresses); when its answer is lost the subnet
    /// may be there, and is found by its tags.
    pub async fn create_subnet(
        &self,
        vpc: &str,
        zone: &str,
        cidr: &str,
        tags: &Tags,
    ) -> Result<String, CallError> {
        let answer = self
            .clients
            .once
            .create_subnet()
            .vpc_id(vpc)
            .availability_zone(zone)
            .cidr_block(cidr)
            .tag_specifications(tags::specification(ResourceType::Subnet, tags))
            .send()
            .await
            .called("CreateSubnet")?;
        promised(
            "CreateSubnet",
            answer.subnet.and_then(|subnet| subnet.subnet_id),
            "subnetId",
        )
    }

    /// The subnets; their own filter is `subnet-id`.
    ///
    /// # Errors
    /// When EC2 refuses, or cannot be asked.
    pub async fn list_subnets(&self, filters: &Filters) -> Result<Vec<Subnet>, CallError> {
        let Some(filters) = filters.written() else {
            return Ok(Vec::new());
        };
        let call = self.clients.patient.describe_subnets().set_filters(Some(filters));
        let found = every_page("DescribeSubnets", |token| {
            let call = call.clone().set_next_token(token);
            async move {
                let answer = call.send().await.called("DescribeSubnets")?;
                Ok(Page::new(answer.subnets, answer.next_token))
            }
        });
        found.await?.into_iter().map(read).collect()
    }

    /// Sets whether instances that start in the subnet `id` are given public addresses.
    ///
    /// # Errors
    /// When EC2 refuses, or cannot be asked.
    pub async fn set_subnet_public_addresses(&self, id: &str, are_mapped: bool) -> Result<(), CallError> {
        let value = AttributeBooleanValue::builder().value(are_mapped).build();
        let call = self.clients.patient.modify_subnet_attribute().subnet_id(id);
        call.map_public_ip_on_launch(value)
            .send()
            .await
            .called("ModifySubnetAttribute")?;
        Ok(())
    }

    /// Deletes the subnet `id`; one that is not there is deleted.
    ///
    /// # Errors
    /// When EC2 refuses (`DependencyViolation`: something still has an interface in it), or cannot be asked.
    pub async fn delete_subnet(&self, id: &str) -> Result<(), CallError> {
        let call = self.clients.patient.delete_subnet().subnet_id(id);
        deleted(call.send().await.called("DeleteSubnet"))
    }
}

fn read(subnet: types::Subnet) -> Result<Subnet, CallError> {
    const ACTION: &str = "DescribeSubnets";
    let free = subnet.available_ip_address_count.unwrap_or_default();
    Ok(Subnet {
        id: promised(ACTION, subnet.subnet_id, "subnetId")?,
        vpc: promised(ACTION, subnet.vpc_id, "vpcId")?,
        zone: promised(ACTION, subnet.availability_zone, "availabilityZone")?,
        cidr: promised(ACTION, subnet.cidr_block, "cidrBlock")?,
        is_available: subnet.state == Some(SubnetState::Available),
        maps_public_addresses: subnet.map_public_ip_on_launch.unwrap_or_default(),
        free_addresses: u32::try_from(free).unwrap_or_default(),
        tags: tags::read(subnet.tags),
    })
}
