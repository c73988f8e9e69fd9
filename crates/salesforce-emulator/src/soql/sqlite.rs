//! What SOQL needs of SQLite and SQLite has not: comparisons that fold the case of every alphabet, and parts of dates.

use std::cmp::Ordering;

use jiff::tz::TimeZone;
use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::Value as Stored;

use super::date_function::{DateFunction, Part};

/// Teaches a connection what compiled queries use: the collation `NOCASE`, `LIKE`, and `date_part(function, value, zone,
/// fiscal month)`.
pub(crate) fn install(connection: &Connection) -> rusqlite::Result<()> {
    let pure = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_collation("NOCASE", without_case)?;
    connection.create_scalar_function("like", 2, pure, |call| like(call, None))?;
    connection.create_scalar_function("like", 3, pure, |call| like(call, Some('\\')))?;
    connection.create_scalar_function("date_part", 4, pure, date_part)
}

/// Compares texts without their case.
fn without_case(one: &str, other: &str) -> Ordering {
    if one.is_ascii() && other.is_ascii() {
        let lower = |byte: u8| byte.to_ascii_lowercase();
        return one.bytes().map(lower).cmp(other.bytes().map(lower));
    }
    one.chars().flat_map(char::to_lowercase).cmp(other.chars().flat_map(char::to_lowercase))
}

fn like(call: &Context<'_>, escape: Option<char>) -> rusqlite::Result<Option<bool>> {
    let text = |at| match call.get::<Stored>(at)? {
        Stored::Text(text) => Ok(Some(text)),
        Stored::Integer(n) => Ok(Some(n.to_string())),
        Stored::Real(n) => Ok(Some(n.to_string())),
        Stored::Null | Stored::Blob(_) => Ok::<_, rusqlite::Error>(None),
    };
    Ok(text(0)?.zip(text(1)?).map(|(pattern, text)| is_like(&text, &pattern, escape)))
}

/// One element of a pattern.
#[derive(Clone, Copy, PartialEq)]
enum Piece {
    Run,
    One,
    This(char),
}

/// Does a text fit a pattern, in which `%` stands for any run of characters and `_` for one, whatever their case?
fn is_like(text: &str, pattern: &str, escape: Option<char>) -> bool {
    let text: Vec<char> = text.chars().flat_map(char::to_lowercase).collect();
    let mut pieces = Vec::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            _ if Some(c) == escape => {
                pieces.extend(chars.next().into_iter().flat_map(char::to_lowercase).map(Piece::This));
            }
            '%' => pieces.push(Piece::Run),
            '_' => pieces.push(Piece::One),
            _ => pieces.extend(c.to_lowercase().map(Piece::This)),
        }
    }
    // After the last run there is nothing to gain from another length of an earlier one.
    let (mut at, mut piece, mut back) = (0, 0, None);
    while at < text.len() {
        match pieces.get(piece) {
            Some(Piece::Run) => {
                back = Some((at, piece));
                piece += 1;
            }
            Some(Piece::This(wanted)) if *wanted == text[at] => (at, piece) = (at + 1, piece + 1),
            Some(Piece::One) => (at, piece) = (at + 1, piece + 1),
            _ => {
                let Some((from, run)) = back else { return false };
                back = Some((from + 1, run));
                (at, piece) = (from + 1, run + 1);
            }
        }
    }
    pieces[piece..].iter().all(|piece| *piece == Piece::Run)
}

/// Null for what is no date, and in a zone nobody knows.
fn date_part(call: &Context<'_>) -> rusqlite::Result<Stored> {
    let (function, stored): (String, Option<String>) = (call.get(0)?, call.get(1)?);
    let (zone, fiscal_month): (Option<String>, i8) = (call.get(2)?, call.get(3)?);
    let zone = zone.map_or(Some(TimeZone::UTC), |zone| TimeZone::get(&zone).ok());
    let part = DateFunction::parse(&function).zip(stored).zip(zone);
    Ok(match part.and_then(|((function, stored), zone)| function.of(&stored, &zone, fiscal_month)) {
        Some(Part::Number(n)) => Stored::Integer(n),
        Some(Part::Day(day)) => Stored::Text(day.to_string()),
        None => Stored::Null,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns() {
        for (text, pattern, fits) in [
            ("Alpha", "a%", true),
            ("Alpha", "%PH_", true),
            ("Alpha", "alpha", true),
            ("Alpha", "a", false),
            ("ÉCOLE", "é%le", true),
            ("50% off", r"50\%%", true),
            ("50 % off", r"50\%%", false),
            ("a_b", r"a\_b", true),
            ("axb", r"a\_b", false),
            ("", "%", true),
            ("", "_", false),
            ("aXbXc", "%x_", true),
            ("mississippi", "%iss%pp_", true),
        ] {
            assert_eq!(is_like(text, pattern, Some('\\')), fits, "{text} LIKE {pattern}");
        }
    }

    #[test]
    fn installed() {
        let connection = Connection::open_in_memory().unwrap();
        install(&connection).unwrap();
        let ask = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, Stored>(0)).unwrap();
        assert_eq!(ask("SELECT 'ÉCOLE' = 'école' COLLATE NOCASE"), Stored::Integer(1));
        assert_eq!(ask("SELECT 'ÉCOLE' LIKE 'école'"), Stored::Integer(1));
        assert_eq!(ask("SELECT NULL LIKE 'x'"), Stored::Null);
        assert_eq!(
            ask("SELECT date_part('DAY_ONLY', '2026-01-01T03:00:00', 'America/New_York', 1)"),
            Stored::Text("2025-12-31".into())
        );
        assert_eq!(ask("SELECT date_part('CALENDAR_YEAR', NULL, NULL, 1)"), Stored::Null);
    }

    proptest! {
        /// As a regular matcher without the trick would say.
        #[test]
        fn runs_of_any_length(text in "[ab]{0,8}", pattern in "[ab%_]{0,8}") {
            fn plain(text: &[u8], pattern: &[u8]) -> bool {
                match pattern.split_first() {
                    None => text.is_empty(),
                    Some((b'%', rest)) => (0..=text.len()).any(|at| plain(&text[at..], rest)),
                    Some((b'_', rest)) => !text.is_empty() && plain(&text[1..], rest),
                    Some((c, rest)) => text.first() == Some(c) && plain(&text[1..], rest),
                }
            }
            prop_assert_eq!(is_like(&text, &pattern, None), plain(text.as_bytes(), pattern.as_bytes()));
        }
    }
}
