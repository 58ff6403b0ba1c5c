//! Changes of records, in batches that are done as a whole or not at all.

use aws_sdk_route53::types::{self, ChangeAction, ChangeBatch};

use crate::failure::{CallError, Called as _};
use crate::whole::promised;

use super::names::bare_id;
use super::records::Record;
use super::{Dns, incomplete};

const ACTION: &str = "ChangeResourceRecordSets";
/// A batch is put together anew when what it deletes went meanwhile; more often somebody else writes the same records.
const ROUNDS: usize = 3;

/// A change of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The record shall say this, whatever it says now.
    Upsert(Record),
    /// The record shall not be there. It is refused where it says something else: then somebody else has changed it.
    Delete(Record),
}

impl Dns {
    /// Makes all changes or none, and answers with the id of the change to wait for; with none where nothing was to be done.
    ///
    /// A record that is gone is deleted: such deletions are left out before the rest is sent.
    ///
    /// # Errors
    ///
    /// When a change does not fit what is there (`InvalidChangeBatch`), when the zone is not there, when it is refused or cannot
    /// be asked for.
    pub async fn change(&self, zone: &str, changes: &[Change]) -> Result<Option<String>, CallError> {
        let mut refused = None;
        for _ in 0..ROUNDS {
            let batch = self.batch(zone, changes).await?;
            if batch.is_empty() {
                return Ok(None);
            }
            // The same batch is refused for the same reason.
            if let Some((before, error)) = refused.take()
                && before == batch
            {
                return Err(error);
            }
            match self.send(zone, batch.clone()).await {
                Err(error) if error.is(&["InvalidChangeBatch"]) => refused = Some((batch, error)),
                answer => return answer.map(Some),
            }
        }
        Err(refused.map_or_else(
            || CallError::unsent(ACTION, "no round was left"),
            |(_, error)| error,
        ))
    }

    /// What is to be sent: deletions name what is there in the very words of Route 53.
    async fn batch(&self, zone: &str, changes: &[Change]) -> Result<Vec<types::Change>, CallError> {
        let mut batch = Vec::new();
        for change in changes {
            let (action, set) = match change {
                Change::Upsert(record) => (ChangeAction::Upsert, record.written()?),
                Change::Delete(record) => {
                    let sets = self.record_sets(zone, &record.name, &record.record_type).await?;
                    let mut found = sets.into_iter().map(|set| (Record::read(&set), set));
                    let Some((read, set)) = found.find(|(read, _)| read.has_key_of(record)) else {
                        continue;
                    };
                    let set = if read == *record { set } else { record.written()? };
                    (ChangeAction::Delete, set)
                }
            };
            let one = types::Change::builder()
                .action(action)
                .resource_record_set(set)
                .build();
            batch.push(one.map_err(incomplete(ACTION))?);
        }
        Ok(batch)
    }

    async fn send(&self, zone: &str, changes: Vec<types::Change>) -> Result<String, CallError> {
        let batch = ChangeBatch::builder().set_changes(Some(changes)).build();
        let call = self.clients.patient.change_resource_record_sets();
        let call = call
            .hosted_zone_id(zone)
            .change_batch(batch.map_err(incomplete(ACTION))?);
        let answer = call.send().await.called(ACTION)?;
        let change = promised(ACTION, "change", answer.change_info)?;
        Ok(bare_id(&change.id))
    }
}
