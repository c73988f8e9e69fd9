//! Up to 200 rows of one object per call, each with an outcome of its own.

use http::Method;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Action, Error, ExternalId, Fault, FieldName, Fields, Org, RecordId, RowRefusal, SObjectName, Saved, WriteOptions,
    call::Call, error::Verb, failure::Failure, http::Reply, retry::Effect,
};

/// The most rows one call writes.
pub const MOST_ROWS: usize = 200;

/// Rows of one object to be written, at least one and at most [`MOST_ROWS`]. The org writes them in this order, each
/// independently of the others unless [`WriteOptions::all_or_none`] says otherwise. No record may be meant twice: the
/// org then refuses both rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows<'a> {
    /// Creates records.
    Create(&'a [&'a Fields]),
    /// Writes to records that are there; null clears a field, an absent one is left alone.
    Update(&'a [(RecordId, &'a Fields)]),
    /// Writes to the records whose field holds these, or creates them.
    Upsert(&'a FieldName, &'a [(ExternalId<'a>, &'a Fields)]),
    /// Moves records to the recycle bin. One that is deleted already counts as deleted.
    Delete(&'a [RecordId]),
}

impl Rows<'_> {
    /// How many they are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Rows::Create(rows) => rows.len(),
            Rows::Update(rows) => rows.len(),
            Rows::Upsert(_, rows) => rows.len(),
            Rows::Delete(ids) => ids.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn verb(&self) -> Verb {
        match self {
            Rows::Create(_) => Verb::Create,
            Rows::Update(_) => Verb::Update,
            Rows::Upsert(..) => Verb::Upsert,
            Rows::Delete(_) => Verb::Delete,
        }
    }
}

impl Org {
    /// Writes rows, and answers for each in its place what became of it. It is one call however many rows there are.
    ///
    /// All but creates are repeated when the reply is lost: they end the same however often they are done. Creates are
    /// repeated only where the first ones surely were not carried out.
    ///
    /// # Errors
    /// Of a call that came to nothing as a whole. Of [`Class::Unclear`](crate::Class::Unclear) if the reply to creates
    /// was lost, or is no answer to them: any of the records may exist. [`Error::Invalid`] for no rows or too many.
    /// Otherwise as any call.
    pub async fn write_rows(
        &self,
        object: &SObjectName,
        rows: &Rows<'_>,
        options: &WriteOptions,
    ) -> Result<Vec<Result<Saved, RowRefusal>>, Error> {
        if !(1..=MOST_ROWS).contains(&rows.len()) {
            return Err(Error::invalid("list of rows", object.as_str(), "it has 1 to 200 of them"));
        }
        self.send(&self.rows_call(object, rows, *options), |reply| read(reply, rows)).await
    }

    fn rows_call(&self, object: &SObjectName, rows: &Rows<'_>, options: WriteOptions) -> Call {
        let (method, effect) = match rows {
            Rows::Create(_) => (Method::POST, Effect::Once),
            Rows::Update(_) | Rows::Upsert(..) => (Method::PATCH, Effect::Repeatable),
            Rows::Delete(_) => (Method::DELETE, Effect::Repeatable),
        };
        let path = match rows {
            Rows::Upsert(field, _) => self.data_path(format_args!("/composite/sobjects/{object}/{field}")),
            _ => self.data_path(format_args!("/composite/sobjects")),
        };
        let action = Action::WriteRows(rows.verb(), object.clone(), rows.len());
        let call = Call::write(action, method, effect).path(path).options(options);
        match rows {
            Rows::Create(rows) => {
                let records = rows.iter().map(|fields| (None::<(&str, &str)>, *fields));
                call.json(body(object, options, records))
            }
            Rows::Update(rows) => {
                let records = rows.iter().map(|(id, fields)| (Some(("id", id.as_str())), *fields));
                call.json(body(object, options, records))
            }
            Rows::Upsert(field, rows) => {
                let records = rows.iter().map(|(value, fields)| (Some((field.as_str(), value.as_str())), *fields));
                call.json(body(object, options, records))
            }
            Rows::Delete(ids) => {
                let ids: Vec<&str> = ids.iter().map(RecordId::as_str).collect();
                call.query(format!("ids={}&allOrNone={}", ids.join(","), options.all_or_none))
            }
        }
    }
}

/// The body of a request: each record with its type first, then what names it, then its fields.
fn body<'a>(
    object: &SObjectName,
    options: WriteOptions,
    records: impl Iterator<Item = (Option<(&'a str, &'a str)>, &'a Fields)> + Clone,
) -> Vec<u8> {
    let head = format!(r#"{{"attributes":{{"type":"{object}"}}"#);
    let size = |(key, fields): (Option<(&str, &str)>, &Fields)| {
        let key = key.map_or(0, |(name, value)| name.len() + value.len());
        head.len() + key + fields.size() + ROOM
    };
    let mut body = Vec::with_capacity(records.clone().map(size).sum::<usize>() + ROOM);
    body.extend_from_slice(format!(r#"{{"allOrNone":{},"records":["#, options.all_or_none).as_bytes());
    for (nth, (key, fields)) in records.enumerate() {
        if nth > 0 {
            body.push(b',');
        }
        body.extend_from_slice(head.as_bytes());
        if let Some((name, value)) = key {
            body.extend_from_slice(format!(r#","{name}":"#).as_bytes());
            serde_json::to_writer(&mut body, value).expect("a text is JSON");
        }
        fields.append_to(&mut body);
        body.push(b'}');
    }
    body.extend_from_slice(b"]}");
    body
}

/// Room for the punctuation of a record, and for the frame of the request.
const ROOM: usize = 64;

/// One element of the reply.
#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    id: Option<String>,
    success: bool,
    #[serde(default)]
    created: Option<bool>,
    #[serde(default)]
    errors: Vec<Value>,
}

fn read(reply: &Reply, rows: &Rows<'_>) -> Result<Vec<Result<Saved, RowRefusal>>, Failure> {
    let outcomes: Vec<Wire> = reply.json()?;
    if outcomes.len() != rows.len() {
        return Err(Failure::unexpected(reply, "it has not as many outcomes as rows were sent"));
    }
    outcomes.into_iter().enumerate().map(|(nth, outcome)| outcome.read(reply, rows, nth)).collect()
}

impl Wire {
    fn read(self, reply: &Reply, rows: &Rows<'_>, nth: usize) -> Result<Result<Saved, RowRefusal>, Failure> {
        let given = match rows {
            Rows::Update(rows) => Some(rows[nth].0),
            Rows::Delete(ids) => Some(ids[nth]),
            Rows::Create(_) | Rows::Upsert(..) => None,
        };
        if !self.success {
            let refusal = RowRefusal { faults: self.errors.iter().filter_map(Fault::read).collect() };
            let is_done = matches!(rows, Rows::Delete(_)) && refusal.has("ENTITY_IS_DELETED");
            return Ok(if is_done { Ok(Saved { id: given, created: false }) } else { Err(refusal) });
        }
        let told: Option<RecordId> = self
            .id
            .map(|id| id.parse())
            .transpose()
            .map_err(|_| Failure::unexpected(reply, "the id of a row is no record id"))?;
        match (given, told) {
            (Some(given), Some(told)) if given != told => {
                Err(Failure::unexpected(reply, "a row has another id than was sent in its place"))
            }
            (None, None) => Err(Failure::unexpected(reply, "a row that was written has no id")),
            _ => {
                let created = matches!(rows, Rows::Create(_)) || self.created == Some(true);
                Ok(Ok(Saved { id: told.or(given), created }))
            }
        }
    }
}
