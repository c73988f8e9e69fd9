//! What a reference may point to, and records that are named by what identifies them to the outside world instead of by
//! their ids: `{"Account": {"Number__c": "123"}}`. (REST API Developer Guide, "Upsert Using an External ID"; codes and
//! texts seen in client code.)

use serde_json::Value as Json;

use crate::org::schema::{Field, SObject};
use crate::org::{Id, Refusal, Transaction};

impl Transaction<'_> {
    /// Refuses an id that belongs to another object than the field refers to, or to no live record.
    pub(super) fn check_reference(&self, field: &Field, target: &str) -> Result<(), Refusal> {
        let Some(id) = Id::parse(target) else { return Ok(()) };
        let Some(object) = self.views.whole.of_id(id) else { return Ok(()) };
        if !field.reference_to.contains(&object.name) {
            let message = format!("{}: id value of incorrect type: {id}", field.label);
            return Err(Refusal::field("FIELD_INTEGRITY_EXCEPTION", message, &field.name));
        }
        if self.database.lives(object, id)? {
            return self.check_sight(object, id);
        }
        let message = "invalid cross reference id";
        Err(Refusal { fields: Some(Vec::new()), ..Refusal::bad("INVALID_CROSS_REFERENCE_KEY", message) })
    }

    /// The id of the record that a nested object names, for the field that refers to it; null for null.
    ///
    /// # Errors
    /// `JSON_PARSER_ERROR` if it does not begin with `attributes` where the object must be told, `INVALID_TYPE` if the
    /// field does not refer to such, `INVALID_FIELD` if nothing is found or if it is no field that finds something,
    /// `DUPLICATE_EXTERNAL_ID` if several are found.
    pub(super) fn referred(&mut self, field: &Field, nested: &Json) -> Result<Json, Refusal> {
        let Json::Object(nested) = nested else { return Ok(Json::Null) };
        let kind = match nested.iter().next() {
            Some((first, attributes)) if first == "attributes" => attributes["type"].as_str(),
            _ => None,
        };
        let kind = match (kind, field.reference_to.as_slice()) {
            (Some(kind), _) => kind,
            (None, [only]) => only,
            (None, _) => {
                let message =
                    "Nested object for polymorphic foreign key must have an attributes field before any other fields.";
                return Err(Refusal::bad("JSON_PARSER_ERROR", message));
            }
        };
        let unsupported = || Refusal::bad("INVALID_TYPE", format!("sObject type '{kind}' is not supported."));
        if !field.reference_to.iter().any(|target| target.eq_ignore_ascii_case(kind)) {
            return Err(unsupported());
        }
        let parent = self.object(kind).map_err(|_| unsupported())?;
        let mut named = nested.iter().filter(|(name, _)| *name != "attributes");
        let (name, value) = match (named.next(), named.next()) {
            (Some(only), None) => only,
            (first, _) => {
                let many = if first.is_some() { "More than 1" } else { "No" };
                let message =
                    format!("{many} field provided in an external foreign key reference in entity: {}", parent.name);
                return Err(Refusal::bad("INVALID_FIELD", message));
            }
        };
        let by = parent.identifying(name).map_err(|_| {
            let message = format!(
                "Field name provided, {name} does not match an External ID, Salesforce Id, or indexed field for {}",
                parent.name
            );
            Refusal::bad("INVALID_FIELD", message)
        })?;
        match *self.identified(&parent, by, value)? {
            [id] => Ok(id.as_str().into()),
            [] => {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let message = format!(
                    "Foreign key external ID: {value} not found for field {} in entity {}",
                    by.name, parent.name
                );
                Err(Refusal::bad("INVALID_FIELD", message))
            }
            ref several => Err(Refusal::ambiguous(by, several)),
        }
    }
}

impl SObject {
    /// Where the field behind a relationship name such as `Owner` stands, in any case.
    pub(super) fn referring(&self, relationship: &str) -> Option<usize> {
        self.parent(relationship).and_then(|field| self.position(&field.name))
    }
}

impl Refusal {
    /// A value that was to name one record names several.
    pub(crate) fn ambiguous(field: &Field, ids: &[Id]) -> Self {
        let ids = ids.iter().map(Id::as_str).collect::<Vec<_>>().join(", ");
        let message = format!("{}: more than one record found for external id field: [{ids}]", field.label);
        Self::field("DUPLICATE_EXTERNAL_ID", message, &field.name)
    }
}
