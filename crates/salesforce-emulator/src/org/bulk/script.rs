//! Scripted moments of jobs: where they are held, and where they fail.

use serde::{Deserialize, Serialize};

use super::job::Job;

/// Stops jobs before one of their chunks. As JSON:
///
/// ```json
/// {"before_chunk": 2, "object": "Account", "fail": "InternalServerError : try again"}
/// ```
///
/// A query job reads [`BulkSettings::query_chunk`](crate::BulkSettings::query_chunk) rows in a chunk, an ingest job writes
/// 200. A job that has done its last chunk still ends in a step of its own, which counts as another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BulkStop {
    /// The chunk, counting from 1.
    pub before_chunk: u64,
    /// Only jobs of this object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Only this job, by its id of 18 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The job fails there with this `errorMessage`; the rule is then spent. Without it, jobs are held until the rule is
    /// taken away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fail: Option<String>,
}

/// A job, as a script sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BulkReport {
    /// Id of the job.
    pub id: String,
    /// `query`, `insert`, …
    pub operation: &'static str,
    /// Canonical name of its object.
    pub object: String,
    /// `InProgress`, …
    pub state: &'static str,
    /// Chunks done so far.
    pub chunks: u64,
    /// A rule holds it.
    pub held: bool,
}

/// What the rules say to a job about to do its next chunk.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    GoOn,
    Hold,
    Fail(String),
}

/// The rules in force.
#[derive(Debug, Default)]
pub(super) struct Script(Vec<BulkStop>);

impl Script {
    pub(super) fn add(&mut self, stop: BulkStop) {
        self.0.push(stop);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn rules(&self) -> &[BulkStop] {
        &self.0
    }

    /// Is the job held?
    pub(super) fn holds(&self, job: &Job) -> bool {
        self.0.iter().any(|stop| stop.fail.is_none() && stop.concerns(job))
    }

    /// Asks for the next chunk of a job. The first rule that concerns it decides.
    pub(super) fn ask(&mut self, job: &Job) -> Said {
        let Some(at) = self.0.iter().position(|stop| stop.concerns(job)) else { return Said::GoOn };
        match &self.0[at].fail {
            None => Said::Hold,
            Some(why) => {
                let why = why.clone();
                self.0.remove(at);
                Said::Fail(why)
            }
        }
    }
}

impl BulkStop {
    fn concerns(&self, job: &Job) -> bool {
        self.before_chunk == job.chunks + 1
            && self.object.as_ref().is_none_or(|object| object.eq_ignore_ascii_case(&job.terms.object))
            && self.job.as_ref().is_none_or(|id| id == job.terms.id.as_str())
    }
}
