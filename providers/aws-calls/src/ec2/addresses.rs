//! Elastic IP addresses: public ones that stay the same.

use aws_sdk_ec2::types::{self, DomainType, ResourceType};

use crate::failure::{CallError, Called as _};
use crate::mark::Tags;

use super::answers::{deleted, promised};
use super::{Ec2, Filters, tags};

/// An elastic IP address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The id of its allocation.
    pub id: String,
    /// The address.
    pub public_address: String,
    /// The id of its association with an interface, where it has one.
    pub association: Option<String>,
    /// The id of the interface that it leads to.
    pub interface: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

impl Ec2 {
    /// Allocates an address, and gives the id of the allocation. Sent once, since EC2 has no token for it.
    ///
    /// # Errors
    /// When EC2 refuses (`AddressLimitExceeded`); when its answer is lost the address may be there, and is found by its tags.
    pub async fn allocate_address(&self, tags: &Tags) -> Result<String, CallError> {
        let answer = self
            .clients
            .once
            .allocate_address()
            .domain(DomainType::Vpc)
            .tag_specifications(tags::specification(ResourceType::ElasticIp, tags))
            .send()
            .await
            .called("AllocateAddress")?;
        promised("AllocateAddress", answer.allocation_id, "allocationId")
    }

    /// The addresses; their own filters are `allocation-id` and `public-ip`. EC2 has no pages of them.
    ///
    /// # Errors
    /// When EC2 refuses, or cannot be asked.
    pub async fn list_addresses(&self, filters: &Filters) -> Result<Vec<Address>, CallError> {
        let Some(filters) = filters.written() else {
            return Ok(Vec::new());
        };
        let call = self.clients.patient.describe_addresses();
        let call = call.set_filters(Some(filters));
        let found = call.send().await.called("DescribeAddresses")?.addresses;
        found.unwrap_or_default().into_iter().map(read).collect()
    }

    /// Has the address of the allocation `id` lead to an interface, wherever it led before.
    ///
    /// # Errors
    /// When EC2 refuses, since one of them is not there for example, or cannot be asked.
    pub async fn associate_address(&self, id: &str, interface: &str) -> Result<(), CallError> {
        let call = self.clients.patient.associate_address().allocation_id(id);
        let call = call.network_interface_id(interface).allow_reassociation(true);
        call.send().await.called("AssociateAddress").map(drop)
    }

    /// Has an address lead nowhere, by its association; one that is not there leads nowhere.
    ///
    /// # Errors
    /// When EC2 refuses, or cannot be asked.
    pub async fn disassociate_address(&self, association: &str) -> Result<(), CallError> {
        let call = self.clients.patient.disassociate_address();
        let call = call.association_id(association);
        deleted(call.send().await.called("DisassociateAddress"))
    }

    /// Releases the address of the allocation `id`; one that is not there is released.
    ///
    /// # Errors
    /// When EC2 refuses (`InvalidIPAddress.InUse`: it is associated), or cannot be asked.
    pub async fn release_address(&self, id: &str) -> Result<(), CallError> {
        let call = self.clients.patient.release_address().allocation_id(id);
        deleted(call.send().await.called("ReleaseAddress"))
    }
}

fn read(address: types::Address) -> Result<Address, CallError> {
    let some = |text: Option<String>| text.filter(|text| !text.is_empty());
    Ok(Address {
        id: promised("DescribeAddresses", address.allocation_id, "allocationId")?,
        public_address: promised("DescribeAddresses", address.public_ip, "publicIp")?,
        association: some(address.association_id),
        interface: some(address.network_interface_id),
        tags: tags::read(address.tags),
    })
}
