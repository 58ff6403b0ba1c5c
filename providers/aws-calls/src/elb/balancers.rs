//! Network load balancers.

use aws_sdk_elasticloadbalancingv2::types::{
    self, LoadBalancerAttribute, LoadBalancerSchemeEnum, LoadBalancerTypeEnum,
};

use crate::failure::{CallError, Called as _};
use crate::mark::Tags;
use crate::whole::{deleted, every_page, if_there, next, promised};

use super::marks::written;
use super::{BATCH, Elb, check_name};

const CREATE: &str = "CreateLoadBalancer";
const DESCRIBE: &str = "DescribeLoadBalancers";
const CROSS_ZONE: &str = "load_balancing.cross_zone.enabled";
const PROTECTION: &str = "deletion_protection.enabled";

/// Who reaches a load balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Everybody whom its security groups let in: it has public addresses.
    InternetFacing,
    /// Whoever reaches its subnets.
    Internal,
}

/// A load balancer to create.
#[derive(Debug, Clone)]
pub struct NewLoadBalancer {
    /// Its name, at most [`super::LONGEST_NAME`] characters, one in the region.
    pub name: String,
    /// Who reaches it.
    pub scheme: Scheme,
    /// The subnets it has an address in, one of a zone.
    pub subnets: Vec<String>,
    /// Its security groups. One that is created without any cannot be given one later
    /// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_SetSecurityGroups.html>).
    pub security_groups: Vec<String>,
    /// Its mark.
    pub tags: Tags,
}

/// A load balancer that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadBalancer {
    /// What calls name it by.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// The name that resolves to its addresses.
    pub dns_name: String,
    /// The zone of Route 53 that `dns_name` is in, which an alias must name.
    pub zone: String,
    /// Its VPC.
    pub vpc: String,
    /// Who reaches it.
    pub scheme: Scheme,
    /// `provisioning`, `active`, `active_impaired` or `failed`.
    pub state: String,
    /// The subnets it has an address in.
    pub subnets: Vec<String>,
    /// Its security groups.
    pub security_groups: Vec<String>,
    /// Its tags.
    pub tags: Tags,
}

impl LoadBalancer {
    /// True when it is set up and takes traffic.
    pub fn is_active(&self) -> bool {
        self.state == "active"
    }
}

/// Attributes of a load balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BalancerAttributes {
    /// Whether its address in one zone forwards to targets in all.
    pub cross_zone: bool,
    /// Whether it cannot be deleted.
    pub deletion_protection: bool,
}

impl Elb {
    /// Creates a network load balancer, with its tags; the same one again is the one that is there.
    ///
    /// # Errors
    ///
    /// When the name is none, or taken by another one (`DuplicateLoadBalancerName`); when it is refused or cannot be asked for.
    pub async fn create_load_balancer(&self, new: &NewLoadBalancer) -> Result<LoadBalancer, CallError> {
        check_name(CREATE, &new.name)?;
        let scheme = match new.scheme {
            Scheme::InternetFacing => LoadBalancerSchemeEnum::InternetFacing,
            Scheme::Internal => LoadBalancerSchemeEnum::Internal,
        };
        let answer = self
            .clients
            .patient
            .create_load_balancer()
            .r#type(LoadBalancerTypeEnum::Network)
            .name(&new.name)
            .scheme(scheme)
            .set_subnets(Some(new.subnets.clone()))
            .set_security_groups((!new.security_groups.is_empty()).then(|| new.security_groups.clone()))
            .set_tags(written(&new.tags))
            .send()
            .await
            .called(CREATE)?;
        let made = answer.load_balancers.unwrap_or_default().into_iter().next();
        let mut made = read(CREATE, promised(CREATE, "load balancer", made)?)?;
        made.tags.clone_from(&new.tags);
        Ok(made)
    }

    /// The load balancer of this very name, if there is one.
    ///
    /// # Errors
    ///
    /// When Elastic Load Balancing refuses or cannot be asked.
    pub async fn load_balancer(&self, name: &str) -> Result<Option<LoadBalancer>, CallError> {
        let answer = self.clients.patient.describe_load_balancers().names(name).send();
        let answer = if_there(answer.await.called(DESCRIBE))?;
        let found = answer.and_then(|found| found.load_balancers).unwrap_or_default();
        Ok(self.with_tags(found).await?.pop())
    }

    /// Those of the load balancers `arns` that are there.
    ///
    /// # Errors
    ///
    /// When Elastic Load Balancing refuses or cannot be asked.
    pub async fn load_balancers(&self, arns: &[String]) -> Result<Vec<LoadBalancer>, CallError> {
        let mut found = Vec::new();
        for batch in arns.chunks(BATCH) {
            // One that is not there has the whole call refused.
            if let Some(all) = if_there(self.described(batch).await)? {
                found.extend(all);
                continue;
            }
            for one in batch {
                let alone = std::slice::from_ref(one);
                found.extend(if_there(self.described(alone).await)?.into_iter().flatten());
            }
        }
        self.with_tags(found).await
    }

    /// Moves a load balancer to these subnets, one of a zone.
    ///
    /// # Errors
    ///
    /// When it is not there, is refused or cannot be asked for.
    pub async fn set_subnets(&self, arn: &str, subnets: &[String]) -> Result<(), CallError> {
        let call = self.clients.patient.set_subnets().load_balancer_arn(arn);
        let answer = call.set_subnets(Some(subnets.to_vec())).send().await;
        answer.called("SetSubnets").map(drop)
    }

    /// Gives a load balancer these security groups instead of those that it has.
    ///
    /// # Errors
    ///
    /// When it is not there, was created without one, is refused or cannot be asked for.
    pub async fn set_security_groups(&self, arn: &str, groups: &[String]) -> Result<(), CallError> {
        let call = self.clients.patient.set_security_groups().load_balancer_arn(arn);
        let answer = call.set_security_groups(Some(groups.to_vec())).send().await;
        answer.called("SetSecurityGroups").map(drop)
    }

    /// The attributes of a load balancer.
    ///
    /// # Errors
    ///
    /// When it is not there, or Elastic Load Balancing cannot be asked.
    pub async fn balancer_attributes(&self, arn: &str) -> Result<BalancerAttributes, CallError> {
        let call = self.clients.patient.describe_load_balancer_attributes();
        let answer = call.load_balancer_arn(arn).send().await;
        let answer = answer.called("DescribeLoadBalancerAttributes")?;
        let attributes = answer.attributes.unwrap_or_default();
        let is_on = |key: &str| {
            let found = attributes.iter().find(|attribute| attribute.key() == Some(key));
            found.and_then(LoadBalancerAttribute::value) == Some("true")
        };
        Ok(BalancerAttributes {
            cross_zone: is_on(CROSS_ZONE),
            deletion_protection: is_on(PROTECTION),
        })
    }

    /// Sets the attributes of a load balancer.
    ///
    /// # Errors
    ///
    /// When it is not there, is refused or cannot be asked for.
    pub async fn set_balancer_attributes(
        &self,
        arn: &str,
        attributes: BalancerAttributes,
    ) -> Result<(), CallError> {
        let attribute = |key: &str, is_on: bool| {
            LoadBalancerAttribute::builder()
                .key(key)
                .value(is_on.to_string())
                .build()
        };
        let call = self
            .clients
            .patient
            .modify_load_balancer_attributes()
            .load_balancer_arn(arn);
        let answer = call
            .attributes(attribute(CROSS_ZONE, attributes.cross_zone))
            .attributes(attribute(PROTECTION, attributes.deletion_protection))
            .send()
            .await;
        answer.called("ModifyLoadBalancerAttributes").map(drop)
    }

    /// Deletes a load balancer, with its listeners. Its interfaces go a while later, and its subnets and security groups not
    /// before them.
    ///
    /// # Errors
    ///
    /// When it is refused or cannot be asked for; not when it is gone.
    pub async fn delete_load_balancer(&self, arn: &str) -> Result<(), CallError> {
        let call = self.clients.patient.delete_load_balancer().load_balancer_arn(arn);
        deleted(call.send().await.called("DeleteLoadBalancer"))
    }

    pub(super) async fn every_load_balancer(&self) -> Result<Vec<LoadBalancer>, CallError> {
        let found = every_page(DESCRIBE, |from| async move {
            let call = self.clients.patient.describe_load_balancers().set_marker(from);
            let answer = call.send().await.called(DESCRIBE)?;
            Ok((
                answer.load_balancers.unwrap_or_default(),
                next(answer.next_marker),
            ))
        });
        self.with_tags(found.await?).await
    }

    async fn described(&self, arns: &[String]) -> Result<Vec<types::LoadBalancer>, CallError> {
        let call = self.clients.patient.describe_load_balancers();
        let answer = call.set_load_balancer_arns(Some(arns.to_vec())).send().await;
        Ok(answer.called(DESCRIBE)?.load_balancers.unwrap_or_default())
    }

    async fn with_tags(&self, found: Vec<types::LoadBalancer>) -> Result<Vec<LoadBalancer>, CallError> {
        let arns: Vec<String> = found
            .iter()
            .filter_map(|one| one.load_balancer_arn.clone())
            .collect();
        let mut tags = self.tags(&arns).await?;
        let mut read_ones = Vec::new();
        // Gateway load balancers have no scheme and no name: they are not what this module is about.
        for one in found
            .into_iter()
            .filter(|one| one.r#type != Some(LoadBalancerTypeEnum::Gateway))
        {
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

fn read(action: &'static str, found: types::LoadBalancer) -> Result<LoadBalancer, CallError> {
    let scheme = match found.scheme {
        Some(LoadBalancerSchemeEnum::Internal) => Scheme::Internal,
        _ => Scheme::InternetFacing,
    };
    let state = found.state.and_then(|state| state.code);
    let zones = found.availability_zones.unwrap_or_default();
    Ok(LoadBalancer {
        arn: promised(action, "ARN", found.load_balancer_arn)?,
        name: promised(action, "name", found.load_balancer_name)?,
        dns_name: promised(action, "DNS name", found.dns_name)?,
        zone: found.canonical_hosted_zone_id.unwrap_or_default(),
        vpc: found.vpc_id.unwrap_or_default(),
        scheme,
        state: state.map_or_else(String::new, |state| state.as_str().to_owned()),
        subnets: zones.into_iter().filter_map(|zone| zone.subnet_id).collect(),
        security_groups: found.security_groups.unwrap_or_default(),
        tags: Tags::new(),
    })
}
