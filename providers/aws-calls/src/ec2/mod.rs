//! EC2: networks, addresses, volumes, interfaces, instances, images, launch templates.

mod answers;
mod filters;
mod tags;

mod images;
mod instance_types;
mod instances;
mod interfaces;
mod launch;
mod template_data;
mod templates;
mod volumes;

use aws_sdk_ec2::Client;

use crate::settings::Clients;

pub use filters::Filters;

pub use images::{Architecture, Image};
pub use instance_types::InstanceType;
pub use instances::{BlockDevice, Instance, InstanceState};
pub use interfaces::{Interface, InterfaceAttachment, InterfaceState, NewInterface};
pub use launch::{Launch, LaunchInterface, RootVolume, USER_DATA_BYTES};
pub use templates::{LaunchTemplate, LaunchTemplateVersion};
pub use volumes::{AttachmentState, NewVolume, Volume, VolumeAttachment, VolumeState};

/// EC2 in one region.
#[derive(Debug, Clone)]
pub struct Ec2 {
    clients: Clients<Client>,
}

impl Ec2 {
    pub(crate) fn new(clients: Clients<Client>) -> Self {
        Self { clients }
    }
}
