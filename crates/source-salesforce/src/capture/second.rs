//! Time as the org tells it: whole seconds.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A second of the org's clock, the resolution of `SystemModstamp` and of the `Date` header. Written in the state as
/// RFC 3339 text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Timestamp", into = "Timestamp")]
pub struct Second(i64);

impl Second {
    /// Before all others: that of [`Timestamp::MIN`].
    pub const MIN: Self = Self(-377_705_023_201);

    /// From seconds since 1970-01-01T00:00:00Z, kept within the years that [`Timestamp`] knows.
    pub fn new(seconds: i64) -> Self {
        Self(seconds.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second()))
    }

    /// This many seconds later; earlier where negative.
    pub fn plus(self, seconds: i64) -> Self {
        Self::new(self.0.saturating_add(seconds))
    }

    /// The beginning of the span of so many seconds that it falls into.
    pub fn whole(self, seconds: i64) -> Self {
        Self::new(self.0 - self.0.rem_euclid(seconds))
    }

    /// Seconds from `earlier` to this one.
    pub fn since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }
}

impl From<Timestamp> for Second {
    fn from(time: Timestamp) -> Self {
        Self::new(time.as_second())
    }
}

impl From<Second> for Timestamp {
    fn from(second: Second) -> Self {
        Timestamp::from_second(second.0).unwrap_or(Timestamp::MAX)
    }
}

impl std::fmt::Display for Second {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Timestamp::from(*self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_second() {
        assert_eq!(Second::MIN, Second::from(Timestamp::MIN));
        assert_eq!(serde_json::from_str::<Second>(&serde_json::to_string(&Second::MIN).unwrap()).unwrap(), Second::MIN);
    }
}
