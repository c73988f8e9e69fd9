//! Patterns of replies.
//!
//! A pattern is JSON. Objects have the members named, in the order named, and no others; arrays the elements given.
//! `<more>` lets others through: in an array wherever it stands, in an object as a member. Texts may have slots:
//!
//! | slot | fits |
//! |---|---|
//! | `<id>`, `<id 001>` | an id of 18 characters; of that prefix |
//! | `<datetime>` | `2026-01-01T00:00:00.000+0000` |
//! | `<number>`, `<boolean>` | a number or digits; true or false |
//! | `<text>` | one character or more |
//! | `<any>` | anything, if it is there |
//! | `<absent>` | of a member: it is not there |
//!
//! `<id as account>` remembers what fitted as `{account}`. `{times: N, of: pattern}` is an array of N alike.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;

const MORE: &str = "<more>";

/// What the names in braces stand for.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    known: BTreeMap<String, String>,
    now: Timestamp,
}

impl Names {
    pub(crate) fn new(now: Timestamp, known: &[(&str, &str)]) -> Self {
        Self { known: known.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(), now }
    }

    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.known.insert(name.to_owned(), value.into());
    }

    /// A text with its names replaced. Braces around anything unknown stay: `@{ref.id}` is the org's business.
    pub(crate) fn fill(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            match after.split_once('}').and_then(|(name, tail)| Some((self.value(name)?, tail))) {
                Some((value, tail)) => {
                    filled.push_str(&value);
                    rest = tail;
                }
                None => {
                    filled.push('{');
                    rest = after;
                }
            }
        }
        filled + rest
    }

    /// JSON with the names in its texts replaced, and its repetitions unrolled.
    pub(crate) fn fill_json(&mut self, json: &Json) -> Json {
        if let Some((times, of)) = repetition(json) {
            let each = (1..=times).map(|n| {
                self.set("n", n.to_string());
                self.fill_json(of)
            });
            return each.collect();
        }
        match json {
            Json::String(text) => self.fill(text).into(),
            Json::Array(items) => items.iter().map(|item| self.fill_json(item)).collect(),
            Json::Object(members) => {
                let filled = members.iter().map(|(name, value)| (self.fill(name), self.fill_json(value)));
                filled.collect::<serde_json::Map<_, _>>().into()
            }
            other => other.clone(),
        }
    }

    fn value(&self, name: &str) -> Option<String> {
        if let Some(count) = name.strip_prefix("x*") {
            return Some("x".repeat(count.parse().ok()?));
        }
        if let Some(shift) = name.strip_prefix("now") {
            let shift = if shift.is_empty() { SignedDuration::ZERO } else { shifted(shift)? };
            return Some((self.now + shift).strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        }
        self.known.get(name).cloned()
    }
}

/// `+5m`, `-2d`.
fn shifted(text: &str) -> Option<SignedDuration> {
    let unit = match text.chars().last()? {
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        _ => return None,
    };
    let count: i64 = text[..text.len() - 1].trim_start_matches('+').parse().ok()?;
    Some(SignedDuration::from_secs(count * unit))
}

fn repetition(json: &Json) -> Option<(u64, &Json)> {
    let members = json.as_object().filter(|members| members.len() == 2)?;
    Some((members.get("times")?.as_u64()?, members.get("of")?))
}

/// Where a reply is not as its pattern says; what the pattern remembers is added to the names.
pub(crate) fn differences(at: &str, pattern: &Json, found: &Json, names: &mut Names) -> Vec<String> {
    let mut differences = Vec::new();
    compare(at, pattern, found, names, &mut differences);
    differences
}

fn compare(at: &str, pattern: &Json, found: &Json, names: &mut Names, differences: &mut Vec<String>) {
    if let Some((times, of)) = repetition(pattern) {
        match found.as_array() {
            Some(found) if found.len() as u64 == times => {
                for (nth, found) in found.iter().enumerate() {
                    compare(&format!("{at}[{nth}]"), of, found, names, differences);
                }
            }
            _ => differences.push(format!("{at}: not {times} elements")),
        }
        return;
    }
    match (pattern, found) {
        (Json::Object(pattern), Json::Object(found)) => {
            let is_open = pattern.contains_key(MORE);
            let named: Vec<&String> = pattern
                .iter()
                .filter(|(name, value)| *name != MORE && *value != "<absent>")
                .map(|(name, _)| name)
                .collect();
            let there: Vec<&String> = found.keys().filter(|name| !is_open || named.contains(name)).collect();
            if named != there {
                differences.push(format!("{at}: members {there:?}, not {named:?}"));
            }
            for (name, pattern) in pattern.iter().filter(|(name, _)| *name != MORE) {
                match found.get(name) {
                    Some(_) if pattern == "<absent>" => differences.push(format!("{at}.{name}: is there")),
                    Some(found) => compare(&format!("{at}.{name}"), pattern, found, names, differences),
                    None => {}
                }
            }
        }
        (Json::Array(pattern), Json::Array(found)) => compare_elements(at, pattern, found, names, differences),
        (Json::String(pattern), _) => {
            let fits = match (&*names.fill(pattern), found) {
                ("<any>", _) | ("<number>", Json::Number(_)) | ("<boolean>", Json::Bool(_)) => true,
                (pattern, Json::String(found)) => fits(&slots(pattern), found, names),
                (pattern, Json::Number(found)) => slots(pattern).first().is_some_and(|slot| match slot {
                    Slot::Open { kind: "number", name: Some(name), .. } => {
                        names.set(name, found.to_string());
                        true
                    }
                    _ => false,
                }),
                _ => false,
            };
            if !fits {
                differences.push(format!("{at}: {found}, not {:?}", names.fill(pattern)));
            }
        }
        // The number 1.0 is not the number 1.
        _ if pattern == found => {}
        _ => differences.push(format!("{at}: {found}, not {pattern}")),
    }
}

fn compare_elements(at: &str, pattern: &[Json], found: &[Json], names: &mut Names, differences: &mut Vec<String>) {
    let mut next = 0;
    let mut skips = false;
    for pattern in pattern {
        if pattern == MORE {
            skips = true;
        } else if skips {
            let fitting = (next..found.len()).find(|at| {
                let mut tried = names.clone();
                let fits = self::differences("", pattern, &found[*at], &mut tried).is_empty();
                if fits {
                    *names = tried;
                }
                fits
            });
            match fitting {
                Some(at) => (next, skips) = (at + 1, false),
                None => return differences.push(format!("{at}: nothing like {pattern}")),
            }
        } else {
            match found.get(next) {
                Some(found) => compare(&format!("{at}[{next}]"), pattern, found, names, differences),
                None => return differences.push(format!("{at}: only {} elements", found.len())),
            }
            next += 1;
        }
    }
    if !skips && next < found.len() {
        differences.push(format!("{at}: {} elements, not {next}", found.len()));
    }
}

#[derive(Debug)]
enum Slot<'a> {
    Literal(&'a str),
    Open { kind: &'a str, argument: Option<&'a str>, name: Option<&'a str> },
}

/// The parts of a text with slots.
fn slots(text: &str) -> Vec<Slot<'_>> {
    const KINDS: [&str; 6] = ["id", "datetime", "number", "boolean", "text", "any"];
    let mut parts = Vec::new();
    let (mut from, mut at) = (0, 0);
    while let Some(start) = text[at..].find('<').map(|start| start + at) {
        at = start + 1;
        let Some(end) = text[at..].find('>').map(|end| end + at) else { break };
        let (what, name) = match text[at..end].split_once(" as ") {
            Some((what, name)) => (what, Some(name)),
            None => (&text[at..end], None),
        };
        let (kind, argument) = what.split_once(' ').map_or((what, None), |(kind, argument)| (kind, Some(argument)));
        if KINDS.contains(&kind) {
            parts.push(Slot::Literal(&text[from..start]));
            parts.push(Slot::Open { kind, argument, name });
            (from, at) = (end + 1, end + 1);
        }
    }
    parts.push(Slot::Literal(&text[from..]));
    parts.retain(|part| !matches!(part, Slot::Literal("")));
    parts
}

fn fits(slots: &[Slot<'_>], text: &str, names: &mut Names) -> bool {
    let Some((first, rest)) = slots.split_first() else { return text.is_empty() };
    match first {
        Slot::Literal(literal) => text.strip_prefix(literal).is_some_and(|text| fits(rest, text, names)),
        Slot::Open { kind, argument, name } => {
            let ends = text.char_indices().map(|(at, sign)| at + sign.len_utf8());
            let fitting = ends.filter(|end| admits(kind, *argument, &text[..*end]));
            let found = fitting.collect::<Vec<_>>().into_iter().find(|end| fits(rest, &text[*end..], names));
            if let (Some(end), Some(name)) = (found, name) {
                names.set(name, &text[..end]);
            }
            found.is_some()
        }
    }
}

fn admits(kind: &str, argument: Option<&str>, text: &str) -> bool {
    let mut bytes = text.bytes();
    match kind {
        "id" => {
            text.len() == 18
                && bytes.all(|byte| byte.is_ascii_alphanumeric())
                && argument.is_none_or(|prefix| text.starts_with(prefix))
        }
        "number" => bytes.all(|byte| byte.is_ascii_digit()),
        "datetime" => {
            let form: Vec<u8> = bytes.map(|byte| if byte.is_ascii_digit() { b'0' } else { byte }).collect();
            form == b"0000-00-00T00:00:00.000+0000"
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names() -> Names {
        Names::new("2026-01-01T00:00:00Z".parse().unwrap(), &[("version", "62.0")])
    }

    #[test]
    fn what_fits() {
        let id = "0015500001QdQWaAAN";
        for (pattern, found, fitting) in [
            (json!({"a": 1, "b": "<text>"}), json!({"a": 1, "b": "x"}), true),
            (json!({"a": 1, "b": "<text>"}), json!({"b": "x", "a": 1}), false),
            (json!({"a": 1}), json!({"a": 1, "b": 2}), false),
            (json!({"a": 1, "<more>": true}), json!({"x": 0, "a": 1, "b": 2}), true),
            (json!({"b": 1, "a": 1, "<more>": true}), json!({"a": 1, "b": 1}), false),
            (json!({"a": 1}), json!({"a": 1.0}), false),
            (json!({"a": "<absent>", "<more>": true}), json!({"b": 1}), true),
            (json!({"a": "<absent>", "<more>": true}), json!({"a": null}), false),
            (json!("<id>"), json!(id), true),
            (json!("<id 003>"), json!(id), false),
            (json!("/v{version}/x/<id 001>"), json!(format!("/v62.0/x/{id}")), true),
            (json!("<number>"), json!(3), true),
            (json!("api-usage=<number>/<number>"), json!("api-usage=17/15000"), true),
            (json!("api-usage=<number>/<number>"), json!("api-usage=/15000"), false),
            (json!("<datetime>"), json!("2026-01-01T00:00:00.000+0000"), true),
            (json!("<datetime>"), json!("2026-01-01T00:00:00.000Z"), false),
            (json!("a <b> c"), json!("a <b> c"), true),
            (json!(["<more>", 2, "<more>"]), json!([1, 2, 3]), true),
            (json!(["<more>", 2]), json!([1, 2, 3]), false),
            (json!([1, "<more>"]), json!([1]), true),
            (json!({"times": 2, "of": "<number>"}), json!([1, 2]), true),
            (json!({"times": 2, "of": "<number>"}), json!([1, 2, 3]), false),
        ] {
            let differences = differences("", &pattern, &found, &mut names());
            assert_eq!(differences.is_empty(), fitting, "{pattern} {found}: {differences:?}");
        }
    }

    #[test]
    fn what_fitted_is_remembered() {
        let mut names = names();
        let pattern = json!({"id": "<id as account>", "url": "/x/{account}", "next": "/q/<text as locator>-<number>"});
        let found = json!({"id": "0015500001QdQWaAAN", "url": "/x/0015500001QdQWaAAN", "next": "/q/01g-2000"});
        assert_eq!(differences("", &pattern, &found, &mut names), Vec::<String>::new());
        assert_eq!(
            names.fill("{account} {locator} @{ref.id} {now-1d} {x*3}"),
            "0015500001QdQWaAAN 01g @{ref.id} 2025-12-31T00:00:00Z xxx"
        );
        assert_eq!(names.fill_json(&json!({"times": 2, "of": "{n}"})), json!(["1", "2"]));
    }
}
