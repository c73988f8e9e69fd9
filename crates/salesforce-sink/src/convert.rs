//! JSON values become values of a field, by the kind that the describe names; what does not fit is told with a reason.
//!
//! Numbers never pass through a float: digits travel as they were written. How long a text may be, and which values a picklist takes, is
//! left to Salesforce: its rules depend on the org's settings and its refusal names the field.

use std::{borrow::Cow, fmt::Display};

use base64::{Engine as _, alphabet, engine::GeneralPurpose, engine::general_purpose::PAD};
use jiff::{Timestamp, ToSpan, civil};
use salesforce_client::{Field, FieldType, RecordId, parse_datetime};
use serde_json::value::RawValue;

use crate::row::Cell;

/// Why a value does not fit its field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Misfit(String);

impl Misfit {
    pub(crate) fn new(why: impl Into<String>) -> Misfit {
        Misfit(why.into())
    }
}

/// A JSON value by its kind. Texts are unescaped, numbers as written.
enum Json<'a> {
    Null,
    Text(Cow<'a, str>),
    Number(&'a str),
    Boolean(bool),
    Array(&'a str),
    Object,
}

impl<'a> Json<'a> {
    fn of(value: &'a RawValue) -> Json<'a> {
        let text = value.get();
        match text.as_bytes().first() {
            Some(b'"') => Json::Text(unquoted(text)),
            Some(b'[') => Json::Array(text),
            Some(b'{') => Json::Object,
            Some(b't') => Json::Boolean(true),
            Some(b'f') => Json::Boolean(false),
            Some(b'n') | None => Json::Null,
            Some(_) => Json::Number(text),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Text(_) => "a text",
            Json::Number(_) => "a number",
            Json::Boolean(_) => "a boolean",
            Json::Array(_) => "an array",
            Json::Object => "an object",
        }
    }
}

/// The text of a JSON string, borrowed where nothing is escaped.
fn unquoted(text: &str) -> Cow<'_, str> {
    match text.get(1..text.len() - 1) {
        Some(inside) if !inside.contains('\\') => Cow::Borrowed(inside),
        _ => Cow::Owned(serde_json::from_str(text).unwrap_or_default()),
    }
}

/// The value of a field of this kind.
pub(crate) fn convert(value: &RawValue, field: &Field) -> Result<Cell, Misfit> {
    let json = Json::of(value);
    // An empty text is null for every kind: no form of a number or a date is empty.
    if matches!(&json, Json::Null) || matches!(&json, Json::Text(text) if text.is_empty()) {
        return Ok(Cell::Null);
    }
    match field.kind {
        FieldType::Id | FieldType::Reference | FieldType::MasterRecord => record_id(&json),
        FieldType::String
        | FieldType::TextArea
        | FieldType::Url
        | FieldType::Email
        | FieldType::Phone
        | FieldType::Picklist
        | FieldType::Combobox
        | FieldType::EncryptedString
        | FieldType::DataCategoryGroupReference => text(&json, &field.kind),
        FieldType::MultiPicklist => choices(&json, &field.kind),
        FieldType::Boolean => boolean(&json, &field.kind),
        FieldType::Int | FieldType::Long => integer(&json, &field.kind),
        FieldType::Double | FieldType::Currency | FieldType::Percent => number(&json, &field.kind),
        FieldType::Date => date(&json),
        FieldType::DateTime => datetime(&json),
        FieldType::Time => time(&json),
        FieldType::Base64 => base64(&json, &field.kind),
        FieldType::AnyType | FieldType::Json | FieldType::Other(_) => scalar(&json, &field.kind),
        FieldType::Address | FieldType::Location => {
            Err(Misfit::new(format!("a compound ({}) cannot be written; write its parts", field.kind)))
        }
        FieldType::ComplexValue | FieldType::JunctionIdList | FieldType::RelationshipInfo => {
            Err(Misfit::new(format!("a field of type {} cannot be written as a value", field.kind)))
        }
    }
}

/// Whether values of a JSON type, in the words of JSON schema, can become values of the field. Of a text it is seen only when it comes
/// whether it is spelled as one.
#[must_use]
pub fn takes(field: &Field, json_type: &str) -> bool {
    let example = match json_type {
        "boolean" => "true",
        "number" | "integer" => "1",
        "array" => "[]",
        "object" => "{}",
        _ => return !is_compound(&field.kind),
    };
    serde_json::from_str::<&RawValue>(example).is_ok_and(|value| convert(value, field).is_ok())
}

fn is_compound(kind: &FieldType) -> bool {
    use FieldType::{Address, ComplexValue, JunctionIdList, Location, RelationshipInfo};
    matches!(kind, Address | Location | ComplexValue | JunctionIdList | RelationshipInfo)
}

fn cannot_be(json: &Json<'_>, kind: &FieldType) -> Misfit {
    Misfit::new(format!("{} cannot become a value of type {kind}", json.kind()))
}

fn is_no(what: &str, given: impl Display) -> Misfit {
    const SHOWN: usize = 60;
    let given: String = given.to_string().chars().take(SHOWN).collect();
    Misfit::new(format!("{given:?} is no {what}"))
}

fn record_id(json: &Json<'_>) -> Result<Cell, Misfit> {
    let Json::Text(text) = json else { return Err(cannot_be(json, &FieldType::Id)) };
    let id: RecordId = text.parse().map_err(|_| is_no("record id (15 or 18 letters and digits)", text))?;
    Ok(Cell::text(id.as_str()))
}

fn text(json: &Json<'_>, kind: &FieldType) -> Result<Cell, Misfit> {
    match json {
        Json::Text(text) => Ok(Cell::text(text.as_ref())),
        Json::Number(digits) => Ok(Cell::text(*digits)),
        Json::Boolean(value) => Ok(Cell::text(value.to_string())),
        Json::Null | Json::Array(_) | Json::Object => Err(cannot_be(json, kind)),
    }
}

/// Several values of a picklist, joined as Salesforce joins them.
fn choices(json: &Json<'_>, kind: &FieldType) -> Result<Cell, Misfit> {
    let Json::Array(array) = json else { return text(json, kind) };
    let choices: Vec<Cow<'_, str>> =
        serde_json::from_str(array).map_err(|_| Misfit::new("an array of choices has texts only"))?;
    match choices.iter().find(|choice| choice.contains(';')) {
        Some(choice) => Err(Misfit::new(format!("the choice {choice:?} has a semicolon, which separates choices"))),
        None => Ok(Cell::text(choices.join(";"))),
    }
}

fn boolean(json: &Json<'_>, kind: &FieldType) -> Result<Cell, Misfit> {
    let value = match json {
        Json::Boolean(value) => *value,
        Json::Number("1") => true,
        Json::Number("0") => false,
        Json::Number(digits) => return Err(is_no("boolean", digits)),
        Json::Text(text) if text.eq_ignore_ascii_case("true") || **text == *"1" => true,
        Json::Text(text) if text.eq_ignore_ascii_case("false") || **text == *"0" => false,
        Json::Text(text) => return Err(is_no("boolean", text)),
        Json::Null | Json::Array(_) | Json::Object => return Err(cannot_be(json, kind)),
    };
    Ok(Cell::literal(if value { "true" } else { "false" }))
}

/// The text of a number, from a number or from a text that is one.
fn digits<'a>(json: &'a Json<'_>, kind: &FieldType) -> Result<&'a str, Misfit> {
    match json {
        Json::Number(digits) => Ok(digits),
        Json::Text(text) => {
            let trimmed = text.trim();
            let unsigned = trimmed.strip_prefix('+').unwrap_or(trimmed);
            let is_number = serde_json::from_str::<&RawValue>(unsigned)
                .is_ok_and(|value| matches!(value.get().as_bytes().first(), Some(b'-' | b'0'..=b'9')));
            if is_number { Ok(unsigned) } else { Err(is_no("number", text)) }
        }
        Json::Null | Json::Boolean(_) | Json::Array(_) | Json::Object => Err(cannot_be(json, kind)),
    }
}

fn number(json: &Json<'_>, kind: &FieldType) -> Result<Cell, Misfit> {
    Ok(Cell::literal(digits(json, kind)?))
}

/// A whole number; `7.0` is one.
fn integer(json: &Json<'_>, kind: &FieldType) -> Result<Cell, Misfit> {
    let digits = digits(json, kind)?;
    match whole(digits) {
        Some(whole) => Ok(Cell::literal(whole)),
        None => Err(is_no("whole number", digits)),
    }
}

fn whole(digits: &str) -> Option<&str> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_whole = fraction.bytes().all(|byte| byte == b'0') && !whole.contains(['e', 'E']);
    is_whole.then_some(whole)
}

/// What is smaller counts days since 1970, what is larger milliseconds: ten million days are 27,000 years, as many milliseconds
/// not three hours.
const MOST_DAYS: i64 = 10_000_000;

fn date(json: &Json<'_>) -> Result<Cell, Misfit> {
    let day = match json {
        Json::Number(digits) => count(digits).and_then(|count| match count {
            days if days.abs() < MOST_DAYS => civil::date(1970, 1, 1).checked_add(days.days()).ok(),
            millis => Some(day_of(Timestamp::from_millisecond(millis).ok()?)),
        }),
        Json::Text(text) => match text.trim() {
            day if day.len() <= "2024-01-02".len() => day.parse().ok(),
            moment => parse_datetime(moment).map(day_of),
        },
        _ => return Err(cannot_be(json, &FieldType::Date)),
    };
    day.map(|day: civil::Date| Cell::text(day.to_string())).ok_or_else(|| unreadable(json, "date"))
}

fn day_of(moment: Timestamp) -> civil::Date {
    utc(moment).date()
}

fn utc(moment: Timestamp) -> civil::DateTime {
    jiff::tz::Offset::UTC.to_datetime(moment)
}

fn datetime(json: &Json<'_>) -> Result<Cell, Misfit> {
    let moment = match json {
        Json::Number(digits) => count(digits).and_then(|millis| Timestamp::from_millisecond(millis).ok()),
        Json::Text(text) => match text.trim() {
            day if day.len() == "2024-01-02".len() => parse_datetime(&format!("{day}T00:00:00Z")),
            moment => parse_datetime(moment),
        },
        _ => return Err(cannot_be(json, &FieldType::DateTime)),
    };
    let spelled = |moment| Cell::text(utc(moment).strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string());
    moment.map(spelled).ok_or_else(|| unreadable(json, "point in time with its offset from UTC"))
}

fn time(json: &Json<'_>) -> Result<Cell, Misfit> {
    let time = match json {
        Json::Number(digits) => count(digits)
            .filter(|millis| (0..86_400_000).contains(millis))
            .and_then(|millis| civil::Time::midnight().checked_add(millis.milliseconds()).ok()),
        Json::Text(text) => {
            let text = text.trim();
            text.strip_suffix(['Z', 'z']).unwrap_or(text).parse().ok()
        }
        _ => return Err(cannot_be(json, &FieldType::Time)),
    };
    let spelled = |time: civil::Time| Cell::text(time.strftime("%H:%M:%S.%3fZ").to_string());
    time.map(spelled).ok_or_else(|| unreadable(json, "time of day"))
}

fn count(digits: &str) -> Option<i64> {
    whole(digits)?.parse().ok()
}

fn unreadable(json: &Json<'_>, what: &str) -> Misfit {
    match json {
        Json::Text(text) => is_no(what, text),
        Json::Number(digits) => is_no(what, digits),
        other => Misfit::new(format!("{} is no {what}", other.kind())),
    }
}

/// The standard alphabet, padded.
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, PAD);

fn base64(json: &Json<'_>, kind: &FieldType) -> Result<Cell, Misfit> {
    let Json::Text(text) = json else { return Err(cannot_be(json, kind)) };
    match BASE64.decode(text.as_bytes()) {
        Ok(_) => Ok(Cell::text(text.as_ref())),
        // Neither the library's words, which may quote the text, nor the text: it is somebody's file.
        Err(_) => Err(Misfit::new("the text is no base64 (standard alphabet, padded)")),
    }
}

fn scalar(json: &Json<'_>, kind: &FieldType) -> Result<Cell, Misfit> {
    match json {
        Json::Text(text) => Ok(Cell::text(text.as_ref())),
        Json::Number(digits) => Ok(Cell::literal(*digits)),
        Json::Boolean(value) => Ok(Cell::literal(value.to_string())),
        Json::Null | Json::Array(_) | Json::Object => Err(cannot_be(json, kind)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(kind: &str) -> Field {
        serde_json::from_str(&format!(r#"{{"name":"F","type":"{kind}"}}"#)).unwrap()
    }

    fn shown(value: &str, kind: &str) -> String {
        match convert(&RawValue::from_string(value.to_owned()).unwrap(), &field(kind)) {
            Ok(Cell::Null) => "null".to_owned(),
            Ok(Cell::Text(text)) => format!("{text:?}"),
            Ok(Cell::Literal(text)) => text.into(),
            Err(misfit) => format!("! {misfit}"),
        }
    }

    /// Which types of JSON each kind of field takes.
    #[test]
    fn types() {
        let types = ["string", "number", "boolean", "array", "object"];
        let taken = |kind: &FieldType| {
            let field = field(kind.as_str());
            let taken: Vec<_> = types.into_iter().filter(|json_type| takes(&field, json_type)).collect();
            format!("{kind}: {}\n", taken.join(", "))
        };
        insta::assert_snapshot!(FieldType::ALL.iter().map(taken).collect::<String>());
    }

    /// JSON type by field type, every pair: what is written, or why not.
    #[test]
    fn every_kind_of_json_in_every_kind_of_field() {
        let mut table = String::new();
        for kind in FieldType::ALL.iter().chain([&FieldType::Other("hologram".to_owned())]) {
            table += &format!("{kind}\n");
            for value in ["null", r#""""#, r#""abc""#, "12", "1.5", "true", r#"["a","b"]"#, r#"{"a":1}"#] {
                table += &format!("  {value:<10} → {}\n", shown(value, kind.as_str()));
            }
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn spellings() {
        for (kind, value, expect) in [
            ("date", r#""2024-02-29""#, r#""2024-02-29""#),
            ("date", r#""2023-02-29""#, r#"! "2023-02-29" is no date"#),
            ("date", "19782", r#""2024-02-29""#),
            ("date", "-1", r#""1969-12-31""#),
            ("date", "1709164800000", r#""2024-02-29""#),
            ("date", r#""2024-02-29T23:30:00.000-05:00""#, r#""2024-03-01""#),
            ("date", "99999999999999999999", r#"! "99999999999999999999" is no date"#),
            ("datetime", "1767225600001", r#""2026-01-01T00:00:00.001Z""#),
            ("datetime", r#""2026-01-01T00:00:00.001+0000""#, r#""2026-01-01T00:00:00.001Z""#),
            ("datetime", r#""2026-01-01T02:00:00+02:00""#, r#""2026-01-01T00:00:00.000Z""#),
            ("datetime", r#""2026-01-01T00:00:00.1234567Z""#, r#""2026-01-01T00:00:00.123Z""#),
            ("datetime", r#""2026-01-01""#, r#""2026-01-01T00:00:00.000Z""#),
            (
                "datetime",
                r#""2026-01-01T00:00:00""#,
                r#"! "2026-01-01T00:00:00" is no point in time with its offset from UTC"#,
            ),
            ("time", r#""03:04:05.678Z""#, r#""03:04:05.678Z""#),
            ("time", r#""03:04""#, r#""03:04:00.000Z""#),
            ("time", "11045678", r#""03:04:05.678Z""#),
            ("time", "86400000", r#"! "86400000" is no time of day"#),
            ("double", r#""1250000.00""#, "1250000.00"),
            ("double", "12345678901234567890.123456789", "12345678901234567890.123456789"),
            ("currency", r#"" +7 ""#, "7"),
            ("currency", r#""1,000""#, r#"! "1,000" is no number"#),
            ("percent", r#""NaN""#, r#"! "NaN" is no number"#),
            ("percent", r#""true""#, r#"! "true" is no number"#),
            ("int", "7.00", "7"),
            ("int", "7.25", r#"! "7.25" is no whole number"#),
            ("int", "1e3", r#"! "1e3" is no whole number"#),
            ("long", "9007199254740993", "9007199254740993"),
            ("boolean", r#""TRUE""#, "true"),
            ("boolean", "0", "false"),
            ("boolean", "2", r#"! "2" is no boolean"#),
            ("id", r#""001QAA000001ABC""#, r#""001QAA000001ABCYB2""#),
            ("multipicklist", "[]", "null"),
            ("multipicklist", r#"["a;b"]"#, r#"! the choice "a;b" has a semicolon, which separates choices"#),
            ("multipicklist", "[1]", "! an array of choices has texts only"),
            ("base64", r#""aGk=""#, r#""aGk=""#),
            ("string", r#""a\n\"é""#, r#""a\n\"é""#),
        ] {
            assert_eq!(shown(value, kind), expect, "{kind} {value}");
        }
    }
}
