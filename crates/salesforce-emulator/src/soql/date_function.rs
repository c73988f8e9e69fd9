//! Parts of dates: `CALENDAR_YEAR(CreatedDate)` and its kin.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::org::FieldType;

/// A function of a date. (SOQL reference, "Date Functions".)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DateFunction {
    CalendarMonth,
    CalendarQuarter,
    CalendarYear,
    DayInMonth,
    DayInWeek,
    DayInYear,
    DayOnly,
    FiscalMonth,
    FiscalQuarter,
    FiscalYear,
    HourInDay,
    WeekInMonth,
    WeekInYear,
}

/// A part of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Number(i64),
    Day(Date),
}

impl DateFunction {
    const ALL: [(&'static str, Self); 13] = [
        ("CALENDAR_MONTH", Self::CalendarMonth),
        ("CALENDAR_QUARTER", Self::CalendarQuarter),
        ("CALENDAR_YEAR", Self::CalendarYear),
        ("DAY_IN_MONTH", Self::DayInMonth),
        ("DAY_IN_WEEK", Self::DayInWeek),
        ("DAY_IN_YEAR", Self::DayInYear),
        ("DAY_ONLY", Self::DayOnly),
        ("FISCAL_MONTH", Self::FiscalMonth),
        ("FISCAL_QUARTER", Self::FiscalQuarter),
        ("FISCAL_YEAR", Self::FiscalYear),
        ("HOUR_IN_DAY", Self::HourInDay),
        ("WEEK_IN_MONTH", Self::WeekInMonth),
        ("WEEK_IN_YEAR", Self::WeekInYear),
    ];

    /// The function of that name in any case.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, function)| *function)
    }

    /// Its name in SOQL.
    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, function)| *function == self).map_or("", |(name, _)| name)
    }

    /// The type of what it makes of a field of this type; `None` if it cannot.
    pub(super) fn makes(self, kind: FieldType) -> Option<FieldType> {
        match (self, kind) {
            (Self::DayOnly, FieldType::DateTime) => Some(FieldType::Date),
            (Self::DayOnly | Self::HourInDay, FieldType::Date) => None,
            (_, FieldType::Date | FieldType::DateTime) => Some(FieldType::Int),
            _ => None,
        }
    }

    /// The part of a date or datetime as the database keeps it; datetimes are read in `zone`. Fiscal years begin in
    /// `fiscal_month`, 1 to 12, and bear the number of the calendar year in which they end.
    pub(super) fn of(self, stored: &str, zone: &TimeZone, fiscal_month: i8) -> Option<Part> {
        let at: DateTime = match stored.parse::<Date>() {
            Ok(date) if stored.len() <= 10 => date.to_datetime(jiff::civil::Time::midnight()),
            _ => format!("{stored}Z").parse::<Timestamp>().ok()?.to_zoned(zone.clone()).datetime(),
        };
        let fiscal = (i64::from(at.month()) - i64::from(fiscal_month)).rem_euclid(12);
        let week = |day: i64| (day - 1) / 7 + 1;
        let quarter = |month: i64| (month - 1) / 3 + 1;
        Some(Part::Number(match self {
            Self::DayOnly => return Some(Part::Day(at.date())),
            Self::CalendarMonth => at.month().into(),
            Self::CalendarQuarter => quarter(at.month().into()),
            Self::CalendarYear => at.year().into(),
            Self::DayInMonth => at.day().into(),
            Self::DayInWeek => at.weekday().to_sunday_one_offset().into(),
            Self::DayInYear => at.day_of_year().into(),
            Self::FiscalMonth => fiscal + 1,
            Self::FiscalQuarter => quarter(fiscal + 1),
            Self::FiscalYear => i64::from(at.year()) + i64::from(fiscal_month > 1 && at.month() >= fiscal_month),
            Self::HourInDay => at.hour().into(),
            Self::WeekInMonth => week(at.day().into()),
            Self::WeekInYear => week(at.day_of_year().into()),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every function of a Sunday night in UTC, there and in Los Angeles, where it is still Saturday; fiscal years from
    /// February on.
    #[test]
    fn table() {
        let angeles = TimeZone::get("America/Los_Angeles").unwrap();
        let lines = DateFunction::ALL.map(|(name, function)| {
            let of = |stored: &str, zone: &TimeZone| function.of(stored, zone, 2);
            let parts = [
                of("2026-03-15T05:30:00", &TimeZone::UTC),
                of("2026-03-15T05:30:00", &angeles),
                of("2026-01-31", &TimeZone::UTC),
                of("nonsense", &TimeZone::UTC),
            ];
            assert_eq!(DateFunction::parse(&name.to_ascii_lowercase()), Some(function));
            format!("{name}: {parts:?}")
        });
        insta::assert_snapshot!(lines.join("\n"));
    }
}
