//! What a session asks of the org: calls under way, and what they come back with.

use std::sync::Arc;

use futures::{FutureExt as _, future::BoxFuture};
use salesforce_client::{
    Deleted, Error, FieldName, Limits, Org, Page, RecordId, SObjectName,
    bulk::{JobId, Obstacle, Operation, QueryJob, ResultPage, Results},
    composite::{MOST_COLLECTIONS, MOST_SUBREQUESTS},
    query::Query,
    retrieve::{Retrieve, Retrieved},
};

use super::{
    fetches::{Door, Fetch},
    inspection::{self, Finding, Subject},
    jobs::{self, Batch},
    lane::Lane,
    outlook::Outlook,
    position::{Bulk, Read},
    second::Second,
    visible,
};

/// Rows asked for in one page: the most that Salesforce answers at once.
pub(super) const PAGE: usize = 2_000;

/// The org answers for deletions of the last fifteen days (REST API guide, "Get Deleted"); a minute is left for the way there.
pub(super) const LOG_OF_DELETIONS: i64 = 15 * 86_400 - 60;

/// A call under way.
pub(super) type Call = BoxFuture<'static, Done>;

/// A call that came back.
pub(super) enum Done {
    /// A page of a read, with deleted rows or without.
    Page { lane: usize, deleted: bool, result: Result<Page, Error> },
    /// The first pages of several reads, in their order.
    FirstPages { pages: Vec<FirstPage>, result: Result<Vec<Result<Page, Error>>, Error> },
    /// A job is created, or how it stands.
    Job { lane: usize, result: Result<QueryJob, Error> },
    /// Rows of a job.
    Rows { lane: usize, result: Result<(Box<ResultPage>, Batch), crate::Error> },
    /// A job that nobody needs is deleted, or cannot be.
    JobDeleted(Result<(), Error>),
    /// Records looked for by a query.
    Queried { lane: usize, result: Result<Page, Error> },
    /// Records of several lanes, by id.
    Retrieved { lanes: Vec<usize>, result: Result<Vec<Result<Retrieved, Error>>, Error> },
    /// Up to when the changes of several lanes are visible, if the org says so.
    Covered { lanes: Vec<usize>, result: Result<Vec<Result<Option<Second>, Error>>, Error> },
    /// What the org lists as deleted of several lanes since some time each, and up to when that is true.
    Listed { asked: Vec<(usize, Second)>, result: Result<Vec<Result<Deleted, Error>>, Error> },
    /// The org's allocations.
    Limits(Result<Limits, Error>),
    /// A look at the objects and topics, with the lanes that were in doubt when it began.
    Inspected { doubted: Vec<usize>, result: Result<(Vec<Finding>, Outlook), crate::Error> },
}

/// One of several first pages.
pub(super) struct FirstPage {
    pub(super) lane: usize,
    /// Whether deleted rows are among them.
    pub(super) deleted: bool,
}

/// The first pages of reads, of at most so many rows each.
pub(super) fn first_pages(org: &Org, lanes: &[Lane], reads: &[(usize, Read)], most: usize) -> Call {
    let query = |(n, read): &(usize, Read)| {
        let feed = &lanes[*n].feed;
        let deleted = read.deleted || feed.has_archive;
        Query { object: feed.object.clone(), soql: feed.page(read, most), deleted }
    };
    let queries: Vec<_> = reads.iter().map(query).collect();
    let pages = reads.iter().map(|(n, read)| FirstPage { lane: *n, deleted: read.deleted }).collect();
    let org = org.clone();
    async move { Done::FirstPages { pages, result: org.query_many(&queries).await } }.boxed()
}

/// The next page of a read.
pub(super) fn page(org: &Org, n: usize, lane: &Lane, read: &Read) -> Call {
    let (org, object, deleted) = (org.clone(), lane.feed.object.clone(), read.deleted);
    let (soql, is_all) = (lane.feed.page(read, lane.most()), deleted || lane.feed.has_archive);
    async move {
        let result = match is_all {
            true => org.query_all(&object, &soql).await,
            false => org.query(&object, &soql).await,
        };
        Done::Page { lane: n, deleted, result }
    }
    .boxed()
}

/// Rows that a page of a job's results shall have: it is a call for each.
const RESULTS: u32 = 50_000;

/// A job for the rows of a query, of deleted ones too or not.
pub(super) fn new_job(org: &Org, n: usize, lane: &Lane, soql: &str, deleted: bool) -> Call {
    let (org, object, soql) = (org.clone(), lane.feed.object.clone(), soql.to_owned());
    let operation = if deleted || lane.feed.has_archive { Operation::QueryAll } else { Operation::Query };
    async move { Done::Job { lane: n, result: org.create_query_job(&object, &soql, operation).await } }.boxed()
}

/// How a job stands.
pub(super) fn job(org: &Org, n: usize, lane: &Lane, job: JobId) -> Call {
    let (org, object) = (org.clone(), lane.feed.object.clone());
    async move { Done::Job { lane: n, result: org.query_job(&object, job).await } }.boxed()
}

/// The next rows of a job, behind those that are written; `page` is the page of results that is open.
pub(super) fn rows(org: &Org, n: usize, lane: &Lane, bulk: Bulk, page: Option<Box<ResultPage>>) -> Option<Call> {
    let (org, object, columns) = (org.clone(), lane.feed.object.clone(), lane.feed.columns.as_ref().ok()?.clone());
    let read = async move {
        let mut page = match page {
            Some(page) => page,
            None => {
                let Bulk { job, page, rows } = &bulk;
                let (columns, page) = (&*columns.names, page.as_ref());
                let wanted = Results { object: &object, job: *job, columns, page, most: RESULTS, skip: *rows };
                Box::new(org.query_results(&wanted).await?)
            }
        };
        let batch = jobs::batch(&columns, &object, &mut page).await?;
        Ok((page, batch))
    };
    Some(async move { Done::Rows { lane: n, result: read.await } }.boxed())
}

/// Deletes a job, whether it still runs or not.
pub(super) fn delete_job(org: &Org, object: SObjectName, job: JobId) -> Call {
    let org = org.clone();
    async move {
        let result = match org.delete_query_job(&object, job).await {
            Err(error) if error.obstacle() == Some(Obstacle::State) => match org.abort_query_job(&object, job).await {
                Ok(()) => org.delete_query_job(&object, job).await,
                Err(error) => Err(error),
            },
            outcome => outcome,
        };
        Done::JobDeleted(result)
    }
    .boxed()
}

/// The records that lanes want, in as few calls as there can be.
pub(super) fn fetches(org: &Org, lanes: &[Lane], fetches: Vec<(usize, Fetch)>) -> Vec<Call> {
    let (queried, retrieved): (Vec<_>, Vec<_>) = fetches.into_iter().partition(|(_, fetch)| fetch.door == Door::Query);
    let queries = queried.iter().map(|(n, fetch)| query(org, *n, &lanes[*n], &fetch.ids));
    let together = retrieved.chunks(MOST_COLLECTIONS).map(|fetches| retrieve(org, lanes, fetches));
    queries.chain(together).collect()
}

fn query(org: &Org, n: usize, lane: &Lane, ids: &[RecordId]) -> Call {
    let (org, object, soql) = (org.clone(), lane.feed.object.clone(), lane.feed.by_id(ids));
    async move { Done::Queried { lane: n, result: org.query_all(&object, &soql).await } }.boxed()
}

/// Records of one object to be fetched by id.
struct Wanted {
    object: SObjectName,
    fields: Arc<[FieldName]>,
    ids: Vec<RecordId>,
}

fn retrieve(org: &Org, lanes: &[Lane], fetches: &[(usize, Fetch)]) -> Call {
    let org = org.clone();
    let wanted = |(n, fetch): &(usize, Fetch)| {
        let feed = &lanes[*n].feed;
        Wanted { object: feed.object.clone(), fields: Arc::clone(&feed.names), ids: fetch.ids.clone() }
    };
    let wanted: Vec<_> = fetches.iter().map(wanted).collect();
    let lanes = fetches.iter().map(|(n, _)| *n).collect();
    async move {
        let asked = wanted.iter().map(|Wanted { object, fields, ids }| Retrieve { object, fields, ids });
        let result = org.retrieve(&asked.collect::<Vec<_>>()).await;
        Done::Retrieved { lanes, result }
    }
    .boxed()
}

/// Up to when changes of these lanes' objects are visible, in as few calls as there can be. `now` is the org's latest known time.
pub(super) fn covered(org: &Org, lanes: &[Lane], asking: &[usize], now: Second) -> Vec<Call> {
    let together = |asking: &[usize]| {
        let objects: Vec<_> = asking.iter().map(|n| lanes[*n].feed.object.clone()).collect();
        let (org, lanes) = (org.clone(), asking.to_vec());
        async move { Done::Covered { result: visible::visible(&org, &objects, now).await, lanes } }.boxed()
    };
    asking.chunks(MOST_SUBREQUESTS).map(together).collect()
}

/// What the org lists as deleted of these lanes' objects, each since some time, until `now`, its latest known time.
pub(super) fn deletions(org: &Org, lanes: &[Lane], due: &[(usize, Second)], now: Second) -> Vec<Call> {
    let oldest = now.plus(-LOG_OF_DELETIONS);
    let together = |due: &[(usize, Second)]| {
        let since = |(n, from): &(usize, Second)| (lanes[*n].feed.object.clone(), (*from).max(oldest).into());
        let objects: Vec<_> = due.iter().map(since).collect();
        let (org, asked) = (org.clone(), due.to_vec());
        async move { Done::Listed { asked, result: org.deleted_many(&objects, now.into()).await } }.boxed()
    };
    due.chunks(MOST_SUBREQUESTS).map(together).collect()
}

/// The org's allocations.
pub(super) fn limits(org: &Org) -> Call {
    let org = org.clone();
    async move { Done::Limits(org.limits().await) }.boxed()
}

/// A look at the objects and topics of lanes.
pub(super) fn inspection(
    org: &Org,
    capture: &str,
    subjects: Vec<Subject>,
    doubted: Vec<usize>,
    outlook: Outlook,
) -> Call {
    let (org, capture) = (org.clone(), capture.to_owned());
    async move { Done::Inspected { doubted, result: inspection::inspect(&org, &capture, subjects, outlook).await } }
        .boxed()
}

/// Whether a refusal may come from a change of the object since it was described.
pub(super) fn may_be_outdated(error: &Error) -> bool {
    matches!(error.code(), Some("INVALID_FIELD" | "INVALID_TYPE" | "NOT_FOUND" | "INVALID_QUERY_FILTER_OPERATOR"))
}
