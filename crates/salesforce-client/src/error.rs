//! The crate's error: what was being done, to what, what came back.

use std::{fmt, sync::Arc};

use crate::{
    ApiVersion, FieldName, RecordId, SObjectName,
    advice::advice,
    auth::SignInFailure,
    bulk::{IngestStep, JobId},
    failure::{Failure, chain},
    retry::Class,
};

/// Why something could not be done.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// A call to the org failed.
    #[error("{action} failed: {failure}{}", advice(failure).map(|cure| format!("; {cure}")).unwrap_or_default())]
    Call {
        /// What was being done, to which object.
        action: Action,
        /// What the failure means.
        class: Class,
        /// What came back; the message contains its message, and what to do where that is known.
        failure: Arc<Failure>,
    },
    /// No token could be had.
    #[error("signing in at {login} failed: {failure}")]
    SignIn {
        /// Host and port of the login URL.
        login: String,
        /// What came back, and the cure; the message contains its message.
        failure: Arc<SignInFailure>,
    },
    /// A token reply pointed to a host that must not see the token.
    #[error("the token reply of {login} points to the instance {instance}, which is refused: {why}")]
    ForeignInstance {
        /// Host and port of the login URL.
        login: String,
        /// Host and port of the instance URL in the reply.
        instance: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A query is longer than the org accepts.
    #[error("the query on {object} is {length} characters long, above the limit of {limit}; select fewer fields")]
    QueryTooLong {
        /// The object queried.
        object: SObjectName,
        /// Its length, in characters.
        length: usize,
        /// The most there may be.
        limit: usize,
    },
    /// The org does not serve the version of the API that is asked for.
    #[error("the org does not offer version {asked} of the API: it offers {oldest} to {newest}")]
    VersionNotOffered {
        /// The version that is configured.
        asked: ApiVersion,
        /// The oldest on offer.
        oldest: ApiVersion,
        /// The newest on offer.
        newest: ApiVersion,
    },
    /// A text is not what it should be.
    #[error("bad {what}{}: {why}", text.as_ref().map(|text| format!(" {text:?}")).unwrap_or_default())]
    Invalid {
        /// What it should be.
        what: &'static str,
        /// The text, shortened; `None` where it may hold a secret.
        text: Option<String>,
        /// The rule it breaks.
        why: &'static str,
    },
    /// The HTTP client could not be made: usually the system's certificate store is missing.
    #[error("cannot set up the HTTP client: {}; are root certificates (ca-certificates) installed?", chain(.0.as_ref()))]
    Setup(Arc<reqwest::Error>),
}

impl Error {
    /// What the error means for whoever wants to try again.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Error::Call { class, .. } => *class,
            Error::SignIn { failure, .. } => failure.class,
            Error::ForeignInstance { .. }
            | Error::QueryTooLong { .. }
            | Error::VersionNotOffered { .. }
            | Error::Invalid { .. }
            | Error::Setup(_) => Class::Fatal,
        }
    }

    /// Whether the same call may succeed later without anybody changing anything.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self.class(), Class::Retry | Class::Wait)
    }

    /// Salesforce's code, such as `INVALID_FIELD`, or the token endpoint's, such as `invalid_grant`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.failure()?.refusal()?.code()
    }

    /// The HTTP status of the refusal, if there was one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        Some(self.failure()?.refusal()?.status.as_u16())
    }

    /// Salesforce's id of the refused request.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.failure()?.refusal()?.request_id.as_deref()
    }

    /// The object concerned.
    #[must_use]
    pub fn object(&self) -> Option<&SObjectName> {
        match self {
            Error::Call { action, .. } => action.object(),
            Error::QueryTooLong { object, .. } => Some(object),
            _ => None,
        }
    }

    /// Whether the reply is longer than is read: asking for less may help.
    #[must_use]
    pub fn is_too_long(&self) -> bool {
        matches!(self.failure(), Some(Failure::TooLong { .. }))
    }

    /// What the last request came to.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Error::Call { failure, .. } => Some(failure),
            Error::SignIn { failure, .. } => Some(&failure.failure),
            _ => None,
        }
    }

    /// What to do about it, in Salesforce's own terms, where that is known; the message contains it.
    #[must_use]
    pub fn cure(&self) -> Option<&'static str> {
        match self {
            Error::Call { failure, .. } => advice(failure),
            Error::SignIn { failure, .. } => failure.cure,
            _ => None,
        }
    }

    pub(crate) fn invalid(what: &'static str, text: &str, why: &'static str) -> Error {
        const SHOWN: usize = 80;
        Error::Invalid { what, text: Some(text.chars().take(SHOWN).collect()), why }
    }

    /// As [`Error::invalid`] for a text that must not be shown, or is not there.
    pub(crate) fn invalid_unseen(what: &'static str, why: &'static str) -> Error {
        Error::Invalid { what, text: None, why }
    }
}

/// What was being done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Listing the API versions of the instance.
    Versions,
    /// Listing the org's objects.
    DescribeGlobal,
    /// Listing the org's allocations.
    Limits,
    /// Asking how many records objects have.
    RecordCounts,
    /// Describing an object.
    Describe(SObjectName),
    /// Querying an object.
    Query(SObjectName),
    /// Fetching a further page of a query.
    QueryMore(SObjectName),
    /// Reading an object's records by id.
    Retrieve(SObjectName),
    /// Having a query run as a job.
    CreateQueryJob(SObjectName),
    /// Asking how a query job stands.
    QueryJob(SObjectName, JobId),
    /// Aborting a query job.
    AbortQueryJob(SObjectName, JobId),
    /// Deleting a query job.
    DeleteQueryJob(SObjectName, JobId),
    /// Reading results of a query job.
    QueryResults(SObjectName, JobId),
    /// Listing the org's query jobs.
    QueryJobs,
    /// Making a job that writes rows.
    CreateIngestJob(SObjectName),
    /// Doing this about a job that writes rows.
    IngestJob(IngestStep, SObjectName, JobId),
    /// Listing the org's jobs that write rows.
    IngestJobs,
    /// Listing an object's changed records.
    Updated(SObjectName),
    /// Listing an object's deleted records.
    Deleted(SObjectName),
    /// Creating a record.
    Create(SObjectName),
    /// Updating a record.
    Update(SObjectName, RecordId),
    /// Deleting a record.
    Delete(SObjectName, RecordId),
    /// Writing a row named by an external id field.
    WriteBy(Verb, SObjectName, FieldName),
    /// Writing so many rows at once.
    WriteRows(Verb, SObjectName, usize),
    /// This and so many more in one call.
    Together(Box<Action>, usize),
}

/// What is done to rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// They are created.
    Create,
    /// They are updated.
    Update,
    /// They are updated, or created where they are not there.
    Upsert,
    /// They are deleted.
    Delete,
    /// They are restored from the recycle bin.
    Undelete,
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verb::Create => "creating",
            Verb::Update => "updating",
            Verb::Upsert => "upserting",
            Verb::Delete => "deleting",
            Verb::Undelete => "restoring",
        })
    }
}

impl Action {
    /// The object concerned, if it is one.
    #[must_use]
    pub fn object(&self) -> Option<&SObjectName> {
        match self {
            Action::Versions
            | Action::DescribeGlobal
            | Action::Limits
            | Action::RecordCounts
            | Action::QueryJobs
            | Action::IngestJobs
            | Action::Together(..) => None,
            Action::Describe(object)
            | Action::Query(object)
            | Action::QueryMore(object)
            | Action::Retrieve(object)
            | Action::CreateQueryJob(object)
            | Action::QueryJob(object, _)
            | Action::AbortQueryJob(object, _)
            | Action::DeleteQueryJob(object, _)
            | Action::QueryResults(object, _)
            | Action::CreateIngestJob(object)
            | Action::IngestJob(_, object, _)
            | Action::Updated(object)
            | Action::Deleted(object)
            | Action::Create(object)
            | Action::Update(object, _)
            | Action::Delete(object, _)
            | Action::WriteBy(_, object, _)
            | Action::WriteRows(_, object, _) => Some(object),
        }
    }

    /// This with so many others.
    pub(crate) fn and(&self, more: usize) -> Action {
        if more == 0 { self.clone() } else { Action::Together(Box::new(self.clone()), more) }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Versions => f.write_str("listing API versions"),
            Action::DescribeGlobal => f.write_str("listing objects"),
            Action::Limits => f.write_str("listing limits"),
            Action::RecordCounts => f.write_str("counting records"),
            Action::Describe(object) => write!(f, "describing {object}"),
            Action::Query(object) => write!(f, "querying {object}"),
            Action::QueryMore(object) => write!(f, "fetching the next page of {object}"),
            Action::Retrieve(object) => write!(f, "reading records of {object}"),
            Action::CreateQueryJob(object) => write!(f, "creating a query job on {object}"),
            Action::QueryJob(object, id) => write!(f, "asking after query job {id} on {object}"),
            Action::AbortQueryJob(object, id) => write!(f, "aborting query job {id} on {object}"),
            Action::DeleteQueryJob(object, id) => write!(f, "deleting query job {id} on {object}"),
            Action::QueryResults(object, id) => write!(f, "reading results of query job {id} on {object}"),
            Action::QueryJobs => f.write_str("listing query jobs"),
            Action::CreateIngestJob(object) => write!(f, "creating an ingest job on {object}"),
            Action::IngestJob(step, object, id) => write!(f, "{step} ingest job {id} on {object}"),
            Action::IngestJobs => f.write_str("listing ingest jobs"),
            Action::Updated(object) => write!(f, "listing changed records of {object}"),
            Action::Deleted(object) => write!(f, "listing deleted records of {object}"),
            Action::Create(object) => write!(f, "creating a record of {object}"),
            Action::Update(object, id) => write!(f, "updating {object} {id}"),
            Action::Delete(object, id) => write!(f, "deleting {object} {id}"),
            Action::WriteBy(verb, object, field) => write!(f, "{verb} {object} by {field}"),
            Action::WriteRows(verb, object, rows) => write!(f, "{verb} {rows} records of {object}"),
            Action::Together(first, more) => write!(f, "{first} and {more} more"),
        }
    }
}
