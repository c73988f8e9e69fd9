//! Rows that polls have written lately, so that what overlapping polls bring again is not written again.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState},
};

use salesforce_client::{Record, RecordId};

/// Rows remembered of each of the last two polls. What is not remembered is written again, which changes nothing.
const ROWS: usize = 20_000;

/// Fingerprints of the rows of the last two polls. A row is the same only if every byte of it is: modstamps have a
/// resolution of one second, so they cannot tell.
#[derive(Debug, Default)]
pub struct Seen {
    hasher: RandomState,
    now: HashMap<RecordId, u64>,
    before: HashMap<RecordId, u64>,
}

impl Seen {
    /// Another poll begins.
    pub fn poll_begins(&mut self) {
        self.before = std::mem::take(&mut self.now);
    }

    /// Whether the row was written by this poll or the one before as it is now. It counts as written.
    pub fn repeats(&mut self, id: RecordId, row: &Record<'_>) -> bool {
        let print = self.print(row);
        let known = self.now.get(&id).or_else(|| self.before.get(&id)).copied();
        if self.now.len() < ROWS || self.now.contains_key(&id) {
            self.now.insert(id, print);
        } else {
            // What stands there may be older than what is written now.
            self.before.remove(&id);
        }
        known == Some(print)
    }

    /// The row is written by other means than a poll.
    pub fn forget(&mut self, id: RecordId) {
        self.now.remove(&id);
        self.before.remove(&id);
    }

    fn print(&self, row: &Record<'_>) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        for (name, value) in row.iter() {
            name.hash(&mut hasher);
            value.get().hash(&mut hasher);
        }
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_repeats_for_one_more_poll_and_only_unchanged() {
        let record = |text: &'static str| serde_json::from_str::<Record<'_>>(text).unwrap();
        let (one, other) = (record(r#"{"Id":"x","Name":"a"}"#), record(r#"{"Id":"x","Name":"b"}"#));
        let id: RecordId = "0015f000000000A".parse().unwrap();
        let mut seen = Seen::default();
        let mut asked = Vec::new();
        for row in [
            Some(&one),
            Some(&one),
            None,
            Some(&one),
            Some(&other),
            None,
            Some(&other),
            Some(&one),
            None,
            None,
            Some(&one),
        ] {
            match row {
                Some(row) => asked.push(seen.repeats(id, row)),
                None => seen.poll_begins(),
            }
        }
        assert_eq!(asked, [false, true, true, false, true, false, false]);
        seen.forget(id);
        assert!(!seen.repeats(id, &one));
    }
}
