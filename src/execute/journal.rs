//! Writes down what was done, for people and audits. Nothing ever reads it to decide.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use keelson_provider_api::values::ClusterName;
use keelson_provider_api::{Clock, Precondition, Store, StoreError};
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
    unsaved: bool,
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

    /// Saves what is new, again and again, for as long as it is polled.
    pub async fn keep(&self) {
        loop {
            self.clock.sleep(FLUSH_INTERVAL).await;
            // A journal that cannot be written must not stop the work; the last save reports it.
            let _ = self.save().await;
        }
    }

    /// Saves what is new.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn save(&self) -> Result<(), StoreError> {
        loop {
            let (path, content, full) = {
                let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
                if !pages.unsaved {
                    return Ok(());
                }
                let count = pages.lines.len().min(LINES_IN_A_PART);
                let full = pages.lines.len() >= LINES_IN_A_PART;
                let path = format!("{}/{:04}.jsonl", self.prefix, pages.part);
                let content: String = pages.lines[..count].concat();
                pages.unsaved = full && pages.lines.len() > count;
                if full {
                    pages.lines.drain(..count);
                    pages.part += 1;
                }
                (path, content, full)
            };
            self.store
                .write(&path, content.as_bytes(), Precondition::None)
                .await?;
            if !full {
                return Ok(());
            }
        }
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
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.lines.push(line);
        pages.unsaved = true;
    }
}
