//! A binding held against its object: where each field of the collection goes, and where it cannot go and why. Pure.

use std::collections::BTreeMap;

use flow_protocol::materialize::{Collection, Constraint, ConstraintKind, Projection};
use salesforce_client::{Describe, Field, FieldName, FieldType, SObjectName};
use salesforce_endpoint::closest;
use salesforce_sink::{LeftOut, Operation, Prepared, takes};
use serde_json::value::RawValue;

use crate::{
    resource::{Policy, Resource},
    rules::{self, FieldRule},
    target::{Parent, target},
};

/// Where the fields of a collection go.
#[derive(Debug)]
pub struct Mapping {
    /// The object with the rules, ready to be written to.
    pub prepared: Prepared,
    /// What the user says of single fields, by field.
    pub rules: BTreeMap<String, FieldRule>,
    /// How documents are written.
    pub operation: Operation,
    key: KeyField,
    object: SObjectName,
}

/// The field of the collection that holds its key.
#[derive(Debug, Clone)]
struct KeyField {
    field: String,
    matches: Option<FieldName>,
}

impl Mapping {
    /// Holds a binding against its object. `keys` are the fields of the key, `rules` what the user says of single fields, `parents`
    /// what the bindings of this materialization write.
    ///
    /// # Errors
    /// All that is wrong, each in one line.
    pub fn of(
        resource: &Resource,
        collection: &Collection,
        keys: &[String],
        rules: &BTreeMap<String, Box<RawValue>>,
        describe: &Describe,
        parents: &[Parent],
    ) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let rules = rules::parse(rules).unwrap_or_else(|problem| {
            problems.push(problem);
            BTreeMap::new()
        });
        let key = key_field(resource, collection, keys, describe).unwrap_or_else(|problem| {
            problems.push(problem);
            None
        });
        let matches = key.as_ref().map(|key| key.matches.clone());
        let target = matches.map(|field| target(resource, field, &rules, describe, parents, &mut problems));
        let prepared = target.and_then(|target| match target.prepare(describe) {
            Ok(prepared) => Some(prepared),
            Err(complaints) => {
                problems.extend(complaints.iter().map(ToString::to_string));
                None
            }
        });
        match (prepared, key) {
            (Some(prepared), Some(key)) if problems.is_empty() => Ok(Self {
                prepared,
                rules,
                operation: resource.policy.operation(),
                key,
                object: describe.name().clone(),
            }),
            _ => Err(problems),
        }
    }

    /// What each field of the collection is fit for.
    ///
    /// # Errors
    /// The fields that Salesforce requires of a new record and no field of the collection fills, in one line.
    pub fn constraints(&self, collection: &Collection, describe: &Describe) -> Result<Vec<Constraint>, String> {
        let filled = |field: &Field| {
            let goes_there = |projection: &Projection| {
                self.destination(projection).is_ok_and(|destination| destination.name == field.name)
            };
            collection.projections.iter().any(goes_there)
        };
        let is_open = |field: &&Field| {
            let is_matched = self.key.matches.as_ref().is_some_and(|name| field.name == *name);
            field.required() && field.kind != FieldType::Boolean && !is_matched && !filled(field)
        };
        let open: Vec<&str> = match self.operation {
            Operation::Update | Operation::Delete => Vec::new(),
            Operation::Insert | Operation::Upsert => {
                describe.fields.iter().filter(is_open).map(|field| field.name.as_str()).collect()
            }
        };
        if !open.is_empty() {
            return Err(format!(
                "{} requires {} of a new record, and no field of the collection goes there: name one in its field config, or set \
                 operation to update",
                self.object,
                open.join(", ")
            ));
        }
        Ok(collection.projections.iter().map(|projection| self.constraint(projection, describe)).collect())
    }

    fn constraint(&self, projection: &Projection, describe: &Describe) -> Constraint {
        let constraint = |kind, reason: String, folded_field: Option<String>| Constraint {
            field: projection.field.clone(),
            kind,
            reason,
            folded_field: folded_field.filter(|folded| *folded != projection.field),
        };
        if projection.ptr.is_empty() {
            let reason =
                "a field that is null is emptied, one that is not there is left alone: only the document tells which"
                    .into();
            return constraint(ConstraintKind::LocationRequired, reason, None);
        }
        if projection.field == self.key.field {
            let reason = match &self.key.matches {
                Some(field) => format!("the key finds the record, by {}.{field}", self.object),
                None => "the key names the document in messages".to_owned(),
            };
            return constraint(ConstraintKind::LocationRequired, reason, None);
        }
        match self.destination(projection) {
            Ok(field) => {
                let is_required = field.required() && self.operation != Operation::Update;
                let kind = match is_required && field.kind != FieldType::Boolean {
                    true => ConstraintKind::LocationRequired,
                    false => ConstraintKind::FieldOptional,
                };
                constraint(kind, described(&self.object, field, is_required), Some(field.name.to_string()))
            }
            Err(why) => constraint(ConstraintKind::FieldForbidden, self.forbidden(projection, describe, why), None),
        }
    }

    /// The field that a location is written to.
    fn destination(&self, projection: &Projection) -> Result<&Field, Forbidden> {
        if projection.ptr == "/_meta/op" {
            return Err(Forbidden::Operation);
        }
        let field = self.prepared.destination(&projection.field, self.operation).map_err(Forbidden::LeftOut)?;
        let is_asked_for = self.rules.contains_key(&projection.field);
        if self.operation == Operation::Upsert && !field.createable && !is_asked_for {
            return Err(Forbidden::ExistingOnly);
        }
        let is_value = |kind: &&String| *kind != "null";
        let mut types = projection.inference.types.iter().filter(is_value).peekable();
        if is_compound(field) || types.peek().is_some() && types.clone().all(|kind| kind == "object") {
            return Err(Forbidden::Structure);
        }
        if types.peek().is_some() && !types.any(|kind| takes(field, kind)) {
            return Err(Forbidden::Type);
        }
        Ok(field)
    }

    fn forbidden(&self, projection: &Projection, describe: &Describe, why: Forbidden) -> String {
        let object = &self.object;
        let name = self.rules.get(&projection.field).and_then(|rule| rule.name.as_deref()).unwrap_or(&projection.field);
        match why {
            Forbidden::Operation => {
                "what happened to a record is read from the document, and written to no field".to_owned()
            }
            Forbidden::Structure => format!("{object}.{name} takes no objects or arrays: write their parts"),
            Forbidden::Type => {
                let (kind, types) =
                    (describe.field(name).map(|field| field.kind.to_string()), &projection.inference.types);
                format!(
                    "{object}.{name} is of type {}, which takes no {}",
                    kind.unwrap_or_default(),
                    types.join(" or ")
                )
            }
            Forbidden::ExistingOnly => format!(
                "{object}.{name} can be set in existing records only: require the field to have it written nevertheless, which takes a second \
                 call for new records"
            ),
            Forbidden::LeftOut(LeftOut::Unknown) => {
                let near = closest(name, describe.fields.iter().map(|field| field.name.as_str()));
                let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
                format!("{object} has no field {name}, or the user may not see it{near}")
            }
            Forbidden::LeftOut(LeftOut::ReadOnly) if describe.field(name).is_some_and(is_compound) => {
                format!("{object}.{name} takes no objects or arrays: write their parts")
            }
            Forbidden::LeftOut(LeftOut::ReadOnly) => {
                format!("{object}.{name} cannot be written by {}, or this user may not edit it", self.operation)
            }
            Forbidden::LeftOut(LeftOut::Reference) => {
                let to = describe.field(name).map(|field| &field.reference_to[..]).unwrap_or_default();
                let to: Vec<_> = to.iter().map(|object| object.as_str()).collect();
                format!(
                    "{object}.{name} refers to records of {}, whose Ids differ from org to org: give its field config a lookup or values, \
                     write that object by its Id in this materialization too, or set references to keep",
                    to.join(", ")
                )
            }
            Forbidden::LeftOut(LeftOut::Key) => format!("{object}.{name} tells which record it is"),
            Forbidden::LeftOut(why) => why.to_string(),
        }
    }
}

fn is_compound(field: &Field) -> bool {
    matches!(field.kind, FieldType::Address | FieldType::Location)
}

/// Why a location is written to no field.
#[derive(Debug, Clone, Copy)]
enum Forbidden {
    Operation,
    Structure,
    /// No value of the location's types can become one of the field's.
    Type,
    /// Salesforce refuses a new record that has a value of it.
    ExistingOnly,
    LeftOut(LeftOut),
}

/// Where it goes, and what is accepted there.
fn described(object: &SObjectName, field: &Field, is_required: bool) -> String {
    let limit = match field.kind {
        FieldType::String | FieldType::TextArea | FieldType::Url | FieldType::Email | FieldType::Phone
            if field.length > 0 =>
        {
            format!(" of at most {} characters", field.length)
        }
        FieldType::Picklist | FieldType::MultiPicklist if field.restricted_picklist => {
            " that takes the values of its list only".to_owned()
        }
        _ => String::new(),
    };
    let required = if is_required { ", which Salesforce requires" } else { "" };
    format!("{object}.{}: {}{limit}{required}", field.name, field.kind)
}

/// The one field that holds the key, held against the field that it is to match.
fn key_field(
    resource: &Resource,
    collection: &Collection,
    keys: &[String],
    describe: &Describe,
) -> Result<Option<KeyField>, String> {
    let object = describe.name();
    let matches = match (&resource.match_field, resource.policy) {
        (Some(field), _) => {
            Some(describe.field(field.as_str()).map_or_else(|| field.clone(), |field| field.name.clone()))
        }
        (None, Policy::Insert) => None,
        (None, Policy::Upsert | Policy::Update) => {
            let candidates: Vec<_> =
                describe.fields.iter().filter(|field| field.external_id).map(|field| field.name.as_str()).collect();
            let candidates = match &candidates[..] {
                [] => "the object has no external id yet: make a text field, external id and unique".to_owned(),
                some => format!("external ids of the object: {}", some.join(", ")),
            };
            return Err(format!(
                "{object}: match_field is missing: it names the field that holds the collection's key ({candidates})"
            ));
        }
    };
    let [field] = keys else {
        return Err(format!(
            "{object}: the collection's key has {} parts ({}), and a record is found by one value: choose one field as the key (groupBy)",
            keys.len(),
            keys.join(", ")
        ));
    };
    let Some(projection) = collection.projection(field) else {
        return Err(format!("{object}: the collection has no field {field}, which is said to be its key"));
    };
    if projection.inference.types.iter().any(|kind| matches!(kind.as_str(), "object" | "array" | "boolean")) {
        return Err(format!(
            "{object}: the key {field} is no text and no number, so that no record can be found by it"
        ));
    }
    Ok(Some(KeyField { field: field.clone(), matches }))
}
