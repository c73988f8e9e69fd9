//! The results of a query job: pages of CSV, read as they arrive.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    Action, Error, FieldName, Org, SObjectName, Token,
    bulk::{
        JobId,
        csv::{Defect, Found, Reader, Row},
    },
    call::{Call, Tries},
    failure::{Failure, Refusal},
    http::{Arrival, Reply},
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
}

/// One page of results, its rows still arriving. What has not been looked at waits at the org: the page keeps one row
/// and one piece of the body, however long it is.
///
/// A connection that breaks or falls silent, and a body that is cut off, are got over as in any call: the page is asked
/// for again, and the rows that were handed out are passed over. Who starts again in another process does the same by
/// [`Results::skip`].
pub struct ResultPage {
    org: Org,
    call: Call,
    columns: Box<[FieldName]>,
    head: Head,
    /// `None` after it broke.
    stream: Option<Stream>,
    /// How many rows were handed out or passed over.
    handled: u64,
    /// The attempts at what comes next.
    tries: Option<Tries>,
    token: Arc<Token>,
}

/// What a page says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Head {
    rows: u64,
    next: Option<ResultLocator>,
    answered: Option<Timestamp>,
}

impl Head {
    fn read(reply: &Reply) -> Result<Head, Failure> {
        if reply.status == StatusCode::NO_CONTENT {
            // The vendor's word for a request that failed.
            return Err(reply.garbled("it has no content".to_owned()));
        }
        if reply.is_html() {
            return Err(reply.garbled("an HTML page came instead of CSV".to_owned()));
        }
        let rows = reply.header("sforce-numberofrecords").and_then(|rows| rows.trim().parse().ok());
        let rows = rows.ok_or_else(|| Failure::unexpected(reply, "it does not say how many rows it has"))?;
        let next = reply.header("sforce-locator").map(str::trim);
        let next = next.filter(|next| !matches!(*next, "" | "null")).map(|next| ResultLocator(next.into()));
        Ok(Head { rows, next, answered: reply.date() })
    }

    fn is_same_page(&self, other: &Head) -> bool {
        (self.rows, &self.next) == (other.rows, &other.next)
    }
}

/// A body and the reader of it.
struct Stream {
    arrival: Arrival,
    piece: Bytes,
    reader: Reader,
}

impl Stream {
    /// The header or the next row; `None` after the last.
    async fn find(&mut self) -> Result<Option<Found>, Failure> {
        loop {
            if let Some(found) = self.reader.read(&mut self.piece).map_err(|defect| self.failure(&defect))? {
                return Ok(Some(found));
            }
            match self.arrival.piece().await? {
                Some(piece) => self.piece = piece,
                None => return self.reader.end().map_err(|defect| self.failure(&defect)),
            }
        }
    }

    /// Finds the next row that is not among the `handled`, of as many as there shall be; `None` after the last.
    async fn find_row(&mut self, handled: u64, rows: u64) -> Result<Option<()>, Failure> {
        while self.find().await?.is_some() {
            if self.reader.rows() > rows {
                return Err(Failure::unexpected(&self.arrival.head, "it has more rows than its header says"));
            }
            if self.reader.rows() > handled {
                return Ok(Some(()));
            }
        }
        match self.reader.rows() {
            found if found == rows => Ok(None),
            found => Err(self.arrival.head.garbled(format!("it ends after row {found} of {rows}"))),
        }
    }

    fn failure(&self, defect: &Defect) -> Failure {
        match defect {
            Defect::Cut { .. } => self.arrival.head.garbled(defect.to_string()),
            _ => Failure::unexpected(&self.arrival.head, &defect.to_string()),
        }
    }
}

impl ResultPage {
    /// How many rows the page has, those that were passed over included.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.head.rows
    }

    /// Where the next page is; `None` on the last one. It is the next position of a reader who has handled all rows of
    /// this one.
    #[must_use]
    pub fn next_page(&self) -> Option<&ResultLocator> {
        self.head.next.as_ref()
    }

    /// When the org answered, by its own clock, to the second: the reply's `Date` header.
    #[must_use]
    pub fn answered(&self) -> Option<Timestamp> {
        self.head.answered
    }

    /// The next row; `None` after the last, when as many were found as the page was to have. It may wait for the org,
    /// and nothing is lost when that wait is given up.
    ///
    /// # Errors
    /// The rows handed out before it stand, and [`Results::skip`] continues after them. An `Unexpected` failure names
    /// the row, and the column where it can, of what cannot be read; if that is a cell that is no text, the next call
    /// goes on after its row. [`Error::obstacle`] tells when the job is gone. Otherwise as any call.
    pub async fn next_row(&mut self) -> Result<Option<Row<'_>>, Error> {
        loop {
            match self.find_row().await {
                Ok(None) => return Ok(None),
                Ok(Some(())) => break,
                Err(failure) => self.get_over(failure).await?,
            }
        }
        self.handled += 1;
        self.tries = None;
        let Some(stream) = &self.stream else { return Ok(None) };
        let row = stream.reader.row();
        row.map(Some).map_err(|defect| self.call.error(stream.failure(&defect)))
    }

    async fn find_row(&mut self) -> Result<Option<()>, Failure> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            broken => {
                let (head, stream) = self.org.open(&self.call, &self.columns, &self.token).await?;
                if !head.is_same_page(&self.head) {
                    let why = "it is not the page it was when its first rows were read";
                    return Err(Failure::unexpected(&stream.arrival.head, why));
                }
                broken.insert(stream)
            }
        };
        stream.find_row(self.handled, self.head.rows).await
    }

    /// Gets ready for another attempt, if there is to be one.
    async fn get_over(&mut self, failure: Failure) -> Result<(), Error> {
        self.stream = None;
        let tries = self.tries.get_or_insert_with(|| Tries::begin(self.org.policy()));
        let Some(remedy) = tries.remedy(&self.call, &failure) else { return Err(self.call.error(failure)) };
        self.token = self.org.apply(remedy, &self.token).await?;
        Ok(())
    }
}

impl fmt::Debug for ResultPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResultPage {{ {} of {} rows handled }}", self.handled, self.head.rows)
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
        let call = self.results_call(wanted);
        let mut tries = Tries::begin(self.policy());
        let mut token = self.token().await?;
        let (head, stream) = loop {
            let failure = match self.open(&call, wanted.columns, &token).await {
                Ok(opened) => break opened,
                Err(failure) => failure,
            };
            let Some(remedy) = tries.remedy(&call, &failure) else { return Err(call.error(failure)) };
            token = self.apply(remedy, &token).await?;
        };
        if head.rows < wanted.skip {
            let why = "it has fewer rows than were handled before";
            return Err(call.error(Failure::unexpected(&stream.arrival.head, why)));
        }
        let (org, columns, handled) = (self.clone(), wanted.columns.into(), wanted.skip);
        Ok(ResultPage { org, call, columns, head, stream: Some(stream), handled, tries: None, token })
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

    /// Asks for a page once and reads it up to its header row.
    async fn open(&self, call: &Call, columns: &[FieldName], token: &Token) -> Result<(Head, Stream), Failure> {
        let arrival = self.begin(call, token).await?;
        if !arrival.head.status.is_success() {
            return Err(Failure::Refused(Refusal::read(&arrival.whole().await?)));
        }
        let head = Head::read(&arrival.head)?;
        let mut stream = Stream { arrival, piece: Bytes::new(), reader: Reader::new(columns) };
        // A page without rows may lack its header too.
        if stream.find().await?.is_none() && head.rows > 0 {
            return Err(stream.failure(&Defect::Cut { row: 0 }));
        }
        tracing::debug!(action = %call.action, rows = head.rows, "a page begins");
        Ok((head, stream))
    }
}
