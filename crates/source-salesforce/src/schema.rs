//! Document schemas: the small stable one of a collection, and the exact one that `sourcedSchema` and `schema` tell.

use salesforce_client::{Field, FieldType};
use serde_json::{Map, Value, json};

/// The schema of every collection: the key, the operation, and what a deletion does. It knows no fields, so that no change in the
/// org can fail a running task; inference and the sourced schema add them.
///
/// Documents are whole records, so the last one wins: a field removed in the org vanishes from the collection. The one exception says
/// so itself: that a record is gone for good whose last values nobody shows any more (`/_meta/partial`) is merged into what is known
/// of it.
pub fn document() -> Value {
    json!({
        "type": "object",
        "required": ["_meta", "Id"],
        "properties": {
            "_meta": {
                "type": "object",
                "required": ["op"],
                "properties": {
                    "op": { "type": "string", "enum": ["c", "u", "d"], "title": "Operation", "description": OP },
                    "deleted": { "type": "boolean", "title": "Deleted", "description": DELETED },
                    "partial": { "type": "boolean", "title": "Partial", "description": PARTIAL },
                },
            },
            "Id": { "type": "string", "title": "Record Id", "description": "The record's id in its 18-character form." },
        },
        "x-infer-schema": true,
        "if": { "properties": { "_meta": { "properties": { "op": { "const": "d" } } } } },
        "then": { "reduce": { "strategy": "lastWriteWins", "delete": true } },
        "else": {
            "if": { "properties": { "_meta": { "required": ["partial"], "properties": { "partial": { "const": true } } } } },
            "then": { "reduce": { "strategy": "merge" } },
            "else": { "reduce": { "strategy": "lastWriteWins" } },
        },
    })
}

const OP: &str = "c: created, undeleted, or part of the history; u: updated; d: deleted.";

const DELETED: &str = "true: the record is deleted, and the capture is asked to keep such rows.";

const PARTIAL: &str =
    "true: nothing is said but that the record is deleted, and what was captured of it before stands.";

/// The exact schema of the documents of an object with these fields, closed at every level.
///
/// A deletion carries nothing but its key, so only that is required.
pub fn exact<'a>(fields: impl IntoIterator<Item = &'a Field>) -> Value {
    let mut properties = Map::new();
    properties.insert("_meta".into(), meta());
    for field in fields {
        properties.insert(field.name.to_string(), of_field(field));
    }
    json!({
        "type": "object",
        "required": ["_meta", "Id"],
        "properties": properties,
        "additionalProperties": false,
    })
}

/// Adds to the exact schema what documents say of deleted records that are kept.
pub fn keep_deleted(exact: &mut Value) {
    if let Some(meta) = exact.pointer_mut("/properties/_meta/properties").and_then(Value::as_object_mut) {
        for flag in ["deleted", "partial"] {
            meta.insert(flag.into(), json!({ "type": "boolean" }));
        }
    }
}

/// Has the schema of an object's documents say that they tell up to when the stream is complete.
pub fn tell_complete_until(schema: &mut Value) {
    schema["properties"]["_meta"]["properties"]["complete_until"] = json!({
        "type": "string",
        "format": "date-time",
        "title": "Complete Until",
        "description": "Every change of the object before this time is in this document or those before it.",
    });
}

fn meta() -> Value {
    json!({
        "type": "object",
        "required": ["op"],
        "properties": {
            "op": { "type": "string", "enum": ["c", "u", "d"], "minLength": 1, "maxLength": 1 },
            "uuid": { "type": "string", "minLength": 36, "maxLength": 36 },
            "source": {
                "type": "object",
                "required": ["replayId", "createdDate"],
                "properties": {
                    "replayId": { "type": "integer" },
                    "createdDate": { "type": "string", "format": "date-time" },
                },
                "additionalProperties": false,
            },
        },
        "additionalProperties": false,
    })
}

/// The JSON form of a field's values, as the documents carry them.
fn of_field(field: &Field) -> Value {
    let text = || json!({ "type": "string" });
    let bounded = || match field.length {
        0 => text(),
        length => json!({ "type": "string", "maxLength": length }),
    };
    let mut schema = match &field.kind {
        FieldType::Id | FieldType::Reference | FieldType::MasterRecord => {
            json!({ "type": "string", "minLength": 18, "maxLength": 18 })
        }
        FieldType::String
        | FieldType::TextArea
        | FieldType::Url
        | FieldType::Email
        | FieldType::Phone
        | FieldType::Picklist
        | FieldType::MultiPicklist
        | FieldType::Combobox
        | FieldType::DataCategoryGroupReference => bounded(),
        // Masked values and links are not bound by the field's length.
        FieldType::EncryptedString | FieldType::Base64 => text(),
        FieldType::Boolean => json!({ "type": "boolean" }),
        FieldType::Int | FieldType::Long => json!({ "type": "integer" }),
        FieldType::Double | FieldType::Currency | FieldType::Percent => json!({ "type": "number" }),
        FieldType::Date => json!({ "type": "string", "format": "date" }),
        FieldType::DateTime => json!({ "type": "string", "format": "date-time" }),
        FieldType::Time => json!({ "type": "string", "format": "time" }),
        FieldType::Address => compound(&ADDRESS_TEXTS, &["latitude", "longitude"]),
        FieldType::Location => compound(&[], &["latitude", "longitude"]),
        FieldType::AnyType => json!({ "type": ["string", "number", "boolean"] }),
        FieldType::JunctionIdList => json!({ "type": "array", "items": { "type": "string" } }),
        FieldType::ComplexValue | FieldType::Json | FieldType::RelationshipInfo | FieldType::Other(_) => text(),
    };
    if let Some(schema) = schema.as_object_mut() {
        if field.nillable
            && let Some(types) = schema.get_mut("type")
        {
            *types = match types.take() {
                Value::Array(types) => types.into_iter().chain([json!("null")]).collect(),
                one => json!([one, "null"]),
            };
        }
        if !field.label.is_empty() {
            schema.insert("title".into(), json!(field.label));
        }
    }
    schema
}

/// The `Code` parts are there in orgs with state and country picklists.
const ADDRESS_TEXTS: [&str; 8] =
    ["city", "country", "countryCode", "geocodeAccuracy", "postalCode", "state", "stateCode", "street"];

fn compound(texts: &[&str], numbers: &[&str]) -> Value {
    let part = |name: &&str, kind: &str| ((*name).to_owned(), json!({ "type": [kind, "null"] }));
    let properties: Map<_, _> =
        texts.iter().map(|name| part(name, "string")).chain(numbers.iter().map(|name| part(name, "number"))).collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

/// Whether documents carry fields of this type: all but those whose values are structures that no schema here describes.
pub fn is_captured(kind: &FieldType) -> bool {
    !matches!(kind, FieldType::ComplexValue | FieldType::Json | FieldType::RelationshipInfo | FieldType::Other(_))
}
