//! What has been used of the org's daily allocations, and which calls were made.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Counters of one org. A day is the last 24 hours of virtual time, by the minute.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    api_calls: Window,
    deliveries: Window,
    drought: Option<Drought>,
    kinds: BTreeMap<&'static str, u64>,
}

/// The day's calls are used up, whatever was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drought {
    /// Until so many more requests were refused.
    Refusals(u64),
    /// Until then.
    Until(Timestamp),
}

impl Drought {
    /// Until the next midnight (UTC).
    pub(crate) fn of_the_day(now: Timestamp) -> Self {
        let midnight = now.to_zoned(TimeZone::UTC).tomorrow().and_then(|day| day.start_of_day());
        Self::Until(midnight.map_or(Timestamp::MAX, |midnight| midnight.timestamp()))
    }
}

impl Usage {
    /// Counts a request under its kind.
    pub(crate) fn see(&mut self, kind: &'static str) {
        *self.kinds.entry(kind).or_default() += 1;
    }

    /// Uses up one of the day's calls.
    pub(crate) fn spend(&mut self, now: Timestamp) {
        self.api_calls.add(1, now);
    }

    /// Is a call that comes now one too many, where a day has so many?
    pub(crate) fn refuses(&mut self, most: u64, now: Timestamp) -> bool {
        match &mut self.drought {
            Some(Drought::Refusals(left)) if *left > 0 => {
                *left -= 1;
                return true;
            }
            Some(Drought::Until(end)) if now < *end => return true,
            _ => self.drought = None,
        }
        self.api_calls.sum(now) >= most
    }

    /// The day's calls are used up.
    pub(crate) fn exhaust(&mut self, drought: Drought) {
        self.drought = Some(drought);
    }

    /// Ends a drought. What was counted stays.
    pub(crate) fn replenish(&mut self) {
        self.drought = None;
    }

    /// Calls of the last day as clients are told, where a day has so many.
    pub(crate) fn api_calls(&mut self, most: u64, now: Timestamp) -> u64 {
        let dry = match self.drought {
            None | Some(Drought::Refusals(0)) => false,
            Some(Drought::Refusals(_)) => true,
            Some(Drought::Until(end)) => now < end,
        };
        let counted = self.api_calls.sum(now);
        if dry { counted.max(most) } else { counted }
    }

    pub(crate) fn deliver(&mut self, count: u64, now: Timestamp) {
        self.deliveries.add(count, now);
    }

    pub(crate) fn deliveries(&mut self, now: Timestamp) -> u64 {
        self.deliveries.sum(now)
    }

    /// Requests by kind since the start or the last reset.
    pub(crate) fn kinds(&self) -> BTreeMap<&'static str, u64> {
        self.kinds.clone()
    }
}

/// A count over the last 24 hours: one number for each minute in which something was counted.
#[derive(Debug, Default)]
struct Window {
    minutes: VecDeque<(i64, u64)>,
    sum: u64,
}

impl Window {
    fn add(&mut self, count: u64, now: Timestamp) {
        self.turn(now);
        let minute = minute(now);
        match self.minutes.back_mut() {
            Some((last, counted)) if *last == minute => *counted += count,
            _ => self.minutes.push_back((minute, count)),
        }
        self.sum += count;
    }

    fn sum(&mut self, now: Timestamp) -> u64 {
        self.turn(now);
        self.sum
    }

    fn turn(&mut self, now: Timestamp) {
        const DAY: i64 = 24 * 60;
        while let Some((then, count)) = self.minutes.front()
            && minute(now) - then >= DAY
        {
            self.sum -= count;
            self.minutes.pop_front();
        }
    }
}

fn minute(at: Timestamp) -> i64 {
    at.as_second().div_euclid(60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(minutes * 60).unwrap()
    }

    #[test]
    fn the_day_rolls() {
        let mut usage = Usage::default();
        let day = 24 * 60;
        let told: Vec<u64> = [0, 0, 600, day - 1, day, day, day + 599, day + 600, 3 * day]
            .map(|minute| {
                usage.spend(at(minute));
                usage.api_calls(100, at(minute))
            })
            .into();
        assert_eq!(told, [1, 2, 3, 4, 3, 4, 5, 5, 1]);
    }

    #[test]
    fn droughts_end() {
        let mut usage = Usage::default();
        usage.exhaust(Drought::Refusals(2));
        assert_eq!(usage.api_calls(100, at(0)), 100);
        assert_eq!(
            [usage.refuses(100, at(0)), usage.refuses(100, at(0)), usage.refuses(100, at(0))],
            [true, true, false]
        );
        assert_eq!(usage.api_calls(100, at(0)), 0);
        usage.exhaust(Drought::of_the_day(at(600)));
        assert!(usage.refuses(100, at(601)) && usage.refuses(100, at(24 * 60 - 1)) && !usage.refuses(100, at(24 * 60)));
        usage.exhaust(Drought::of_the_day(at(24 * 60)));
        usage.replenish();
        assert!(!usage.refuses(100, at(24 * 60)));
    }
}
