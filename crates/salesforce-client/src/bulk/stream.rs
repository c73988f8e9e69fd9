//! Rows of CSV that arrive, and are asked for again where their reply breaks.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use jiff::Timestamp;

use crate::{
    Error, Org, Token,
    bulk::{
        Column, ResultLocator,
        csv::{Defect, Found, Reader, Row},
    },
    call::{Call, Tries},
    failure::{Failure, Refusal},
    http::{Arrival, Reply},
};

/// What is asked for.
pub(super) struct Wanted {
    pub(super) call: Call,
    pub(super) columns: Box<[Column]>,
    pub(super) shape: Shape,
}

/// How the rows come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// As a page, which says how many rows it has.
    Page,
    /// All at once. How many they are is told only if the org chooses to.
    Whole,
}

/// Rows that are still arriving. What has not been looked at waits at the org: one row and one piece of the body are
/// kept, however long it is.
pub(super) struct Streamed {
    org: Org,
    wanted: Wanted,
    head: Head,
    /// `None` after it broke.
    stream: Option<Stream>,
    /// How many rows were handed out or passed over.
    handled: u64,
    /// The attempts at what comes next.
    tries: Option<Tries>,
    token: Arc<Token>,
}

const FEWER: &str = "it has fewer rows than were handled before";

impl Streamed {
    /// Begins to read after the first `skip` rows.
    pub(super) async fn begin(org: &Org, wanted: Wanted, skip: u64) -> Result<Streamed, Error> {
        let call = &wanted.call;
        let mut tries = Tries::begin(org.policy());
        let mut token = org.token().await?;
        let (head, stream) = loop {
            let failure = match open(org, &wanted, &token).await {
                Ok(opened) => break opened,
                Err(failure) => failure,
            };
            let Some(remedy) = tries.remedy(call, &failure) else { return Err(call.error(failure)) };
            token = org.apply(remedy, &token).await?;
        };
        if head.rows.is_some_and(|rows| rows < skip) {
            return Err(call.error(Failure::unexpected(&stream.arrival.head, FEWER)));
        }
        Ok(Streamed { org: org.clone(), wanted, head, stream: Some(stream), handled: skip, tries: None, token })
    }

    pub(super) fn head(&self) -> &Head {
        &self.head
    }

    pub(super) fn handled(&self) -> u64 {
        self.handled
    }

    /// The next row; `None` after the last. Nothing is lost when the wait for it is given up.
    pub(super) async fn next_row(&mut self) -> Result<Option<Row<'_>>, Error> {
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
        row.map(Some).map_err(|defect| self.wanted.call.error(stream.failure(&defect)))
    }

    async fn find_row(&mut self) -> Result<Option<()>, Failure> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            broken => {
                let (head, stream) = open(&self.org, &self.wanted, &self.token).await?;
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
        let Some(remedy) = tries.remedy(&self.wanted.call, &failure) else {
            return Err(self.wanted.call.error(failure));
        };
        self.token = self.org.apply(remedy, &self.token).await?;
        Ok(())
    }
}

/// Asks once and reads up to the header row.
async fn open(org: &Org, wanted: &Wanted, token: &Token) -> Result<(Head, Stream), Failure> {
    let Wanted { call, columns, shape } = wanted;
    let arrival = org.begin(call, token).await?;
    if !arrival.head.status.is_success() {
        return Err(Failure::Refused(Refusal::read(&arrival.whole().await?)));
    }
    let head = Head::read(&arrival.head, *shape)?;
    let mut stream = Stream { arrival, piece: Bytes::new(), reader: Reader::new(columns) };
    // A page without rows may lack its header too.
    if stream.find().await?.is_none() && head.rows.is_some_and(|rows| rows > 0) {
        return Err(stream.failure(&Defect::Cut { row: 0 }));
    }
    tracing::debug!(action = %call.action, rows = head.rows, "rows begin");
    Ok((head, stream))
}

/// What a page says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// How many rows it has, if it says so.
    pub(super) rows: Option<u64>,
    pub(super) next: Option<ResultLocator>,
    pub(super) answered: Option<Timestamp>,
}

impl Head {
    fn read(reply: &Reply, shape: Shape) -> Result<Head, Failure> {
        if reply.status == StatusCode::NO_CONTENT {
            // The vendor's word for a request that failed.
            return Err(reply.garbled("it has no content".to_owned()));
        }
        if reply.is_html() {
            return Err(reply.garbled("an HTML page came instead of CSV".to_owned()));
        }
        let rows = reply.header("sforce-numberofrecords").and_then(|rows| rows.trim().parse().ok());
        if rows.is_none() && shape == Shape::Page {
            return Err(Failure::unexpected(reply, "it does not say how many rows it has"));
        }
        let next = reply.header("sforce-locator").and_then(ResultLocator::read);
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
    async fn find_row(&mut self, handled: u64, rows: Option<u64>) -> Result<Option<()>, Failure> {
        while self.find().await?.is_some() {
            if rows.is_some_and(|rows| self.reader.rows() > rows) {
                return Err(Failure::unexpected(&self.arrival.head, "it has more rows than its header says"));
            }
            if self.reader.rows() > handled {
                return Ok(Some(()));
            }
        }
        match (self.reader.rows(), rows) {
            (found, Some(rows)) if found != rows => {
                Err(self.arrival.head.garbled(format!("it ends after row {found} of {rows}")))
            }
            (found, None) if found < handled => Err(Failure::unexpected(&self.arrival.head, FEWER)),
            _ => Ok(None),
        }
    }

    fn failure(&self, defect: &Defect) -> Failure {
        match defect {
            Defect::Cut { .. } => self.arrival.head.garbled(defect.to_string()),
            _ => Failure::unexpected(&self.arrival.head, &defect.to_string()),
        }
    }
}
