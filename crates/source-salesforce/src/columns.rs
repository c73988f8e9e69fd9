//! What a Bulk job selects of an object, and how the cells of its rows become the fields of documents: the same bytes that the
//! record of a page becomes.

use std::sync::Arc;

use salesforce_client::{Describe, Field, FieldName, FieldType, RecordId, SObjectName, bulk::Row, parse_datetime};

use crate::{
    capture::second::Second,
    cell::{self, Misfit},
    error::Error,
    row::Facts,
};

/// The columns of a job's results, and the fields that they make up.
#[derive(Debug, Clone)]
pub struct Columns {
    /// Their names.
    pub names: Arc<[FieldName]>,
    /// All fields but `Id`.
    fields: Vec<Source>,
    /// The columns that tell when a row changed last, when it was created, and whether it is deleted.
    cursor: Option<usize>,
    created: Option<usize>,
    deleted: Option<usize>,
}

/// Where a field of a document comes from.
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
    /// `,"NAME":`, as it stands in JSON; with a brace for the comma where it is the first of its compound.
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
    /// The columns that bring these fields. `cursor`: the one that tells when a row changed last.
    ///
    /// # Errors
    /// The first field that no column brings.
    pub fn of(describe: &Describe, fields: &[Field], cursor: Option<&str>) -> Result<Self, FieldName> {
        let mut names = Vec::new();
        let mut column_of = |name: &FieldName| match names.iter().position(|known| known == name) {
            Some(column) => column,
            None => {
                names.push(name.clone());
                names.len() - 1
            }
        };
        let mut member = |separator: char, name: &str, field: &Field| Member {
            key: key(separator, name),
            kind: field.kind.clone(),
            column: column_of(&field.name),
        };
        let source = |field: &Field| {
            if cell::carries(&field.kind) {
                return Ok(Source::Cell(member(',', field.name.as_str(), field)));
            }
            let parts = parts(describe, field).ok_or_else(|| field.name.clone())?;
            let separators = std::iter::once('{').chain(std::iter::repeat(','));
            let parts = separators.zip(parts).map(|(separator, (name, part))| member(separator, name, part)).collect();
            Ok(Source::Parts { key: key(',', field.name.as_str()), parts })
        };
        let mut sources = fields.iter().map(source).collect::<Result<Vec<_>, _>>()?;
        let place = |name: &str| names.iter().position(|known| known.same_as(name));
        let id = place("Id");
        sources.retain(|source| !matches!(source, Source::Cell(member) if Some(member.column) == id));
        Ok(Self {
            cursor: cursor.and_then(place),
            created: place("CreatedDate"),
            deleted: place("IsDeleted"),
            fields: sources,
            names: names.into(),
        })
    }

    /// What the merge asks of a row.
    ///
    /// # Errors
    /// When its id is none.
    pub fn facts(&self, row: &Row<'_>) -> Result<Facts, salesforce_client::Error> {
        let cell = |column: Option<usize>| column.and_then(|column| row.cell(column));
        let changed = cell(self.cursor);
        Ok(Facts {
            id: row.id()?,
            stamp: changed.and_then(parse_datetime).map(Second::from),
            is_new: changed.is_some() && changed == cell(self.created),
            is_deleted: cell(self.deleted) == Some("true"),
        })
    }

    /// Appends the fields of a row as documents spell them: each `,"NAME":VALUE`, all but `Id`.
    ///
    /// # Errors
    /// When a cell is not of its field's type.
    pub fn write(&self, out: &mut Vec<u8>, row: &Row<'_>) -> Result<(), BadCell> {
        for field in &self.fields {
            match field {
                Source::Cell(member) => self.write_member(out, member, row)?,
                Source::Parts { key, parts } => {
                    out.extend_from_slice(key.as_bytes());
                    // A compound without a part is none.
                    if parts.iter().all(|part| row.cell(part.column).is_none_or(str::is_empty)) {
                        out.extend_from_slice(b"null");
                        continue;
                    }
                    parts.iter().try_for_each(|part| self.write_member(out, part, row))?;
                    out.push(b'}');
                }
            }
        }
        Ok(())
    }

    fn write_member(&self, out: &mut Vec<u8>, member: &Member, row: &Row<'_>) -> Result<(), BadCell> {
        let Member { key, kind, column } = member;
        out.extend_from_slice(key.as_bytes());
        cell::write(out, kind, row.cell(*column).unwrap_or_default())
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
fn key(separator: char, name: &str) -> Box<str> {
    format!("{separator}\"{name}\":").into()
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
