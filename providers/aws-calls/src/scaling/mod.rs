//! Auto Scaling groups.

mod activities;
mod groups;
mod launch;
mod members;

use aws_sdk_autoscaling::Client;

use crate::settings::Clients;

pub use groups::{Group, GroupChanges, HealthCheck, NewGroup, Sizes};
pub use launch::{Launch, Mix};
pub use members::Member;

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

/// A number as the API takes it.
fn number(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// A number as the API answers it; none below zero.
fn count(number: Option<i32>) -> u32 {
    number
        .and_then(|number| number.try_into().ok())
        .unwrap_or_default()
}
