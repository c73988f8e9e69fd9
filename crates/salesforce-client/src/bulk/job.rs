//! Query jobs: create, ask, abort, delete, list.

use std::{fmt, str::FromStr};

use http::Method;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::{
    Action, ApiVersion, Error, Org, RecordId, SObjectName,
    bulk::{Jobs, Obstacle},
    call::Call,
    failure::one_line,
    query::{Locator, check_length},
    retry::Effect,
};

/// The id of a job. It says nothing of the job: neither its object nor the version of the API that made it, which must
/// be the one its results are read with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(RecordId);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for JobId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        text.parse().map(JobId)
    }
}

/// Which rows a query job finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// Those that are there.
    Query,
    /// Deleted and archived ones too.
    QueryAll,
}

/// How a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum JobState {
    /// It waits for its turn.
    UploadComplete,
    /// It runs.
    InProgress,
    /// Its results can be read, for seven days.
    JobComplete,
    /// It failed, and has no results.
    Failed,
    /// Somebody aborted it.
    Aborted,
}

impl JobState {
    /// Whether it stays as it is.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, JobState::JobComplete | JobState::Failed | JobState::Aborted)
    }
}

/// A query job, as the org tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueryJob {
    /// Its id.
    pub id: JobId,
    /// What it reads.
    pub object: SObjectName,
    /// Which rows of it.
    pub operation: Operation,
    /// How it stands.
    pub state: JobState,
    /// The user who made it. Only that user may read its results.
    pub created_by_id: RecordId,
    /// When it was made, by the clock of the org.
    pub created_date: Timestamp,
    /// The version of the API it was made with.
    #[serde(deserialize_with = "version")]
    pub api_version: ApiVersion,
    /// How many rows it has found so far.
    #[serde(default)]
    pub number_records_processed: u64,
    /// How often the org began again; after 15 times it fails.
    #[serde(default)]
    pub retries: u32,
    /// Why it failed, on one line, where the org says so.
    #[serde(default, deserialize_with = "message")]
    pub error_message: Option<String>,
    /// Whether the org can split the work by id; `None` until it has looked.
    #[serde(default)]
    pub is_pk_chunking_supported: Option<bool>,
}

impl QueryJob {
    /// What a failed job died of, if that is known by name.
    #[must_use]
    pub fn obstacle(&self) -> Option<Obstacle> {
        Obstacle::told_by(self.error_message.as_deref()?)
    }
}

/// `62.0`, which is a number here.
pub(super) fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ApiVersion, D::Error> {
    format!("{:.1}", f64::deserialize(deserializer)?).parse().map_err(de::Error::custom)
}

pub(super) fn message<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let message = Option::<String>::deserialize(deserializer)?;
    Ok(message.map(|message| one_line(&message)).filter(|message| !message.is_empty()))
}

impl Org {
    /// Has the org run a query as a job. `object` is what the query reads, for messages.
    ///
    /// The query may have no sub-queries, aggregates, `OFFSET`, compound or base64 fields. With `ORDER BY` or `LIMIT`
    /// the org does not split the work by id; without `ORDER BY` the rows come in no order.
    ///
    /// The request is repeated only where the first one surely was not carried out.
    ///
    /// # Errors
    /// Of [`Class::Unclear`](crate::Class::Unclear) where the reply was lost: a job may have been made that nobody
    /// knows the id of. To ask again does no harm but to the org's allocation of 10,000 jobs a day; the orphan's
    /// results go after seven days. [`Error::QueryTooLong`]; [`Error::obstacle`] tells what Bulk cannot do.
    pub async fn create_query_job(
        &self,
        object: &SObjectName,
        soql: &str,
        operation: Operation,
    ) -> Result<QueryJob, Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Asked<'a> {
            operation: Operation,
            query: &'a str,
            content_type: &'a str,
            column_delimiter: &'a str,
            line_ending: &'a str,
        }

        check_length(object, soql)?;
        let (content_type, column_delimiter, line_ending) = ("CSV", "COMMA", "LF");
        let call = Call::write(Action::CreateQueryJob(object.clone()), Method::POST, Effect::Once)
            .path(self.data_path(format_args!("/jobs/query")))
            .body(&Asked { operation, query: soql, content_type, column_delimiter, line_ending });
        self.send(&call, |reply| reply.json()).await
    }

    /// How a job stands. [`Poll`](crate::bulk::Poll) says when to ask.
    ///
    /// # Errors
    /// [`Obstacle::Gone`] if there is no such job any more. Otherwise as any call.
    pub async fn query_job(&self, object: &SObjectName, id: JobId) -> Result<QueryJob, Error> {
        let call = Call::read(Action::QueryJob(object.clone(), id)).path(self.job_path(id));
        self.send(&call, |reply| reply.json()).await
    }

    /// Sees to it that a job does not run on. One that has ended stays as it ended; that it is gone is as good.
    ///
    /// # Errors
    /// As any call.
    pub async fn abort_query_job(&self, object: &SObjectName, id: JobId) -> Result<(), Error> {
        self.abort_job(Action::AbortQueryJob(object.clone(), id), self.job_path(id)).await
    }

    /// Aborts a job of either family.
    pub(super) async fn abort_job(&self, action: Action, path: String) -> Result<(), Error> {
        #[derive(Serialize)]
        struct Asked {
            state: &'static str,
        }

        let call = Call::write(action, Method::PATCH, Effect::Repeatable).path(path).body(&Asked { state: "Aborted" });
        match self.send(&call, |_| Ok(())).await {
            Err(error) if matches!(error.obstacle(), Some(Obstacle::Gone | Obstacle::State)) => Ok(()),
            outcome => outcome,
        }
    }

    /// Deletes a job with its results. One that is gone already counts as deleted.
    ///
    /// # Errors
    /// [`Obstacle::State`] while it waits or runs: abort it first. Otherwise as any call.
    pub async fn delete_query_job(&self, object: &SObjectName, id: JobId) -> Result<(), Error> {
        self.delete_job(Action::DeleteQueryJob(object.clone(), id), self.job_path(id)).await
    }

    /// Deletes a job of either family.
    pub(super) async fn delete_job(&self, action: Action, path: String) -> Result<(), Error> {
        let call = Call::write(action, Method::DELETE, Effect::Repeatable).path(path);
        match self.send(&call, |_| Ok(())).await {
            Err(error) if error.obstacle() == Some(Obstacle::Gone) => Ok(()),
            outcome => outcome,
        }
    }

    /// The org's query jobs of Bulk API 2.0, everybody's, 1,000 at a time: the first of them, or those where the ones
    /// before said. What a job asks for is not told.
    ///
    /// # Errors
    /// As any call.
    pub async fn query_jobs(&self, next: Option<&Locator>) -> Result<Jobs<QueryJob>, Error> {
        self.jobs(Action::QueryJobs, "query?jobType=V2Query", next).await
    }

    fn job_path(&self, id: JobId) -> String {
        self.data_path(format_args!("/jobs/query/{id}"))
    }
}
