//! How many API calls a capture may make: a share of the org's daily allocation. Pure.
//!
//! An org has so many calls in 24 hours for everybody. A capture counts its own, by the hour; once it has made half of what it may, it
//! makes its pauses longer, and when it has made all of it, it waits. It waits as well when everybody together has nearly used
//! up the allocation, and when Salesforce refuses calls because they have.

use std::{collections::BTreeMap, fmt};

use jiff::{SignedDuration, Timestamp};
use salesforce_client::Usage;
use serde::{Deserialize, Serialize};

use super::second::Second;

const HOUR: i64 = 3_600;
/// The allocation is one of the last 24 hours, whenever that is.
const DAY: i64 = 24 * HOUR;

/// Of an allocation of which everybody together has made this much, the rest is left to others.
const CEILING: f64 = 0.95;

/// Seconds until one call tries whether the org has room again. It costs nothing: refused calls are not counted.
const FIRST_TRY: i64 = 5;
/// At most so many: the pause doubles with each refusal.
const LAST_TRY: i64 = 900;

/// Of an exhausted budget, pauses are this much longer.
const SLOWEST: f64 = 16.0;

/// Which part of the org's daily allocation a capture may use: more than nothing, at most all of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share(f64);

impl Share {
    /// From a percentage from 1 to 100.
    pub fn percent(percent: u64) -> Option<Self> {
        (1..=100).contains(&percent).then(|| Self(percent as f64 / 100.0))
    }

    /// The part of it that one of several processes may use.
    #[must_use]
    pub fn part(self, part: f64) -> Self {
        Self(self.0 * part)
    }
}

impl Share {
    /// This share of so many calls.
    pub fn of(self, limit: u64) -> u64 {
        (limit as f64 * self.0) as u64
    }
}

impl Default for Share {
    /// Half: what is left serves everybody else.
    fn default() -> Self {
        Self(0.5)
    }
}

/// The calls of a task by the hour in which they were made, as the state keeps them; or the events delivered to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Calls(BTreeMap<Second, u64>);

impl Calls {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The part of them that one of several processes answers for, rounded up; above 1, what several have probably made.
    #[must_use]
    pub fn part(&self, part: f64) -> Self {
        Self(self.0.iter().map(|(hour, calls)| (*hour, (*calls as f64 * part).ceil() as u64)).collect())
    }

    /// Calls made in the last 24 hours; those of the hour that ends them count as a whole.
    pub fn made(&self) -> u64 {
        self.0.values().sum()
    }

    /// So many more are made.
    pub(super) fn add(&mut self, calls: u64, now: Second) {
        let oldest = now.plus(-DAY);
        self.0.retain(|hour, _| hour.plus(HOUR) > oldest);
        if calls > 0 {
            *self.0.entry(now.whole(HOUR)).or_default() += calls;
        }
    }
}

/// What a session may do now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// Make calls, with pauses so many times as long as they would be: 1 or more.
    Going(f64),
    /// Make none before then.
    Waiting(Second, Why),
}

/// Why a session waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The capture has made the calls that it may make.
    Spent,
    /// Everybody together has nearly made the calls that the org allows.
    Ceiling,
    /// Salesforce refuses calls.
    Refused,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Spent => {
                "this capture has made its share of the org's API calls of 24 hours (advanced.api_budget, in percent)"
            }
            Self::Ceiling => "the org has nearly used up its API calls of 24 hours, by whomever",
            Self::Refused => "the org has used up its API calls of 24 hours, and Salesforce refuses more",
        })
    }
}

/// The calls a capture has made, and those it may make.
#[derive(Debug)]
pub struct Budget {
    share: Share,
    calls: Calls,
    usage: Option<Usage>,
    /// No calls before then, and why; how often in a row it came to that.
    hold: Option<(Second, Why, u32)>,
}

impl Budget {
    /// Goes on with the calls that earlier sessions have made.
    pub fn new(share: Share, calls: Calls) -> Self {
        Self { share, calls, usage: None, hold: None }
    }

    /// So many calls were made since the last time; `usage` is the latest word of the org on those of everybody.
    pub fn spend(&mut self, calls: u64, usage: Option<Usage>, now: Second) {
        self.calls.add(calls, now);
        // Whether there is room again is known only from the reply to a further call.
        if calls > 0 {
            self.usage = usage;
            match usage.filter(Self::is_at_ceiling) {
                Some(_) => self.hold_back(Why::Ceiling, now),
                None => self.hold = self.hold.filter(|(until, ..)| *until > now),
            }
        }
    }

    /// Salesforce refuses a call for want of allocation.
    pub fn refused(&mut self, now: Second) {
        self.hold_back(Why::Refused, now);
    }

    fn hold_back(&mut self, why: Why, now: Second) {
        // Calls that were under way together count as one try.
        if self.hold.is_some_and(|(until, ..)| until > now) {
            return;
        }
        let tries = self.hold.map_or(0, |(.., tries)| tries + 1);
        self.hold = Some((now.plus(pause(tries)), why, tries));
    }

    fn is_at_ceiling(usage: &Usage) -> bool {
        usage.limit > 0 && usage.used as f64 >= CEILING * usage.limit as f64
    }

    /// What may be done now.
    pub fn pace(&self, now: Second) -> Pace {
        if let Some((until, why, _)) = self.hold.filter(|(until, ..)| *until > now) {
            return Pace::Waiting(until, why);
        }
        let Some(allowed) = self.allowed() else { return Pace::Going(1.0) };
        let made = self.calls.made();
        if made >= allowed {
            // The oldest hour leaves the day first.
            let leaves = |hour: &Second| hour.plus(HOUR + DAY);
            let until = self.calls.0.keys().map(leaves).find(|until| *until > now);
            return Pace::Waiting(until.unwrap_or_else(|| now.plus(HOUR)), Why::Spent);
        }
        let left = 1.0 - made as f64 / allowed as f64;
        Pace::Going((0.5 / left).clamp(1.0, SLOWEST))
    }

    /// Calls that the capture may make in 24 hours; `None` before the org has told its allocation.
    pub fn allowed(&self) -> Option<u64> {
        self.usage.map(|usage| self.share.of(usage.limit))
    }

    /// The latest word of the org on the calls of everybody.
    pub fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// The calls of the capture, as the state is to keep them.
    pub fn calls(&self) -> &Calls {
        &self.calls
    }
}

/// Seconds to wait after so many tries in vain before this one.
pub fn pause(tries: u32) -> i64 {
    FIRST_TRY.saturating_mul(1 << tries.min(10)).min(LAST_TRY)
}

/// The time until then, for people.
pub fn wait(until: Second, now: Second) -> String {
    let left = SignedDuration::from_secs(until.since(now).max(0));
    format!("{left:#} (until {})", Timestamp::from(until))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Second {
        Second::new(1_700_000_000).whole(HOUR).plus(60 * minutes)
    }

    fn usage(used: u64) -> Option<Usage> {
        Some(Usage { used, limit: 1_000 })
    }

    fn spent(calls: u64) -> Budget {
        let mut budget = Budget::new(Share::default(), Calls::default());
        budget.spend(calls, usage(calls), at(0));
        budget
    }

    #[test]
    fn pauses_grow_before_it_comes_to_waiting() {
        assert_eq!(Budget::new(Share::default(), Calls::default()).pace(at(0)), Pace::Going(1.0), "nothing is known");
        let pauses = [0, 250, 375, 450, 490, 499].map(|calls| match spent(calls).pace(at(1)) {
            Pace::Going(times) => times,
            Pace::Waiting(..) => f64::INFINITY,
        });
        assert_eq!(pauses, [1.0, 1.0, 2.0, 5.000_000_000_000_001, SLOWEST, SLOWEST]);
        assert_eq!(spent(500).pace(at(1)), Pace::Waiting(at(25 * 60), Why::Spent));
    }

    #[test]
    fn an_hour_leaves_the_day_as_a_whole() {
        let mut budget = spent(400);
        budget.spend(100, usage(500), at(90));
        assert_eq!(budget.pace(at(91)), Pace::Waiting(at(25 * 60), Why::Spent));
        budget.spend(0, None, at(25 * 60));
        assert_eq!(budget.calls().made(), 100);
        assert_eq!(budget.pace(at(25 * 60)), Pace::Going(1.0));
        let kept = serde_json::to_value(budget.calls()).unwrap();
        assert_eq!(serde_json::from_value::<Calls>(kept.clone()).unwrap(), *budget.calls(), "{kept}");
    }

    #[test]
    fn refusals_are_tried_again_ever_later() {
        let mut budget = spent(10);
        let mut pauses = Vec::new();
        let mut now = at(1);
        for _ in 0..10 {
            budget.refused(now);
            budget.refused(now.plus(1));
            let Pace::Waiting(until, Why::Refused) = budget.pace(now) else { panic!("{budget:?}") };
            pauses.push(until.since(now));
            now = until;
            assert_eq!(budget.pace(now), Pace::Going(1.0), "one may try");
        }
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]);
        budget.spend(1, usage(20), now);
        budget.refused(now);
        assert_eq!(
            budget.pace(now),
            Pace::Waiting(now.plus(FIRST_TRY), Why::Refused),
            "a call that was answered ends it"
        );
    }

    #[test]
    fn the_last_calls_of_an_org_are_left_to_others() {
        let mut budget = spent(10);
        budget.spend(1, usage(950), at(1));
        assert_eq!(budget.pace(at(1)), Pace::Waiting(at(1).plus(FIRST_TRY), Why::Ceiling));
        let later = at(2);
        budget.spend(1, usage(949), later);
        assert_eq!(budget.pace(later), Pace::Going(1.0));
    }

    #[test]
    fn shards_divide_the_calls_allowed_and_the_calls_made() {
        let mut calls = Calls::default();
        calls.add(9, at(0));
        calls.add(400, at(60));
        // Part of the share, part of the calls made; then calls allowed, and calls counted.
        for (share, made, expect) in
            [(1.0, 1.0, (500, 409)), (0.5, 0.5, (250, 205)), (1.0 / 3.0, 0.0, (166, 0)), (1.0, 2.0, (500, 818))]
        {
            let mut budget = Budget::new(Share::default().part(share), calls.part(made));
            budget.spend(0, None, at(60));
            assert_eq!(budget.allowed(), None, "before the org has said anything");
            budget.spend(1, usage(500), at(60));
            assert_eq!((budget.allowed().unwrap(), budget.calls().made() - 1), expect);
        }
    }

    #[test]
    fn shares() {
        let is_share = |percent| Share::percent(percent).is_some();
        assert_eq!([0, 1, 100, 101, 300].map(is_share), [false, true, true, false, false]);
    }
}
