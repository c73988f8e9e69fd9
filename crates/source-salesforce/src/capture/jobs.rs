//! The Bulk jobs of a lane: when its reads go by them, and how one goes on.

use std::time::Duration;

use salesforce_client::{
    Class, Error, Org,
    bulk::{JobId, JobState, Obstacle, Poll, QueryJob, ResultPage},
};
use tokio::time::Instant;

use super::{
    clock::answered,
    lane::Lane,
    output::{GROUP, Output},
    position::Read,
    reads::{self, Call, PAGE},
};
use crate::row::{Facts, Fields, Row};

/// The most rows that one job is asked for, at first.
const ROWS: usize = 250_000;

/// A job for fewer rows than this is not worth its calls.
const LEAST: usize = 10_000;

/// The longest pause between two questions how a job stands.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How the reads of a lane go.
#[derive(Debug)]
pub(super) struct Way {
    /// Rows of a read that come by pages before jobs take over.
    threshold: u64,
    /// Rows of the read at hand that have come by pages.
    by_pages: u64,
    /// A job is done, and a page is to find what is left.
    ends_by_page: bool,
    /// Rows that the next job is asked for; 0 where there are to be none.
    rows: usize,
    /// The job at hand.
    job: Option<Job>,
    /// Jobs that nobody needs once what was written so far is durable.
    obsolete: Vec<JobId>,
}

#[derive(Debug)]
struct Job {
    stage: Stage,
    poll: Poll,
    /// An earlier session has begun it.
    is_left: bool,
}

#[derive(Debug)]
enum Stage {
    /// A call is under way.
    Asked,
    /// It runs, and is to be asked again at that time.
    Runs(Instant),
    /// Rows are to be asked for, of the open page of results if there is one.
    Ready(Option<Box<ResultPage>>),
    /// Rows are in hand, the first so many of them written.
    InHand(Box<ResultPage>, Batch, usize),
}

/// Rows of a job, their fields as documents spell them.
#[derive(Debug, Default)]
pub(super) struct Batch {
    text: Vec<u8>,
    /// Each row, and where its fields end.
    rows: Vec<(Facts, usize)>,
    /// They are the last of their page of results.
    is_last: bool,
}

impl Batch {
    fn row(&self, n: usize) -> Row<'_> {
        let start = n.checked_sub(1).map_or(0, |before| self.rows[before].1);
        let (facts, end) = self.rows[n];
        Row { facts, fields: Fields::Spelled(&self.text[start..end]) }
    }
}

impl Way {
    /// Reads go by jobs after so many rows.
    pub(super) fn new(threshold: u64) -> Self {
        Self { threshold, by_pages: 0, ends_by_page: false, rows: ROWS, job: None, obsolete: Vec::new() }
    }

    /// A page has brought so many rows. Answers whether reads are to go by jobs from then on.
    pub(super) fn page_came(&mut self, rows: usize) -> bool {
        let was_less = self.by_pages < self.threshold;
        self.by_pages += rows as u64;
        self.ends_by_page = false;
        was_less && self.by_pages >= self.threshold
    }

    /// The read is done.
    pub(super) fn read_done(&mut self) {
        self.by_pages = 0;
    }

    /// Whether a job is at hand.
    pub(super) fn has_job(&self) -> bool {
        self.job.is_some()
    }

    /// Whether rows of a job are in hand.
    pub(super) fn has_rows(&self) -> bool {
        matches!(&self.job, Some(Job { stage: Stage::InHand(..), .. }))
    }

    /// When the job is to be asked how it stands.
    pub(super) fn due(&self) -> Option<Instant> {
        match self.job {
            Some(Job { stage: Stage::Runs(due), .. }) => Some(due),
            _ => None,
        }
    }

    /// Jobs that nobody needs once what was written so far is durable.
    pub(super) fn take_obsolete(&mut self) -> Vec<JobId> {
        std::mem::take(&mut self.obsolete)
    }

    fn stage(&mut self, stage: Stage) {
        if let Some(job) = &mut self.job {
            job.stage = stage;
        }
    }
}

/// Reads up to a group of rows of a page of results.
pub(super) async fn batch(
    columns: &crate::columns::Columns,
    object: &salesforce_client::SObjectName,
    page: &mut ResultPage,
) -> Result<Batch, crate::Error> {
    let mut batch = Batch::default();
    while batch.text.len() < GROUP / 2 && batch.rows.len() < PAGE {
        let Some(row) = page.next_row().await? else {
            batch.is_last = true;
            break;
        };
        let facts = columns.facts(&row).map_err(|source| crate::Error::Row {
            object: object.clone(),
            feed: "the results of a Bulk job",
            source: Box::new(source),
        })?;
        columns.write(&mut batch.text, &row).map_err(|bad| bad.of(object, facts.id))?;
        batch.rows.push((facts, batch.text.len()));
    }
    Ok(batch)
}

impl Lane {
    /// Whether what is read next comes by a job.
    pub(super) fn goes_by_job(&self) -> bool {
        let Way { threshold, by_pages, ends_by_page, rows, .. } = self.way;
        let may_begin = rows > 0 && by_pages >= threshold && !ends_by_page && self.feed.columns.is_ok();
        self.machine.agenda().job().is_some() || may_begin
    }

    /// Begins a job for a read, or takes up the one that an earlier session has left.
    pub(super) fn begin_job(&mut self, org: &Org, n: usize, read: &Read) -> Option<Call> {
        let poll = Poll::up_to(LONGEST_PAUSE);
        self.way.job = Some(Job { stage: Stage::Asked, poll, is_left: read.bulk.is_some() });
        match (&read.bulk, &self.feed.columns) {
            (Some(bulk), Ok(_)) => Some(reads::job(org, n, self, bulk.job)),
            (None, Ok(columns)) => {
                let soql = self.feed.job(columns, read, self.way.rows);
                Some(reads::new_job(org, n, self, &soql, read.deleted))
            }
            (_, Err(_)) => {
                self.give_up_job();
                None
            }
        }
    }

    /// What the job at hand asks for next.
    pub(super) fn next_of_job(&mut self, org: &Org, n: usize, now: Instant) -> Option<Call> {
        let job = self.way.job.as_mut().filter(|job| !matches!(job.stage, Stage::Asked))?;
        if self.fresh.is_some() {
            // Its rows are read in a way that is not that of the object any more.
            self.give_up_job();
            return None;
        }
        let bulk = self.machine.agenda().job()?.clone();
        if self.machine.gives_up_page() {
            self.way.obsolete.push(bulk.job);
            self.set_back("too much changed while it was under way");
            return None;
        }
        if self.doubt.is_some() {
            return None;
        }
        match std::mem::replace(&mut job.stage, Stage::Asked) {
            Stage::Runs(due) if due <= now => Some(reads::job(org, n, self, bulk.job)),
            Stage::Ready(page) if !self.machine.has_long_queue() => reads::rows(org, n, self, bulk, page),
            other => {
                job.stage = other;
                None
            }
        }
    }

    /// The org has told how a job stands, or has created it.
    pub(super) fn take_job(&mut self, result: Result<QueryJob, Error>, now: Instant) -> Result<(), Error> {
        let told = match result {
            Ok(told) => told,
            Err(error) => return self.job_refused(error),
        };
        if self.machine.agenda().job().is_none() {
            tracing::info!(stream = self.stream(), job = %told.id, "reading on by Bulk API 2.0");
            self.machine.job_created(told.id, told.created_date.into());
        }
        let Some(job) = &mut self.way.job else { return Ok(()) };
        match told.state {
            JobState::UploadComplete | JobState::InProgress => job.stage = Stage::Runs(now + job.poll.pause()),
            JobState::JobComplete => job.stage = Stage::Ready(None),
            JobState::Failed | JobState::Aborted => {
                let why = told.error_message.as_deref().unwrap_or("Salesforce does not say why");
                match told.obstacle() {
                    Some(obstacle @ (Obstacle::Unsupported | Obstacle::Quota)) => self.reads_pages(obstacle, why),
                    _ => self.set_back(&format!("it has failed: {why}")),
                }
            }
        }
        Ok(())
    }

    /// Rows of the job have arrived, or they were refused.
    pub(super) fn take_rows(
        &mut self,
        result: Result<(Box<ResultPage>, Batch), crate::Error>,
    ) -> Result<(), crate::Error> {
        match result {
            Ok((page, batch)) => {
                self.weigh(batch.text.len(), batch.rows.len());
                self.way.stage(Stage::InHand(page, batch, 0));
                Ok(())
            }
            Err(crate::Error::Salesforce(error)) => self.job_refused(*error).map_err(crate::Error::from),
            Err(error) => Err(error),
        }
    }

    /// Writes rows of the job in hand until a group is full.
    pub(super) fn write_job<O: Output>(&mut self, output: &mut O) -> Result<(), crate::Error> {
        let Some(job) = &mut self.way.job else { return Ok(()) };
        let (page, batch, mut next) = match std::mem::replace(&mut job.stage, Stage::Ready(None)) {
            Stage::InHand(page, batch, next) => (page, batch, next),
            other => {
                job.stage = other;
                return Ok(());
            }
        };
        let Some(bulk) = self.machine.agenda().job().cloned() else { return Ok(()) };
        let (begun, mut upper) = (next, None);
        while next < batch.rows.len() && output.collected() < GROUP {
            upper = Some(self.write_read_row(output, self.machine.agenda().reads_deleted(), batch.row(next))?);
            next += 1;
        }
        if let Some(upper) = upper {
            self.machine.page_written(upper, answered(page.answered()));
        }
        let is_done = next >= batch.rows.len();
        if !is_done || !batch.is_last {
            self.machine.job_written(bulk.page, bulk.rows + (next - begun) as u64);
            self.way.stage(if is_done { Stage::Ready(Some(page)) } else { Stage::InHand(page, batch, next) });
        } else if let Some(next) = page.next_page() {
            self.machine.job_written(Some(next.clone()), 0);
            self.way.stage(Stage::Ready(None));
        } else {
            self.way.job = None;
            self.way.obsolete.push(bulk.job);
            self.way.ends_by_page = true;
            self.end_page(true);
        }
        Ok(())
    }

    /// What the org's refusal means for the job at hand.
    fn job_refused(&mut self, error: Error) -> Result<(), Error> {
        let is_left = self.way.job.as_ref().is_some_and(|job| job.is_left);
        match error.obstacle() {
            Some(obstacle @ (Obstacle::Unsupported | Obstacle::Quota)) => {
                self.reads_pages(obstacle, &error.to_string());
            }
            Some(Obstacle::State | Obstacle::Gone | Obstacle::OtherVersion) => self.set_back(&error.to_string()),
            None if error.class() == Class::Unclear => self.set_back(&error.to_string()),
            None if is_left && error.class() == Class::Fatal => self.set_back(&error.to_string()),
            None => {
                self.give_up_job();
                return Err(error);
            }
        }
        Ok(())
    }

    /// The object is read by pages for the rest of the session.
    fn reads_pages(&mut self, obstacle: Obstacle, why: &str) {
        let stream = self.stream();
        match obstacle {
            Obstacle::Quota => {
                tracing::warn!(
                    stream,
                    "reading on by pages, as the org has no Bulk API 2.0 queries left for now: {why}"
                );
            }
            _ => tracing::info!(stream, "reading on by pages, as Bulk API 2.0 does not read the object: {why}"),
        }
        self.way.rows = 0;
        self.give_up_job();
    }

    /// The job at hand has come to nothing: the next one is smaller.
    fn set_back(&mut self, why: &str) {
        self.way.rows /= 4;
        if self.way.rows < LEAST {
            self.way.rows = 0;
            tracing::warn!(stream = self.stream(), "a Bulk job is given up, and the rest is read by pages: {why}");
        } else {
            tracing::info!(stream = self.stream(), "a Bulk job is given up, and the next one reads fewer rows: {why}");
        }
        self.give_up_job();
    }

    /// The job at hand is left. What it would have brought is read anew.
    pub(super) fn give_up_job(&mut self) {
        self.way.obsolete.extend(self.machine.agenda().job().map(|bulk| bulk.job));
        self.way.job = None;
        self.lost_page();
    }
}
