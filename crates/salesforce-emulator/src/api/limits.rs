//! Allocations and record counts.

use serde_json::{Map, Value as Json, json};

use super::reply::Reply;
use super::{App, Call};
use crate::org::{Org, Refusal};

/// `GET /limits`: the names the vendor documents; only those the org counts move.
pub(super) fn limits(app: &App) -> Reply {
    let org = &app.org;
    let settings = org.settings();
    let now = org.now();
    let (calls, deliveries) = {
        let mut usage = org.usage();
        (usage.api_calls(settings.daily_api_calls, now), usage.deliveries(now))
    };
    let (clients, connected) = (settings.streaming.max_clients as u64, app.streaming.sessions().len() as u64);
    let (bulk, bulk_used) = (&settings.bulk, org.bulk_used());
    let left = |most: u64, used: u64| json!({"Max": most, "Remaining": most.saturating_sub(used)});
    let limits: Map<String, Json> = [
        ("DailyApiRequests", left(settings.daily_api_calls, calls)),
        ("DailyBulkApiBatches", left(bulk.ingest_batches, bulk_used.batches)),
        ("DailyBulkV2QueryJobs", left(bulk.query_jobs, bulk_used.query_jobs)),
        ("DailyBulkV2QueryFileStorageMB", left(bulk.query_results_kb / 1024, bulk_used.stored >> 20)),
        ("DailyDeliveredPlatformEvents", left(25_000, 0)),
        ("DailyDurableGenericStreamingApiEvents", left(200_000, 0)),
        ("DailyDurableStreamingApiEvents", left(settings.daily_deliveries, deliveries)),
        ("DailyGenericStreamingApiEvents", left(10_000, 0)),
        ("DailyStandardVolumePlatformEvents", left(25_000, 0)),
        ("DailyStreamingApiEvents", left(settings.daily_deliveries, deliveries)),
        ("DataStorageMB", left(1024, 0)),
        ("DurableStreamingApiConcurrentClients", left(clients, connected)),
        ("FileStorageMB", left(1024, 0)),
        ("HourlyPublishedPlatformEvents", left(250_000, 0)),
        ("HourlyPublishedStandardVolumePlatformEvents", left(1_000, 0)),
        ("StreamingApiConcurrentClients", left(clients, connected)),
    ]
    .map(|(name, limit)| (name.to_owned(), limit))
    .into_iter()
    .collect();
    Reply::value(&limits.into())
}

/// `GET /limits/recordCount?sObjects=A,B`. Salesforce's counts lag; ours do not. Unknown objects are left out, and those
/// that hold nothing, not even in the recycle bin: recorded counts have both zeros and gaps.
pub(super) fn record_count(org: &Org, call: &Call) -> Result<Reply, Refusal> {
    let counts = org.counts()?;
    let named = call.parameter("sObjects").unwrap_or_default();
    let wanted: Vec<&str> = named.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    let schema = org.schema();
    let objects = schema
        .objects()
        .filter(|object| wanted.is_empty() || wanted.iter().any(|name| object.name.eq_ignore_ascii_case(name)));
    let mut counted: Vec<Json> = Vec::new();
    for object in objects {
        match counts.get(&object.name) {
            Some(0) if org.ids(&object.name, true)?.is_empty() => {}
            Some(count) => counted.push(json!({"count": count, "name": object.name})),
            None => {}
        }
    }
    Ok(Reply::value(&json!({"sObjects": counted})))
}
