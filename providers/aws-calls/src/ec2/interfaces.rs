//! Network interfaces.

use std::net::Ipv4Addr;

use aws_sdk_ec2::types::{self as sdk, NetworkInterfaceStatus, ResourceType};

use crate::failure::{CallError, Called as _};
use crate::mark::Tags;

use super::answers::{Page, every_page};
use super::volumes::attachment_state;
use super::{AttachmentState, Ec2, Filters, tags};

/// The longest page of `DescribeNetworkInterfaces`
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNetworkInterfaces.html>).
const PAGE: i32 = 1000;

/// An interface to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewInterface {
    /// The subnet, and with it the zone.
    pub subnet: String,
    /// Its private address for life; without one, EC2 takes one that is free.
    pub private_address: Option<Ipv4Addr>,
    /// The ids of its security groups; without one, the VPC's default group.
    pub groups: Vec<String>,
    /// What it is marked with.
    pub tags: Tags,
}

/// An interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its id, `eni-…`.
    pub id: String,
    /// The subnet that it is in.
    pub subnet: String,
    /// The zone that it is in.
    pub zone: String,
    /// Its first private address.
    pub private_address: Option<Ipv4Addr>,
    /// The public address that stands for the private one.
    pub public_address: Option<Ipv4Addr>,
    /// The ids of its security groups.
    pub groups: Vec<String>,
    /// Where its life has come to.
    pub state: InterfaceState,
    /// Who has it.
    pub attachment: Option<InterfaceAttachment>,
    /// True when a service made it, a load balancer for example: only that service can delete it.
    pub belongs_to_service: bool,
    /// What whoever made it said of it.
    pub description: String,
    /// What it is marked with.
    pub tags: Tags,
}

/// Where an interface's life has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InterfaceState {
    /// It will be available.
    Pending,
    /// Nobody has it.
    Available,
    /// An instance will have it.
    Attaching,
    /// An instance or a service has it.
    InUse,
    /// Nobody will have it.
    Detaching,
    /// Something else that EC2 says.
    Other,
}

/// Who has an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceAttachment {
    /// The attachment's own id, `eni-attach-…`.
    pub id: String,
    /// The instance; none when a service has it.
    pub instance: Option<String>,
    /// Which interface of the instance it is; 0 is the one that the instance was started with.
    pub device_index: u32,
    /// Where the attachment's life has come to.
    pub state: AttachmentState,
    /// Whether it goes when the instance does.
    pub deleted_with_instance: bool,
}

impl Ec2 {
    /// Makes an interface, and says its id; the same interface when it is asked for again with this token.
    ///
    /// # Errors
    /// When EC2 refuses, since somebody has the address for example, or cannot be asked.
    pub async fn create_interface(&self, interface: &NewInterface, token: &str) -> Result<String, CallError> {
        const ACTION: &str = "CreateNetworkInterface";
        self.clients
            .patient
            .create_network_interface()
            .subnet_id(&interface.subnet)
            .set_private_ip_address(interface.private_address.map(|address| address.to_string()))
            .set_groups(Some(interface.groups.clone()))
            .tag_specifications(tags::specification(
                ResourceType::NetworkInterface,
                &interface.tags,
            ))
            .client_token(token)
            .send()
            .await
            .called(ACTION)?
            .network_interface
            .and_then(|interface| interface.network_interface_id)
            .ok_or_else(|| CallError::strange(ACTION, "id of the interface"))
    }

    /// The interfaces that fit all `filters`, for example `network-interface-id` or `private-ip-address`.
    ///
    /// # Errors
    /// When EC2 refuses, cannot be asked, or the list has no end.
    pub async fn list_interfaces(&self, filters: &Filters) -> Result<Vec<Interface>, CallError> {
        const ACTION: &str = "DescribeNetworkInterfaces";
        let Some(filters) = filters.written() else {
            return Ok(Vec::new());
        };
        let interfaces = every_page(ACTION, |token| {
            let call = self.clients.patient.describe_network_interfaces();
            let call = call
                .set_filters(Some(filters.clone()))
                .max_results(PAGE)
                .set_next_token(token);
            async move {
                let answer = call.send().await.called(ACTION)?;
                Ok(Page::new(answer.network_interfaces, answer.next_token))
            }
        })
        .await?;
        let known =
            |interface| read(interface).ok_or_else(|| CallError::strange(ACTION, "id of an interface"));
        interfaces.into_iter().map(known).collect()
    }

    /// Gives an interface these security groups instead of those that it has.
    ///
    /// # Errors
    /// When EC2 refuses, or cannot be asked.
    pub async fn change_interface_groups(&self, interface: &str, groups: &[String]) -> Result<(), CallError> {
        self.clients
            .patient
            .modify_network_interface_attribute()
            .network_interface_id(interface)
            .set_groups(Some(groups.to_vec()))
            .send()
            .await
            .called("ModifyNetworkInterfaceAttribute")?;
        Ok(())
    }

    /// Gives an interface to an instance that runs or is stopped, and says the attachment's id; nothing is changed when the
    /// instance has it there.
    ///
    /// EC2 has no token for this: sent again after a lost answer, the call is refused since the interface is in use. So what is
    /// refused is looked at.
    ///
    /// # Errors
    /// When EC2 refuses, since somebody else has the interface for example, or cannot be asked.
    pub async fn attach_interface(
        &self,
        interface: &str,
        instance: &str,
        device_index: u32,
    ) -> Result<String, CallError> {
        const ACTION: &str = "AttachNetworkInterface";
        let index = i32::try_from(device_index)
            .map_err(|_| CallError::unsent(ACTION, format!("no instance has {device_index} interfaces")))?;
        let call = self.clients.patient.attach_network_interface();
        let call = call
            .network_interface_id(interface)
            .instance_id(instance)
            .device_index(index);
        let error = match call.send().await.called(ACTION) {
            Ok(answer) => {
                let missing = || CallError::strange(ACTION, "id of the attachment");
                return answer.attachment_id.ok_or_else(missing);
            }
            Err(error) => error,
        };
        if !error.is(&["InvalidNetworkInterface.InUse"]) {
            return Err(error);
        }
        let itself = Filters::default().with("network-interface-id", [interface]);
        let found = self.list_interfaces(&itself).await?.pop();
        let there = found.and_then(|interface| interface.attachment);
        let has_it = |one: &InterfaceAttachment| {
            one.instance.as_deref() == Some(instance) && one.device_index == device_index
        };
        there.filter(has_it).map(|one| one.id).ok_or(error)
    }

    /// Ends an attachment of an interface that the instance was not started with; nothing, when it is not there.
    ///
    /// With `force` also when the instance does not let go of it.
    ///
    /// # Errors
    /// When EC2 refuses, or cannot be asked.
    pub async fn detach_interface(&self, attachment: &str, force: bool) -> Result<(), CallError> {
        let call = self.clients.patient.detach_network_interface();
        let call = call.attachment_id(attachment).force(force);
        match call.send().await.called("DetachNetworkInterface") {
            Err(error) if !error.is_absent() => Err(error),
            _ => Ok(()),
        }
    }

    /// Deletes an interface that nobody has; nothing, when it is not there.
    ///
    /// # Errors
    /// When EC2 refuses, since an instance has it for example, or cannot be asked.
    pub async fn delete_interface(&self, interface: &str) -> Result<(), CallError> {
        let call = self.clients.patient.delete_network_interface();
        let call = call.network_interface_id(interface);
        match call.send().await.called("DeleteNetworkInterface") {
            Err(error) if !error.is_absent() => Err(error),
            _ => Ok(()),
        }
    }
}

fn read(interface: sdk::NetworkInterface) -> Option<Interface> {
    let association = interface.association.and_then(|one| one.public_ip);
    Some(Interface {
        id: interface.network_interface_id?,
        subnet: interface.subnet_id.unwrap_or_default(),
        zone: interface.availability_zone.unwrap_or_default(),
        private_address: address(interface.private_ip_address),
        public_address: address(association),
        groups: group_ids(interface.groups),
        state: interface
            .status
            .map_or(InterfaceState::Other, |status| state(&status)),
        attachment: interface.attachment.and_then(read_attachment),
        belongs_to_service: interface.requester_managed.unwrap_or_default(),
        description: interface.description.unwrap_or_default(),
        tags: tags::read(interface.tag_set),
    })
}

fn state(status: &NetworkInterfaceStatus) -> InterfaceState {
    match status {
        NetworkInterfaceStatus::Available => InterfaceState::Available,
        NetworkInterfaceStatus::Attaching => InterfaceState::Attaching,
        NetworkInterfaceStatus::InUse => InterfaceState::InUse,
        NetworkInterfaceStatus::Detaching => InterfaceState::Detaching,
        other if other.as_str() == "pending" => InterfaceState::Pending,
        _ => InterfaceState::Other,
    }
}

fn read_attachment(attachment: sdk::NetworkInterfaceAttachment) -> Option<InterfaceAttachment> {
    let state = attachment
        .status
        .as_ref()
        .map_or("", sdk::AttachmentStatus::as_str);
    Some(InterfaceAttachment {
        id: attachment.attachment_id?,
        instance: attachment.instance_id,
        device_index: attachment
            .device_index
            .and_then(|index| index.try_into().ok())
            .unwrap_or_default(),
        state: attachment_state(state),
        deleted_with_instance: attachment.delete_on_termination.unwrap_or_default(),
    })
}

/// An address; none where there is none.
pub(super) fn address(address: Option<String>) -> Option<Ipv4Addr> {
    address?.parse().ok()
}

/// The ids of security groups, in order, so that they can be compared.
pub(super) fn group_ids(groups: Option<Vec<sdk::GroupIdentifier>>) -> Vec<String> {
    let ids = groups
        .unwrap_or_default()
        .into_iter()
        .filter_map(|group| group.group_id);
    let mut ids: Vec<String> = ids.collect();
    ids.sort();
    ids
}
