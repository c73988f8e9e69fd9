//! A capture of the org: the machine of its one binding, and a shell that does what the machine says, one step at a time, with
//! what is under way in between.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Debug,
};

use salesforce_client::bulk::JobId;
use salesforce_streaming::{Kind, ReplayFrom, ReplayId};
use source_salesforce::capture::{
    binding::{Announced, Binding},
    fetches::{Door, Fetch},
    freshness::Verdict,
    position::{Position, Read},
    second::Second,
};

use super::org::{Event, Org, Version, id};

/// How one capture is, whatever happens to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setup {
    /// Events carry whole rows; otherwise they only announce them.
    pub(super) whole: bool,
    /// The org says up to when its changes are visible.
    pub(super) tells: bool,
    /// Rows of a page.
    pub(super) page: usize,
    /// Rows of a job.
    pub(super) job: usize,
    /// Deleted records are kept: each is fetched for its last values.
    pub(super) keeps: bool,
    /// The least time between two readings of the list of deletions, in seconds.
    pub(super) lists: i64,
    /// So many of the last commits may be lost in a crash.
    pub(super) unacknowledged: usize,
    /// What the shell tells the machine falsely.
    pub(super) lie: Lie,
}

/// What a shell may tell its machine falsely: seconds to be added to what it should say, and what it loses of the state. Each is
/// as good as a mutation of a rule. The default is the truth.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lie {
    /// To the stamp of an event's row.
    pub(super) event: i64,
    /// To the time at which an event was created.
    pub(super) created: i64,
    /// To the stamp of a page's row.
    pub(super) row: i64,
    /// To the time at which a page or a fetch was answered.
    pub(super) answered: i64,
    /// The state, on its way to the next session.
    pub(super) state: Option<fn(&mut Position)>,
}

#[derive(Debug, Clone)]
struct PageOnItsWay {
    rows: VecDeque<(u8, Version)>,
    answered: Second,
    more: bool,
}

/// A job in the org. It outlives sessions.
#[derive(Debug, Clone)]
struct Job {
    id: JobId,
    read: Read,
    rows: Vec<(u8, Version)>,
    is_complete: bool,
}

#[derive(Debug, Clone)]
struct FetchOnItsWay {
    found: BTreeMap<u8, Version>,
    /// All that were asked for, as they are.
    asked: BTreeMap<u8, Version>,
    answered: Second,
}

#[derive(Debug, Clone)]
pub(super) struct Capture {
    setup: Setup,
    pub(super) org: Org,
    pub(super) polls: bool,
    /// Where the session is to be subscribed, until it is.
    begins: Option<ReplayFrom>,
    /// Events of the log that the session was given.
    delivered: usize,
    binding: Binding,
    page: Option<PageOnItsWay>,
    job: Option<Job>,
    jobs: u8,
    fetch: Option<FetchOnItsWay>,
    /// The last document of each record.
    collection: BTreeMap<u8, Version>,
    /// The same, and the state, after each of the last commits.
    commits: VecDeque<(BTreeMap<u8, Version>, Position)>,
    /// What went wrong.
    wrong: Option<String>,
}

impl Capture {
    /// A capture of an org, before its first session has subscribed.
    pub(super) fn new(setup: Setup, org: Org) -> Self {
        let (binding, begins) = session(setup, &org, false, Position::default());
        Self {
            setup,
            org,
            polls: false,
            begins,
            delivered: 0,
            binding,
            page: None,
            job: None,
            jobs: 0,
            fetch: None,
            collection: BTreeMap::new(),
            commits: [(BTreeMap::new(), Position::default())].into(),
            wrong: None,
        }
    }

    /// What went wrong so far.
    pub(super) fn wrong(&self) -> Option<&str> {
        self.wrong.as_deref()
    }

    /// All that the future depends on, without what only a crash or a repetition may need again if none can come any more.
    pub(super) fn state(&self, may_go_back: bool) -> impl Debug {
        let Self { org, begins, delivered, binding, page, fetch, collection, commits, .. } = self;
        let passed = if may_go_back { 0 } else { *delivered };
        let log = &org.log[passed..];
        let committed = commits.back().filter(|_| may_go_back);
        (org.now, &org.rows, log, delivered - passed, begins, binding, page, fetch, collection, committed)
    }

    /// How the collection differs from the org, if it does.
    pub(super) fn difference(&self) -> Option<String> {
        self.org.difference(&self.collection)
    }

    /// Whether the capture has nothing more to do until something happens in the org.
    pub(super) fn rests(&self) -> bool {
        let knows_all = self.polls || self.delivered == self.org.log.len();
        self.begins.is_none() && knows_all && self.binding.is_caught_up()
    }

    /// The process dies, the last `lost` commits were not acknowledged, and the next session begins.
    pub(super) fn crash(&mut self, lost: usize) {
        let kept = self.commits.len().saturating_sub(lost).max(1);
        self.commits.truncate(kept);
        let (collection, mut position) = self.commits.back().cloned().expect("a commit");
        if let Some(lose) = self.setup.lie.state {
            lose(&mut position);
        }
        self.collection = collection;
        (self.page, self.fetch) = (None, None);
        (self.binding, self.begins) = session(self.setup, &self.org, self.polls, position);
        if self.polls {
            self.commit();
        }
    }

    /// The session subscribes, if it has not. Answers whether it had to.
    pub(super) fn subscribe(&mut self) -> bool {
        let from = self.begins.take();
        if let Some(from) = from {
            self.subscribed(from);
        }
        from.is_some()
    }

    /// Whether it has.
    pub(super) fn is_subscribed(&self) -> bool {
        self.begins.is_none()
    }

    fn subscribed(&mut self, from: ReplayFrom) {
        self.delivered = match from {
            ReplayFrom::Tip => self.org.log.len(),
            ReplayFrom::Earliest => 0,
            ReplayFrom::After(id) => self.org.log.iter().take_while(|event| event.replay <= id.get()).count(),
        };
        self.binding.subscribed(from, self.org.clock());
        self.commit();
    }

    /// The streaming session is lost and begun again: what was delivered and not written comes again.
    pub(super) fn reconnect(&mut self) {
        if !self.polls {
            self.subscribe();
            let from = self.binding.replay().map_or(ReplayFrom::Earliest, ReplayFrom::After);
            self.subscribed(from);
        }
    }

    /// All events that were delivered come again. Answers whether there are any.
    pub(super) fn deliver_again(&mut self) -> bool {
        self.subscribe();
        std::mem::take(&mut self.delivered) > 0
    }

    /// Events that are still to be delivered.
    pub(super) fn announced(&self) -> usize {
        self.org.log.len() - self.delivered
    }

    /// The org no longer knows our position.
    pub(super) fn refuse(&mut self) {
        if !self.polls {
            self.subscribe();
            self.binding.gap();
            self.commit();
            self.subscribed(ReplayFrom::Tip);
        }
    }

    /// The org has room for the topic of a session that polls.
    pub(super) fn find_room(&mut self) {
        if self.polls && self.binding.live().is_some() {
            self.polls = false;
            self.binding.topic_replaced(self.org.topic());
            self.commit();
            self.subscribed(ReplayFrom::Tip);
        }
    }

    /// The next event is delivered. Answers whether there is one.
    pub(super) fn deliver(&mut self) -> bool {
        self.subscribe();
        let next = self.org.log.get(self.delivered).filter(|_| !self.polls).copied();
        let Some(Event { replay, record, kind, created, version }) = next else { return false };
        self.delivered += 1;
        let Setup { whole, lie, .. } = self.setup;
        let verdict = self.binding.event(Announced {
            replay: ReplayId::new(replay).expect("an id"),
            created: Second::new(created + lie.created),
            kind,
            id: id(record),
            whole: (whole && kind != Kind::Deleted).then(|| Second::new(version.stamp + lie.event)),
        });
        if verdict == Verdict::Write {
            if self.setup.keeps && kind == Kind::Deleted {
                self.wrong.get_or_insert(format!("record {record} is kept without its last values"));
            }
            self.write(record, version);
        }
        self.commit();
        true
    }

    fn commit(&mut self) {
        self.commits.push_back((self.collection.clone(), self.binding.position()));
        while self.commits.len() > self.setup.unacknowledged + 1 {
            self.commits.pop_front();
        }
        self.check_completeness();
    }

    /// What the binding says of itself is to be true: nothing is missing from before the time up to which it is complete, purged records
    /// included.
    fn check_completeness(&mut self) {
        let Some(until) = self.binding.complete_until() else { return };
        let missing = self.org.rows.iter().find(|(record, version)| {
            let captured = self.collection.get(record);
            let is_written = captured.is_some_and(|captured| captured.number >= version.number);
            let was_never_there = version.deleted && captured.is_none();
            !is_written && !was_never_there && Second::new(version.stamp) < until
        });
        if let Some((record, version)) = missing {
            let wrong = format!("record {record}: {version:?} is missing, complete up to {until}");
            self.wrong.get_or_insert(wrong);
        }
    }

    fn write(&mut self, record: u8, version: Version) {
        let before = self.collection.insert(record, version);
        if let Some(before) = before.filter(|before| before.number > version.number) {
            self.wrong.get_or_insert(format!("record {record}: {version:?} is written after {before:?}"));
        }
    }

    /// When a read is answered, as the machine is told.
    fn answered(&self) -> Second {
        self.org.clock().plus(self.setup.lie.answered)
    }

    /// The next page is read by the org; it arrives later. Answers whether there is one to read. Where an earlier session has
    /// left a job, that is gone on with.
    pub(super) fn read_page(&mut self) -> bool {
        self.ask(false)
    }

    /// Instead of the next page, a job is created for it.
    pub(super) fn create_job(&mut self) -> bool {
        self.ask(true)
    }

    fn ask(&mut self, by_job: bool) -> bool {
        self.subscribe();
        let Some(read) = self.binding.next_page() else { return false };
        match &read.bulk {
            // It is looked at when its rows are to be written.
            Some(_) => {}
            None if by_job => {
                self.jobs += 1;
                let id = format!("7505f00000000{:02}", self.jobs).parse().expect("an id");
                self.binding.job_created(id, self.org.clock());
                self.job = Some(Job { id, read, rows: Vec::new(), is_complete: false });
                self.commit();
            }
            None => {
                let mut rows: VecDeque<_> = self.org.matching(&read).collect();
                rows.truncate(self.setup.page);
                let more = rows.len() == self.setup.page;
                self.page = Some(PageOnItsWay { rows, answered: self.answered(), more });
            }
        }
        true
    }

    /// It arrives, and so many rows of it are written. Answers whether there was one on its way.
    pub(super) fn write_page(&mut self, rows: usize) -> bool {
        let Some(mut page) = self.page.take() else { return false };
        self.binding.page_arrived(page.answered);
        let mut upper = None;
        for _ in 0..rows {
            let Some((record, version)) = page.rows.pop_front() else { break };
            upper = Some(record);
            self.write_read_row(record, version);
        }
        if let Some(upper) = upper {
            self.binding.page_written(id(upper), page.answered);
        }
        if page.rows.is_empty() {
            if !page.more {
                self.read_list();
            }
            self.binding.page_done(page.more);
        } else {
            self.page = Some(page);
        }
        self.commit();
        true
    }

    fn write_read_row(&mut self, record: u8, version: Version) {
        let stamp = Second::new(version.stamp + self.setup.lie.row);
        if self.binding.page_row(id(record), Some(stamp)) == Verdict::Write {
            self.write(record, version);
        }
    }

    fn read_list(&mut self) {
        let Some(since) = self.binding.to_list(self.org.clock(), self.setup.lists) else { return };
        self.org.deleted_since(since).into_iter().for_each(|id| self.binding.list(id));
        self.binding.listed(self.org.covered());
    }

    /// The org reads one more row for the job, or finds that there is none.
    pub(super) fn run_job(&mut self) {
        let Some(mut job) = self.job.take_if(|job| !job.is_complete) else { return };
        let after = job.rows.last().map(|(record, _)| id(*record)).or(job.read.after);
        match self.org.matching(&Read { after, ..job.read.clone() }).next() {
            Some(row) if job.rows.len() < self.setup.job => job.rows.push(row),
            _ => job.is_complete = true,
        }
        self.job = Some(job);
    }

    /// So many rows of the job's results are written, if it is complete.
    pub(super) fn write_job(&mut self, rows: usize) {
        let Some(bulk) = self.binding.agenda().job().cloned() else { return };
        let Some(job) = self.job.take().filter(|job| job.id == bulk.job) else {
            self.binding.page_lost();
            return self.commit();
        };
        if job.is_complete {
            let written = bulk.rows as usize;
            let upto = job.rows.len().min(written + rows);
            for (record, version) in &job.rows[written..upto] {
                self.write_read_row(*record, *version);
            }
            if let Some((upper, _)) = job.rows[written..upto].last() {
                self.binding.page_written(id(*upper), self.answered());
            }
            self.binding.job_written(None, upto as u64);
            if upto == job.rows.len() {
                self.binding.page_done(true);
            }
            self.commit();
        }
        self.job = Some(job);
    }

    /// Somebody deletes the job.
    pub(super) fn lose_job(&mut self) {
        self.job = None;
    }

    /// A fetch is read by the org; it arrives later. Answers whether there is one to read.
    pub(super) fn read_fetch(&mut self) -> bool {
        let Some(Fetch { ids, door }) = self.binding.next_fetch(|_| 2) else { return false };
        let found = self.org.by_id(&ids, door == Door::Query);
        let asked = self.org.rows.iter().filter(|(record, _)| ids.contains(&id(**record)));
        let asked = asked.map(|(record, version)| (*record, *version)).collect();
        self.fetch = Some(FetchOnItsWay { found, asked, answered: self.answered() });
        true
    }

    /// It arrives. Answers whether there was one on its way.
    pub(super) fn write_fetch(&mut self) -> bool {
        let Some(FetchOnItsWay { found, asked, answered }) = self.fetch.take() else { return false };
        for (record, version) in found {
            if self.binding.fetched(id(record), Some(Second::new(version.stamp)), answered).is_some() {
                self.write(record, version);
            }
        }
        for gone in self.binding.fetch_done(answered) {
            match asked.iter().find(|(record, _)| id(**record) == gone) {
                Some((record, _)) if self.setup.keeps && !self.org.is_purged(*record) => {
                    self.wrong.get_or_insert(format!("record {record} is there with its last values"));
                }
                Some((record, version)) if version.deleted => self.write(*record, *version),
                there => _ = self.wrong.get_or_insert(format!("{there:?} counts as deleted")),
            }
        }
        self.commit();
        true
    }

    /// Whether the time of a poll or sweep may have come.
    pub(super) fn awaits_sweep(&self) -> bool {
        self.begins.is_none() && self.binding.awaits_sweep()
    }

    /// It has come.
    pub(super) fn sweep(&mut self) {
        self.subscribe();
        if self.binding.awaits_sweep() {
            self.binding.sweep(self.setup.tells.then(|| self.org.covered()));
        }
        self.commit();
    }

    /// The time of a refresh has come.
    pub(super) fn refresh(&mut self) {
        if self.awaits_sweep() && self.binding.complete().is_some() {
            self.binding.refresh(self.org.clock());
        }
        self.commit();
    }
}

/// Begins a session, before it subscribes. Answers where it is to do that.
fn session(setup: Setup, org: &Org, polls: bool, position: Position) -> (Binding, Option<ReplayFrom>) {
    let (mut binding, start) = Binding::resume(position, (!polls).then(|| org.topic()), None);
    if setup.keeps {
        binding.keep_deleted();
    }
    if setup.tells {
        binding.history_covers(org.covered());
    }
    (binding, start.from)
}
