//! `getUpdated` and `getDeleted`: the ids of what changed in a span of time. (SOAP API Developer Guide, "getUpdated()",
//! "getDeleted()", "Data Replication".)
//!
//! Deletions are read from a log that forgets: with the recycle bin, and, oldest first, whatever is more than
//! `Settings::delete_log` entries when a process comes by every two hours.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension as _, params};

use crate::org::records::history;
use crate::org::storage::{DELETED_AT, Database, ROOT};
use crate::org::value::stamp;
use crate::org::{Id, Org, Refusal, SObject};

/// Most ids one answer may hold.
const MOST_IDS: u32 = 600_000;
/// How far back `getUpdated` looks.
const UPDATED_REACH: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How far back `getDeleted` looks.
const DELETED_REACH: SignedDuration = SignedDuration::from_hours(15 * 24);
/// How often the delete log is looked after, and how long an entry is safe in it.
const TRIMMED_EVERY: SignedDuration = SignedDuration::from_hours(2);

/// A span of whole minutes: the start belongs to it, the end does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    start: Timestamp,
    end: Timestamp,
}

/// What `getUpdated` answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Updated {
    /// Records created or changed in the span and not deleted, in the order of their modstamps.
    pub ids: Vec<Id>,
    /// Where to go on from: changes after it may still become visible.
    pub latest_date_covered: Timestamp,
}

/// What `getDeleted` answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deleted {
    /// Records in the recycle bin and when they went there, in that order.
    pub records: Vec<(Id, Timestamp)>,
    /// What was deleted before is forgotten.
    pub earliest_date_available: Timestamp,
    /// Where to go on from.
    pub latest_date_covered: Timestamp,
}

impl Span {
    /// Seconds do not count; the start has to lie before the end, minute by minute.
    pub fn new(start: Timestamp, end: Timestamp) -> Result<Self, Refusal> {
        let (start, end) = (minute(start), minute(end));
        if start >= end {
            return Err(invalid("startDate must be before endDate by at least one minute"));
        }
        Ok(Self { start, end })
    }
}

impl Org {
    /// Ids of the records of an object that were created or changed in a span.
    ///
    /// # Errors
    /// `INVALID_REPLICATION_DATE` if the span begins more than 30 days ago, `EXCEEDED_ID_LIMIT` beyond 600,000 ids.
    pub fn updated(&self, object: &str, span: Span) -> Result<Updated, Refusal> {
        let mut database = self.0.database();
        let (object, now) = (self.replicateable(object)?, self.now());
        within(span, now, UPDATED_REACH)?;
        database.ensure(&self.views().whole, &object.name)?;
        let by = ["SystemModstamp", "LastModifiedDate"].into_iter().find(|name| object.field(name).is_some());
        let by = by.unwrap_or("CreatedDate");
        let sql = format!(
            "SELECT \"Id\" FROM \"{}\" t0 WHERE \"{by}\">=?1 AND \"{by}\"<?2 AND \"IsDeleted\"=0{} ORDER BY \"{by}\",\"Id\" LIMIT ?3",
            object.name,
            self.sight(&mut database, &object)?
        );
        let mut statement = database.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params![stamp(span.start), stamp(span.end), MOST_IDS + 1])?;
        let mut ids = Vec::new();
        while let Some(row) = rows.next()? {
            ids.extend(row.get_ref(0)?.as_str().ok().and_then(Id::parse));
        }
        limited(ids.len())?;
        Ok(Updated { ids, latest_date_covered: self.covered(span, now) })
    }

    /// The records of an object that were deleted in a span and are still in the recycle bin.
    ///
    /// # Errors
    /// `INVALID_REPLICATION_DATE` if the span begins more than 15 days ago or where the log no longer reaches,
    /// `EXCEEDED_ID_LIMIT` beyond 600,000 ids.
    pub fn deleted(&self, object: &str, span: Span) -> Result<Deleted, Refusal> {
        let mut database = self.0.database();
        let (object, now) = (self.replicateable(object)?, self.now());
        within(span, now, DELETED_REACH)?;
        if span.end.duration_since(span.start) <= SignedDuration::from_mins(1) {
            return Err(invalid("startDate must be before endDate by more than one minute"));
        }
        database.look_after_deletions(now, self.0.settings.delete_log)?;
        let oldest = now.saturating_sub(DELETED_REACH).unwrap_or(Timestamp::MIN);
        let remembered = database.remembers_deletions_from()?.unwrap_or(Timestamp::MIN);
        if span.start < minute(remembered) {
            return Err(invalid("startDate lies before the last purge of the delete log; read all records again"));
        }
        let sight = match self.sight(&mut database, &object)? {
            everything if everything.is_empty() => everything,
            sight => {
                format!(" AND EXISTS(SELECT 1 FROM \"{}\" t0 WHERE t0.\"Id\"=\"~deletion\".id{sight})", object.name)
            }
        };
        let sql = format!(
            "SELECT id,at FROM \"~deletion\" WHERE object=?1 AND at>=?2 AND at<?3{sight} ORDER BY at,id LIMIT ?4"
        );
        let mut statement = database.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params![object.name, stamp(span.start), stamp(span.end), MOST_IDS + 1])?;
        let mut records = Vec::new();
        while let Some(row) = rows.next()? {
            let id = row.get_ref(0)?.as_str().ok().and_then(Id::parse);
            records.extend(id.zip(row.get_ref(1)?.as_str().ok().and_then(instant)));
        }
        limited(records.len())?;
        Ok(Deleted {
            records,
            earliest_date_available: minute(remembered.max(oldest)),
            latest_date_covered: self.covered(span, now),
        })
    }

    /// Removes for good what is in the recycle bin, as an administrator may: no event tells of it.
    pub fn empty_recycle_bin(&self) -> Result<(), Refusal> {
        let mut database = self.0.database();
        // What is deleted in this very second is deleted before the next.
        let after = self.now().saturating_add(SignedDuration::from_secs(1)).unwrap_or(Timestamp::MAX);
        let after = database.next_stamp(self.now()).max(stamp(after));
        database.purge(&after)?;
        Ok(())
    }

    fn replicateable(&self, object: &str) -> Result<Arc<SObject>, Refusal> {
        let object = self.object(object)?;
        if object.replicateable {
            return Ok(object);
        }
        let message = format!("{} does not support replication", object.name);
        Err(Refusal::bad("INVALID_TYPE_FOR_OPERATION", message))
    }

    /// Nothing before it can become visible any more: it stays behind every open transaction.
    fn covered(&self, span: Span, now: Timestamp) -> Timestamp {
        let open = self.0.late().since().and_then(|since| instant(&since)).unwrap_or(now);
        span.end.min(minute(now.min(open)))
    }
}

impl Database {
    /// History rows go with their record, and nothing tells of them.
    pub(in crate::org) fn log_deletion(&self, object: &SObject, id: Id, at: &str) -> rusqlite::Result<()> {
        if history::is(object) {
            return Ok(());
        }
        let sql = "INSERT OR REPLACE INTO \"~deletion\" VALUES(?,?,?)";
        self.connection.prepare_cached(sql)?.execute(params![object.name, at, id.as_str()])?;
        Ok(())
    }

    pub(in crate::org) fn forget_deletion(&self, object: &SObject, id: Id) -> rusqlite::Result<()> {
        let sql = "DELETE FROM \"~deletion\" WHERE object=? AND id=?";
        self.connection.prepare_cached(sql)?.execute([&object.name, id.as_str()])?;
        Ok(())
    }

    /// What comes out of the recycle bin was not deleted.
    pub(in crate::org) fn forget_deletions(&self, object: &SObject, root: Id) -> rusqlite::Result<()> {
        let sql = format!(
            "DELETE FROM \"~deletion\" WHERE object=?1 AND (at,id) IN (SELECT \"{DELETED_AT}\",\"Id\" FROM \"{}\" WHERE \"{ROOT}\"=?2)",
            object.name
        );
        self.connection.prepare_cached(&sql)?.execute(params![object.name, root.as_str()])?;
        Ok(())
    }

    /// Forgets what was deleted before `before`, and remembers that it did.
    pub(in crate::org) fn trim_deletions(&self, before: &str) -> rusqlite::Result<()> {
        self.connection.execute("DELETE FROM \"~deletion\" WHERE at<?", [before])?;
        let known: Option<String> = self.meta("deletions_from")?;
        if known.is_none_or(|known| *known < *before) {
            self.set_meta("deletions_from", before)?;
        }
        Ok(())
    }

    /// The process that comes by every two hours: beyond `most` entries, the oldest go, as long as they are two hours old.
    fn look_after_deletions(&self, now: Timestamp, most: u32) -> rusqlite::Result<()> {
        let safe = stamp(now.saturating_sub(TRIMMED_EVERY).unwrap_or(Timestamp::MIN));
        if self.meta::<String>("deletions_looked_after")?.is_some_and(|last| last > safe) {
            return Ok(());
        }
        self.set_meta("deletions_looked_after", stamp(now))?;
        let sql = "SELECT at FROM \"~deletion\" ORDER BY at DESC LIMIT 1 OFFSET ?";
        let last_beyond: Option<String> = self.connection.query_row(sql, [most], |row| row.get(0)).optional()?;
        let Some(last_beyond) = last_beyond.as_deref().and_then(instant) else { return Ok(()) };
        let after = last_beyond.saturating_add(SignedDuration::from_secs(1)).unwrap_or(Timestamp::MAX);
        self.trim_deletions(&safe.min(stamp(after)))
    }

    fn remembers_deletions_from(&self) -> rusqlite::Result<Option<Timestamp>> {
        Ok(self.meta::<String>("deletions_from")?.as_deref().and_then(instant))
    }
}

fn within(span: Span, now: Timestamp, reach: SignedDuration) -> Result<(), Refusal> {
    let oldest = now.saturating_sub(reach).unwrap_or(Timestamp::MIN);
    if span.start >= minute(oldest) {
        return Ok(());
    }
    Err(invalid(format!("startDate must not lie more than {} days back", reach.as_hours() / 24)))
}

fn limited(ids: usize) -> Result<(), Refusal> {
    if ids <= MOST_IDS as usize {
        return Ok(());
    }
    Err(Refusal::bad("EXCEEDED_ID_LIMIT", format!("more than {MOST_IDS} ids; narrow the span between start and end")))
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::bad("INVALID_REPLICATION_DATE", message)
}

fn minute(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second().div_euclid(60) * 60).unwrap_or(at)
}

/// A modstamp as an instant.
pub(in crate::org) fn instant(stamp: &str) -> Option<Timestamp> {
    format!("{stamp}Z").parse().ok()
}
