//! When the next poll or sweep of a binding is due. Pure.
//!
//! Bindings that ask together share calls ([`super::plan`] counts on it), so those of one interval must not drift apart: a turn that
//! comes late, as a long read was in its way, does not put off those after it.

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

    /// The time between two turns.
    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    /// Until when turns may as well begin at `now`, if others do: within a twentieth of the interval.
    pub(super) fn joins_until(&self, now: Instant) -> Instant {
        now + self.interval / 20
    }

    /// A turn begins. The next is due so many times the interval after this one was, or as many times more as have passed.
    pub(super) fn begins(&mut self, now: Instant, slower: f64) {
        let pause = self.interval.mul_f64(slower);
        let late = now.saturating_duration_since(self.due);
        let into = late.as_nanos() % pause.as_nanos().max(1);
        self.due = now + pause - Duration::from_nanos(u64::try_from(into).unwrap_or_default());
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
    fn late_turns_fall_in_with_the_others() {
        #[expect(clippy::disallowed_methods, reason = "the timetable is told the time; any will do")]
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        // When a turn that is due after 1,000 seconds begins, how much slower all is, and when the next is due.
        for (what, begins, slower, next) in [
            ("on time", 1_000, 1.0, 1_300),
            ("with others, before its time", 990, 1.0, 1_290),
            ("a little late", 1_001, 1.0, 1_300),
            ("as late as the next", 1_300, 1.0, 1_600),
            ("after a long read", 2_250, 1.0, 2_500),
            ("short of calls", 1_000, 2.0, 1_600),
            ("late, and short of calls", 1_601, 2.0, 2_200),
        ] {
            let mut timetable = Timetable::new(at(1_000), Duration::from_secs(INTERVAL));
            timetable.begins(at(begins), slower);
            assert_eq!(timetable.due(), at(next), "{what}");
        }
    }

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
