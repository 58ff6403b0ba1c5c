//! VPCs.

use aws_sdk_ec2::types::{self, AttributeBooleanValue, ResourceType, VpcAttributeName, VpcState};

use crate::failure::{CallError, Called as _};
use crate::mark::Tags;

use super::answers::{Page, deleted, every_page, promised};
use super::{Ec2, Filters, tags};

/// A VPC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vpc {
    /// Its id.
    pub id: String,
    /// Its first range of addresses.
    pub cidr: String,
    /// Whether it can be used: it is not while it is being made.
    pub is_available: bool,
    /// Whether it is the one that AWS made for the region.
    pub is_default: bool,
    /// Its tags.
    pub tags: Tags,
}

/// What a VPC's DNS does (<https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VpcDns {
    /// Whether the resolver at the VPC's second address answers.
    pub support: bool,
    /// Whether instances with public addresses have public names; private zones of Route 53 need it too.
    pub host_names: bool,
}

impl Ec2 {
    /// Makes a VPC and gives its id. Sent once, since EC2 has no token for it.
    ///
    /// Its DNS gives no host names before [`Ec2::set_vpc_dns`].
    ///
    /// # Errors
    /// When EC2 refuses; when its answer is lost the VPC may be there, and is found by its tags.
    pub async fn create_vpc(&self, cidr: &str, tags: &Tags) -> Result<String, CallError> {
        let answer = self
            .clients
            .once
            .create_vpc()
            .cidr_block(cidr)
            .tag_specifications(tags::specification(ResourceType::Vpc, tags))
            .send()
            .await
            .called("CreateVpc")?;
        promised("CreateVpc", answer.vpc.and_then(|vpc| vpc.vpc_id), "vpcId")
    }

    /// The VPCs; their own filter is `vpc-id`.
    ///
    /// # Errors
    /// When EC2 refuses, or cannot be asked.
    pub async fn list_vpcs(&self, filters: &Filters) -> Result<Vec<Vpc>, CallError> {
        let Some(filters) = filters.written() else {
            return Ok(Vec::new());
        };
        let call = self.clients.patient.describe_vpcs().set_filters(Some(filters));
        let found = every_page("DescribeVpcs", |token| {
            let call = call.clone().set_next_token(token);
            async move {
                let answer = call.send().await.called("DescribeVpcs")?;
                Ok(Page::new(answer.vpcs, answer.next_token))
            }
        });
        found.await?.into_iter().map(read).collect()
    }

    /// What the DNS of the VPC `id` does.
    ///
    /// # Errors
    /// When EC2 refuses, or cannot be asked.
    pub async fn vpc_dns(&self, id: &str) -> Result<VpcDns, CallError> {
        // EC2 answers one attribute a call.
        let ask = async |attribute| {
            let call = self.clients.patient.describe_vpc_attribute().vpc_id(id);
            call.attribute(attribute)
                .send()
                .await
                .called("DescribeVpcAttribute")
        };
        let support = ask(VpcAttributeName::EnableDnsSupport).await?.enable_dns_support;
        let host_names = ask(VpcAttributeName::EnableDnsHostnames)
            .await?
            .enable_dns_hostnames;
        let is_on = |value: Option<AttributeBooleanValue>, name| {
            promised("DescribeVpcAttribute", value.and_then(|value| value.value), name)
        };
        Ok(VpcDns {
            support: is_on(support, "enableDnsSupport")?,
            host_names: is_on(host_names, "enableDnsHostnames")?,
        })
    }

    /// Sets what the DNS of the VPC `id` does, in two calls; both have the same effect twice.
    ///
    /// # Errors
    /// When EC2 refuses, or cannot be asked; one of the two may have had its effect.
    pub async fn set_vpc_dns(&self, id: &str, dns: VpcDns) -> Result<(), CallError> {
        let value = |is_on| AttributeBooleanValue::builder().value(is_on).build();
        let call = self.clients.patient.modify_vpc_attribute().vpc_id(id);
        // EC2 takes one attribute a call, and host names only where there is support.
        for call in [
            call.clone().enable_dns_support(value(dns.support)),
            call.enable_dns_hostnames(value(dns.host_names)),
        ] {
            call.send().await.called("ModifyVpcAttribute")?;
        }
        Ok(())
    }

    /// Deletes the VPC `id`; one that is not there is deleted.
    ///
    /// # Errors
    /// When EC2 refuses (`DependencyViolation`: something is still in it), or cannot be asked.
    pub async fn delete_vpc(&self, id: &str) -> Result<(), CallError> {
        let call = self.clients.patient.delete_vpc().vpc_id(id);
        deleted(call.send().await.called("DeleteVpc"))
    }
}

fn read(vpc: types::Vpc) -> Result<Vpc, CallError> {
    Ok(Vpc {
        id: promised("DescribeVpcs", vpc.vpc_id, "vpcId")?,
        cidr: promised("DescribeVpcs", vpc.cidr_block, "cidrBlock")?,
        is_available: vpc.state == Some(VpcState::Available),
        is_default: vpc.is_default.unwrap_or_default(),
        tags: tags::read(vpc.tags),
    })
}
