//! A recorded reply against ours: the same members in the same order, of the same types, their values spelled the same.
//!
//! Two orgs cannot give the same ids, times, tokens and addresses, so these are compared by their spelling alone; nor are
//! their organisations and users called the same. Nothing else is let pass, but for blanks between the tokens of JSON:
//! this is the only place that lets anything pass.

use std::collections::BTreeMap;

use serde_json::Value as Json;

/// Members whose values an org draws: tokens, signatures, positions in a stream.
const DRAWN: [&str; 7] =
    ["access_token", "refresh_token", "signature", "issued_at", "sessionId", "replayId", "clientId"];

/// Members that name the organisation and its user, and say where they are: compared by their type, if both have a value.
const PARTICULARS: [&str; 14] = [
    "username",
    "nick_name",
    "display_name",
    "email",
    "first_name",
    "last_name",
    "addr_street",
    "addr_city",
    "addr_state",
    "addr_country",
    "organizationName",
    "userEmail",
    "userFullName",
    "userName",
];

/// Compares replies, and knows which of our records plays which recorded one.
#[derive(Default)]
pub(super) struct Comparison {
    /// Recorded id → ours.
    cast: BTreeMap<String, String>,
}

impl Comparison {
    /// Our id for a recorded one.
    pub(super) fn ours(&self, recorded: &str) -> Option<&str> {
        self.cast.get(recorded).map(String::as_str)
    }

    /// Says which of our records plays a recorded one.
    pub(super) fn cast(&mut self, recorded: &str, ours: &str) {
        self.cast.insert(recorded.to_owned(), ours.to_owned());
    }

    /// A recorded request with our ids in the place of theirs.
    pub(super) fn translate(&self, recorded: &str) -> String {
        words(recorded).map(|word| self.ours(word).unwrap_or(word)).collect()
    }

    /// Fails the test unless our reply is the recorded one.
    #[track_caller]
    pub(super) fn assert_same(&mut self, what: &str, ours: &Json, recorded: &Json) {
        let mut differences = Vec::new();
        self.compare(what, ours, recorded, &mut differences);
        assert!(differences.is_empty(), "{}\nours: {ours:#}", differences.join("\n"));
    }

    /// Adds a line for each difference.
    pub(super) fn compare(&mut self, at: &str, ours: &Json, recorded: &Json, differences: &mut Vec<String>) {
        match (ours, recorded) {
            (Json::Object(ours), Json::Object(recorded)) => {
                let names = |object: &serde_json::Map<String, Json>| object.keys().cloned().collect::<Vec<_>>();
                if names(ours) != names(recorded) {
                    differences.push(format!("{at}: members {:?}, recorded {:?}", names(ours), names(recorded)));
                }
                for (name, recorded) in recorded {
                    match ours.get(name) {
                        Some(Json::String(_) | Json::Number(_)) if DRAWN.contains(&&**name) && !recorded.is_null() => {}
                        Some(ours) if PARTICULARS.contains(&&**name) => {
                            let is_text = |value: &Json| value.is_string() || value.is_null();
                            if !is_text(ours) || !is_text(recorded) {
                                differences.push(format!("{at}.{name}: {ours}, recorded {recorded}"));
                            }
                        }
                        Some(ours) => self.compare(&format!("{at}.{name}"), ours, recorded, differences),
                        None => {}
                    }
                }
            }
            (Json::Array(ours), Json::Array(recorded)) => {
                if ours.len() != recorded.len() {
                    differences.push(format!("{at}: {} elements, recorded {}", ours.len(), recorded.len()));
                }
                for (nth, (ours, recorded)) in ours.iter().zip(recorded).enumerate() {
                    self.compare(&format!("{at}[{nth}]"), ours, recorded, differences);
                }
            }
            (Json::String(ours), Json::String(recorded)) => {
                if !self.same_text(ours, recorded) {
                    differences.push(format!("{at}: {ours:?}, recorded {recorded:?}"));
                }
            }
            // The number 1.0 is not the number 1.
            (ours, recorded) if ours == recorded => {}
            (ours, recorded) => differences.push(format!("{at}: {ours}, recorded {recorded}")),
        }
    }

    fn same_text(&mut self, ours: &str, recorded: &str) -> bool {
        let (ours, recorded) = (spelled(ours), spelled(recorded));
        let (ours, recorded): (Vec<_>, Vec<_>) = (words(&ours).collect(), words(&recorded).collect());
        ours.len() == recorded.len()
            && ours.iter().zip(&recorded).all(|(ours, recorded)| self.same_word(ours, recorded))
    }

    /// Ids are the same if they are as long, of the same kind of object, and play the part they always play.
    fn same_word(&mut self, ours: &str, recorded: &str) -> bool {
        if !(is_id(ours) && is_id(recorded)) {
            return ours == recorded;
        }
        // Key prefixes of custom objects are given out as they come.
        let is_custom = |id: &str| id.starts_with('a');
        let alike =
            ours.len() == recorded.len() && (ours[..3] == recorded[..3] || is_custom(ours) && is_custom(recorded));
        alike && self.cast.entry(recorded.to_owned()).or_insert_with(|| ours.to_owned()) == ours
    }
}

/// Runs of letters and digits, and what stands between them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let is_word = rest.chars().next()?.is_ascii_alphanumeric();
        let end = rest.find(|sign: char| sign.is_ascii_alphanumeric() != is_word).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word)
    })
}

/// Fifteen or eighteen letters and digits that begin like a key prefix: with a digit among the first two, or as those of
/// custom objects.
pub(super) fn is_id(word: &str) -> bool {
    let (bytes, digit) = (word.as_bytes(), u8::is_ascii_digit);
    matches!(bytes.len(), 15 | 18)
        && bytes.iter().all(u8::is_ascii_alphanumeric)
        && (bytes[..2].iter().any(digit) || bytes[0] == b'a' && bytes.iter().any(digit))
}

/// A text with its times as `0000-00-00T00:00:00`, fraction and zone kept, and without its host.
fn spelled(text: &str) -> String {
    let text = match text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")) {
        Some(address) if is_org(address) => format!("HOST{}", address.find('/').map_or("", |at| &address[at..])),
        _ => text.to_owned(),
    };
    const FORM: &str = "0000-00-00T00:00:00";
    let digits =
        |part: &str| part.bytes().map(|byte| if byte.is_ascii_digit() { b'0' } else { byte }).collect::<Vec<_>>();
    let mut spelled = text.clone();
    for at in 0..text.len().saturating_sub(FORM.len() - 1) {
        if text.get(at..at + FORM.len()).is_some_and(|part| digits(part) == FORM.as_bytes()) {
            spelled.replace_range(at..at + FORM.len(), FORM);
            // Milliseconds are those of the clock, unless there are none.
            if let Some(millis) = spelled.get(at + FORM.len()..at + FORM.len() + 4).filter(|part| *part != ".000")
                && digits(millis) == b".000"
            {
                spelled.replace_range(at + FORM.len()..at + FORM.len() + 4, ".mmm");
            }
        }
    }
    spelled
}

fn is_org(address: &str) -> bool {
    let host = address.split('/').next().unwrap_or_default();
    host.starts_with("127.0.0.1") || host.ends_with("salesforce.com") || host.ends_with("force.com")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_passes_and_what_does_not() {
        let recorded = json!({"Id": "0015500001QdQWaAAN", "At": "2013-05-07T22:07:19.000+0000", "N": 1.0,
                              "Url": "/services/data/v42.0/sobjects/Account/0015500001QdQWaAAN", "No": null});
        let same = |ours: Json| {
            let mut differences = Vec::new();
            Comparison::default().compare("", &ours, &recorded, &mut differences);
            differences
        };
        let ours = json!({"Id": "0015900000000G8AAI", "At": "2026-01-01T00:00:00.000+0000", "N": 1.0,
                          "Url": "/services/data/v42.0/sobjects/Account/0015900000000G8AAI", "No": null});
        assert_eq!(same(ours.clone()), Vec::<String>::new());
        for (member, value) in [
            ("Id", json!("0035900000000G8AAI")),
            ("Id", json!("0015900000000G8")),
            ("Id", json!("0015900000000G9AAI")),
            ("At", json!("2026-01-01T00:00:00.000Z")),
            ("At", json!("2026-01-01T00:00:00.123+0000")),
            ("N", json!(1)),
            ("Url", json!("/services/data/v42.0/sobjects/Contact/0015900000000G8AAI")),
            ("No", json!("")),
            ("No", json!(false)),
        ] {
            let mut ours = ours.clone();
            ours[member] = value.clone();
            assert_ne!(same(ours), Vec::<String>::new(), "{member}: {value}");
        }
        let turned = ours.as_object().unwrap().iter().rev().map(|(name, value)| (name.clone(), value.clone()));
        assert_ne!(same(Json::Object(turned.collect())), Vec::<String>::new());
    }
}
