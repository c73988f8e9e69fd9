//! What has been used of the org's daily allocations, and which calls were made.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

/// Counters of one org. The day is a window of 24 hours of virtual time that begins with the first use; Salesforce's
/// rolls, which a client cannot tell.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    began: Option<Timestamp>,
    api_calls: u64,
    deliveries: u64,
    kinds: BTreeMap<&'static str, u64>,
}

impl Usage {
    /// Counts a request under its kind.
    pub(crate) fn see(&mut self, kind: &'static str) {
        *self.kinds.entry(kind).or_default() += 1;
    }

    /// Uses up one of the day's calls.
    pub(crate) fn spend(&mut self, now: Timestamp) {
        self.turn(now);
        self.api_calls += 1;
    }

    pub(crate) fn api_calls(&mut self, now: Timestamp) -> u64 {
        self.turn(now);
        self.api_calls
    }

    pub(crate) fn deliver(&mut self, count: u64, now: Timestamp) {
        self.turn(now);
        self.deliveries += count;
    }

    pub(crate) fn deliveries(&mut self, now: Timestamp) -> u64 {
        self.turn(now);
        self.deliveries
    }

    /// Requests by kind since the start or the last reset.
    pub(crate) fn kinds(&self) -> BTreeMap<&'static str, u64> {
        self.kinds.clone()
    }

    fn turn(&mut self, now: Timestamp) {
        let over = |began: Timestamp| now.duration_since(began) >= SignedDuration::from_hours(24);
        if self.began.is_none_or(over) {
            (self.began, self.api_calls, self.deliveries) = (Some(now), 0, 0);
        }
    }
}
