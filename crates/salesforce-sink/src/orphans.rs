//! Rows that refer to records which are not there yet: a child before its parent, a manager after those who report to her. They wait
//! until nothing else can be sent, and are sent again as long as anything was written since, those first that wait for none of the others:
//! a deep tree goes level by level, and each row of it not much more often than once. Then circles among them are opened. Pure.

use std::sync::Arc;

use salesforce_client::FieldName;

use crate::{
    circles::{Break, Waiting, breaks, tied},
    codes,
    prepare::Prepared,
    row::Row,
    settled::Settled,
    window::{Run, TargetId},
};

/// A row that waits for the record it refers to.
#[derive(Debug)]
pub(crate) struct Orphan<T> {
    pub(crate) target: TargetId,
    pub(crate) run: Run<T>,
    /// As it was sent.
    pub(crate) row: Arc<Row>,
    /// How it was refused.
    pub(crate) refusal: Settled,
}

impl<T> Orphan<T> {
    /// As others are concerned by it.
    fn waiting(&self) -> Waiting<'_> {
        let Orphan { target, run, row, .. } = self;
        let first = run.first();
        Waiting { target: *target, operation: first.operation, address: &first.address, row }
    }
}

/// All rows that wait so.
#[derive(Debug)]
pub(crate) struct Orphans<T> {
    /// Each with the turn in which it was sent.
    waiting: Vec<(u64, Orphan<T>)>,
    turn: u64,
    /// The turn in which a row was written last.
    written: Option<u64>,
}

/// What becomes of those that wait, now that nothing else can be sent.
#[derive(Debug)]
pub(crate) enum Turn<T> {
    /// They are sent again.
    Again(Vec<Orphan<T>>),
    /// They are sent without these references, of which more are to come; the others go on waiting.
    Open(Vec<(Orphan<T>, Vec<FieldName>)>),
    /// What they refer to will not come from here.
    InVain(Vec<Orphan<T>>),
}

impl<T> Orphans<T> {
    pub(crate) fn new() -> Orphans<T> {
        Orphans { waiting: Vec::new(), turn: 0, written: None }
    }

    /// A row begins to wait.
    pub(crate) fn park(&mut self, orphan: Orphan<T>) {
        self.waiting.push((self.turn, orphan));
    }

    /// A row was written; it may be what others refer to.
    pub(crate) fn hope(&mut self) {
        self.written = Some(self.turn);
    }

    /// What to do with those that wait, as nothing else can be sent; nothing if none waits.
    pub(crate) fn turn(&mut self, targets: &[Arc<Prepared>]) -> Option<Turn<T>> {
        if self.waiting.is_empty() {
            return None;
        }
        // Refusals come in any order; what is made of them does not depend on that.
        self.waiting.sort_by_key(|(_, orphan)| orphan.run.first().seq);
        let rows: Vec<_> = self.waiting.iter().map(|(_, orphan)| orphan.waiting()).collect();
        let hopes: Vec<bool> = self.waiting.iter().map(|(sent, _)| self.written >= Some(*sent)).collect();
        let turn = if hopes.contains(&true) {
            let free = tied(targets, &rows).into_iter().zip(&hopes).map(|(tied, hopes)| *hopes && !tied);
            let free: Vec<bool> = free.collect();
            // If all wait for others: those may be there already, and wait to be written anew.
            let mut next = if free.contains(&true) { free } else { hopes }.into_iter();
            let again = self.waiting.extract_if(.., |_| next.next() == Some(true));
            Turn::Again(again.map(|(_, orphan)| orphan).collect())
        } else {
            let breaks = breaks(targets, &rows);
            self.open(breaks)
        };
        self.turn += 1;
        Some(turn)
    }

    /// Opens circles; if there are none, all is in vain.
    fn open(&mut self, breaks: Vec<Break>) -> Turn<T> {
        let mut waiting: Vec<_> = std::mem::take(&mut self.waiting).into_iter().map(Some).collect();
        let mut open = Vec::new();
        for found in breaks {
            match found {
                Break::Open { row, without } => open.extend(waiting[row].take().map(|(_, orphan)| (orphan, without))),
                Break::Closed { row, required } => {
                    if let Some((_, orphan)) = &mut waiting[row] {
                        orphan.refusal = closed(&orphan.refusal, &required);
                    }
                }
            }
        }
        let rest = waiting.into_iter().flatten();
        if open.is_empty() {
            return Turn::InVain(rest.map(|(_, orphan)| orphan).collect());
        }
        self.waiting = rest.collect();
        Turn::Open(open)
    }
}

/// The refusal of a row on a circle that cannot be opened.
fn closed(refusal: &Settled, required: &FieldName) -> Settled {
    let said = match refusal {
        Settled::Rejected { message, .. } | Settled::Orphaned { message, .. } => message.as_str(),
        Settled::Applied { .. } => "",
    };
    let message = format!(
        "{said}; that record refers back to this one, and neither can be made without the other: {required} is required, or \
         cannot be set later"
    );
    Settled::Rejected { code: codes::CIRCLE.to_owned(), message, fields: vec![required.to_string()] }
}
