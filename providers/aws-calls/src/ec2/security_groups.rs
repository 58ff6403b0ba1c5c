//! Security groups: who may reach what has them.

use aws_sdk_ec2::types::{self, IpPermission, ResourceType};

use crate::failure::{CallError, Called as _};
use crate::mark::Tags;

use super::answers::{Page, deleted, every_page, promised};
use super::ingress::{self, DescribedRules};
use super::{Ec2, Filters, tags};

/// How often rules are compared anew while somebody else changes them.
const MOST_ROUNDS: usize = 4;

/// A security group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityGroup {
    /// Its id.
    pub id: String,
    /// Its VPC's id.
    pub vpc: String,
    /// Its name, which no other one in the VPC has; `default` is the one that EC2 makes with the VPC and deletes with it.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// What it lets in, with what each is for.
    pub ingress: DescribedRules,
    /// Its tags.
    pub tags: Tags,
}

impl Ec2 {
    /// Makes a security group of the VPC `vpc` that lets nothing in and everything out, and gives its id. Sent once, since EC2
    /// has no token for it.
    ///
    /// # Errors
    /// When EC2 refuses (`InvalidGroup.Duplicate`: the VPC has one of that name); when its answer is lost the group may be
    /// there, and is found by its tags.
    pub async fn create_security_group(
        &self,
        vpc: &str,
        name: &str,
        description: &str,
        tags: &Tags,
    ) -> Result<String, CallError> {
        let answer = self
            .clients
            .once
            .create_security_group()
            .vpc_id(vpc)
            .group_name(name)
            .description(description)
            .tag_specifications(tags::specification(ResourceType::SecurityGroup, tags))
            .send()
            .await
            .called("CreateSecurityGroup")?;
        promised("CreateSecurityGroup", answer.group_id, "groupId")
    }

    /// The security groups with what they let in; their own filters are `group-id` and `group-name`.
    ///
    /// # Errors
    /// When EC2 refuses, or cannot be asked.
    pub async fn list_security_groups(&self, filters: &Filters) -> Result<Vec<SecurityGroup>, CallError> {
        let Some(filters) = filters.written() else {
            return Ok(Vec::new());
        };
        let call = self.clients.patient.describe_security_groups();
        let call = call.set_filters(Some(filters));
        let found = every_page("DescribeSecurityGroups", |token| {
            let call = call.clone().set_next_token(token);
            async move {
                let answer = call.send().await.called("DescribeSecurityGroups")?;
                Ok(Page::new(answer.security_groups, answer.next_token))
            }
        });
        found.await?.into_iter().map(read).collect()
    }

    /// Lets `rules` into the security group `id` too, in one call; what is let in already stays so.
    ///
    /// # Errors
    /// When EC2 refuses, or cannot be asked; none of the rules is then new, as long as nobody else changes the group.
    pub async fn authorize_ingress(&self, id: &str, rules: &DescribedRules) -> Result<(), CallError> {
        let mut missing = rules.clone();
        for round in 1.. {
            let Some(permissions) = permissions(&missing) else {
                break;
            };
            let call = self.clients.patient.authorize_security_group_ingress();
            let call = call.group_id(id).set_ip_permissions(Some(permissions));
            let Err(error) = call.send().await.called("AuthorizeSecurityGroupIngress") else {
                break;
            };
            // One rule that is there makes EC2 refuse them all.
            if !error.is(&["InvalidPermission.Duplicate"]) || round == MOST_ROUNDS {
                return Err(error);
            }
            let present = self.ingress_of(id).await?.unwrap_or_default();
            missing.retain(|rule, _| !present.contains_key(rule));
        }
        Ok(())
    }

    /// Says anew what each of `rules`, which the security group `id` lets in, is for.
    ///
    /// # Errors
    /// When EC2 refuses (`InvalidPermission.NotFound`: one of them is not let in), or cannot be asked.
    pub async fn describe_ingress(&self, id: &str, rules: &DescribedRules) -> Result<(), CallError> {
        let Some(permissions) = permissions(rules) else {
            return Ok(());
        };
        let call = self
            .clients
            .patient
            .update_security_group_rule_descriptions_ingress();
        let call = call.group_id(id).set_ip_permissions(Some(permissions));
        call.send()
            .await
            .called("UpdateSecurityGroupRuleDescriptionsIngress")?;
        Ok(())
    }

    /// Lets `rules` into the security group `id` no longer, in one call; what is not let in stays so.
    ///
    /// # Errors
    /// When EC2 refuses, or cannot be asked; all of the rules are then still there, as long as nobody else changes the group.
    pub async fn revoke_ingress(&self, id: &str, rules: &DescribedRules) -> Result<(), CallError> {
        let mut present = rules.clone();
        for round in 1.. {
            let Some(permissions) = permissions(&present) else {
                break;
            };
            let call = self.clients.patient.revoke_security_group_ingress();
            let call = call.group_id(id).set_ip_permissions(Some(permissions));
            let Err(error) = call.send().await.called("RevokeSecurityGroupIngress") else {
                break;
            };
            // One rule that is not there makes EC2 refuse them all.
            if !error.is_absent() || round == MOST_ROUNDS {
                return Err(error);
            }
            let now = self.ingress_of(id).await?.unwrap_or_default();
            present = now
                .into_iter()
                .filter(|(rule, _)| rules.contains_key(rule))
                .collect();
        }
        Ok(())
    }

    /// Deletes the security group `id`; one that is not there is deleted.
    ///
    /// # Errors
    /// When EC2 refuses (`DependencyViolation`: something has it, or another group's rule names it), or cannot be asked.
    pub async fn delete_security_group(&self, id: &str) -> Result<(), CallError> {
        let call = self.clients.patient.delete_security_group().group_id(id);
        deleted(call.send().await.called("DeleteSecurityGroup"))
    }

    async fn ingress_of(&self, id: &str) -> Result<Option<DescribedRules>, CallError> {
        let filters = Filters::default().with("group-id", [id]);
        let found = self.list_security_groups(&filters).await?;
        Ok(found.into_iter().next().map(|group| group.ingress))
    }
}

fn permissions(rules: &DescribedRules) -> Option<Vec<IpPermission>> {
    let written = rules
        .iter()
        .map(|(rule, description)| ingress::written(rule, description));
    (!rules.is_empty()).then(|| written.collect())
}

fn read(group: types::SecurityGroup) -> Result<SecurityGroup, CallError> {
    const ACTION: &str = "DescribeSecurityGroups";
    let ingress = group.ip_permissions.unwrap_or_default();
    Ok(SecurityGroup {
        id: promised(ACTION, group.group_id, "groupId")?,
        vpc: promised(ACTION, group.vpc_id, "vpcId")?,
        name: promised(ACTION, group.group_name, "groupName")?,
        description: group.description.unwrap_or_default(),
        ingress: ingress.into_iter().flat_map(ingress::read).collect(),
        tags: tags::read(group.tags),
    })
}
