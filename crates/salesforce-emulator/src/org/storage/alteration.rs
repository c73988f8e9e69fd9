//! Tables after a change of the schema: columns come, go and are renamed, and values become those of another type.

use rusqlite::types::Value as Stored;
use rusqlite::{Connection, params};

use super::database::Database;
use super::table::{column, index, is_indexed};
use crate::org::schema::{Edit, Field, FieldType, Schema};
use crate::org::value::spelled;

impl Database {
    /// Changes the tables to those of `schema`. Tables that were not made yet will be made right.
    pub(in crate::org) fn alter(&mut self, schema: &Schema, edits: &[Edit]) -> rusqlite::Result<()> {
        // Statements prepared for the old columns would be prepared again, and some of them could not.
        self.connection.flush_prepared_statement_cache();
        // Also a formula has its place in them, though no column in the table.
        self.statements.clear();
        for edit in edits {
            let object = edit.object();
            if self.tables.contains(object) {
                alter(&self.connection, object, edit)?;
                self.index(schema, object, edit)?;
            }
        }
        Ok(())
    }

    fn index(&self, schema: &Schema, object: &str, edit: &Edit) -> rusqlite::Result<()> {
        let name = match edit {
            Edit::Add { field, .. } => &field.name,
            Edit::Rename { to, .. } => to,
            Edit::Convert { to, .. } => &to.name,
            Edit::Drop { .. } => return Ok(()),
        };
        let Some(object) = schema.object(object) else { return Ok(()) };
        // A later change may have dropped the column again.
        match object.field(name).filter(|field| field.is_stored() && is_indexed(schema, field)) {
            Some(field) => self.connection.execute_batch(&index(&object.name, field)),
            None => Ok(()),
        }
    }
}

fn alter(connection: &Connection, table: &str, edit: &Edit) -> rusqlite::Result<()> {
    match edit {
        Edit::Add { field, .. } => add(connection, table, &field.name, field),
        Edit::Drop { field, .. } => drop(connection, table, field),
        Edit::Rename { from, to, .. } => rename(connection, table, from, to),
        Edit::Convert { from, to, .. } => convert(connection, table, from, to),
    }
}

/// What a new field holds in a row that is there: checkboxes have their default, all other fields nothing.
pub(in crate::org) fn initial(field: &Field) -> Stored {
    let ticked = || field.default().and_then(|value| value.as_bool()).unwrap_or(false);
    if field.kind == FieldType::Boolean { Stored::Integer(ticked().into()) } else { Stored::Null }
}

fn add(connection: &Connection, table: &str, name: &str, field: &Field) -> rusqlite::Result<()> {
    let default = match initial(field) {
        Stored::Integer(ticked) => format!(" NOT NULL DEFAULT {ticked}"),
        _ => String::new(),
    };
    connection.execute_batch(&format!("ALTER TABLE \"{table}\" ADD COLUMN \"{name}\" {}{default}", column(field)))
}

fn drop(connection: &Connection, table: &str, name: &str) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "DROP INDEX IF EXISTS \"{table}~{name}\"; ALTER TABLE \"{table}\" DROP COLUMN \"{name}\""
    ))
}

fn rename(connection: &Connection, table: &str, from: &str, to: &str) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "DROP INDEX IF EXISTS \"{table}~{from}\"; ALTER TABLE \"{table}\" RENAME COLUMN \"{from}\" TO \"~renamed\";
         ALTER TABLE \"{table}\" RENAME COLUMN \"~renamed\" TO \"{to}\""
    ))
}

/// Row by row into a new column that takes the place of the old one. Modstamps stay, and nothing is announced.
fn convert(connection: &Connection, table: &str, from: &Field, to: &Field) -> rusqlite::Result<()> {
    const NEW: &str = "~converted";
    add(connection, table, NEW, to)?;
    let rows = {
        let sql = format!("SELECT rowid,\"{0}\" FROM \"{table}\" WHERE \"{0}\" IS NOT NULL", from.name);
        let mut statement = connection.prepare(&sql)?;
        let rows = statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Stored>(1)?)))?;
        rows.collect::<Result<Vec<_>, _>>()?
    };
    let mut update = connection.prepare(&format!("UPDATE \"{table}\" SET \"{NEW}\"=? WHERE rowid=?"))?;
    for (row, value) in rows {
        let value = converted(value, from, to);
        if value != Stored::Null {
            update.execute(params![value, row])?;
        }
    }
    std::mem::drop(update);
    drop(connection, table, &from.name)?;
    rename(connection, table, NEW, &to.name)
}

/// What a value becomes when an administrator changes the type of its field. (Salesforce Help, "Notes on Changing Custom
/// Field Types", says where values are lost; how they are spelled where they are kept is assumed.)
pub(in crate::org) fn converted(value: Stored, from: &Field, to: &Field) -> Stored {
    let multiple = |field: &Field| field.kind == FieldType::MultiPicklist;
    match (from.kind, to.kind) {
        (one, other) if one == other && !one.is_text() => value,
        _ if multiple(from) != multiple(to) && from.kind != FieldType::Picklist => Stored::Null,
        (one, other) if one.is_text() && other.is_text() => match value {
            Stored::Text(text) => Stored::Text(text.chars().take(to.length).collect()),
            _ => Stored::Null,
        },
        (one, other) if one.is_text() && other.is_number() => match value {
            Stored::Text(text) => text.trim().parse().map_or(Stored::Null, |n: f64| number(n, other)),
            _ => Stored::Null,
        },
        (one, other) if one.is_number() && other.is_number() => match value {
            Stored::Integer(n) => number(n as f64, other),
            Stored::Real(n) => number(n, other),
            _ => Stored::Null,
        },
        (one, other) if one.is_number() && other.is_text() => {
            spelled(&value).map_or(Stored::Null, |text| Stored::Text(text.chars().take(to.length).collect()))
        }
        // To and from dates, times and checkboxes.
        _ => Stored::Null,
    }
}

fn number(n: f64, kind: FieldType) -> Stored {
    match kind {
        _ if !n.is_finite() => Stored::Null,
        FieldType::Int | FieldType::Long => Stored::Integer(n.round() as i64),
        _ => Stored::Real(n),
    }
}
