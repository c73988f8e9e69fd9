//! All jobs of an org and whose turn it is. Pure: the worker does what comes out.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::job::{Family, Job, State, Task, Terms};
use super::quota::{BATCH, Used};
use super::reading::Reading;
use super::script::{BulkReport, Said, Script};
use super::settings::BulkSettings;
use super::spool::Spool;
use super::writing::{Files, Writing};
use super::{Done, Stopped};
use crate::org::{Id, Org};

/// The jobs, by their ids, which are in the order of their making.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    all: BTreeMap<Id, Entry>,
    /// Those in the queue or in progress; the first one's turn comes first.
    turns: VecDeque<Id>,
    pub(super) script: Script,
    pub(super) used: Used,
}

/// A job with what it leaves and how far it is.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) job: Job,
    pub(crate) output: Output,
    /// Away while the worker has it, and once the job has ended.
    work: Option<Work>,
}

/// What a job leaves for those who ask.
#[derive(Debug, Clone)]
pub(crate) enum Output {
    Query(Arc<Spool>),
    Ingest(Arc<Files>),
}

/// A job at work.
#[derive(Debug)]
pub(crate) enum Work {
    Read(Reading),
    Write(Writing),
}

/// What the worker shall do.
pub(super) enum Turn {
    /// A chunk of this job.
    Do(Arc<Terms>, Work),
    /// Nothing before so much virtual time has passed.
    Wait(SignedDuration),
    /// Nothing until somebody comes.
    Rest,
}

impl Jobs {
    pub(super) fn add(&mut self, job: Job) {
        let (output, work) = match &job.terms.task {
            Task::Query(reads) => {
                let results = Arc::new(Spool::new());
                let reading = Reading::new(Arc::clone(reads), Arc::clone(&results));
                (Output::Query(results), Work::Read(reading))
            }
            Task::Ingest(writes) => {
                let files = Arc::new(Files::new());
                let writing = Writing::new(Arc::clone(writes), Arc::clone(&files));
                (Output::Ingest(files), Work::Write(writing))
            }
        };
        let id = job.terms.id;
        if job.state == State::UploadComplete {
            self.turns.push_back(id);
        }
        self.all.insert(id, Entry { job, output, work: Some(work) });
    }

    pub(super) fn get_mut(&mut self, family: Family, id: Id) -> Option<&mut Entry> {
        self.all.get_mut(&id).filter(|entry| entry.job.terms.family() == family)
    }

    /// The jobs of a family after this id, oldest first.
    pub(super) fn after(&self, family: Family, id: Option<Id>) -> impl Iterator<Item = &Job> {
        let jobs = self.all.values().map(|entry| &entry.job);
        jobs.filter(move |job| job.terms.family() == family && id.is_none_or(|id| job.terms.id > id))
    }

    pub(super) fn remove(&mut self, id: Id) {
        self.all.remove(&id);
        self.turns.retain(|turn| *turn != id);
    }

    /// A job whose data is complete enters the queue.
    pub(super) fn enqueue(&mut self, id: Id, due: Timestamp) {
        if let Some(entry) = self.all.get_mut(&id) {
            entry.job.due = due;
            self.turns.push_back(id);
        }
    }

    /// Aborts what was open for too long and forgets what was kept for long enough.
    pub(super) fn tidy(&mut self, settings: &BulkSettings, now: Timestamp) {
        let passed = |since: Timestamp, long: std::time::Duration| {
            SignedDuration::try_from(long).is_ok_and(|long| now.duration_since(since) >= long)
        };
        for Entry { job, .. } in self.all.values_mut() {
            if job.state == State::Open && passed(job.terms.created, settings.open) {
                job.end(State::Aborted, now);
            }
        }
        self.all.retain(|_, Entry { job, .. }| !(job.state.is_final() && passed(job.modified, settings.kept)));
        self.turns.retain(|turn| self.all.contains_key(turn));
    }

    pub(super) fn forget_all(&mut self) {
        *self = Self::default();
    }

    /// The next chunk of the job whose turn it is. Jobs that a rule ends on the way are ended.
    pub(super) fn turn(&mut self, settings: &BulkSettings, now: Timestamp) -> Turn {
        let mut soonest = None;
        for _ in 0..self.turns.len() {
            let Some(id) = self.turns.pop_front() else { break };
            let Some(Entry { job, work, .. }) = self.all.get_mut(&id).filter(|entry| !entry.job.state.is_final())
            else {
                continue;
            };
            let Some(chunk) = work.take() else { continue };
            if job.due > now {
                let wait = job.due.duration_since(now);
                soonest = Some(soonest.map_or(wait, |soonest: SignedDuration| soonest.min(wait)));
                *work = Some(chunk);
                self.turns.push_back(id);
                continue;
            }
            let said = match self.script.ask(job) {
                Said::GoOn if !within_quota(&mut self.used, job, &chunk, settings, now) => {
                    Said::Fail("ExceededQuota : ApiBatchItems Limit exceeded.".to_owned())
                }
                said => said,
            };
            match said {
                Said::Hold => {
                    *work = Some(chunk);
                    self.turns.push_back(id);
                }
                Said::Fail(why) => {
                    job.begin(now);
                    job.end(State::Failed(why), now);
                }
                Said::GoOn => {
                    job.begin(now);
                    return Turn::Do(Arc::clone(&job.terms), chunk);
                }
            }
        }
        soonest.map_or(Turn::Rest, Turn::Wait)
    }

    /// A chunk was done, or could not be.
    pub(super) fn done(
        &mut self,
        id: Id,
        work: Work,
        done: Result<Done, String>,
        settings: &BulkSettings,
        now: Timestamp,
    ) {
        let Some(entry) = self.all.get_mut(&id) else { return };
        let job = &mut entry.job;
        match done {
            Ok(Done { processed, failed, finished: false }) => {
                if job.terms.family() == Family::Ingest {
                    self.used.ingest(job.processed, processed, now);
                }
                job.proceed(processed, failed, now);
                let pause = SignedDuration::try_from(settings.chunk_time).unwrap_or(SignedDuration::MAX);
                job.due = now.saturating_add(pause).unwrap_or(Timestamp::MAX);
                entry.work = Some(work);
                self.turns.push_back(id);
                return;
            }
            Ok(Done { finished: true, .. }) => job.end(State::JobComplete, now),
            Err(why) => job.end(State::Failed(why), now),
        }
        if let Output::Query(results) = &entry.output {
            self.used.store(results.bytes(), now);
        }
    }

    /// All jobs, oldest first.
    pub(super) fn report(&self) -> Vec<BulkReport> {
        let report = |job: &Job| BulkReport {
            id: job.terms.id.to_string(),
            operation: job.terms.operation(),
            object: job.terms.object.clone(),
            state: job.state.name(),
            chunks: job.chunks,
            held: !job.state.is_final() && job.state != State::Open && self.script.holds(job),
        };
        self.all.values().map(|entry| report(&entry.job)).collect()
    }
}

impl Work {
    /// Does a chunk, or says what becomes the job's error message.
    pub(super) fn step(&mut self, org: &Org, terms: &Terms) -> Result<Done, String> {
        match self {
            Self::Read(reading) => {
                let failed = |Stopped(why)| format!("InvalidBatch : Failed to process query: {why}");
                reading.step(org, terms).map_err(failed)
            }
            Self::Write(writing) => writing.step(org, terms).map_err(|Stopped(why)| why),
        }
    }
}

/// A batch is begun with every so many rows of an ingest job, if the day has one left.
fn within_quota(used: &mut Used, job: &Job, work: &Work, settings: &BulkSettings, now: Timestamp) -> bool {
    match work {
        Work::Write(writing) if writing.goes_on() && job.processed.is_multiple_of(BATCH) => {
            used.another_batch(settings, now)
        }
        _ => true,
    }
}
