//! Internet gateways: what the public addresses of a VPC are reached through.

use aws_sdk_ec2::types::{self, ResourceType};

use crate::failure::{CallError, CallFailure, Called as _};
use crate::mark::Tags;

use super::answers::{Page, deleted, every_page, promised};
use super::{Ec2, Filters, tags};

/// An internet gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InternetGateway {
    /// Its id.
    pub id: String,
    /// The id of the VPC that it is attached to.
    pub vpc: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

impl Ec2 {
    /// Makes an internet gateway that no VPC has, and gives its id. Sent once, since EC2 has no token for it.
    ///
    /// # Errors
    /// When EC2 refuses; when its answer is lost the gateway may be there, and is found by its tags.
    pub async fn create_internet_gateway(&self, tags: &Tags) -> Result<String, CallError> {
        let answer = self
            .clients
            .once
            .create_internet_gateway()
            .tag_specifications(tags::specification(ResourceType::InternetGateway, tags))
            .send()
            .await
            .called("CreateInternetGateway")?;
        let gateway = answer.internet_gateway;
        promised(
            "CreateInternetGateway",
            gateway.and_then(|gateway| gateway.internet_gateway_id),
            "internetGatewayId",
        )
    }

    /// The internet gateways; their own filters are `internet-gateway-id` and `attachment.vpc-id`.
    ///
    /// # Errors
    /// When EC2 refuses, or cannot be asked.
    pub async fn list_internet_gateways(&self, filters: &Filters) -> Result<Vec<InternetGateway>, CallError> {
        let Some(filters) = filters.written() else {
            return Ok(Vec::new());
        };
        let call = self.clients.patient.describe_internet_gateways();
        let call = call.set_filters(Some(filters));
        let found = every_page("DescribeInternetGateways", |token| {
            let call = call.clone().set_next_token(token);
            async move {
                let answer = call.send().await.called("DescribeInternetGateways")?;
                Ok(Page::new(answer.internet_gateways, answer.next_token))
            }
        });
        found.await?.into_iter().map(read).collect()
    }

    /// Attaches the internet gateway `id` to the VPC `vpc`; one that is attached to it stays so.
    ///
    /// # Errors
    /// When EC2 refuses (the gateway has another VPC, the VPC another gateway), or cannot be asked.
    pub async fn attach_internet_gateway(&self, id: &str, vpc: &str) -> Result<(), CallError> {
        let call = self.clients.patient.attach_internet_gateway();
        let call = call.internet_gateway_id(id).vpc_id(vpc);
        let Err(error) = call.send().await.called("AttachInternetGateway") else {
            return Ok(());
        };
        if error.failure != CallFailure::Refused || error.is_absent() {
            return Err(error);
        }
        // EC2 refuses with several codes, also when the call comes again after its answer was lost.
        let filters = Filters::default()
            .with("internet-gateway-id", [id])
            .with("attachment.vpc-id", [vpc]);
        match self.list_internet_gateways(&filters).await {
            Ok(found) if !found.is_empty() => Ok(()),
            Ok(_) | Err(_) => Err(error),
        }
    }

    /// Detaches the internet gateway `id` from the VPC `vpc`; one that is not attached is detached.
    ///
    /// # Errors
    /// When EC2 refuses (`DependencyViolation`: something in the VPC has a public address), or cannot be asked.
    pub async fn detach_internet_gateway(&self, id: &str, vpc: &str) -> Result<(), CallError> {
        let call = self.clients.patient.detach_internet_gateway();
        let call = call.internet_gateway_id(id).vpc_id(vpc);
        match call.send().await.called("DetachInternetGateway") {
            Err(error) if error.is(&["Gateway.NotAttached"]) => Ok(()),
            answer => deleted(answer),
        }
    }

    /// Deletes the internet gateway `id`; one that is not there is deleted.
    ///
    /// # Errors
    /// When EC2 refuses (`DependencyViolation`: it is attached), or cannot be asked.
    pub async fn delete_internet_gateway(&self, id: &str) -> Result<(), CallError> {
        let call = self.clients.patient.delete_internet_gateway();
        deleted(
            call.internet_gateway_id(id)
                .send()
                .await
                .called("DeleteInternetGateway"),
        )
    }
}

fn read(gateway: types::InternetGateway) -> Result<InternetGateway, CallError> {
    let id = gateway.internet_gateway_id;
    let attachments = gateway.attachments.unwrap_or_default();
    Ok(InternetGateway {
        id: promised("DescribeInternetGateways", id, "internetGatewayId")?,
        vpc: attachments.into_iter().find_map(|attachment| attachment.vpc_id),
        tags: tags::read(gateway.tags),
    })
}
