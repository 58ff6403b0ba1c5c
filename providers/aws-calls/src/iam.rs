//! Roles, instance profiles, policies, providers of OpenID Connect.

use aws_sdk_iam::Client;

use crate::settings::Clients;

/// Roles, instance profiles, policies, providers of OpenID Connect.
#[derive(Debug, Clone)]
pub struct Iam {
    clients: Clients<Client>,
}

impl Iam {
    pub(crate) fn new(clients: Clients<Client>) -> Self {
        Self { clients }
    }
}
