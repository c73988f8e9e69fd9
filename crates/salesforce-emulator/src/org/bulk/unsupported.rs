//! What Bulk API 2.0 does not query: whole objects, and parts of SOQL.

use super::settings::BulkSettings;
use crate::org::reading::refuse;
use crate::org::{Field, FieldType, Refusal, SObject, Schema};
use crate::soql::{self, Gap, Query, Select, SelectItem};

/// Objects of which clients have seen the refusal. Salesforce's own list is open-ended and nowhere written down.
pub(super) const OBJECTS: [&str; 19] = [
    "AcceptedEventRelation",
    "AssetTokenEvent",
    "AttachedContentNote",
    "CaseStatus",
    "ContractStatus",
    "DeclinedEventRelation",
    "EventWhoRelation",
    "FieldSecurityClassification",
    "OrderStatus",
    "PartnerRole",
    "QuoteTemplateRichTextData",
    "RecentlyViewed",
    "ServiceAppointmentStatus",
    "ShiftStatus",
    "SolutionStatus",
    "TaskPriority",
    "TaskStatus",
    "TaskWhoRelation",
    "UndecidedEventRelation",
];

/// Big objects and external objects.
const SUFFIXES: [&str; 2] = ["__b", "__x"];

/// Is the object one that Bulk API 2.0 knows?
///
/// # Errors
/// `INVALIDENTITY` if not.
pub(super) fn object(settings: &BulkSettings, object: &SObject) -> Result<(), Refusal> {
    let name = object.name.as_str();
    let listed = settings.unsupported.iter().any(|unsupported| unsupported == name);
    if !listed && !SUFFIXES.iter().any(|suffix| name.ends_with(suffix)) {
        return Ok(());
    }
    Err(Refusal::bad("INVALIDENTITY", format!("Entity '{name}' is not supported by the Bulk API.")))
}

/// Reads a query as a query job may have it.
///
/// # Errors
/// What SOQL refuses anyway, and `FUNCTIONALITY_NOT_ENABLED` for what a job may not have.
pub(super) fn parse(text: &str) -> Result<Query, Refusal> {
    let query = soql::parse(text).map_err(|error| match error {
        soql::Error::Gap(Gap::Aggregate(_)) => not_enabled(AGGREGATE),
        error => refuse(error),
    })?;
    for (has, refusal) in [
        (query.select == Select::Count || query.has_aggregates(), AGGREGATE),
        (query.has_sub_queries(), "Aggregate Relationship not supported in Bulk Query"),
        (query.has_type_of(), "TYPEOF not supported in Bulk Query"),
        (query.has_field_sets(), "FIELDS function not supported in Bulk Query"),
    ] {
        if has {
            return Err(not_enabled(refusal));
        }
    }
    if query.offset.is_some() {
        return Err(not_enabled("OFFSET clause not supported in Bulk Query"));
    }
    Ok(query)
}

const AGGREGATE: &str = "Aggregate queries not supported in Bulk Query";

/// Are the selected fields of types that fit into a cell?
///
/// # Errors
/// `API_ERROR` for compounds, `FEATURENOTENABLED` for binary content. Fields that are not there are left to the compiler.
pub(super) fn fields(schema: &Schema, object: &SObject, query: &Query) -> Result<(), Refusal> {
    let Select::Items(items) = &query.select else { return Ok(()) };
    for item in items {
        let SelectItem::Field(path) = item else { continue };
        match selected(schema, object, &path.names).map(|field| field.kind) {
            Some(FieldType::Address | FieldType::Location) => {
                return Err(Refusal::bad("API_ERROR", "Selecting compound data not supported in Bulk Query"));
            }
            Some(FieldType::Base64) => return Err(Refusal::bad("FEATURENOTENABLED", "Binary field not supported")),
            _ => {}
        }
    }
    Ok(())
}

/// The field at the end of a path, through whichever parent has it.
fn selected<'a>(schema: &'a Schema, object: &'a SObject, names: &[String]) -> Option<&'a Field> {
    match names {
        [] => None,
        [name] => object.field(name),
        [relationship, rest @ ..] => match object.parent(relationship) {
            Some(field) => {
                let mut parents = field.reference_to.iter().filter_map(|name| schema.object(name));
                parents.find_map(|parent| selected(schema, parent, rest))
            }
            // The query's own alias.
            None => selected(schema, object, rest),
        },
    }
}

fn not_enabled(message: &str) -> Refusal {
    Refusal::bad("FUNCTIONALITY_NOT_ENABLED", message)
}
