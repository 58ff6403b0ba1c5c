//! Target groups: what a listener forwards to, and how it is known whether that is well.

use aws_sdk_elasticloadbalancingv2::types::{self, ProtocolEnum, TargetGroupAttribute, TargetTypeEnum};

use crate::failure::{CallError, Called as _};
use crate::mark::Tags;
use crate::whole::{deleted, every_page, if_there, next, promised};

use super::marks::written;
use super::{Elb, check_name};

const CREATE: &str = "CreateTargetGroup";
const DESCRIBE: &str = "DescribeTargetGroups";
const DELAY: &str = "deregistration_delay.timeout_seconds";
const TERMINATION: &str = "deregistration_delay.connection_termination.enabled";
const PRESERVATION: &str = "preserve_client_ip.enabled";
/// How often a target is asked, and how often in a row it must or must not answer until that counts: what kops asks for
/// (reference `kops.md`, 1).
const INTERVAL_SECONDS: i32 = 10;
const THRESHOLD: i32 = 2;

/// What is registered in a target group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetType {
    /// Instances, by their ids.
    Instance,
    /// Addresses.
    Ip,
}

/// How a target is asked whether it is well, at the port it is forwarded to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HealthCheck {
    /// It takes a connection.
    Tcp,
    /// It answers HTTPS with 200 to 399, whoever signed its certificate.
    Https {
        /// The path that is asked for, for example `/readyz`.
        path: String,
    },
}

/// A target group to create: TCP, asked every 10 s, with two answers in a row that count.
#[derive(Debug, Clone)]
pub struct NewTargetGroup {
    /// Its name, at most [`super::LONGEST_NAME`] characters, one in the region.
    pub name: String,
    /// Its VPC.
    pub vpc: String,
    /// The port of its targets where they do not say another one.
    pub port: u16,
    /// What is registered in it.
    pub target_type: TargetType,
    /// How targets are asked.
    pub health_check: HealthCheck,
    /// Its mark.
    pub tags: Tags,
}

/// A target group that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetGroup {
    /// What calls name it by.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Its VPC.
    pub vpc: String,
    /// The port of its targets; 0 where it has none.
    pub port: u16,
    /// What is registered in it; none where that is nothing keelson registers.
    pub target_type: Option<TargetType>,
    /// How targets are asked; none where that is no way keelson asks.
    pub health_check: Option<HealthCheck>,
    /// The load balancers that forward to it.
    pub load_balancers: Vec<String>,
    /// Its tags.
    pub tags: Tags,
}

/// How a target group treats connections to its targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupAttributes {
    /// How long connections to a target that is deregistered may go on.
    pub drain_seconds: u32,
    /// Whether they are broken after that.
    pub breaks_drained: bool,
    /// Whether targets see the addresses of clients instead of the load balancer's. Where they do, no target reaches itself through
    /// the load balancer
    /// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-troubleshooting.html>).
    pub keeps_client_addresses: bool,
}

impl Default for GroupAttributes {
    /// Half a minute, then they are broken: clients of an API server reconnect, and an upgrade waits for each. A control plane
    /// that calls the API by its name reaches any of them, itself too.
    fn default() -> Self {
        Self {
            drain_seconds: 30,
            breaks_drained: true,
            keeps_client_addresses: false,
        }
    }
}

impl Elb {
    /// Creates a target group, with its tags; the same one again is the one that is there.
    ///
    /// # Errors
    ///
    /// When the name is none, or taken by another one (`DuplicateTargetGroupName`); when it is refused or cannot be asked for.
    pub async fn create_target_group(&self, new: &NewTargetGroup) -> Result<TargetGroup, CallError> {
        check_name(CREATE, &new.name)?;
        let target_type = match new.target_type {
            TargetType::Instance => TargetTypeEnum::Instance,
            TargetType::Ip => TargetTypeEnum::Ip,
        };
        let (protocol, path) = match &new.health_check {
            HealthCheck::Tcp => (ProtocolEnum::Tcp, None),
            HealthCheck::Https { path } => (ProtocolEnum::Https, Some(path.clone())),
        };
        let answer = self
            .clients
            .patient
            .create_target_group()
            .name(&new.name)
            .protocol(ProtocolEnum::Tcp)
            .port(new.port.into())
            .vpc_id(&new.vpc)
            .target_type(target_type)
            .health_check_protocol(protocol)
            .set_health_check_path(path)
            .health_check_interval_seconds(INTERVAL_SECONDS)
            .healthy_threshold_count(THRESHOLD)
            .unhealthy_threshold_count(THRESHOLD)
            .set_tags(written(&new.tags))
            .send()
            .await
            .called(CREATE)?;
        let made = answer.target_groups.unwrap_or_default().into_iter().next();
        let mut made = read(CREATE, promised(CREATE, "target group", made)?)?;
        made.tags.clone_from(&new.tags);
        Ok(made)
    }

    /// The target group of this very name, if there is one.
    ///
    /// # Errors
    ///
    /// When Elastic Load Balancing refuses or cannot be asked.
    pub async fn target_group(&self, name: &str) -> Result<Option<TargetGroup>, CallError> {
        let call = self.clients.patient.describe_target_groups().names(name);
        let answer = if_there(call.send().await.called(DESCRIBE))?;
        let found = answer.and_then(|found| found.target_groups).unwrap_or_default();
        Ok(self.groups_with_tags(found).await?.pop())
    }

    /// How a target group treats connections to its targets.
    ///
    /// # Errors
    ///
    /// When the group is not there, or Elastic Load Balancing cannot be asked.
    pub async fn group_attributes(&self, arn: &str) -> Result<GroupAttributes, CallError> {
        const ACTION: &str = "DescribeTargetGroupAttributes";
        let call = self.clients.patient.describe_target_group_attributes();
        let answer = call.target_group_arn(arn).send().await.called(ACTION)?;
        let attributes = answer.attributes.unwrap_or_default();
        let value = |key: &str| {
            let found = attributes.iter().find(|attribute| attribute.key() == Some(key));
            found.and_then(TargetGroupAttribute::value)
        };
        let drain_seconds = value(DELAY).and_then(|delay| delay.parse().ok());
        Ok(GroupAttributes {
            drain_seconds: promised(ACTION, DELAY, drain_seconds)?,
            breaks_drained: value(TERMINATION) == Some("true"),
            keeps_client_addresses: value(PRESERVATION) == Some("true"),
        })
    }

    /// Sets how a target group treats connections to its targets.
    ///
    /// # Errors
    ///
    /// When the group is not there, is refused or cannot be asked for.
    pub async fn set_group_attributes(
        &self,
        arn: &str,
        attributes: GroupAttributes,
    ) -> Result<(), CallError> {
        let attribute =
            |key: &str, value: String| TargetGroupAttribute::builder().key(key).value(value).build();
        let call = self.clients.patient.modify_target_group_attributes();
        let answer = call
            .target_group_arn(arn)
            .attributes(attribute(DELAY, attributes.drain_seconds.to_string()))
            .attributes(attribute(TERMINATION, attributes.breaks_drained.to_string()))
            .attributes(attribute(
                PRESERVATION,
                attributes.keeps_client_addresses.to_string(),
            ))
            .send()
            .await;
        answer.called("ModifyTargetGroupAttributes").map(drop)
    }

    /// Deletes a target group that no listener forwards to.
    ///
    /// # Errors
    ///
    /// When a listener does (`ResourceInUse`), when it is refused or cannot be asked for; not when it is gone.
    pub async fn delete_target_group(&self, arn: &str) -> Result<(), CallError> {
        let call = self.clients.patient.delete_target_group();
        let answer = call.target_group_arn(arn).send().await;
        deleted(answer.called("DeleteTargetGroup"))
    }

    pub(super) async fn every_target_group(&self) -> Result<Vec<TargetGroup>, CallError> {
        let found = every_page(DESCRIBE, |from| async move {
            let call = self.clients.patient.describe_target_groups().set_marker(from);
            let answer = call.send().await.called(DESCRIBE)?;
            Ok((answer.target_groups.unwrap_or_default(), next(answer.next_marker)))
        });
        self.groups_with_tags(found.await?).await
    }

    async fn groups_with_tags(&self, found: Vec<types::TargetGroup>) -> Result<Vec<TargetGroup>, CallError> {
        let arns: Vec<String> = found
            .iter()
            .filter_map(|one| one.target_group_arn.clone())
            .collect();
        let mut tags = self.tags(&arns).await?;
        let mut read_ones = Vec::new();
        for one in found {
            let mut one = read(DESCRIBE, one)?;
            // One without tags went between the two calls.
            if let Some(tags) = tags.remove(&one.arn) {
                one.tags = tags;
                read_ones.push(one);
            }
        }
        Ok(read_ones)
    }
}

fn read(action: &'static str, found: types::TargetGroup) -> Result<TargetGroup, CallError> {
    let health_check = match (found.health_check_protocol, found.health_check_path) {
        (Some(ProtocolEnum::Tcp), _) => Some(HealthCheck::Tcp),
        (Some(ProtocolEnum::Https), Some(path)) => Some(HealthCheck::Https { path }),
        _ => None,
    };
    let target_type = match found.target_type {
        Some(TargetTypeEnum::Instance) => Some(TargetType::Instance),
        Some(TargetTypeEnum::Ip) => Some(TargetType::Ip),
        _ => None,
    };
    Ok(TargetGroup {
        arn: promised(action, "ARN", found.target_group_arn)?,
        name: promised(action, "name", found.target_group_name)?,
        vpc: found.vpc_id.unwrap_or_default(),
        port: found
            .port
            .and_then(|port| port.try_into().ok())
            .unwrap_or_default(),
        target_type,
        health_check,
        load_balancers: found.load_balancer_arns.unwrap_or_default(),
        tags: Tags::new(),
    })
}
