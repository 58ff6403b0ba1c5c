//! Looks at AWS, each of which serves several kinds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use keelson_provider_api::{Clock, ClusterUid, ProviderError};
use tokio::sync::Mutex;

/// The kinds are looked at one after the other, in less than this.
const FRESH: Duration = Duration::from_secs(5);

/// One look serves all kinds that are looked at together.
#[derive(Debug)]
pub(crate) struct Looks<L> {
    /// How often something was about to change, or had.
    changes: AtomicU64,
    last: Mutex<Option<Taken<L>>>,
}

#[derive(Debug)]
struct Taken<L> {
    uid: ClusterUid,
    at: Timestamp,
    changes: u64,
    look: Arc<L>,
}

impl<L> Default for Looks<L> {
    fn default() -> Self {
        Self {
            changes: AtomicU64::new(0),
            last: Mutex::new(None),
        }
    }
}

impl<L> Looks<L> {
    /// A look that shows all that was changed until now; where there is none, `look` takes one.
    pub(crate) async fn newest(
        &self,
        clock: &dyn Clock,
        uid: &ClusterUid,
        look: impl Future<Output = Result<L, ProviderError>>,
    ) -> Result<Arc<L>, ProviderError> {
        // Whoever comes meanwhile waits, and finds it taken.
        let mut last = self.last.lock().await;
        let (changes, now) = (self.changes.load(Ordering::SeqCst), clock.now());
        let fresh = last.as_ref().filter(|taken| {
            taken.uid == *uid
                && taken.changes == changes
                && now.duration_since(taken.at).unsigned_abs() < FRESH
        });
        if let Some(taken) = fresh {
            return Ok(taken.look.clone());
        }
        let look = Arc::new(look.await?);
        *last = Some(Taken {
            uid: uid.clone(),
            at: now,
            changes,
            look: look.clone(),
        });
        Ok(look)
    }

    /// Something is about to change, or has.
    pub(crate) fn forget(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
    }
}
