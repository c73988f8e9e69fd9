//! Rows written lately, so that what a sweep or an overlapping poll brings again is not written again.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use salesforce_client::RecordId;

use crate::document::Print;

/// Rows remembered of each of the last two spans. What is not remembered is written again, which changes nothing.
const ROWS: usize = 20_000;

/// What was last written of rows since the sweep before the last began. A row is the same only if all of it is: modstamps
/// have a resolution of one second, so they cannot tell.
#[derive(Debug, Default)]
pub struct Seen {
    now: HashMap<RecordId, Print, RandomState>,
    before: HashMap<RecordId, Print, RandomState>,
    /// Whether all that was written in each of the two spans is remembered.
    forgot: (bool, bool),
}

impl Seen {
    /// Another poll or sweep begins, and with it another span.
    pub fn sweep_begins(&mut self) {
        self.before = std::mem::take(&mut self.now);
        self.forgot = (false, self.forgot.0);
    }

    /// This was written of the row.
    pub fn wrote(&mut self, id: RecordId, print: Print) {
        if self.now.len() < ROWS || self.now.contains_key(&id) {
            self.now.insert(id, print);
        } else {
            // What stands there is older than what is written now.
            self.before.remove(&id);
            self.forgot.0 = true;
        }
    }

    /// This was written of the row by a read of all rows, too many to be remembered: what is remembered of it already is corrected.
    pub fn rewrote(&mut self, id: RecordId, print: Print) {
        if let Some(known) = self.now.get_mut(&id).or_else(|| self.before.get_mut(&id)) {
            *known = print;
        }
    }

    /// Whether this is what was written last of the row.
    pub fn repeats(&self, id: RecordId, print: Print) -> bool {
        self.last(id) == Some(print)
    }

    /// Whether what was written last of the row is that its record is deleted.
    pub fn knows_deleted(&self, id: RecordId) -> bool {
        self.last(id).is_some_and(Print::is_deleted)
    }

    fn last(&self, id: RecordId) -> Option<Print> {
        self.now.get(&id).or_else(|| self.before.get(&id)).copied()
    }

    /// Whether rows may have been written that are not remembered.
    pub fn is_forgetful(&self) -> bool {
        self.forgot.0 || self.forgot.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Writer;

    #[test]
    fn a_row_repeats_for_one_more_span_and_only_unchanged() {
        let mut writer = Writer::new([]);
        let mut print = |text: &'static str| writer.print(&serde_json::from_str(text).unwrap());
        let (one, other) = (print(r#"{"Id":"x","Name":"a"}"#), print(r#"{"Id":"x","Name":"b"}"#));
        let id: RecordId = "0015f000000000A".parse().unwrap();
        let mut seen = Seen::default();
        let mut asked = Vec::new();
        for row in [
            Some(one),
            Some(one),
            None,
            Some(one),
            Some(other),
            None,
            Some(other),
            Some(one),
            None,
            None,
            Some(one),
            Some(Print::DELETED),
            Some(Print::DELETED),
        ] {
            match row {
                Some(row) => {
                    asked.push(seen.repeats(id, row));
                    seen.wrote(id, row);
                }
                None => seen.sweep_begins(),
            }
        }
        assert_eq!(asked, [false, true, true, false, true, false, false, false, true]);
    }

    /// A record restored, changed and deleted once more has other last values.
    #[test]
    fn last_values_are_told_apart() {
        let mut writer = Writer::new([]);
        let mut print = |text: &'static str| writer.print(&serde_json::from_str(text).unwrap());
        let (one, other) = (print(r#"{"Name":"a"}"#), print(r#"{"Name":"b"}"#));
        let id: RecordId = "0015f000000000A".parse().unwrap();
        let mut seen = Seen::default();
        for (wrote, is_deleted) in [(one, false), (one.deleted(), true), (Print::DELETED, true), (other, false)] {
            seen.wrote(id, wrote);
            assert_eq!((seen.knows_deleted(id), seen.repeats(id, wrote)), (is_deleted, true), "{wrote:?}");
            assert!(!seen.repeats(id, other.deleted()), "{wrote:?}");
        }
    }

    #[test]
    fn what_is_remembered_is_corrected() {
        let mut writer = Writer::new([]);
        let mut print = |text: &'static str| writer.print(&serde_json::from_str(text).unwrap());
        let (one, other) = (print(r#"{"Sum":1}"#), print(r#"{"Sum":2}"#));
        let ids: Vec<RecordId> = ["0015f000000000A", "0015f000000000B"].map(|id| id.parse().unwrap()).into();
        let mut seen = Seen::default();
        seen.wrote(ids[0], one);
        for spans in 0..2 {
            ids.iter().for_each(|id| seen.rewrote(*id, other));
            assert!(!seen.repeats(ids[0], one), "a value that comes back is news, {spans} sweeps later");
            assert!(seen.repeats(ids[0], other) && !seen.repeats(ids[1], other) && !seen.is_forgetful());
            seen.sweep_begins();
        }
    }

    #[test]
    fn what_is_too_much_is_forgotten_and_said() {
        let id = |n: usize| format!("0015f00000{n:05}").parse::<RecordId>().unwrap();
        let mut seen = Seen::default();
        for n in 0..=ROWS {
            seen.wrote(id(n), Print::DELETED);
        }
        assert!(seen.is_forgetful() && !seen.repeats(id(ROWS), Print::DELETED));
        seen.sweep_begins();
        assert!(seen.is_forgetful(), "the next sweep reaches back into that span");
        seen.sweep_begins();
        assert!(!seen.is_forgetful());
    }
}
