//! Rows that refer to records which are not there yet: a child before its parent, a manager after those who report to her. They wait
//! until nothing else can be sent, and are sent again as long as anything was written meanwhile. Pure.

use std::sync::Arc;

use crate::{
    delivery::Settled,
    row::Row,
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
    pub(crate) fn turn(&mut self) -> Option<Turn<T>> {
        if self.waiting.is_empty() {
            return None;
        }
        let waiting = std::mem::take(&mut self.waiting);
        Some(if std::mem::take(&mut self.hope) { Turn::Again(waiting) } else { Turn::InVain(waiting) })
    }
}
