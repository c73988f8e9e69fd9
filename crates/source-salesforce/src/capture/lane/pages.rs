//! The page that a lane reads: asked for, in hand, written row by row.

use std::time::Duration;

use salesforce_client::Page;

use super::{Lane, deletions::List};
use crate::{
    capture::{
        clock::answered,
        output::{GROUP, Output},
        plan,
        position::Read,
        tally::Purpose,
    },
    error::Error,
};

/// A page that arrived, until all its rows are written.
pub(super) struct PageInHand {
    page: Page,
    next: usize,
    deleted: bool,
    /// So many rows were asked for.
    most: usize,
}

impl Lane {
    /// The next page to be sent for, if one is due.
    pub(in crate::capture) fn next_page(&mut self) -> Option<Read> {
        let read = (!self.is_held()).then(|| self.machine.next_page()).flatten();
        self.paging |= read.is_some();
        read
    }

    /// Whether a page is in hand.
    pub(in crate::capture) fn has_page(&self) -> bool {
        self.page.is_some()
            || self.way.has_rows()
            || matches!(self.list, List::InHand { .. }) && !self.machine.has_long_queue()
    }

    /// A page arrived, of at most so many rows; with deleted rows, if those were asked for.
    pub(in crate::capture) fn take_page(&mut self, page: Page, deleted: bool, most: usize) {
        self.machine.page_arrived(answered(page.answered()));
        self.weigh(page.size(), page.rows().len());
        if self.way.page_came(page.rows().len())
            && let Err(field) = &self.feed.columns
        {
            tracing::info!(stream = self.stream(), %field, "reading on by pages, as Bulk API 2.0 does not carry a selected field");
        }
        self.page = Some(PageInHand { page, next: 0, deleted, most });
    }

    /// The reply to a page or a fetch was a refusal that a new describe may explain: what was asked for is asked for again.
    pub(in crate::capture) fn lost_page(&mut self) {
        self.paging = false;
        self.machine.page_lost();
    }

    /// Gives the page in hand up, if too much has changed since it was asked for. It will be read again.
    pub(in crate::capture) fn gives_up_page(&mut self) -> bool {
        let gives_up = self.machine.gives_up_page();
        if gives_up {
            (self.page, self.list, self.paging) = (None, List::None, false);
        }
        gives_up
    }

    /// Writes rows of the page in hand until a group is full. Answers whether the page is done.
    pub(in crate::capture) fn write_page<O: Output>(&mut self, output: &mut O) -> Result<bool, Error> {
        let Some(mut hand) = self.page.take() else { return Ok(self.work_off_list()) };
        let rows = hand.page.rows();
        let mut upper = None;
        while hand.next < rows.len() && output.collected() < GROUP {
            let row = self.feed.row(&rows[hand.next]).map_err(|source| self.bad_row("its history", source))?;
            hand.next += 1;
            upper = Some(self.write_read_row(output, hand.deleted, row)?);
        }
        if let Some(upper) = upper {
            self.machine.page_written(upper, answered(hand.page.answered()));
        }
        if hand.next >= rows.len() {
            let more = !hand.page.done() || rows.len() >= hand.most;
            let at = answered(hand.page.answered());
            let every = if self.hurries { Duration::ZERO } else { plan::lists(self.sweeps.interval()) };
            let every = i64::try_from(every.as_secs()).unwrap_or(i64::MAX);
            let from = self.machine.to_list(at, every).filter(|_| !more && self.feed.is_replicateable);
            match from {
                Some(from) => self.list = List::Due(from),
                None => {
                    if !more && self.machine.purpose() == Some(Purpose::Repair) {
                        self.counter.misses_purged();
                    }
                    self.end_page(more);
                }
            }
        } else {
            self.page = Some(hand);
        }
        Ok(!self.paging)
    }

    /// The page is done, and without `more` also the read.
    pub(in crate::capture) fn end_page(&mut self, more: bool) {
        if !more && let Some(purpose) = self.machine.purpose() {
            self.tell_refreshed();
            self.counter.ended(purpose);
            self.way.read_done();
        }
        self.machine.page_done(more);
        self.paging = false;
    }
}
