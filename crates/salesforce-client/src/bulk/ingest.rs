//! Ingest jobs: rows into the org, as many as fit a file.
//!
//! A job is created, given its rows once, and closed; only then the org begins to write them, in no order. When it has
//! ended, [`Org::ingest_results`](crate::Org::ingest_results) tells what became of each row.

use std::fmt;

use bytes::Bytes;
use http::Method;
use jiff::Timestamp;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{IntoDeserializer, value},
};

use crate::{
    Action, ApiVersion, Error, FieldName, Org, RecordId, SObjectName,
    bulk::{
        JobId, JobState, Jobs, Obstacle,
        job::{message, version},
    },
    call::Call,
    query::Locator,
    retry::Effect,
};

/// The most rows of one job, as CSV, in bytes: Salesforce allows 150 MB after it has encoded them as base64.
pub const MOST_UPLOAD: usize = 100_000_000;

/// What a job shall do with its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ingest<'a> {
    /// Creates records.
    Insert,
    /// Updates the records of the column `Id`.
    Update,
    /// Updates the records that this column names, an external id or `Id`, or creates them.
    Upsert(&'a FieldName),
    /// Deletes the records of the column `Id`, which is the only one.
    Delete,
    /// Deletes them without the recycle bin, which takes the permission Bulk API Hard Delete.
    HardDelete,
}

impl Ingest<'_> {
    fn operation(self) -> IngestOperation {
        match self {
            Ingest::Insert => IngestOperation::Insert,
            Ingest::Update => IngestOperation::Update,
            Ingest::Upsert(_) => IngestOperation::Upsert,
            Ingest::Delete => IngestOperation::Delete,
            Ingest::HardDelete => IngestOperation::HardDelete,
        }
    }
}

/// What a job does with its rows, as the org tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum IngestOperation {
    /// It creates records.
    Insert,
    /// It updates records by id.
    Update,
    /// It updates or creates records.
    Upsert,
    /// It deletes records.
    Delete,
    /// It deletes records without the recycle bin.
    HardDelete,
}

/// How an ingest job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IngestState {
    /// It waits for its rows, or to be closed; after 24 hours the org aborts it.
    Open,
    /// It was closed, or aborted before that.
    Closed(JobState),
}

impl IngestState {
    /// Whether it stays as it is.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, IngestState::Closed(state) if state.is_final())
    }
}

impl<'de> Deserialize<'de> for IngestState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "Open" => Ok(IngestState::Open),
            state => {
                let state: value::StrDeserializer<'_, D::Error> = state.into_deserializer();
                JobState::deserialize(state).map(IngestState::Closed)
            }
        }
    }
}

/// An ingest job, as the org tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IngestJob {
    /// Its id.
    pub id: JobId,
    /// What it writes.
    pub object: SObjectName,
    /// What it does with its rows.
    pub operation: IngestOperation,
    /// The column that names the records of an upsert; lists of jobs do not tell it.
    #[serde(default)]
    pub external_id_field_name: Option<FieldName>,
    /// How it stands. That it is complete does not mean that all rows were written.
    pub state: IngestState,
    /// The user who made it.
    pub created_by_id: RecordId,
    /// When it was made, by the clock of the org.
    pub created_date: Timestamp,
    /// The version of the API it was made with.
    #[serde(deserialize_with = "version")]
    pub api_version: ApiVersion,
    /// How many rows the org is done with, refused ones included.
    #[serde(default)]
    pub number_records_processed: u64,
    /// How many of them it refused.
    #[serde(default)]
    pub number_records_failed: u64,
    /// How often the org began again.
    #[serde(default)]
    pub retries: u32,
    /// Why it failed, on one line, where the org says so. Rows it was done with by then stay written.
    #[serde(default, deserialize_with = "message")]
    pub error_message: Option<String>,
}

impl IngestJob {
    /// What a failed job died of, if that is known by name.
    #[must_use]
    pub fn obstacle(&self) -> Option<Obstacle> {
        Obstacle::told_by(self.error_message.as_deref()?)
    }
}

/// What is being done about an ingest job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IngestStep {
    /// Asking how it stands.
    Ask,
    /// Giving it its rows.
    Upload,
    /// Having it begin.
    Close,
    /// Aborting it.
    Abort,
    /// Deleting it.
    Delete,
    /// Reading its results.
    Results,
}

impl fmt::Display for IngestStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            IngestStep::Ask => "asking after",
            IngestStep::Upload => "uploading the rows of",
            IngestStep::Close => "closing",
            IngestStep::Abort => "aborting",
            IngestStep::Delete => "deleting",
            IngestStep::Results => "reading results of",
        })
    }
}

impl Org {
    /// Makes a job that waits for rows. It is repeated only where the first request surely was not carried out.
    ///
    /// # Errors
    /// Of [`Class::Unclear`](crate::Class::Unclear) where the reply was lost: to ask again does no harm, because a job
    /// without rows writes nothing and ends by itself. [`Error::obstacle`] tells what Bulk cannot do, and when the
    /// org's batches of the day are used up. Otherwise as any call.
    pub async fn create_ingest_job(&self, object: &SObjectName, ingest: Ingest<'_>) -> Result<IngestJob, Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Asked<'a> {
            object: &'a SObjectName,
            operation: IngestOperation,
            #[serde(skip_serializing_if = "Option::is_none")]
            external_id_field_name: Option<&'a FieldName>,
            content_type: &'a str,
            column_delimiter: &'a str,
            line_ending: &'a str,
        }

        let external_id_field_name = if let Ingest::Upsert(field) = ingest { Some(field) } else { None };
        let (content_type, column_delimiter, line_ending) = ("CSV", "COMMA", "LF");
        let operation = ingest.operation();
        let asked = Asked { object, operation, external_id_field_name, content_type, column_delimiter, line_ending };
        let call = Call::write(Action::CreateIngestJob(object.clone()), Method::POST, Effect::Once)
            .path(self.data_path(format_args!("/jobs/ingest")))
            .body(&asked);
        self.send(&call, |reply| reply.json()).await
    }

    /// Gives a job its rows, which it takes only once: CSV in UTF-8 with commas and LF, the names of the fields in the
    /// first line. An empty cell leaves its field alone; `#N/A` clears it.
    ///
    /// # Errors
    /// Of [`Class::Unclear`](crate::Class::Unclear) where the reply was lost: abort the job and make another, for a job
    /// writes nothing until it is closed. [`Error::Invalid`] beyond [`MOST_UPLOAD`]. Otherwise as any call.
    pub async fn upload_rows(&self, object: &SObjectName, id: JobId, csv: Bytes) -> Result<(), Error> {
        if csv.len() > MOST_UPLOAD {
            return Err(Error::invalid("rows of a job on", object.as_str(), "they have at most 100,000,000 bytes"));
        }
        let action = Action::IngestJob(IngestStep::Upload, object.clone(), id);
        let path = self.data_path(format_args!("/jobs/ingest/{id}/batches"));
        let call = Call::write(action, Method::PUT, Effect::Once).path(path).rows(csv);
        self.send(&call, |_| Ok(())).await
    }

    /// Says that a job has all its rows, so that the org begins to write them. A job that is closed already stays so.
    ///
    /// # Errors
    /// [`Obstacle::State`] if it was aborted. Otherwise as any call.
    pub async fn close_ingest_job(&self, object: &SObjectName, id: JobId) -> Result<IngestJob, Error> {
        #[derive(Serialize)]
        struct Asked {
            state: &'static str,
        }

        let action = Action::IngestJob(IngestStep::Close, object.clone(), id);
        let call = Call::write(action, Method::PATCH, Effect::Repeatable)
            .path(self.ingest_path(id))
            .body(&Asked { state: "UploadComplete" });
        match self.send(&call, |reply| reply.json()).await {
            // As it is told where the reply to a first request was lost.
            Err(error) if error.obstacle() == Some(Obstacle::State) => {
                let job = self.ingest_job(object, id).await?;
                let is_closed = !matches!(job.state, IngestState::Open | IngestState::Closed(JobState::Aborted));
                if is_closed { Ok(job) } else { Err(error) }
            }
            outcome => outcome,
        }
    }

    /// How a job stands. [`Poll`](crate::bulk::Poll) says when to ask.
    ///
    /// # Errors
    /// [`Obstacle::Gone`] if there is no such job any more. Otherwise as any call.
    pub async fn ingest_job(&self, object: &SObjectName, id: JobId) -> Result<IngestJob, Error> {
        let action = Action::IngestJob(IngestStep::Ask, object.clone(), id);
        self.send(&Call::read(action).path(self.ingest_path(id)), |reply| reply.json()).await
    }

    /// Sees to it that a job does not run on. One that has ended stays as it ended; that it is gone is as good. What
    /// was written stays written.
    ///
    /// # Errors
    /// As any call.
    pub async fn abort_ingest_job(&self, object: &SObjectName, id: JobId) -> Result<(), Error> {
        self.abort_job(Action::IngestJob(IngestStep::Abort, object.clone(), id), self.ingest_path(id)).await
    }

    /// Deletes a job with its results, not what it wrote. One that is gone already counts as deleted.
    ///
    /// # Errors
    /// [`Obstacle::State`] while it is open or runs: abort it first. Otherwise as any call.
    pub async fn delete_ingest_job(&self, object: &SObjectName, id: JobId) -> Result<(), Error> {
        self.delete_job(Action::IngestJob(IngestStep::Delete, object.clone(), id), self.ingest_path(id)).await
    }

    /// The org's ingest jobs of Bulk API 2.0, everybody's, 1,000 at a time: the first of them, or those where the ones
    /// before said.
    ///
    /// # Errors
    /// As any call.
    pub async fn ingest_jobs(&self, next: Option<&Locator>) -> Result<Jobs<IngestJob>, Error> {
        self.jobs(Action::IngestJobs, "ingest?jobType=V2Ingest", next).await
    }

    fn ingest_path(&self, id: JobId) -> String {
        self.data_path(format_args!("/jobs/ingest/{id}"))
    }
}
