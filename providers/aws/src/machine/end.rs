//! The end of machines.

use std::time::Duration;

use keelson_aws_calls::CallError;
use keelson_aws_calls::ec2::{Ec2, Filters, InstanceState};
use keelson_provider_api::{Outcome, ResourceKey};

use crate::step::{Step, late, refused};

/// An instance of some types takes minutes to end, and what it had is free after it
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/terminating-instances.html>).
const LIMIT: Duration = Duration::from_secs(900);
/// What it leaves that was made for it is free by then.
const LEFT_LIMIT: Duration = Duration::from_secs(120);

/// What EC2 says of something that somebody has.
const HELD: &[&str] = &[
    "VolumeInUse",
    "InvalidNetworkInterface.InUse",
    "InvalidParameterValue",
];

/// Ends instances: the one place that does, so that ends of many machines can be gathered into one call.
pub(crate) async fn terminate(ec2: &Ec2, ids: &[String]) -> Result<(), CallError> {
    if ids.is_empty() {
        return Ok(());
    }
    ec2.terminate_instances(ids).await
}

/// Ends whatever is marked with `key`, and `id`, which may not show yet; and waits until others can have what it had.
pub(super) async fn delete(step: &Step<'_>, key: &ResourceKey, id: &str) -> Result<(), Outcome> {
    let mut ids = marked(step, key).await?;
    if !ids.iter().any(|found| found == id) {
        ids.push(id.to_owned());
    }
    step.context.progress.tell(&format!("end {}", ids.join(", ")));
    let ended = terminate(step.ec2, &ids).await;
    ended.map_err(|error| not_ended(error, key))?;
    let gone = || async { Ok(is_over(step, &ids).await?.then_some(())) };
    if step.until_found(LIMIT, gone).await?.is_none() {
        let all = ids.join(", ");
        return Err(late(format!(
            "{key} does not end, or keeps its volume or interface: {all}"
        )));
    }
    delete_left(step, key).await
}

async fn marked(step: &Step<'_>, key: &ResourceKey) -> Result<Vec<String>, Outcome> {
    let instances = step.ec2.list_instances(&step.marked(key)).await;
    let instances = instances.map_err(|error| refused(error, "look for the instance"))?;
    let there = instances
        .into_iter()
        .filter(|instance| instance.state != InstanceState::Terminated);
    Ok(there.map(|instance| instance.id).collect())
}

/// Whether instances have ended, and let go of what they had.
async fn is_over(step: &Step<'_>, ids: &[String]) -> Result<bool, Outcome> {
    let themselves = &Filters::default().with("instance-id", ids);
    let holders = &Filters::default().with("attachment.instance-id", ids);
    let look = Box::pin(async {
        tokio::try_join!(
            step.ec2.list_instances(themselves),
            step.ec2.list_volumes(holders),
            step.ec2.list_interfaces(holders),
        )
    });
    let (instances, volumes, interfaces) = look
        .await
        .map_err(|error| refused(error, "look whether the instance has ended"))?;
    let has_ended = instances
        .iter()
        .all(|instance| instance.state == InstanceState::Terminated);
    let is_held = volumes.iter().any(|volume| volume.attachment.is_some())
        || interfaces.iter().any(|interface| interface.attachment.is_some());
    Ok(has_ended && !is_held)
}

/// Root volumes and interfaces go with their instance, unless somebody has said otherwise.
async fn delete_left(step: &Step<'_>, key: &ResourceKey) -> Result<(), Outcome> {
    let told = |error| refused(error, "look for what the instance has left");
    let volumes = step.ec2.list_volumes(&step.marked(key)).await.map_err(told)?;
    for volume in volumes.iter().filter(|volume| volume.is_there()) {
        let delete = || step.ec2.delete_volume(&volume.id);
        let deleted = step.again_while(HELD, LEFT_LIMIT, delete).await;
        deleted.map_err(|error| refused(error, "delete the root volume"))?;
    }
    for interface in step.ec2.list_interfaces(&step.marked(key)).await.map_err(told)? {
        let delete = || step.ec2.delete_interface(&interface.id);
        let deleted = step.again_while(HELD, LEFT_LIMIT, delete).await;
        deleted.map_err(|error| refused(error, "delete the interface"))?;
    }
    Ok(())
}

/// An instance that could not be ended, and what to do about it.
pub(crate) fn not_ended(error: CallError, key: &ResourceKey) -> Outcome {
    let is_protected = error.is(&["OperationNotPermitted"]);
    match refused(error, &format!("end {key}")) {
        Outcome::Rejected(error) if is_protected => Outcome::Rejected(error.with_help(
            "somebody has protected the instance: see why, and take the protection away (EC2 calls it termination protection)",
        )),
        other => other,
    }
}
