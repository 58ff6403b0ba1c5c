//! Network load balancers, their listeners and targets.

use aws_sdk_elasticloadbalancingv2::Client;

use crate::settings::Clients;

/// Network load balancers, their listeners and targets.
#[derive(Debug, Clone)]
pub struct Elb {
    clients: Clients<Client>,
}

impl Elb {
    pub(crate) fn new(clients: Clients<Client>) -> Self {
        Self { clients }
    }
}
