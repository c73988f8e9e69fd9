//! What the engine is told of a binding: its rules, the names of its fields, and what its references lead to. Pure.

use std::collections::BTreeMap;

use salesforce_client::{Describe, Field, FieldName, FieldType, SObjectName};
use salesforce_sink::{Lookup, MatchBy, Missing, Operation, OtherReferences, Target};

use crate::{
    resource::{Deletion, Policy, References as Chosen, Resource},
    rules::FieldRule,
};

/// An object that another binding writes, whose records other objects refer to.
#[derive(Debug, Clone)]
pub struct Parent {
    /// The object.
    pub object: SObjectName,
    /// The field that holds the Ids its records have where they come from.
    pub match_field: FieldName,
}

impl Parent {
    /// What this binding offers to the references of others: nothing, unless its collection's key is the Id of Salesforce records.
    pub fn of(resource: &Resource, key: &[String]) -> Option<Self> {
        let match_field = resource.match_field.clone().filter(|field| !field.same_as("Id"))?;
        matches!(key, [pointer] if pointer == "/Id").then(|| Self { object: resource.object.clone(), match_field })
    }
}

/// What the engine is told of a binding: `matches` is the field that holds the key, if any does, `parents` what the bindings of this
/// materialization write. Each problem is one line.
pub(crate) fn target(
    resource: &Resource,
    matches: Option<FieldName>,
    rules: &BTreeMap<String, FieldRule>,
    describe: &Describe,
    parents: &[Parent],
    problems: &mut Vec<String>,
) -> Target {
    let match_by = match matches.clone().filter(|field| !field.same_as("Id") && resource.policy != Policy::Insert) {
        Some(field) => MatchBy::ExternalId(field),
        None => MatchBy::Id,
    };
    let mut target = Target::new(describe.name().clone(), match_by);
    target.operations = vec![resource.policy.operation()];
    match &resource.deletion {
        Deletion::Delete => target.operations.push(Operation::Delete),
        Deletion::Set(field, _) => {
            if describe.field(field.as_str()).is_none_or(|field| !field.updateable) {
                problems.push(format!(
                    "{}: deletion_field: {field} cannot be set: there is no such field, or this user may not edit it",
                    describe.name()
                ));
            }
            target.operations.push(Operation::Update);
        }
        Deletion::Ignore => {}
    }
    target.operations.dedup();
    target.missing = Missing::Done;
    target.deleted = resource.deleted;
    target.nulls = resource.nulls;
    target.options = resource.options;
    if resource.policy == Policy::Insert {
        target.delivery_key = matches;
    }
    references(&mut target, resource, rules, describe, parents, problems);
    target
}

/// Names of fields, and references.
fn references(
    target: &mut Target,
    resource: &Resource,
    rules: &BTreeMap<String, FieldRule>,
    describe: &Describe,
    parents: &[Parent],
    problems: &mut Vec<String>,
) {
    target.references.others = match resource.references {
        Chosen::Keep => OtherReferences::Keep,
        Chosen::Match | Chosen::Drop => OtherReferences::Drop,
    };
    for (member, rule) in rules {
        let mut bad = |key: &str, source: &salesforce_client::Error| {
            problems.push(format!("{}: field config of {member}: {key}: {source}", describe.name()));
        };
        let name = rule.name.as_deref().unwrap_or(member);
        let field = match describe.field(name) {
            Some(field) => field.name.clone(),
            None if rule.name.is_none() => continue,
            None => match name.parse() {
                Ok(field) => field,
                Err(source) => {
                    bad("name", &source);
                    continue;
                }
            },
        };
        if rule.name.is_some() {
            target.renamed.push((member.clone(), field.clone()));
        }
        let is_reference = describe.field(name).is_some_and(|field| field.kind == FieldType::Reference);
        match rule.lookup.as_deref().map(str::parse) {
            Some(Ok(by)) => {
                let object = rule.object.as_deref().map(str::parse).transpose();
                let object = object.unwrap_or_else(|source| {
                    bad("object", &source);
                    None
                });
                target.references.lookups.push(Lookup { reference: field, object, by });
            }
            Some(Err(source)) => bad("lookup", &source),
            None if is_reference => target.references.kept.push(field),
            None => {}
        }
    }
    if resource.references == Chosen::Match {
        let is_ruled = |field: &Field| {
            let references = &target.references;
            references.kept.contains(&field.name)
                || references.lookups.iter().any(|lookup| lookup.reference == field.name)
        };
        let by_parent = |field: &Field| match &field.reference_to[..] {
            [object] if field.relationship_name.is_some() && !is_ruled(field) => {
                let parent = parents.iter().find(|parent| parent.object.same_as(object.as_str()))?;
                Some(Lookup { reference: field.name.clone(), object: None, by: parent.match_field.clone() })
            }
            _ => None,
        };
        let found: Vec<_> = describe.fields.iter().filter_map(by_parent).collect();
        target.references.lookups.extend(found);
    }
}
