//! Collections that write: up to 200 records in one request and one transaction, each judged by itself.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use crate::api::reply::Reply;
use crate::api::{Call, json as parsed};
use crate::org::{Id, Org, Refusal, Transaction, Upserted};

/// Most records of one request.
const MOST: usize = 200;
/// Most runs of records of one type.
const MOST_CHUNKS: usize = 10;
const ROLLED_BACK: &str = "ALL_OR_NONE_OPERATION_ROLLED_BACK";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rows {
    #[serde(default)]
    all_or_none: bool,
    records: Vec<Map<String, Json>>,
}

/// The type of a record and its fields.
type Row = (String, Map<String, Json>);
/// A record that was written: its id, and for upserts whether it is new.
type Written = (Id, Option<bool>);

/// A record that was to be restored, if its id is one, and whether it is back.
pub(in crate::api) type Undeleted = (Option<Id>, Result<(), Refusal>);

/// `POST /composite/sobjects`
pub(in crate::api) fn create(org: &Org, call: &Call) -> Result<Reply, Refusal> {
    let (all_or_none, rows) = typed(call)?;
    write(org, all_or_none, rows, |transaction, (object, body)| {
        let unknown = |refusal: Refusal| match refusal.code {
            "NOT_FOUND" => Refusal::bad("INVALID_TYPE", format!("sObject type '{object}' is not supported.")),
            _ => refusal,
        };
        Ok((transaction.create(&object, &body).map_err(unknown)?, None))
    })
}

/// `PATCH /composite/sobjects`
pub(in crate::api) fn update(org: &Org, call: &Call) -> Result<Reply, Refusal> {
    let (all_or_none, rows) = typed(call)?;
    let mut seen = HashSet::new();
    write(org, all_or_none, rows, |transaction, (object, mut body)| {
        let id = take(&mut body, "Id").and_then(|id| id.as_str().map(str::to_owned));
        let id = id.ok_or_else(|| Refusal::bad("MISSING_ARGUMENT", "Id not specified in an update call"))?;
        let id = known(&id)?;
        if !seen.insert(id) {
            return Err(Refusal::bad("DUPLICATE_VALUE", format!("Duplicate id in batch: {id}")));
        }
        transaction.update(&object, id, &body).map_err(crossed)?;
        Ok((id, None))
    })
}

/// `PATCH /composite/sobjects/X/FIELD`
pub(in crate::api) fn upsert(org: &Org, call: &Call, object: &str, field: &str) -> Result<Reply, Refusal> {
    let described = org.object(object)?;
    let by = described.identifying(field)?;
    let (all_or_none, rows) = typed(call)?;
    if let Some((other, _)) = rows.iter().find(|(name, _)| !name.eq_ignore_ascii_case(&described.name)) {
        return Err(Refusal::bad("INVALID_INPUT", format!("records of {other} in an upsert of {}", described.name)));
    }
    let mut seen = HashSet::new();
    write(org, all_or_none, rows, |transaction, (object, mut body)| {
        let value = take(&mut body, field).unwrap_or_default();
        if !value.is_null() && !seen.insert(by.key(&value)) {
            let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            return Err(Refusal::bad("DUPLICATE_VALUE", format!("Duplicate external id specified: {shown}")));
        }
        match transaction.upsert(&object, field, &value, body).map_err(crossed)? {
            Upserted::Created(id) => Ok((id, Some(true))),
            Upserted::Updated(id) => Ok((id, Some(false))),
            Upserted::Ambiguous(ids) => Err(Refusal::ambiguous(by, &ids)),
        }
    })
}

/// `DELETE /composite/sobjects?ids=…[&allOrNone=true]`
pub(in crate::api) fn delete(org: &Org, call: &Call) -> Result<Reply, Refusal> {
    let ids = call
        .parameter("ids")
        .ok_or_else(|| Refusal::bad("MISSING_ARGUMENT", "The ids parameter has to be specified"))?;
    let ids: Vec<String> = ids.split(',').map(|id| id.trim().to_owned()).collect();
    limit(ids.len())?;
    let all_or_none = call.parameter("allOrNone").is_some_and(|all| all.eq_ignore_ascii_case("true"));
    let schema = org.schema();
    write(org, all_or_none, ids, |transaction, id| {
        let id = known(&id)?;
        let object = schema.of_id(id).ok_or_else(|| crossed(Refusal::not_found()))?;
        transaction.delete(&object.name, id).map_err(crossed)?;
        Ok((id, None))
    })
}

/// Restores records from the recycle bin, each judged by itself: SOAP has a call for it, REST has none.
pub(in crate::api) fn undelete(org: &Org, ids: &[String]) -> Result<Vec<Undeleted>, Refusal> {
    limit(ids.len())?;
    let schema = org.schema();
    org.transaction(|transaction| {
        let restored = |id: &String| match known(id) {
            Err(malformed) => (None, Err(malformed)),
            Ok(id) => {
                let done = transaction.attempt(|transaction| {
                    let object = schema.of_id(id).ok_or_else(Refusal::not_found)?;
                    transaction.undelete(&object.name, id)
                });
                (Some(id), done.map_err(crossed))
            }
        };
        Ok(ids.iter().map(restored).collect())
    })
}

/// Writes the rows one by one in one transaction and tells what became of each.
fn write<R>(
    org: &Org,
    all_or_none: bool,
    rows: Vec<R>,
    mut each: impl FnMut(&mut Transaction<'_>, R) -> Result<Written, Refusal>,
) -> Result<Reply, Refusal> {
    let mut results = Vec::with_capacity(rows.len());
    let done = org.transaction(|transaction| {
        results.extend(rows.into_iter().map(|row| transaction.attempt(|transaction| each(transaction, row))));
        if all_or_none && results.iter().any(Result::is_err) { Err(rolled_back()) } else { Ok(()) }
    });
    match done {
        Err(refusal) if refusal.code == ROLLED_BACK => {
            for result in &mut results {
                *result = result.clone().and_then(|_| Err(rolled_back()));
            }
        }
        done => done?,
    }
    let results: Vec<Json> = results.into_iter().map(told).collect();
    Ok(Reply::value(&results.into()))
}

fn told(result: Result<Written, Refusal>) -> Json {
    match result {
        Ok((id, None)) => json!({"id": id.as_str(), "success": true, "errors": []}),
        Ok((id, Some(created))) => json!({"id": id.as_str(), "success": true, "errors": [], "created": created}),
        Err(Refusal { code, message, fields, .. }) => {
            let error = json!({"statusCode": code, "message": message, "fields": fields.unwrap_or_default()});
            json!({"success": false, "errors": [error]})
        }
    }
}

/// The records of a request with their types.
fn typed(call: &Call) -> Result<(bool, Vec<Row>), Refusal> {
    let Rows { all_or_none, records } = parsed(&call.body)?;
    limit(records.len())?;
    let rows = records.into_iter().map(|mut record| {
        let attributes = record.remove("attributes");
        let name = attributes.as_ref().and_then(|attributes| attributes["type"].as_str());
        let name = name.ok_or_else(|| Refusal::bad("INVALID_INPUT", "every record needs attributes with its type"))?;
        Ok((name.to_owned(), record))
    });
    let rows = rows.collect::<Result<Vec<_>, Refusal>>()?;
    let chunks = rows.chunk_by(|(one, _), (next, _)| one.eq_ignore_ascii_case(next)).count();
    if chunks > MOST_CHUNKS {
        let message = format!(
            "Cannot have more than {MOST_CHUNKS} chunks in a single operation. Please rearrange the data to reduce chunking."
        );
        return Err(Refusal::bad("LIMIT_EXCEEDED", message));
    }
    Ok((all_or_none, rows))
}

fn limit(records: usize) -> Result<(), Refusal> {
    if records <= MOST {
        return Ok(());
    }
    let message = format!("record limit reached. cannot submit more than {MOST} records into this call");
    Err(Refusal::bad("EXCEEDED_ID_LIMIT", message))
}

fn take(body: &mut Map<String, Json>, field: &str) -> Option<Json> {
    let name = body.keys().find(|name| name.eq_ignore_ascii_case(field)).cloned()?;
    body.shift_remove(&name)
}

fn known(id: &str) -> Result<Id, Refusal> {
    Id::parse(id).ok_or_else(|| Refusal::field("MALFORMED_ID", format!("malformed id {id}"), "Id"))
}

/// In a row, a record that is not there is a reference that leads nowhere.
fn crossed(refusal: Refusal) -> Refusal {
    match refusal.code {
        "NOT_FOUND" => Refusal::bad("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id"),
        _ => refusal,
    }
}

fn rolled_back() -> Refusal {
    let message = "Record rolled back because not all records were valid and the request was using AllOrNone header";
    Refusal::bad(ROLLED_BACK, message)
}
