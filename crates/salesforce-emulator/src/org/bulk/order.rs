//! What clients ask for when they make a job: from JSON to the terms of one.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;

use super::dialect::{ColumnDelimiter, Dialect, LineEnding};
use super::job::{Operation, Reads, Task, Terms, Writes};
use super::settings::BulkSettings;
use super::unsupported;
use crate::org::{Id, Refusal, SObject, Schema};
use crate::soql::{self, Asker};

/// `POST /jobs/query`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct QueryOrder {
    operation: Reading,
    query: String,
    #[serde(default)]
    content_type: ContentType,
    #[serde(default)]
    column_delimiter: ColumnDelimiter,
    #[serde(default)]
    line_ending: LineEnding,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Reading {
    Query,
    QueryAll,
}

/// There is only one.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum ContentType {
    #[default]
    Csv,
}

/// `POST /jobs/ingest`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct IngestOrder {
    object: String,
    operation: Operation,
    external_id_field_name: Option<String>,
    assignment_rule_id: Option<String>,
    #[serde(default)]
    content_type: ContentType,
    #[serde(default)]
    column_delimiter: ColumnDelimiter,
    #[serde(default)]
    line_ending: LineEnding,
}

/// Who makes a job, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Maker<'a> {
    pub(super) id: Id,
    pub(super) user: Id,
    pub(super) may_delete_hard: bool,
    pub(super) now: Timestamp,
    /// API version, such as `62.0`.
    pub(super) version: &'a str,
}

impl Maker<'_> {
    fn terms(self, object: &SObject, dialect: Dialect, task: Task) -> Terms {
        let Self { id, user, now, version, .. } = self;
        Terms {
            id,
            created_by: user,
            created: now,
            version: version.to_owned(),
            object: object.name.clone(),
            dialect,
            task,
        }
    }
}

impl QueryOrder {
    /// # Errors
    /// What SOQL refuses, and what Bulk does.
    pub(super) fn terms(self, schema: &Schema, settings: &BulkSettings, maker: Maker<'_>) -> Result<Terms, Refusal> {
        let Self { operation, query, content_type: ContentType::Csv, column_delimiter, line_ending } = self;
        let query = unsupported::parse(&query)?;
        let deleted = operation == Reading::QueryAll;
        if let Some(object) = schema.object(&query.from) {
            unsupported::object(settings, object)?;
            unsupported::fields(schema, object, &query)?;
        }
        let plan = soql::compile(schema, &query, deleted, &Asker::nobody()).map_err(crate::org::reading::refuse)?;
        let object = plan.object;
        let dialect = Dialect { delimiter: column_delimiter, line_ending };
        Ok(maker.terms(&object, dialect, Task::Query(Arc::new(Reads { query, deleted }))))
    }
}

impl IngestOrder {
    /// # Errors
    /// Unknown objects, objects that Bulk leaves out, upserts without a field that tells records apart.
    pub(super) fn terms(self, schema: &Schema, settings: &BulkSettings, maker: Maker<'_>) -> Result<Terms, Refusal> {
        let Self { object, operation, external_id_field_name, assignment_rule_id, .. } = self;
        let ContentType::Csv = self.content_type;
        let invalid = |message: String| Refusal::bad("INVALIDJOB", message);
        let object = schema.object(&object).ok_or_else(|| invalid(format!("Unable to find object: {object}")))?;
        unsupported::object(settings, object)?;
        if operation == Operation::HardDelete && !(settings.hard_delete && maker.may_delete_hard) {
            let message = "hardDelete operation requires special user profile permission, please contact your system administrator";
            return Err(Refusal::bad("FEATURENOTENABLED", message));
        }
        let external_id = match (operation, external_id_field_name) {
            (Operation::Upsert, Some(name)) => {
                let unfit = |_| {
                    let object = &object.name;
                    invalid(format!(
                        "Field name provided, {name} does not match an External ID, Salesforce Id, or indexed field for {object}"
                    ))
                };
                Some(object.identifying(&name).map_err(unfit)?.name.clone())
            }
            (Operation::Upsert, None) => {
                let object = &object.name;
                return Err(invalid(format!(
                    "External ID was blank for {object}. An External ID must be specified for upsert."
                )));
            }
            // It says nothing to the others.
            (_, _) => None,
        };
        let dialect = Dialect { delimiter: self.column_delimiter, line_ending: self.line_ending };
        let writes = Writes { operation, external_id, assignment_rule: assignment_rule_id };
        Ok(maker.terms(object, dialect, Task::Ingest(Arc::new(writes))))
    }
}
