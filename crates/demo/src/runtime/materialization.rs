//! What the runtime remembers of a materialization: its specification with the fields selected, and its state.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    Connector, Delivery, Patch,
    task::{self, strings},
};
use crate::error::Error;

/// A materialization task.
#[derive(Debug)]
pub struct Materialization {
    name: String,
    config: Value,
    targets: Vec<Target>,
    state: Value,
}

/// A collection bound to a resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Resource configuration.
    pub resource_config: Value,
    /// Name of the collection.
    pub collection: String,
    /// JSON pointers of the collection's key.
    pub key: Vec<String>,
    /// Locations that can be selected as fields.
    pub projections: Vec<Projection>,
    /// Fields that the user requires, each with its config.
    pub require: BTreeMap<String, Value>,
    /// Fields that the user excludes.
    pub exclude: Vec<String>,
    /// How many times a new backfill was asked for.
    pub backfill: u32,
    /// What validation has made of it.
    pub validated: Validated,
}

/// A location of the collection's documents, by the name of its field.
#[derive(Debug, Clone, PartialEq)]
pub struct Projection {
    /// JSON pointer; empty for the whole document.
    pub pointer: String,
    /// Name of the field.
    pub field: String,
    /// JSON types that are found there.
    pub types: Vec<String>,
}

/// What the connector has answered about a target, and the fields selected from that.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Validated {
    /// What the connector calls the resource.
    pub resource_path: Vec<String>,
    /// Whether documents are written without being loaded before.
    pub delta_updates: bool,
    /// Why each field that is not selected is not, as the connector says it.
    pub forbidden: BTreeMap<String, String>,
    /// Fields of the key, in its order.
    pub keys: Vec<String>,
    /// Other fields, by name.
    pub values: Vec<String>,
    /// The field of the whole document, if it is selected.
    pub document: Option<String>,
}

/// Which constraints let a field be selected by default, and which demand it.
const OPTIONAL: &str = "FIELD_OPTIONAL";
const REQUIRED: [&str; 2] = ["FIELD_REQUIRED", "LOCATION_REQUIRED"];

impl Target {
    /// A collection of captured documents, by `/Id`, with the fields that the source has declared in a JSON schema.
    pub fn captured(resource_config: Value, collection: &str, schema: &Value) -> Self {
        let types = |schema: &Value| match &schema["type"] {
            Value::String(one) => vec![one.clone()],
            Value::Array(several) => several.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect(),
            _ => Vec::new(),
        };
        let members = schema["properties"].as_object().into_iter().flatten();
        let members = members.filter(|(name, _)| *name != "_meta").map(|(name, schema)| Projection {
            pointer: format!("/{}", name.replace('~', "~0").replace('/', "~1")),
            field: name.clone(),
            types: types(schema),
        });
        let of_flow = [("/_meta/op", "_meta/op", "string"), ("", "flow_document", "object")];
        let of_flow = of_flow.map(|(pointer, field, kind)| Projection {
            pointer: pointer.to_owned(),
            field: field.to_owned(),
            types: vec![kind.to_owned()],
        });
        Self {
            resource_config,
            collection: collection.to_owned(),
            key: vec!["/Id".to_owned()],
            projections: members.chain(of_flow).collect(),
            require: BTreeMap::new(),
            exclude: Vec::new(),
            backfill: 0,
            validated: Validated::default(),
        }
    }

    /// The location of a field.
    pub(super) fn pointer(&self, field: &str) -> &str {
        let projection = self.projections.iter().find(|projection| projection.field == field);
        projection.map_or("", |projection| projection.pointer.as_str())
    }

    fn collection_spec(&self) -> Value {
        let projection = |Projection { pointer, field, types }: &Projection| {
            json!({
                "ptr": pointer,
                "field": field,
                "isPrimaryKey": self.key.contains(pointer),
                "inference": { "types": types, "exists": "MAY" },
            })
        };
        let projections: Vec<Value> = self.projections.iter().map(projection).collect();
        json!({ "name": self.collection, "key": self.key, "projections": projections, "uuidPtr": "/_meta/uuid" })
    }

    /// Selects fields as the control plane does: keys always, what is demanded, what is required, and what may be.
    fn select(&mut self, answer: &Value) -> Result<(), Error> {
        let broken = |what| Error::protocol(what, &answer.to_string());
        let mut constraints: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
        for given in answer["projectionConstraints"].as_array().into_iter().flatten() {
            let constraint = &given["constraint"];
            let (Some(field), Some(kind)) = (given["field"].as_str(), constraint["type"].as_str()) else {
                return Err(broken("a constraint without field or type"));
            };
            constraints.entry(field).or_default().push((kind, constraint["reason"].as_str().unwrap_or_default()));
        }
        let mut validated = Validated {
            resource_path: strings(&answer["resourcePath"]).filter(|path| !path.is_empty()).unwrap_or_default(),
            delta_updates: answer["deltaUpdates"] == true,
            ..Validated::default()
        };
        if validated.resource_path.is_empty() {
            return Err(broken("no resource path"));
        }
        for Projection { pointer, field, .. } in &self.projections {
            let of_field =
                constraints.remove(field.as_str()).ok_or_else(|| broken("a projection without constraint"))?;
            let is_key = self.key.contains(pointer);
            let is_demanded = of_field.iter().any(|(kind, _)| REQUIRED.contains(kind));
            let is_wanted = is_key || is_demanded || self.require.contains_key(field);
            let refused = of_field.iter().find(|(kind, _)| *kind != OPTIONAL && !REQUIRED.contains(kind));
            match refused {
                Some((_, reason)) if is_wanted => {
                    return Err(Error::Unselectable { field: field.clone(), reason: (*reason).to_owned() });
                }
                Some((_, reason)) => {
                    validated.forbidden.insert(field.clone(), (*reason).to_owned());
                }
                None if is_key => validated.keys.push(field.clone()),
                None if !is_wanted && (self.exclude.contains(field) || pointer.is_empty()) => {}
                None if pointer.is_empty() => validated.document = Some(field.clone()),
                None => validated.values.push(field.clone()),
            }
        }
        if !constraints.is_empty() {
            return Err(broken("a constraint for a field that the collection lacks"));
        }
        validated.values.sort();
        self.validated = validated;
        Ok(())
    }

    fn field_selection(&self) -> Value {
        let Validated { keys, values, document, .. } = &self.validated;
        let mut selection = json!({ "keys": keys, "values": values });
        if let Some(document) = document {
            selection["document"] = json!(document);
        }
        if !self.require.is_empty() {
            selection["fieldConfig"] = json!(self.require);
        }
        selection
    }

    fn state_key(&self) -> String {
        task::state_key(&self.validated.resource_path, self.backfill)
    }
}

impl Materialization {
    /// A materialization that never ran.
    pub fn new(name: &str, config: Value, targets: Vec<Target>) -> Self {
        Self { name: name.to_owned(), config, targets, state: json!({}) }
    }

    /// Has the connector check the materialization, and selects fields by what it answers.
    ///
    /// # Errors
    /// When the connector refuses, its answer does not fit, or a field that is wanted cannot be had.
    pub async fn validate(&mut self, connector: &Connector) -> Result<(), Error> {
        let validated = connector.ask(&self.validate_request(), "validated").await?;
        let answers = validated["bindings"].as_array().map(Vec::as_slice).unwrap_or_default();
        if answers.len() != self.targets.len() {
            return Err(Error::protocol("not an answer for each binding", &validated.to_string()));
        }
        self.targets.iter_mut().zip(answers).try_for_each(|(target, answer)| target.select(answer))
    }

    /// The request that has the materialization checked.
    pub fn validate_request(&self) -> Value {
        let binding = |target: &Target| {
            json!({
                "resourceConfig": target.resource_config,
                "collection": target.collection_spec(),
                "fieldConfig": target.require,
                "backfill": target.backfill,
            })
        };
        let bindings: Vec<Value> = self.targets.iter().map(binding).collect();
        json!({ "validate": {
            "name": self.name, "connectorType": "IMAGE", "config": self.config, "bindings": bindings,
        } })
    }

    /// Has the connector prepare the destination; returns what it says it did.
    ///
    /// # Errors
    /// When the connector fails.
    pub async fn apply(&self, connector: &Connector) -> Result<String, Error> {
        let request = json!({ "materialization": self.spec(), "version": task::VERSION, "state": {} });
        task::apply(connector, &request).await
    }

    /// Opens a session from the state as of the last commit, and has it acknowledge that commit again, as each session begins.
    ///
    /// # Errors
    /// When the connector does not open it.
    pub async fn open(&mut self, connector: &Connector) -> Result<Delivery, Error> {
        let mut delivery = Delivery::open(connector, &self.open_request()).await?;
        let patch = delivery.acknowledge().await?;
        self.committed(patch);
        Ok(delivery)
    }

    /// The request that opens a session.
    pub fn open_request(&self) -> Value {
        task::open_request("materialization", &self.spec(), &self.state)
    }

    /// A transaction has become durable, with what it changes in the state.
    pub fn committed(&mut self, patch: Patch) {
        patch.apply(&mut self.state);
    }

    /// The targets.
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// The connector's state as of the last commit.
    pub fn state(&self) -> &Value {
        &self.state
    }

    fn spec(&self) -> Value {
        let binding = |target: &Target| {
            json!({
                "resourceConfig": target.resource_config,
                "resourcePath": target.validated.resource_path,
                "collection": target.collection_spec(),
                "fieldSelection": target.field_selection(),
                "deltaUpdates": target.validated.delta_updates,
                "backfill": target.backfill,
                "stateKey": target.state_key(),
            })
        };
        let bindings: Vec<Value> = self.targets.iter().map(binding).collect();
        json!({ "name": self.name, "connectorType": "IMAGE", "config": self.config, "bindings": bindings })
    }
}
