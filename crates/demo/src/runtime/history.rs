//! The order of commits.
//!
//! A record's documents may not go back in time: a reader of the collection would see an old value after a newer one. The
//! exception is a replay: a session started after a crash may repeat documents of sessions before it, in their order. Time is the
//! record's `SystemModstamp`, which has a resolution of one second; within one, nothing can be decided.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use jiff::Timestamp;
use serde_json::Value;

/// The committed documents of one collection, as far as their order needs them.
#[derive(Debug, Default)]
pub struct History {
    records: HashMap<String, Vec<Seen>>,
    session: u32,
}

/// A document that is older than one committed before it, and no replay.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{id}: a document of {modified} was committed after one of {newest}")]
pub struct Regression {
    /// The record.
    pub id: String,
    /// The time of the late document.
    pub modified: Timestamp,
    /// The newest time committed before it.
    pub newest: Timestamp,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    /// The record's time, or for a deletion, which has none, the newest before it.
    modified: Timestamp,
    digest: u64,
    session: u32,
    /// Where a document that repeats an earlier one stands in the order it repeats.
    repeats: Option<usize>,
}

impl History {
    /// A new session begins: it may repeat what the sessions before it committed.
    pub fn next_session(&mut self) {
        self.session += 1;
    }

    /// Notes a committed document. Documents without an `Id` are not judged.
    ///
    /// # Errors
    /// When it is older than one before it and not a replay.
    pub fn note(&mut self, document: &Value) -> Result<(), Regression> {
        let Some(id) = document["Id"].as_str() else { return Ok(()) };
        let seen = self.records.entry(id.to_owned()).or_default();
        let newest = seen.iter().map(|seen| seen.modified).max();
        let modified = modified(document).or(newest).unwrap_or(Timestamp::MIN);
        let digest = digest(document);

        // What this session repeated last of the record; a replay goes on behind it.
        let repeated = seen.last().filter(|last| last.session == self.session).map(|last| last.repeats);
        let from = match repeated {
            Some(Some(position)) => position + 1,
            // The session already committed something new.
            Some(None) => seen.len(),
            None => 0,
        };
        let repeats = (from..seen.len())
            .find(|position| seen[*position].session < self.session && seen[*position].digest == digest);
        let regression = match newest {
            Some(newest) if modified < newest && repeats.is_none() => {
                Err(Regression { id: id.to_owned(), modified, newest })
            }
            _ => Ok(()),
        };
        seen.push(Seen { modified, digest, session: self.session, repeats });
        regression
    }
}

fn modified(document: &Value) -> Option<Timestamp> {
    document["SystemModstamp"].as_str()?.parse().ok()
}

/// Tells documents apart, by what they say of the record and not how it came.
fn digest(document: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (name, value) in document.as_object().into_iter().flatten() {
        if name == "_meta" {
            (value["op"] == "d").hash(&mut hasher);
        } else {
            name.hash(&mut hasher);
            value.to_string().hash(&mut hasher);
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Judges documents of one record: each letter is a document, later in the alphabet means newer; a capital letter is another
    /// document of the same second; `|` begins a session; `-` is a deletion. Returns the letters that are regressions.
    fn judge(commits: &str) -> String {
        let mut history = History::default();
        let mut regressions = String::new();
        for letter in commits.chars() {
            let document = match letter {
                '|' => {
                    history.next_session();
                    continue;
                }
                '-' => json!({"_meta": {"op": "d"}, "Id": "1"}),
                letter => json!({
                    "_meta": {"op": "u"},
                    "Id": "1",
                    "Name": letter.to_string(),
                    "SystemModstamp": format!("2026-11-22T10:00:{:02}.000Z", letter.to_ascii_lowercase() as u8 - b'a'),
                }),
            };
            if history.note(&document).is_err() {
                regressions.push(letter);
            }
        }
        regressions
    }

    #[test]
    fn order_is_judged() {
        for (commits, regressions) in [
            ("abc", ""),
            ("aabb", ""),
            ("aAaA", ""),
            ("ba", "a"),
            ("aba", "a"),
            ("abcb", "b"),
            // Replays: from anywhere, in order, with omissions, to the end or beyond.
            ("abc|abc", ""),
            ("abc|bcd", ""),
            ("abc|ac", ""),
            ("abcd|bcd|acd", ""),
            ("abc|ab|abc", ""),
            // Not replays.
            ("abc|ba", "a"),
            ("abc|cb", "b"),
            ("abc|aba", "a"),
            ("abc|bda", "a"),
            ("ac|b", "b"),
            ("abc|B", "B"),
            // A deletion is as new as what it deletes.
            ("ab-", ""),
            ("ab-c", ""),
            ("ab-a", "a"),
            ("ab-|b-", ""),
            ("-a", ""),
        ] {
            assert_eq!(judge(commits), regressions, "{commits}");
        }
    }
}
