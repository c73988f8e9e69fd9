//! The table of an object: its columns, its indexes, and the statements that name all of them.

use crate::org::schema::{Field, FieldType, SObject, Schema};

/// Columns every table has besides the described ones: the record whose deletion took this one along, and when. Both are
/// empty in live rows, so that the index on the first finds the recycle bin.
pub(in crate::org) const ROOT: &str = "~root";
pub(in crate::org) const DELETED_AT: &str = "~deleted";

/// Texts of the statements that name every column of an object.
#[derive(Debug, Clone)]
pub(super) struct Statements {
    pub(super) insert: String,
    pub(super) row: String,
}

pub(super) fn stored_fields(object: &SObject) -> impl Iterator<Item = (usize, &Field)> {
    object.fields.iter().enumerate().filter(|(_, field)| field.is_stored())
}

/// The type of a field's column. Text compares without case, as it does in SOQL.
pub(super) fn column(field: &Field) -> &'static str {
    match field.kind {
        FieldType::Id => "TEXT PRIMARY KEY NOT NULL",
        FieldType::Boolean | FieldType::Int | FieldType::Long => "INTEGER",
        FieldType::Double | FieldType::Currency | FieldType::Percent => "REAL",
        FieldType::Base64 => "BLOB",
        FieldType::Reference | FieldType::Date | FieldType::DateTime | FieldType::Time | FieldType::AnyType => "TEXT",
        _ if field.case_sensitive => "TEXT",
        _ => "TEXT COLLATE NOCASE",
    }
}

/// Is the column worth an index? Records are looked up by it when others are written, deleted or merged.
pub(super) fn is_indexed(schema: &Schema, field: &Field) -> bool {
    let identifies = field.unique || field.external_id || field.id_lookup;
    let deletable = |parent: &String| schema.object(parent).is_some_and(|parent| parent.deletable);
    let refers = field.kind == FieldType::Reference && field.reference_to.iter().any(deletable);
    (identifies && field.kind != FieldType::Id) || field.name == "CreatedDate" || refers
}

impl Statements {
    pub(super) fn of(object: &SObject) -> Self {
        let quoted = |field: &Field| format!("\"{}\"", field.name);
        let stored: Vec<String> = stored_fields(object).map(|(_, field)| quoted(field)).collect();
        let all = object.fields.iter().map(|field| if field.is_stored() { quoted(field) } else { "NULL".to_owned() });
        let all: Vec<String> = all.collect();
        let places = vec!["?"; stored.len()].join(",");
        Self {
            insert: format!("INSERT INTO \"{}\"({}) VALUES({places})", object.name, stored.join(",")),
            row: format!("SELECT {},\"IsDeleted\" FROM \"{}\" WHERE \"Id\"=?", all.join(","), object.name),
        }
    }
}

/// The statements that make an object's table and indexes.
pub(super) fn table(schema: &Schema, object: &SObject) -> String {
    let mut columns: Vec<String> = stored_fields(object)
        .map(|(_, field)| {
            let kind = column(field);
            let default = if field.name == "IsDeleted" { " NOT NULL DEFAULT 0" } else { "" };
            format!("\"{}\" {kind}{default}", field.name)
        })
        .collect();
    if object.field("IsDeleted").is_none() {
        columns.push("\"IsDeleted\" INTEGER NOT NULL DEFAULT 0".to_owned());
    }
    if object.field("SystemModstamp").is_none() {
        columns.push("\"SystemModstamp\" TEXT".to_owned());
    }
    let name = &object.name;
    let mut sql = format!(
        "CREATE TABLE IF NOT EXISTS \"{name}\"({},\"{ROOT}\" TEXT,\"{DELETED_AT}\" TEXT);
         CREATE INDEX IF NOT EXISTS \"{name}~modstamp\" ON \"{name}\"(\"SystemModstamp\",\"Id\");
         CREATE INDEX IF NOT EXISTS \"{name}~root\" ON \"{name}\"(\"{ROOT}\") WHERE \"{ROOT}\" IS NOT NULL;",
        columns.join(",")
    );
    for (_, field) in stored_fields(object).filter(|(_, field)| is_indexed(schema, field)) {
        sql.push_str(&index(name, field));
    }
    sql
}

/// Most of what may be empty is, and an index does without that.
pub(super) fn index(table: &str, field: &Field) -> String {
    let column = &field.name;
    let filled = if field.nillable { format!(" WHERE \"{column}\" IS NOT NULL") } else { String::new() };
    format!("CREATE INDEX IF NOT EXISTS \"{table}~{column}\" ON \"{table}\"(\"{column}\"){filled};")
}
