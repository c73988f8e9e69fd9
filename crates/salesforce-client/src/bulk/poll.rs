//! When to ask how a job stands. Pure: the caller waits.

use std::time::Duration;

/// The pauses before each question: 0.2 s at first, twice as long each time, up to a longest. Every question is an API
/// call, so that whoever has few left raises the longest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    /// The longest pause; it may be changed between two of them.
    pub longest: Duration,
    next: Duration,
}

impl Poll {
    const FIRST: Duration = Duration::from_millis(200);

    /// A schedule that begins anew.
    #[must_use]
    pub fn up_to(longest: Duration) -> Poll {
        Poll { longest, next: Poll::FIRST }
    }

    /// How long to wait before the next question.
    pub fn pause(&mut self) -> Duration {
        let pause = self.next.min(self.longest);
        self.next = pause.max(Poll::FIRST).saturating_mul(2);
        pause
    }
}

/// A minute at the longest: a job of ten minutes then takes 18 calls.
impl Default for Poll {
    fn default() -> Self {
        Poll::up_to(Duration::from_secs(60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut poll = Poll::default();
        let pauses: Vec<f64> = (0..11).map(|_| poll.pause().as_secs_f64()).collect();
        assert_eq!(pauses, [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 60.0, 60.0]);
        poll.longest = Duration::from_secs(300);
        assert_eq!([poll.pause(), poll.pause(), poll.pause()].map(|pause| pause.as_secs()), [120, 240, 300]);
        poll.longest = Duration::ZERO;
        assert_eq!([poll.pause(), poll.pause()], [Duration::ZERO; 2]);
        poll.longest = Duration::MAX;
        assert!((0..200).all(|_| poll.pause() > Duration::ZERO));
    }

    #[test]
    fn ten_minutes_take_eighteen_calls() {
        let mut poll = Poll::default();
        let waited = (0..18).map(|_| poll.pause()).sum::<Duration>();
        assert!(waited >= Duration::from_secs(600) && waited < Duration::from_secs(660), "{waited:?}");
    }
}
