//! Rows that are written in two halves: first without references that lead in a circle, then these. The two are one change with one
//! receipt. Pure.
//!
//! A row that is refused in its first half is refused as a whole. One that is refused in its second is in the org without these
//! references, and its rejection says so. Killed between the two, the same change comes again, and finds what it refers to.

use std::{collections::HashMap, sync::Arc};

use salesforce_client::{FieldName, RecordId};

use crate::{
    row::Row,
    settled::Settled,
    window::{Run, Seq, TargetId},
};

/// What a call made of a row.
#[derive(Debug)]
pub(crate) struct Written<T> {
    pub(crate) target: TargetId,
    pub(crate) run: Run<T>,
    /// As it was sent.
    pub(crate) row: Arc<Row>,
    pub(crate) settled: Settled,
}

/// The second half of a row.
#[derive(Debug)]
pub(crate) struct Second<T> {
    pub(crate) target: TargetId,
    pub(crate) run: Run<T>,
    /// The record that the first half was written to.
    pub(crate) id: RecordId,
    pub(crate) row: Row,
}

/// A row in two halves, by how far it has come.
#[derive(Debug)]
enum Torn {
    First { whole: Arc<Row>, held: Row },
    Second { whole: Arc<Row>, fields: Vec<FieldName>, id: RecordId, created: bool },
}

/// All rows that are written so.
#[derive(Debug)]
pub(crate) struct Halves<T> {
    torn: HashMap<Seq, Torn>,
    waiting: Vec<Second<T>>,
}

impl<T> Halves<T> {
    pub(crate) fn new() -> Halves<T> {
        Halves { torn: HashMap::new(), waiting: Vec::new() }
    }

    /// Holds these fields of a row back. It is of one change: what is refused together is taken apart before it waits.
    pub(crate) fn tear(&mut self, run: &mut Run<T>, fields: &[FieldName]) {
        let part = &mut run.parts[0];
        let whole = Arc::new(part.row.clone());
        let held = part.row.split_off(fields);
        self.torn.insert(part.seq, Torn::First { whole, held });
    }

    /// What a call made of a row in the end; nothing if its second half is still to be written.
    pub(crate) fn settled(&mut self, written: Written<T>) -> Option<Written<T>> {
        let seq = written.run.first().seq;
        let Some(torn) = self.torn.remove(&seq) else { return Some(written) };
        let Written { target, run, settled, .. } = written;
        let (row, settled) = match (torn, settled) {
            (Torn::First { whole, held }, Settled::Applied { id: Some(id), created }) => {
                let fields = held.iter().map(|(column, _)| column.field.clone()).collect();
                self.torn.insert(seq, Torn::Second { whole, fields, id, created });
                self.waiting.push(Second { target, run, id, row: held });
                return None;
            }
            (Torn::First { whole, held }, Settled::Applied { id: None, .. }) => {
                let fields: Vec<String> = held.iter().map(|(column, _)| column.field.to_string()).collect();
                (whole, without(&fields, "UNKNOWN".to_owned(), "the org did not tell its Id", Vec::new()))
            }
            (Torn::First { whole, .. }, refused) => (whole, refused.for_good()),
            (Torn::Second { whole, id, created, .. }, Settled::Applied { .. }) => {
                (whole, Settled::Applied { id: Some(id), created })
            }
            (
                Torn::Second { whole, fields: held, .. },
                Settled::Rejected { code, message, fields } | Settled::Orphaned { code, message, fields },
            ) => {
                let held: Vec<String> = held.iter().map(ToString::to_string).collect();
                (whole, without(&held, code, &message, fields))
            }
        };
        Some(Written { target, run, row, settled })
    }

    /// Second halves that wait. They are written when nothing else can be: what they refer to is there by then, or will not come.
    pub(crate) fn take(&mut self) -> Vec<Second<T>> {
        std::mem::take(&mut self.waiting)
    }
}

/// The rejection of a record that is there without these fields.
fn without(held: &[String], code: String, message: &str, fields: Vec<String>) -> Settled {
    let told = format!("{message}; the record was written, but without {}", held.join(", "));
    let fields = if fields.is_empty() { held.to_vec() } else { fields };
    Settled::Rejected { code, message: told, fields }
}
