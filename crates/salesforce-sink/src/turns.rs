//! Whose turn it is to call an org: places are few, who found none is next, and while an allocation is used up one asks for all. Pure.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use crate::pace::Pace;

/// One of those that call the org.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Caller(pub(crate) u64);

/// An allocation of the org is used up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pause {
    /// The org is not asked before then.
    pub(crate) until: Instant,
    /// In Salesforce's words.
    pub(crate) why: String,
}

/// A call may be made. It is given back when the call has ended.
#[derive(Debug)]
pub(crate) struct Grant {
    /// Whether it is the call that finds out if a pause is over.
    probes: bool,
}

/// How a call ended, as far as it concerns those that follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The org answered.
    Well,
    /// It answered that calls got into each other's way.
    Congested,
    /// It has no calls, or no room, left.
    Exhausted(Pause),
    /// It did not answer, or was not asked after all.
    Nothing,
}

/// Everybody's calls to one org.
#[derive(Debug)]
pub(crate) struct Turns {
    pace: Pace,
    under_way: usize,
    /// Who was sent away for want of a place, in the order of their coming.
    queue: VecDeque<Caller>,
    held: Option<Held>,
}

#[derive(Debug)]
struct Held {
    pause: Pause,
    /// Somebody is finding out if it is over; the others wait for the answer until then.
    answer_by: Option<Instant>,
}

impl Held {
    fn lasts(&self, now: Instant) -> bool {
        now < self.pause.until || self.answer_by.is_some_and(|answer| now < answer)
    }
}

/// How long others wait for the one that finds out if a pause is over: its call may be a job, which takes longer.
const ANSWER: Duration = Duration::from_secs(60);

impl Turns {
    pub(crate) fn new(pace: Pace) -> Turns {
        Turns { pace, under_way: 0, queue: VecDeque::new(), held: None }
    }

    /// Asks for a place. Who gets none is queued, and has to come again when called or when the pause is over; who comes before its turn
    /// gets none while others wait for what is free.
    pub(crate) fn ask(&mut self, caller: Caller, now: Instant) -> Option<Grant> {
        let queued = self.queue.iter().position(|waiting| *waiting == caller);
        let before = queued.unwrap_or(self.queue.len());
        let waits = self.held.as_ref().is_some_and(|held| held.lasts(now));
        if waits || !self.pace.allows(self.under_way + before) {
            if queued.is_none() {
                self.queue.push_back(caller);
            }
            return None;
        }
        self.leave(caller);
        self.under_way += 1;
        let probes = self.held.as_mut().map(|held| held.answer_by = Some(now + ANSWER)).is_some();
        Some(Grant { probes })
    }

    /// Takes back what was granted; whether a pause has begun, changed or ended, which concerns everybody.
    pub(crate) fn end(&mut self, Grant { probes }: Grant, ending: Ending) -> bool {
        self.under_way -= 1;
        match ending {
            Ending::Well => self.pace.went_well(),
            Ending::Congested => self.pace.congested(),
            Ending::Exhausted(_) | Ending::Nothing => {}
        }
        if let (Some(held), true) = (&mut self.held, probes) {
            held.answer_by = None;
        }
        match ending {
            Ending::Exhausted(pause) => {
                let (before, answer_by) = self.held.take().map(|held| (held.pause, held.answer_by)).unzip();
                let pause = before.filter(|before| before.until > pause.until).unwrap_or(pause);
                self.held = Some(Held { pause, answer_by: answer_by.flatten() });
                true
            }
            // What was sent before the pause began says nothing of it.
            Ending::Well | Ending::Congested => probes && self.held.take().is_some(),
            Ending::Nothing => false,
        }
    }

    /// Somebody wants no place any more.
    pub(crate) fn leave(&mut self, caller: Caller) {
        self.queue.retain(|waiting| *waiting != caller);
    }

    /// Those who wait and would get a place, but for a pause.
    pub(crate) fn called(&self) -> impl Iterator<Item = Caller> {
        let called = self.queue.iter().enumerate().take_while(|(before, _)| self.pace.allows(self.under_way + before));
        called.map(|(_, caller)| *caller)
    }

    /// Until when, at least, the org is left alone, and why. It goes on after that time until somebody has found out that it is over.
    pub(crate) fn pause(&self) -> Option<&Pause> {
        self.held.as_ref().map(|held| &held.pause)
    }

    /// Until when those who were sent away wait for the answer to another's call.
    pub(crate) fn answer_by(&self) -> Option<Instant> {
        self.held.as_ref()?.answer_by
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now() -> Instant {
        crate::engine::now()
    }

    fn exhausted(until: Instant) -> Ending {
        Ending::Exhausted(Pause { until, why: "none left".to_owned() })
    }

    const A: Caller = Caller(0);
    const B: Caller = Caller(1);
    const C: Caller = Caller(2);

    #[test]
    fn who_found_no_place_is_next() {
        let now = now();
        let mut turns = Turns::new(Pace::new(1));
        let first = turns.ask(A, now).unwrap();
        assert!(turns.ask(B, now).is_none() && turns.ask(C, now).is_none());
        turns.end(first, Ending::Well);
        assert_eq!(turns.called().collect::<Vec<_>>(), [B]);
        assert!(turns.ask(A, now).is_none() && turns.ask(C, now).is_none());
        let second = turns.ask(B, now).unwrap();
        turns.end(second, Ending::Well);
        // C wants nothing any more: it is A's turn.
        turns.leave(C);
        assert_eq!(turns.called().collect::<Vec<_>>(), [A]);
        assert!(turns.ask(A, now).is_some());
    }

    #[test]
    fn a_pause_is_over_when_one_has_found_out() {
        let (now, minute) = (now(), Duration::from_secs(60));
        let mut turns = Turns::new(Pace::new(4));
        let (one, two) = (turns.ask(A, now).unwrap(), turns.ask(B, now).unwrap());
        assert!(turns.end(one, exhausted(now + minute)));
        // It was sent before the pause began, and says nothing of it.
        assert!(!turns.end(two, Ending::Well));
        assert!(turns.ask(A, now).is_none());
        let then = now + minute;
        let probe = turns.ask(A, then).unwrap();
        assert!(turns.ask(B, then).is_none(), "one is enough");
        assert!(!turns.end(probe, Ending::Nothing), "it found nothing out");
        let probe = turns.ask(B, then).unwrap();
        assert!(turns.end(probe, exhausted(then + minute)));
        assert!(turns.ask(A, then).is_none());
        // The next takes its time: another asks as well.
        let late = turns.ask(A, then + minute).unwrap();
        assert_eq!(turns.answer_by(), Some(then + minute + ANSWER));
        let probe = turns.ask(B, then + minute + ANSWER).unwrap();
        assert!(turns.end(probe, Ending::Well) && turns.pause().is_none());
        assert!(!turns.end(late, Ending::Well), "all know already");
        assert!(turns.ask(B, then + minute + ANSWER).is_some() && turns.ask(C, then + minute + ANSWER).is_some());
    }

    proptest! {
        /// Whatever happens: no more places are taken than there are, nobody who waits is passed over twice by the same, but for one who
        /// does not come when called, and all get a place who come.
        #[test]
        fn places_go_round(most in 1_usize..5, events in proptest::collection::vec((0_u64..4, 0_u8..8), 0..300)) {
            let mut at = now();
            let mut turns = Turns::new(Pace::new(most));
            let mut grants: Vec<Grant> = Vec::new();
            // By caller: who was served since it asked in vain.
            let mut waiting: Vec<Option<Vec<u64>>> = vec![None; 4];
            for (caller, event) in events {
                match event {
                    0..4 => match turns.ask(Caller(caller), at) {
                        Some(grant) => {
                            grants.push(grant);
                            waiting[caller as usize] = None;
                            for (waits, served) in (0..).zip(&mut waiting) {
                                let Some(served) = served else { continue };
                                if turns.called().any(|called| called == Caller(waits)) { continue }
                                prop_assert!(!served.contains(&caller), "{} was passed over by {} twice", waits, caller);
                                served.push(caller);
                            }
                        }
                        None => { waiting[caller as usize].get_or_insert_default(); }
                    },
                    4 => {
                        turns.leave(Caller(caller));
                        waiting[caller as usize] = None;
                    }
                    _ if grants.is_empty() => {}
                    _ => {
                        let grant = grants.swap_remove(caller as usize % grants.len());
                        let ending = match event {
                            5 => Ending::Congested,
                            6 => exhausted(at + Duration::from_secs(caller)),
                            _ => Ending::Well,
                        };
                        turns.end(grant, ending);
                    }
                }
                at += Duration::from_millis(300);
                prop_assert!(grants.len() <= most);
                prop_assert_eq!(turns.under_way, grants.len());
            }
            // The rest ends, and those who wait come when they are called.
            for grant in grants { turns.end(grant, Ending::Well); }
            at += ANSWER;
            while let Some(next) = turns.queue.front().copied() {
                prop_assert!(turns.called().any(|called| called == next));
                let grant = turns.ask(next, at);
                prop_assert!(grant.is_some(), "called in vain");
                turns.end(grant.unwrap(), Ending::Well);
            }
            prop_assert!(turns.queue.is_empty());
        }
    }
}
