//! EC2: networks, addresses, volumes, interfaces, instances, images, launch templates.

mod answers;
mod filters;
mod tags;

use aws_sdk_ec2::Client;

use crate::settings::Clients;

pub use filters::Filters;

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
