//! In whose name is called.

use aws_sdk_sts::Client;

use crate::settings::Clients;

/// In whose name is called.
#[derive(Debug, Clone)]
pub struct Account {
    clients: Clients<Client>,
}

impl Account {
    pub(crate) fn new(clients: Clients<Client>) -> Self {
        Self { clients }
    }
}
