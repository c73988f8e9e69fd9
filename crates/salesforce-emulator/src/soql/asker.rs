//! Who asks a query, when and where: what `TODAY` and `USING SCOPE mine` mean.

use std::ops::Range;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::date_literal::RelativeDate;
use crate::org::Id;

/// The user who asks, and the moment.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    /// Whose records `mine` are.
    pub user: Option<Id>,
    /// The moment, in virtual time.
    pub now: Timestamp,
    /// The user's zone, in which days begin.
    pub zone: TimeZone,
    /// First month of the org's fiscal year, 1 to 12.
    pub fiscal_month: i8,
}

impl Asker {
    /// Nobody, at no time: for queries that mean the same whoever asks them, such as a PushTopic's.
    pub(crate) fn nobody() -> Self {
        Self { user: None, now: Timestamp::UNIX_EPOCH, zone: TimeZone::UTC, fiscal_month: 1 }
    }

    /// The days that a literal means.
    pub(super) fn days(&self, literal: RelativeDate) -> Range<Date> {
        literal.days(self.now.to_zoned(self.zone.clone()).date(), self.fiscal_month)
    }

    /// When a day begins where the user is.
    pub(super) fn midnight(&self, day: Date) -> Timestamp {
        let edge = if day.year() < 0 { Timestamp::MIN } else { Timestamp::MAX };
        day.to_zoned(self.zone.clone()).map_or(edge, |zoned| zoned.timestamp())
    }
}
