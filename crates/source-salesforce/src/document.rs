//! Records as documents: `_meta`, and every field in the one spelling that documents use.
//!
//! REST, events and Bulk spell some values differently. A document does not show where its row came from:
//!
//! | type | REST | event | document |
//! |---|---|---|---|
//! | `datetime` | `…:59.000+0000` | `…:59.000Z` | `…:59.000Z` (RFC 3339, as Flow's `date-time` asks) |
//! | `address`, `location` | `{"city": …}` | `{"City": …}` | `{"city": …}`; `null` when every part is null |
//! | all others | as they are | as they are | the same bytes |
//!
//! The cells of a Bulk job's results are spelled so where they are read: [`columns`](crate::columns) and [`cell`](crate::cell).

use std::{collections::HashMap, hash::BuildHasher as _, io::Write as _};

use foldhash::fast::RandomState;
use jiff::Timestamp;
use salesforce_client::{Field, FieldType, Record, RecordId, record::Json};

use crate::row::Fields;

/// `_meta/op`: what happened to the record, as far as this document's reader is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// It is there for the first time, or again after an undelete.
    Create,
    /// It changed.
    Update,
}

impl Op {
    fn as_str(self) -> &'static str {
        match self {
            Self::Create => "c",
            Self::Update => "u",
        }
    }
}

/// The event that brought a row, as `_meta/source` tells it.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    /// The event's replay id.
    pub replay_id: i64,
    /// The event's `createdDate`, to the millisecond.
    pub created: Timestamp,
}

/// A fingerprint of what a document says of its record, whatever its operation and source: rows that read alike have the same,
/// whichever way they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Print(u64);

impl Print {
    /// Of a deletion that tells no values.
    pub const DELETED: Self = Self(0);

    /// Of a record that is there: never that of a deletion.
    fn of(sum: u64) -> Self {
        Self(sum | 1)
    }

    /// The same values, as those of a deleted record that is kept.
    pub fn deleted(self) -> Self {
        Self(self.0 & !1)
    }

    /// Whether it is one of a deletion.
    pub fn is_deleted(self) -> bool {
        self.0 & 1 == 0
    }
}

/// Writes the records of one object as documents.
#[derive(Debug)]
pub struct Writer {
    prints: RandomState,
    by_name: HashMap<Box<str>, Spelling>,
    /// The field at each place of the record before this one: records of one feed list their fields in one order, so that a
    /// comparison of names nearly always replaces a lookup.
    order: Vec<Place>,
    /// `,"complete_until":"…"`, as it stands in `_meta`; empty where documents do not say it.
    complete: String,
}

/// A field at its place in a record.
#[derive(Debug)]
struct Place {
    /// `,"NAME":`, as it stands in the document.
    key: Box<str>,
    spelling: Spelling,
}

impl Place {
    fn name(&self) -> &str {
        &self.key[2..self.key.len() - 2]
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spelling {
    AsIs,
    DateTime,
    Compound,
}

impl Writer {
    /// A writer for records with these fields. Fields that are not among them are written as they are.
    pub fn new<'a>(fields: impl IntoIterator<Item = &'a Field>) -> Self {
        let by_name =
            fields.into_iter().map(|field| (Box::from(field.name.as_str()), Spelling::of(&field.kind))).collect();
        Self { prints: RandomState::default(), by_name, order: Vec::new(), complete: String::new() }
    }

    /// From now on documents say in `_meta` that all older ones are complete up to there.
    pub fn tell_complete(&mut self, until: Timestamp) {
        self.complete = format!(r#","complete_until":"{until}""#);
    }

    /// Appends the document of a record that is there. `Id` comes first and in its long form.
    pub fn write<'a>(
        &mut self,
        out: &mut Vec<u8>,
        op: Op,
        id: RecordId,
        source: Option<Source>,
        fields: impl Into<Fields<'a>>,
    ) {
        self.begin(out, op.as_str(), id, source, "");
        self.fields(out, fields.into());
    }

    /// Appends the document of a deleted record that is kept, with its last values. Its operation is an update: a reduction
    /// must not remove it.
    pub fn write_kept<'a>(&mut self, out: &mut Vec<u8>, id: RecordId, fields: impl Into<Fields<'a>>) {
        self.begin(out, "u", id, None, r#","deleted":true"#);
        self.fields(out, fields.into());
    }

    fn fields(&mut self, out: &mut Vec<u8>, fields: Fields<'_>) {
        match fields {
            Fields::Spelled(spelled) => out.extend_from_slice(spelled),
            Fields::Record(record) => self.spell(out, record, |_| {}),
        }
        out.push(b'}');
    }

    /// As [`Writer::write`], for the record of an event. Answers its fingerprint.
    pub fn write_event(
        &mut self,
        out: &mut Vec<u8>,
        op: Op,
        id: RecordId,
        source: Source,
        record: &Record<'_>,
    ) -> Print {
        self.begin(out, op.as_str(), id, Some(source), "");
        let print = self.spell_and_print(out, record);
        out.push(b'}');
        print
    }

    /// Appends the document that says a record is deleted: its key and nothing invented.
    pub fn write_deleted(&self, out: &mut Vec<u8>, id: RecordId, source: Option<Source>) {
        self.begin(out, "d", id, source, "");
        out.push(b'}');
    }

    /// Appends the document that says a record is deleted whose row is kept, and whose last values nobody shows any more: a reduction
    /// merges it into what was captured before. `is_told`: the object's rows have a field that says it too.
    pub fn write_purged(&self, out: &mut Vec<u8>, id: RecordId, is_told: bool) {
        self.begin(out, "u", id, None, r#","deleted":true,"partial":true"#);
        out.extend_from_slice(if is_told { br#","IsDeleted":true}"# } else { b"}" });
    }

    /// The beginning of every document; `flags` are further members of its `_meta`.
    fn begin(&self, out: &mut Vec<u8>, op: &str, id: RecordId, source: Option<Source>, flags: &str) {
        out.extend_from_slice(b"{\"_meta\":{\"op\":\"");
        out.extend_from_slice(op.as_bytes());
        out.push(b'"');
        if let Some(Source { replay_id, created }) = source {
            // Writing to memory does not fail.
            let _ = write!(out, r#","source":{{"replayId":{replay_id},"createdDate":"{created:.3}"}}"#);
        }
        out.extend_from_slice(flags.as_bytes());
        out.extend_from_slice(self.complete.as_bytes());
        out.extend_from_slice(b"},\"Id\":\"");
        out.extend_from_slice(id.as_str().as_bytes());
        out.push(b'"');
    }

    /// The fingerprint of the record's document. The order of its fields does not count: each way has its own.
    pub fn print<'a>(&mut self, fields: impl Into<Fields<'a>>) -> Print {
        let mut out = Vec::new();
        match fields.into() {
            Fields::Record(record) => self.spell_and_print(&mut out, record),
            // What is spelled is spelled the same when it is read again. It was written whole, and so it can be read.
            Fields::Spelled(spelled) => {
                let record = [b"{", spelled.strip_prefix(b",").unwrap_or(spelled), b"}"].concat();
                let print = serde_json::from_slice(&record).map(|record| self.spell_and_print(&mut out, &record));
                print.unwrap_or_else(|_| Print::of(self.prints.hash_one(record)))
            }
        }
    }

    fn spell_and_print(&mut self, out: &mut Vec<u8>, record: &Record<'_>) -> Print {
        let (prints, mut sum) = (self.prints.clone(), 0_u64);
        self.spell(out, record, |field| sum = sum.wrapping_add(prints.hash_one(field)));
        Print::of(sum)
    }

    /// Appends the fields of a record but `Id`, each `,"NAME":VALUE`, and shows each as it is written.
    fn spell(&mut self, out: &mut Vec<u8>, record: &Record<'_>, mut show: impl FnMut(&[u8])) {
        for (place, (name, value)) in record.iter().filter(|(name, _)| *name != "Id").enumerate() {
            let start = out.len();
            let Place { key, spelling } = self.place(place, name);
            out.extend_from_slice(key.as_bytes());
            spelling.write(out, value);
            show(&out[start..]);
        }
    }

    fn place(&mut self, place: usize, name: &str) -> &Place {
        if self.order.get(place).is_none_or(|known| known.name() != name) {
            let spelling = self.by_name.get(name).copied().unwrap_or(Spelling::AsIs);
            // Names come from Salesforce's own describe: letters, digits and underscores.
            let known = Place { key: format!(",\"{name}\":").into(), spelling };
            self.order.truncate(place);
            self.order.push(known);
        }
        &self.order[place]
    }
}

impl Spelling {
    fn of(kind: &FieldType) -> Self {
        match kind {
            FieldType::DateTime => Self::DateTime,
            FieldType::Address | FieldType::Location => Self::Compound,
            _ => Self::AsIs,
        }
    }

    fn write(self, out: &mut Vec<u8>, value: Json<'_>) {
        let text = value.get();
        match self {
            Self::DateTime => match text.strip_suffix("+0000\"").or_else(|| text.strip_suffix("+00:00\"")) {
                Some(time) => {
                    out.extend_from_slice(time.as_bytes());
                    out.extend_from_slice(b"Z\"");
                }
                None => out.extend_from_slice(text.as_bytes()),
            },
            Self::Compound => match value.object() {
                Some(parts) => write_compound(out, &parts),
                // Null, or something that Salesforce has not written so far.
                None => out.extend_from_slice(text.as_bytes()),
            },
            Self::AsIs => out.extend_from_slice(text.as_bytes()),
        }
    }
}

fn write_compound(out: &mut Vec<u8>, parts: &Record<'_>) {
    if parts.iter().all(|(_, part)| part.get() == "null") {
        out.extend_from_slice(b"null");
        return;
    }
    for (n, (name, part)) in parts.iter().enumerate() {
        out.extend_from_slice(if n == 0 { b"{\"" } else { b",\"" });
        let start = out.len();
        out.extend_from_slice(name.as_bytes());
        if let Some(capital) = out.get_mut(start) {
            capital.make_ascii_lowercase();
        }
        out.extend_from_slice(b"\":");
        out.extend_from_slice(part.get().as_bytes());
    }
    out.push(b'}');
}
