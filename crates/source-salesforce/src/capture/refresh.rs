//! Refreshes of a lane: all its rows are read again on a schedule, because a formula, or a roll-up of other records, changes its value
//! without a change of its record.
//!
//! A refresh is one more read through the object, so the rule of [`super::freshness`] holds for it as for any. It takes its turn:
//! polls and sweeps wait until it is done, and it begins only when nothing else is to be read.

use std::time::Duration;

use tokio::time::Instant;

use super::{lane::Lane, output::Output, second::Second};
use crate::{document::Op, row::Row, schedule::Schedule};

/// When rows are read again, and how far that is.
#[derive(Debug)]
pub(super) struct Refreshes {
    schedule: Option<Schedule>,
    /// When the next one is due; `None` before the first is counted from.
    due: Option<Second>,
    /// The org's latest known time.
    now: Second,
    /// Rows that the one at hand has written.
    rows: u64,
}

impl Refreshes {
    pub(super) fn new(schedule: Option<Schedule>, last: Option<Second>) -> Self {
        let due = schedule.as_ref().zip(last).and_then(|(schedule, last)| schedule.next(last));
        Self { schedule, due, now: Second::MIN, rows: 0 }
    }
}

impl Lane {
    /// When a refresh is to begin, if that is the next thing to do. `time` is the org's at `now`.
    pub(super) fn refresh_due(&self, time: Second, now: Instant) -> Option<Instant> {
        let due = self.refreshes.due.filter(|_| self.awaits_refresh())?;
        Some(now + Duration::from_secs(due.since(time).max(0).unsigned_abs()))
    }

    /// Begins a refresh if it is time. Times that have passed since the last one are made up for by one.
    pub(super) fn keep_fresh(&mut self, time: Second) {
        if self.refreshes.schedule.is_none() {
            return;
        }
        self.refreshes.now = time;
        if !self.awaits_refresh() {
            return;
        }
        match self.refreshes.due {
            _ if self.machine.refreshed().is_none() => self.count_from(time),
            Some(due) if due <= time => {
                tracing::info!(stream = self.stream(), "refreshing: reading all rows again");
                self.machine.refresh(time);
                self.count_from(time);
            }
            _ => {}
        }
    }

    /// Writes a row that a refresh has read, unless it is remembered to have been written as it is.
    pub(super) fn write_refreshed<O: Output>(&mut self, output: &mut O, row: Row<'_>) {
        let id = row.facts.id;
        let print = self.print(row);
        if self.seen.repeats(id, print) {
            return;
        }
        self.seen.rewrote(id, print);
        self.refreshes.rows += 1;
        self.write_row(output, Op::Update, row);
    }

    /// The read at hand is done: if it was a refresh, says so, and which it has made impossible.
    pub(super) fn tell_refreshed(&mut self) {
        if !self.machine.agenda().is_refreshing() {
            return;
        }
        let rows = std::mem::take(&mut self.refreshes.rows);
        tracing::info!(stream = self.stream(), rows, "refreshed: rows are written as they are now");
        let last = self.machine.refreshed();
        let schedule = self.refreshes.schedule.as_ref();
        let skipped = schedule.zip(last).map_or(0, |(schedule, last)| schedule.between(last, self.refreshes.now));
        if skipped > 0 {
            tracing::warn!(
                stream = self.stream(),
                skipped,
                "refreshes are skipped, as the one before them was still running: choose a longer schedule (refresh)"
            );
            self.count_from(self.refreshes.now);
        }
    }

    fn awaits_refresh(&self) -> bool {
        self.awaits_sweep() && self.machine.complete().is_some()
    }

    fn count_from(&mut self, time: Second) {
        self.machine.count_refreshes_from(time);
        self.refreshes.due = self.refreshes.schedule.as_ref().and_then(|schedule| schedule.next(time));
    }
}
