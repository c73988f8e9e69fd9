//! Requests at work, and how many of them take long: Salesforce lets in nobody while too many do.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::org::Refusal;

/// The REST requests that are being handled.
#[derive(Debug, Clone, Default)]
pub(super) struct AtWork(Arc<Mutex<Vec<Instant>>>);

/// One of them; it is done when this is dropped.
pub(super) struct Working {
    all: AtWork,
    since: Instant,
}

impl AtWork {
    /// Lets a request in, unless so many are at work for so long already.
    pub(super) fn enter(&self, most: usize, long: Duration) -> Option<Working> {
        let since = now();
        let mut all = self.lock();
        if all.iter().filter(|one| since.duration_since(**one) >= long).count() >= most {
            return None;
        }
        all.push(since);
        Some(Working { all: self.clone(), since })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        if let Some(at) = all.iter().position(|one| *one == self.since) {
            all.swap_remove(at);
        }
    }
}

/// What a request is told that is not let in. (OrgCheck#432 shows the text.)
pub(super) fn refusal() -> Refusal {
    let message = "ConcurrentRequests (Concurrent API Requests) Limit exceeded.";
    Refusal { status: 403, ..Refusal::bad("REQUEST_LIMIT_EXCEEDED", message) }
}

#[expect(clippy::disallowed_methods, reason = "how long a request takes is real time")]
fn now() -> Instant {
    Instant::now()
}
