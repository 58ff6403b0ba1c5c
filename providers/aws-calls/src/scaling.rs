//! Auto Scaling groups.

use aws_sdk_autoscaling::Client;

use crate::settings::Clients;

/// Auto Scaling groups.
#[derive(Debug, Clone)]
pub struct Scaling {
    clients: Clients<Client>,
}

impl Scaling {
    pub(crate) fn new(clients: Clients<Client>) -> Self {
        Self { clients }
    }
}
