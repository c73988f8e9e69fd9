//! A job: what was ordered, how far it is, and what may still be done with it. Pure.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::dialect::Dialect;
use crate::org::{Id, Refusal};
use crate::soql::Query;

/// What was ordered, for good.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) id: Id,
    pub(crate) created_by: Id,
    pub(crate) created: Timestamp,
    /// API version, such as `62.0`; later calls must have the same.
    pub(crate) version: String,
    /// Canonical name.
    pub(crate) object: String,
    pub(crate) dialect: Dialect,
    pub(crate) task: Task,
}

#[derive(Debug)]
pub(crate) enum Task {
    Query(Arc<Reads>),
    Ingest(Arc<Writes>),
}

/// What a query job reads.
#[derive(Debug)]
pub(crate) struct Reads {
    pub(crate) query: Query,
    /// `queryAll`
    pub(crate) deleted: bool,
}

/// What an ingest job does.
#[derive(Debug)]
pub(crate) struct Writes {
    pub(crate) operation: Operation,
    /// Canonical name; there exactly when the operation is an upsert.
    pub(crate) external_id: Option<String>,
    pub(crate) assignment_rule: Option<String>,
}

/// What an ingest job does with its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Operation {
    Insert,
    Update,
    Upsert,
    Delete,
    HardDelete,
}

/// The two families of jobs, each with resources of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Query,
    Ingest,
}

/// A job under way or at its end.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) terms: Arc<Terms>,
    pub(crate) state: State,
    pub(crate) modified: Timestamp,
    began: Option<Timestamp>,
    /// Rows done so far, well or not.
    pub(crate) processed: u64,
    pub(crate) failed: u64,
    /// Chunks done so far.
    pub(crate) chunks: u64,
    /// When it may go on.
    pub(super) due: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// Waits for its data.
    Open,
    /// Waits in the queue.
    UploadComplete,
    InProgress,
    JobComplete,
    Failed(String),
    Aborted,
}

/// How much of a job an answer tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    Created,
    Changed,
    Listed,
    Whole,
}

impl Operation {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Upsert => "upsert",
            Self::Delete => "delete",
            Self::HardDelete => "hardDelete",
        }
    }
}

impl Terms {
    pub(crate) fn family(&self) -> Family {
        match self.task {
            Task::Query(_) => Family::Query,
            Task::Ingest(_) => Family::Ingest,
        }
    }

    pub(crate) fn operation(&self) -> &'static str {
        match &self.task {
            Task::Query(reads) if reads.deleted => "queryAll",
            Task::Query(_) => "query",
            Task::Ingest(writes) => writes.operation.name(),
        }
    }
}

impl State {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Open => "Open",
            Self::UploadComplete => "UploadComplete",
            Self::InProgress => "InProgress",
            Self::JobComplete => "JobComplete",
            Self::Failed(_) => "Failed",
            Self::Aborted => "Aborted",
        }
    }

    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::JobComplete | Self::Failed(_) | Self::Aborted)
    }
}

impl Job {
    /// A job at its beginning: a query is in the queue at once, an ingest job waits for data.
    pub(crate) fn new(terms: Terms) -> Self {
        let state = match terms.family() {
            Family::Query => State::UploadComplete,
            Family::Ingest => State::Open,
        };
        let created = terms.created;
        Self {
            terms: Arc::new(terms),
            state,
            modified: created,
            began: None,
            processed: 0,
            failed: 0,
            chunks: 0,
            due: created,
        }
    }

    /// All data is there.
    pub(crate) fn close(&mut self, now: Timestamp) -> Result<(), Refusal> {
        if self.state != State::Open {
            return Err(self.too_late("Closing"));
        }
        self.turn(State::UploadComplete, now);
        Ok(())
    }

    pub(crate) fn abort(&mut self, now: Timestamp) -> Result<(), Refusal> {
        if self.state.is_final() {
            return Err(self.too_late("Aborting"));
        }
        self.turn(State::Aborted, now);
        Ok(())
    }

    /// May it be deleted?
    pub(crate) fn deletable(&self) -> Result<(), Refusal> {
        let waits = self.terms.family() == Family::Ingest && self.state == State::UploadComplete;
        if self.state.is_final() || waits {
            return Ok(());
        }
        let message = "Error encountered when deleting the job because the job is not terminated";
        Err(Refusal::bad("API_ERROR", message))
    }

    /// A chunk was done.
    pub(super) fn proceed(&mut self, processed: u64, failed: u64, now: Timestamp) {
        self.begin(now);
        self.processed += processed;
        self.failed += failed;
        self.chunks += 1;
        self.modified = now;
    }

    /// It leaves the queue.
    pub(super) fn begin(&mut self, now: Timestamp) {
        if self.state == State::UploadComplete {
            self.began = Some(now);
            self.turn(State::InProgress, now);
        }
    }

    pub(super) fn end(&mut self, state: State, now: Timestamp) {
        self.turn(state, now);
    }

    fn turn(&mut self, state: State, now: Timestamp) {
        (self.state, self.modified) = (state, now);
    }

    fn too_late(&self, doing: &str) -> Refusal {
        let already = match self.state {
            State::JobComplete => "Completed",
            State::Open | State::UploadComplete | State::InProgress => "Closed",
            State::Failed(_) => "Failed",
            State::Aborted => "Aborted",
        };
        Refusal::bad("INVALIDJOBSTATE", format!("{doing} already {already} Job not allowed"))
    }

    /// The job's info, in the order the guide shows.
    pub(crate) fn told(&self, told: Told) -> Json {
        let Terms { id, created_by, created, version, object, dialect, .. } = &*self.terms;
        let ingest = self.terms.family() == Family::Ingest;
        let mut info = Map::new();
        let mut put = |name: &str, value: Json| info.insert(name.to_owned(), value);
        put("id", id.as_str().into());
        put("operation", self.terms.operation().into());
        put("object", object.as_str().into());
        put("createdById", created_by.as_str().into());
        put("createdDate", spelled(*created).into());
        put("systemModstamp", spelled(self.modified).into());
        put("state", self.state.name().into());
        let writes = match &self.terms.task {
            Task::Ingest(writes) => Some(writes),
            Task::Query(_) => None,
        };
        if let Some(field) = writes.and_then(|writes| writes.external_id.as_deref()) {
            put("externalIdFieldName", field.into());
        }
        put("concurrencyMode", "Parallel".into());
        put("contentType", "CSV".into());
        put("apiVersion", version.parse::<f64>().unwrap_or_default().into());
        if let Some(rule) = writes.and_then(|writes| writes.assignment_rule.as_deref()) {
            put("assignmentRuleId", rule.into());
        }
        if told == Told::Changed {
            return info.into();
        }
        if told != Told::Created {
            put("jobType", if ingest { "V2Ingest" } else { "V2Query" }.into());
        }
        if self.state == State::Open {
            // Without the slash one would expect.
            put("contentUrl", format!("services/data/v{version}/jobs/ingest/{id}/batches").into());
        }
        put("lineEnding", dialect.line_ending.name().into());
        put("columnDelimiter", json!(dialect.delimiter));
        if told != Told::Whole {
            return info.into();
        }
        if let State::Failed(why) = &self.state {
            put("errorMessage", why.as_str().into());
        }
        if self.state != State::Open {
            put("numberRecordsProcessed", self.processed.into());
            if ingest {
                put("numberRecordsFailed", self.failed.into());
            }
        }
        put("retries", 0.into());
        let taken = self.began.map_or(0, |began| self.modified.duration_since(began).as_millis());
        put("totalProcessingTime", i64::try_from(taken).unwrap_or(i64::MAX).into());
        if ingest {
            put("apiActiveProcessingTime", i64::try_from(taken).unwrap_or(i64::MAX).into());
            put("apexProcessingTime", 0.into());
        }
        put("isPkChunkingSupported", (!ingest).into());
        info.into()
    }
}

/// Whole seconds, as REST spells them.
fn spelled(at: Timestamp) -> String {
    format!("{}.000+0000", crate::org::stamp(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(task: Task) -> Job {
        let at = Timestamp::UNIX_EPOCH;
        let id = Id::new("750", *b"5x", 1);
        let (object, version) = ("Account".to_owned(), "62.0".to_owned());
        Job::new(Terms { id, created_by: id, created: at, version, object, dialect: Dialect::default(), task })
    }

    fn query() -> Job {
        let query = crate::soql::parse("SELECT Id FROM Account").unwrap();
        job(Task::Query(Arc::new(Reads { query, deleted: false })))
    }

    fn ingest() -> Job {
        let writes = Writes { operation: Operation::Insert, external_id: None, assignment_rule: None };
        job(Task::Ingest(Arc::new(writes)))
    }

    /// Every state × everything that may be asked of it.
    #[test]
    fn what_may_be_done_in_which_state() {
        let states = [
            State::Open,
            State::UploadComplete,
            State::InProgress,
            State::JobComplete,
            State::Failed("why".to_owned()),
            State::Aborted,
        ];
        let mut lines = Vec::new();
        for (name, fresh) in [("query", query as fn() -> Job), ("ingest", ingest)] {
            for state in states.iter().filter(|state| name == "ingest" || **state != State::Open) {
                let at = || Job { state: state.clone(), ..fresh() };
                let told =
                    |done: Result<(), Refusal>| done.map_or_else(|refusal| refusal.to_string(), |()| "ok".into());
                let close = if name == "ingest" { told(at().close(Timestamp::MAX)) } else { "–".to_owned() };
                let (abort, delete) = (told(at().abort(Timestamp::MAX)), told(at().deletable()));
                lines.push(format!("{name} {}\n  close: {close}\n  abort: {abort}\n  delete: {delete}", state.name()));
            }
        }
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn a_life() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let mut job = ingest();
        assert_eq!(
            job.told(Told::Created)["contentUrl"],
            format!("services/data/v62.0/jobs/ingest/{}/batches", job.terms.id)
        );
        job.close(at(1)).unwrap();
        job.begin(at(5));
        assert_eq!(job.state, State::InProgress);
        job.proceed(200, 3, at(7));
        job.end(State::Failed("LineEnding".to_owned()), at(8));
        let told = job.told(Told::Whole);
        assert_eq!(told["numberRecordsProcessed"], 200);
        assert_eq!(told["numberRecordsFailed"], 3);
        assert_eq!(told["totalProcessingTime"], 3000);
        assert_eq!(told["errorMessage"], "LineEnding");
        assert_eq!(told["systemModstamp"], "1970-01-01T00:00:08.000+0000");
        assert!(told.get("contentUrl").is_none());
    }
}
