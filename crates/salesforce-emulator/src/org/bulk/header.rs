//! The header of an ingest job's data, and what its rows ask for.

use serde_json::{Map, Value as Json, json};

use super::job::Operation;
use crate::org::value::parse;
use crate::org::{Field, FieldType, Refusal, SObject, Schema};

/// What a cell holds to say null; an empty one says nothing.
const NULL: &str = "#N/A";
/// Most characters of a header row.
pub(super) const LONGEST: usize = 32_000;

/// Where the cells of one column go.
#[derive(Debug)]
pub(super) enum Column<'a> {
    Field(&'a Field),
    /// A parent, by a field that tells records apart: `Parent__r.Ext__c`, `Lead:Who.Email`.
    Parent {
        reference: &'a Field,
        relationship: &'a str,
        object: Option<&'a str>,
        field: &'a str,
    },
}

/// Finds the fields of a header, or says as a job's error message why it cannot be.
pub(super) fn columns<'a>(
    schema: &'a Schema,
    object: &'a SObject,
    names: &'a [String],
    operation: Operation,
    external_id: Option<&str>,
) -> Result<Vec<Column<'a>>, String> {
    let columns = names.iter().map(|name| column(schema, object, name)).collect::<Result<Vec<_>, _>>()?;
    let has = |wanted: &str| names.iter().any(|name| name.eq_ignore_ascii_case(wanted));
    match operation {
        Operation::Delete | Operation::HardDelete if !(names.len() == 1 && has("Id")) => {
            Err(format!("InvalidBatch : '{}' batches must contain only ids", operation.name()))
        }
        _ => match external_id.filter(|field| !has(field)) {
            Some(missing) => Err(not_found(missing)),
            None => Ok(columns),
        },
    }
}

fn column<'a>(schema: &'a Schema, object: &'a SObject, name: &'a str) -> Result<Column<'a>, String> {
    if let Some(field) = object.field(name) {
        return Ok(Column::Field(field));
    }
    let (path, field) = name.split_once('.').ok_or_else(|| not_found(name))?;
    let (kind, relationship) = path.split_once(':').map_or((None, path), |(kind, name)| (Some(kind), name));
    let unknown = || format!("InvalidBatch : Unable to find relationship: {relationship}");
    let reference = object.parent(relationship).ok_or_else(unknown)?;
    let parent = match (kind, &reference.reference_to[..]) {
        (None, [only]) => only,
        (Some(_), [_]) => {
            return Err(format!(
                "InvalidBatch : type is not needed for non polymorphic foreign key references: {relationship}"
            ));
        }
        (None, _) => {
            return Err(format!(
                "InvalidBatch : type is needed for polymorphic foreign key references: {relationship}"
            ));
        }
        (Some(kind), several) => {
            several.iter().find(|parent| parent.eq_ignore_ascii_case(kind)).ok_or_else(|| not_found(name))?
        }
    };
    let identifies = |field: &&Field| field.external_id || field.id_lookup || field.name == "Id";
    let found = schema.object(parent).and_then(|parent| parent.field(field)).filter(identifies);
    let field = found.map(|field| field.name.as_str()).ok_or_else(|| not_found(name))?;
    let relationship = reference.relationship_name.as_deref().unwrap_or(relationship);
    Ok(Column::Parent { reference, relationship, object: kind.is_some().then_some(parent), field })
}

fn not_found(name: &str) -> String {
    format!("InvalidBatch : Field name not found : {name}")
}

/// A row as the body of a request.
pub(super) fn body<'a>(
    columns: &[Column<'_>],
    cells: impl Iterator<Item = &'a str>,
) -> Result<Map<String, Json>, Refusal> {
    let mut body = Map::new();
    for (column, cell) in columns.iter().zip(cells).filter(|(_, cell)| !cell.is_empty()) {
        match column {
            Column::Field(field) if cell == NULL => body.insert(field.name.clone(), Json::Null),
            Column::Field(field) => body.insert(field.name.clone(), value(field, cell)?),
            Column::Parent { reference, .. } if cell == NULL => body.insert(reference.name.clone(), Json::Null),
            Column::Parent { relationship, object, field, .. } => {
                let parent = match object {
                    // Of a polymorphic parent the type comes first.
                    Some(object) => json!({"attributes": {"type": object}, *field: cell}),
                    None => json!({*field: cell}),
                };
                body.insert((*relationship).to_owned(), parent)
            }
        };
    }
    Ok(body)
}

/// A cell's value in JSON, once it is known to be of the field's type.
fn value(field: &Field, cell: &str) -> Result<Json, Refusal> {
    let json = match field.kind {
        FieldType::Boolean => flag(cell).map_or_else(|| cell.into(), Json::from),
        _ => cell.into(),
    };
    match parse(field, &json) {
        Err(refusal) if refusal.code == "JSON_PARSER_ERROR" => {
            let message = format!("{}: value not of required type: {cell}", field.label);
            Err(Refusal::field("INVALID_TYPE_ON_FIELD_IN_RECORD", message, &field.name))
        }
        // Everything else is judged with the record.
        _ => Ok(json),
    }
}

/// Flags are spelled in many ways here.
fn flag(cell: &str) -> Option<bool> {
    let is = |words: [&str; 5]| words.iter().any(|word| cell.eq_ignore_ascii_case(word));
    if is(["true", "yes", "y", "on", "1"]) { Some(true) } else { is(["false", "no", "n", "off", "0"]).then_some(false) }
}

/// A refusal as `sf__Error` spells it.
pub(super) fn error(refusal: &Refusal) -> String {
    let fields = refusal.fields.as_deref().unwrap_or_default().join(", ");
    let gap = if fields.is_empty() { "" } else { " " };
    format!("{}:{}:{fields}{gap}--", refusal.code, refusal.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header and a row → the body of the request that would do the same.
    #[test]
    fn rows_as_bodies() {
        let schema = Schema::load(&[]).unwrap();
        let body = |object: &str, header: &str, row: &str| {
            let object = schema.object(object).unwrap();
            let names: Vec<String> = header.split(',').map(str::to_owned).collect();
            let columns = columns(&schema, object, &names, Operation::Insert, None).unwrap();
            match super::body(&columns, row.split(',')) {
                Ok(body) => Json::from(body).to_string(),
                Err(refusal) => error(&refusal),
            }
        };
        for (object, header, row, expected) in [
            ("Contact", "lastname,EMAIL,Title", "a,,#N/A", r#"{"LastName":"a","Title":null}"#),
            (
                "Event",
                "Subject,IsPrivate,IsAllDayEvent",
                "a,Y,off",
                r#"{"Subject":"a","IsPrivate":true,"IsAllDayEvent":false}"#,
            ),
            (
                "Contact",
                "LastName,reportsto.email",
                "a,b@example.com",
                r#"{"LastName":"a","ReportsTo":{"Email":"b@example.com"}}"#,
            ),
            ("Contact", "LastName,ReportsTo.Id", "a,#N/A", r#"{"LastName":"a","ReportsToId":null}"#),
            ("Contact", "LastName,ReportsTo.Id", "a,", r#"{"LastName":"a"}"#),
            (
                "Task",
                "Subject,Lead:Who.Email",
                "a,b@example.com",
                r#"{"Subject":"a","Who":{"attributes":{"type":"Lead"},"Email":"b@example.com"}}"#,
            ),
            (
                "Account",
                "Name,NumberOfEmployees",
                "a,few",
                "INVALID_TYPE_ON_FIELD_IN_RECORD:Employees: value not of required type: few:NumberOfEmployees --",
            ),
        ] {
            assert_eq!(body(object, header, row), expected, "{header} {row}");
        }
    }
}
