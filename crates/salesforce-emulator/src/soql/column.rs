//! How a field is read: the SQL of its value, as the user sees it.

use super::compile::Output;
use crate::org::{Field, FieldType, Mask, SObject};

/// The value to compare and to sort by.
pub(super) fn value(alias: &str, field: &Field) -> String {
    match field.formula() {
        Some(formula) => formula.sql(alias),
        None => format!("{alias}.\"{}\"", field.name),
    }
}

/// The value to show: masked if it is encrypted; of binary content only whether there is any.
pub(super) fn shown(alias: &str, field: &Field) -> String {
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
    pub fn name(&self) -> &str {
        match self {
            Self::Field { name, .. }
            | Self::Blob { name, .. }
            | Self::Compound { name, .. }
            | Self::Parent { name, .. } => name,
        }
    }
}
