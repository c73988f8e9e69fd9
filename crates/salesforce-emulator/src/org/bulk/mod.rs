//! Bulk API 2.0: jobs that read and write rows by the thousands, outside the requests that order them.
//!
//! [`job`] says what may happen to a job, [`jobs`] whose turn it is, [`worker`] does the turns: [`reading`] and [`writing`]
//! a chunk each. [`order`] makes jobs of what clients ask for; [`spool`] and [`upload`] hold what they leave and get.
//! Jobs live as long as the process: an org in a file forgets them when it is opened again.

mod cells;
mod dialect;
mod header;
mod job;
mod jobs;
mod order;
mod quota;
mod reading;
mod script;
mod settings;
mod spool;
#[cfg(test)]
mod tests;
mod unsupported;
mod upload;
mod worker;
mod writing;

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;

use super::{Id, Org, Refusal, UserPermission};
pub(crate) use job::{Family, Told};
use job::{Job, State};
use jobs::{Entry, Jobs, Output};
use order::Maker;
pub(crate) use order::{IngestOrder, QueryOrder};
pub(crate) use quota::Count;
pub use script::{BulkReport, BulkStop};
pub use settings::{BulkDatetimes, BulkSettings};
pub(crate) use spool::{Page, Spool};
pub(crate) use upload::{Incoming, Upload};
use worker::Worker;
pub(crate) use writing::Files;

/// The jobs of an org and who does them. Locks are taken in the order of the fields; the database's comes after `working`
/// and before `jobs`.
#[derive(Debug, Default)]
pub(super) struct Bulk {
    working: Mutex<()>,
    worker: Mutex<Worker>,
    jobs: Mutex<Jobs>,
    /// Rings when the worker has nothing to do.
    rested: Condvar,
}

/// What a chunk came to.
#[derive(Debug)]
struct Done {
    processed: u64,
    failed: u64,
    /// There was nothing left to do.
    finished: bool,
}

/// Why a job cannot go on, for its error message.
#[derive(Debug)]
struct Stopped(String);

impl Org {
    /// Holds or fails jobs at a chunk of theirs.
    pub fn stop_bulk(&self, stop: BulkStop) {
        self.0.bulk.jobs().script.add(stop);
    }

    /// Takes all rules away: jobs that were held go on.
    pub fn release_bulk(&self) {
        self.0.bulk.jobs().script.clear();
        self.wake_worker();
    }

    /// The rules in force.
    pub fn bulk_stops(&self) -> Vec<BulkStop> {
        self.0.bulk.jobs().script.rules().to_vec()
    }

    /// All jobs, oldest first, once none of them can go on by itself: each has ended, is held, or waits for data or for
    /// virtual time.
    pub fn bulk_jobs(&self) -> Vec<BulkReport> {
        self.bulk_rest();
        self.0.bulk.jobs().report()
    }

    /// Makes a query job.
    pub(crate) fn order_query(&self, order: QueryOrder, version: &str) -> Result<Json, Refusal> {
        let maker = self.maker(version);
        let settings = &self.settings().bulk;
        let terms = order.terms(&self.schema(), settings, maker)?;
        let mut jobs = self.jobs();
        jobs.used.query_job(settings, maker.now)?;
        let mut job = Job::new(terms);
        job.due = self.queued(maker.now);
        let told = job.told(Told::Created);
        jobs.add(job);
        drop(jobs);
        self.wake_worker();
        Ok(told)
    }

    /// Makes an ingest job.
    pub(crate) fn order_ingest(&self, order: IngestOrder, version: &str) -> Result<(Id, Json), Refusal> {
        let maker = self.maker(version);
        let settings = &self.settings().bulk;
        let terms = order.terms(&self.schema(), settings, maker)?;
        let mut jobs = self.jobs();
        if !jobs.used.another_batch(settings, maker.now) {
            let message = format!("ApiBatchItems Limit exceeded: {} batches per 24 hrs", settings.ingest_batches);
            return Err(Refusal::bad("EXCEEDEDQUOTA", message));
        }
        let job = Job::new(terms);
        let told = job.told(Told::Created);
        jobs.add(job);
        Ok((maker.id, told))
    }

    /// A job as the user names it. "Modify All Data" stands for Salesforce's "Manage Data Integrations".
    pub(crate) fn asked<'a>(&self, family: Family, id: &'a str, version: &'a str) -> Asked<'a> {
        let maker = (!self.has(UserPermission::ModifyAllData)).then_some(self.user_id());
        Asked { family, id, version, maker }
    }

    /// A job's info.
    pub(crate) fn bulk_job(&self, of: &Asked<'_>, told: Told) -> Result<Json, Refusal> {
        Ok(self.jobs().asked(of)?.job.told(told))
    }

    /// Infos of a family's jobs after this one, and whether there are more.
    pub(crate) fn list_jobs(&self, family: Family, after: Option<Id>) -> (Vec<(Id, Json)>, bool) {
        let jobs = self.jobs();
        let most = self.settings().bulk.list_page.max(1);
        let mut infos: Vec<_> =
            jobs.after(family, after).take(most + 1).map(|job| (job.terms.id, job.told(Told::Listed))).collect();
        let more = infos.len() > most;
        infos.truncate(most);
        (infos, more)
    }

    /// Aborts a job. What it has done stays.
    pub(crate) fn abort_job(&self, of: &Asked<'_>) -> Result<Json, Refusal> {
        let _working = self.0.bulk.working();
        let now = self.now();
        let mut jobs = self.jobs();
        let entry = jobs.asked(of)?;
        entry.job.abort(now)?;
        Ok(entry.job.told(Told::Changed))
    }

    /// Deletes a job and what it left.
    pub(crate) fn delete_job(&self, of: &Asked<'_>) -> Result<(), Refusal> {
        let _working = self.0.bulk.working();
        let mut jobs = self.jobs();
        let job = &jobs.asked(of)?.job;
        job.deletable()?;
        let id = job.terms.id;
        jobs.remove(id);
        Ok(())
    }

    /// The results of a query job that is complete.
    pub(crate) fn query_results(&self, of: &Asked<'_>) -> Result<Arc<Spool>, Refusal> {
        let mut jobs = self.jobs();
        let Entry { job, output, .. } = jobs.asked(of)?;
        match output {
            Output::Query(results) if job.state == State::JobComplete => Ok(Arc::clone(results)),
            _ => {
                let state = job.state.name();
                Err(Refusal::bad("INVALIDJOBSTATE", format!("Results of a job in state {state} can not be retrieved")))
            }
        }
    }

    /// What an ingest job that has ended was given and left.
    pub(crate) fn ingest_files(&self, of: &Asked<'_>) -> Result<Arc<Files>, Refusal> {
        let mut jobs = self.jobs();
        let Entry { job, output, .. } = jobs.asked(of)?;
        match output {
            Output::Ingest(files) if job.state.is_final() => Ok(Arc::clone(files)),
            _ => {
                let state = job.state.name();
                Err(Refusal::bad("INVALIDJOBSTATE", format!("Results of a job in state {state} can not be retrieved")))
            }
        }
    }

    /// A place for the data of an open job.
    pub(crate) fn await_upload(&self, of: &Asked<'_>) -> Result<Incoming, Refusal> {
        let mut jobs = self.jobs();
        let Entry { job, output, .. } = jobs.asked(of)?;
        if job.state != State::Open {
            let message = format!("Data can not be uploaded to a job in state {}", job.state.name());
            return Err(Refusal::bad("INVALIDJOBSTATE", message));
        }
        if let Output::Ingest(files) = output
            && files.upload.get().is_some()
        {
            return Err(twice(job.terms.id));
        }
        Ok(Incoming::new(self.settings().bulk.largest_upload))
    }

    /// The data of a job has arrived.
    pub(crate) fn uploaded(&self, of: &Asked<'_>, data: Incoming) -> Result<(), Refusal> {
        let mut jobs = self.jobs();
        let Entry { job, output, .. } = jobs.asked(of)?;
        match output {
            Output::Ingest(files) if job.state == State::Open => {
                files.upload.set(Arc::new(data.arrived())).map_err(|_| twice(job.terms.id))
            }
            _ => Err(Refusal::bad("INVALIDJOBSTATE", "The job was closed while its data arrived")),
        }
    }

    /// The data of a job is complete; it enters the queue.
    pub(crate) fn close_job(&self, of: &Asked<'_>, told: Told) -> Result<Json, Refusal> {
        let now = self.now();
        let mut jobs = self.jobs();
        let entry = jobs.asked(of)?;
        entry.job.close(now)?;
        let (id, told) = (entry.job.terms.id, entry.job.told(told));
        jobs.enqueue(id, self.queued(now));
        drop(jobs);
        self.wake_worker();
        Ok(told)
    }

    /// What of the day's allocations was used.
    pub(crate) fn bulk_used(&self) -> Count {
        self.0.bulk.jobs().used.count(self.now())
    }

    /// Time has passed.
    pub(super) fn bulk_advanced(&self) {
        drop(self.jobs());
        self.wake_worker();
    }

    pub(super) fn forget_jobs(&self) {
        let _working = self.0.bulk.working();
        self.0.bulk.jobs().forget_all();
    }

    fn maker<'a>(&self, version: &'a str) -> Maker<'a> {
        let may_delete_hard = self.has(UserPermission::BulkApiHardDelete);
        Maker { id: self.0.new_id("750"), user: self.user_id(), may_delete_hard, now: self.now(), version }
    }

    /// The jobs that are still kept.
    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        let mut jobs = self.0.bulk.jobs();
        jobs.tidy(&self.settings().bulk, self.now());
        jobs
    }

    fn queued(&self, now: Timestamp) -> Timestamp {
        let time = SignedDuration::try_from(self.settings().bulk.queue_time).unwrap_or(SignedDuration::MAX);
        now.saturating_add(time).unwrap_or(Timestamp::MAX)
    }
}

/// A job, as a request names it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) family: Family,
    pub(crate) id: &'a str,
    /// The request's API version, which must be the job's.
    pub(crate) version: &'a str,
    /// The user whose job it must be; none for those who may deal with everybody's.
    pub(crate) maker: Option<Id>,
}

impl Jobs {
    /// # Errors
    /// `NOT_FOUND` if there is no such job, `INVALIDUSER` if it is another user's, 409 if it was made with another version.
    fn asked(&mut self, of: &Asked<'_>) -> Result<&mut Entry, Refusal> {
        let id = Id::parse(of.id).ok_or_else(Refusal::not_found)?;
        let entry = self.get_mut(of.family, id).ok_or_else(Refusal::not_found)?;
        let terms = &entry.job.terms;
        if of.maker.is_some_and(|maker| maker != terms.created_by) {
            return Err(Refusal::bad("INVALIDUSER", "The job was created by another user"));
        }
        let made = &terms.version;
        if made == of.version {
            return Ok(entry);
        }
        let message = format!("The job was created with API version {made} and can not be used with {}", of.version);
        Err(Refusal { status: 409, ..Refusal::bad("INVALIDVERSION", message) })
    }
}

impl Bulk {
    fn working(&self) -> MutexGuard<'_, ()> {
        self.working.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn worker(&self) -> MutexGuard<'_, Worker> {
        self.worker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn twice(id: Id) -> Refusal {
    let message = format!(
        "Found multiple contents for job: <{id}>, please 'Close' / 'Abort' / 'Delete' the current Job then create a new Job \
         and make sure you only do 'PUT' once on a given Job."
    );
    Refusal::bad("CLIENTINPUTERROR", message)
}

impl From<Refusal> for Stopped {
    fn from(refusal: Refusal) -> Self {
        Self(refusal.to_string())
    }
}

impl From<rusqlite::Error> for Stopped {
    fn from(error: rusqlite::Error) -> Self {
        Refusal::storage(&error).into()
    }
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self(format!("InternalServerError : {error}"))
    }
}
