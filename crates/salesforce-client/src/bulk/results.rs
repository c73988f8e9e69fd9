//! The results of a query job: pages of CSV, read as they arrive.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    Action, Error, FieldName, Org, SObjectName,
    bulk::{
        Column, JobId,
        csv::Row,
        stream::{Shape, Streamed, Wanted},
    },
    call::Call,
};

/// A page of results to be read.
#[derive(Clone, Copy, Debug)]
pub struct Results<'a> {
    /// What the job reads.
    pub object: &'a SObjectName,
    /// The job. Only one that is complete has results.
    pub job: JobId,
    /// The columns of its query, in the order in which rows shall have them.
    pub columns: &'a [FieldName],
    /// Which page: the first, or the one that the page before named.
    pub page: Option<&'a ResultLocator>,
    /// The most rows the page may have; the org may make it smaller. It gives 20 minutes to fetch one.
    pub most: u32,
    /// How many rows of the page to pass over, because they were handled before. The org sends them all the same, and
    /// they are counted and checked for their shape.
    pub skip: u64,
}

/// Where a page of results is. It names the same rows as long as the job exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResultLocator(Box<str>);

impl ResultLocator {
    /// The locator, as Salesforce gave it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The locator of a header: the last page has none, or says so in a word.
    pub(super) fn read(header: &str) -> Option<ResultLocator> {
        Some(header.trim()).filter(|next| !matches!(*next, "" | "null")).map(|next| ResultLocator(next.into()))
    }
}

/// One page of results, its rows still arriving. What has not been looked at waits at the org: the page keeps one row
/// and one piece of the body, however long it is.
///
/// A connection that breaks or falls silent, and a body that is cut off, are got over as in any call: the page is asked
/// for again, and the rows that were handed out are passed over. Who starts again in another process does the same by
/// [`Results::skip`].
pub struct ResultPage(Streamed);

impl ResultPage {
    /// How many rows the page has, those that were passed over included.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.0.head().rows.unwrap_or_default()
    }

    /// Where the next page is; `None` on the last one. It is the next position of a reader who has handled all rows of
    /// this one.
    #[must_use]
    pub fn next_page(&self) -> Option<&ResultLocator> {
        self.0.head().next.as_ref()
    }

    /// When the org answered, by its own clock, to the second: the reply's `Date` header.
    #[must_use]
    pub fn answered(&self) -> Option<Timestamp> {
        self.0.head().answered
    }

    /// The next row; `None` after the last, when as many were found as the page was to have. It may wait for the org,
    /// and nothing is lost when that wait is given up.
    ///
    /// # Errors
    /// The rows handed out before it stand, and [`Results::skip`] continues after them. An `Unexpected` failure names
    /// the row, and the column where it can, of what cannot be read; if that is a cell that is no text, the next call
    /// goes on after its row. [`Error::obstacle`] tells when the job is gone. Otherwise as any call.
    pub async fn next_row(&mut self) -> Result<Option<Row<'_>>, Error> {
        self.0.next_row().await
    }
}

impl fmt::Debug for ResultPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResultPage {{ {} of {} rows handled }}", self.0.handled(), self.rows())
    }
}

impl Org {
    /// Begins to read a page of results. It costs one call, and one for each time its reply is lost.
    ///
    /// # Errors
    /// [`Obstacle::State`](crate::bulk::Obstacle::State) if the job is not complete. If it is lost,
    /// [`Obstacle::is_job_lost`](crate::bulk::Obstacle::is_job_lost): some orgs answer so for a job that still runs,
    /// and [`Org::query_job`] knows better. A header with other columns than these, or fewer rows than are to be passed
    /// over, is `Unexpected`. Otherwise as any call.
    pub async fn query_results(&self, wanted: &Results<'_>) -> Result<ResultPage, Error> {
        let columns = wanted.columns.iter().map(Column::from).collect();
        let page = Wanted { call: self.results_call(wanted), columns, shape: Shape::Page };
        Streamed::begin(self, page, wanted.skip).await.map(ResultPage)
    }

    fn results_call(&self, wanted: &Results<'_>) -> Call {
        let Results { object, job, page, most, .. } = *wanted;
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("maxRecords", &most.to_string());
        if let Some(page) = page {
            query.append_pair("locator", page.as_str());
        }
        let path = self.data_path(format_args!("/jobs/query/{job}/results"));
        Call::read(Action::QueryResults(object.clone(), job)).csv().path(path).query(query.finish())
    }
}
