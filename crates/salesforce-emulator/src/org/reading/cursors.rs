//! Cursors: results that do not fit on one page, as their query locators name them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::org::{Id, Inner, Org};
use crate::soql::Query;

/// Cursors a user may have open; opening another drops the oldest.
const MOST_CURSORS: usize = 10;
/// Cursors of children that are kept.
const MOST_CURSORS_OF_CHILDREN: usize = 200;
/// How long a cursor lives, in virtual time.
const CURSOR_LIFE: SignedDuration = SignedDuration::from_hours(48);

/// The cursors of one user's large results.
#[derive(Debug, Default)]
pub(in crate::org) struct Cursors {
    open: HashMap<String, Arc<Cursor>>,
    order: VecDeque<String>,
    /// Those of children, which are none of the user's ten.
    of_children: VecDeque<String>,
}

/// A result too large for one page. Which rows belong to it was settled when the query ran; their values are read when
/// they are fetched, and rows deleted meanwhile are left out.
#[derive(Debug)]
pub(super) struct Cursor {
    pub(super) query: Query,
    pub(super) deleted: bool,
    /// Which sub-query its rows are of, by its place at each level; empty if they are the query's own.
    pub(super) path: Vec<usize>,
    pub(super) rows: Vec<i64>,
    pub(super) page: usize,
    pub(super) opened: Timestamp,
}

impl Org {
    pub(super) fn open_cursor(&self, cursor: Arc<Cursor>) -> String {
        let name = self.0.new_id("01g").to_string();
        let mut everybodys = self.0.cursors();
        let cursors = everybodys.entry(self.1).or_default();
        if cursors.order.len() == MOST_CURSORS
            && let Some(oldest) = cursors.order.pop_front()
        {
            cursors.open.remove(&oldest);
        }
        cursors.order.push_back(name.clone());
        cursors.open.insert(name.clone(), cursor);
        name
    }

    pub(super) fn cursor(&self, name: &str) -> Option<Arc<Cursor>> {
        let cursor = self.0.cursors().get(&self.1)?.open.get(name).cloned()?;
        (self.now().duration_since(cursor.opened) <= CURSOR_LIFE).then_some(cursor)
    }
}

impl Cursors {
    pub(super) fn keep_children(&mut self, name: String, cursor: Cursor) {
        if self.of_children.len() == MOST_CURSORS_OF_CHILDREN
            && let Some(oldest) = self.of_children.pop_front()
        {
            self.open.remove(&oldest);
        }
        self.of_children.push_back(name.clone());
        self.open.insert(name, Arc::new(cursor));
    }
}

impl Inner {
    /// An id outside the tables, such as a cursor's.
    pub(in crate::org) fn new_id(&self, prefix: &str) -> Id {
        let mut database = self.database();
        database.next_id += 1;
        Id::new(prefix, self.pod, database.next_id - 1)
    }
}
