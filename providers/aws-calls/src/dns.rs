//! Zones and records of Route 53.

use aws_sdk_route53::Client;

use crate::settings::Clients;

/// Zones and records of Route 53.
#[derive(Debug, Clone)]
pub struct Dns {
    clients: Clients<Client>,
}

impl Dns {
    pub(crate) fn new(clients: Clients<Client>) -> Self {
        Self { clients }
    }
}
