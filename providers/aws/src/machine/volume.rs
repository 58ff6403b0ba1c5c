//! The volume of a machine.

use std::time::Duration;

use keelson_aws_calls::ec2::{AttachmentState, Volume, VolumeState};
use keelson_provider_api::{Kind, Outcome, ResourceKey};

use crate::step::{Step, late, missing, never, refused};

/// The name under which a machine gets its volume: one of those that EC2 recommends for volumes of data
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/device_naming.html>).
pub const VOLUME_DEVICE: &str = "/dev/sdf";

/// The paths at which the system of a machine may show the volume `id`, the surest one first. Instances of today (Nitro) show
/// it as a disk of `NVMe`, whatever its name, with the id without its dash as its serial number
/// (<https://docs.aws.amazon.com/ebs/latest/userguide/nvme-ebs-volumes.html>); older ones (Xen) by the name that it was given,
/// or by that of a Xen disk with the same letter.
pub fn volume_devices(id: &str) -> Vec<String> {
    let serial = id.replace('-', "");
    vec![
        format!("/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{serial}"),
        VOLUME_DEVICE.to_owned(),
        VOLUME_DEVICE.replace("/sd", "/xvd"),
    ]
}

/// Whoever had it before lets go of it when it is gone itself, and that can take minutes.
const FREE_LIMIT: Duration = Duration::from_secs(600);
/// It takes seconds until an instance has it.
const LIMIT: Duration = Duration::from_secs(120);

/// What EC2 says of an instance that does not run yet, or a volume that is not available yet
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>).
const NOT_YET: &[&str] = &["IncorrectState", "IncorrectInstanceState"];

/// The paths at which a machine that is started now will find the volume `name`.
pub(super) async fn devices(step: &Step<'_>, name: &str) -> Result<Vec<String>, Outcome> {
    let key = ResourceKey::new(Kind::Volume, name);
    let volume = volume(step, &key, None).await?;
    Ok(volume_devices(&volume.ok_or_else(|| missing(&key))?.id))
}

/// Attaches the volume `name` to an instance, as soon as nobody else has it.
pub(super) async fn attach(step: &Step<'_>, name: &str, instance: &str) -> Result<(), Outcome> {
    let key = ResourceKey::new(Kind::Volume, name);
    let Some(volume) = volume(step, &key, Some(instance)).await? else {
        return Err(missing(&key));
    };
    if is_attached(&volume, instance) {
        return Ok(());
    }
    let free = step
        .until_found(FREE_LIMIT, || async {
            let found = self::volume(step, &key, Some(instance)).await?;
            Ok(found.filter(|volume| volume.state == VolumeState::Available || has_it(volume, instance)))
        })
        .await?;
    let Some(free) = free else {
        let attachment = volume.attachment.map(|attachment| attachment.instance);
        let holder = attachment.unwrap_or_else(|| "nobody, and is not available".to_owned());
        return Err(late(format!("{key}, {}, is attached to {holder}", volume.id)));
    };
    if !has_it(&free, instance) {
        let attach = || step.ec2.attach_volume(&free.id, instance, VOLUME_DEVICE);
        let attached = step.again_while(NOT_YET, LIMIT, attach).await;
        attached.map_err(|error| refused(error, &format!("attach {key}")))?;
    }
    let attached = step
        .until_found(LIMIT, || async {
            let found = self::volume(step, &key, Some(instance)).await?;
            Ok(found.filter(|volume| is_attached(volume, instance)))
        })
        .await?;
    attached
        .map(drop)
        .ok_or_else(|| late(format!("{key}, {}, does not get attached to {instance}", free.id)))
}

/// The volume with this key: the one that `instance` has, one that somebody has, or the oldest one.
async fn volume(
    step: &Step<'_>,
    key: &ResourceKey,
    instance: Option<&str>,
) -> Result<Option<Volume>, Outcome> {
    let volumes = step.ec2.list_volumes(&step.marked(key)).await;
    let mut volumes = volumes.map_err(|error| refused(error, "look for the volume"))?;
    volumes.retain(Volume::is_there);
    volumes.sort_by_cached_key(|volume| {
        (
            !instance.is_some_and(|instance| has_it(volume, instance)),
            volume.attachment.is_none(),
            volume.created,
            volume.id.clone(),
        )
    });
    let first = volumes.into_iter().next();
    match first {
        Some(volume) if volume.state == VolumeState::Error => {
            let problem = format!(
                "{key} cannot be attached: the hardware of {} has failed",
                volume.id
            );
            Err(never(
                problem,
                "delete it and apply again: etcd gives the member its data anew",
            ))
        }
        first => Ok(first),
    }
}

/// Whether the instance has it, or will.
fn has_it(volume: &Volume, instance: &str) -> bool {
    let attachment = volume.attachment.as_ref();
    let stays = |state| matches!(state, AttachmentState::Attaching | AttachmentState::Attached);
    attachment.is_some_and(|one| one.instance == instance && stays(one.state))
}

fn is_attached(volume: &Volume, instance: &str) -> bool {
    let attachment = volume.attachment.as_ref();
    attachment.is_some_and(|one| one.instance == instance && one.state == AttachmentState::Attached)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_shows_by_its_id_or_by_the_name_that_it_was_given() {
        let expected = [
            "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0123456789abcdef0",
            "/dev/sdf",
            "/dev/xvdf",
        ];
        assert_eq!(volume_devices("vol-0123456789abcdef0"), expected);
    }
}
