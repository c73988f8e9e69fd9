//! How one object is read: the fields of its documents, the queries that fetch them, and what its topic selects.

use std::fmt::Write as _;

use salesforce_client::{Describe, Field, FieldType, Record, RecordId, SObjectName, parse_datetime};
use serde_json::Value;

use crate::{
    capture::{position::Read, second::Second},
    error::Error,
    schema,
};

/// The field that tells when a row changed last. All objects that PushTopic streams have it.
const CURSOR: &str = "SystemModstamp";

/// The longest query that a PushTopic holds, in characters.
const TOPIC_QUERY: usize = 1_300;

/// The longest select list: Salesforce takes 16,384 bytes of URI and headers, and the conditions, the path and a token need
/// their part of them.
const SELECT_LIST: usize = 13_800;

/// Ids of one fetch, where the select list leaves room for so many.
const MOST_IDS: usize = 400;

/// An id in a URI: `%27` and `%27%2C` around 18 characters.
const ENCODED_ID: usize = 30;

/// How one object is read.
#[derive(Debug, Clone)]
pub struct Feed {
    /// The object.
    pub object: SObjectName,
    /// The fields of its documents.
    pub fields: Vec<Field>,
    select: String,
}

impl Feed {
    /// Reads a describe. `stream` is the name that the user knows the object by.
    ///
    /// # Errors
    /// When the object cannot be captured, with the reason.
    pub fn of(describe: &Describe, stream: &str) -> Result<Self, Error> {
        let uncapturable = |why: &str| Error::Uncapturable { stream: stream.into(), why: why.into() };
        if !describe.summary.queryable {
            return Err(uncapturable("this user may not query the object: grant Read on it to the user's profile"));
        }
        let fields: Vec<_> = describe.fields.iter().filter(|field| is_selectable(field)).cloned().collect();
        let has = |name: &str| fields.iter().any(|field| field.name.as_str() == name);
        if !has("Id") || !has(CURSOR) {
            return Err(uncapturable("the object has no SystemModstamp, so its changes cannot be ordered"));
        }
        let select = fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>().join(",");
        if select.len() > SELECT_LIST {
            return Err(uncapturable(&format!(
                "its {} fields make a query longer than the 16,384 bytes that Salesforce accepts",
                fields.len()
            )));
        }
        Ok(Self { object: describe.name().clone(), fields, select })
    }

    /// The query of the next page of a read: rows in the order of their ids.
    pub fn page(&self, read: &Read, limit: usize) -> String {
        let mut soql = format!("SELECT {} FROM {}", self.select, self.object);
        let mut word = " WHERE ";
        if let Some(after) = read.after {
            let _ = write!(soql, "{word}Id > '{after}'");
            word = " AND ";
        }
        if let Some(since) = read.since {
            let _ = write!(soql, "{word}{CURSOR} >= {since}");
        }
        let _ = write!(soql, " ORDER BY Id LIMIT {limit}");
        soql
    }

    /// The query that fetches records by id.
    pub fn by_id(&self, ids: &[RecordId]) -> String {
        let ids = ids.iter().map(|id| format!("'{id}'")).collect::<Vec<_>>().join(",");
        format!("SELECT {} FROM {} WHERE Id IN ({ids})", self.select, self.object)
    }

    /// How many ids [`Feed::by_id`] may name at once.
    pub fn most_ids(&self) -> usize {
        (SELECT_LIST.saturating_sub(self.select.len()) / ENCODED_ID).clamp(1, MOST_IDS)
    }

    /// The topic query that makes events carry whole rows, unless the fields do not fit or cannot be carried.
    pub fn whole_topic(&self) -> Option<String> {
        let query = format!("SELECT {} FROM {}", self.select, self.object);
        let carried = self.fields.iter().all(|field| field.kind != FieldType::Base64);
        (carried && query.len() <= TOPIC_QUERY).then_some(query)
    }

    /// The topic query that makes events announce rows, to be fetched by id.
    pub fn narrow_topic(&self) -> String {
        format!("SELECT Id,{CURSOR} FROM {}", self.object)
    }

    /// The exact schema of the documents.
    pub fn schema(&self) -> Value {
        schema::exact(&self.fields)
    }

    /// When a row changed last.
    pub fn stamp(&self, row: &Record<'_>) -> Option<Second> {
        row.text(CURSOR).and_then(|text| parse_datetime(&text)).map(Second::from)
    }
}

fn is_selectable(field: &Field) -> bool {
    !field.deprecated_and_hidden && schema::is_captured(&field.kind)
}
