//! What the runtime says of either kind of task, a capture or a materialization.

use serde_json::{Value, json};

use super::Connector;
use crate::error::Error;

/// The version of every task: this runtime publishes none anew.
pub(super) const VERSION: &str = "0000000000000001";

/// Has the connector prepare for a task; returns what it says it did.
pub(super) async fn apply(connector: &Connector, request: &Value) -> Result<String, Error> {
    let applied = connector.ask(&json!({ "apply": request }), "applied").await?;
    Ok(applied["actionDescription"].as_str().unwrap_or_default().to_owned())
}

/// The request that opens a session for all keys. The protocol calls the task by its `kind`.
pub(super) fn open_request(kind: &str, spec: &Value, state: &Value) -> Value {
    json!({ "open": {
        kind: spec,
        "version": VERSION,
        "range": { "keyEnd": u32::MAX, "rClockEnd": u32::MAX },
        "state": state,
    } })
}

/// The key of a binding's state: the path's parts, percent-encoded and joined, and the backfill counter.
pub(super) fn state_key(resource_path: &[String], backfill: u32) -> String {
    let encode = |part: &String| -> String {
        part.bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'.' => char::from(byte).to_string(),
                other => format!("%{other:02X}"),
            })
            .collect()
    };
    let path: Vec<String> = resource_path.iter().map(encode).collect();
    format!("{}.v{backfill}", path.join("%2F"))
}

/// A list of texts.
pub(super) fn strings(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}
