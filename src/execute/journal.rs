//! Writes down what was done, for people and audits. Nothing ever reads it to decide.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use keelson_provider_api::values::ClusterName;
use keelson_provider_api::{Clock, Precondition, Store, StoreError, advice};
use serde::Serialize;

use super::event::{Event, Reporter};

const LINES_IN_A_PART: usize = 512;
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

/// The journal of one run: a reporter that keeps every event, with its time, as a line of JSON under
/// `<cluster>/journal/<start>-<generation>/<part>.jsonl`.
pub struct Journal {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    prefix: String,
    pages: Mutex<Pages>,
}

#[derive(Default)]
struct Pages {
    part: usize,
    lines: Vec<String>,
    /// So many lines of the part are in the store.
    saved: usize,
}

#[derive(Serialize)]
struct Line<'a> {
    time: Timestamp,
    #[serde(flatten)]
    event: &'a Event,
}

impl Journal {
    /// The journal of the run that holds the lease with `generation`.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, cluster: &ClusterName, generation: u64) -> Self {
        let start = clock.now().strftime("%Y%m%dT%H%M%SZ");
        let prefix = format!("{cluster}/journal/{start}-{generation}");
        Self {
            store,
            clock,
            prefix,
            pages: Mutex::default(),
        }
    }

    /// Saves what is new, again and again, for as long as it is polled. Ends only at a trouble that stays, as with a full
    /// disk: what is done from then on would not be written down, nor could the lease be renewed. One that passes must not
    /// stop the work; the last save reports it.
    pub async fn keep(&self) -> StoreError {
        loop {
            self.clock.sleep(FLUSH_INTERVAL).await;
            match self.save().await {
                Err(problem) if advice(&problem).is_some() => return problem,
                _ => {}
            }
        }
    }

    /// Saves what is new.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn save(&self) -> Result<(), StoreError> {
        loop {
            let (path, content, count) = {
                let pages = self.pages();
                if pages.saved == pages.lines.len() {
                    return Ok(());
                }
                let count = pages.lines.len().min(LINES_IN_A_PART);
                let path = format!("{}/{:04}.jsonl", self.prefix, pages.part);
                (path, pages.lines[..count].concat(), count)
            };
            self.store
                .write(&path, content.as_bytes(), Precondition::None)
                .await?;
            // Only what was written is let go of.
            let mut pages = self.pages();
            if count == LINES_IN_A_PART {
                pages.lines.drain(..count);
                pages.part += 1;
                pages.saved = 0;
            } else {
                pages.saved = count;
            }
        }
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reporter for Journal {
    fn report(&self, event: &Event) {
        let Ok(mut line) = serde_json::to_string(&Line {
            time: self.clock.now(),
            event,
        }) else {
            return;
        };
        line.push('\n');
        self.pages().lines.push(line);
    }
}
