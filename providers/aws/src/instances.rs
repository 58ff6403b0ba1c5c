//! The instances that are a cluster's machines, and which of two counts.

use std::cmp::Reverse;

use keelson_aws_calls::ec2::{Instance, InstanceState};
use keelson_provider_api::{Outcome, ResourceKey};

use crate::step::{Step, refused};

/// The instances with the mark of `key` that have not ended: first the one that counts.
pub(crate) async fn of_key(step: &Step<'_>, key: &ResourceKey) -> Result<Vec<Instance>, Outcome> {
    let instances = step.ec2.list_instances(&step.marked(key)).await;
    let instances = instances.map_err(|error| refused(error, "look for the instance"))?;
    Ok(in_order(instances))
}

/// Those that have not ended. Of two with one key, which an answer that was lost can leave, the first counts: the one that has
/// more volumes, since what is kept is attached to it, and that is not stopped.
pub(crate) fn in_order(mut instances: Vec<Instance>) -> Vec<Instance> {
    instances.retain(Instance::is_alive);
    instances.sort_by_cached_key(|instance| {
        let is_stopped = matches!(instance.state, InstanceState::Stopping | InstanceState::Stopped);
        (
            Reverse(instance.block_devices.len()),
            is_stopped,
            instance.id.clone(),
        )
    });
    instances
}
