//! Rows: a query answers in pages, each parsed once and borrowed from its own bytes.

use std::{borrow::Cow, fmt};

use bytes::Bytes;
use jiff::Timestamp;
use self_cell::self_cell;
use serde::Deserialize;

use crate::{
    Action, Error, Org, Record, SObjectName, call::Call, composite::MOST_COLLECTIONS, failure::Failure, http::Reply,
};

/// The longest query there is, in characters. Salesforce refuses more.
pub const LONGEST_QUERY: usize = 100_000;
/// The longest query that travels in a URL, in bytes when encoded. Salesforce refuses 16,384 bytes of URI and headers.
const LONGEST_URL: usize = 15_000;

/// One page of a query's rows.
pub struct Page {
    rows: Rows,
    answered: Option<Timestamp>,
}

self_cell! {
    struct Rows {
        owner: Bytes,
        #[covariant]
        dependent: WirePage,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WirePage<'a> {
    total_size: u64,
    done: bool,
    #[serde(borrow, default)]
    next_records_url: Option<Cow<'a, str>>,
    #[serde(borrow)]
    records: Vec<Record<'a>>,
}

impl Page {
    /// The rows, in the order of the query.
    #[must_use]
    pub fn rows(&self) -> &[Record<'_>] {
        &self.rows.borrow_dependent().records
    }

    /// How many rows the whole query matches, over all pages.
    #[must_use]
    pub fn total_size(&self) -> u64 {
        self.rows.borrow_dependent().total_size
    }

    /// Whether this is the last page.
    #[must_use]
    pub fn done(&self) -> bool {
        self.rows.borrow_dependent().done
    }

    /// Where the next page is; `None` on the last one.
    #[must_use]
    pub fn next(&self) -> Option<Locator> {
        self.rows.borrow_dependent().next_records_url.as_deref().map(|path| Locator(path.into()))
    }

    /// When the org answered, by its own clock, to the second: the reply's `Date` header.
    #[must_use]
    pub fn answered(&self) -> Option<Timestamp> {
        self.answered
    }

    /// The length of its reply, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.rows.borrow_owner().len()
    }

    fn read(reply: &Reply) -> Result<Page, Failure> {
        let rows = Rows::try_new(reply.body.clone(), |body| {
            // As text, not as bytes: checked for UTF-8 once as a whole, instead of string by string.
            serde_json::from_str(reply.text_of(body)?).map_err(|error| reply.unreadable(&error))
        })?;
        let page = Page { rows, answered: reply.date() };
        match page.next() {
            Some(next) if !next.is_on_instance() => {
                Err(Failure::unexpected(reply, "the next page is not below /services/data/"))
            }
            None if !page.done() => Err(Failure::unexpected(reply, "it says there is more but not where")),
            Some(_) | None => Ok(page),
        }
    }

    /// As [`Page::read`], for a page that nothing came before: if nothing comes after either, it must be all.
    fn read_first(reply: &Reply) -> Result<Page, Failure> {
        let page = Page::read(reply)?;
        let rows = page.rows().len() as u64;
        // `SELECT COUNT()` has a total and no rows.
        if page.done() && rows > 0 && rows < page.total_size() {
            return Err(Failure::unexpected(reply, "it has fewer rows than its total says"));
        }
        Ok(page)
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rows, total) = (self.rows().len(), self.total_size());
        write!(f, "Page {{ {rows} of {total} rows, done: {} }}", self.done())
    }
}

/// Where the next page of a query is: a path on the instance, good for about two days. A user has at most ten at a
/// time, and the oldest goes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locator(Box<str>);

impl Locator {
    /// The path, as Salesforce gave it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path in a reply; `None` if it leads elsewhere.
    pub(crate) fn on_instance(path: &str) -> Option<Locator> {
        Some(Locator(path.into())).filter(Locator::is_on_instance)
    }

    fn is_on_instance(&self) -> bool {
        self.0.starts_with("/services/data/")
    }
}

/// One of several queries.
#[derive(Clone, Debug)]
pub struct Query {
    /// What it reads, for messages.
    pub object: SObjectName,
    /// Its text.
    pub soql: String,
    /// Whether deleted and archived rows are asked for too.
    pub deleted: bool,
}

impl Query {
    fn door(&self) -> &'static str {
        if self.deleted { "queryAll" } else { "query" }
    }
}

impl Org {
    /// Runs a query and answers its first page (at most 2000 rows, fewer if they are wide). `object` is what the
    /// query reads, for messages. A query too long for a URL travels in the body of a composite call, as the vendor
    /// advises; it costs one call either way.
    ///
    /// # Errors
    /// [`Error::QueryTooLong`] beyond [`LONGEST_QUERY`]; otherwise as any call, see [`Error::code`].
    pub async fn query(&self, object: &SObjectName, soql: &str) -> Result<Page, Error> {
        self.first_page("query", object, soql).await
    }

    /// As [`Org::query`], over deleted and archived rows too (`IsDeleted` tells them apart). Deleted rows are there
    /// until they are purged from the recycle bin.
    ///
    /// # Errors
    /// As [`Org::query`].
    pub async fn query_all(&self, object: &SObjectName, soql: &str) -> Result<Page, Error> {
        self.first_page("queryAll", object, soql).await
    }

    /// The page a locator names. It continues [`Org::query`] and [`Org::query_all`] alike.
    ///
    /// # Errors
    /// `INVALID_QUERY_LOCATOR` if the cursor is gone: the query must be started again. Otherwise as any call.
    pub async fn query_more(&self, object: &SObjectName, next: &Locator) -> Result<Page, Error> {
        let call = Call::read(Action::QueryMore(object.clone())).path(next.as_str());
        self.send(&call, Page::read).await
    }

    /// As [`Org::query`] and [`Org::query_all`], several at once, in their order: one call for every five of them.
    ///
    /// # Errors
    /// [`Error::QueryTooLong`] if one is; otherwise of a call as a whole. What the org refuses of one query only is that query's
    /// outcome.
    pub async fn query_many(&self, queries: &[Query]) -> Result<Vec<Result<Page, Error>>, Error> {
        let mut outcomes = Vec::with_capacity(queries.len());
        for queries in queries.chunks(MOST_COLLECTIONS) {
            if let [query] = queries {
                outcomes.push(self.first_page(query.door(), &query.object, &query.soql).await);
                continue;
            }
            let call = |query: &Query| self.query_call(query.door(), &query.object, &query.soql);
            let calls = queries.iter().map(call).collect::<Result<Vec<_>, _>>()?;
            outcomes.extend(self.send_together(&calls, MOST_COLLECTIONS, |_, reply| Page::read_first(reply)).await?);
        }
        Ok(outcomes)
    }

    async fn first_page(&self, door: &str, object: &SObjectName, soql: &str) -> Result<Page, Error> {
        let call = self.query_call(door, object, soql)?;
        let fits = call.query.as_ref().is_none_or(|query| query.len() <= LONGEST_URL);
        if fits { self.send(&call, Page::read_first).await } else { self.send_wrapped(&call, Page::read_first).await }
    }

    fn query_call(&self, door: &str, object: &SObjectName, soql: &str) -> Result<Call, Error> {
        check_length(object, soql)?;
        let query: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("q", soql).finish();
        let path = self.data_path(format_args!("/{door}"));
        Ok(Call::read(Action::Query(object.clone())).path(path).query(query))
    }
}

/// Refuses what the org would refuse, before it is sent.
pub(crate) fn check_length(object: &SObjectName, soql: &str) -> Result<(), Error> {
    match soql.chars().count() {
        ..=LONGEST_QUERY => Ok(()),
        length => Err(Error::QueryTooLong { object: object.clone(), length, limit: LONGEST_QUERY }),
    }
}
