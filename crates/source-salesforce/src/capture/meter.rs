//! The budget in a running session: its calls are counted, and what comes of that is said.

use std::time::Duration;

use flow_protocol::state;
use jiff::Timestamp;
use salesforce_client::{Org, Usage};
use serde_json::Value;
use tokio::time::Instant;

use super::{
    budget::{self, Budget, Calls, Pace},
    lane::answered,
    second::Second,
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
}

impl Meter {
    /// Goes on with a budget; `persisted` are the calls as the state holds them.
    pub(super) fn new(budget: Budget, persisted: &Calls, now: Instant) -> Self {
        let persisted = serde_json::to_value(persisted).unwrap_or_default();
        Self { budget, counted: 0, persisted, tell_due: now + TELLS, pace: Pace::Going(1.0) }
    }

    /// Counts what was called for since the last time.
    pub(super) fn read(&mut self, org: &Org, now: Instant) {
        let (calls, clock) = (org.calls(), clock());
        self.budget.spend(calls - self.counted, org.usage(), clock);
        self.counted = calls;
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
        if self.tell_due <= now {
            self.tell_due = now + TELLS;
            if let (Some(allowed), Some(Usage { used, limit })) = (self.budget.allowed(), self.budget.usage()) {
                let made = self.budget.calls().made();
                tracing::info!(made, allowed, org_used = used, org_limit = limit, "API calls of the last 24 hours");
            }
        }
    }

    /// Salesforce refuses a call for want of allocation.
    pub(super) fn refused(&mut self, error: &dyn std::error::Error) {
        tracing::debug!("{error}");
        self.budget.refused(clock());
    }

    /// Until when no calls are to be made, if so.
    pub(super) fn waits_until(&self, now: Instant) -> Option<Instant> {
        let clock = clock();
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

    /// What the state lacks of the calls made. It counts as persisted.
    pub(super) fn patch(&mut self) -> Option<Value> {
        let calls = serde_json::to_value(self.budget.calls()).unwrap_or_default();
        let patch = state::diff(&self.persisted, &calls);
        self.persisted = calls;
        patch
    }
}

/// Now, by our clock: hours need no better one.
fn clock() -> Second {
    answered(None)
}
