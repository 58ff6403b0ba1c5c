//! Volumes of EBS.

use aws_sdk_ec2::types::{self as sdk, ResourceType, VolumeType};
use jiff::Timestamp;

use crate::failure::{CallError, Called as _};
use crate::mark::Tags;

use super::answers::{Page, every_page, time};
use super::{Ec2, Filters, tags};

/// The longest page of `DescribeVolumes`
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVolumes.html>).
const PAGE: i32 = 500;

/// A volume to be: empty, of the type gp3, encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVolume {
    /// The zone, for example `eu-west-1a`; only instances there can have it.
    pub zone: String,
    /// How much it holds.
    pub size_gibibytes: u32,
    /// The key of KMS that encrypts it; without one, the account's key for EBS.
    pub encryption_key: Option<String>,
    /// What it is marked with.
    pub tags: Tags,
}

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Its id, `vol-…`.
    pub id: String,
    /// The zone that it is in.
    pub zone: String,
    /// How much it holds.
    pub size_gibibytes: u32,
    /// Its type, for example `gp3`.
    pub volume_type: String,
    /// Whether what it holds is encrypted.
    pub encrypted: bool,
    /// Where its life has come to.
    pub state: VolumeState,
    /// Who has it.
    pub attachment: Option<VolumeAttachment>,
    /// Since when it is there.
    pub created: Option<Timestamp>,
    /// What it is marked with.
    pub tags: Tags,
}

impl Volume {
    /// False for what is gone, or going: nobody can have it any more.
    pub fn is_there(&self) -> bool {
        !matches!(self.state, VolumeState::Deleting | VolumeState::Deleted)
    }
}

/// Where a volume's life has come to (EBS user guide, "Volume lifecycle").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VolumeState {
    /// It will be available.
    Creating,
    /// It can be attached.
    Available,
    /// An instance has it.
    InUse,
    /// It will be gone.
    Deleting,
    /// It is gone.
    Deleted,
    /// Its hardware has failed.
    Error,
    /// Something that EC2 began to say later.
    Other,
}

/// Who has a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeAttachment {
    /// The instance.
    pub instance: String,
    /// The name that it was given there, for example `/dev/sdf`.
    pub device: String,
    /// Where the attachment's life has come to.
    pub state: AttachmentState,
    /// Whether it goes when the instance does.
    pub deleted_with_instance: bool,
}

/// Where an attachment's life has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttachmentState {
    /// The instance will have it.
    Attaching,
    /// The instance has it.
    Attached,
    /// The instance will no longer have it.
    Detaching,
    /// The instance has it no longer.
    Detached,
    /// The instance does not let go of it: it is mounted there.
    Busy,
    /// Something that EC2 began to say later.
    Other,
}

impl Ec2 {
    /// Makes a volume, and says its id; the same volume when it is asked for again with this token.
    ///
    /// # Errors
    /// When EC2 refuses, or cannot be asked.
    pub async fn create_volume(&self, volume: &NewVolume, token: &str) -> Result<String, CallError> {
        const ACTION: &str = "CreateVolume";
        self.clients
            .patient
            .create_volume()
            .availability_zone(&volume.zone)
            .size(size(ACTION, volume.size_gibibytes)?)
            .volume_type(VolumeType::Gp3)
            .encrypted(true)
            .set_kms_key_id(volume.encryption_key.clone())
            .tag_specifications(tags::specification(ResourceType::Volume, &volume.tags))
            .client_token(token)
            .send()
            .await
            .called(ACTION)?
            .volume_id
            .ok_or_else(|| CallError::strange(ACTION, "id of the volume"))
    }

    /// The volumes that fit all `filters`, for example `volume-id` or `attachment.instance-id`.
    ///
    /// # Errors
    /// When EC2 refuses, cannot be asked, or the list has no end.
    pub async fn list_volumes(&self, filters: &Filters) -> Result<Vec<Volume>, CallError> {
        const ACTION: &str = "DescribeVolumes";
        let Some(filters) = filters.written() else {
            return Ok(Vec::new());
        };
        let volumes = every_page(ACTION, |token| {
            let call = self.clients.patient.describe_volumes();
            let call = call
                .set_filters(Some(filters.clone()))
                .max_results(PAGE)
                .set_next_token(token);
            async move {
                let answer = call.send().await.called(ACTION)?;
                Ok(Page::new(answer.volumes, answer.next_token))
            }
        })
        .await?;
        let known = |volume| read(volume).ok_or_else(|| CallError::strange(ACTION, "id of a volume"));
        volumes.into_iter().map(known).collect()
    }

    /// Gives a volume to an instance, as `device`; nothing, when the instance has it there. It is attached when its state says
    /// so.
    ///
    /// EC2 has no token for this: sent again after a lost answer, the call is refused since the volume is in use. So what is
    /// refused is looked at.
    ///
    /// # Errors
    /// When EC2 refuses, since another instance has the volume for example, or cannot be asked.
    pub async fn attach_volume(&self, volume: &str, instance: &str, device: &str) -> Result<(), CallError> {
        let call = self.clients.patient.attach_volume();
        let call = call.volume_id(volume).instance_id(instance).device(device);
        let Err(error) = call.send().await.called("AttachVolume") else {
            return Ok(());
        };
        if !error.is(&["IncorrectState", "VolumeInUse"]) {
            return Err(error);
        }
        let there = self.attachment_of(volume).await?;
        let has_it = |one: &VolumeAttachment| {
            one.instance == instance
                && one.device == device
                && matches!(one.state, AttachmentState::Attaching | AttachmentState::Attached)
        };
        if there.as_ref().is_some_and(has_it) {
            Ok(())
        } else {
            Err(error)
        }
    }

    /// Takes a volume from an instance; nothing, when the instance has it not. It can be attached again when it is available.
    ///
    /// With `force` also from an instance that does not let go of it: what is not yet written is lost.
    ///
    /// # Errors
    /// When EC2 refuses, or cannot be asked.
    pub async fn detach_volume(&self, volume: &str, instance: &str, force: bool) -> Result<(), CallError> {
        let call = self.clients.patient.detach_volume();
        let call = call.volume_id(volume).instance_id(instance).force(force);
        let Err(error) = call.send().await.called("DetachVolume") else {
            return Ok(());
        };
        if error.is_absent() {
            return Ok(());
        }
        if !error.is(&["IncorrectState"]) {
            return Err(error);
        }
        let there = self.attachment_of(volume).await?;
        let keeps_it = |one: &VolumeAttachment| {
            one.instance == instance
                && !matches!(one.state, AttachmentState::Detaching | AttachmentState::Detached)
        };
        if there.as_ref().is_some_and(keeps_it) {
            Err(error)
        } else {
            Ok(())
        }
    }

    async fn attachment_of(&self, volume: &str) -> Result<Option<VolumeAttachment>, CallError> {
        let itself = Filters::default().with("volume-id", [volume]);
        let found = self.list_volumes(&itself).await?.pop();
        Ok(found.and_then(|volume| volume.attachment))
    }

    /// Makes a volume larger; what is on it takes no notice until its file system is grown.
    ///
    /// Sent once: a second call is refused while the first one's work goes on, as if nothing had been changed, and EC2 takes
    /// one in six hours (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVolume.html>).
    ///
    /// # Errors
    /// When EC2 refuses, a smaller size for example, or cannot be asked.
    pub async fn resize_volume(&self, volume: &str, size_gibibytes: u32) -> Result<(), CallError> {
        const ACTION: &str = "ModifyVolume";
        let call = self.clients.once.modify_volume();
        let call = call.volume_id(volume).size(size(ACTION, size_gibibytes)?);
        call.send().await.called(ACTION)?;
        Ok(())
    }

    /// Deletes a volume that nobody has; nothing, when it is not there.
    ///
    /// # Errors
    /// When EC2 refuses, since an instance has it for example, or cannot be asked.
    pub async fn delete_volume(&self, volume: &str) -> Result<(), CallError> {
        let call = self.clients.patient.delete_volume().volume_id(volume);
        match call.send().await.called("DeleteVolume") {
            Err(error) if !error.is_absent() => Err(error),
            _ => Ok(()),
        }
    }
}

/// A size as EC2 takes it.
pub(super) fn size(action: &'static str, size_gibibytes: u32) -> Result<i32, CallError> {
    let too_large = |_| CallError::unsent(action, format!("no volume holds {size_gibibytes} GiB"));
    i32::try_from(size_gibibytes).map_err(too_large)
}

fn read(volume: sdk::Volume) -> Option<Volume> {
    let attachment = volume.attachments.unwrap_or_default().into_iter().next();
    Some(Volume {
        id: volume.volume_id?,
        zone: volume.availability_zone.unwrap_or_default(),
        size_gibibytes: volume
            .size
            .and_then(|size| size.try_into().ok())
            .unwrap_or_default(),
        volume_type: volume
            .volume_type
            .map(|kind| kind.as_str().to_owned())
            .unwrap_or_default(),
        encrypted: volume.encrypted.unwrap_or_default(),
        state: volume
            .state
            .map_or(VolumeState::Other, |state| volume_state(&state)),
        attachment: attachment.and_then(read_attachment),
        created: time(volume.create_time),
        tags: tags::read(volume.tags),
    })
}

fn volume_state(state: &sdk::VolumeState) -> VolumeState {
    match state {
        sdk::VolumeState::Creating => VolumeState::Creating,
        sdk::VolumeState::Available => VolumeState::Available,
        sdk::VolumeState::InUse => VolumeState::InUse,
        sdk::VolumeState::Deleting => VolumeState::Deleting,
        sdk::VolumeState::Deleted => VolumeState::Deleted,
        sdk::VolumeState::Error => VolumeState::Error,
        _ => VolumeState::Other,
    }
}

fn read_attachment(attachment: sdk::VolumeAttachment) -> Option<VolumeAttachment> {
    let state = attachment
        .state
        .as_ref()
        .map_or("", sdk::VolumeAttachmentState::as_str);
    Some(VolumeAttachment {
        instance: attachment.instance_id?,
        device: attachment.device.unwrap_or_default(),
        state: attachment_state(state),
        deleted_with_instance: attachment.delete_on_termination.unwrap_or_default(),
    })
}

/// The state of an attachment, of a volume or an interface.
pub(super) fn attachment_state(state: &str) -> AttachmentState {
    match state {
        "attaching" => AttachmentState::Attaching,
        "attached" => AttachmentState::Attached,
        "detaching" => AttachmentState::Detaching,
        "detached" => AttachmentState::Detached,
        "busy" => AttachmentState::Busy,
        _ => AttachmentState::Other,
    }
}
