//! What a Bulk job selects of an object, and its rows as the records that pages bring.

use std::sync::Arc;

use salesforce_client::{Describe, Field, FieldName, FieldType, RecordId, SObjectName, bulk::Row};

use crate::{
    cell::{self, Misfit},
    error::Error,
};

/// The columns of a job's results, and the fields that they make up.
#[derive(Debug, Clone)]
pub struct Columns {
    /// Their names.
    pub names: Arc<[FieldName]>,
    fields: Vec<Source>,
}

/// Where a field of a record comes from.
#[derive(Debug, Clone)]
enum Source {
    Cell(Member),
    /// A compound, which Bulk does not carry, from the fields that are its parts.
    Parts {
        key: Box<str>,
        parts: Vec<Member>,
    },
}

/// A member of an object that a cell becomes.
#[derive(Debug, Clone)]
struct Member {
    /// `"NAME":`, as it stands in JSON.
    key: Box<str>,
    kind: FieldType,
    /// The place of its column.
    column: usize,
}

/// The parts of an address as records name them, in their order there. Codes are there only where the org has picklists of states
/// and countries (Object Reference, "Address Compound Fields").
const ADDRESS: [(&str, &str, bool); 10] = [
    ("city", "City", true),
    ("country", "Country", true),
    ("countryCode", "CountryCode", false),
    ("geocodeAccuracy", "GeocodeAccuracy", true),
    ("latitude", "Latitude", true),
    ("longitude", "Longitude", true),
    ("postalCode", "PostalCode", true),
    ("state", "State", true),
    ("stateCode", "StateCode", false),
    ("street", "Street", true),
];

/// The parts of a location.
const LOCATION: [(&str, &str, bool); 2] = [("latitude", "Latitude__s", true), ("longitude", "Longitude__s", true)];

impl Columns {
    /// The columns that bring these fields.
    ///
    /// # Errors
    /// The first field that no column brings.
    pub fn of(describe: &Describe, fields: &[Field]) -> Result<Self, FieldName> {
        let mut names = Vec::new();
        let mut column_of = |name: &FieldName| match names.iter().position(|known| known == name) {
            Some(column) => column,
            None => {
                names.push(name.clone());
                names.len() - 1
            }
        };
        let mut member = |name: &str, field: &Field| Member {
            key: key(name),
            kind: field.kind.clone(),
            column: column_of(&field.name),
        };
        let source = |field: &Field| {
            if cell::carries(&field.kind) {
                return Ok(Source::Cell(member(field.name.as_str(), field)));
            }
            let parts = parts(describe, field).ok_or_else(|| field.name.clone())?;
            let parts = parts.into_iter().map(|(name, part)| member(name, part)).collect();
            Ok(Source::Parts { key: key(field.name.as_str()), parts })
        };
        let fields = fields.iter().map(source).collect::<Result<_, _>>()?;
        Ok(Self { names: names.into(), fields })
    }

    /// Appends a row as a record, in JSON.
    ///
    /// # Errors
    /// When a cell is not of its field's type.
    pub fn write(&self, out: &mut Vec<u8>, row: &Row<'_>) -> Result<(), BadCell> {
        let cells: Vec<_> = row.cells().collect();
        let mut separator = b'{';
        for field in &self.fields {
            out.push(separator);
            separator = b',';
            match field {
                Source::Cell(member) => self.write_member(out, member, &cells)?,
                Source::Parts { key, parts } => {
                    out.extend_from_slice(key.as_bytes());
                    for (n, part) in parts.iter().enumerate() {
                        out.push(if n == 0 { b'{' } else { b',' });
                        self.write_member(out, part, &cells)?;
                    }
                    out.push(b'}');
                }
            }
        }
        out.push(b'}');
        Ok(())
    }

    fn write_member(&self, out: &mut Vec<u8>, member: &Member, cells: &[&str]) -> Result<(), BadCell> {
        let Member { key, kind, column } = member;
        out.extend_from_slice(key.as_bytes());
        cell::write(out, kind, cells.get(*column).copied().unwrap_or_default())
            .map_err(|source| BadCell { field: self.names[*column].clone(), source })
    }
}

/// A cell that cannot be what its field says.
#[derive(Debug)]
pub struct BadCell {
    field: FieldName,
    source: Misfit,
}

impl BadCell {
    /// As it ends a session, with the record's object and id.
    pub fn of(self, object: &SObjectName, id: RecordId) -> Error {
        Error::Cell { object: object.clone(), id, field: self.field, source: self.source }
    }
}

/// Names come from Salesforce's own describe: letters, digits and underscores.
fn key(name: &str) -> Box<str> {
    format!("\"{name}\":").into()
}

/// The parts of a compound; `None` if one is missing, or if it is no compound that is known to be the same as its parts.
fn parts<'a>(describe: &'a Describe, compound: &Field) -> Option<Vec<(&'static str, &'a Field)>> {
    let name = compound.name.as_str();
    let (stem, known) = match compound.kind {
        FieldType::Address => (name.strip_suffix("Address")?.to_owned(), &ADDRESS[..]),
        FieldType::Location => (format!("{}__", name.strip_suffix("__c")?), &LOCATION[..]),
        _ => return None,
    };
    let is_part = |field: &&Field| {
        field.compound_field_name.as_deref() == Some(name) && cell::carries(&field.kind) && !field.deprecated_and_hidden
    };
    let mut parts = Vec::new();
    for (member, suffix, is_always_there) in known {
        match describe.field(&format!("{stem}{suffix}")).filter(is_part) {
            Some(part) => parts.push((*member, part)),
            None if *is_always_there => return None,
            None => {}
        }
    }
    Some(parts)
}
