//! The merge of history and stream, against a model of an org that does everything the rule argues about: changes within one
//! second, events in reverse and again, rows that become visible late, reads answered late, crashes that lose what was not acknowledged,
//! topics made anew, positions refused, rows loaded in bulk and deletions in cascade that nothing announces, purged rows, Bulk jobs
//! whose rows are read one by one while others change, and sessions that poll where others streamed. Whatever the order of things, no row is followed by an older one, and after a last sweep the collection is the org.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;
use salesforce_client::{RecordId, bulk::JobId};
use salesforce_streaming::{Kind, ReplayFrom, ReplayId};
use source_salesforce::capture::{
    binding::{Announced, Binding},
    fetches::{Door, Fetch},
    freshness::Verdict,
    position::{Position, Read},
    second::Second,
};

/// Records in the org.
const RECORDS: u8 = 4;

/// Rows of a page.
const PAGE: usize = 2;

/// Rows of a job.
const JOB: usize = 3;

/// The longest time from a stamp to the moment at which its row becomes visible, in seconds.
const LATE: i64 = 200;
/// The same of a transaction that writes a record more than once: see `EVALUATION_LAG` of the rule.
const LATE_TWICE: i64 = 3;

/// One thing that happens.
#[derive(Debug, Clone)]
enum Step {
    /// A record is created, updated, deleted or undeleted, whatever its state allows; stamped `late` seconds before it is
    /// visible, and written `times` times within its transaction.
    Change { record: u8, delete: bool, late: i64, times: u8 },
    /// A record is written by a Bulk load or deleted with its parent, which announces nothing; visible `late` seconds after its stamp.
    Silent { record: u8, delete: bool, late: i64 },
    /// A deleted record is purged from the recycle bin: no read sees it any more.
    Purge(u8),
    /// Time passes.
    Wait(i64),
    /// The next events are delivered.
    Deliver(usize),
    /// The streaming session is lost and begun again: what was delivered and not written comes again.
    Reconnect,
    /// The next page is read by the org; it arrives later.
    ReadPage,
    /// It arrives, and so many rows of it are written.
    WritePage(usize),
    /// Instead of the next page, a job is created for it.
    CreateJob,
    /// The org reads one more row for the job, or finds that there is none.
    RunJob,
    /// So many rows of the job's results are written, if it is complete.
    WriteJob(usize),
    /// Somebody deletes the job.
    LoseJob,
    /// A fetch is read by the org; it arrives later.
    ReadFetch,
    /// It arrives.
    WriteFetch,
    /// The process dies; so many of the last commits were not acknowledged.
    Crash(usize),
    /// The org no longer knows our position.
    Refuse,
    /// The topic is deleted and made again while no session runs.
    Recreate,
    /// The next session polls where this one streams, or the other way round.
    Switch,
    /// The time of a poll or sweep has come.
    Sweep { org_tells: bool },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..RECORDS, any::<bool>(), 0..=LATE, 1..3_u8)
            .prop_map(|(record, delete, late, times)| Step::Change { record, delete, late, times }),
        2 => (0..RECORDS, any::<bool>(), 0..=LATE).prop_map(|(record, delete, late)| Step::Silent { record, delete, late }),
        1 => (0..RECORDS).prop_map(Step::Purge),
        4 => (1..4_i64).prop_map(Step::Wait),
        2 => Just(Step::Wait(90)),
        6 => (1..4_usize).prop_map(Step::Deliver),
        1 => Just(Step::Reconnect),
        5 => Just(Step::ReadPage),
        5 => (1..3_usize).prop_map(Step::WritePage),
        4 => Just(Step::CreateJob),
        8 => Just(Step::RunJob),
        4 => (1..3_usize).prop_map(Step::WriteJob),
        1 => Just(Step::LoseJob),
        4 => Just(Step::ReadFetch),
        4 => Just(Step::WriteFetch),
        1 => (0..4_usize).prop_map(Step::Crash),
        1 => Just(Step::Refuse),
        1 => Just(Step::Recreate),
        1 => Just(Step::Switch),
        3 => any::<bool>().prop_map(|org_tells| Step::Sweep { org_tells }),
    ]
}

/// A state of a record: the n-th of its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Version {
    number: u32,
    deleted: bool,
    stamp: i64,
}

#[derive(Debug, Clone, Copy)]
struct Event {
    replay: i64,
    record: u8,
    kind: Kind,
    created: i64,
    version: Version,
}

struct PageOnItsWay {
    rows: VecDeque<(u8, Version)>,
    answered: i64,
    more: bool,
}

/// A job in the org. It outlives sessions.
struct Job {
    id: JobId,
    read: Read,
    rows: Vec<(u8, Version)>,
    is_complete: bool,
}

struct FetchOnItsWay {
    rows: BTreeMap<u8, Version>,
    door: Door,
    answered: i64,
}

struct World {
    now: i64,
    org: BTreeMap<u8, Version>,
    /// Records that no read sees any more.
    purged: BTreeSet<u8>,
    /// The org's list of deletions, by their stamps.
    deletions: Vec<(u8, i64)>,
    topic: u8,
    polls: bool,
    log: Vec<Event>,
    next_replay: i64,
    /// Events of the log that the session was given.
    delivered: usize,
    binding: Binding,
    page: Option<PageOnItsWay>,
    job: Option<Job>,
    jobs: u8,
    fetch: Option<FetchOnItsWay>,
    /// Committed documents, and after each commit how many there are and the state.
    documents: Vec<(u8, Version)>,
    commits: Vec<(usize, Position)>,
}

fn id(record: u8) -> RecordId {
    format!("0015f000000000{}", char::from(b'A' + record)).parse().expect("an id")
}

fn topic(number: u8) -> RecordId {
    format!("0IF5f000000000{}", char::from(b'A' + number)).parse().expect("an id")
}

fn second(at: i64) -> Second {
    Second::new(at)
}

impl World {
    fn new() -> Self {
        let mut org = BTreeMap::new();
        for record in 0..RECORDS / 2 {
            org.insert(record, Version { number: 1, deleted: false, stamp: 100 });
        }
        let (binding, start) = Binding::resume(Position::default(), Some(topic(0)), None);
        let mut world = Self {
            now: 1_000,
            org,
            purged: BTreeSet::new(),
            deletions: Vec::new(),
            topic: 0,
            polls: false,
            log: Vec::new(),
            next_replay: 1,
            delivered: 0,
            binding,
            page: None,
            job: None,
            jobs: 0,
            fetch: None,
            documents: Vec::new(),
            commits: vec![(0, Position::default())],
        };
        world.begin(start.from);
        world
    }

    fn begin(&mut self, from: Option<ReplayFrom>) {
        match from {
            Some(from) => self.subscribe(from),
            None => self.commit(),
        }
    }

    fn subscribe(&mut self, from: ReplayFrom) {
        self.delivered = match from {
            ReplayFrom::Tip => self.log.len(),
            ReplayFrom::Earliest => 0,
            ReplayFrom::After(id) => self.log.iter().take_while(|event| event.replay <= id.get()).count(),
        };
        self.binding.subscribed(from, second(self.now));
        self.commit();
    }

    fn commit(&mut self) {
        let position = self.binding.position();
        self.commits.push((self.documents.len(), position));
        self.assert_complete();
    }

    /// What the binding says of itself is true: nothing is missing from before the time up to which it is complete. Of records that
    /// are purged no more is promised than that they are found in the end.
    fn assert_complete(&mut self) {
        let Some(until) = self.binding.complete_until() else { return };
        let written: BTreeMap<_, _> =
            self.documents.iter().map(|(record, version)| (*record, version.number)).collect();
        for (record, version) in self.org.iter().filter(|(record, _)| !self.purged.contains(record)) {
            let captured = written.get(record);
            let is_written = captured.is_some_and(|number| *number >= version.number);
            let was_never_there = version.deleted && captured.is_none();
            assert!(
                is_written || was_never_there || second(version.stamp) >= until,
                "record {record}: {version:?} is missing, complete up to {until}: {:?}",
                self.binding
            );
        }
    }

    fn change(&mut self, record: u8, delete: bool, late: i64, times: u8) {
        // Nobody restores what is purged, and its id is never given again.
        if self.purged.contains(&record) {
            return;
        }
        let known = self.org.get(&record).copied();
        let late = if times > 1 { late.min(LATE_TWICE) } else { late };
        let mut events = Vec::new();
        let mut version = known.unwrap_or(Version { number: 0, deleted: true, stamp: 0 });
        for _ in 0..times {
            let kind = match (known.is_some() || version.number > 0, version.deleted, delete) {
                (false, ..) => Kind::Created,
                (true, true, _) => Kind::Undeleted,
                (true, false, true) => Kind::Deleted,
                (true, false, false) => Kind::Updated,
            };
            version = Version {
                number: version.number + 1,
                deleted: kind == Kind::Deleted,
                // Stamped when it was made, never before the change that it follows.
                stamp: version.stamp.max(self.now - late),
            };
            if version.deleted {
                self.deletions.push((record, version.stamp));
            }
            events.push(Event { replay: 0, record, kind, created: self.now, version });
        }
        self.org.insert(record, version);
        // Of one transaction, the last event comes first.
        for mut event in events.into_iter().rev() {
            event.replay = self.next_replay;
            self.next_replay += 2;
            self.log.push(event);
        }
    }

    fn deliver(&mut self, event: Event) {
        let verdict = self.binding.event(Announced {
            replay: ReplayId::new(event.replay).expect("an id"),
            created: second(event.created),
            kind: event.kind,
            id: id(event.record),
            whole: (event.kind != Kind::Deleted).then(|| second(event.version.stamp)),
        });
        if verdict == Verdict::Write {
            self.write(event.record, event.version);
        }
        self.commit();
    }

    /// A document: `None` of a record that the fetch did not find is a deletion of whatever was there.
    fn write(&mut self, record: u8, version: Version) {
        if let Some((_, before)) = self.documents.iter().rev().find(|(other, _)| *other == record) {
            assert!(before.number <= version.number, "record {record}: {version:?} written after {before:?}");
        }
        self.documents.push((record, version));
    }

    /// The rows that a read finds in the org as it is.
    fn matching(&self, read: &Read) -> impl Iterator<Item = (u8, Version)> {
        let Read { after, since, deleted, .. } = *read;
        let matching = self.org.iter().filter(move |(record, version)| {
            !self.purged.contains(record)
                && after.is_none_or(|after| id(**record) > after)
                && since.is_none_or(|since| second(version.stamp) >= since)
                && (deleted || !version.deleted)
        });
        matching.map(|(record, version)| (*record, *version))
    }

    /// What is to be read next: a page, unless it is to be a job or an earlier session has left one.
    fn ask(&mut self, by_job: bool) {
        let Some(read) = self.binding.next_page() else { return };
        match &read.bulk {
            // It is looked at when its rows are to be written.
            Some(_) => {}
            None if by_job => {
                self.jobs += 1;
                let id = format!("7505f00000000{:02}", self.jobs).parse().expect("an id");
                self.binding.job_created(id, second(self.now));
                self.job = Some(Job { id, read, rows: Vec::new(), is_complete: false });
                self.commit();
            }
            None => self.read_page(&read),
        }
    }

    fn run_job(&mut self) {
        let Some(mut job) = self.job.take_if(|job| !job.is_complete) else { return };
        let after = job.rows.last().map(|(record, _)| id(*record)).or(job.read.after);
        match self.matching(&Read { after, ..job.read.clone() }).next() {
            Some(row) if job.rows.len() < JOB => job.rows.push(row),
            _ => job.is_complete = true,
        }
        self.job = Some(job);
    }

    fn write_job(&mut self, rows: usize) {
        let Some(bulk) = self.binding.job().cloned() else { return };
        let Some(job) = self.job.take().filter(|job| job.id == bulk.job) else {
            self.binding.page_lost();
            return self.commit();
        };
        if job.is_complete {
            let written = bulk.rows as usize;
            let upto = job.rows.len().min(written + rows);
            for (record, version) in &job.rows[written..upto] {
                if self.binding.page_row(id(*record), Some(second(version.stamp))) == Verdict::Write {
                    self.write(*record, *version);
                }
            }
            if let Some((upper, _)) = job.rows[written..upto].last() {
                self.binding.page_written(id(*upper), second(self.now));
            }
            self.binding.job_written(None, upto as u64);
            if upto == job.rows.len() {
                self.binding.page_done(true);
            }
            self.commit();
        }
        self.job = Some(job);
    }

    fn end_page(&mut self, more: bool) {
        if !more {
            self.read_list();
        }
        self.binding.page_done(more);
    }

    fn read_page(&mut self, read: &Read) {
        let mut rows: VecDeque<_> = self.matching(read).collect();
        let more = rows.len() > PAGE;
        rows.truncate(PAGE);
        self.page = Some(PageOnItsWay { rows, answered: self.now, more });
    }

    fn write_page(&mut self, rows: usize) {
        let Some(mut page) = self.page.take() else { return };
        self.binding.page_arrived(second(page.answered));
        let mut upper = None;
        for _ in 0..rows {
            let Some((record, version)) = page.rows.pop_front() else { break };
            upper = Some(record);
            if self.binding.page_row(id(record), Some(second(version.stamp))) == Verdict::Write {
                self.write(record, version);
            }
        }
        if let Some(upper) = upper {
            self.binding.page_written(id(upper), second(page.answered));
        }
        if page.rows.is_empty() {
            self.end_page(page.more);
        } else {
            self.page = Some(page);
        }
        self.commit();
    }

    /// The org lists every deletion, also of records that were restored since, up to the time at which all are visible.
    fn read_list(&mut self) {
        let Some(since) = self.binding.to_list(second(self.now), 0) else { return };
        for (record, _) in self.deletions.iter().filter(|(_, at)| second(*at) >= since) {
            self.binding.list(id(*record));
        }
        self.binding.listed(second(self.now - LATE));
    }

    fn read_fetch(&mut self) {
        let Some(Fetch { ids, door }) = self.binding.next_fetch(|_| 2) else { return };
        let is_there = |record: &u8| !self.purged.contains(record) || door == Door::Retrieve;
        let asked = self.org.iter().filter(|(record, _)| ids.contains(&id(**record)) && is_there(record));
        self.fetch = Some(FetchOnItsWay {
            rows: asked.map(|(record, version)| (*record, *version)).collect(),
            door,
            answered: self.now,
        });
    }

    fn write_fetch(&mut self) {
        let Some(FetchOnItsWay { rows, door, answered }) = self.fetch.take() else { return };
        for (record, version) in rows.iter().filter(|(_, version)| door == Door::Query || !version.deleted) {
            if self.binding.fetched(id(*record), Some(second(version.stamp)), second(answered)).is_some() {
                self.write(*record, *version);
            }
        }
        for gone in self.binding.fetch_done(second(answered)) {
            let (record, version) =
                self.org.iter().find(|(record, _)| id(**record) == gone).expect("what is announced was there");
            assert!(rows.get(record).is_none_or(|version| version.deleted), "record {record} was there");
            let (record, version) = (*record, rows.get(record).copied().unwrap_or(*version));
            assert!(version.deleted, "record {record} is there");
            self.write(record, version);
        }
        self.commit();
    }

    fn restart(&mut self) {
        let (documents, position) = self.commits.last().cloned().expect("a commit");
        self.documents.truncate(documents);
        self.page = None;
        self.fetch = None;
        let topic = (!self.polls).then(|| topic(self.topic));
        let (binding, start) = Binding::resume(position, topic, None);
        self.binding = binding;
        self.begin(start.from);
    }

    fn sweep(&mut self, org_tells: bool) {
        if self.binding.awaits_sweep() {
            self.binding.sweep(org_tells.then(|| second(self.now - LATE)));
        }
        self.commit();
    }

    fn apply(&mut self, step: &Step) {
        match *step {
            Step::Change { record, delete, late, times } => self.change(record, delete, late, times),
            Step::Silent { record, delete, late } => {
                let now = self.now;
                if let Some(version) = self.org.get_mut(&record).filter(|version| !version.deleted) {
                    let stamp = version.stamp.max(now - late);
                    *version = Version { number: version.number + 1, deleted: delete, stamp };
                    if delete {
                        self.deletions.push((record, stamp));
                    }
                }
            }
            Step::Purge(record) => {
                if self.org.get(&record).is_some_and(|version| version.deleted) {
                    self.purged.insert(record);
                }
            }
            Step::Wait(seconds) => self.now += seconds,
            Step::Deliver(events) => {
                for _ in 0..if self.polls { 0 } else { events } {
                    let Some(event) = self.log.get(self.delivered).copied() else { break };
                    self.delivered += 1;
                    self.deliver(event);
                }
            }
            Step::Reconnect | Step::Refuse if self.polls => {}
            Step::Reconnect => {
                let from = self.binding.replay().map_or(ReplayFrom::Earliest, ReplayFrom::After);
                self.subscribe(from);
            }
            Step::ReadPage => self.ask(false),
            Step::CreateJob => self.ask(true),
            Step::RunJob => self.run_job(),
            Step::WriteJob(rows) => self.write_job(rows),
            Step::LoseJob => self.job = None,
            Step::WritePage(rows) => self.write_page(rows),
            Step::ReadFetch => self.read_fetch(),
            Step::WriteFetch => self.write_fetch(),
            Step::Crash(lost) => {
                let kept = self.commits.len().saturating_sub(lost).max(1);
                self.commits.truncate(kept);
                self.restart();
            }
            Step::Refuse => {
                self.binding.gap();
                self.commit();
                self.subscribe(ReplayFrom::Tip);
            }
            Step::Recreate => {
                self.topic += 1;
                self.log.clear();
                self.next_replay = 1;
                self.restart();
            }
            Step::Switch => {
                self.polls = !self.polls;
                self.restart();
            }
            Step::Sweep { org_tells } => self.sweep(org_tells),
        }
    }

    /// Nothing changes any more, all that is on its way arrives, and a last sweep passes.
    fn settle(&mut self) {
        self.now += 600;
        let mut swept = false;
        for _ in 0..1_000 {
            let knows_all = self.polls || self.delivered == self.log.len();
            if swept && knows_all && self.binding.is_caught_up() {
                return;
            }
            self.apply(&Step::Deliver(1));
            if !swept && self.binding.awaits_sweep() {
                swept = true;
                self.sweep(true);
            }
            self.ask(false);
            self.write_page(PAGE);
            self.run_job();
            self.write_job(PAGE);
            self.read_fetch();
            self.write_fetch();
        }
        panic!("the binding does not come to rest: {:?}", self.binding);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_collection_becomes_the_org(steps in prop::collection::vec(step(), 1..80)) {
        let mut world = World::new();
        for step in &steps {
            world.apply(step);
        }
        world.settle();
        let collection: BTreeMap<_, _> = world.documents.iter().copied().collect();
        for (record, version) in &world.org {
            match collection.get(record) {
                Some(captured) => prop_assert_eq!(captured, version, "record {}", record),
                None => prop_assert!(version.deleted, "record {} was never captured: {:?}", record, version),
            }
        }
    }
}
