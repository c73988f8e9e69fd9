//! Allocations and record counts.

use serde_json::{Map, Value as Json, json};

use super::Call;
use super::reply::Reply;
use crate::org::{Org, Refusal};

/// `GET /limits`: the names the vendor documents; only those the org counts move.
pub(super) fn limits(org: &Org) -> Reply {
    let settings = org.settings();
    let now = org.now();
    let (calls, deliveries) = {
        let mut usage = org.usage();
        (usage.api_calls(now), usage.deliveries(now))
    };
    let (bulk, bulk_used) = (&settings.bulk, org.bulk_used());
    let left = |most: u64, used: u64| json!({"Max": most, "Remaining": most.saturating_sub(used)});
    let limits: Map<String, Json> = [
        ("DailyApiRequests", left(settings.daily_api_calls, calls)),
        ("DailyBulkApiBatches", left(bulk.ingest_batches, bulk_used.batches)),
        ("DailyBulkV2QueryJobs", left(bulk.query_jobs, bulk_used.query_jobs)),
        ("DailyBulkV2QueryFileStorageMB", left(bulk.query_results_kb / 1024, bulk_used.stored >> 20)),
        ("DailyDurableStreamingApiEvents", left(settings.daily_deliveries, deliveries)),
        ("DailyStreamingApiEvents", left(settings.daily_deliveries, deliveries)),
        ("DataStorageMB", left(1024, 0)),
        ("FileStorageMB", left(1024, 0)),
    ]
    .map(|(name, limit)| (name.to_owned(), limit))
    .into_iter()
    .collect();
    Reply::value(&limits.into())
}

/// `GET /limits/recordCount?sObjects=A,B`. Salesforce's counts lag; ours do not. Unknown objects are left out.
pub(super) fn record_count(org: &Org, call: &Call) -> Result<Reply, Refusal> {
    let counts = org.counts()?;
    let named = call.parameter("sObjects").unwrap_or_default();
    let wanted: Vec<&str> = named.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    let schema = org.schema();
    let objects = schema
        .objects()
        .filter(|object| wanted.is_empty() || wanted.iter().any(|name| object.name.eq_ignore_ascii_case(name)));
    let counted: Vec<Json> = objects
        .map(|object| json!({"count": counts.get(&object.name).copied().unwrap_or(0), "name": object.name}))
        .collect();
    Ok(Reply::value(&json!({"sObjects": counted})))
}
