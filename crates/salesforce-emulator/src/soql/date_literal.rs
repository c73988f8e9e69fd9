//! Dates that depend on the day they are asked: `TODAY`, `LAST_N_DAYS:7`, `THIS_FISCAL_QUARTER`.

use std::ops::Range;

use jiff::ToSpan as _;
use jiff::civil::Date;

/// A span of whole days, weeks, months or years, counted from the current one, which is number 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RelativeDate {
    unit: Unit,
    /// First unit of the span.
    from: i64,
    /// One past the last.
    until: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Day,
    /// From Sunday, as in the locale of the org's users.
    Week,
    Month,
    Quarter,
    Year,
    FiscalQuarter,
    FiscalYear,
}

/// Largest `n`; beyond, dates leave the calendar anyway.
const MOST: u64 = 100_000;

impl RelativeDate {
    /// The literal of that name in any case, and of the number behind its colon if it has one. `None` if there is no such
    /// literal, or if it lacks its number or has one too many. (SOQL reference, "Date Literals".)
    pub(crate) fn parse(name: &str, n: Option<u64>) -> Option<Self> {
        let name = name.to_ascii_uppercase();
        let of = |unit, from, until| Some(Self { unit, from, until });
        let Some(n) = n else {
            return match name.as_str() {
                "YESTERDAY" => of(Unit::Day, -1, 0),
                "TODAY" => of(Unit::Day, 0, 1),
                "TOMORROW" => of(Unit::Day, 1, 2),
                "LAST_90_DAYS" => of(Unit::Day, -90, 1),
                "NEXT_90_DAYS" => of(Unit::Day, 1, 91),
                _ => {
                    let (which, unit) = name.split_once('_')?;
                    let unit = [
                        ("WEEK", Unit::Week),
                        ("MONTH", Unit::Month),
                        ("QUARTER", Unit::Quarter),
                        ("YEAR", Unit::Year),
                        ("FISCAL_QUARTER", Unit::FiscalQuarter),
                        ("FISCAL_YEAR", Unit::FiscalYear),
                    ]
                    .into_iter()
                    .find_map(|(known, found)| (known == unit).then_some(found))?;
                    match which {
                        "LAST" => of(unit, -1, 0),
                        "THIS" => of(unit, 0, 1),
                        "NEXT" => of(unit, 1, 2),
                        _ => None,
                    }
                }
            };
        };
        let n = i64::try_from(n.min(MOST)).ok()?;
        let units = |word: &str| {
            Some(match word {
                "DAYS" => Unit::Day,
                "WEEKS" => Unit::Week,
                "MONTHS" => Unit::Month,
                "QUARTERS" => Unit::Quarter,
                "YEARS" => Unit::Year,
                "FISCAL_QUARTERS" => Unit::FiscalQuarter,
                "FISCAL_YEARS" => Unit::FiscalYear,
                _ => return None,
            })
        };
        if let Some(word) = name.strip_prefix("LAST_N_") {
            let unit = units(word)?;
            // Of days the current one belongs to the last n; of longer units it does not.
            return of(unit, -n, i64::from(unit == Unit::Day));
        }
        if let Some(word) = name.strip_prefix("NEXT_N_") {
            return of(units(word)?, 1, n + 1);
        }
        of(units(name.strip_prefix("N_")?.strip_suffix("_AGO")?)?, -n, -n + 1)
    }

    /// Looks like one, whether there is such a literal or not.
    pub(super) fn is_meant(name: &str) -> bool {
        Self::parse(name, None).is_some() || Self::parse(name, Some(1)).is_some()
    }

    /// The days it covers, from the first to the one behind the last. A fiscal year begins in `fiscal_month`, 1 to 12.
    pub(crate) fn days(self, today: Date, fiscal_month: i8) -> Range<Date> {
        let start = |offset| self.unit.start(today, fiscal_month, offset);
        start(self.from)..start(self.until)
    }
}

impl Unit {
    /// First day of the unit that is so many after the current one; the calendar's end where there is none.
    fn start(self, today: Date, fiscal_month: i8, offset: i64) -> Date {
        let edge = if offset < 0 { Date::MIN } else { Date::MAX };
        let days = |from: Date, days: i64| from.checked_add(days.days()).unwrap_or(edge);
        match self {
            Self::Day => days(today, offset),
            Self::Week => {
                let since_sunday = i64::from(today.weekday().to_sunday_zero_offset());
                days(today, 7 * offset - since_sunday)
            }
            Self::Month => month(today, 1, 1, offset),
            Self::Quarter => month(today, 1, 3, offset),
            Self::Year => month(today, 1, 12, offset),
            Self::FiscalQuarter => month(today, fiscal_month, 3, offset),
            Self::FiscalYear => month(today, fiscal_month, 12, offset),
        }
    }
}

/// First day of a span of `length` months, the spans being counted from the month `first`.
fn month(today: Date, first: i8, length: i64, offset: i64) -> Date {
    let first = i64::from(first) - 1;
    let months = i64::from(today.year()) * 12 + i64::from(today.month()) - 1 - first;
    let start = (months.div_euclid(length) + offset) * length + first;
    let year = i16::try_from(start.div_euclid(12)).ok();
    let date = year.and_then(|year| Date::new(year, start.rem_euclid(12) as i8 + 1, 1).ok());
    date.unwrap_or(if offset < 0 { Date::MIN } else { Date::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Literal → days, on a Wednesday, with fiscal years from February on.
    #[test]
    fn table() {
        let today = "2026-03-18".parse().unwrap();
        let names = [
            "YESTERDAY",
            "TODAY",
            "TOMORROW",
            "LAST_90_DAYS",
            "NEXT_90_DAYS",
            "LAST_WEEK",
            "THIS_WEEK",
            "NEXT_WEEK",
            "LAST_MONTH",
            "THIS_MONTH",
            "NEXT_MONTH",
            "LAST_QUARTER",
            "THIS_QUARTER",
            "NEXT_QUARTER",
            "LAST_YEAR",
            "THIS_YEAR",
            "NEXT_YEAR",
            "LAST_FISCAL_QUARTER",
            "THIS_FISCAL_QUARTER",
            "NEXT_FISCAL_QUARTER",
            "LAST_FISCAL_YEAR",
            "THIS_FISCAL_YEAR",
            "NEXT_FISCAL_YEAR",
            "LAST_N_DAYS:2",
            "NEXT_N_DAYS:2",
            "N_DAYS_AGO:2",
            "LAST_N_WEEKS:2",
            "NEXT_N_WEEKS:2",
            "N_WEEKS_AGO:2",
            "LAST_N_MONTHS:2",
            "NEXT_N_MONTHS:2",
            "N_MONTHS_AGO:2",
            "LAST_N_QUARTERS:2",
            "NEXT_N_QUARTERS:2",
            "N_QUARTERS_AGO:2",
            "LAST_N_YEARS:2",
            "NEXT_N_YEARS:2",
            "N_YEARS_AGO:2",
            "LAST_N_FISCAL_QUARTERS:2",
            "NEXT_N_FISCAL_QUARTERS:2",
            "N_FISCAL_QUARTERS_AGO:2",
            "LAST_N_FISCAL_YEARS:2",
            "NEXT_N_FISCAL_YEARS:2",
            "N_FISCAL_YEARS_AGO:2",
            "last_n_days:0",
            "NEXT_N_YEARS:999999",
            "LAST_N_DAYS:18446744073709551615",
        ];
        let lines = names.map(|literal| {
            let (name, n) = literal.split_once(':').map_or((literal, None), |(name, n)| (name, n.parse().ok()));
            let days = RelativeDate::parse(name, n).unwrap().days(today, 2);
            format!("{literal} {} .. {}", days.start, days.end)
        });
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn none() {
        for (name, n) in
            [("TODAY", Some(1)), ("LAST_N_DAYS", None), ("LAST_DAY", None), ("N_DAYS", Some(1)), ("x", None)]
        {
            assert_eq!(RelativeDate::parse(name, n), None, "{name}");
        }
    }
}
