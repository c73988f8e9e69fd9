//! What an administrator can do to the schema, as a value: the same from Rust, from `/__emulator/schema` and in the file of
//! an org that is kept.

use serde::{Deserialize, Serialize};

use super::crowd::Crowd;
use super::definition::{FieldDefinition, ObjectDefinition};

/// One change. Names are API names in any case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SchemaChange {
    /// A new custom object.
    CreateObject {
        /// Its name, ending in `__c`.
        object: String,
        /// What is to be said of it.
        #[serde(default)]
        definition: ObjectDefinition,
    },
    /// A custom object goes, with its records; it can be restored.
    DeleteObject {
        /// Its name.
        object: String,
        /// Refuse if a PushTopic reads it.
        #[serde(default)]
        unless_streamed: bool,
    },
    /// Everybody loses access to an object, whatever they were granted.
    HideObject {
        /// Its name.
        object: String,
    },
    /// A deleted or hidden object comes back, with its records.
    RestoreObject {
        /// Its name.
        object: String,
    },
    /// A new custom field, also of a standard object. Records that are there have no value in it; checkboxes have their
    /// default.
    AddField {
        /// Its object.
        object: String,
        /// Its name, ending in `__c`.
        field: String,
        /// What it is.
        definition: FieldDefinition,
    },
    /// A custom field goes, with its values. PushTopics that name it fall silent.
    RemoveField {
        /// Its object.
        object: String,
        /// Its name.
        field: String,
        /// Refuse if a PushTopic names it.
        #[serde(default)]
        unless_streamed: bool,
    },
    /// A custom field gets another API name and keeps its values. PushTopics that name the old one fall silent.
    RenameField {
        /// Its object.
        object: String,
        /// Its name so far.
        field: String,
        /// Its name from now on.
        to: String,
    },
    /// A custom field becomes another: its values are converted where Salesforce converts them, and lost where it does
    /// not. With a formula in the definition they are lost, and computed from now on.
    RetypeField {
        /// Its object.
        object: String,
        /// Its name.
        field: String,
        /// What it becomes.
        definition: FieldDefinition,
    },
    /// A custom field must, or need not, have a value. Records that lack it stay until they are written.
    RequireField {
        /// Its object.
        object: String,
        /// Its name.
        field: String,
        /// Whether it must.
        required: bool,
    },
    /// The values of a picklist. Records keep values that are no longer offered.
    ChangePicklist {
        /// Its object.
        object: String,
        /// Its name.
        field: String,
        /// Values to offer, new ones or deactivated ones.
        #[serde(default)]
        add: Vec<String>,
        /// Values to offer no longer.
        #[serde(default)]
        deactivate: Vec<String>,
        /// Whether others are refused; as before if `None`.
        #[serde(default)]
        restricted: Option<bool>,
    },
    /// Another label.
    Relabel {
        /// The object.
        object: String,
        /// The field; the object itself if `None`.
        #[serde(default)]
        field: Option<String>,
        /// The label from now on.
        label: String,
    },
    /// Nobody may read a field any more, whatever they were granted.
    HideField {
        /// Its object.
        object: String,
        /// Its name; a compound goes with its parts.
        field: String,
    },
    /// Whoever was granted a field may read it again.
    ShowField {
        /// Its object.
        object: String,
        /// Its name.
        field: String,
    },
    /// Described as deprecated and hidden, and there as before.
    Deprecate {
        /// The object.
        object: String,
        /// The field; the object itself if `None`.
        #[serde(default)]
        field: Option<String>,
    },
    /// Made-up objects, as many as a large org has.
    Populate(Crowd),
}
