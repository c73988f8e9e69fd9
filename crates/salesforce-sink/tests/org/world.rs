//! An emulated org with an object of many types, a client of it, and changes written as JSON.

use std::{collections::BTreeMap, time::Duration};

use salesforce_client::{Credentials, LoginUrl, Org, Settings};
use salesforce_emulator::{Config, Emulator, FaultAction, FaultRule, org::Id};
use salesforce_sink::{
    Change, Error, Fields, MatchBy, Operation, Options, Outcome, Prepared, Receipt, Receipts, Sink, Target, TargetKey,
    Targets, Traffic,
};
use serde_json::{Value, json};
use tokio::task::block_in_place;

/// An emulated org, and a client of it.
pub(crate) struct World {
    pub(crate) emulator: Emulator,
    pub(crate) org: Org,
}

/// A change as tests write it: operation, key and fields. Its origin is its place.
pub(crate) type Written<'a> = (Operation, &'a str, Value);

impl World {
    pub(crate) async fn start() -> World {
        World::start_as(Config::default()).await
    }

    /// An org of these settings, but for its objects.
    pub(crate) async fn start_as(config: Config) -> World {
        let objects = json!({
            "Account": {"fields": {
                "Number__c": {"type": "string", "length": 20, "external_id": true, "unique": true},
                "Main__c": {"type": "reference", "to": ["Thing__c"], "children": "MainAccounts"},
            }},
            "Twin__c": {"prefix": "a57", "fields": {
                "Key__c": {"type": "string", "length": 20, "external_id": true, "unique": true},
                "Other__c": {"type": "reference", "to": ["Twin__c"], "children": "Twins", "required": true},
            }},
            "Thing__c": {"prefix": "a56", "fields": {
                "Key__c": {"type": "string", "length": 20, "external_id": true, "unique": true},
                "Count_Key__c": {"type": "double", "precision": 18, "scale": 2, "external_id": true, "unique": true},
                "Group__c": {"type": "string", "length": 20, "external_id": true},
                "Delivery__c": {"type": "string", "length": 40, "external_id": true, "unique": true},
                "Text__c": {"type": "string", "length": 10},
                "Other__c": {"type": "string", "length": 10},
                "Amount__c": {"type": "double", "precision": 18, "scale": 2},
                "Day__c": {"type": "date"},
                "Moment__c": {"type": "datetime"},
                "Choice__c": {"type": "picklist", "values": ["red", "green"], "restricted": true},
                "Owner__c": {"type": "reference", "to": ["Account"], "children": "Things"},
                "Whole__c": {"type": "reference", "to": ["Thing__c"], "children": "Parts"},
                "Any__c": {"type": "reference", "to": ["Account", "Contact"], "children": "AnyThings"},
            }},
        });
        let objects = serde_json::from_value(objects).unwrap();
        let emulator = Emulator::start(Config { objects, ..config }).await.unwrap();
        let credentials = emulator.credentials();
        let credentials = Credentials::RefreshToken {
            client_id: credentials.client_id.clone(),
            client_secret: credentials.client_secret.clone().into(),
            refresh_token: credentials.refresh_token.clone().into(),
        };
        let login: LoginUrl = emulator.url().parse().unwrap();
        let org = Org::new(Settings::new(login, credentials)).unwrap();
        World { emulator, org }
    }

    /// The object of these tests, matched by `Key__c`.
    pub(crate) fn things() -> Target {
        Target::new("Thing__c".parse().unwrap(), MatchBy::ExternalId("Key__c".parse().unwrap()))
    }

    /// The same, matched by Id.
    pub(crate) fn things_by_id() -> Target {
        Target::new("Thing__c".parse().unwrap(), MatchBy::Id)
    }

    pub(crate) async fn prepare(&self, target: Target) -> Prepared {
        let describe = self.org.describe(&target.object).await.unwrap();
        target.prepare(&describe).unwrap()
    }

    /// A running sink of one target, alone in its org.
    pub(crate) async fn sink(&self, target: Target, options: &Options) -> Running {
        self.sink_in(&Traffic::default(), target, options).await
    }

    /// A running sink of one target, beside others.
    pub(crate) async fn sink_in(&self, traffic: &Traffic, target: Target, options: &Options) -> Running {
        let mut targets = Targets::new();
        let target = targets.add(self.prepare(target).await);
        let (sink, receipts) = Sink::start(&self.org, traffic, targets, options);
        Running { sink, receipts, target }
    }

    /// Writes changes through a sink of their own, and tells what became of each, in its place.
    pub(crate) async fn write(&self, target: Target, options: &Options, changes: &[Written<'_>]) -> Vec<String> {
        self.sink(target, options).await.write(changes).await
    }

    /// Creates a record behind the sink's back.
    pub(crate) fn create(&self, object: &str, fields: Value) -> Id {
        let Value::Object(fields) = fields else { panic!("fields are an object") };
        block_in_place(|| self.emulator.org().create(object, &fields)).unwrap()
    }

    /// Deletes a record behind the sink's back.
    pub(crate) fn delete(&self, object: &str, id: Id) {
        block_in_place(|| self.emulator.org().delete(object, id)).unwrap();
    }

    /// The live records of an object, in the order of their Ids.
    pub(crate) fn records(&self, object: &str) -> Vec<Value> {
        let json = block_in_place(|| self.emulator.org().records(object, false)).unwrap();
        serde_json::from_slice(&json).unwrap()
    }

    /// The live things, as their fields of these names, by key.
    pub(crate) fn things_with(&self, fields: &[&str]) -> BTreeMap<String, Value> {
        let records = self.records("Thing__c");
        let shown = |record: &Value| {
            let fields: Vec<Value> = fields.iter().map(|field| record[*field].clone()).collect();
            (record["Key__c"].as_str().unwrap_or("-").to_owned(), Value::Array(fields))
        };
        records.iter().map(shown).collect()
    }

    /// Strikes requests of a kind.
    pub(crate) fn strike(&self, kind: &str, count: Option<u64>, action: FaultAction) {
        let kind = Some(kind.to_owned());
        self.emulator.add_fault(FaultRule { method: None, path: None, kind, nth: 1, count, action });
    }

    /// Which of these kinds of requests there were.
    pub(crate) fn kinds<'a>(&self, kinds: &[&'a str]) -> Vec<&'a str> {
        kinds.iter().copied().filter(|kind| self.calls(&[kind]) > 0).collect()
    }

    /// How many requests of these kinds there were.
    pub(crate) fn calls(&self, kinds: &[&str]) -> u64 {
        let calls = self.emulator.org().calls();
        kinds.iter().map(|kind| calls.get(kind).copied().unwrap_or(0)).sum()
    }
}

/// A sink at work.
pub(crate) struct Running {
    pub(crate) sink: Sink<usize>,
    pub(crate) receipts: Receipts<usize>,
    pub(crate) target: TargetKey,
}

impl Running {
    /// Submits changes, and tells what became of each, in its place. Their origins are their places.
    pub(crate) async fn write(&mut self, changes: &[Written<'_>]) -> Vec<String> {
        for (nth, (operation, key, fields)) in changes.iter().enumerate() {
            self.submit(nth, *operation, key, fields).await.unwrap();
        }
        self.sink.flush().await.unwrap();
        let mut outcomes = BTreeMap::new();
        while let Some(receipt) = self.receipts.ready() {
            assert!(outcomes.insert(receipt.origin, shown(&receipt)).is_none(), "one receipt each");
        }
        assert_eq!(outcomes.len(), changes.len(), "every change has its receipt when it is flushed");
        outcomes.into_values().collect()
    }

    pub(crate) async fn submit(
        &self,
        nth: usize,
        operation: Operation,
        key: &str,
        fields: &Value,
    ) -> Result<(), Error> {
        let key = (!key.is_empty()).then(|| key.into());
        let fields = Fields::parse(&fields.to_string()).unwrap();
        self.sink.submit(self.target, Change { operation, key, fields, origin: nth }).await
    }
}

pub(crate) fn shown(receipt: &Receipt<usize>) -> String {
    match &receipt.outcome {
        Outcome::Applied { created: true, .. } => "created".to_owned(),
        Outcome::Applied { .. } => "applied".to_owned(),
        Outcome::Unchanged => "unchanged".to_owned(),
        Outcome::Rejected(rejection) => rejection.to_string(),
    }
}

/// Pauses that a test can wait for.
pub(crate) fn hurried() -> Options {
    Options {
        first_pause: Duration::from_millis(5),
        quota_pause: Duration::from_millis(20),
        linger: Duration::from_millis(5),
        ..Options::default()
    }
}
