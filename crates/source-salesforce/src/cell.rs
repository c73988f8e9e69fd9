//! Cells of Bulk API results as the JSON that documents hold: CSV loses what JSON says, and the type of the field tells it again.

use salesforce_client::FieldType;

/// A cell that cannot be what its field says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no {expected}")]
pub struct Misfit {
    expected: &'static str,
}

/// Whether Bulk results carry fields of this type without loss. Compounds and files cannot be selected, lists are not returned, and
/// a cell does not tell whether an `anyType` was a text or a number (Bulk API 2.0 developer guide).
pub fn carries(kind: &FieldType) -> bool {
    !matches!(
        kind,
        FieldType::Address
            | FieldType::Location
            | FieldType::Base64
            | FieldType::AnyType
            | FieldType::JunctionIdList
            | FieldType::ComplexValue
            | FieldType::Json
            | FieldType::RelationshipInfo
            | FieldType::Other(_)
    )
}

/// Appends the JSON of a cell of a type that Bulk results carry. An empty cell is null: Salesforce stores no empty texts.
///
/// # Errors
/// When the cell is not of its type.
pub fn write(out: &mut Vec<u8>, kind: &FieldType, cell: &str) -> Result<(), Misfit> {
    if cell.is_empty() {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    match kind {
        FieldType::Boolean if !matches!(cell, "true" | "false") => return Err(Misfit { expected: "boolean" }),
        FieldType::Int | FieldType::Long | FieldType::Double | FieldType::Currency | FieldType::Percent
            if !is_number(cell) =>
        {
            return Err(Misfit { expected: "number" });
        }
        FieldType::Boolean
        | FieldType::Int
        | FieldType::Long
        | FieldType::Double
        | FieldType::Currency
        | FieldType::Percent => out.extend_from_slice(cell.as_bytes()),
        FieldType::DateTime => {
            let time = cell.strip_suffix("+0000").or_else(|| cell.strip_suffix('Z'));
            let time = time.filter(|time| is_time(time)).ok_or(Misfit { expected: "point in time in UTC" })?;
            out.push(b'"');
            out.extend_from_slice(time.as_bytes());
            out.extend_from_slice(b"Z\"");
        }
        _ => {
            // Writing to memory does not fail.
            let _ = serde_json::to_writer(out, cell);
        }
    }
    Ok(())
}

/// Whether the cell is a number as JSON writes it: plain or scientific (RFC 8259, section 6).
fn is_number(cell: &str) -> bool {
    let whole = cell.strip_prefix('-').unwrap_or(cell);
    let rest = match whole.strip_prefix('0') {
        Some(rest) => Some(rest),
        None => after_digits(whole),
    };
    let rest = rest.and_then(|rest| rest.strip_prefix('.').map_or(Some(rest), after_digits));
    let rest = rest.and_then(|rest| match rest.strip_prefix(['e', 'E']) {
        Some(exponent) => after_digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)),
        None => Some(rest),
    });
    rest == Some("")
}

/// What follows the digits that a text begins with; `None` if it begins with none.
fn after_digits(text: &str) -> Option<&str> {
    let rest = text.trim_start_matches(|character: char| character.is_ascii_digit());
    (rest.len() < text.len()).then_some(rest)
}

/// Whether this is a day and a time of day, with or without a fraction of a second. What they are is not looked into: it is
/// written as it came.
fn is_time(text: &str) -> bool {
    const FORM: &[u8] = b"0000-00-00T00:00:00";
    let fits = |(byte, form): (&u8, &u8)| if *form == b'0' { byte.is_ascii_digit() } else { byte == form };
    let Some((time, fraction)) = text.as_bytes().split_at_checked(FORM.len()) else { return false };
    time.iter().zip(FORM).all(fits)
        && (fraction.is_empty()
            || fraction[0] == b'.' && fraction.len() > 1 && fraction[1..].iter().all(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;

    proptest! {
        /// What is written as a number is one to any reader, and nothing that Salesforce writes is refused.
        #[test]
        fn numbers_are_those_of_json(cell in "-{0,2}[0-9]{0,4}(\\.{0,2}[0-9]{0,3})([eE][-+]?[0-9]{0,3})?[ x]?") {
            let is_json = serde_json::from_str::<&RawValue>(&cell).is_ok_and(|value| value.get() == cell);
            prop_assert_eq!(is_number(&cell), is_json, "{}", cell);
        }
    }

    #[test]
    fn times_have_their_form() {
        for (text, expect) in [
            ("2024-01-02T03:04:05", true),
            ("2024-01-02T03:04:05.000", true),
            ("2024-01-02T03:04:05.", false),
            ("2024-01-02T03:04:05.0\"", false),
            ("2024-01-02 03:04:05", false),
            ("2024-01-02T03:04:5", false),
            ("12024-01-02T03:04:05", false),
            ("2024-01-02", false),
            ("ä024-01-02T03:04:05", false),
            ("", false),
        ] {
            assert_eq!(is_time(text), expect, "{text}");
        }
    }
}
