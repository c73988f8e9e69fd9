//! What reads have brought, and what a gap has cost and was mended with, in numbers. Pure.

use std::{collections::HashMap, fmt};

use salesforce_client::RecordId;

use super::second::Second;

/// What a read is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The first read of an object.
    History,
    /// Changes, where nothing announces them.
    Poll,
    /// Changes that nothing has announced, beside a stream.
    Sweep,
    /// Changes that may have been announced and not heard.
    Repair,
    /// All rows, changed or not.
    Refresh,
}

/// What a read has come to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Rows that the org has sent.
    pub rows: u64,
    /// Documents of rows that were not written before.
    pub found: u64,
    /// Documents of rows that may have been written before: by an earlier session, or too long ago to remember.
    pub again: u64,
    /// Documents of rows that had to be fetched by id, as they changed while they were read.
    pub fetched: u64,
    /// Of all these documents, deletions: records in the recycle bin.
    pub deleted: u64,
    /// Deletions of records that no read shows any more, and that the org's list of deletions names.
    pub purged: u64,
}

impl Tally {
    /// All documents written.
    pub fn written(&self) -> u64 {
        self.found + self.again + self.fetched + self.purged
    }

    fn add(&mut self, other: Self) {
        let Self { rows, found, again, fetched, deleted, purged } = other;
        self.rows += rows;
        self.found += found;
        self.again += again;
        self.fetched += fetched;
        self.deleted += deleted;
        self.purged += purged;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, deleted, purged, .. } = self;
        write!(f, "{rows} rows read, {} documents written", self.written())?;
        write!(f, ", {deleted} of them deletions found in the recycle bin")?;
        write!(f, " and {purged} by the list of deletions")
    }
}

/// A gap in a stream, and what it was mended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repair {
    /// From when on changes may not have been heard; `None` is the beginning of history.
    pub since: Option<Second>,
    /// Until when; `None` while the stream does not announce again.
    pub until: Option<Second>,
    /// What was read for it.
    pub tally: Tally,
    /// Records may have been deleted and purged of which no API tells.
    pub misses_purged: bool,
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { since, until, tally, misses_purged } = self;
        write!(f, "changes {} may not have been heard: {tally}", Span(*since, *until))?;
        match misses_purged {
            true => write!(f, "; records purged meanwhile are unknown: {REREAD}"),
            false => Ok(()),
        }
    }
}

/// The way to be rid of rows whose deletion no API tells.
pub const REREAD: &str = "for a full re-read, backfill the binding in Flow, or begin a pull with a new --state file";

/// A span of the org's time, for people.
struct Span(Option<Second>, Option<Second>);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(since) => write!(f, "from {since}")?,
            None => f.write_str("from the beginning")?,
        }
        self.1.map_or(Ok(()), |until| write!(f, " to {until}"))
    }
}

/// What is told of a read that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// The first read of an object.
    History(Tally),
    /// A poll.
    Poll(Tally),
    /// A sweep.
    Sweep(Tally),
    /// The read behind a change from polling to streaming, or the rest of a repair that an earlier session has begun.
    CaughtUp(Tally),
    /// A gap is mended.
    Repaired(Repair),
}

/// Which read has come by a record that is to be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// One of pages or jobs.
    Page,
    /// That of the list of deletions.
    List,
}

/// Counts for one binding: read by read, and gap by gap.
#[derive(Debug, Default)]
pub struct Counter {
    tally: Tally,
    /// Records that the read has come by, and that are still to be fetched.
    awaited: HashMap<RecordId, By>,
    ended: Option<Purpose>,
    repair: Option<Repair>,
}

impl Counter {
    /// The rows of the read at hand so far.
    pub fn rows(&self) -> u64 {
        self.tally.rows
    }

    /// The read has brought a row.
    pub fn row(&mut self) {
        self.tally.rows += 1;
    }

    /// A document of a row was written, which may have been written before unless it `is_new`.
    pub fn wrote(&mut self, is_new: bool, is_deleted: bool) {
        *if is_new { &mut self.tally.found } else { &mut self.tally.again } += 1;
        self.tally.deleted += u64::from(is_deleted);
    }

    /// A record is to be fetched before anything is written of it.
    pub fn awaits(&mut self, id: RecordId, by: By) {
        self.awaited.entry(id).or_insert(by);
    }

    /// A fetch has written the record.
    pub fn fetched(&mut self, id: RecordId, is_deleted: bool) {
        if self.awaited.remove(&id).is_some() {
            self.tally.fetched += 1;
            self.tally.deleted += u64::from(is_deleted);
        }
    }

    /// A fetch did not find the record, and a deletion is written.
    pub fn gone(&mut self, id: RecordId) {
        match self.awaited.remove(&id) {
            Some(By::List) => self.tally.purged += 1,
            Some(By::Page) => {
                self.tally.fetched += 1;
                self.tally.deleted += 1;
            }
            None => {}
        }
    }

    /// Changes may not have been heard since then.
    pub fn lost(&mut self, since: Option<Second>) {
        let before = self.repair;
        let since = before.map_or(since, |before| before.since.min(since));
        let (tally, misses_purged) = before.map(|before| (before.tally, before.misses_purged)).unwrap_or_default();
        self.repair = Some(Repair { since, until: None, tally, misses_purged });
    }

    /// From then on changes are heard again.
    pub fn heard(&mut self, at: Second) {
        if let Some(repair) = &mut self.repair {
            repair.until.get_or_insert(at);
        }
    }

    /// The gap that is being mended.
    pub fn repair(&self) -> Option<&Repair> {
        self.repair.as_ref()
    }

    /// The org does not tell all that was purged.
    pub fn misses_purged(&mut self) {
        if let Some(repair) = &mut self.repair {
            repair.misses_purged = true;
        }
    }

    /// The read is done but for what is still to be fetched.
    pub fn ended(&mut self, purpose: Purpose) {
        self.ended = Some(purpose);
    }

    /// What is to be told, once all of a read is written. While `repairs` go on, they count as one.
    pub fn close(&mut self, repairs: bool) -> Option<Told> {
        let purpose = self.ended.filter(|_| self.awaited.is_empty())?;
        self.ended = None;
        let tally = std::mem::take(&mut self.tally);
        match (purpose, &mut self.repair) {
            (Purpose::History, _) => Some(Told::History(tally)),
            (Purpose::Poll, _) => Some(Told::Poll(tally)),
            (Purpose::Sweep, _) => Some(Told::Sweep(tally)),
            // It tells itself what it has written.
            (Purpose::Refresh, _) => None,
            (Purpose::Repair, None) => Some(Told::CaughtUp(tally)),
            (Purpose::Repair, Some(repair)) => {
                repair.tally.add(tally);
                if repairs { None } else { self.repair.take().map(Told::Repaired) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What happens to a counter, one thing after the other.
    #[derive(Clone, Copy)]
    enum Step {
        Row,
        Wrote {
            is_new: bool,
            is_deleted: bool,
        },
        Awaits(u8, By),
        Fetched(u8, bool),
        Gone(u8),
        Lost(Option<i64>),
        Heard(i64),
        MissesPurged,
        Ended(Purpose),
        /// Whether more repairs follow, and what is told.
        Close(bool, Option<&'static str>),
    }

    fn id(n: u8) -> RecordId {
        format!("0015f000000000{}", char::from(b'A' + n)).parse().unwrap()
    }

    fn check(story: &str, steps: &[Step]) {
        let mut counter = Counter::default();
        for (n, step) in steps.iter().enumerate() {
            match *step {
                Step::Row => counter.row(),
                Step::Wrote { is_new, is_deleted } => counter.wrote(is_new, is_deleted),
                Step::Awaits(record, by) => counter.awaits(id(record), by),
                Step::Fetched(record, is_deleted) => counter.fetched(id(record), is_deleted),
                Step::Gone(record) => counter.gone(id(record)),
                Step::Lost(since) => counter.lost(since.map(Second::new)),
                Step::Heard(at) => counter.heard(Second::new(at)),
                Step::MissesPurged => counter.misses_purged(),
                Step::Ended(purpose) => counter.ended(purpose),
                Step::Close(repairs, expect) => {
                    let told = counter.close(repairs).map(|told| match told {
                        Told::History(tally) => format!("history: {tally}"),
                        Told::Poll(tally) => format!("poll: {tally}"),
                        Told::Sweep(tally) => format!("sweep: {tally}"),
                        Told::CaughtUp(tally) => format!("caught up: {tally}"),
                        Told::Repaired(repair) => repair.to_string(),
                    });
                    assert_eq!(told.as_deref(), expect, "{story}: step {n}");
                }
            }
        }
    }

    const NEW: Step = Step::Wrote { is_new: true, is_deleted: false };
    const AGAIN: Step = Step::Wrote { is_new: false, is_deleted: false };
    const DELETED: Step = Step::Wrote { is_new: true, is_deleted: true };

    #[test]
    fn reads_are_told_once_all_they_came_by_is_written() {
        use Step::*;
        check("nothing", &[Close(false, None)]);
        check(
            "history, with a row that changed while it was read",
            &[
                Row,
                NEW,
                Row,
                Awaits(1, By::Page),
                Close(false, None),
                Ended(Purpose::History),
                Close(false, None),
                Fetched(1, false),
                Close(
                    false,
                    Some(
                        "history: 2 rows read, 2 documents written, 0 of them deletions found in the recycle bin and 0 by the list of deletions",
                    ),
                ),
                Close(false, None),
            ],
        );
        check(
            "a sweep, then a poll: neither counts what is the other's",
            &[
                Row,
                DELETED,
                Row,
                AGAIN,
                Awaits(2, By::List),
                Awaits(3, By::List),
                Ended(Purpose::Sweep),
                Gone(2),
                Gone(7),
                Close(false, None),
                Fetched(3, false),
                Fetched(7, false),
                Close(
                    false,
                    Some(
                        "sweep: 2 rows read, 4 documents written, 1 of them deletions found in the recycle bin and 1 by the list of deletions",
                    ),
                ),
                Row,
                Ended(Purpose::Poll),
                Close(
                    false,
                    Some(
                        "poll: 1 rows read, 0 documents written, 0 of them deletions found in the recycle bin and 0 by the list of deletions",
                    ),
                ),
            ],
        );
    }

    #[test]
    fn a_gap_is_told_with_all_that_mended_it() {
        use Step::*;
        check(
            "one gap",
            &[
                Lost(Some(0)),
                Heard(60),
                Heard(90),
                Row,
                NEW,
                Row,
                DELETED,
                Awaits(1, By::List),
                Gone(1),
                Ended(Purpose::Repair),
                Close(
                    false,
                    Some(
                        "changes from 1970-01-01T00:00:00Z to 1970-01-01T00:01:00Z may not have been heard: 2 rows read, 3 documents written, 1 of them deletions found in the recycle bin and 1 by the list of deletions",
                    ),
                ),
                Ended(Purpose::Repair),
                Close(
                    false,
                    Some(
                        "caught up: 0 rows read, 0 documents written, 0 of them deletions found in the recycle bin and 0 by the list of deletions",
                    ),
                ),
            ],
        );
        check(
            "a gap in the repair of a gap, and a list that does not tell all",
            &[
                Lost(Some(60)),
                Heard(90),
                Row,
                NEW,
                Lost(None),
                Ended(Purpose::Repair),
                Close(true, None),
                MissesPurged,
                Heard(120),
                Row,
                NEW,
                Ended(Purpose::Repair),
                Close(
                    false,
                    Some(
                        "changes from the beginning to 1970-01-01T00:02:00Z may not have been heard: 2 rows read, 2 documents written, 0 of them deletions found in the recycle bin and 0 by the list of deletions; records purged meanwhile are unknown: for a full re-read, backfill the binding in Flow, or begin a pull with a new --state file",
                    ),
                ),
            ],
        );
        check(
            "a sweep that was under way is no part of the repair",
            &[
                Row,
                NEW,
                Lost(Some(0)),
                Ended(Purpose::Sweep),
                Close(
                    true,
                    Some(
                        "sweep: 1 rows read, 1 documents written, 0 of them deletions found in the recycle bin and 0 by the list of deletions",
                    ),
                ),
                Ended(Purpose::Repair),
                Close(
                    false,
                    Some(
                        "changes from 1970-01-01T00:00:00Z may not have been heard: 0 rows read, 0 documents written, 0 of them deletions found in the recycle bin and 0 by the list of deletions",
                    ),
                ),
            ],
        );
    }
}
