//! Dead letters: rejected rows, kept as records of an object that the user has made for them.

use std::collections::BTreeMap;

use salesforce_client::{Describe, Org, SObjectName};
use salesforce_sink::{
    Change, Fields, MatchBy, Operation, Options, Prepared, Receipts, Rejection, Sink, Target, TargetKey, Targets,
};
use serde_json::value::to_raw_value;

use crate::{error::Error, resource::Resource};

/// Fields of an object that keeps rejected rows.
pub const FIELDS: [&str; 6] = ["Object__c", "Key__c", "Operation__c", "Code__c", "Message__c", "Document__c"];

/// Where rejected rows are kept: a sink of its own, so that neither waits for the other's room.
pub struct Letters {
    /// Where they are submitted, each with a line that says which row it is about.
    pub sink: Sink<Box<str>>,
    /// What becomes of them; taken by whoever looks after that.
    pub receipts: Option<Receipts<Box<str>>>,
}

impl Letters {
    /// Begins to keep rejected rows in these objects, each with the index of its binding.
    ///
    /// # Errors
    /// When an object does not exist or lacks a field for it.
    pub async fn open(
        org: &Org,
        resources: &[Resource],
        options: &Options,
    ) -> Result<(Option<Self>, Vec<Option<TargetKey>>), Error> {
        let objects: BTreeMap<String, SObjectName> = resources
            .iter()
            .filter_map(|resource| resource.dead_letters.clone())
            .map(|name| (name.to_string(), name))
            .collect();
        if objects.is_empty() {
            return Ok((None, resources.iter().map(|_| None).collect()));
        }
        let names: Vec<_> = objects.into_values().collect();
        let mut targets = Targets::new();
        let mut keys = BTreeMap::new();
        for (name, describe) in names.iter().zip(org.describe_many(&names).await?) {
            let target = target(name, &describe).map_err(|problem| Error::Unfit(vec![problem]))?;
            keys.insert(name.to_string(), targets.add(target));
        }
        let (sink, receipts) = Sink::start(org, targets, options);
        let key =
            |resource: &Resource| resource.dead_letters.as_ref().and_then(|name| keys.get(name.as_str()).copied());
        Ok((Some(Self { sink, receipts: Some(receipts) }), resources.iter().map(key).collect()))
    }
}

/// An object for rejected rows, held against the org.
///
/// # Errors
/// What it lacks, in one line.
pub fn target(name: &SObjectName, describe: &Result<Describe, salesforce_client::Error>) -> Result<Prepared, String> {
    let describe = describe.as_ref().map_err(|error| match error.status() {
        Some(404) => format!("dead_letters: the org has no object {name}, or the user may not see it"),
        _ => format!("dead_letters: {error}"),
    })?;
    let lacking: Vec<_> =
        FIELDS.into_iter().filter(|field| describe.field(field).is_none_or(|field| !field.createable)).collect();
    if !lacking.is_empty() {
        return Err(format!(
            "dead_letters: {name} has no {} that this user may write: rejected rows are kept in the text fields {}, of which Message__c and \
             Document__c should be long",
            lacking.join(", "),
            FIELDS.join(", ")
        ));
    }
    let mut target = Target::new(describe.name().clone(), MatchBy::Id);
    target.operations = vec![Operation::Insert];
    target.prepare(describe).map_err(|complaints| format!("dead_letters: {}", complaints[0]))
}

/// A rejected row as a record.
pub fn letter_of(why: &Rejection) -> Result<Change<Box<str>>, Error> {
    let mut fields = Fields::none();
    let texts: [(&str, &str); 6] = [
        (FIELDS[0], why.object.as_str()),
        (FIELDS[1], why.key.as_deref().unwrap_or_default()),
        (FIELDS[2], &why.operation.to_string()),
        (FIELDS[3], &why.code),
        (FIELDS[4], &why.message),
        (FIELDS[5], why.sent.get()),
    ];
    for (field, text) in texts {
        let text = to_raw_value(text)
            .map_err(|error| Error::Document { object: why.object.to_string(), problem: error.to_string() })?;
        fields.push(field, text);
    }
    Ok(Change { operation: Operation::Insert, key: None, fields, origin: why.to_string().into() })
}
