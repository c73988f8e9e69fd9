//! Records with a file: `multipart/form-data` of the record as JSON and the content of one binary field as it is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value as Json};

use crate::api::multipart::{Part, boundary, parts};
use crate::api::{Call, json};
use crate::org::Refusal;

/// The record in the body of a request, with the file's content as if it had come in the JSON.
pub(in crate::api) fn record(call: &Call) -> Result<Map<String, Json>, Refusal> {
    let invalid = |message: String| Refusal::bad("INVALID_MULTIPART_REQUEST", message);
    let Some(boundary) = between_parts(call) else { return json(&call.body) };
    let parts = parts(&call.body, boundary);
    let parts = parts.ok_or_else(|| invalid("The multipart message cannot be read".to_owned()))?;
    let (files, others): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| part.is_file);
    let ([Part { kind, content, .. }], [] | [_]) = (&others[..], &files[..]) else {
        let many = |what| format!("Cannot include more than one {what} part");
        return Err(invalid(match others.len() {
            0 => "Multipart message must include a non-binary part".to_owned(),
            1 => many("binary"),
            _ => many("non-binary"),
        }));
    };
    match *kind {
        "application/json" => {}
        "application/xml" => return Err(Refusal::not_imitated("XML")),
        kind => return Err(invalid(format!("Non-binary part must be JSON or XML, was: '{kind}'"))),
    }
    let mut record: Map<String, Json> = json(content)?;
    record.extend(files.iter().map(|file| (file.name.to_owned(), BASE64.encode(file.content).into())));
    Ok(record)
}

/// What stands between the parts of a body that has parts.
pub(in crate::api) fn between_parts(call: &Call) -> Option<&str> {
    call.header(&CONTENT_TYPE).and_then(boundary)
}
