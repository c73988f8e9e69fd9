//! A materialization and the org that it writes to.

use std::collections::BTreeMap;

use demo::{
    Error,
    runtime::{Connector, Delivery, Exit, Materialization, Target, Transaction},
};
use serde_json::{Value, json};

use crate::{org::Org, program};

/// The external id that matches records with those of the org they come from.
pub(crate) const MATCH: &str = "Source_Id__c";

/// A materialization, and what it is run with.
pub(crate) struct Desk {
    pub(crate) task: Materialization,
    pub(crate) connector: Connector,
}

/// Gives objects the field that matches.
pub(crate) fn make_matchable(org: &Org, objects: &[&str]) {
    for object in objects {
        let definition = json!({ "type": "string", "length": 18, "external_id": true, "unique": true });
        org.change_schema(json!({ "add_field": { "object": object, "field": MATCH, "definition": definition } }));
    }
}

/// A collection of documents that have these members, each a text, for an object of a resource config.
pub(crate) fn target(resource: Value, members: &[&str]) -> Target {
    let properties: serde_json::Map<String, Value> =
        ["Id"].iter().chain(members).map(|name| ((*name).to_owned(), json!({ "type": ["string", "null"] }))).collect();
    let collection = format!("acmeCo/{}", resource["object"].as_str().expect("an object"));
    Target::captured(resource, &collection, &json!({ "properties": properties }))
}

/// A document as a capture writes it.
pub(crate) fn document(op: &str, id: &str, fields: Value) -> Value {
    with(json!({ "_meta": { "op": op }, "Id": id }), fields)
}

/// An object with more members, or other values of some.
pub(crate) fn with(mut object: Value, more: Value) -> Value {
    let (Value::Object(members), Value::Object(more)) = (&mut object, more) else {
        panic!("only objects have members")
    };
    members.extend(more);
    object
}

impl Desk {
    /// A materialization that is valid and applied.
    pub(crate) async fn prepare(org: &Org, targets: Vec<Target>) -> Self {
        Self::prepare_with(org.config(), targets).await.expect("the materialization is valid")
    }

    /// As [`Desk::prepare`] with a config, if it is valid.
    pub(crate) async fn prepare_with(config: Value, targets: Vec<Target>) -> Result<Self, Error> {
        let connector = program::writer();
        let mut task = Materialization::new("acmeCo/to-salesforce", config, targets);
        task.validate(&connector).await?;
        task.apply(&connector).await?;
        Ok(Self { task, connector })
    }

    /// A session, opened.
    pub(crate) async fn open(&mut self) -> Delivery {
        self.task.open(&self.connector).await.expect("a session opens")
    }

    /// Documents as one transaction, the last one of a key as it counts.
    pub(crate) fn transaction(&self, documents: impl IntoIterator<Item = (usize, Value)>) -> Transaction {
        let mut transaction = Transaction::default();
        for (binding, document) in documents {
            transaction.add(self.task.targets(), binding, document);
        }
        transaction
    }

    /// Stores, commits and acknowledges a transaction.
    pub(crate) async fn commit(&mut self, delivery: &mut Delivery, transaction: &Transaction) -> Result<(), Error> {
        let patch = delivery.store(self.task.targets(), transaction).await?;
        self.task.committed(patch);
        let patch = delivery.acknowledge().await?;
        self.task.committed(patch);
        Ok(())
    }

    /// A whole session of one transaction. Returns its end.
    pub(crate) async fn write(&mut self, documents: impl IntoIterator<Item = (usize, Value)>) -> Exit {
        let transaction = self.transaction(documents);
        let mut delivery = self.open().await;
        self.commit(&mut delivery, &transaction).await.expect("the transaction is taken");
        let exit = delivery.close().await.expect("the session ends");
        assert_eq!(exit.code, Some(0), "{exit}");
        exit
    }

    /// A session that a transaction ends. Returns its end.
    pub(crate) async fn fail(&mut self, documents: impl IntoIterator<Item = (usize, Value)>) -> Exit {
        let transaction = self.transaction(documents);
        let mut delivery = self.open().await;
        match self.commit(&mut delivery, &transaction).await {
            Err(Error::Ended { exit, .. }) => {
                let errors = exit.log.iter().filter(|line| line.contains(r#""level":"error""#)).count();
                assert_eq!(errors, 1, "one line says what went wrong: {:?}", exit.log);
                exit
            }
            other => panic!("the session goes on: {other:?}"),
        }
    }
}

/// Records by the Id that they have where they come from, each with these fields.
pub(crate) fn by_match(org: &Org, object: &str, fields: &[&str]) -> BTreeMap<String, Value> {
    let shown = |record: &Value| -> Value {
        fields
            .iter()
            .map(|field| ((*field).to_owned(), record[*field].clone()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let records = org.truth(object);
    records.values().filter_map(|record| Some((record[MATCH].as_str()?.to_owned(), shown(record)))).collect()
}
