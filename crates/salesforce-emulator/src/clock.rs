//! The org's clock: real time plus an offset that only grows. Tokens, modstamps, retention and quotas ask it, and
//! nothing else does; CometD's own timers are real.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Virtual time, shared by everything in an org.
#[derive(Debug)]
pub(crate) struct Clock {
    frozen: Option<Timestamp>,
    ahead_millis: AtomicI64,
}

impl Clock {
    /// A clock that follows the system's, or stands at `frozen`, `ahead` of it.
    pub(crate) fn new(frozen: Option<Timestamp>, ahead: Duration) -> Self {
        Self { frozen, ahead_millis: AtomicI64::new(millis(ahead)) }
    }

    /// Now, in virtual time.
    pub(crate) fn now(&self) -> Timestamp {
        let base = self.frozen.unwrap_or_else(system_now);
        base.saturating_add(SignedDuration::from_millis(self.ahead_millis.load(Ordering::Relaxed))).unwrap_or(base)
    }

    /// Does it move only when it is told to?
    pub(crate) fn stands(&self) -> bool {
        self.frozen.is_some()
    }

    /// Moves virtual time forward. It cannot go back: modstamps would repeat.
    pub(crate) fn advance(&self, by: Duration) {
        self.ahead_millis.fetch_add(millis(by), Ordering::Relaxed);
    }

    /// How far virtual time is ahead of its base.
    pub(crate) fn ahead(&self) -> Duration {
        Duration::from_millis(self.ahead_millis.load(Ordering::Relaxed).unsigned_abs())
    }
}

/// Durations beyond a century are cut: no retention or lifetime is longer, and the sum must stay a legal timestamp.
fn millis(duration: Duration) -> i64 {
    const CENTURY: i64 = 100 * 366 * 24 * 60 * 60 * 1000;
    i64::try_from(duration.as_millis()).unwrap_or(CENTURY).min(CENTURY)
}

#[expect(clippy::disallowed_methods, reason = "the one place where the emulated org reads the system's clock")]
fn system_now() -> Timestamp {
    Timestamp::now()
}
