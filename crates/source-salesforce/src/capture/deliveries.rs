//! Deliveries of events: an org has so many in 24 hours, for all clients together. A capture counts those that it was given, and
//! now and then hears from the org how many are left. Pure.
//!
//! Nothing is slowed down for their sake: an event that is not delivered waits in the org for a day. Only people can help, so they
//! are told in time.

use std::time::Duration;

use flow_protocol::state;
use salesforce_client::{Allocation, Limits};
use serde_json::Value;
use tokio::time::Instant;

use super::{budget::Calls, second::Second};

/// The allocation of PushTopic events since API version 37.0 (REST API guide, "Limits"); before, and in orgs that do not list it, it is
/// the other.
const NAMES: [&str; 2] = ["DailyDurableStreamingApiEvents", "DailyStreamingApiEvents"];

/// The org is asked no more often than this: it costs a call, and its figures lag by minutes anyway.
const ASKS: Duration = Duration::from_secs(3_600);

/// Of an allocation of which less than this is left, people are warned.
const SHORT: f64 = 0.2;

/// What was delivered, and what may be.
#[derive(Debug)]
pub struct Deliveries {
    counted: Calls,
    /// The count as the state holds it.
    persisted: Value,
    org: Option<Allocation>,
    /// When the org may be asked again; `None` where it does not answer.
    ask_due: Option<Instant>,
    /// Something was delivered since it was asked.
    is_news: bool,
    is_short: bool,
}

impl Deliveries {
    /// Goes on with what earlier sessions were given.
    pub fn new(counted: Calls, now: Instant) -> Self {
        let persisted = serde_json::to_value(&counted).unwrap_or_default();
        Self { counted, persisted, org: None, ask_due: Some(now), is_news: false, is_short: false }
    }

    /// So many events were delivered.
    pub fn delivered(&mut self, events: u64, at: Second) {
        self.counted.add(events, at);
        self.is_news |= events > 0;
    }

    /// Events delivered to this capture in the last 24 hours.
    pub fn counted(&self) -> u64 {
        self.counted.made()
    }

    /// The org's latest word on those of everybody.
    pub fn org(&self) -> Option<Allocation> {
        self.org
    }

    /// Whether the org is to be asked now. It counts as asked.
    pub fn asks(&mut self, now: Instant) -> bool {
        let asks = self.is_news && self.ask_due.is_some_and(|due| due <= now);
        if asks {
            (self.ask_due, self.is_news) = (Some(now + ASKS), false);
        }
        asks
    }

    /// The org will not answer, now or later.
    pub fn gives_up(&mut self) {
        self.ask_due = None;
    }

    /// The org has answered. Whether its allocation has come to be short since it was asked before.
    pub fn told(&mut self, limits: &Limits) -> bool {
        self.org = NAMES.iter().find_map(|name| limits.get(name));
        let was_short = std::mem::replace(&mut self.is_short, self.org.is_some_and(is_short));
        self.is_short && !was_short
    }

    /// What the state lacks of the count. It counts as persisted.
    pub fn patch(&mut self) -> Option<Value> {
        let counted = serde_json::to_value(&self.counted).unwrap_or_default();
        let patch = state::diff(&self.persisted, &counted);
        self.persisted = counted;
        patch
    }
}

fn is_short(allocation: Allocation) -> bool {
    allocation.max > 0 && (allocation.remaining as f64) < SHORT * allocation.max as f64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HOUR: i64 = 3_600;

    fn limits(value: &Value) -> Limits {
        serde_json::from_value(value.clone()).unwrap()
    }

    fn deliveries() -> (Deliveries, Instant) {
        #[expect(clippy::disallowed_methods, reason = "the machine is told the time; any will do")]
        let now = Instant::now();
        (Deliveries::new(Calls::default(), now), now)
    }

    #[test]
    fn deliveries_are_counted_over_sessions_and_leave_with_the_day() {
        let (mut deliveries, now) = deliveries();
        let at = |hours: i64| Second::new(1_700_000_000).whole(HOUR).plus(hours * HOUR);
        deliveries.delivered(3, at(0));
        deliveries.delivered(4, at(20));
        let mut kept = deliveries.patch().unwrap();
        assert_eq!(deliveries.patch(), None);
        let mut deliveries = Deliveries::new(serde_json::from_value(kept.take()).unwrap(), now);
        assert_eq!(deliveries.counted(), 7);
        deliveries.delivered(1, at(26));
        assert_eq!(deliveries.counted(), 5);
        let gone = serde_json::to_value(at(0)).unwrap();
        assert_eq!(deliveries.patch().unwrap()[gone.as_str().unwrap()], Value::Null);
    }

    #[test]
    fn the_org_is_asked_once_an_hour_and_only_for_news() {
        let (mut deliveries, now) = deliveries();
        let at = Second::new(1_700_000_000);
        let later = |minutes: u64| now + Duration::from_secs(60 * minutes);
        let mut asked = Vec::new();
        for minutes in [0, 1, 10, 61, 62, 200] {
            if [1, 10].contains(&minutes) {
                deliveries.delivered(1, at);
            }
            asked.push(deliveries.asks(later(minutes)));
        }
        assert_eq!(asked, [false, true, false, true, false, false]);
        deliveries.delivered(1, at);
        deliveries.gives_up();
        assert!(!deliveries.asks(later(500)));
    }

    #[test]
    fn shortage_is_told_once() {
        let (mut deliveries, _) = deliveries();
        let left = |left: i64| json!({ "DailyDurableStreamingApiEvents": { "Max": 1_000, "Remaining": left } });
        let told = [900, 200, 199, 0, -3, 500, 100].map(|remaining| deliveries.told(&limits(&left(remaining))));
        assert_eq!(told, [false, false, true, false, false, false, true]);
        deliveries.told(&limits(&json!({ "DailyStreamingApiEvents": { "Max": 10, "Remaining": 5 } })));
        assert_eq!(deliveries.org(), Some(Allocation { max: 10, remaining: 5 }));
        assert!(!deliveries.told(&limits(&json!({}))), "an org that lists neither");
    }
}
