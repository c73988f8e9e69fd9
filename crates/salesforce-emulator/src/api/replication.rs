//! What changed in a span of time.

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::Call;
use super::reply::Reply;
use crate::org::{Deleted, Org, Refusal, Span, Updated, datetime};

/// `GET /sobjects/X/updated?start=…&end=…`
pub(super) fn updated(org: &Org, call: &Call, object: &str) -> Result<Reply, Refusal> {
    let Updated { ids, latest_date_covered } = org.updated(object, span(call)?)?;
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    Ok(Reply::value(&json!({"ids": ids, "latestDateCovered": spelled(latest_date_covered)})))
}

/// `GET /sobjects/X/deleted?start=…&end=…`
pub(super) fn deleted(org: &Org, call: &Call, object: &str) -> Result<Reply, Refusal> {
    let Deleted { records, earliest_date_available, latest_date_covered } = org.deleted(object, span(call)?)?;
    let records: Vec<Json> =
        records.iter().map(|(id, at)| json!({"id": id.as_str(), "deletedDate": spelled(*at)})).collect();
    Ok(Reply::value(&json!({
        "deletedRecords": records,
        "earliestDateAvailable": spelled(earliest_date_available),
        "latestDateCovered": spelled(latest_date_covered),
    })))
}

fn span(call: &Call) -> Result<Span, Refusal> {
    let date = |name: &str| {
        let text = call
            .parameter(name)
            .ok_or_else(|| Refusal::bad("MISSING_ARGUMENT", format!("The {name} parameter has to be specified")))?;
        datetime(&text).ok_or_else(|| Refusal::bad("INVALID_REPLICATION_DATE", format!("{name} is no date: {text}")))
    };
    Span::new(date("start")?, date("end")?)
}

fn spelled(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.000+0000").to_string()
}
