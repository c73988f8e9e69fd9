//! Rows that refer to records which are not there yet: a child before its parent, a manager after those who report to her. They wait
//! until nothing else can be sent, and are sent again as long as anything was written meanwhile. Then circles among them are opened. Pure.

use std::sync::Arc;

use salesforce_client::FieldName;

use crate::{
    circles::{Break, Waiting, breaks},
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

/// All rows that wait so.
#[derive(Debug)]
pub(crate) struct Orphans<T> {
    waiting: Vec<Orphan<T>>,
    /// Whether anything was written since they were sent.
    hope: bool,
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
        Orphans { waiting: Vec::new(), hope: false }
    }

    /// A row begins to wait.
    pub(crate) fn park(&mut self, orphan: Orphan<T>) {
        self.waiting.push(orphan);
    }

    /// A row was written; it may be what others refer to.
    pub(crate) fn hope(&mut self) {
        self.hope = true;
    }

    /// What to do with those that wait, as nothing else can be sent; nothing if none waits.
    pub(crate) fn turn(&mut self, targets: &[Arc<Prepared>]) -> Option<Turn<T>> {
        if self.waiting.is_empty() {
            return None;
        }
        if std::mem::take(&mut self.hope) {
            return Some(Turn::Again(std::mem::take(&mut self.waiting)));
        }
        let rows = self.waiting.iter().map(|Orphan { target, run, row, .. }| {
            let first = run.first();
            Waiting { target: *target, operation: first.operation, address: &first.address, row }
        });
        let breaks = breaks(targets, &rows.collect::<Vec<_>>());
        let mut waiting: Vec<Option<Orphan<T>>> = std::mem::take(&mut self.waiting).into_iter().map(Some).collect();
        let mut open = Vec::new();
        for found in breaks {
            match found {
                Break::Open { row, without } => open.extend(waiting[row].take().map(|orphan| (orphan, without))),
                Break::Closed { row, required } => {
                    if let Some(orphan) = &mut waiting[row] {
                        orphan.refusal = closed(&orphan.refusal, &required);
                    }
                }
            }
        }
        let rest: Vec<_> = waiting.into_iter().flatten().collect();
        if open.is_empty() {
            return Some(Turn::InVain(rest));
        }
        self.waiting = rest;
        Some(Turn::Open(open))
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
