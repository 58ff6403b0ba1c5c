//! Targets, and whether they are well.

use aws_sdk_elasticloadbalancingv2::types::TargetDescription;

use crate::failure::{CallError, Called as _};

use super::Elb;

/// What a target group forwards to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// An instance's id or an address, by the type of the group.
    pub id: String,
    /// Its port; without it, the group's.
    pub port: Option<u16>,
}

/// Whether a target is well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetHealth {
    /// Which it is; its port is always said.
    pub target: Target,
    /// `initial`, `healthy`, `unhealthy`, `draining`, `unhealthy.draining`, `unused` or `unavailable`
    /// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetHealth.html>).
    pub state: String,
    /// Why, in a word of the API; empty where it is healthy.
    pub reason: String,
    /// The same for people.
    pub description: String,
}

impl TargetHealth {
    /// True when it is forwarded to.
    pub fn is_healthy(&self) -> bool {
        self.state == "healthy"
    }
}

impl Elb {
    /// Registers targets, all in one call; those that are registered stay.
    ///
    /// # Errors
    ///
    /// When the group or a target is not there, when it is refused or cannot be asked for.
    pub async fn register(&self, target_group: &str, targets: &[Target]) -> Result<(), CallError> {
        if targets.is_empty() {
            return Ok(());
        }
        let call = self.clients.patient.register_targets();
        let call = call
            .target_group_arn(target_group)
            .set_targets(Some(written(targets)));
        call.send().await.called("RegisterTargets").map(drop)
    }

    /// Deregisters targets, all in one call; those that are not registered are no trouble
    /// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeregisterTargets.html>).
    ///
    /// # Errors
    ///
    /// When the group is not there, when it is refused or cannot be asked for.
    pub async fn deregister(&self, target_group: &str, targets: &[Target]) -> Result<(), CallError> {
        match self.deregister_all(target_group, targets).await {
            // The reference lists the refusal as well, and does not say when it comes.
            Err(error) if error.is(&["InvalidTarget"]) => {
                let registered = self.target_health(target_group).await?;
                let is_registered = |target: &&Target| {
                    registered.iter().any(|one| {
                        one.target.id == target.id
                            && (target.port.is_none() || one.target.port == target.port)
                            && !one.state.ends_with("draining")
                    })
                };
                let left: Vec<Target> = targets.iter().filter(is_registered).cloned().collect();
                self.deregister_all(target_group, &left).await
            }
            answer => answer,
        }
    }

    async fn deregister_all(&self, target_group: &str, targets: &[Target]) -> Result<(), CallError> {
        if targets.is_empty() {
            return Ok(());
        }
        let call = self.clients.patient.deregister_targets();
        let call = call
            .target_group_arn(target_group)
            .set_targets(Some(written(targets)));
        call.send().await.called("DeregisterTargets").map(drop)
    }

    /// Whether each target of a group is well, also of those that are on their way out.
    ///
    /// # Errors
    ///
    /// When the group is not there, or Elastic Load Balancing cannot be asked.
    pub async fn target_health(&self, target_group: &str) -> Result<Vec<TargetHealth>, CallError> {
        let call = self.clients.patient.describe_target_health();
        let answer = call.target_group_arn(target_group).send().await;
        let answer = answer.called("DescribeTargetHealth")?;
        let all = answer.target_health_descriptions.unwrap_or_default();
        Ok(all
            .into_iter()
            .filter_map(|one| {
                let target = one.target?;
                let health = one.target_health;
                let health = health.as_ref();
                let state = health.and_then(|health| health.state.as_ref());
                let reason = health.and_then(|health| health.reason.as_ref());
                let description = health.and_then(|health| health.description.clone());
                Some(TargetHealth {
                    target: Target {
                        id: target.id?,
                        port: target.port.and_then(|port| port.try_into().ok()),
                    },
                    state: state.map_or_else(String::new, |state| state.as_str().to_owned()),
                    reason: reason.map_or_else(String::new, |reason| reason.as_str().to_owned()),
                    description: description.unwrap_or_default(),
                })
            })
            .collect())
    }
}

fn written(targets: &[Target]) -> Vec<TargetDescription> {
    let one = |target: &Target| {
        TargetDescription::builder()
            .id(&target.id)
            .set_port(target.port.map(i32::from))
            .build()
    };
    targets.iter().map(one).collect()
}
