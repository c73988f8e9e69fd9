//! Positions on a channel.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The id of an event on its channel: it grows, with gaps, beyond 32 bits, and means nothing elsewhere.
///
/// Never compute with it: the next id is unknown, and an id that was never issued is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct ReplayId(i64);

impl ReplayId {
    /// An id as it came from the wire or from a stored state; `None` if it is negative, since the wire uses negative
    /// numbers for other things.
    #[must_use]
    pub const fn new(id: i64) -> Option<ReplayId> {
        if id < 0 { None } else { Some(ReplayId(id)) }
    }

    /// The number, for storing.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for ReplayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<ReplayId> for i64 {
    fn from(id: ReplayId) -> i64 {
        id.0
    }
}

impl TryFrom<i64> for ReplayId {
    type Error = &'static str;

    fn try_from(id: i64) -> Result<Self, Self::Error> {
        ReplayId::new(id).ok_or("a replay id is not negative")
    }
}

/// Where to start reading a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReplayFrom {
    /// Events made after the subscription.
    Tip,
    /// Everything the org still keeps: 24 hours for PushTopics.
    Earliest,
    /// Everything after that event; it is not sent again itself.
    After(ReplayId),
}

impl ReplayFrom {
    /// The number the replay extension uses for it.
    pub(crate) const fn on_the_wire(self) -> i64 {
        match self {
            ReplayFrom::Tip => -1,
            ReplayFrom::Earliest => -2,
            ReplayFrom::After(id) => id.0,
        }
    }
}

/// The end of "reading …".
impl fmt::Display for ReplayFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReplayFrom::Tip => f.write_str("from the tip"),
            ReplayFrom::Earliest => f.write_str("from the earliest event kept"),
            ReplayFrom::After(id) => write!(f, "after event {id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_stored_as_a_number_and_never_negative() {
        let id: ReplayId = serde_json::from_str("5000000000").expect("an id");
        assert_eq!(serde_json::to_string(&id).expect("json"), "5000000000");
        assert!(serde_json::from_str::<ReplayId>("-2").is_err());
        assert_eq!(ReplayId::new(-1), None);
    }

    #[test]
    fn starting_points_on_the_wire() {
        let after = ReplayFrom::After(ReplayId::new(7).expect("an id"));
        assert_eq!([ReplayFrom::Tip, ReplayFrom::Earliest, after].map(ReplayFrom::on_the_wire), [-1, -2, 7]);
    }
}
