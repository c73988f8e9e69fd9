//! Dead letters: rejected rows, kept as records of an object that the user has made for them.

use std::collections::{BTreeMap, HashMap};

use salesforce_client::{Describe, Org, SObjectName};
use salesforce_sink::{
    Change, Fields, MatchBy, Operation, Options, Outcome, Prepared, Receipt, Receipts, Rejection, Sink, Target,
    TargetKey, Targets, Traffic,
};
use serde_json::value::to_raw_value;
use tokio::sync::watch;

use crate::{error::Error, resource::Resource};

/// Fields of an object that keeps rejected rows.
pub const FIELDS: [&str; 6] = ["Object__c", "Key__c", "Operation__c", "Code__c", "Message__c", "Document__c"];

/// Where rejected rows are kept: a sink of its own, so that neither waits for the other's room.
pub struct Letters {
    sink: Sink<Box<str>>,
    /// How many characters each of the [`FIELDS`] takes.
    lengths: HashMap<TargetKey, [usize; FIELDS.len()]>,
    keeping: Option<Keeping>,
    kept: watch::Receiver<u64>,
}

/// Takes the receipts of letters. Each letter has come with a line that says which row it is about.
pub struct Keeping {
    receipts: Receipts<Box<str>>,
    kept: watch::Sender<u64>,
}

/// Where letters can be waited for.
pub struct Mailbox {
    sink: Sink<Box<str>>,
    kept: watch::Receiver<u64>,
}

impl Keeping {
    /// Takes receipts until a letter is rejected.
    pub async fn run(mut self) -> Error {
        while let Some(Receipt { origin, outcome }) = self.receipts.next().await {
            if let Outcome::Rejected(letter) = outcome {
                return Error::LetterLost { letter, row: origin.into() };
            }
            self.kept.send_modify(|kept| *kept += 1);
        }
        // The sink says to those who submit why it has ended.
        std::future::pending().await
    }
}

impl Mailbox {
    /// Waits until so many letters are kept.
    ///
    /// # Errors
    /// Why they cannot be kept, if that does not concern one letter only.
    pub async fn wait(&mut self, letters: u64) -> Result<(), Error> {
        if *self.kept.borrow() < letters {
            self.sink.flush().await?;
            // A letter that is rejected ends the task elsewhere.
            let _ = self.kept.wait_for(|kept| *kept >= letters).await;
        }
        Ok(())
    }
}

impl Letters {
    /// Begins to keep rejected rows in these objects, each with the index of its binding. Letters share the traffic of the rows.
    ///
    /// # Errors
    /// When an object does not exist or lacks a field for it.
    pub async fn open(
        org: &Org,
        traffic: &Traffic,
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
        let (mut keys, mut lengths) = (BTreeMap::new(), HashMap::new());
        for (name, describe) in names.iter().zip(org.describe_many(&names).await?) {
            let target = target(name, &describe).map_err(|problem| Error::Unfit(vec![problem]))?;
            let length = |field| target.destination(field, Operation::Insert).map_or(0, |field| field.length as usize);
            let of_fields = FIELDS.map(length);
            let key = targets.add(target);
            lengths.insert(key, of_fields);
            keys.insert(name.to_string(), key);
        }
        let (sink, receipts) = Sink::start(org, traffic, targets, options);
        let key =
            |resource: &Resource| resource.dead_letters.as_ref().and_then(|name| keys.get(name.as_str()).copied());
        let (kept_in, kept) = watch::channel(0);
        let keeping = Some(Keeping { receipts, kept: kept_in });
        Ok((Some(Self { sink, lengths, keeping, kept }), resources.iter().map(key).collect()))
    }

    /// Sends a letter about a rejected row.
    ///
    /// # Errors
    /// Why none can be sent any more.
    pub async fn send(&self, target: TargetKey, why: &Rejection) -> Result<(), Error> {
        let lengths = self.lengths.get(&target).copied().unwrap_or_default();
        Ok(self.sink.submit(target, letter_of(why, lengths)?).await?)
    }

    /// What looks after the receipts of letters, once.
    pub fn keeping(&mut self) -> Option<Keeping> {
        self.keeping.take()
    }

    /// Where letters can be waited for.
    pub fn mailbox(&self) -> Mailbox {
        Mailbox { sink: self.sink.clone(), kept: self.kept.clone() }
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

/// A rejected row as a record. A text that its field does not take as a whole is cut: half a letter is better than none.
fn letter_of(why: &Rejection, lengths: [usize; FIELDS.len()]) -> Result<Change<Box<str>>, Error> {
    let mut fields = Fields::none();
    let operation = why.operation.to_string();
    let key = why.key.as_deref().unwrap_or_default();
    let texts = [why.object.as_str(), key, &operation, &why.code, &why.message, why.sent.get()];
    for ((field, text), length) in FIELDS.into_iter().zip(texts).zip(lengths) {
        let text: String = text.chars().take(length).collect();
        let text = to_raw_value(&text)
            .map_err(|error| Error::Document { object: why.object.to_string(), problem: error.to_string() })?;
        fields.push(field, text);
    }
    Ok(Change { operation: Operation::Insert, key: None, fields, origin: why.to_string().into() })
}
