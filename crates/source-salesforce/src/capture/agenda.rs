//! What one binding is still to read, and the page of it that is on its way or in hand. Pure.
//!
//! Reads go one after the other, each through the object in the order of ids, by pages or by jobs. The first of them may have begun:
//! it stands behind the last row that was written.

use std::collections::BTreeMap;

use salesforce_client::{
    RecordId,
    bulk::{JobId, ResultLocator},
};

use super::{
    freshness::{PageRead, Verdict},
    position::{Bulk, Read},
    second::Second,
};

/// What a first read covers before it has begun.
const NOTHING: Second = Second::MIN;

/// A read after a gap begins this many seconds before the stream was last known to be complete: rows of long transactions
/// become visible minutes after the time they are stamped with.
pub(super) const REPAIR_OVERLAP: i64 = 300;

/// Polls and sweeps begin this many seconds before the time up to which the org says all changes are visible: getUpdated ignores
/// seconds.
pub(super) const SWEEP_OVERLAP: i64 = 60;

/// Where the org does not say up to when its changes are visible, that is taken to be so many seconds before it answered.
const VISIBLE_LATE: i64 = 300;

/// Records written while a page is on its way, before it is given up and read again. That takes seconds; an org that announces
/// more than this in that time is better read once it has calmed down.
const MOST_DURING_PAGE: usize = 100_000;

/// The same for a job: the state holds them, and each commit compares it.
const MOST_DURING_JOB: usize = 2_000;

/// The reads that are left, and the page at hand.
#[derive(Debug, Clone)]
pub struct Agenda {
    reads: Vec<Read>,
    page: Option<PageRead>,
    /// Its latest row.
    latest: Option<RecordId>,
    /// The page is a job that an earlier session has begun, and that this one has not gone on with yet.
    left_job: bool,
    /// Up to where the read at hand covers is told by the time at which it begins.
    covers_by_time: bool,
    /// The read at hand has begun in this life.
    begun: bool,
    /// Reads that cover something and were begun and done in this life.
    has_read: bool,
}

impl Agenda {
    /// Goes on with the reads that were left; `written` are the records written behind the last row of a job.
    pub(super) fn resuming(reads: Vec<Read>, written: BTreeMap<RecordId, Second>) -> Self {
        let left_job = reads.first().is_some_and(|read| read.bulk.is_some());
        Self {
            page: left_job.then(|| PageRead::resuming(written)),
            latest: None,
            left_job,
            covers_by_time: reads.first().is_some_and(|read| read.covers == Some(NOTHING)),
            begun: false,
            has_read: false,
            reads,
        }
    }

    /// The reads, in their order.
    pub fn reads(&self) -> &[Read] {
        &self.reads
    }

    /// The read at hand, or the next one.
    pub fn first(&self) -> Option<&Read> {
        self.reads.first()
    }

    /// What the first read covers that covers something.
    pub fn covering(&self) -> Option<Second> {
        self.reads.iter().find_map(|read| read.covers)
    }

    /// Whether nothing is left to be read.
    pub fn is_empty(&self) -> bool {
        self.reads.is_empty()
    }

    /// Whether a read that began in this life is done: it has seen all that could be seen when this life began.
    pub fn has_read(&self) -> bool {
        self.has_read
    }

    /// Whether the read at hand is a refresh.
    pub fn is_refreshing(&self) -> bool {
        self.reads.first().is_some_and(|read| read.refresh)
    }

    /// Whether the read at hand, or the next one, is a poll or a sweep, and not the first.
    pub fn is_sweeping(&self) -> bool {
        self.reads.first().is_some_and(|read| read.covers.is_some() && read.deleted)
    }

    /// Whether a repair is left.
    pub fn is_repairing(&self) -> bool {
        self.reads.iter().any(Read::is_repair)
    }

    /// Whether reads are left that are more than a sweep or a refresh.
    pub fn is_reading(&self) -> bool {
        let reads = self.reads.iter().filter(|read| !read.refresh).count();
        reads > usize::from(self.is_sweeping())
    }

    /// Whether the read at hand, if there is one, is still to begin.
    pub fn begins_read(&self) -> bool {
        self.reads.first().is_some_and(|read| read.after.is_none())
    }

    /// Whether the read at hand asks for deleted rows too.
    pub fn reads_deleted(&self) -> bool {
        self.reads.first().is_some_and(|read| read.deleted)
    }

    /// The job by which the rows of the read at hand come.
    pub fn job(&self) -> Option<&Bulk> {
        self.reads.first()?.bulk.as_ref()
    }

    /// From when on the repairs that are left read again, without the overlap: when the stream was last known to be complete.
    pub fn lost_since(&self) -> Option<Second> {
        let repairs = self.reads.iter().filter(|read| read.is_repair());
        repairs.map(|read| read.since.map(|since| since.plus(REPAIR_OVERLAP))).min().flatten()
    }

    /// All that changed since everything was `complete` is to be read; of a new binding, all since its `start`. `covers` is the time up to
    /// which the org says all changes are visible, if it says so.
    pub(super) fn sweep(&mut self, complete: Option<Second>, start: Option<Second>, covers: Option<Second>) {
        let since = complete.map_or(start, |complete| Some(complete.plus(-SWEEP_OVERLAP)));
        self.covers_by_time = covers.is_none();
        let covers = covers.or(complete).unwrap_or(NOTHING);
        self.reads.push(Read { since, deleted: complete.is_some(), covers: Some(covers), ..Read::default() });
    }

    /// All rows are to be read, whether they have changed or not.
    pub(super) fn refresh(&mut self) {
        self.reads.push(Read { refresh: true, ..Read::default() });
    }

    /// What changed since the binding was last known to be sound is to be read; all since its `start` if it never was.
    pub(super) fn repair(&mut self, sound: Option<Second>, start: Option<Second>) {
        let since = sound.map_or(start, |sound| Some(sound.plus(-REPAIR_OVERLAP)));
        let read = Read { since, deleted: true, ..Read::default() };
        // A repair that has not begun covers this one too. One whose page is on its way has begun.
        let begun = usize::from(self.page.is_some());
        if self.reads.iter().skip(begun).next_back() != Some(&read) {
            self.reads.push(read);
        }
    }

    /// The org has said that all changes up to `visible` are visible: a first read that has not begun covers that.
    pub(super) fn covers(&mut self, visible: Second) {
        if let Some(read) = self.reads.first_mut().filter(|read| read.after.is_none() && self.covers_by_time) {
            read.covers = Some(visible);
            self.covers_by_time = false;
        }
    }

    /// A read that begins at `at` covers what is visible then, unless the org has said what that is.
    pub(super) fn covers_from(&mut self, at: Second) {
        self.covers(at.plus(-VISIBLE_LATE));
    }

    /// Whether a page is on its way or in hand.
    pub(super) fn is_under_way(&self) -> bool {
        self.page.is_some() && !self.left_job
    }

    /// The read whose next page is to be sent for, or whose job is to be gone on with, and whether it begins. It counts as sent.
    pub(super) fn next_page(&mut self) -> Option<(Read, bool)> {
        let read = self.reads.first()?.clone();
        let begins = !std::mem::take(&mut self.left_job) && read.after.is_none();
        self.begun |= begins;
        self.page.get_or_insert_default();
        Some((read, begins))
    }

    /// The rows of the page that was sent for come by a job. The org has `created` it, and reads no row before.
    pub(super) fn job_created(&mut self, job: JobId, created: Second) {
        self.covers_from(created);
        if let Some(read) = self.reads.first_mut() {
            read.bulk = Some(Bulk::new(job));
        }
    }

    /// Of that page of the job's results, so many rows are written or noted.
    pub(super) fn job_written(&mut self, page: Option<ResultLocator>, rows: u64) {
        if let Some(bulk) = self.reads.first_mut().and_then(|read| read.bulk.as_mut()) {
            (bulk.page, bulk.rows) = (page, rows);
        }
    }

    /// The page has a row of `id`. Answers whether it comes behind those before it, or once more.
    pub(super) fn row_follows(&mut self, id: RecordId) -> bool {
        let before = self.latest.or(self.reads.first().and_then(|read| read.after));
        self.latest = Some(id);
        before.is_none_or(|before| before <= id)
    }

    /// What to do with a row of the page, by all that was written since it was sent for; `None` where there is no page.
    pub(super) fn judge(&self, id: RecordId, stamp: Option<Second>) -> Option<Verdict> {
        self.page.as_ref().map(|page| page.judge(id, stamp))
    }

    /// A row of `id` was written that did not come with the page.
    pub(super) fn wrote(&mut self, id: RecordId, second: Second) {
        if let Some(page) = &mut self.page {
            page.wrote(id, second);
        }
    }

    /// Records written behind the last row of the job at hand: all that a page must not take back.
    pub(super) fn written(&self) -> BTreeMap<RecordId, Second> {
        let page = self.page.as_ref().filter(|_| self.job().is_some());
        page.map(|page| page.since().clone()).unwrap_or_default()
    }

    /// Rows of the page up to `upper` are written or noted.
    pub(super) fn page_written(&mut self, upper: RecordId) {
        if let Some(read) = self.reads.first_mut() {
            read.after = Some(upper);
        }
        if let Some(page) = &mut self.page {
            page.passed(upper);
        }
    }

    /// The page that was sent for will not come, or no more of its job's rows: it is asked for again from the last row written.
    pub(super) fn page_lost(&mut self) {
        (self.page, self.latest, self.left_job) = (None, None, false);
        if let Some(read) = self.reads.first_mut() {
            read.bulk = None;
        }
    }

    /// Gives the page up if too much was written while it was on its way. Answers whether it does.
    pub(super) fn gives_up_page(&mut self) -> bool {
        let most = if self.job().is_some() { MOST_DURING_JOB } else { MOST_DURING_PAGE };
        let overrun = self.page.as_ref().is_some_and(|page| page.since().len() > most);
        if overrun {
            self.page_lost();
        }
        overrun
    }

    /// The page is done, or its job. Answers the read that is done with it, if there is no `more` of it.
    pub(super) fn page_done(&mut self, more: bool) -> Option<Read> {
        self.page_lost();
        if more || self.reads.is_empty() {
            return None;
        }
        let read = self.reads.remove(0);
        self.has_read |= std::mem::take(&mut self.begun) && read.covers.is_some();
        Some(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Option<Second> {
        Some(Second::new(second))
    }

    fn agenda() -> Agenda {
        Agenda::resuming(Vec::new(), BTreeMap::new())
    }

    /// A stream may report the same gap twice before anything of it is read.
    #[test]
    fn a_repair_that_has_not_begun_covers_the_next_one() {
        let mut agenda = agenda();
        agenda.repair(at(10_000), None);
        agenda.repair(at(10_000), None);
        assert_eq!(agenda.reads().len(), 1);
        assert_eq!(agenda.lost_since(), at(10_000));
        let (read, begins) = agenda.next_page().unwrap();
        assert_eq!((read.since, read.deleted, begins), (at(10_000 - REPAIR_OVERLAP), true, true));
        agenda.repair(at(10_000), None);
        assert_eq!(agenda.reads().len(), 2, "one whose page is on its way has begun");
        agenda.page_done(false);
        agenda.page_done(false);
        assert!(!agenda.is_repairing() && agenda.is_empty());
        assert!(!agenda.has_read(), "a repair covers nothing");
    }

    /// The org's word counts; what is visible when the read begins, where it has said nothing.
    #[test]
    fn what_a_read_covers_is_told_once() {
        for (told, begun, covers) in [(at(50), at(9_000), at(50)), (None, at(9_000), at(9_000 - VISIBLE_LATE))] {
            let mut agenda = agenda();
            agenda.sweep(None, None, told);
            assert!(!agenda.is_sweeping(), "the first read is history");
            agenda.next_page();
            agenda.covers_from(begun.unwrap());
            agenda.covers_from(Second::new(20_000));
            assert_eq!(agenda.covering(), covers);
            assert_eq!(agenda.page_done(true), None);
            assert_eq!(agenda.page_done(false).unwrap().covers, covers);
            assert!(agenda.has_read());
        }
    }

    #[test]
    fn a_job_that_was_left_is_gone_on_with_and_begins_nothing() {
        let id = |n: u8| -> RecordId { format!("0015f000000000{}", char::from(b'A' + n)).parse().unwrap() };
        let job = Bulk::new("7505f000000000A".parse().unwrap());
        let left = Read { after: Some(id(1)), bulk: Some(job), ..Read::default() };
        let mut agenda = Agenda::resuming(vec![left], BTreeMap::from([(id(3), Second::new(7))]));
        assert!(!agenda.is_under_way());
        assert!(!agenda.next_page().unwrap().1);
        assert!(agenda.is_under_way());
        assert_eq!(agenda.judge(id(3), at(6)), Some(Verdict::Drop), "what was written meanwhile is remembered");
        assert!(!agenda.row_follows(id(0)), "it is behind the last row written");
        assert!(agenda.row_follows(id(2)));
        agenda.page_written(id(3));
        assert_eq!(agenda.written(), BTreeMap::new());
        agenda.page_lost();
        assert_eq!(agenda.job(), None);
    }
}
