//! Rows of a lane become documents: whichever way they came, the machine says what is written, and what was written is remembered.

use jiff::Timestamp;
use salesforce_client::{Record, RecordId};
use salesforce_streaming::{Kind, Notification};

use super::Lane;
use crate::{
    capture::{binding::Announced, clock::answered, freshness::Verdict, output::Output, second::Second, tally::By},
    document::{Op, Print, Source},
    error::Error,
    resource::Deletions,
    row::{Facts, Row},
};

impl Lane {
    /// Writes the row of an event, or sees to it that it is fetched.
    pub(in crate::capture) fn take_notification<O: Output>(
        &mut self,
        notification: &Notification<'_>,
        output: &mut O,
    ) -> Result<(), Error> {
        let Notification { replay_id, created, kind, record, .. } = notification;
        let id = record.id().map_err(|source| self.bad_row("an event", source))?;
        let is_whole = self.whole && record.len() == self.feed.fields.len();
        let announced = Announced {
            replay: *replay_id,
            created: Second::from(*created),
            kind: *kind,
            id,
            whole: is_whole.then(|| self.feed.stamp(record)).flatten(),
        };
        if self.machine.event(announced) != Verdict::Write {
            return Ok(());
        }
        let source = Source { replay_id: replay_id.get(), created: *created };
        let op = match kind {
            Kind::Created | Kind::Undeleted => Some(Op::Create),
            Kind::Updated => Some(Op::Update),
            Kind::Deleted => None,
        };
        let mut print = Print::DELETED;
        output.document(self.index, |out| match op {
            Some(op) => print = self.writer.write_event(out, op, id, source, record),
            None => self.writer.write_deleted(out, id, Some(source)),
        });
        self.seen.wrote(id, print);
        Ok(())
    }

    /// Writes the records that a fetch has found, and deletions for those that are gone.
    pub(in crate::capture) fn take_fetched<'a, O: Output>(
        &mut self,
        rows: impl Iterator<Item = &'a Record<'a>>,
        at: Option<Timestamp>,
        bytes: usize,
        output: &mut O,
    ) -> Result<(), Error> {
        self.fetching = false;
        let (answered, mut count) = (answered(at), 0);
        for row in rows {
            let row = self.feed.row(row).map_err(|source| self.bad_row("a fetch by id", source))?;
            count += 1;
            if let Some(op) = self.machine.fetched(row.facts.id, row.facts.stamp, answered) {
                self.counter.fetched(row.facts.id, row.facts.is_deleted);
                let print = self.print(row);
                self.seen.wrote(row.facts.id, print);
                self.write_row(output, op, row);
            }
        }
        self.weigh(bytes, count);
        for id in self.machine.fetch_done(answered) {
            self.seen.wrote(id, Print::DELETED);
            self.counter.gone(id);
            self.write_gone(output, id);
        }
        Ok(())
    }

    /// Writes a row of a page or a job, unless something newer is written or it must be fetched. Answers its id.
    pub(in crate::capture) fn write_read_row<O: Output>(
        &mut self,
        output: &mut O,
        deleted: bool,
        row: Row<'_>,
    ) -> Result<RecordId, Error> {
        let Facts { id, stamp, is_new, is_deleted } = row.facts;
        if !self.machine.row_follows(id) {
            return Err(Error::OutOfOrder { object: self.feed.object.clone(), id });
        }
        self.counter.row();
        // What was never captured need not be deleted.
        if !deleted && is_deleted {
            return Ok(id);
        }
        match self.machine.page_row(id, stamp) {
            Verdict::Drop => {}
            Verdict::Fetch => self.counter.awaits(id, By::Page),
            Verdict::Write if deleted => {
                let op = if is_new { Op::Create } else { Op::Update };
                self.write_found(output, op, row);
            }
            Verdict::Write if self.machine.agenda().is_refreshing() => self.write_refreshed(output, row),
            Verdict::Write => {
                self.counter.wrote(true, false);
                self.write_row(output, Op::Create, row);
            }
        }
        Ok(id)
    }

    /// Writes a row that was changed since some time ago, unless it was written as it is.
    fn write_found<O: Output>(&mut self, output: &mut O, op: Op, row: Row<'_>) {
        let Facts { id, stamp, .. } = row.facts;
        let print = self.print(row);
        let repeats = self.seen.repeats(id, print);
        self.seen.wrote(id, print);
        if repeats {
            return;
        }
        let is_known =
            !self.seen.is_forgetful() && self.knows_since.zip(stamp).is_some_and(|(since, stamp)| stamp > since);
        self.counter.wrote(is_known, row.facts.is_deleted);
        self.write_row(output, op, row);
    }

    /// Writes the deletion of a record that nobody shows any more.
    fn write_gone<O: Output>(&self, output: &mut O, id: RecordId) {
        output.document(self.index, |out| match self.feed.deletions {
            Deletions::Remove => self.writer.write_deleted(out, id, None),
            Deletions::Keep => self.writer.write_purged(out, id, self.feed.tells_deleted()),
        });
    }

    pub(in crate::capture) fn print(&mut self, row: Row<'_>) -> Print {
        match (row.facts.is_deleted, self.feed.deletions) {
            (true, Deletions::Remove) => Print::DELETED,
            (true, Deletions::Keep) => self.writer.print(row.fields).deleted(),
            (false, _) => self.writer.print(row.fields),
        }
    }

    /// Writes a row that was read, or the deletion that it amounts to.
    pub(in crate::capture) fn write_row<O: Output>(&mut self, output: &mut O, op: Op, row: Row<'_>) {
        let Facts { id, is_deleted, .. } = row.facts;
        output.document(self.index, |out| match (is_deleted, self.feed.deletions) {
            (true, Deletions::Remove) => self.writer.write_deleted(out, id, None),
            (true, Deletions::Keep) => self.writer.write_kept(out, id, row.fields),
            (false, _) => self.writer.write(out, op, id, None, row.fields),
        });
    }

    pub(in crate::capture) fn weigh(&mut self, bytes: usize, rows: usize) {
        if let Some(each) = bytes.checked_div(rows) {
            self.row_bytes = each;
        }
    }

    pub(super) fn bad_row(&self, feed: &'static str, source: salesforce_client::Error) -> Error {
        Error::Row { object: self.feed.object.clone(), feed, source: Box::new(source) }
    }
}
