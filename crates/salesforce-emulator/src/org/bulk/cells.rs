//! Rows → CSV cells: null is an empty cell, numbers and flags are spelled as in JSON, parents' fields are named by path.

use std::io::Write as _;

use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::dialect::{Dialect, quote};
use super::settings::BulkDatetimes;
use super::spool::Rows;
use crate::org::value::write_double;
use crate::org::{FieldType, Refusal};
use crate::soql::{Compiled, Output};

/// Versions before this one have their columns in alphabetical order.
const ORDERED_SINCE: f64 = 50.0;

/// How the rows of a query become CSV.
pub(super) struct Cells {
    columns: Vec<Column>,
    dialect: Dialect,
    datetimes: BulkDatetimes,
}

struct Column {
    /// `Name`, `Owner.Name`
    name: String,
    kind: FieldType,
    /// Place in the row.
    at: usize,
}

impl Cells {
    /// # Errors
    /// If a column is none that a cell can hold.
    pub(super) fn of(
        plan: &Compiled,
        version: &str,
        dialect: Dialect,
        datetimes: BulkDatetimes,
    ) -> Result<Self, Refusal> {
        let mut columns = Vec::new();
        flatten(&mut columns, "", &plan.outputs)?;
        if version.parse::<f64>().is_ok_and(|version| version < ORDERED_SINCE) {
            columns.sort_by(|one, other| one.name.cmp(&other.name));
        }
        Ok(Self { columns, dialect, datetimes })
    }

    pub(super) fn header(&self) -> Vec<u8> {
        let mut header = Vec::new();
        self.dialect.row(&mut header, self.columns.iter().map(|column| column.name.as_bytes()));
        header
    }

    /// Appends a row.
    pub(super) fn row(&self, rows: &mut Rows, row: &Row<'_>) -> rusqlite::Result<()> {
        for (number, column) in self.columns.iter().enumerate() {
            if number > 0 {
                rows.bytes.push(self.dialect.delimiter.byte());
            }
            self.cell(&mut rows.bytes, column.kind, row.get_ref(column.at)?);
        }
        self.dialect.end_row(&mut rows.bytes);
        rows.end();
        Ok(())
    }

    fn cell(&self, out: &mut Vec<u8>, kind: FieldType, value: ValueRef<'_>) {
        let suffixed = |out: &mut Vec<u8>, text: &[u8], suffix: &[u8]| {
            out.push(b'"');
            out.extend_from_slice(text);
            out.extend_from_slice(suffix);
            out.push(b'"');
        };
        match (kind, value) {
            (_, ValueRef::Null | ValueRef::Blob(_)) => out.extend_from_slice(b"\"\""),
            (FieldType::Boolean, ValueRef::Integer(flag)) => {
                out.extend_from_slice(if flag == 0 { b"\"false\"" } else { b"\"true\"" });
            }
            (FieldType::Double | FieldType::Currency | FieldType::Percent, ValueRef::Integer(n)) => {
                double(out, n as f64);
            }
            (_, ValueRef::Real(n)) => double(out, n),
            // Writing to memory cannot fail.
            (_, ValueRef::Integer(n)) => drop(write!(out, "\"{n}\"")),
            (FieldType::DateTime, ValueRef::Text(text)) => match self.datetimes {
                BulkDatetimes::Zulu => suffixed(out, text, b".000Z"),
                BulkDatetimes::Offset => suffixed(out, text, b".000+0000"),
            },
            (FieldType::Time, ValueRef::Text(text)) => suffixed(out, text, b".000Z"),
            (FieldType::AnyType, ValueRef::Text(json)) => match serde_json::from_slice::<String>(json) {
                Ok(text) => quote(out, text.as_bytes()),
                Err(_) => quote(out, json),
            },
            (_, ValueRef::Text(text)) => quote(out, text),
        }
    }
}

fn double(out: &mut Vec<u8>, n: f64) {
    out.push(b'"');
    write_double(out, n);
    out.push(b'"');
}

fn flatten(columns: &mut Vec<Column>, path: &str, outputs: &[Output]) -> Result<(), Refusal> {
    for output in outputs {
        let name = format!("{path}{}", output.name());
        match output {
            Output::Field { kind, column, .. } => columns.push(Column { name, kind: *kind, at: *column }),
            Output::Parent { outputs, .. } | Output::AnyParent { outputs, .. } => {
                flatten(columns, &format!("{name}."), outputs)?;
            }
            Output::Label { .. }
            | Output::OneOf { .. }
            | Output::Children { .. }
            | Output::Blob { .. }
            | Output::Compound { .. } => {
                return Err(Refusal::bad("API_ERROR", format!("{name} does not fit into a cell")));
            }
        }
    }
    Ok(())
}
