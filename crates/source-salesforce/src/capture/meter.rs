//! The budget in a running session: its calls are counted, and what comes of that is said.

use std::time::Duration;

use flow_protocol::state;
use jiff::Timestamp;
use salesforce_client::{Allocation, Class, Error, Limits, Org, Usage};
use serde_json::Value;
use tokio::time::Instant;

use super::{
    budget::{self, Budget, Calls, Pace},
    // Hours need no better clock.
    clock::ours,
    deliveries::Deliveries,
};

/// Time between two lines of the log about the calls made.
const TELLS: Duration = Duration::from_secs(300);

/// Counts the calls of a session.
pub(super) struct Meter {
    budget: Budget,
    /// Calls of this process that are counted.
    counted: u64,
    /// The calls as the state holds them.
    persisted: Value,
    tell_due: Instant,
    pace: Pace,
    pub(super) deliveries: Deliveries,
}

/// The calls and events of the last 24 hours, for the log.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    made: u64,
    allowed: u64,
    usage: Usage,
    events: u64,
    /// The org's word on those of everybody.
    org: Option<Allocation>,
}

impl Meter {
    /// Goes on with a budget; `persisted` are the calls as the state holds them.
    pub(super) fn new(budget: Budget, persisted: &Calls, deliveries: Deliveries, now: Instant) -> Self {
        let persisted = serde_json::to_value(persisted).unwrap_or_default();
        Self { budget, counted: 0, persisted, tell_due: now + TELLS, pace: Pace::Going(1.0), deliveries }
    }

    /// Counts what was called for since the last time.
    pub(super) fn read(&mut self, org: &Org, now: Instant) {
        let (calls, clock) = (org.calls(), ours());
        // A call that turned out not to have left is taken back: the next one then costs nothing.
        self.budget.spend(calls.saturating_sub(self.counted), org.usage(), clock);
        self.counted = self.counted.max(calls);
        let before = std::mem::replace(&mut self.pace, self.budget.pace(clock));
        match (before, self.pace) {
            (Pace::Going(_), Pace::Waiting(until, why)) => {
                tracing::warn!("making no API calls for {}: {why}", budget::wait(until, clock));
            }
            (Pace::Waiting(..), Pace::Going(_)) => tracing::info!("making API calls again"),
            (Pace::Going(before), Pace::Going(times)) if before == 1.0 && times > 1.0 => {
                tracing::info!("half of the API calls of this capture are made: its pauses grow");
            }
            _ => {}
        }
        if let Some(Told { made, allowed, usage, events, org }) = self.told(now) {
            tracing::info!(
                made,
                allowed,
                org_used = usage.used,
                org_limit = usage.limit,
                events,
                org_events = org.map(|org| org.max.saturating_sub(org.remaining)),
                org_events_limit = org.map(|org| org.max),
                "API calls and events delivered in the last 24 hours"
            );
        }
    }

    /// When the log is to be told next.
    pub(super) fn tell_due(&self) -> Instant {
        self.tell_due
    }

    /// What the log is to say now, if it is time and the org has told its allocation.
    fn told(&mut self, now: Instant) -> Option<Told> {
        if now < self.tell_due {
            return None;
        }
        self.tell_due = now + TELLS;
        let (allowed, usage) = (self.budget.allowed()?, self.budget.usage()?);
        let (events, org) = (self.deliveries.counted(), self.deliveries.org());
        Some(Told { made: self.budget.calls().made(), allowed, usage, events, org })
    }

    /// Salesforce refuses a call for want of allocation.
    pub(super) fn refused(&mut self, error: &dyn std::error::Error) {
        tracing::debug!("{error}");
        self.budget.refused(ours());
    }

    /// So many events were delivered.
    pub(super) fn delivered(&mut self, events: usize) {
        self.deliveries.delivered(events as u64, ours());
    }

    /// The org has told its allocations, or will not.
    pub(super) fn take_limits(&mut self, result: Result<Limits, Error>) {
        match result {
            Ok(limits) => {
                if self.deliveries.told(&limits)
                    && let Some(Allocation { max, remaining }) = self.deliveries.org()
                {
                    tracing::warn!(
                        events = self.deliveries.counted(),
                        org_events_left = remaining,
                        org_events_limit = max,
                        "the org has few deliveries of events left for these 24 hours, by whomever: once they are used up, Salesforce \
                         keeps events back until it has some again, and keeps none for longer than a day; poll streams that change \
                         much (mode), or ask Salesforce for a larger allocation"
                    );
                }
            }
            Err(error) if error.class() == Class::Wait => self.refused(&error),
            Err(error) => {
                tracing::debug!(%error, "the org does not tell its allocations");
                self.deliveries.gives_up();
            }
        }
    }

    /// Until when no calls are to be made, if so.
    pub(super) fn waits_until(&self, now: Instant) -> Option<Instant> {
        let clock = ours();
        match self.budget.pace(clock) {
            Pace::Waiting(until, _) => Some(now + Duration::from_secs(until.since(clock).max(1).unsigned_abs())),
            Pace::Going(_) => None,
        }
    }

    /// How many times as long pauses are as they would be.
    pub(super) fn slower(&self) -> f64 {
        match self.pace {
            Pace::Going(times) => times,
            Pace::Waiting(..) => 1.0,
        }
    }

    /// Why no calls are made, if none are.
    pub(super) fn why(&self) -> Option<String> {
        match self.pace {
            Pace::Waiting(until, why) => Some(format!("Making no API calls until {}: {why}", Timestamp::from(until))),
            Pace::Going(_) => None,
        }
    }

    /// What the state lacks of the counts, member by member. It counts as persisted.
    pub(super) fn patch(&mut self) -> impl Iterator<Item = (String, Value)> + use<> {
        let calls = serde_json::to_value(self.budget.calls()).unwrap_or_default();
        let patch = state::diff(&self.persisted, &calls);
        self.persisted = calls;
        let named = [("calls", patch), ("deliveries", self.deliveries.patch())];
        named.into_iter().filter_map(|(name, patch)| Some((name.to_owned(), patch?)))
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{budget::Share, clock::now},
        *,
    };

    /// Every five minutes, for as long as the session lasts; before the org has told its allocation there is nothing to compare with.
    #[test]
    fn usage_is_told_every_five_minutes() {
        let (begin, calls) = (now(), Calls::default());
        let budget = Budget::new(Share::default(), calls.clone());
        let mut meter = Meter::new(budget, &calls, Deliveries::new(calls.clone(), begin), begin);
        let after = |seconds| begin + Duration::from_secs(seconds);
        assert_eq!(meter.told(after(300)), None, "the org has not told its allocation");

        let usage = Usage { used: 70, limit: 1_000 };
        meter.budget.spend(20, Some(usage), ours());
        meter.delivered(3);
        let told = |made| Some(Told { made, allowed: 500, usage, events: 3, org: None });
        assert_eq!((meter.told(after(599)), meter.told(after(600))), (None, told(20)));
        meter.budget.spend(2, Some(usage), ours());
        assert_eq!((meter.told(after(899)), meter.told(after(1_000))), (None, told(22)));
        assert_eq!((meter.told(after(1_299)), meter.told(after(1_300))), (None, told(22)));
    }
}
