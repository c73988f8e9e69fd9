//! Whether a materialization would work, and if not, what to change.

use std::{collections::BTreeMap, sync::Arc};

use flow_protocol::materialize::{
    Collection, Constraint, Exists, FieldSelection, Inference, Projection, ValidatedBinding,
};
use salesforce_client::{Describe, Org, SObjectName};
use salesforce_endpoint::closest;
use serde_json::value::RawValue;

use crate::{error::Error, letters, mapping::Mapping, resource::Resource, target::Parent};

/// A binding to be held against the org.
#[derive(Debug)]
pub struct Wanted {
    /// What is written, and by which rules.
    pub resource: Resource,
    /// Where it comes from.
    pub collection: Arc<Collection>,
    /// The fields of its key.
    pub keys: Vec<String>,
    /// What the user says of single fields.
    pub rules: BTreeMap<String, Box<RawValue>>,
}

impl Wanted {
    /// A binding whose fields are yet to be selected. `group_by` are the fields that the user chose as key.
    pub fn unselected(
        resource: Resource,
        collection: Arc<Collection>,
        group_by: Vec<String>,
        rules: BTreeMap<String, Box<RawValue>>,
    ) -> Self {
        let of_key = |pointer: &String| {
            let named = |projection: &&Projection| projection.ptr == *pointer;
            let of_pointer: Vec<_> = collection.projections.iter().filter(named).collect();
            let chosen = of_pointer.iter().find(|projection| projection.is_primary_key).or(of_pointer.first());
            chosen.map_or_else(|| pointer.trim_start_matches('/').to_owned(), |projection| projection.field.clone())
        };
        let keys = if group_by.is_empty() { collection.key.iter().map(of_key).collect() } else { group_by };
        Self { resource, collection, keys, rules }
    }

    /// A binding whose fields are selected.
    pub fn selected(resource: Resource, collection: Arc<Collection>, selection: &FieldSelection) -> Self {
        let rules = selection.field_config.iter().map(|(field, rule)| (field.clone(), rule.clone())).collect();
        Self { resource, collection, keys: selection.keys.clone(), rules }
    }
}

/// Checks the credentials, every object and every field.
///
/// # Errors
/// All that is missing, with its cure.
pub async fn validate(org: &Org, wanted: &[Wanted]) -> Result<Vec<ValidatedBinding>, Error> {
    if org.token().await?.rotated().is_some() {
        tracing::warn!(
            "Salesforce gives out a new refresh token with each sign-in: switch rotation off, or the token in the config ends"
        );
    }
    org.check_version().await?;
    let (describes, mappings) = mappings(org, wanted).await?;
    check_letters(org, wanted).await?;
    let mut problems = Vec::new();
    let mut validated = Vec::new();
    for ((wanted, mapping), describe) in wanted.iter().zip(&mappings).zip(&describes) {
        for warning in mapping.prepared.warnings() {
            tracing::warn!("{warning}");
        }
        match mapping.constraints(&wanted.collection, describe) {
            Ok(projection_constraints) => validated.push(binding(&wanted.resource, projection_constraints)),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(validated) } else { Err(Error::Unfit(problems)) }
}

fn binding(resource: &Resource, projection_constraints: Vec<Constraint>) -> ValidatedBinding {
    ValidatedBinding { projection_constraints, resource_path: vec![resource.path.clone()], delta_updates: true }
}

/// Holds bindings against the org.
///
/// # Errors
/// All that is wrong with them.
pub async fn mappings(org: &Org, wanted: &[Wanted]) -> Result<(Vec<Describe>, Vec<Mapping>), Error> {
    check_distinct(wanted)?;
    let parents: Vec<_> =
        wanted.iter().filter_map(|wanted| Parent::of(&wanted.resource, &wanted.collection.key)).collect();
    let describes = describes(org, wanted.iter().map(|wanted| &wanted.resource)).await?;
    let (mut problems, mut mappings) = (Vec::new(), Vec::new());
    for (wanted, describe) in wanted.iter().zip(&describes) {
        let Wanted { resource, collection, keys, rules } = wanted;
        match Mapping::of(resource, collection, keys, rules, describe, &parents) {
            Ok(mapping) => mappings.push(mapping),
            Err(found) => problems.extend(found),
        }
    }
    let parents = looked_up(org, &mappings, &describes).await?;
    let complaints = mappings.iter().flat_map(|mapping| mapping.prepared.check_parents(&parents));
    problems.extend(complaints.map(|complaint| complaint.to_string()));
    if problems.is_empty() { Ok((describes, mappings)) } else { Err(Error::Unfit(problems)) }
}

/// The describes of objects whose records are looked up; `known` are at hand already. What the org does not have is left out.
async fn looked_up(org: &Org, mappings: &[Mapping], known: &[Describe]) -> Result<Vec<Describe>, Error> {
    let mut objects: Vec<_> = mappings.iter().flat_map(|mapping| mapping.prepared.looked_up()).collect();
    objects.sort();
    objects.dedup();
    let known_of = |object: &SObjectName| known.iter().find(|describe| describe.name().same_as(object.as_str()));
    let mut found: Vec<_> = objects.iter().filter_map(known_of).cloned().collect();
    objects.retain(|object| known_of(object).is_none());
    for describe in org.describe_many(&objects).await? {
        match describe {
            Ok(describe) => found.push(describe),
            Err(error) if error.status() == Some(404) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

/// The describes of the bindings' objects, in order.
///
/// # Errors
/// The objects that the org does not have, with the names that were probably meant.
pub async fn describes(org: &Org, resources: impl Iterator<Item = &Resource>) -> Result<Vec<Describe>, Error> {
    let objects: Vec<_> = resources.map(|resource| resource.object.clone()).collect();
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    for (object, describe) in objects.iter().zip(org.describe_many(&objects).await?) {
        match describe {
            Ok(describe) => found.push(describe),
            Err(error) if error.status() == Some(404) => unknown.push(object),
            Err(error) => return Err(error.into()),
        }
    }
    if unknown.is_empty() {
        return Ok(found);
    }
    let global = org.describe_global().await?;
    let problem = |object: &&SObjectName| {
        let near = closest(object.as_str(), global.sobjects.iter().map(|object| object.name.as_str()));
        let near = near.map(|near| format!(" (did you mean {near}?)")).unwrap_or_default();
        format!("{object}: the org has no such object, or the user may not see it{near}")
    };
    Err(Error::Unfit(unknown.iter().map(problem).collect()))
}

/// Objects that keep rejected rows must be able to.
async fn check_letters(org: &Org, wanted: &[Wanted]) -> Result<(), Error> {
    let mut objects: Vec<_> = wanted.iter().filter_map(|wanted| wanted.resource.dead_letters.clone()).collect();
    objects.sort();
    objects.dedup();
    let described = org.describe_many(&objects).await?;
    let problem = |(name, describe)| letters::target(name, describe).err();
    let problems: Vec<_> = objects.iter().zip(&described).filter_map(problem).collect();
    if problems.is_empty() { Ok(()) } else { Err(Error::Unfit(problems)) }
}

/// Each object is written by one binding.
fn check_distinct(wanted: &[Wanted]) -> Result<(), Error> {
    let mut seen: BTreeMap<String, &Wanted> = BTreeMap::new();
    for wanted in wanted {
        if let Some(first) = seen.insert(wanted.resource.object.as_str().to_ascii_lowercase(), wanted) {
            return Err(Error::Twice {
                object: wanted.resource.path.clone(),
                first: first.collection.name.clone(),
                second: wanted.collection.name.clone(),
            });
        }
    }
    Ok(())
}

/// A collection that has all fields of an object, by their names, and `Id` as its key: what a capture of the object makes.
pub fn captured(describe: &Describe) -> Collection {
    let field = |field: &salesforce_client::Field| Projection {
        ptr: format!("/{}", field.name),
        field: field.name.to_string(),
        is_primary_key: field.name.same_as("Id"),
        inference: Inference { types: vec!["string".into()], exists: Exists::May, ..Inference::default() },
        ..Projection::default()
    };
    Collection {
        name: describe.name().to_string(),
        key: vec!["/Id".into()],
        projections: describe.fields.iter().map(field).collect(),
    }
}
