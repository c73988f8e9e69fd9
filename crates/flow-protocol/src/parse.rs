//! JSON into types, with errors that say where and what was expected, and never what stood there.
//!
//! serde's own messages repeat the input (``invalid type: string "hunter2", expected u32``). Of these only the parts
//! that come from code survive: field names, expectations, and the kind of value found. What a `Deserialize`
//! implementation says in its own words is dropped, since nobody can tell what it repeats; such rules belong in the
//! conversion from the parsed type to its meaning, with an error of their own.

use serde::{Deserialize, de::IgnoredAny};
use serde_json::{error::Category, value::RawValue};
use serde_path_to_error::{Path, Segment};

use crate::error::{Error, Mismatch};

/// Parses a configuration. `what` names it in the error, like `endpoint config`.
///
/// A path within the error holds the names of fields. If `T` contains maps, it may hold their keys too: keep secrets out
/// of keys.
///
/// # Errors
/// [`Error::Value`] when `raw` is not a `T`.
pub fn parse<'de, T: Deserialize<'de>>(raw: &'de RawValue, what: &str) -> Result<T, Error> {
    from_str(raw.get()).map_err(|mismatch| Error::Value { what: what.to_owned(), mismatch })
}

/// Parses a whole text.
///
/// # Errors
/// Where and how the text differs from a `T`.
pub fn from_str<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, Mismatch> {
    // Keeping track of the path costs an allocation for each key, also of skipped values. Only a text that fails pays.
    serde_json::from_str(text).map_err(|error| {
        // serde_json calls some values of the wrong kind a mistake of syntax.
        if serde_json::from_str::<IgnoredAny>(text).is_err() {
            // The text breaks off somewhere, perhaps within a skipped value: the path may hold keys nobody declared.
            // serde_json's own words on syntax are fixed ones, those on the shape of what came before are not.
            let expected = match error.classify() {
                Category::Data => expectation(&message(&error)),
                Category::Syntax | Category::Eof | Category::Io => format!("not JSON: {}", message(&error)),
            };
            return Mismatch { path: String::new(), line: error.line(), column: error.column(), expected };
        }
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let path = match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
            Err(error) => declared(error.path(), &message(error.inner())),
            Ok(_) => String::new(),
        };
        Mismatch { path, line: error.line(), column: error.column(), expected: expectation(&message(&error)) }
    })
}

/// The path, without a name at its end that the type does not know.
fn declared(path: &Path, message: &str) -> String {
    let mut segments: Vec<_> = path.iter().collect();
    if message.starts_with("unknown field `") || message.starts_with("unknown variant `") {
        // The path ends at the unknown name itself, or at the value that is it.
        segments.pop_if(|last| match last {
            Segment::Map { key: name } | Segment::Enum { variant: name } => message.contains(&format!("`{name}`, ")),
            Segment::Seq { .. } | Segment::Unknown => false,
        });
    }
    render(&segments)
}

/// The message without its position.
fn message(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    message.strip_suffix(&position).unwrap_or(&message).to_owned()
}

/// What of a serde message comes from code, in the words of JSON.
fn expectation(message: &str) -> String {
    const FALLBACK: &str = "not a value that is accepted here";
    // What is expected comes last: a value that looks like an expectation stands before it.
    let expected = message.rsplit_once(", expected ").map(|(_, expected)| match expected {
        "a map" => "an object",
        "a sequence" => "an array",
        // Rust types mean nothing to the reader.
        "u8" => "an integer from 0 to 255",
        "u16" => "an integer from 0 to 65535",
        "u32" => "an integer from 0 to 4294967295",
        "u64" | "usize" => "an integer that is not negative",
        "i8" | "i16" | "i32" | "i64" | "isize" => "an integer",
        "f32" | "f64" => "a number",
        name if name.starts_with("struct ") => "an object",
        other => other,
    });
    let found = |rest: &str| KINDS.into_iter().find(|(kind, _)| rest.starts_with(kind)).map(|(_, name)| name);

    if let Some(rest) = message.strip_prefix("invalid type: ") {
        match (expected, found(rest)) {
            (Some(expected), Some(found)) => format!("expected {expected}, found {found}"),
            (Some(expected), None) => format!("expected {expected}"),
            (None, _) => FALLBACK.into(),
        }
    } else if message.starts_with("invalid value: ") || message.starts_with("invalid length ") {
        expected.map_or(FALLBACK.into(), |expected| format!("expected {expected}"))
    } else if message.starts_with("unknown field `") {
        expected
            .map_or("unknown field, there are none".into(), |expected| format!("unknown field, expected {expected}"))
    } else if message.starts_with("unknown variant `") {
        expected.map_or(FALLBACK.into(), |expected| format!("expected {expected}"))
    } else if is_name_after(message, "missing field ") || is_name_after(message, "duplicate field ") {
        message.to_owned()
    } else {
        FALLBACK.into()
    }
}

/// How serde names the kind of a value, before the value itself, and how JSON does.
const KINDS: [(&str, &str); 8] = [
    ("null", "null"),
    ("boolean", "a boolean"),
    ("integer", "an integer"),
    ("floating point", "a number with a fraction"),
    ("number", "a number"),
    ("string", "a string"),
    ("sequence", "an array"),
    ("map", "an object"),
];

/// Whether the message is a prefix and one name in backquotes, as serde's derived code says it.
fn is_name_after(message: &str, prefix: &str) -> bool {
    let name = message.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('`')?.strip_suffix('`'));
    name.is_some_and(|name| !name.contains(['`', ' ', '"']))
}

fn render(segments: &[&Segment]) -> String {
    let mut path = String::new();
    for segment in segments {
        match segment {
            Segment::Seq { index } => path.push_str(&format!("[{index}]")),
            Segment::Map { key: name } | Segment::Enum { variant: name } => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(name);
            }
            Segment::Unknown => path.push('?'),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "parsed for the error only")]
    struct Config<'a> {
        name: Option<String>,
        count: Option<u8>,
        credentials: Option<Credentials>,
        mode: Option<Mode>,
        choice: Option<Choice>,
        list: Option<Vec<(u8, bool)>>,
        numbers: Option<BTreeMap<String, u8>>,
        own_words: Option<OwnWords>,
        borrowed: Option<&'a str>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "parsed for the error only")]
    struct Credentials {
        client_id: String,
        client_secret: String,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Mode {
        Auto,
        Poll,
    }

    #[derive(Debug, Deserialize)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "parsed for the error only")]
    enum Choice {
        Number(u8),
        Name { name: String },
    }

    #[derive(Debug)]
    struct OwnWords;

    impl<'de> Deserialize<'de> for OwnWords {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let text = String::deserialize(deserializer)?;
            Err(serde::de::Error::custom(format!("`{text}` is odd")))
        }
    }

    /// The error of a text, in which `SECRET` stands for what must not be repeated.
    fn error(text: &str) -> String {
        let error = from_str::<Config<'_>>(text).expect_err(text);
        for shown in [error.to_string(), format!("{error:?}")] {
            assert!(!shown.contains("SECRET"), "{text} gave {shown}");
        }
        error.to_string()
    }

    #[test]
    fn errors_say_where_and_what_was_expected() {
        let errors: Vec<String> = [
            r#""SECRET""#,
            r#"["SECRET"]"#,
            r#"{"name": 7}"#,
            r#"{"name": {"SECRET": "SECRET"}}"#,
            r#"{"count": "SECRET"}"#,
            r#"{"count": "x, expected SECRET"}"#,
            r#"{"count": 300}"#,
            r#"{"count": 1.5}"#,
            r#"{"count": true}"#,
            r#"{"credentials": {"client_id": "SECRET"}}"#,
            r#"{"credentials": {"client_id": "SECRET", "client_secret": ["SECRET"]}}"#,
            r#"{"credentials": {"client_id": "SECRET", "client_id": "SECRET"}}"#,
            r#"{"SECRET": 1}"#,
            r#"{"SECRET`, expected SECRET": 1}"#,
            r#"{"mode": "SECRET"}"#,
            r#"{"mode": {"SECRET": 1}}"#,
            r#"{"mode": 5}"#,
            r#"{"choice": "SECRET"}"#,
            r#"{"choice": {"name": ["SECRET"]}}"#,
            r#"{"list": [[1, true], [1, "SECRET"]]}"#,
            r#"{"list": [[1]]}"#,
            r#"{"list": {"SECRET": 1}}"#,
            r#"{"numbers": {"a": "SECRET"}}"#,
            r#"{"own_words": "SECRET"}"#,
            r#"{"borrowed": "SECRET\n"}"#,
            r#"{"name": "SECRET"#,
            "{\n  \"name\": \"SECRET\",\n  \"count\": SECRET\n}",
            "{\"name\": \"SECRET\u{1}\"}",
            r#"{"name": "SECRET"} SECRET"#,
            "",
        ]
        .into_iter()
        .map(|text| format!("{}\n    {}", text.escape_debug().to_string().replace('\\', ""), error(text)))
        .collect();
        insta::assert_snapshot!(errors.join("\n"));
    }

    #[test]
    fn an_error_names_what_was_parsed() {
        let raw: &RawValue = serde_json::from_str(r#"{"credentials": "SECRET"}"#).unwrap();
        let error = parse::<Config<'_>>(raw, "endpoint config").unwrap_err();
        insta::assert_snapshot!(error, @"endpoint config: credentials, column 24: expected an object, found a string");
    }
}
