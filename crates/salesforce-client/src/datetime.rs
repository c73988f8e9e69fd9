//! Points in time as Salesforce writes them.
//!
//! REST and Bulk write `2024-01-02T03:04:05.000+0000` (an offset without a colon, which RFC 3339 does not allow),
//! PushTopic events `…:05.000Z`, change events `…:05Z`. All are UTC; all are accepted here.

use jiff::{Timestamp, tz::Offset};

/// Reads a point in time in any of the spellings that occur on the wire; `None` if it is none of them.
#[must_use]
pub fn parse_datetime(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// Reads the `Date` header of an HTTP reply (RFC 9110, one-second resolution).
pub(crate) fn parse_http_date(text: &str) -> Option<Timestamp> {
    Some(jiff::fmt::rfc2822::parse(text).ok()?.timestamp())
}

/// Writes a point in time as a SOQL literal: `2024-01-02T03:04:05Z`, with milliseconds only where there are any.
pub(crate) fn soql_literal(at: Timestamp) -> impl std::fmt::Display {
    let format = if at.subsec_nanosecond() == 0 { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S.%3fZ" };
    Offset::UTC.to_datetime(at).strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_the_wire_is_read() {
        for (text, expect) in [
            ("2024-01-02T03:04:05.000+0000", "2024-01-02T03:04:05Z"),
            ("2024-01-02T03:04:05.000Z", "2024-01-02T03:04:05Z"),
            ("2016-08-15T22:07:59.192Z", "2016-08-15T22:07:59.192Z"),
            ("2017-07-25T19:16:44Z", "2017-07-25T19:16:44Z"),
            ("2024-01-02T05:04:05.000+02:00", "2024-01-02T03:04:05Z"),
            ("1700-01-01T00:00:00.000+0000", "1700-01-01T00:00:00Z"),
        ] {
            assert_eq!(parse_datetime(text).map(|at| at.to_string()).as_deref(), Some(expect), "{text}");
        }
        for text in ["", "2024-01-02", "yesterday", "2024-01-02T03:04:05"] {
            assert_eq!(parse_datetime(text), None, "{text}");
        }
    }

    #[test]
    fn http_dates() {
        let at = parse_http_date("Tue, 02 Jan 2024 03:04:05 GMT").expect("a date");
        assert_eq!(at.to_string(), "2024-01-02T03:04:05Z");
        assert_eq!(parse_http_date("tomorrow"), None);
    }

    #[test]
    fn literals() {
        for (text, expect) in [
            ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z"),
            ("2024-01-02T03:04:05.120Z", "2024-01-02T03:04:05.120Z"),
            ("2024-01-02T03:04:05+02:00", "2024-01-02T01:04:05Z"),
        ] {
            let at: Timestamp = text.parse().expect("a timestamp");
            assert_eq!(soql_literal(at).to_string(), expect);
        }
    }
}
