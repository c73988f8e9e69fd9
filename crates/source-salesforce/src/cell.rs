//! Cells of Bulk API results as the JSON that documents hold: CSV loses what JSON says, and the type of the field tells it again.

use std::io::Write as _;

use salesforce_client::FieldType;
use serde_json::value::RawValue;

/// A cell that cannot be what its field says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no {expected}")]
pub struct Misfit {
    expected: &'static str,
}

/// Whether Bulk results carry fields of this type without loss. Compounds and files cannot be selected, lists are not returned, and
/// a cell does not tell whether an `anyType` was a text or a number (Bulk API 2.0 developer guide).
pub fn carries(kind: &FieldType) -> bool {
    !matches!(
        kind,
        FieldType::Address
            | FieldType::Location
            | FieldType::Base64
            | FieldType::AnyType
            | FieldType::JunctionIdList
            | FieldType::ComplexValue
            | FieldType::Json
            | FieldType::RelationshipInfo
            | FieldType::Other(_)
    )
}

/// Appends the JSON of a cell of a type that Bulk results carry. An empty cell is null: Salesforce stores no empty texts.
///
/// # Errors
/// When the cell is not of its type.
pub fn write(out: &mut Vec<u8>, kind: &FieldType, cell: &str) -> Result<(), Misfit> {
    if cell.is_empty() {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    match kind {
        FieldType::Boolean if !matches!(cell, "true" | "false") => return Err(Misfit { expected: "boolean" }),
        FieldType::Int | FieldType::Long | FieldType::Double | FieldType::Currency | FieldType::Percent
            if !is_number(cell) =>
        {
            return Err(Misfit { expected: "number" });
        }
        FieldType::Boolean
        | FieldType::Int
        | FieldType::Long
        | FieldType::Double
        | FieldType::Currency
        | FieldType::Percent => out.extend_from_slice(cell.as_bytes()),
        FieldType::DateTime => {
            let time = cell.strip_suffix("+0000").or_else(|| cell.strip_suffix('Z'));
            let time = time.ok_or(Misfit { expected: "point in time in UTC" })?;
            // Writing to memory does not fail.
            let _ = write!(out, "\"{time}Z\"");
        }
        _ => {
            // Neither does writing a text.
            let _ = serde_json::to_writer(out, cell);
        }
    }
    Ok(())
}

/// Whether the cell is a number as JSON writes it: plain or scientific.
fn is_number(cell: &str) -> bool {
    let is_json =
        |cell: &str| serde_json::from_str::<&RawValue>(cell).is_ok_and(|value| value.get().len() == cell.len());
    cell.starts_with(|first: char| first == '-' || first.is_ascii_digit()) && is_json(cell)
}
