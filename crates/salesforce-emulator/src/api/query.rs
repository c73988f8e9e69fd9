//! SOQL over HTTP.

use http::HeaderName;

use super::Call;
use super::reply::Reply;
use crate::org::{Ask, Org, Refusal};

/// `GET /query?q=…` and `/queryAll?q=…`
pub(super) fn query(org: &Org, call: &Call, version: &str, deleted: bool) -> Result<Reply, Refusal> {
    if call.parameter("explain").is_some() {
        return Err(Refusal::not_imitated("query plans"));
    }
    let soql =
        call.parameter("q").ok_or_else(|| Refusal::bad("MALFORMED_QUERY", "A query string has to be specified"))?;
    org.query(Ask { soql: &soql, deleted, version, batch: batch(call) }).map(Reply::json)
}

/// `GET /query/LOCATOR`
pub(super) fn more(org: &Org, locator: &str, version: &str) -> Result<Reply, Refusal> {
    org.query_more(locator, version).map(Reply::json)
}

/// `Sforce-Query-Options: batchSize=500`
fn batch(call: &Call) -> Option<usize> {
    let options = call.header(&HeaderName::from_static("sforce-query-options"))?;
    let mut pairs = options.split(',').filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("batchSize"))?.1.trim().parse().ok()
}
