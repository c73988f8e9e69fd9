//! What the runtime remembers of a capture: its specification, its state, and everything committed.

use serde_json::{Value, json};

use super::{
    Collection, Connector, Group, Session,
    collection::Unusable,
    history::{History, Regression},
    task::{self, strings},
};
use crate::error::Error;

/// A capture task.
#[derive(Debug)]
pub struct Capture {
    name: String,
    config: Value,
    bindings: Vec<Binding>,
    state: Value,
    committed: Vec<Committed>,
    documents: u64,
    checkpoints: u64,
    regressions: Vec<Regression>,
}

/// A resource bound to a collection.
#[derive(Debug, Clone, PartialEq)]
pub struct Binding {
    /// Resource configuration.
    pub resource_config: Value,
    /// What `discovered` and `validated` call it.
    pub resource_path: Vec<String>,
    /// Name of the collection.
    pub collection: String,
    /// Schema of the collection's documents, as discovered.
    pub document_schema: Value,
    /// JSON pointers of the key.
    pub key: Vec<String>,
    /// Whether discovery proposes it disabled.
    pub disabled: bool,
    /// How many times a new backfill was asked for.
    pub backfill: u32,
}

/// What was committed for one binding.
#[derive(Debug, Default)]
struct Committed {
    collection: Collection,
    history: History,
    schema: Option<Value>,
}

impl Binding {
    /// A binding from a member of `discovered`, into a collection below `prefix`, like `acmeCo`.
    pub fn discovered(prefix: &str, binding: &Value) -> Option<Self> {
        Some(Self {
            resource_config: binding.get("resourceConfig")?.clone(),
            resource_path: strings(binding.get("resourcePath")?)?,
            collection: format!("{prefix}/{}", binding.get("recommendedName")?.as_str()?),
            document_schema: binding.get("documentSchema")?.clone(),
            key: strings(binding.get("key")?)?,
            disabled: binding.get("disable").is_some_and(|disable| disable == true),
            backfill: 0,
        })
    }

    /// The last part of the resource path: for a Salesforce object its name.
    pub fn stream(&self) -> &str {
        self.resource_path.last().map_or("", String::as_str)
    }

    /// The key of the binding's state.
    pub fn state_key(&self) -> String {
        task::state_key(&self.resource_path, self.backfill)
    }

    fn collection_spec(&self) -> Value {
        json!({ "name": self.collection, "key": self.key, "writeSchema": self.document_schema, "uuidPtr": "/_meta/uuid" })
    }
}

impl Capture {
    /// A capture that never ran.
    pub fn new(name: &str, config: Value, bindings: Vec<Binding>) -> Self {
        let committed = bindings.iter().map(|_| Committed::default()).collect();
        Self {
            name: name.to_owned(),
            config,
            bindings,
            state: json!({}),
            committed,
            documents: 0,
            checkpoints: 0,
            regressions: Vec::new(),
        }
    }

    /// What a connector offers under a config.
    ///
    /// # Errors
    /// When it does not answer as it should.
    pub async fn discover(connector: &Connector, name: &str, config: &Value) -> Result<Vec<Binding>, Error> {
        let request = json!({ "discover": { "name": name, "connectorType": "IMAGE", "config": config } });
        let discovered = connector.ask(&request, "discovered").await?;
        let prefix = name.rsplit_once('/').map_or(name, |(prefix, _)| prefix);
        let bindings = discovered["bindings"].as_array().into_iter().flatten();
        bindings
            .map(|binding| {
                Binding::discovered(prefix, binding)
                    .ok_or_else(|| Error::protocol("an incomplete discovered binding", &binding.to_string()))
            })
            .collect()
    }

    /// Has the connector check the capture; its answer must give each binding the path it was discovered with.
    ///
    /// # Errors
    /// When the connector refuses, or its answer does not fit.
    pub async fn validate(&self, connector: &Connector) -> Result<(), Error> {
        let bindings: Vec<Value> = self
            .bindings
            .iter()
            .map(|binding| {
                json!({
                    "resourceConfig": binding.resource_config,
                    "collection": binding.collection_spec(),
                    "backfill": binding.backfill,
                })
            })
            .collect();
        let request = json!({ "validate": {
            "name": self.name, "connectorType": "IMAGE", "config": self.config, "bindings": bindings,
        } });
        let validated = connector.ask(&request, "validated").await?;
        let paths = validated["bindings"].as_array().into_iter().flatten();
        let paths: Vec<Option<Vec<String>>> = paths.map(|binding| strings(&binding["resourcePath"])).collect();
        let expected: Vec<_> = self.bindings.iter().map(|binding| Some(binding.resource_path.clone())).collect();
        if paths != expected {
            return Err(Error::protocol("validated paths differ from the discovered ones", &validated.to_string()));
        }
        Ok(())
    }

    /// Has the connector prepare the source; returns what it says it did.
    ///
    /// # Errors
    /// When the connector fails.
    pub async fn apply(&self, connector: &Connector) -> Result<String, Error> {
        task::apply(connector, &json!({ "capture": self.spec(), "version": task::VERSION })).await
    }

    /// Opens a session from the state as of the last commit.
    ///
    /// # Errors
    /// When the connector does not open it.
    pub async fn open(&mut self, connector: &Connector) -> Result<Session, Error> {
        for committed in &mut self.committed {
            committed.history.next_session();
        }
        Session::open(connector, &self.open_request(), self.bindings.len()).await
    }

    /// The request that opens a session.
    pub fn open_request(&self) -> Value {
        task::open_request("capture", &self.spec(), &self.state)
    }

    /// Commits a group: its documents and its update of the state become durable together. The connector is told by
    /// [`Session::acknowledge`].
    ///
    /// # Errors
    /// When a document cannot be reduced.
    pub fn commit(&mut self, group: Group) -> Result<(), Unusable> {
        let Group { documents, schemas, patch } = group;
        for captured in documents {
            let committed = &mut self.committed[captured.binding];
            if let Err(regression) = committed.history.note(&captured.document) {
                self.regressions.push(regression);
            }
            committed.collection.reduce(captured.document)?;
            self.documents += 1;
        }
        for sourced in schemas {
            self.committed[sourced.binding].schema = Some(sourced.schema);
        }
        patch.apply(&mut self.state);
        self.checkpoints += 1;
        Ok(())
    }

    /// The bindings.
    pub fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// Publishes a binding with another resource config: its state and its collection stay.
    pub fn configure(&mut self, binding: usize, resource_config: Value) {
        self.bindings[binding].resource_config = resource_config;
    }

    /// Asks for a new backfill of a binding: its state key changes, its collection stays.
    pub fn backfill(&mut self, binding: usize) {
        self.bindings[binding].backfill += 1;
    }

    /// The connector's state as of the last commit.
    pub fn state(&self) -> &Value {
        &self.state
    }

    /// The collection of a binding.
    pub fn collection(&self, binding: usize) -> &Collection {
        &self.committed[binding].collection
    }

    /// The schema that the source last declared for a binding.
    pub fn sourced_schema(&self, binding: usize) -> Option<&Value> {
        self.committed[binding].schema.as_ref()
    }

    /// Documents committed so far.
    pub fn documents(&self) -> u64 {
        self.documents
    }

    /// Checkpoints committed so far.
    pub fn checkpoints(&self) -> u64 {
        self.checkpoints
    }

    /// Documents that went back in time.
    pub fn regressions(&self) -> &[Regression] {
        &self.regressions
    }

    fn spec(&self) -> Value {
        let bindings: Vec<Value> = self
            .bindings
            .iter()
            .map(|binding| {
                json!({
                    "resourceConfig": binding.resource_config,
                    "resourcePath": binding.resource_path,
                    "collection": binding.collection_spec(),
                    "backfill": binding.backfill,
                    "stateKey": binding.state_key(),
                })
            })
            .collect();
        json!({
            "name": self.name,
            "connectorType": "IMAGE",
            "config": self.config,
            "bindings": bindings,
            "intervalSeconds": 300,
        })
    }
}
