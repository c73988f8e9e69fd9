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
            (Purpose::Repair, None) => Some(Told::CaughtUp(tally)),
            (Purpose::Repair, Some(repair)) => {
                repair.tally.add(tally);
                if repairs { None } else { self.repair.take().map(Told::Repaired) }
            }
        }
    }
}
