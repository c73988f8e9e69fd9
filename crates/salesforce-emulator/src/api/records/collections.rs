//! sObject collections: many records in one request.

use http::Method;
use serde::Deserialize;

use crate::api::reply::Reply;
use crate::api::{Call, json};
use crate::org::{Org, Refusal};

/// Most records one retrieve may ask for.
const MOST_RETRIEVED: usize = 2000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Retrieve {
    ids: Vec<String>,
    fields: Vec<String>,
}

/// `POST /composite/sobjects/X {"ids":[…],"fields":[…]}`, or `GET` with both as parameters: one element per id, in
/// order, null for what there is not.
pub(in crate::api) fn retrieve(org: &Org, call: &Call, object: &str, version: &str) -> Result<Reply, Refusal> {
    let described = org.object(object)?;
    let Retrieve { ids, fields } = match call.head.method {
        Method::POST => json(&call.body)?,
        _ => Retrieve { ids: list(call, "ids")?, fields: list(call, "fields")? },
    };
    if ids.len() > MOST_RETRIEVED {
        let message = format!("record limit reached. cannot submit more than {MOST_RETRIEVED} records into this call");
        return Err(Refusal::bad("EXCEEDED_ID_LIMIT", message));
    }
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    org.retrieve(&described, &ids, &fields, version).map(Reply::json)
}

fn list(call: &Call, name: &str) -> Result<Vec<String>, Refusal> {
    let missing = || Refusal::bad("INVALID_INPUT", format!("The {name} parameter has to be specified"));
    let text = call.parameter(name).ok_or_else(missing)?;
    Ok(text.split(',').map(|part| part.trim().to_owned()).collect())
}
