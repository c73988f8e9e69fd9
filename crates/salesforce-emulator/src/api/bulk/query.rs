//! `/jobs/query`

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use http::HeaderName;
use serde_json::{Value as Json, json};

use super::super::Call;
use super::super::reply::Reply;
use super::{csv, order};
use crate::org::{Asked, Org, Refusal, Spool};

/// Addresses in one answer of `/resultPages`.
const PAGES: usize = 5;

/// `POST /jobs/query`
pub(super) fn create(org: &Org, call: &Call, version: &str) -> Result<Reply, Refusal> {
    Ok(Reply::value(&org.order_query(order(&call.body)?, version)?))
}

/// `GET /jobs/query/ID/results[?locator=…][&maxRecords=…]`
pub(super) fn results(org: &Org, call: &Call, of: &Asked<'_>) -> Result<Reply, Refusal> {
    let results = org.query_results(of)?;
    let first = start(call, &results)?;
    let settings = &org.settings().bulk;
    let most = match call.parameter("maxRecords") {
        None => settings.page.max(1),
        Some(text) => text.parse().ok().filter(|most| *most > 0).ok_or_else(|| {
            Refusal::bad("ILLEGAL_QUERY_PARAMETER_VALUE", format!("maxRecords must be a positive number, not {text}"))
        })?,
    };
    let page = results.page(first, most, settings.largest_page).map_err(|error| csv::unreadable(&error))?;
    // The end is told by a word.
    let next = page.next.map_or_else(|| "null".to_owned(), locator);
    let rows = page.rows.to_string();
    Ok(csv::page(results, page)
        .header(HeaderName::from_static("sforce-locator"), &next)
        .header(HeaderName::from_static("sforce-numberofrecords"), &rows))
}

/// `GET /jobs/query/ID/resultPages[?locator=…]`
pub(super) fn pages(org: &Org, call: &Call, of: &Asked<'_>) -> Result<Reply, Refusal> {
    let results = org.query_results(of)?;
    let settings = &org.settings().bulk;
    let job = format!("/services/data/v{}/jobs/query/{}", of.version, of.id);
    let mut next = Some(start(call, &results)?);
    let mut urls: Vec<Json> = Vec::new();
    while let Some(first) = next.filter(|_| urls.len() < PAGES) {
        urls.push(json!({"resultUrl": format!("{job}/results?locator={}", locator(first))}));
        let page = results.page(first, settings.page.max(1), settings.largest_page);
        next = page.map_err(|error| csv::unreadable(&error))?.next;
    }
    let more = next.map(|first| format!("{job}/resultPages?locator={}", locator(first)));
    Ok(Reply::value(&json!({"resultPages": urls, "nextRecordsUrl": more, "done": next.is_none()})))
}

/// The row a request begins with.
fn start(call: &Call, results: &Arc<Spool>) -> Result<u64, Refusal> {
    let Some(locator) = call.parameter("locator") else { return Ok(0) };
    let decoded = BASE64.decode(locator.trim_end_matches('=')).ok();
    let row = decoded.and_then(|bytes| std::str::from_utf8(&bytes).ok()?.parse().ok());
    let known = row.filter(|row: &u64| *row == 0 || *row < results.rows());
    known.ok_or_else(|| Refusal::bad("INVALID_QUERY_LOCATOR", format!("invalid query locator {locator}")))
}

/// The locators of the guide are of this form, `MTAwMDA` among them. Clients must not know.
fn locator(row: u64) -> String {
    BASE64.encode(row.to_string())
}
