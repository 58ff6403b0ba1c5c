//! The instances of groups.

use aws_sdk_autoscaling::types::Instance;

use crate::failure::{CallError, Called as _};

use super::Scaling;

/// How many instances a call protects at most
/// (<https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_SetInstanceProtection.html>).
const BATCH: usize = 50;
const DETACH: &str = "DetachInstances";
/// How many instances a call detaches at most
/// (<https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DetachInstances.html>).
const MOST_DETACHED: usize = 20;

/// An instance of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub id: String,
    /// Its availability zone.
    pub zone: String,
    /// Its type.
    pub instance_type: String,
    /// Where in its life it is, as the API calls it: `Pending`, `InService`, `Terminating`
    /// (<https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-lifecycle.html>).
    pub lifecycle: String,
    /// Whether the group takes it for well.
    pub is_healthy: bool,
    /// The version of the launch template that it was started from; none where that is gone, or was no template.
    pub template_version: Option<String>,
    /// Whether the group leaves it when it gets smaller.
    pub is_protected: bool,
}

impl Member {
    /// True when it is there and works.
    pub fn is_in_service(&self) -> bool {
        self.lifecycle == "InService"
    }

    pub(super) fn read(found: Instance) -> Option<Self> {
        let lifecycle = found.lifecycle_state;
        Some(Self {
            id: found.instance_id?,
            zone: found.availability_zone.unwrap_or_default(),
            instance_type: found.instance_type.unwrap_or_default(),
            lifecycle: lifecycle.map_or_else(String::new, |state| state.as_str().to_owned()),
            is_healthy: found
                .health_status
                .is_some_and(|status| status.eq_ignore_ascii_case("healthy")),
            template_version: found.launch_template.and_then(|template| template.version),
            is_protected: found.protected_from_scale_in.unwrap_or_default(),
        })
    }
}

impl Scaling {
    /// Takes instances, 20 at the most, out of a group, which go on running. With `lower` the group shall have as many less;
    /// otherwise it starts others. The call is sent once: what has left a group cannot leave it again.
    ///
    /// # Errors
    ///
    /// When one is no instance of the group, when it is refused, and when the answer is lost.
    pub async fn detach(&self, group: &str, instances: &[String], lower: bool) -> Result<(), CallError> {
        if instances.is_empty() {
            return Ok(());
        }
        if instances.len() > MOST_DETACHED {
            let problem = format!("{} instances are more than {MOST_DETACHED}", instances.len());
            return Err(CallError::unsent(DETACH, problem));
        }
        let call = self
            .clients
            .once
            .detach_instances()
            .auto_scaling_group_name(group);
        let call = call
            .set_instance_ids(Some(instances.to_vec()))
            .should_decrement_desired_capacity(lower);
        call.send().await.called(DETACH).map(drop)
    }

    /// Ends an instance of a group. With `lower` the group shall have one less; otherwise it starts another one. The call is
    /// sent once: the API does not promise that a second one lowers nothing.
    ///
    /// # Errors
    ///
    /// When it is no instance of a group, when the group would be too small, when it is refused, and when the answer is lost.
    pub async fn terminate(&self, instance: &str, lower: bool) -> Result<(), CallError> {
        let call = self.clients.once.terminate_instance_in_auto_scaling_group();
        let call = call
            .instance_id(instance)
            .should_decrement_desired_capacity(lower);
        let answer = call.send().await;
        answer.called("TerminateInstanceInAutoScalingGroup").map(drop)
    }

    /// Says whether a group leaves these of its instances when it gets smaller.
    ///
    /// # Errors
    ///
    /// When one is no instance of the group, when it is refused or cannot be asked for.
    pub async fn protect(
        &self,
        group: &str,
        instances: &[String],
        is_protected: bool,
    ) -> Result<(), CallError> {
        for batch in instances.chunks(BATCH) {
            let call = self
                .clients
                .patient
                .set_instance_protection()
                .auto_scaling_group_name(group);
            let call = call
                .set_instance_ids(Some(batch.to_vec()))
                .protected_from_scale_in(is_protected);
            call.send().await.called("SetInstanceProtection")?;
        }
        Ok(())
    }
}
