//! Zones and records of Route 53.
//!
//! A change takes up to a minute until all name servers have it: writes answer with its id, and
//! [`change_is_in_sync`](Dns::change_is_in_sync) says whether they do. Nothing waits here.

mod changes;
mod names;
mod records;
mod text;
mod zones;

use aws_sdk_route53::Client;
use aws_sdk_route53::types::ChangeStatus;

use crate::failure::{CallError, Called as _};
use crate::settings::Clients;
use crate::whole::promised;

pub use changes::Change;
pub use records::{Record, RecordData, RecordType};
pub use zones::{MadeZone, NewPrivateZone, Zone, ZoneVpc};

/// Zones and records of Route 53.
#[derive(Debug, Clone)]
pub struct Dns {
    clients: Clients<Client>,
}

impl Dns {
    pub(crate) fn new(clients: Clients<Client>) -> Self {
        Self { clients }
    }

    /// True when all name servers have the change `id`.
    ///
    /// # Errors
    ///
    /// When there is no such change (`NoSuchChange`), or Route 53 cannot be asked.
    pub async fn change_is_in_sync(&self, id: &str) -> Result<bool, CallError> {
        const ACTION: &str = "GetChange";
        let answer = self.clients.patient.get_change().id(id).send().await;
        let change = promised(ACTION, "change", answer.called(ACTION)?.change_info)?;
        Ok(change.status == ChangeStatus::Insync)
    }
}

/// A call that the SDK has not put together, since it lacks something.
fn incomplete(action: &'static str) -> impl Fn(aws_smithy_types::error::operation::BuildError) -> CallError {
    move |error| CallError::unsent(action, error)
}
