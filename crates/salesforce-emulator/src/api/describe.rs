//! What objects there are and what they are made of.

use http::StatusCode;
use http::header::{ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use serde_json::value::RawValue;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

use super::Call;
use super::reply::Reply;
use crate::org::{Org, Refusal, SObject};

/// Members of an object in describeGlobal, in the order of the recorded reply.
const SUMMARY: [&str; 27] = [
    "activateable",
    "associateEntityType",
    "associateParentEntity",
    "createable",
    "custom",
    "customSetting",
    "deepCloneable",
    "deletable",
    "deprecatedAndHidden",
    "feedEnabled",
    "hasSubtypes",
    "isInterface",
    "isSubtype",
    "keyPrefix",
    "label",
    "labelPlural",
    "layoutable",
    "mergeable",
    "mruEnabled",
    "name",
    "queryable",
    "replicateable",
    "retrieveable",
    "searchable",
    "triggerable",
    "undeletable",
    "updateable",
];
/// Resources of an object that describeGlobal names; the describe names some more.
const SUMMARY_URLS: [&str; 8] =
    ["compactLayouts", "rowTemplate", "approvalLayouts", "listviews", "describe", "quickActions", "layouts", "sobject"];
/// When the org's schema last changed: it does not, yet.
const CHANGED: &str = "Wed, 01 Jan 2025 00:00:00 GMT";

/// `GET /sobjects`
pub(super) fn global(org: &Org, call: &Call, version: &str) -> Result<Reply, Refusal> {
    if is_current(call, CHANGED) {
        return Ok(Reply::empty(StatusCode::NOT_MODIFIED));
    }
    let objects = org.schema().objects().map(|object| summary(object, call, version)).collect::<Result<Vec<_>, _>>()?;
    let global = json!({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": objects});
    Ok(Reply::value(&global).header(LAST_MODIFIED, CHANGED))
}

/// `GET /sobjects/X`
pub(super) fn basic(org: &Org, call: &Call, object: &str, version: &str) -> Result<Reply, Refusal> {
    let object = org.object(object)?;
    Ok(Reply::value(&json!({"objectDescribe": summary(&object, call, version)?, "recentItems": []})))
}

/// `GET /sobjects/X/describe`
pub(super) fn describe(org: &Org, call: &Call, object: &str, version: &str) -> Result<Reply, Refusal> {
    let object = org.object(object)?;
    let etag = format!("\"{}-{version}\"", object.name);
    if is_current(call, CHANGED) || call.header(&IF_NONE_MATCH).is_some_and(|known| known.contains(&etag)) {
        return Ok(Reply::empty(StatusCode::NOT_MODIFIED).header(ETAG, &etag));
    }
    Ok(Reply::json(object.describe(version, &call.host())).header(LAST_MODIFIED, CHANGED).header(ETAG, &etag))
}

fn summary(object: &SObject, call: &Call, version: &str) -> Result<Map<String, Json>, Refusal> {
    let text = object.describe(version, &call.host());
    let broken = |_| Refusal {
        status: 500,
        ..Refusal::bad("UNKNOWN_EXCEPTION", format!("the describe of {} is broken", object.name))
    };
    let members: BTreeMap<&str, &RawValue> = serde_json::from_str(&text).map_err(broken)?;
    let mut summary = Map::new();
    for name in SUMMARY {
        let value = members.get(name).map_or(Ok(Json::Null), |raw| serde_json::from_str(raw.get())).map_err(broken)?;
        summary.insert(name.to_owned(), value);
    }
    let urls: BTreeMap<String, Json> =
        members.get("urls").map_or(Ok(BTreeMap::new()), |raw| serde_json::from_str(raw.get())).map_err(broken)?;
    let urls: Map<String, Json> =
        SUMMARY_URLS.iter().filter_map(|name| urls.get(*name).map(|url| ((*name).to_owned(), url.clone()))).collect();
    summary.insert("urls".to_owned(), urls.into());
    Ok(summary)
}

/// Has nothing changed since the client last asked? Dates are compared as HTTP dates in their one preferred form.
fn is_current(call: &Call, changed: &str) -> bool {
    let parse = |text: &str| jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok();
    let since = call.header(&IF_MODIFIED_SINCE).and_then(parse);
    since.is_some_and(|since| parse(changed).is_some_and(|changed| changed <= since))
}
