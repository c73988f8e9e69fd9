//! How one object is read: the fields of its documents, the queries that fetch them, and what its topic selects.

use std::{fmt::Write as _, sync::Arc};

use salesforce_client::{
    Describe, Field, FieldName, FieldType, LastModified, Record, RecordId, SObjectName, parse_datetime,
};
use serde_json::Value;

use crate::{
    capture::{position::Read, second::Second},
    columns::Columns,
    discover,
    error::Error,
    resisting,
    resource::{Deletions, Mode, Resource},
    row::{Facts, Row},
    schema,
};

/// The longest query that a PushTopic holds, in characters.
const TOPIC_QUERY: usize = 1_300;

/// Ids named in one query: thirty bytes each in a URL of at most 16,384.
pub const QUERIED_IDS: usize = 400;

/// The fields that can tell when a row changed last, the best first. `LastModifiedDate` can be set by imports, and
/// `CreatedDate` serves only rows that never change, such as those of history objects; an object has it as its best only then.
const CURSORS: [&str; 3] = ["SystemModstamp", "LastModifiedDate", "CreatedDate"];

/// The field that says of a row that its record is deleted.
pub const IS_DELETED: &str = "IsDeleted";

/// How one object is read.
#[derive(Debug, Clone)]
pub struct Feed {
    /// The object.
    pub object: SObjectName,
    /// The fields of its documents.
    pub fields: Vec<Field>,
    /// Whether the org tells, by getUpdated, up to when its changes are visible.
    pub is_replicateable: bool,
    /// Whether PushTopic streams the object.
    pub is_streamable: bool,
    /// Whether old rows are archived: only a query over deleted rows sees them then (Task and Event, after a year).
    pub has_archive: bool,
    /// What deletions do.
    pub deletions: Deletions,
    /// Their names, in order.
    pub names: Arc<[FieldName]>,
    /// Whether its documents tell up to when the stream is complete.
    pub tells_completeness: bool,
    /// When the describe last changed, as the org says it.
    pub described: Option<LastModified>,
    /// What a Bulk job selects, or the first field that it cannot.
    pub columns: Result<Columns, FieldName>,
    cursor: Option<&'static str>,
    select: String,
}

impl Feed {
    /// Reads a describe, for what a binding wants of it.
    ///
    /// # Errors
    /// When the object cannot be captured, with the reason.
    pub fn of(describe: &Describe, resource: &Resource) -> Result<Self, Error> {
        let uncapturable = |why: &str| Error::Uncapturable { stream: resource.stream.clone(), why: why.into() };
        if !describe.summary.queryable {
            return Err(uncapturable("this user may not query the object: grant Read on it to the user's profile"));
        }
        if let Some(demand) = resisting::demand(describe.name()) {
            return Err(uncapturable(demand));
        }
        if describe.field("Id").is_none() {
            return Err(uncapturable("the object has no Id, which is the key of its collection"));
        }
        let serves = |name: &&&str| describe.field(name).is_some_and(|field| field.filterable);
        let cursor = CURSORS.iter().find(serves).copied();
        let is_wanted = |field: &&Field| {
            is_selectable(field)
                && (cursor.is_some_and(|cursor| field.name.same_as(cursor))
                    || resource.fields.admits(&field.name, &field.kind))
        };
        let fields: Vec<_> = describe.fields.iter().filter(is_wanted).cloned().collect();
        let select = fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>().join(",");
        let is_streamable = discover::is_streamable(&describe.summary) && cursor == Some(CURSORS[0]);
        if resource.mode == Mode::Stream && !is_streamable {
            return Err(uncapturable(
                "Salesforce does not stream this object over PushTopic: set mode to auto or poll",
            ));
        }
        Ok(Self {
            object: describe.name().clone(),
            columns: Columns::of(describe, &fields, cursor),
            names: fields.iter().map(|field| field.name.clone()).collect(),
            fields,
            is_replicateable: describe.summary.replicateable,
            is_streamable,
            has_archive: describe.field("IsArchived").is_some(),
            deletions: resource.deletions,
            tells_completeness: resource.complete_until,
            described: describe.last_modified.clone(),
            cursor,
            select,
        })
    }

    /// Whether documents are the same as of `other`, in their fields and the forms of these.
    pub fn is_like(&self, other: &Self) -> bool {
        self.select == other.select && self.schema() == other.schema()
    }

    /// What is different from `before`, in words.
    pub fn difference(&self, before: &Self) -> String {
        let without = |one: &Self, other: &Self| {
            let is_new = |name: &&FieldName| !other.names.contains(name);
            one.names.iter().filter(is_new).map(FieldName::as_str).collect::<Vec<_>>().join(", ")
        };
        let (added, removed) = (without(self, before), without(before, self));
        match (added.is_empty(), removed.is_empty()) {
            (true, true) => "the forms of some fields have changed".into(),
            (false, true) => format!("fields were added: {added}"),
            (true, false) => format!("fields are gone, or hidden from the user: {removed}"),
            (false, false) => {
                format!("fields were added: {added}; others are gone, or hidden from the user: {removed}")
            }
        }
    }

    /// Whether rows tell when they changed last. Without that each poll reads them all.
    pub fn has_cursor(&self) -> bool {
        self.cursor.is_some()
    }

    /// The query of the next page of a read: rows in the order of their ids.
    pub fn page(&self, read: &Read, limit: usize) -> String {
        self.rows(&self.select, read, limit)
    }

    /// The query of a job that goes on with a read.
    pub fn job(&self, columns: &Columns, read: &Read, limit: usize) -> String {
        let select = columns.names.iter().map(FieldName::as_str).collect::<Vec<_>>().join(",");
        self.rows(&select, read, limit)
    }

    fn rows(&self, select: &str, read: &Read, limit: usize) -> String {
        let mut soql = format!("SELECT {select} FROM {}", self.object);
        let mut word = " WHERE ";
        if let Some(after) = read.after {
            let _ = write!(soql, "{word}Id > '{after}'");
            word = " AND ";
        }
        if let (Some(since), Some(cursor)) = (read.since, self.cursor) {
            let _ = write!(soql, "{word}{cursor} >= {since}");
        }
        let _ = write!(soql, " ORDER BY Id LIMIT {limit}");
        soql
    }

    /// The query that looks for records by id, deleted ones too. At most [`QUERIED_IDS`].
    pub fn by_id(&self, ids: &[RecordId]) -> String {
        let ids = ids.iter().map(|id| format!("'{id}'")).collect::<Vec<_>>().join(",");
        format!("SELECT {} FROM {} WHERE Id IN ({ids})", self.select, self.object)
    }

    /// The topic query that makes events carry whole rows, unless the fields do not fit or cannot be carried.
    pub fn whole_topic(&self) -> Option<String> {
        let query = format!("SELECT {} FROM {}", self.select, self.object);
        let carried = self.fields.iter().all(|field| field.kind != FieldType::Base64);
        (carried && query.len() <= TOPIC_QUERY).then_some(query)
    }

    /// The topic query that makes events announce rows, to be fetched by id.
    pub fn narrow_topic(&self) -> String {
        format!("SELECT Id,{} FROM {}", CURSORS[0], self.object)
    }

    /// The exact schema of the documents.
    pub fn schema(&self) -> Value {
        let mut schema = schema::exact(&self.fields);
        if self.deletions == Deletions::Keep {
            schema::keep_deleted(&mut schema);
        }
        if self.tells_completeness {
            schema::tell_complete_until(&mut schema);
        }
        schema
    }

    /// Whether rows say that they are deleted.
    pub fn tells_deleted(&self) -> bool {
        self.fields.iter().any(|field| field.name.same_as(IS_DELETED))
    }

    /// When a row changed last.
    pub fn stamp(&self, row: &Record<'_>) -> Option<Second> {
        row.text(self.cursor?).and_then(|text| parse_datetime(&text)).map(Second::from)
    }

    /// A record as a row.
    ///
    /// # Errors
    /// When it has no id.
    pub fn row<'a>(&self, record: &'a Record<'a>) -> Result<Row<'a>, salesforce_client::Error> {
        let facts = Facts {
            id: record.id()?,
            stamp: self.stamp(record),
            is_new: self.is_new(record),
            is_deleted: record.get("IsDeleted").is_some_and(|value| value.get() == "true"),
        };
        Ok(Row { facts, fields: record.into() })
    }

    fn is_new(&self, row: &Record<'_>) -> bool {
        let value = |name: &str| row.get(name).map(|value| value.get());
        self.cursor.is_some_and(|cursor| value(cursor) == value("CreatedDate"))
    }
}

fn is_selectable(field: &Field) -> bool {
    !field.deprecated_and_hidden && schema::is_captured(&field.kind)
}
