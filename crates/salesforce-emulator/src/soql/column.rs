//! How a field is read: the SQL of its value, as the user sees it, and what a query may do with it.

use super::compile::Output;
use super::path::Target;
use super::query::Aggregate;
use crate::org::{Field, FieldType, Mask, SObject};

/// Something with a value that a query can show, compare, order or group by.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// Canonical name.
    pub(super) name: String,
    pub(super) kind: FieldType,
    /// SQL of the value to compare and to sort by.
    pub(super) value: String,
    /// SQL of the value to show.
    pub(super) shown: String,
    pub(super) filterable: bool,
    pub(super) sortable: bool,
    pub(super) groupable: bool,
    pub(super) aggregatable: bool,
    /// May be null, or belongs to a parent that may be absent.
    pub(super) nillable: bool,
}

/// What every polymorphic parent can be asked for: the fields of the object `Name`.
const NAME_FIELDS: [(&str, FieldType); 13] = [
    ("Alias", FieldType::String),
    ("Email", FieldType::Email),
    ("FirstName", FieldType::String),
    ("Id", FieldType::Id),
    ("IsActive", FieldType::Boolean),
    ("LastName", FieldType::String),
    ("Name", FieldType::String),
    ("Phone", FieldType::Phone),
    ("ProfileId", FieldType::Reference),
    ("Title", FieldType::String),
    ("Type", FieldType::Picklist),
    ("UserRoleId", FieldType::Reference),
    ("Username", FieldType::String),
];

impl Column {
    /// A field of a table's alias.
    pub(super) fn of(alias: &str, field: &Field, optional: bool) -> Self {
        Self {
            name: field.name.clone(),
            kind: field.kind,
            value: value(alias, field),
            shown: shown(alias, field),
            filterable: field.filterable && !field.kind.is_compound(),
            sortable: field.sortable && !field.kind.is_compound(),
            groupable: field.groupable,
            aggregatable: field.aggregatable,
            nillable: field.nillable || optional,
        }
    }

    /// A field of the record behind a polymorphic reference, whatever that record is; `None` if `Name` has no such field.
    /// `reference` is the SQL of its id.
    pub(super) fn of_any(reference: &str, targets: &[Target], name: &str) -> Option<Self> {
        let (name, kind) = NAME_FIELDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        let mut cases = String::new();
        for Target { object: target, seen } in targets {
            let seen = seen.as_ref().map(|seen| format!(" AND {seen}")).unwrap_or_default();
            let (Some(prefix), Some(field)) =
                (&target.key_prefix, target.field(if *name == "Type" { "Id" } else { name }))
            else {
                continue;
            };
            let wanted = if *name == "Type" { format!("'{}'", target.name) } else { value("p", field) };
            cases.push_str(&format!(
                " WHEN '{prefix}' THEN (SELECT {wanted} FROM \"{}\" p WHERE p.\"Id\"={reference}{seen})",
                target.name
            ));
        }
        let collation = if kind.is_text() { " COLLATE NOCASE" } else { "" };
        let sql = match cases.as_str() {
            "" => "NULL".to_owned(),
            cases => format!("(CASE substr({reference},1,3){cases} END{collation})"),
        };
        Some(Self {
            name: (*name).to_owned(),
            kind: *kind,
            value: sql.clone(),
            shown: sql,
            filterable: true,
            sortable: true,
            groupable: true,
            aggregatable: *kind != FieldType::Boolean,
            nillable: true,
        })
    }

    /// A function of this column over the rows of a group; `None` if there is no such function of its type. (SOQL
    /// reference, "Support for Field Types in Aggregate Functions".)
    pub(super) fn aggregate(self, function: Aggregate) -> Option<Self> {
        use FieldType::{AnyType, Base64, Boolean, Double, EncryptedString, Int, MultiPicklist, Time};
        let none = self.kind.is_compound()
            || matches!(self.kind, AnyType | Base64 | Boolean | EncryptedString | MultiPicklist | Time);
        let (call, kind) = match function {
            _ if none || !self.aggregatable => return None,
            // Ids are never null: this counts rows.
            Aggregate::Count => (format!("COUNT({})", self.value), Int),
            Aggregate::CountDistinct => (format!("COUNT(DISTINCT {})", self.value), Int),
            Aggregate::Minimum => (format!("MIN({})", self.value), self.kind),
            Aggregate::Maximum => (format!("MAX({})", self.value), self.kind),
            Aggregate::Sum | Aggregate::Average if !self.kind.is_number() => return None,
            Aggregate::Sum => (format!("SUM({})", self.value), self.kind),
            Aggregate::Average => (format!("AVG({})", self.value), Double),
        };
        Some(Self { kind, value: call.clone(), shown: call, filterable: true, sortable: true, nillable: true, ..self })
    }
}

fn value(alias: &str, field: &Field) -> String {
    match field.formula() {
        Some(formula) if field.kind.is_text() && !field.case_sensitive => {
            format!("({} COLLATE NOCASE)", formula.sql(alias))
        }
        Some(formula) => formula.sql(alias),
        None => format!("{alias}.\"{}\"", field.name),
    }
}

/// Masked if it is encrypted; of binary content only whether there is any.
fn shown(alias: &str, field: &Field) -> String {
    let value = value(alias, field);
    let hide = |length: &str| format!("replace(hex(zeroblob({length})),'00','X')");
    match (field.kind, field.mask()) {
        (FieldType::Base64, _) => format!("({value} IS NOT NULL)"),
        (_, Some(Mask::All)) => format!("CASE WHEN {value} IS NOT NULL THEN {} END", hide(&format!("length({value})"))),
        (_, Some(Mask::LastFour)) => {
            let hidden = format!("max(length({value})-4,0)");
            format!("{}||substr({value},-4)", hide(&hidden))
        }
        (_, None) => value,
    }
}
/// The members of a compound with the fields they are read from, in the order of the events' keys. A member without a
/// field of its own is null; codes of states and countries are there only where the org has picklists for them.
pub(super) fn parts<'a>(object: &'a SObject, compound: &Field) -> Vec<(&'static str, Option<&'a Field>)> {
    let part = |key: &str| {
        let stem = compound.name.strip_suffix("__c");
        let standard = compound.name.strip_suffix("Address").unwrap_or(&compound.name);
        object.field(&stem.map_or_else(|| format!("{standard}{key}"), |stem| format!("{stem}__{key}__s")))
    };
    if compound.kind == FieldType::Location {
        return ["Latitude", "Longitude"].map(|key| (key, part(key))).to_vec();
    }
    let keys = [
        "City",
        "Country",
        "CountryCode",
        "GeocodeAccuracy",
        "Latitude",
        "Longitude",
        "PostalCode",
        "State",
        "StateCode",
        "Street",
    ];
    let named = |key: &'static str| match key {
        "Country" | "State" => Some((key, part(key).or_else(|| part(&format!("{key}Code"))))),
        "CountryCode" | "StateCode" => part(key).map(|field| (key, Some(field))),
        _ => Some((key, part(key))),
    };
    keys.into_iter().filter_map(named).collect()
}

impl Output {
    /// The name of the member it becomes.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Field { name, .. }
            | Self::Blob { name, .. }
            | Self::Compound { name, .. }
            | Self::Label { name, .. }
            | Self::Parent { name, .. }
            | Self::AnyParent { name, .. }
            | Self::OneOf { name, .. }
            | Self::Children { name, .. } => name,
        }
    }
}
