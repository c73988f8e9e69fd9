//! When the next poll or sweep of a binding is due. Pure.

use std::time::Duration;

use tokio::time::Instant;

/// When turns are due.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timetable {
    due: Instant,
    interval: Duration,
}

impl Timetable {
    /// The first turn is due at `first`.
    pub(super) fn new(first: Instant, interval: Duration) -> Self {
        Self { due: first, interval }
    }

    /// When the next turn is due.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// The last turn was so long before `now`.
    pub(super) fn last_was(&mut self, age: Duration, now: Instant) {
        self.due = now + self.interval.saturating_sub(age);
    }

    /// Until when turns may as well begin at `now`, if others do: within a twentieth of the interval.
    pub(super) fn joins_until(&self, now: Instant) -> Instant {
        now + self.interval / 20
    }

    /// A turn begins. The next is due after so many times the interval.
    pub(super) fn begins(&mut self, now: Instant, slower: f64) {
        self.due = now + self.interval.mul_f64(slower);
    }

    /// A turn has come to nothing: it is due again at once.
    pub(super) fn again(&mut self, now: Instant) {
        self.due = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: u64 = 300;

    #[test]
    fn a_new_session_goes_on_with_the_intervals_of_the_last() {
        #[expect(clippy::disallowed_methods, reason = "the timetable is told the time; any will do")]
        let start = Instant::now();
        for (age, due) in [(0, INTERVAL), (100, 200), (INTERVAL, 0), (5_000, 0)] {
            let mut timetable = Timetable::new(start, Duration::from_secs(INTERVAL));
            timetable.last_was(Duration::from_secs(age), start);
            assert_eq!(timetable.due(), start + Duration::from_secs(due), "{age}");
        }
    }
}
