//! One field's value: from the JSON a client sends to what the database keeps, and from there to the JSON it reads.
//!
//! The database keeps texts, dates (`2024-01-02`), times (`03:04:05`) and datetimes (`2024-01-02T03:04:05`, UTC, whole
//! seconds) as text, so that its order is theirs; flags and whole numbers as integers; other numbers as floats.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rusqlite::types::{Value as Stored, ValueRef};
use serde_json::Value as Json;

use super::id::Id;
use super::refusal::Refusal;
use super::schema::{Field, FieldType};

/// Which of Salesforce's spellings to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// REST: datetimes end in `.000+0000`, the keys of addresses are in lower case.
    Rest,
    /// PushTopic events: datetimes end in `.000Z`, the keys of addresses are capitalised.
    Event,
}

/// The database's form of a datetime.
pub(crate) fn stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

/// Checks a value a client sent against its field and brings it into the database's form.
pub(crate) fn parse(field: &Field, json: &Json) -> Result<Stored, Refusal> {
    let wrong = || {
        let shown = match json {
            Json::String(_) => "VALUE_STRING",
            Json::Number(_) => "VALUE_NUMBER",
            Json::Bool(_) => "VALUE_BOOLEAN",
            Json::Array(_) => "START_ARRAY",
            Json::Object(_) => "START_OBJECT",
            Json::Null => "VALUE_NULL",
        };
        let value = json.as_str().map_or_else(|| json.to_string(), str::to_owned);
        let kind = field.kind.name();
        let message = format!(
            "Cannot deserialize instance of {kind} from {shown} value {value} or request may be missing a required field"
        );
        Refusal::bad("JSON_PARSER_ERROR", message)
    };
    if json.is_null() || json.as_str() == Some("") {
        return match field.kind {
            FieldType::Boolean => Err(wrong()),
            _ => Ok(Stored::Null),
        };
    }
    match field.kind {
        FieldType::Boolean => match json {
            Json::Bool(flag) => Ok(Stored::Integer((*flag).into())),
            Json::String(text) if text.eq_ignore_ascii_case("true") => Ok(Stored::Integer(1)),
            Json::String(text) if text.eq_ignore_ascii_case("false") => Ok(Stored::Integer(0)),
            _ => Err(wrong()),
        },
        FieldType::Int | FieldType::Long => number(json).filter(|n| n.fract() == 0.0).ok_or_else(wrong).and_then(|n| {
            let legal = field.kind == FieldType::Long || n.abs() <= f64::from(i32::MAX);
            let whole = json.as_i64().unwrap_or(n as i64);
            if legal { Ok(Stored::Integer(whole)) } else { Err(outside(field, json)) }
        }),
        FieldType::Double | FieldType::Currency | FieldType::Percent => {
            let n = number(json).ok_or_else(wrong)?;
            if n.is_finite() && n.abs() < field.bound() { Ok(Stored::Real(n)) } else { Err(outside(field, json)) }
        }
        FieldType::Date => {
            let text = json.as_str().ok_or_else(wrong)?;
            text.get(..10)
                .and_then(|day| day.parse::<jiff::civil::Date>().ok())
                .ok_or_else(wrong)
                .and_then(|day| within_calendar(field, day.at(0, 0, 0, 0)))
                .map(|day| Stored::Text(day.date().to_string()))
        }
        FieldType::DateTime => {
            let at = json.as_str().and_then(datetime).ok_or_else(wrong)?;
            within_calendar(field, at.to_zoned(TimeZone::UTC).datetime()).map(|_| Stored::Text(stamp(at)))
        }
        FieldType::Time => {
            let text = json.as_str().ok_or_else(wrong)?.trim_end_matches('Z');
            text.parse::<jiff::civil::Time>()
                .map_err(|_| wrong())
                .map(|time| Stored::Text(time.strftime("%H:%M:%S").to_string()))
        }
        FieldType::Id | FieldType::Reference => {
            let text = json.as_str().ok_or_else(wrong)?;
            let malformed = || {
                Refusal::field(
                    "MALFORMED_ID",
                    format!("{}: id value of incorrect type: {text}", field.label),
                    &field.name,
                )
            };
            Id::parse(text).map(|id| Stored::Text(id.to_string())).ok_or_else(malformed)
        }
        FieldType::Address | FieldType::Location => Err(wrong()),
        FieldType::Base64 => {
            let text = json.as_str().ok_or_else(wrong)?;
            let bytes = BASE64
                .decode(text)
                .map_err(|_| Refusal::bad("INVALID_BASE64_VALUE", format!("{}: not base64", field.label)));
            bytes.map(Stored::Blob)
        }
        FieldType::AnyType => Ok(Stored::Text(json.to_string())),
        FieldType::String
        | FieldType::TextArea
        | FieldType::Url
        | FieldType::Email
        | FieldType::Phone
        | FieldType::Picklist
        | FieldType::MultiPicklist
        | FieldType::EncryptedString
        | FieldType::DataCategoryGroupReference
        | FieldType::ComboBox => text(field, json, wrong),
    }
}

fn text(field: &Field, json: &Json, wrong: impl Fn() -> Refusal) -> Result<Stored, Refusal> {
    let text = match json {
        Json::String(text) => text.clone(),
        Json::Number(_) | Json::Bool(_) => json.to_string(),
        _ => return Err(wrong()),
    };
    let refuse = |code, message| Err(Refusal::field(code, format!("{}: {message}", field.label), &field.name));
    if text.chars().count() > field.length {
        return refuse("STRING_TOO_LONG", format!("data value too large: {text} (max length={})", field.length));
    }
    let offered = |value: &str| field.picklist().any(|known| known == value);
    if field.restricted_picklist && !text.split(separator(field.kind)).all(offered) {
        let message = format!("bad value for restricted picklist field: {text}");
        return refuse("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message);
    }
    match field.kind {
        FieldType::Email if !is_email(&text) => {
            refuse("INVALID_EMAIL_ADDRESS", format!("invalid email address: {text}"))
        }
        FieldType::MultiPicklist => {
            let order = |value: &&str| field.picklist().position(|known| known == *value).unwrap_or(usize::MAX);
            let mut values: Vec<&str> = text.split(';').collect();
            values.sort_by_key(order);
            Ok(Stored::Text(values.join(";")))
        }
        _ => Ok(Stored::Text(text)),
    }
}

/// What stands between the values of one text.
fn separator(kind: FieldType) -> &'static [char] {
    if kind == FieldType::MultiPicklist { &[';'] } else { &[] }
}

fn outside(field: &Field, json: &Json) -> Refusal {
    let message = format!("{}: value outside of valid range on numeric field: {json}", field.label);
    Refusal::field("NUMBER_OUTSIDE_VALID_RANGE", message, &field.name)
}

/// Dates reach from 1700 to 4000. (Salesforce Help, "Date Fields"; the text, which is Java's, seen in Apex logs.)
fn within_calendar(field: &Field, at: DateTime) -> Result<DateTime, Refusal> {
    if (1700..=4000).contains(&at.year()) {
        return Ok(at);
    }
    let message = format!("{}: invalid date: {}", field.label, at.strftime("%a %b %d %H:%M:%S GMT %Y"));
    Err(Refusal::field("FIELD_INTEGRITY_EXCEPTION", message, &field.name))
}

fn number(json: &Json) -> Option<f64> {
    json.as_f64().or_else(|| json.as_str()?.trim().parse().ok())
}

fn is_email(text: &str) -> bool {
    let legal = |part: &str| !part.is_empty() && !part.contains(char::is_whitespace);
    text.split_once('@').is_some_and(|(user, domain)| {
        legal(user)
            && legal(domain)
            && !domain.contains('@')
            && domain.contains('.')
            && !domain.starts_with('.')
            && !domain.ends_with('.')
    })
}

/// A datetime as clients write it: `Z`, `+00:00` or `+0000`, with or without a fraction.
pub(crate) fn datetime(text: &str) -> Option<Timestamp> {
    let at: Timestamp = text.parse().ok()?;
    Timestamp::from_second(at.as_second()).ok()
}

/// Appends a stored value as JSON.
pub(crate) fn write(out: &mut Vec<u8>, kind: FieldType, value: ValueRef<'_>, spelling: Spelling) {
    match (kind, value) {
        (_, ValueRef::Null | ValueRef::Blob(_)) => out.extend_from_slice(b"null"),
        (FieldType::Boolean, ValueRef::Integer(flag)) => {
            out.extend_from_slice(if flag == 0 { b"false" } else { b"true" });
        }
        (FieldType::Double | FieldType::Currency | FieldType::Percent, ValueRef::Integer(n)) => {
            write_double(out, n as f64);
        }
        (_, ValueRef::Integer(n)) => write_display(out, n),
        (_, ValueRef::Real(n)) => write_double(out, n),
        (FieldType::DateTime, ValueRef::Text(text)) => {
            out.push(b'"');
            out.extend_from_slice(text);
            out.extend_from_slice(if spelling == Spelling::Rest { b".000+0000\"" } else { b".000Z\"" });
        }
        (FieldType::Time, ValueRef::Text(text)) => {
            out.push(b'"');
            out.extend_from_slice(text);
            out.extend_from_slice(b".000Z\"");
        }
        (FieldType::AnyType, ValueRef::Text(text)) => out.extend_from_slice(text),
        (_, ValueRef::Text(text)) => write_text(out, &String::from_utf8_lossy(text)),
    }
}

/// A number as people write it: `15000`, `2.5`.
pub(super) fn spelled(value: &Stored) -> Option<String> {
    match value {
        Stored::Integer(n) => Some(n.to_string()),
        Stored::Real(n) => Some(n.to_string()),
        _ => None,
    }
}

/// Appends a JSON string.
pub(crate) fn write_text(out: &mut Vec<u8>, text: &str) {
    // Writing to memory cannot fail, and a string is always JSON.
    let _ = serde_json::to_writer(out, text);
}

fn write_display(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    let _ = write!(out, "{value}");
}

/// Appends a double as Java prints it, which is what Salesforce does: `15000.0`, and `1.5E7` from ten million on.
pub(super) fn write_double(out: &mut Vec<u8>, n: f64) {
    if n == 0.0 || (1e-3..1e7).contains(&n.abs()) {
        let text = n.to_string();
        out.extend_from_slice(text.as_bytes());
        if !text.contains('.') {
            out.extend_from_slice(b".0");
        }
    } else {
        let text = format!("{n:E}");
        let (mantissa, exponent) = text.split_once('E').unwrap_or((&text, "0"));
        let point = if mantissa.contains('.') { "" } else { ".0" };
        write_display(out, format_args!("{mantissa}{point}E{exponent}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_as_java_prints_them() {
        for (n, text) in [
            (0.0, "0.0"),
            (15000.0, "15000.0"),
            (-2.5, "-2.5"),
            (1.5e7, "1.5E7"),
            (1e7, "1.0E7"),
            (9_999_999.99, "9999999.99"),
            (123_456_789.25, "1.2345678925E8"),
            (0.001, "0.001"),
            (0.0001, "1.0E-4"),
            (0.1 + 0.2, "0.30000000000000004"),
        ] {
            let mut out = Vec::new();
            write_double(&mut out, n);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }

    #[test]
    fn datetimes_in_every_spelling() {
        for text in [
            "2024-01-02T03:04:05Z",
            "2024-01-02T03:04:05.999Z",
            "2024-01-02T03:04:05.000+0000",
            "2024-01-02T03:04:05+00:00",
            "2024-01-02T04:04:05+01:00",
        ] {
            assert_eq!(datetime(text).map(stamp).as_deref(), Some("2024-01-02T03:04:05"), "{text}");
        }
        for text in ["", "2024-01-02", "yesterday", "2024-01-02T03:04:05"] {
            assert_eq!(datetime(text), None, "{text}");
        }
    }
}
