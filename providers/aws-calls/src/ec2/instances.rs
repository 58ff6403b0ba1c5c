//! Instances.

use std::net::Ipv4Addr;

use aws_sdk_ec2::types::{self as sdk, AttributeBooleanValue, InstanceLifecycleType, InstanceStateName};
use jiff::Timestamp;

use crate::failure::{CallError, Called as _};
use crate::mark::Tags;

use super::answers::{Page, every_page, time};
use super::interfaces::{address, group_ids};
use super::launch::Launch;
use super::{Ec2, Filters, tags};

/// The longest page of `DescribeInstances`
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html>).
const PAGE: i32 = 1000;
/// A filter takes no more values; instances that are ended at once are looked for by one.
const ENDED_AT_ONCE: usize = 200;

/// An instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Its id, `i-…`.
    pub id: String,
    /// Where its life has come to. One that has ended is listed for about an hour, with its tags and little else.
    pub state: InstanceState,
    /// Why it is in that state: EC2's code, for example `Client.UserInitiatedShutdown`.
    pub state_reason: Option<String>,
    /// The same in EC2's words, which begin with the code.
    pub state_message: Option<String>,
    /// Its type, for example `m6i.large`.
    pub instance_type: String,
    /// The id of its image.
    pub image: String,
    /// The zone that it is in.
    pub zone: String,
    /// The subnet of its first interface.
    pub subnet: Option<String>,
    /// The private address of its first interface.
    pub private_address: Option<Ipv4Addr>,
    /// The public address of its first interface.
    pub public_address: Option<Ipv4Addr>,
    /// The first interface, the one that it was started with.
    pub interface: Option<String>,
    /// The ids of the first interface's security groups, in order.
    pub groups: Vec<String>,
    /// What its root volume is called.
    pub root_device: Option<String>,
    /// Its volumes.
    pub block_devices: Vec<BlockDevice>,
    /// The ARN of its instance profile.
    pub instance_profile: Option<String>,
    /// Whether it is of what nobody else pays for just now.
    pub spot: bool,
    /// When it was started last.
    pub launched: Option<Timestamp>,
    /// What it is marked with.
    pub tags: Tags,
}

impl Instance {
    /// True until it ends, or begins to.
    pub fn is_alive(&self) -> bool {
        !matches!(
            self.state,
            InstanceState::ShuttingDown | InstanceState::Terminated
        )
    }
}

/// Where an instance's life has come to (EC2 user guide, "Instance lifecycle").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstanceState {
    /// It will run.
    Pending,
    /// It runs.
    Running,
    /// It will be stopped.
    Stopping,
    /// It can be started again.
    Stopped,
    /// It will have ended.
    ShuttingDown,
    /// It has ended for good.
    Terminated,
    /// Something that EC2 began to say later.
    Other,
}

/// A volume of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockDevice {
    /// The name that it was given there, for example `/dev/sda1`.
    pub device: String,
    /// The volume.
    pub volume: String,
    /// Whether it goes when the instance does.
    pub deleted_with_instance: bool,
}

impl Ec2 {
    /// Starts one instance; the same one when it is asked for again with this token.
    ///
    /// EC2 remembers a token while the instance is there, and then refuses it: `IdempotentInstanceTerminated`.
    ///
    /// # Errors
    /// When EC2 refuses, the user data is too long, or EC2 cannot be asked.
    pub async fn run_instance(&self, launch: &Launch, token: &str) -> Result<Instance, CallError> {
        const ACTION: &str = "RunInstances";
        let call = launch.written(ACTION, self.clients.patient.run_instances())?;
        let answer = call.client_token(token).send().await.called(ACTION)?;
        let instance = answer.instances.unwrap_or_default().into_iter().next();
        instance
            .and_then(read)
            .ok_or_else(|| CallError::strange(ACTION, "id of the instance"))
    }

    /// The instances that fit all `filters`, for example `instance-id` or `instance-state-name`; also those that have just ended.
    ///
    /// # Errors
    /// When EC2 refuses, cannot be asked, or the list has no end.
    pub async fn list_instances(&self, filters: &Filters) -> Result<Vec<Instance>, CallError> {
        const ACTION: &str = "DescribeInstances";
        let Some(filters) = filters.written() else {
            return Ok(Vec::new());
        };
        let reservations = every_page(ACTION, |token| {
            let call = self.clients.patient.describe_instances();
            let call = call
                .set_filters(Some(filters.clone()))
                .max_results(PAGE)
                .set_next_token(token);
            async move {
                let answer = call.send().await.called(ACTION)?;
                Ok(Page::new(answer.reservations, answer.next_token))
            }
        })
        .await?;
        let known = |instance| read(instance).ok_or_else(|| CallError::strange(ACTION, "id of an instance"));
        let instances = reservations
            .into_iter()
            .flat_map(|one| one.instances.unwrap_or_default());
        instances.map(known).collect()
    }

    /// Ends instances for good; nothing, for those that have ended or are not there.
    ///
    /// EC2 refuses the whole call for one id that it does not know
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TerminateInstances.html>): then those that it knows are ended.
    ///
    /// # Errors
    /// When EC2 refuses, since an instance is protected for example, or cannot be asked.
    pub async fn terminate_instances(&self, ids: &[String]) -> Result<(), CallError> {
        for ids in ids.chunks(ENDED_AT_ONCE) {
            match self.terminate(ids.to_vec()).await {
                Err(error) if error.is_absent() => {}
                ended => {
                    ended?;
                    continue;
                }
            }
            let there = self
                .list_instances(&Filters::default().with("instance-id", ids))
                .await?;
            if !there.is_empty() {
                self.terminate(there.into_iter().map(|instance| instance.id).collect())
                    .await?;
            }
        }
        Ok(())
    }

    async fn terminate(&self, ids: Vec<String>) -> Result<(), CallError> {
        let call = self
            .clients
            .patient
            .terminate_instances()
            .set_instance_ids(Some(ids));
        call.send().await.called("TerminateInstances")?;
        Ok(())
    }

    /// Gives the first interface of an instance these security groups instead of those that it has.
    ///
    /// # Errors
    /// When EC2 refuses, or cannot be asked.
    pub async fn change_instance_groups(&self, instance: &str, groups: &[String]) -> Result<(), CallError> {
        let call = self.clients.patient.modify_instance_attribute();
        let call = call.instance_id(instance).set_groups(Some(groups.to_vec()));
        call.send().await.called("ModifyInstanceAttribute")?;
        Ok(())
    }

    /// Says whether the API refuses to end an instance.
    ///
    /// # Errors
    /// When EC2 refuses, or cannot be asked.
    pub async fn protect_instance(&self, instance: &str, protected: bool) -> Result<(), CallError> {
        let protected = AttributeBooleanValue::builder().value(protected).build();
        let call = self.clients.patient.modify_instance_attribute();
        let call = call.instance_id(instance).disable_api_termination(protected);
        call.send().await.called("ModifyInstanceAttribute")?;
        Ok(())
    }
}

fn read(instance: sdk::Instance) -> Option<Instance> {
    let is_first = |one: &sdk::InstanceNetworkInterface| {
        one.attachment
            .as_ref()
            .and_then(|attachment| attachment.device_index)
            == Some(0)
    };
    let first = instance
        .network_interfaces
        .unwrap_or_default()
        .into_iter()
        .find(is_first);
    let state = instance.state.and_then(|state| state.name);
    let reason = instance.state_reason;
    let (reason, message) = reason.map_or((None, None), |reason| (reason.code, reason.message));
    let said = |text: &String| !text.is_empty();
    let volumes = instance.block_device_mappings.unwrap_or_default();
    Some(Instance {
        id: instance.instance_id?,
        state: state.map_or(InstanceState::Other, |state| read_state(&state)),
        state_reason: reason.filter(said),
        state_message: message.filter(said),
        instance_type: instance
            .instance_type
            .map(|kind| kind.as_str().to_owned())
            .unwrap_or_default(),
        image: instance.image_id.unwrap_or_default(),
        zone: instance
            .placement
            .and_then(|place| place.availability_zone)
            .unwrap_or_default(),
        subnet: instance.subnet_id.filter(|id| !id.is_empty()),
        private_address: address(instance.private_ip_address),
        public_address: address(instance.public_ip_address),
        interface: first.and_then(|interface| interface.network_interface_id),
        groups: group_ids(instance.security_groups),
        root_device: instance.root_device_name,
        block_devices: volumes.into_iter().filter_map(read_device).collect(),
        instance_profile: instance.iam_instance_profile.and_then(|profile| profile.arn),
        spot: instance.instance_lifecycle == Some(InstanceLifecycleType::Spot),
        launched: time(instance.launch_time),
        tags: tags::read(instance.tags),
    })
}

fn read_state(state: &InstanceStateName) -> InstanceState {
    match state {
        InstanceStateName::Pending => InstanceState::Pending,
        InstanceStateName::Running => InstanceState::Running,
        InstanceStateName::Stopping => InstanceState::Stopping,
        InstanceStateName::Stopped => InstanceState::Stopped,
        InstanceStateName::ShuttingDown => InstanceState::ShuttingDown,
        InstanceStateName::Terminated => InstanceState::Terminated,
        _ => InstanceState::Other,
    }
}

fn read_device(mapping: sdk::InstanceBlockDeviceMapping) -> Option<BlockDevice> {
    let volume = mapping.ebs?;
    Some(BlockDevice {
        device: mapping.device_name?,
        volume: volume.volume_id?,
        deleted_with_instance: volume.delete_on_termination.unwrap_or_default(),
    })
}
