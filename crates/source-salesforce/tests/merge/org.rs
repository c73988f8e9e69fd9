//! The org: what is true, what is announced of it, and what its doors answer.

use std::collections::{BTreeMap, BTreeSet};

use salesforce_client::RecordId;
use salesforce_streaming::Kind;
use source_salesforce::capture::{
    freshness::{CLOCK_SKEW, EVALUATION_LAG},
    position::Read,
    second::Second,
};

/// The longest time from a stamp to the moment at which its row becomes visible, in seconds, of all transactions but the one
/// that is known to be open.
pub(super) const LATE: i64 = 200;

/// The same of a transaction that writes a record more than once: see `EVALUATION_LAG` of the rule.
pub(super) const LATE_TWICE: i64 = 3;

/// An event is created so many seconds after its change is visible.
const LAG: i64 = EVALUATION_LAG - LATE_TWICE;

/// When everything begins.
const BEGINNING: i64 = 1_000;

/// A state of a record: the n-th of its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) number: u32,
    pub(super) deleted: bool,
    pub(super) stamp: i64,
}

/// What an org announces.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event {
    pub(super) replay: i64,
    pub(super) record: u8,
    pub(super) kind: Kind,
    pub(super) created: i64,
    pub(super) version: Version,
}

/// A record is created, updated, deleted or undeleted, whatever its state allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) record: u8,
    pub(super) delete: bool,
}

/// A transaction that goes on. It holds its record: nobody else changes it.
#[derive(Debug, Clone, Copy)]
struct Open {
    change: Change,
    silent: bool,
    stamp: i64,
}

#[derive(Debug, Clone)]
pub(super) struct Org {
    pub(super) now: i64,
    pub(super) rows: BTreeMap<u8, Version>,
    /// Records that no read sees any more.
    purged: BTreeSet<u8>,
    /// The list of deletions, by their stamps.
    deletions: Vec<(u8, i64)>,
    open: Option<Open>,
    topic: u8,
    pub(super) log: Vec<Event>,
    next_replay: i64,
}

pub(super) fn id(record: u8) -> RecordId {
    format!("0015f000000000{}", char::from(b'A' + record)).parse().expect("an id")
}

impl Org {
    /// An org with so many records, and room for others.
    pub(super) fn with(records: u8) -> Self {
        let version = Version { number: 1, deleted: false, stamp: BEGINNING - 900 };
        Self {
            now: BEGINNING,
            rows: (0..records).map(|record| (record, version)).collect(),
            purged: BTreeSet::new(),
            deletions: Vec::new(),
            open: None,
            topic: 0,
            log: Vec::new(),
            next_replay: 1,
        }
    }

    /// The topic of the object.
    pub(super) fn topic(&self) -> RecordId {
        format!("0IF5f000000000{}", char::from(b'A' + self.topic)).parse().expect("an id")
    }

    /// The topic is deleted and made again.
    pub(super) fn recreate_topic(&mut self) {
        self.topic += 1;
        self.log.clear();
        self.next_replay = 1;
    }

    /// What the `Date` of a reply says: the clock behind it lags that of the stamps.
    pub(super) fn clock(&self) -> Second {
        Second::new(self.now - CLOCK_SKEW)
    }

    /// Up to when all changes are visible, as getUpdated tells it.
    pub(super) fn covered(&self) -> Second {
        let late = self.now - LATE;
        Second::new(self.open.map_or(late, |open| late.min(open.stamp - 1)))
    }

    /// A transaction stamped `late` seconds ago is committed.
    pub(super) fn transact(&mut self, changes: &[Change], late: i64) {
        let events: Vec<_> = changes.iter().filter_map(|change| self.change(*change, self.now - late)).collect();
        // The last one comes first.
        events.into_iter().rev().for_each(|event| self.announce(event));
    }

    /// A record is written by a Bulk load or deleted with its parent, which announces nothing.
    pub(super) fn change_in_silence(&mut self, change: Change, late: i64) {
        if self.rows.get(&change.record).is_some_and(|version| !version.deleted) {
            self.change(change, self.now - late);
        }
    }

    /// A transaction begins, and stamps its row; it is visible, and perhaps announced, when it is committed.
    pub(super) fn begin(&mut self, change: Change, silent: bool) {
        self.open.get_or_insert(Open { change, silent, stamp: self.now });
    }

    /// It is committed.
    pub(super) fn commit(&mut self) {
        let Some(Open { change, silent, stamp }) = self.open.take() else { return };
        let late = self.now - stamp;
        match silent {
            true => self.change_in_silence(change, late),
            false => self.transact(&[change], late),
        }
    }

    /// A deleted record is purged from the recycle bin: no read sees it any more, nobody restores it, and its id is never given again.
    pub(super) fn purge(&mut self, record: u8) {
        if self.rows.get(&record).is_some_and(|version| version.deleted) {
            self.purged.insert(record);
        }
    }

    /// Whether a record is purged.
    pub(super) fn is_purged(&self, record: u8) -> bool {
        self.purged.contains(&record)
    }

    fn change(&mut self, Change { record, delete }: Change, stamp: i64) -> Option<Event> {
        if self.purged.contains(&record) || self.open.is_some_and(|open| open.change.record == record) {
            return None;
        }
        let kind = match (self.rows.get(&record), delete) {
            (None, _) => Kind::Created,
            (Some(Version { deleted: true, .. }), _) => Kind::Undeleted,
            (Some(_), true) => Kind::Deleted,
            (Some(_), false) => Kind::Updated,
        };
        let before = self.rows.get(&record).copied().unwrap_or(Version { number: 0, deleted: true, stamp: 0 });
        // Never before the change that it follows.
        let stamp = before.stamp.max(stamp);
        let version = Version { number: before.number + 1, deleted: kind == Kind::Deleted, stamp };
        if version.deleted {
            self.deletions.push((record, stamp));
        }
        self.rows.insert(record, version);
        Some(Event { replay: 0, record, kind, created: self.now + LAG, version })
    }

    fn announce(&mut self, event: Event) {
        self.log.push(Event { replay: self.next_replay, ..event });
        // Replay ids have holes.
        self.next_replay += 2;
    }

    /// The rows that a read finds, in the order of their ids.
    pub(super) fn matching(&self, read: &Read) -> impl Iterator<Item = (u8, Version)> {
        let Read { after, since, deleted, .. } = *read;
        let matching = self.rows.iter().filter(move |(record, version)| {
            !self.purged.contains(record)
                && after.is_none_or(|after| id(**record) > after)
                && since.is_none_or(|since| Second::new(version.stamp) >= since)
                && (deleted || !version.deleted)
        });
        matching.map(|(record, version)| (*record, *version))
    }

    /// The records of these ids, with deleted ones or without.
    pub(super) fn by_id(&self, ids: &[RecordId], deleted: bool) -> BTreeMap<u8, Version> {
        let read = Read { deleted, ..Read::default() };
        self.matching(&read).filter(|(record, _)| ids.contains(&id(*record))).collect()
    }

    /// The list of deletions, which has also those of records that were restored since.
    pub(super) fn deleted_since(&self, since: Second) -> Vec<RecordId> {
        let deleted = self.deletions.iter().filter(|(_, at)| Second::new(*at) >= since);
        deleted.map(|(record, _)| id(*record)).collect()
    }

    /// How a collection differs from the org, if it does.
    pub(super) fn difference(&self, collection: &BTreeMap<u8, Version>) -> Option<String> {
        self.rows.iter().find_map(|(record, version)| match collection.get(record) {
            Some(captured) if captured == version => None,
            None if version.deleted => None,
            captured => Some(format!("record {record} is {version:?}, and captured is {captured:?}")),
        })
    }
}
