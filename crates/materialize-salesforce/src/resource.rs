//! The resource configuration: an object that a collection is written to, and by which rules.

use salesforce_client::{FieldName, SObjectName};
use salesforce_endpoint::setting;
use salesforce_sink::{Nulls, Operation};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};

use crate::error::Error;

/// What the user writes for one binding.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[schemars(title = "Object", description = "One object of the org.", extend("additionalProperties" = true))]
#[serde(deny_unknown_fields)]
pub struct RawResource {
    /// The API name of the object, such as Lead or Invoice__c.
    #[schemars(title = "Object", extend("order" = 0, "x-collection-name" = true))]
    pub object: String,
    /// The field that holds the collection's key: an external-id field of the object, or Id where the keys are Ids of this very org.
    #[serde(default, deserialize_with = "setting::blank_is_absent")]
    #[schemars(with = "Option<String>", title = "Match Field", extend("order" = 1))]
    pub match_field: Option<String>,
    /// What is done with a document. upsert writes to the record of its key, or makes it. update writes to records that exist, and never makes one. insert makes a record of each document; with a match field a document that comes again finds its own record.
    #[serde(default, deserialize_with = "setting::blank_is_absent")]
    #[schemars(with = "Option<String>", title = "Operation", extend("order" = 2, "enum" = ["upsert", "update", "insert"], "default" = "upsert"))]
    pub operation: Option<String>,
    /// What is done when a document is deleted from the collection: nothing, or the record is deleted, or a field of it is set.
    #[serde(default, deserialize_with = "setting::blank_is_absent")]
    #[schemars(with = "Option<String>", title = "Deletions", extend("order" = 3, "enum" = ["ignore", "delete", "set_field"], "default" = "ignore"))]
    pub deletions: Option<String>,
    /// The field that is set when a document is deleted, where that is chosen for deletions.
    #[serde(default, deserialize_with = "setting::blank_is_absent")]
    #[schemars(with = "Option<String>", title = "Deletion Field", extend("order" = 4))]
    pub deletion_field: Option<String>,
    /// What it is set to: true, a number, a text; true when empty.
    #[serde(default)]
    #[schemars(with = "Option<String>", title = "Deletion Value", extend("order" = 5))]
    pub deletion_value: Option<Value>,
    /// What a null in a document means: clear empties the field, leave does nothing. A field that a document does not have is left alone.
    #[serde(default, deserialize_with = "setting::blank_is_absent")]
    #[schemars(with = "Option<String>", title = "Nulls", extend("order" = 6, "enum" = ["clear", "leave"], "default" = "clear"))]
    pub nulls: Option<String>,
    /// What happens to fields that refer to other records, as Ids of another org lead nowhere in this one. match names the parent by its own match field where this materialization writes the parent's object too, and leaves the others out; keep sends the Ids as they are; drop leaves all of them out. A field may have a rule of its own.
    #[serde(default, deserialize_with = "setting::blank_is_absent")]
    #[schemars(with = "Option<String>", title = "References", extend("order" = 7, "enum" = ["match", "keep", "drop"], "default" = "match"))]
    pub references: Option<String>,
    /// What happens when Salesforce rejects a row. stop ends the task with the reason. continue reports the row, in the log and as a dead letter, and goes on.
    #[serde(default, deserialize_with = "setting::blank_is_absent")]
    #[schemars(with = "Option<String>", title = "Rejected Rows", extend("order" = 8, "enum" = ["stop", "continue"], "default" = "stop"))]
    pub on_error: Option<String>,
    /// The API name of an object in which rejected rows are kept. It needs the fields Object__c, Key__c, Operation__c, Code__c, Message__c (long text) and Document__c (long text).
    #[serde(default, deserialize_with = "setting::blank_is_absent")]
    #[schemars(with = "Option<String>", title = "Dead Letters", extend("order" = 9))]
    pub dead_letters: Option<String>,
    /// Save rows although a duplicate rule of the org alerts to them. Rules that block cannot be passed.
    #[serde(default)]
    #[schemars(title = "Allow Duplicates", extend("order" = 10))]
    pub allow_duplicates: bool,
    /// Leave assignment rules out, which give leads and cases new owners.
    #[serde(default)]
    #[schemars(title = "Skip Assignment Rules", extend("order" = 11))]
    pub skip_assignment_rules: bool,
    /// Restore a deleted record from the recycle bin when its document comes back, instead of making a new one. It takes a query more for up to 200 rows, and rows are never written by Bulk jobs.
    #[serde(default)]
    #[schemars(title = "Restore Deleted", extend("order" = 12))]
    pub restore_deleted: bool,
    /// Documents are written without being read before.
    #[serde(default)]
    #[schemars(title = "Delta Updates", extend("order" = 13, "default" = true, "x-delta-updates" = true))]
    pub delta_updates: Option<bool>,
    /// Kept by the user interface for itself.
    #[serde(default, rename = "_meta")]
    #[schemars(skip)]
    pub meta: Option<serde::de::IgnoredAny>,
}

/// What is done with a document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Policy {
    /// Write to the record of its key, or make it.
    #[default]
    Upsert,
    /// Write to the record of its key.
    Update,
    /// Make a record.
    Insert,
}

impl Policy {
    /// What the engine is to do.
    #[must_use]
    pub fn operation(self) -> Operation {
        match self {
            Self::Upsert => Operation::Upsert,
            Self::Update => Operation::Update,
            Self::Insert => Operation::Insert,
        }
    }
}

/// What is done when a document is deleted.
#[derive(Debug, Clone, Copy)]
enum Deletions {
    Ignore,
    Delete,
    SetField,
}

/// What happens to references.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum References {
    /// Parents are named by their own match fields.
    #[default]
    Match,
    /// Sent as they are.
    Keep,
    /// Left out.
    Drop,
}

/// What happens when Salesforce rejects a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnError {
    /// The task ends with the reason.
    #[default]
    Stop,
    /// The row is reported.
    Continue,
}

/// One binding: the object, and by which rules it is written to.
#[derive(Debug, Clone)]
pub struct Resource {
    /// As written: the resource path, which must never change.
    pub path: String,
    /// The object.
    pub object: SObjectName,
    /// The field that matches; `None` where the user has not said.
    pub match_field: Option<FieldName>,
    /// What is done with documents.
    pub policy: Policy,
    /// What is done with deleted ones.
    pub deletion: Deletion,
    /// What nulls mean.
    pub nulls: Nulls,
    /// What happens to references.
    pub references: References,
    /// What happens to rejected rows.
    pub on_error: OnError,
    /// Where they are kept.
    pub dead_letters: Option<SObjectName>,
    /// What is done when a record to be written is deleted.
    pub deleted: salesforce_sink::Deleted,
    /// Headers of all calls.
    pub options: salesforce_sink::WriteOptions,
}

/// What becomes of a record whose document is deleted.
#[derive(Debug, Clone)]
pub enum Deletion {
    /// Nothing.
    Ignore,
    /// It is deleted.
    Delete,
    /// This field of it is set to that.
    Set(FieldName, Box<RawValue>),
}

/// The value that is named; the first one if none is.
fn one_of<T: Copy, const N: usize>(name: &Option<String>, values: [(&str, T); N]) -> Result<T, String> {
    let Some(name) = name else { return Ok(values[0].1) };
    let named = values.iter().find(|(known, _)| known == name);
    named.map(|(_, value)| *value).ok_or_else(|| format!("it is one of {}", values.map(|(known, _)| known).join(", ")))
}

/// What a field is set to on deletion where nothing is said.
const DEFAULT_DELETION_VALUE: &RawValue = RawValue::TRUE;

/// A value that a form holds as text: what is JSON of itself is that, all else is text.
fn as_json(value: &Value) -> Result<Box<RawValue>, serde_json::Error> {
    let is_plain = |raw: &RawValue| !raw.get().starts_with(['{', '[']);
    match value {
        Value::String(text) => match serde_json::from_str::<Box<RawValue>>(text.trim()) {
            Ok(raw) if is_plain(&raw) => Ok(raw),
            _ => to_raw_value(text),
        },
        Value::Array(_) | Value::Object(_) => Err(serde::de::Error::custom("not a single value")),
        value => to_raw_value(value),
    }
}

impl Resource {
    /// An object by its name alone.
    ///
    /// # Errors
    /// As [`Resource::parse`].
    pub fn named(object: &str) -> Result<Self, Error> {
        Self::read(RawResource { object: object.to_owned(), ..RawResource::default() })
    }

    /// Reads a resource config.
    ///
    /// # Errors
    /// Names the place and what is expected there.
    pub fn parse(raw: &RawValue) -> Result<Self, Error> {
        Self::read(flow_protocol::parse::<RawResource>(raw, "resource config").map_err(Error::Protocol)?)
    }

    fn read(raw: RawResource) -> Result<Self, Error> {
        let bad = |key: &'static str, problem: &str| Error::BadOption {
            object: raw.object.clone(),
            key: key.to_owned(),
            problem: problem.to_owned(),
        };
        if raw.delta_updates == Some(false) {
            return Err(bad(
                "delta_updates",
                "documents cannot be read back from Salesforce as they were, so they are always written as they come: leave it on",
            ));
        }
        let name = |key, text: &str| text.parse().map_err(|source| Error::option(&raw.object, key, &source));
        let field = |key, text: &Option<String>| {
            let text = text.as_deref();
            text.map(|text| text.parse().map_err(|source| Error::option(&raw.object, key, &source))).transpose()
        };
        let policies = [("upsert", Policy::Upsert), ("update", Policy::Update), ("insert", Policy::Insert)];
        let policy = one_of(&raw.operation, policies).map_err(|problem| bad("operation", &problem))?;
        let nulls = one_of(&raw.nulls, [("clear", Nulls::Clear), ("leave", Nulls::Leave)]);
        let references = one_of(
            &raw.references,
            [("match", References::Match), ("keep", References::Keep), ("drop", References::Drop)],
        );
        let on_error = one_of(&raw.on_error, [("stop", OnError::Stop), ("continue", OnError::Continue)]);
        let deletions =
            [("ignore", Deletions::Ignore), ("delete", Deletions::Delete), ("set_field", Deletions::SetField)];
        let deletions = one_of(&raw.deletions, deletions).map_err(|problem| bad("deletions", &problem))?;
        let deletion = match (deletions, field("deletion_field", &raw.deletion_field)?) {
            (Deletions::Ignore, _) => Deletion::Ignore,
            (Deletions::Delete, _) => Deletion::Delete,
            (Deletions::SetField, Some(field)) => {
                let value = raw.deletion_value.as_ref().map_or(Ok(DEFAULT_DELETION_VALUE.to_owned()), as_json);
                Deletion::Set(field, value.map_err(|_| bad("deletion_value", "it is true, false, a number or a text"))?)
            }
            (Deletions::SetField, None) => {
                return Err(bad("deletion_field", "it is missing: name the field that is to be set on deletion"));
            }
        };
        if policy == Policy::Insert && !matches!(deletion, Deletion::Ignore) {
            return Err(bad(
                "deletions",
                "a materialization that only inserts leaves records alone: choose ignore, or another operation",
            ));
        }
        let deleted = match (raw.restore_deleted, policy, &deletion) {
            (false, _, _) => salesforce_sink::Deleted::Leave,
            (true, Policy::Insert, _) => {
                return Err(bad(
                    "restore_deleted",
                    "a materialization that only inserts writes to no record that was there",
                ));
            }
            // Else a document that is deleted would bring its record back, to set the field.
            (true, _, Deletion::Set(..)) => {
                return Err(bad(
                    "restore_deleted",
                    "deletions that set a field delete no record: choose one of the two",
                ));
            }
            (true, _, Deletion::Ignore | Deletion::Delete) => salesforce_sink::Deleted::Restore,
        };
        Ok(Self {
            deleted,
            object: name("object", &raw.object)?,
            match_field: field("match_field", &raw.match_field)?,
            policy,
            deletion,
            nulls: nulls.map_err(|problem| bad("nulls", &problem))?,
            references: references.map_err(|problem| bad("references", &problem))?,
            on_error: on_error.map_err(|problem| bad("on_error", &problem))?,
            dead_letters: raw.dead_letters.as_deref().map(|text| name("dead_letters", text)).transpose()?,
            options: salesforce_sink::WriteOptions {
                allow_duplicates: raw.allow_duplicates,
                skip_assignment_rules: raw.skip_assignment_rules,
            },
            path: raw.object,
        })
    }
}
