//! EC2: networks, addresses, volumes, interfaces, instances, images, launch templates.

mod addresses;
mod answers;
mod filters;
mod ingress;
mod internet_gateways;
mod nat_gateways;
mod route_tables;
mod routes;
mod security_groups;
mod snapshots;
mod subnets;
mod tags;
mod vpcs;

mod images;
mod instance_profiles;
mod instance_types;
mod instances;
mod interfaces;
mod launch;
mod template_data;
mod templates;
mod volumes;

use aws_sdk_ec2::Client;

use crate::settings::Clients;

pub use addresses::Address;
pub use filters::Filters;
pub use ingress::{DescribedRules, IngressProtocol, IngressRule, IngressSource};
pub use internet_gateways::InternetGateway;
pub use nat_gateways::{NatGateway, NatGatewayAddress, NatGatewayState};
pub use route_tables::{RouteTable, RouteTableAssociation};
pub use routes::{Route, RouteTarget};
pub use security_groups::SecurityGroup;
pub use snapshots::Snapshot;
pub use subnets::{Subnet, Zone};
pub use vpcs::{Vpc, VpcDns};

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
