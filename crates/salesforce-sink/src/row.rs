//! A row in its normal form: what was meant, before a route gives it a spelling. Null and absent mean the same on every route.
//!
//! | | JSON (single calls, Collections) | CSV (Bulk) |
//! |---|---|---|
//! | absent: the field is left alone | no member | empty cell |
//! | null: the field is emptied | `null` | `#N/A` |
//! | text, number, boolean | as JSON | as text |
//!
//! An empty text is null from the start: Salesforce keeps none, and a cell of CSV could not tell it from absent.

use std::{collections::BTreeMap, sync::Arc};

use salesforce_client::{FieldName, SObjectName};
use serde::{Serialize, Serializer, ser::Error as _, ser::SerializeMap as _};
use serde_json::value::{RawValue, to_raw_value};

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
}

/// Where a value goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Column {
    /// The field that is written in the end.
    pub(crate) field: FieldName,
    /// Whether an insert can write it.
    pub(crate) createable: bool,
    /// Set for a reference whose value is not an Id, but what the parent is called.
    pub(crate) parent: Option<Parent>,
}

/// How a reference is told by a field of the parent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Parent {
    /// What the parent is called as part of the row, such as `Account`.
    pub(crate) relationship: FieldName,
    /// The parent's object, where the reference may point to several.
    pub(crate) object: Option<SObjectName>,
    /// The parent's field that is matched.
    pub(crate) by: FieldName,
}

impl Column {
    /// The header of the column in CSV.
    pub(crate) fn header(&self) -> String {
        match &self.parent {
            None => self.field.to_string(),
            Some(Parent { relationship, object: None, by }) => format!("{relationship}.{by}"),
            Some(Parent { relationship, object: Some(object), by }) => format!("{object}:{relationship}.{by}"),
        }
    }

    /// The parent that this cell names. A reference is emptied by its own name: a null parent is refused by some routes.
    fn parent_of<'a>(&'a self, cell: &'a Cell) -> Option<(&'a FieldName, NamedParent<'a>)> {
        let parent = self.parent.as_ref().filter(|_| *cell != Cell::Null)?;
        Some((&parent.relationship, NamedParent { object: parent.object.as_ref(), by: &parent.by, cell }))
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
        match self.cells.iter_mut().find(|(own, _)| own.field == column.field) {
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
        self.cells.retain(|(column, _)| !column.field.same_as(field));
        self.cells.len() < before
    }

    /// Takes these fields out, as a row of their own.
    pub(crate) fn split_off(&mut self, fields: &[FieldName]) -> Row {
        Row { cells: self.cells.extract_if(.., |(column, _)| fields.contains(&column.field)).collect() }
    }

    /// The value of a field, if it is there and not told by a parent.
    pub(crate) fn get(&self, field: &str) -> Option<&Cell> {
        self.cells
            .iter()
            .find(|(column, _)| column.parent.is_none() && column.field.same_as(field))
            .map(|(_, cell)| cell)
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

    /// Whether an insert can write every field of it.
    pub(crate) fn can_be_created(&self) -> bool {
        self.cells.iter().all(|(column, _)| column.createable)
    }

    /// Whether CSV can say all of it. A reference that one row names by its parent and another empties would stand in two columns.
    pub(crate) fn fits_csv(&self) -> bool {
        let fits = |column: &Column, cell: &Cell| cell.fits_csv() && (column.parent.is_none() || *cell != Cell::Null);
        self.cells.iter().all(|(column, cell)| fits(column, cell))
    }

    /// About how long it is when written, in bytes.
    pub(crate) fn size(&self) -> usize {
        let cell =
            |(column, cell): &(Arc<Column>, Cell)| column.field.as_str().len() + cell.as_str().map_or(4, str::len) + 6;
        self.cells.iter().map(cell).sum()
    }

    /// The row as the body of a request.
    pub(crate) fn body(&self) -> salesforce_client::Fields {
        let mut body = salesforce_client::Fields::new();
        for (column, cell) in &self.cells {
            match column.parent_of(cell) {
                Some((relationship, parent)) => body.put(relationship, &parent),
                None => body.put(&column.field, cell),
            }
        }
        body
    }

    /// The row as a JSON object, `name` being what it is called: what people are shown.
    pub(crate) fn shown(&self, name: Option<(&str, &Cell)>) -> Box<RawValue> {
        to_raw_value(&Shown { name, row: self }).expect("names are texts, and cells JSON")
    }
}

struct Shown<'a> {
    name: Option<(&'a str, &'a Cell)>,
    row: &'a Row,
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some((name, cell)) = self.name {
            map.serialize_entry(name, cell)?;
        }
        for (column, cell) in &self.row.cells {
            match column.parent_of(cell) {
                Some((relationship, parent)) => map.serialize_entry(relationship, &parent)?,
                None => map.serialize_entry(&column.field, cell)?,
            }
        }
        map.end()
    }
}

/// A parent by what it is called; where there are several objects, which one comes first.
struct NamedParent<'a> {
    object: Option<&'a SObjectName>,
    by: &'a FieldName,
    cell: &'a Cell,
}

impl Serialize for NamedParent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(object) = self.object {
            map.serialize_entry("attributes", &BTreeMap::from([("type", object)]))?;
        }
        map.serialize_entry(self.by, self.cell)?;
        map.end()
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Cell::Null => serializer.serialize_none(),
            Cell::Text(text) => serializer.serialize_str(text),
            Cell::Literal(text) => {
                serde_json::from_str::<&RawValue>(text).map_err(S::Error::custom)?.serialize(serializer)
            }
        }
    }
}
