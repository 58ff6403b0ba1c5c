//! Volumes for etcd data.

use std::collections::BTreeMap;
use std::time::Duration;

use keelson_aws_calls::CallError;
use keelson_aws_calls::ec2::{self, Ec2, Filters, NewVolume, VolumeState};
use keelson_provider_api::kinds::Volume;
use keelson_provider_api::values::Quantity;
use keelson_provider_api::{ClusterUid, Health, Outcome, ResourceKey};

use super::holder;
use crate::marked::{Seen, key_of_tags};
use crate::step::{Step, late, made, missing, never, refused};

/// The tag that says which key it was asked to be encrypted with: EC2 answers with the ARN of one whose id was given, and with
/// that of the account's own where none was.
const KEY: &str = "keelson.dev/encryption-key";

/// It takes seconds until a volume is available, or larger.
const LIMIT: Duration = Duration::from_secs(300);
/// Whoever has it lets go of it when it is shut down, and that can take minutes.
const FREE_LIMIT: Duration = Duration::from_secs(600);

/// The volumes of the cluster's life `uid`.
pub(super) async fn seen(ec2: &Ec2, uid: &ClusterUid) -> Result<Vec<Seen>, CallError> {
    let volumes = ec2.list_volumes(&Filters::of_cluster(uid.as_str())).await?;
    Ok(volumes
        .into_iter()
        .filter(ec2::Volume::is_there)
        .filter_map(of_volume)
        .collect())
}

fn of_volume(volume: ec2::Volume) -> Option<Seen> {
    let key: ResourceKey = key_of_tags(&volume.tags)?.parse().ok()?;
    let mut facts = BTreeMap::from([("type".to_owned(), volume.volume_type.clone())]);
    if let Some(attachment) = &volume.attachment {
        facts.insert("attachedTo".to_owned(), attachment.instance.clone());
    }
    Some(Seen {
        resource: Ok(Volume {
            machine: key.name().to_owned(),
            zone: volume.zone.clone(),
            size: size(&volume),
            encrypted: volume.encrypted,
            kms_key: volume.tags.get(KEY).cloned(),
        }
        .into()),
        health: match volume.state {
            VolumeState::Error => Health::Unhealthy("its hardware has failed".to_owned()),
            _ => Health::Healthy,
        },
        created_at: volume.created,
        facts,
        id: volume.id,
        tags: volume.tags,
    })
}

fn size(volume: &ec2::Volume) -> Quantity {
    Quantity::from_gibibytes(volume.size_gibibytes.into())
}

pub(super) async fn bring(step: &Step<'_>, key: &ResourceKey, wanted: &Volume) -> Result<(), Outcome> {
    let size_gibibytes = size_gibibytes(key, wanted)?;
    let found = match <[_; 1]>::try_from(volumes(step, key).await?) {
        Ok([found]) => found,
        Err(none) if none.is_empty() => Box::pin(make(step, key, wanted, size_gibibytes)).await?,
        Err(several) => return Err(ambiguous(key, &several)),
    };
    check_fits(key, wanted, &found)?;
    if found.size_gibibytes < size_gibibytes {
        grow(step, &found.id, size_gibibytes).await?;
    }
    let ready = step
        .until_found(LIMIT, || ready(step, key, size_gibibytes))
        .await?;
    ready.ok_or_else(|| {
        late(format!(
            "{key}, which is {}, does not come to be available",
            found.id
        ))
    })
}

/// How many GiB it is to hold.
fn size_gibibytes(key: &ResourceKey, wanted: &Volume) -> Result<u32, Outcome> {
    let whole = wanted.size.bytes().is_multiple_of(1 << 30);
    let gibibytes = u32::try_from(wanted.size.bytes() >> 30).ok();
    gibibytes.filter(|_| whole).ok_or_else(|| {
        let problem = format!(
            "{key} is to hold {}, and volumes of AWS hold whole gibibytes",
            wanted.size
        );
        never(problem, "ask for a size in Gi")
    })
}

/// Something when the volume is there as large as it is to be, and can be attached or is.
async fn ready(step: &Step<'_>, key: &ResourceKey, size_gibibytes: u32) -> Result<Option<()>, Outcome> {
    let Some(found) = volumes(step, key).await?.into_iter().next() else {
        return Ok(None);
    };
    if found.state == VolumeState::Error {
        let problem = format!("{key} cannot be used: the hardware of {} has failed", found.id);
        return Err(never(
            problem,
            "delete it and apply again: etcd gives the member its data anew",
        ));
    }
    let is_usable = matches!(found.state, VolumeState::Available | VolumeState::InUse);
    Ok((is_usable && found.size_gibibytes >= size_gibibytes).then_some(()))
}

/// A volume that there is stays what it is, since etcd data may be on it.
fn check_fits(key: &ResourceKey, wanted: &Volume, found: &ec2::Volume) -> Result<(), Outcome> {
    let (id, there) = (&found.id, size(found));
    if there > wanted.size {
        let problem = format!(
            "{key} is to hold {}, and {id} holds {there}: a volume never shrinks",
            wanted.size
        );
        return Err(never(problem, format!("ask for {there} or more")));
    }
    let zone = (found.zone != wanted.zone).then(|| format!("in the zone {}", found.zone));
    let encryption = (found.encrypted != wanted.encrypted || found.tags.get(KEY) != wanted.kms_key.as_ref())
        .then(|| "encrypted in another way".to_owned());
    match zone.or(encryption) {
        Some(other) => {
            let problem = format!("{key} is there already as {id}, {other}: that cannot be changed");
            Err(never(
                problem,
                "plan again: a volume is replaced by one that is as it is wanted",
            ))
        }
        None => Ok(()),
    }
}

/// Makes a volume. One that shows so late that another was made meanwhile is the one to be kept, since whoever made it may have
/// given it to somebody; nobody can have put anything on the other one, and it goes again.
async fn make(
    step: &Step<'_>,
    key: &ResourceKey,
    wanted: &Volume,
    size_gibibytes: u32,
) -> Result<ec2::Volume, Outcome> {
    if !wanted.encrypted {
        let problem = format!("{key} is not to be encrypted, and keelson makes no such volumes on AWS");
        return Err(never(problem, "have it encrypted: AWS takes nothing for it"));
    }
    let mut tags = step.mark(key);
    tags.extend(
        wanted
            .kms_key
            .iter()
            .map(|encryption_key| (KEY.to_owned(), encryption_key.clone())),
    );
    let new = &NewVolume {
        zone: wanted.zone.clone(),
        size_gibibytes,
        encryption_key: wanted.kms_key.clone(),
        tags,
    };
    let create =
        |token: String| async move { made(step.ec2.create_volume(new, &token).await, "make the volume") };
    let shown = || async { Ok(Some(volumes(step, key).await?).filter(|found| !found.is_empty())) };
    let (found, ids) = step.make_by_token(key, &wanted.zone, create, shown).await?;
    let first = found.into_iter().next().ok_or_else(|| missing(key))?;
    for double in ids.iter().filter(|id| **id != first.id) {
        let gone = step.ec2.delete_volume(double).await;
        gone.map_err(|error| refused(error, "delete a volume that was made twice"))?;
    }
    Ok(first)
}

/// A call whose answer was lost may have begun it: the next one is then refused while that goes on, and what becomes of it is
/// waited for.
async fn grow(step: &Step<'_>, id: &str, size_gibibytes: u32) -> Result<(), Outcome> {
    match step.ec2.resize_volume(id, size_gibibytes).await {
        Err(error) if error.is(&["IncorrectModificationState"]) => Ok(()),
        Err(error) if error.is(&["VolumeModificationRateExceeded"]) => {
            let problem = format!("could not grow {id}: {error}");
            Err(never(
                problem,
                "wait for six hours, and apply again: AWS changes a volume no sooner again",
            ))
        }
        grown => grown.map_err(|error| refused(error, "grow the volume")),
    }
}

/// Those that there are: first what is attached, then the oldest one.
async fn volumes(step: &Step<'_>, key: &ResourceKey) -> Result<Vec<ec2::Volume>, Outcome> {
    let volumes = step.ec2.list_volumes(&step.marked(key)).await;
    let mut volumes = volumes.map_err(|error| refused(error, "look for the volume"))?;
    volumes.retain(ec2::Volume::is_there);
    volumes.sort_by(|one, other| {
        (one.attachment.is_none(), one.created, &one.id).cmp(&(
            other.attachment.is_none(),
            other.created,
            &other.id,
        ))
    });
    Ok(volumes)
}

pub(super) async fn delete(step: &Step<'_>, key: &ResourceKey) -> Result<(), Outcome> {
    let nobody_s = || async { Ok(attached_to(step, key).await?.is_empty().then_some(())) };
    if step.until_found(FREE_LIMIT, nobody_s).await?.is_none() {
        return Err(holder::keeps(&attached_to(step, key).await?, key));
    }
    for volume in volumes(step, key).await? {
        let delete = || step.ec2.delete_volume(&volume.id);
        let gone = step.again_while(&["VolumeInUse"], LIMIT, delete).await;
        gone.map_err(|error| refused(error, &format!("delete {key}")))?;
    }
    Ok(())
}

/// The instances that have it.
async fn attached_to(step: &Step<'_>, key: &ResourceKey) -> Result<Vec<String>, Outcome> {
    let attachments = volumes(step, key)
        .await?
        .into_iter()
        .filter_map(|volume| volume.attachment);
    Ok(attachments.map(|attachment| attachment.instance).collect())
}

/// Which of several has the data nobody can say from outside.
fn ambiguous(key: &ResourceKey, several: &[ec2::Volume]) -> Outcome {
    let ids: Vec<&str> = several.iter().map(|volume| volume.id.as_str()).collect();
    let problem = format!("{key} is there {} times: {}", ids.len(), ids.join(", "));
    never(
        problem,
        "see which one has the data of etcd, and delete the others",
    )
}
