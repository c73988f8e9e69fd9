//! How often bindings are polled and swept where nobody has said it: as often as the calls that the capture may make allow. Pure.
//!
//! The budget slows a capture that has used half of it ([`super::budget`]). With hundreds of bindings that would be the rule: the
//! defaults would use it up before noon. So what is known in advance, the calls that polls, sweeps and inspections make in a day,
//! is kept to half of it; the other half serves what nobody can know: pages, fetches, history.
//!
//! Bindings of one kind and interval begin together, and so go together from then on: what they ask travels in as few calls as the
//! session makes of it. Bindings that were added at different times may sweep at different times, and then share less.

use std::{collections::BTreeMap, time::Duration};

use salesforce_client::composite::{MOST_COLLECTIONS, MOST_SUBREQUESTS};
use salesforce_endpoint::setting;

use super::{inspection, lane::Bound};
use crate::{changes::Changes, feed::Feed};

const DAY: Duration = Duration::from_secs(86_400);

/// Time between two polls, unless the binding says otherwise.
const POLLS: Duration = Duration::from_secs(300);

/// Time between two polls of an object that each poll must read as a whole.
const WHOLE_READS: Duration = DAY;

/// Time between two sweeps beside a stream: what is not announced may wait for an hour.
const SWEEPS: Duration = Duration::from_secs(3_600);

/// Seldom enough: rows must be read before they leave the recycle bin.
const SELDOM: Duration = DAY;

/// The least time between two readings of the org's list of deletions, for what takes its turns at this interval: what a binding is complete
/// up to waits for the list, so that it cannot be rare; at each poll it would be a third call beside two. A sweep reads it each time.
/// Salesforce shortens a long list every two hours or so.
pub(super) fn lists(interval: Duration) -> Duration {
    const POLLS_TO_A_LIST: u32 = 3;
    const OFTEN: Duration = POLLS.saturating_mul(POLLS_TO_A_LIST);
    const RARE: Duration = Duration::from_secs(45 * 60);
    interval.saturating_mul(POLLS_TO_A_LIST).clamp(OFTEN, RARE)
}

/// What a binding is read for, again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turns {
    /// What they are.
    pub kind: Kind,
    /// Whether the org is asked, each time, up to when its changes are visible, and now and then for its list of deletions.
    pub is_replicateable: bool,
    /// The time between two, if the user has chosen one.
    pub chosen: Option<Duration>,
}

/// The kinds of reads that take turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Changes are asked for.
    Poll,
    /// As there is no telling what has changed, everything is read.
    WholeRead,
    /// What no event has announced is searched for.
    Sweep,
}

/// How often everything is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    times: u32,
    /// Calls that the turns and inspections make in a day.
    pub calls: u64,
    /// Calls that they should not exceed; `None` where the org's allocation is not known.
    pub aim: Option<u64>,
}

impl Plan {
    /// The plan for these turns, in a capture that may make so many calls a day and inspects its objects so often.
    pub fn of(turns: &[Turns], inspection: Duration, allowed: Option<u64>) -> Self {
        let aim = allowed.map(|allowed| allowed / 2);
        let has_topics = turns.iter().any(|turn| turn.kind == Kind::Sweep);
        let of_inspections = a_day(inspection) * inspection::calls(turns.len(), has_topics) as f64;
        let calls = |times| {
            let of_rounds: f64 = rounds(turns, times).map(Round::calls).sum();
            (of_rounds + of_inspections).ceil() as u64
        };
        let most = (SELDOM.as_secs() / POLLS.as_secs()) as u32;
        let times = (1..most).find(|times| aim.is_none_or(|aim| calls(*times) <= aim)).unwrap_or(most);
        Self { times, calls: calls(times), aim }
    }

    /// The time between two turns.
    pub fn interval(&self, turn: &Turns) -> Duration {
        turn.interval(self.times)
    }

    /// Whether intervals are longer than they would be with calls in plenty.
    pub fn is_stretched(&self) -> bool {
        self.times > 1
    }

    /// Tells what came of it, where that is not what the manual says.
    pub(super) fn tell(&self) {
        let (Some(aim), calls) = (self.aim, self.calls) else { return };
        let interval = |kind| setting::iso(Turns { kind, is_replicateable: true, chosen: None }.interval(self.times));
        let (polls, sweeps) = (interval(Kind::Poll), interval(Kind::Sweep));
        if self.is_too_much() {
            tracing::warn!(
                polls,
                sweeps,
                calls,
                aim,
                "polls and sweeps alone take more than half of the API calls of 24 hours that this capture may make: it will wait for \
                 long; capture fewer streams, choose longer intervals, or raise advanced.api_budget"
            );
        } else if self.is_stretched() {
            tracing::info!(
                polls,
                sweeps,
                calls,
                aim,
                "polls and sweeps are rarer where no interval is chosen, to take no more than half of the API calls of 24 hours that \
                 this capture may make"
            );
        }
    }

    /// Whether even the longest intervals take more calls than they should.
    pub fn is_too_much(&self) -> bool {
        self.aim.is_some_and(|aim| self.calls > aim)
    }
}

impl Turns {
    /// What a binding is read for, where `sweeps` is the time between two sweeps that the user has chosen.
    pub(super) fn of(bound: &Bound, sweeps: Option<Duration>) -> Self {
        let (kind, chosen) = match bound.changes {
            Changes::Announced(_) => (Kind::Sweep, sweeps),
            Changes::Polled(_) if bound.feed.has_cursor() => (Kind::Poll, bound.resource.interval),
            Changes::Polled(_) => (Kind::WholeRead, bound.resource.interval),
        };
        Self { kind, is_replicateable: bound.feed.is_replicateable, chosen }
    }

    /// What a binding is read for once it is streamed in mid-session.
    pub(super) fn beside_a_stream(feed: &Feed, sweeps: Option<Duration>) -> Self {
        Self { kind: Kind::Sweep, is_replicateable: feed.is_replicateable, chosen: sweeps }
    }

    fn interval(&self, times: u32) -> Duration {
        let usual = match self.kind {
            Kind::Poll => POLLS,
            Kind::WholeRead => WHOLE_READS,
            Kind::Sweep => SWEEPS,
        };
        self.chosen.unwrap_or_else(|| (usual * times).min(SELDOM))
    }
}

/// Turns that come together, again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Round {
    interval: Duration,
    /// The bindings that take their turn.
    all: usize,
    /// Those that ask up to when changes are visible, and for lists of deletions.
    asking: usize,
}

/// The rounds that these turns make up.
fn rounds(turns: &[Turns], times: u32) -> impl Iterator<Item = Round> {
    let mut rounds = BTreeMap::new();
    for turn in turns {
        let interval = turn.interval(times);
        let round = rounds.entry((turn.kind, interval)).or_insert(Round { interval, all: 0, asking: 0 });
        round.all += 1;
        round.asking += usize::from(turn.is_replicateable);
    }
    rounds.into_values()
}

impl Round {
    /// Calls in a day, where each turn brings one short page.
    fn calls(self) -> f64 {
        let Self { interval, all, asking } = self;
        let each = asking.div_ceil(MOST_SUBREQUESTS) + all.div_ceil(MOST_COLLECTIONS);
        // A list is asked for when its binding's page is written: by those whose pages came in one call.
        let lists = asking.div_ceil(MOST_COLLECTIONS);
        each as f64 * a_day(interval) + lists as f64 * a_day(interval.max(self::lists(interval)))
    }
}

fn a_day(interval: Duration) -> f64 {
    DAY.as_secs_f64() / interval.as_secs_f64().max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60;
    const INSPECTION: Duration = Duration::from_secs(10 * MINUTE);

    fn turns(kind: Kind, count: usize) -> Vec<Turns> {
        vec![Turns { kind, is_replicateable: true, chosen: None }; count]
    }

    fn polls_every(minutes: u64, count: usize) -> Vec<Turns> {
        let chosen = Some(Duration::from_secs(minutes * MINUTE));
        turns(Kind::Poll, count).into_iter().map(|turn| Turns { chosen, ..turn }).collect()
    }

    #[test]
    fn intervals_follow_from_the_calls_allowed() {
        let (polls, sweeps, wholes) = (
            |count| turns(Kind::Poll, count),
            |count| turns(Kind::Sweep, count),
            |count| turns(Kind::WholeRead, count),
        );
        let plain = |count| polls(count).into_iter().map(|turn| Turns { is_replicateable: false, ..turn }).collect();
        // The interval that polls and sweeps come to, in minutes, and the calls that make up the plan.
        for (what, turns, allowed, poll, sweep, calls) in [
            ("an unknown allocation", polls(300), None, 5, 60, 26_640),
            ("nothing to do", vec![], Some(7_500), 5, 60, 0),
            ("one binding", polls(1), Some(7_500), 5, 60, 816),
            ("as many as go together", polls(5), Some(7_500), 5, 60, 816),
            ("one more", polls(6), Some(7_500), 5, 60, 1_200),
            ("nobody says what is visible", plain(6), Some(7_500), 5, 60, 720),
            ("a large org", polls(300), Some(100_000), 5, 60, 26_640),
            ("hundreds in a small org", polls(300), Some(7_500), 55, 660, 3_600),
            ("hundreds in a larger one", polls(300), Some(25_000), 15, 180, 8_976),
            ("a stream each", sweeps(40), Some(7_500), 5, 60, 720),
            ("streams and polls", [polls(20), sweeps(40)].concat(), Some(7_500), 5, 60, 2_544),
            ("with few calls", [polls(20), sweeps(40)].concat(), Some(2_000), 20, 240, 884),
            ("whole reads are rare", [polls(10), wholes(10)].concat(), Some(7_500), 5, 60, 1_205),
            ("no room at all", polls(1_000), Some(500), 1_440, 1_440, 584),
        ] {
            let plan = Plan::of(&turns, INSPECTION, allowed);
            let minutes = |kind| plan.interval(&turns_of(kind)).as_secs() / MINUTE;
            let found = (minutes(Kind::Poll), minutes(Kind::Sweep), plan.calls);
            assert_eq!(found, (poll, sweep, calls), "{what}");
            assert_eq!(plan.is_stretched(), poll > 5, "{what}");
            assert_eq!(plan.is_too_much(), what == "no room at all", "{what}");
            assert_eq!(minutes(Kind::WholeRead), 24 * 60, "{what}");
        }
    }

    fn turns_of(kind: Kind) -> Turns {
        Turns { kind, is_replicateable: true, chosen: None }
    }

    #[test]
    fn what_the_user_chose_stays_and_counts() {
        let chosen = polls_every(5, 5);
        let plan = Plan::of(&[chosen.clone(), turns(Kind::Poll, 5)].concat(), INSPECTION, Some(1_500));
        assert_eq!(plan.interval(&chosen[0]), POLLS);
        assert!(plan.interval(&turns_of(Kind::Poll)) > POLLS, "{plan:?}");
        let alone = Plan::of(&chosen, INSPECTION, Some(1_000));
        assert!(alone.is_too_much() && alone.interval(&chosen[0]) == POLLS, "{alone:?}");
    }
}
