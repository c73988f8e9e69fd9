//! Points in time that come again and again, as a cron expression names them.

use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use jiff::{Timestamp, tz::TimeZone};

use crate::capture::second::Second;

/// A cron expression of five fields (minute, hour, day of month, month, day of week) or one such as `@daily`. Its times are UTC: no
/// hour of the year is missing or comes twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule(Cron);

/// The fields of an expression, in their order.
const FIELDS: [&str; 5] = ["minute", "hour", "day of month", "month", "day of week"];

impl Schedule {
    /// Reads an expression.
    ///
    /// # Errors
    /// What it should be like, and which part of it is not.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some(schedule) = read(text).map(Self) else {
            let [minute, hour, day, month, weekday] = FIELDS;
            let bad = bad_field(text).map(|field| format!("; its {field} cannot be read")).unwrap_or_default();
            return Err(format!(
                "it is a cron expression in UTC of {minute}, {hour}, {day}, {month} and {weekday}, such as 30 3 * * * for 03:30 each \
                 day{bad}"
            ));
        };
        match schedule.next(Second::new(0)) {
            Some(_) => Ok(schedule),
            None => Err("no year has such a day: choose a day that its month has".into()),
        }
    }

    /// The first of its times after this one.
    pub fn next(&self, after: Second) -> Option<Second> {
        let after = Timestamp::from(after).to_zoned(TimeZone::UTC);
        self.0.find_next_occurrence(&after, false).ok().map(|next| next.timestamp().into())
    }

    /// How many of its times lie after the one and up to the other, as far as anybody wants to count.
    pub fn between(&self, after: Second, until: Second) -> usize {
        const COUNTED: usize = 100;
        let times = std::iter::successors(self.next(after), |time| self.next(*time));
        times.take(COUNTED).take_while(|time| *time <= until).count()
    }
}

fn read(text: &str) -> Option<Cron> {
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    parser.parse(text).ok()
}

/// The first field that cannot be read even alone.
fn bad_field(text: &str) -> Option<&'static str> {
    let fields: Vec<_> = text.split_whitespace().collect();
    let is_bad = |(n, field): &(usize, &&str)| {
        let mut alone = ["*"; FIELDS.len()];
        alone[*n] = field;
        read(&alone.join(" ")).is_none()
    };
    let (n, _) = fields.iter().enumerate().filter(|_| fields.len() == FIELDS.len()).find(is_bad)?;
    Some(FIELDS[n])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Second {
        text.parse::<Timestamp>().unwrap().into()
    }

    #[test]
    fn the_next_time_is_later() {
        for (expression, after, next) in [
            ("30 3 * * *", "2026-11-22T03:29:59Z", "2026-11-22T03:30:00Z"),
            ("30 3 * * *", "2026-11-22T03:30:00Z", "2026-11-23T03:30:00Z"),
            ("*/15 * * * *", "2026-11-22T03:30:01Z", "2026-11-22T03:45:00Z"),
            ("0 22 * * mon-fri", "2026-11-20T22:00:00Z", "2026-11-23T22:00:00Z"),
            ("0 6 1 * *", "2026-12-31T23:59:59Z", "2027-01-01T06:00:00Z"),
            // Clocks in Europe go back at 01:00 UTC of that day; these do not.
            ("0 1 * * *", "2026-10-25T00:59:59Z", "2026-10-25T01:00:00Z"),
            ("0 * * * *", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"),
            (" @weekly ", "2026-11-22T00:00:00Z", "2026-11-29T00:00:00Z"),
            ("0 0 29 2 *", "2026-11-22T00:00:00Z", "2028-02-29T00:00:00Z"),
        ] {
            assert_eq!(
                Schedule::parse(expression).unwrap().next(at(after)),
                Some(at(next)),
                "{expression} after {after}"
            );
        }
    }

    #[test]
    fn times_are_counted_up_to_the_last() {
        let hourly = Schedule::parse("0 * * * *").unwrap();
        for (after, until, count) in [
            ("2026-11-22T03:00:00Z", "2026-11-22T03:59:59Z", 0),
            ("2026-11-22T03:00:00Z", "2026-11-22T04:00:00Z", 1),
            ("2026-11-22T02:59:59Z", "2026-11-22T06:30:00Z", 4),
            ("2026-11-22T03:00:00Z", "2027-11-22T03:00:00Z", 100),
        ] {
            assert_eq!(hourly.between(at(after), at(until)), count, "{after} to {until}");
        }
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for (text, end) in [
            ("", "03:30 each day"),
            ("daily", "03:30 each day"),
            ("@dayly", "03:30 each day"),
            ("0 3 * *", "03:30 each day"),
            ("0 0 3 * * *", "03:30 each day"),
            ("0 3 * * * 2027", "03:30 each day"),
            ("60 3 * * *", "; its minute cannot be read"),
            ("0 24 * * *", "; its hour cannot be read"),
            ("0 3 0 * *", "; its day of month cannot be read"),
            ("0 3 * abc *", "; its month cannot be read"),
            ("0 3 * * mon-", "; its day of week cannot be read"),
            ("0 3 30 2 *", "choose a day that its month has"),
        ] {
            let problem = Schedule::parse(text).unwrap_err();
            assert!(problem.ends_with(end), "{text:?}: {problem}");
        }
    }
}
