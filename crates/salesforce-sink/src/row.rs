//! A row in its normal form: what was meant, before a route gives it a spelling. Null and absent mean the same on every route.
//!
//! | | JSON (single calls, Collections) | CSV (Bulk) |
//! |---|---|---|
//! | absent: the field is left alone | no member | empty cell |
//! | null: the field is emptied | `null` | `#N/A` |
//! | text, number, boolean | as JSON | as text |
//!
//! An empty text is null from the start: Salesforce keeps none, and a cell of CSV could not tell it from absent.

use std::{fmt::Write as _, sync::Arc};

use salesforce_client::{FieldName, SObjectName};
use serde_json::value::RawValue;

/// What stands in a cell of CSV to empty a field.
pub(crate) const NULL_IN_CSV: &str = "#N/A";

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    /// The field is to be emptied.
    Null,
    /// A text, never an empty one; the spelling of dates and ids too.
    Text(Box<str>),
    /// A number or a boolean, as JSON writes it.
    Literal(Box<str>),
}

impl Cell {
    /// A text; an empty one is null.
    pub(crate) fn text(text: impl Into<Box<str>>) -> Cell {
        let text = text.into();
        if text.is_empty() { Cell::Null } else { Cell::Text(text) }
    }

    /// A number or boolean.
    pub(crate) fn literal(text: impl Into<Box<str>>) -> Cell {
        Cell::Literal(text.into())
    }

    /// What stands there, without quotes; `None` for null.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Cell::Null => None,
            Cell::Text(text) | Cell::Literal(text) => Some(text),
        }
    }

    /// Whether a cell of CSV can say this: the text `#N/A` would empty the field.
    pub(crate) fn fits_csv(&self) -> bool {
        !matches!(self, Cell::Text(text) if **text == *NULL_IN_CSV)
    }

    pub(crate) fn in_csv(&self) -> &str {
        self.as_str().unwrap_or(NULL_IN_CSV)
    }

    pub(crate) fn write_json(&self, out: &mut String) {
        match self {
            Cell::Null => out.push_str("null"),
            Cell::Literal(text) => out.push_str(text),
            Cell::Text(text) => write_text(text, out),
        }
    }
}

/// Writes a JSON string.
pub(crate) fn write_text(text: &str, out: &mut String) {
    out.push_str(&serde_json::to_string(text).expect("a text is always JSON"));
}

/// Where a value goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    /// Into a field.
    Field(FieldName),
    /// Into a reference, by what the parent is called in a field of its own.
    Parent {
        /// The reference, such as `AccountId`.
        reference: FieldName,
        /// What the parent is called as part of the row, such as `Account`.
        relationship: Box<str>,
        /// The parent's object, where the reference may point to several.
        object: Option<SObjectName>,
        /// The parent's field that is matched.
        by: FieldName,
    },
}

impl Column {
    /// The field that is written in the end.
    pub(crate) fn writes(&self) -> &FieldName {
        match self {
            Column::Field(field) => field,
            Column::Parent { reference, .. } => reference,
        }
    }

    /// The header of the column in CSV.
    pub(crate) fn header(&self) -> String {
        match self {
            Column::Field(field) => field.to_string(),
            Column::Parent { relationship, object: None, by, .. } => format!("{relationship}.{by}"),
            Column::Parent { relationship, object: Some(object), by, .. } => format!("{object}:{relationship}.{by}"),
        }
    }

    /// Writes a member. A reference is emptied by its own name: a null parent would be refused by some routes.
    fn write_json(&self, cell: &Cell, out: &mut String) {
        match self {
            Column::Parent { relationship, object, by, .. } if *cell != Cell::Null => {
                let _ = write!(out, "\"{relationship}\":{{");
                if let Some(object) = object {
                    let _ = write!(out, "\"attributes\":{{\"type\":\"{object}\"}},");
                }
                let _ = write!(out, "\"{by}\":");
                cell.write_json(out);
                out.push('}');
            }
            column => {
                let _ = write!(out, "\"{}\":", column.writes());
                cell.write_json(out);
            }
        }
    }
}

/// The fields of a record to be written, each at most once, neither its Id nor the field it is matched by among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    cells: Vec<(Arc<Column>, Cell)>,
}

impl Row {
    /// Sets a field; a later value takes the place of an earlier one.
    pub(crate) fn set(&mut self, column: Arc<Column>, cell: Cell) {
        match self.cells.iter_mut().find(|(own, _)| own.writes() == column.writes()) {
            Some(place) => *place = (column, cell),
            None => self.cells.push((column, cell)),
        }
    }

    /// Writes another row over this one.
    pub(crate) fn overlay(&mut self, later: Row) {
        for (column, cell) in later.cells {
            self.set(column, cell);
        }
    }

    /// Takes a field out; whether it was there.
    pub(crate) fn leave_out(&mut self, field: &str) -> bool {
        let before = self.cells.len();
        self.cells.retain(|(column, _)| !column.writes().same_as(field));
        self.cells.len() < before
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<Column>, &Cell)> {
        self.cells.iter().map(|(column, cell)| (column, cell))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Whether any field is emptied.
    pub(crate) fn clears(&self) -> bool {
        self.cells.iter().any(|(_, cell)| *cell == Cell::Null)
    }

    /// Whether CSV can say all of it.
    pub(crate) fn fits_csv(&self) -> bool {
        self.cells.iter().all(|(_, cell)| cell.fits_csv())
    }

    /// About how long it is when written, in bytes.
    pub(crate) fn size(&self) -> usize {
        let cell = |(column, cell): &(Arc<Column>, Cell)| {
            column.writes().as_str().len() + cell.as_str().map_or(4, str::len) + 6
        };
        self.cells.iter().map(cell).sum()
    }

    /// The row as a JSON object, `first` being members that go before its own.
    pub(crate) fn json(&self, first: &[(&str, &Cell)]) -> Box<RawValue> {
        self.json_after(String::from("{"), first)
    }

    /// As [`Row::json`], with the type of the record, as Collections ask for it.
    pub(crate) fn typed_json(&self, object: &SObjectName, first: &[(&str, &Cell)]) -> Box<RawValue> {
        self.json_after(format!("{{\"attributes\":{{\"type\":\"{object}\"}}"), first)
    }

    fn json_after(&self, mut out: String, first: &[(&str, &Cell)]) -> Box<RawValue> {
        out.reserve(self.size());
        let mut comma = |out: &mut String| {
            if out.len() > 1 {
                out.push(',');
            }
        };
        for (name, cell) in first {
            comma(&mut out);
            let _ = write!(out, "\"{name}\":");
            cell.write_json(&mut out);
        }
        for (column, cell) in &self.cells {
            comma(&mut out);
            column.write_json(cell, &mut out);
        }
        out.push('}');
        RawValue::from_string(out).expect("names have no characters to escape, and cells are JSON")
    }
}
