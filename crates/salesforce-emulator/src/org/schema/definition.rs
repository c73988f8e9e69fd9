//! The readable format for objects and fields: what an administrator says, without what follows from it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::field::{FieldType, Mask};
use super::formula::Formula;

/// A custom object. Everything may be left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ObjectDefinition {
    /// Label in the singular; made from the name if `None`.
    pub label: Option<String>,
    /// Label in the plural; the singular and an `s` if `None`.
    pub plural: Option<String>,
    /// First three characters of its ids; the next free one from `a00` on if `None`.
    pub prefix: Option<String>,
    /// Records are named by numbers the org gives.
    pub auto_number: bool,
    /// Fields beside those every custom object has.
    pub fields: BTreeMap<String, FieldDefinition>,
}

/// A field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldDefinition {
    /// The type, in the describe's spelling. `location` and `address` bring their parts with them.
    #[serde(rename = "type")]
    pub kind: FieldType,
    /// Label; made from the name if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Most characters of a text. A `textarea` beyond 255 is a long one, which cannot be filtered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<usize>,
    /// Digits of a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<u8>,
    /// Digits of a number after the point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<u8>,
    /// May not be null. Rows that are there stay as they are.
    #[serde(default, skip_serializing_if = "is_false")]
    pub required: bool,
    /// No two records may share a value.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unique: bool,
    /// Records may be found by it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub external_id: bool,
    /// Text compares with its case.
    #[serde(default, skip_serializing_if = "is_false")]
    pub case_sensitive: bool,
    /// The value of records made without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Json>,
    /// Values of a picklist.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// A picklist accepts no others.
    #[serde(default, skip_serializing_if = "is_false")]
    pub restricted: bool,
    /// Objects a reference may point to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// Name of the children of a reference, seen from the parent, without `__r`; the object's plural if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub children: Option<String>,
    /// Master-detail: the reference is required, and records go with their parent.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cascade: bool,
    /// Computed at each reading from other fields of the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formula: Option<Formula>,
    /// A text area holds HTML.
    #[serde(default, skip_serializing_if = "is_false")]
    pub html: bool,
    /// How much of an encrypted text is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<Mask>,
    /// Help for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl FieldDefinition {
    /// A field of that type and nothing said about it.
    pub fn of(kind: FieldType) -> Self {
        Self {
            kind,
            label: None,
            length: None,
            precision: None,
            scale: None,
            required: false,
            unique: false,
            external_id: false,
            case_sensitive: false,
            default: None,
            values: Vec::new(),
            restricted: false,
            to: Vec::new(),
            children: None,
            cascade: false,
            formula: None,
            html: false,
            mask: None,
            help: None,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_false(flag: &bool) -> bool {
    !flag
}
