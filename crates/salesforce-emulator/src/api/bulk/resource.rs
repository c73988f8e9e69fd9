//! What can be asked for below `/jobs/`.

use http::Method;

use crate::org::Family;

/// A request about jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::api) enum Jobs<'a> {
    Create(Family),
    List(Family),
    Info(Family, &'a str),
    /// Abort, or close.
    Change(Family, &'a str),
    Delete(Family, &'a str),
    Results(&'a str),
    ResultPages(&'a str),
    Upload(&'a str),
    Successful(&'a str),
    Failed(&'a str),
    Unprocessed(&'a str),
    MethodNotAllowed(&'static str),
    Unknown,
}

impl<'a> Jobs<'a> {
    pub(in crate::api) fn of(method: &Method, segments: &[&'a str]) -> Self {
        let reads = method == Method::GET || method == Method::HEAD;
        let only_get = |jobs| if reads { jobs } else { Self::MethodNotAllowed("GET, HEAD") };
        let (family, rest) = match segments {
            ["query", rest @ ..] => (Family::Query, rest),
            ["ingest", rest @ ..] => (Family::Ingest, rest),
            _ => return Self::Unknown,
        };
        match (family, rest) {
            (_, &[]) if reads => Self::List(family),
            (_, &[]) if method == Method::POST => Self::Create(family),
            (_, &[]) => Self::MethodNotAllowed("GET, HEAD, POST"),
            (_, &[id]) => match method.as_str() {
                "GET" | "HEAD" => Self::Info(family, id),
                "PATCH" => Self::Change(family, id),
                "DELETE" => Self::Delete(family, id),
                _ => Self::MethodNotAllowed("DELETE, GET, HEAD, PATCH"),
            },
            (Family::Query, &[id, "results"]) => only_get(Self::Results(id)),
            // The guide spells it both ways.
            (Family::Query, &[id, "resultPages" | "resultpages"]) => only_get(Self::ResultPages(id)),
            (Family::Ingest, &[id, "batches"]) if method == Method::PUT => Self::Upload(id),
            (Family::Ingest, &[_, "batches"]) => Self::MethodNotAllowed("PUT"),
            (Family::Ingest, &[id, "successfulResults"]) => only_get(Self::Successful(id)),
            (Family::Ingest, &[id, "failedResults"]) => only_get(Self::Failed(id)),
            // Clients spell it both ways.
            (Family::Ingest, &[id, "unprocessedrecords" | "unprocessedRecords"]) => only_get(Self::Unprocessed(id)),
            _ => Self::Unknown,
        }
    }

    /// The name under which it is counted and struck by faults.
    pub(in crate::api) fn kind(&self) -> &'static str {
        match self {
            Self::Create(Family::Query) => "bulk_query_create",
            Self::List(Family::Query) => "bulk_query_list",
            Self::Info(Family::Query, _) => "bulk_query_info",
            Self::Change(Family::Query, _) => "bulk_query_abort",
            Self::Delete(Family::Query, _) => "bulk_query_delete",
            Self::Results(_) => "bulk_query_results",
            Self::ResultPages(_) => "bulk_query_pages",
            Self::Create(Family::Ingest) => "bulk_ingest_create",
            Self::List(Family::Ingest) => "bulk_ingest_list",
            Self::Info(Family::Ingest, _) => "bulk_ingest_info",
            Self::Change(Family::Ingest, _) => "bulk_ingest_change",
            Self::Delete(Family::Ingest, _) => "bulk_ingest_delete",
            Self::Upload(_) => "bulk_ingest_upload",
            Self::Successful(_) => "bulk_ingest_successful",
            Self::Failed(_) => "bulk_ingest_failed",
            Self::Unprocessed(_) => "bulk_ingest_unprocessed",
            Self::MethodNotAllowed(_) | Self::Unknown => "other",
        }
    }

    /// The first API version that has it.
    pub(super) fn since(&self) -> f64 {
        match self {
            Self::ResultPages(_) => 58.0,
            Self::Create(Family::Query)
            | Self::List(Family::Query)
            | Self::Info(Family::Query, _)
            | Self::Change(Family::Query, _)
            | Self::Delete(Family::Query, _)
            | Self::Results(_) => 47.0,
            _ => 41.0,
        }
    }
}
