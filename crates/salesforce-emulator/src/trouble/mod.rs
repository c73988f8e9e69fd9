//! Trouble from a seed: what strikes whom, and when. Carrying it out is left to those who own the place: the way into the
//! HTTP interface, CometD's rules, the org.
//!
//! A plan is pure. It is told of one *occasion* after the other (a query came, events are about to be delivered, a record was
//! changed) and says what befalls it. Each kind of occasion is a [`lane`] with its own sequence, drawn from the seed and the
//! name of the lane alone: the n-th query meets the same trouble however many other requests came before it, and whatever
//! the time is. The same client behaviour therefore meets the same trouble.
//!
//! A plan leaves room: after at most [`Trouble::in_a_row`] strikes a lane lets at least one occasion pass. Trouble that lasts
//! (calls exhausted, events held back, a topic gone) is bounded by a number of its own. So whoever tries again gets through in
//! the end. What loses data by design ([`TroubleKind::loses_data`]) never strikes unless it is asked for by name.

mod kind;
mod lane;
mod ongoing;
mod plan;
mod strike;
mod topics;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use kind::TroubleKind;
pub(crate) use ongoing::Ongoing;
pub use plan::{Struck, TroubleReport};

/// Trouble to come.
///
/// ```json
/// {"seed": 7, "every": 20, "kinds": {"unavailable": 3, "dropped_client": 1, "topic_recreated": 1}}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Trouble {
    /// The same seed brings the same trouble.
    pub seed: u64,
    /// Kinds of trouble and their weights against each other; a kind that is absent never strikes. Empty: every kind that
    /// loses no data, all alike.
    pub kinds: BTreeMap<TroubleKind, u64>,
    /// Only these kinds of occasions, as [`TroubleReport::seen`] names them: the kinds of requests that `/__emulator/calls` counts,
    /// and `handshake`, `connect`, `subscribe`, `replay`, `delivery`, `change`, `late`. Empty: all.
    pub only: Vec<String>,
    /// How many occasions of a kind pass on average before one is struck.
    pub every: u64,
    /// How many occasions of a kind may be struck one after the other.
    pub in_a_row: u64,
    /// Real time after which a stalled body's connection breaks, in milliseconds.
    pub stall_ms: u64,
    /// Real time over which a slow body arrives, in milliseconds.
    pub slow_ms: u64,
    /// Most requests that are refused each time the day's calls are exhausted.
    pub refusals: u64,
    /// Most replies without events each time events are held back.
    pub holds: u64,
    /// Most changes after which a topic that was deleted, deactivated or changed is as it was, and after which a late change
    /// becomes visible.
    pub changes: u64,
    /// Hours by which the clock jumps, summed over the whole plan. Less than a day keeps every event within retention.
    pub hours: u64,
}

impl Default for Trouble {
    fn default() -> Self {
        Self {
            seed: 1,
            kinds: BTreeMap::new(),
            only: Vec::new(),
            every: 10,
            in_a_row: 1,
            stall_ms: 1_000,
            slow_ms: 300,
            refusals: 3,
            holds: 3,
            changes: 20,
            hours: 20,
        }
    }
}

/// Trouble that cannot be planned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TroubleError {
    /// A number that must be at least 1 is 0.
    #[error("'{0}' must be at least 1")]
    Zero(&'static str),
    /// A number nobody can mean.
    #[error("'{0}' is too large")]
    TooLarge(&'static str),
    /// Nothing would ever strike.
    #[error("the kinds of trouble need a weight above 0")]
    NoKinds,
}

impl Trouble {
    /// Every kind that loses no data.
    pub fn from_seed(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    fn check(&self) -> Result<(), TroubleError> {
        const MOST: u64 = 1_000_000_000;
        let numbers = [
            ("every", self.every),
            ("in_a_row", self.in_a_row),
            ("refusals", self.refusals),
            ("holds", self.holds),
            ("changes", self.changes),
            ("stall_ms", self.stall_ms),
            ("slow_ms", self.slow_ms),
        ];
        for (name, number) in numbers {
            match number {
                0 => return Err(TroubleError::Zero(name)),
                1..=MOST => {}
                _ => return Err(TroubleError::TooLarge(name)),
            }
        }
        let weights = [("hours", self.hours)].into_iter().chain(self.kinds.values().map(|weight| ("kinds", *weight)));
        for (name, number) in weights {
            if number > MOST {
                return Err(TroubleError::TooLarge(name));
            }
        }
        let silent = !self.kinds.is_empty() && self.kinds.values().all(|weight| *weight == 0);
        if silent { Err(TroubleError::NoKinds) } else { Ok(()) }
    }

    fn weight(&self, kind: TroubleKind) -> u64 {
        if self.kinds.is_empty() { u64::from(!kind.loses_data()) } else { self.kinds.get(&kind).copied().unwrap_or(0) }
    }

    fn reaches(&self, lane: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == lane)
    }
}
