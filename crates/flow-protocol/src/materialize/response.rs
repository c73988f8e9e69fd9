//! Responses, and how they stand in JSON. What they have in common with those of captures is in [`task::response`](response).

use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json, value::RawValue};

use crate::task::response::{self, OAuth2, is_false};

/// An answer to a request.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "those of a session are made one at a time")]
pub enum Response {
    /// Answers `spec`.
    Spec(Spec),
    /// Answers `validate`: the bindings, in the order of the request.
    Validated(Vec<ValidatedBinding>),
    /// Answers `apply`.
    Applied {
        /// What was done, for the user to read; empty if nothing was.
        action_description: String,
    },
    /// Answers `open`, before anything else.
    Opened {
        /// Whether keys are to be loaded that Flow has never stored: the destination may have them.
        disable_load_optimization: bool,
    },
    /// Answers `acknowledge`, once.
    Acknowledged {
        /// What changes in the state, as a merge patch. It is durable only with the next commit.
        state: Option<Value>,
    },
    /// A document that `load` asked for, whole.
    Loaded {
        /// Index of its binding.
        binding: usize,
        /// The document.
        doc: Box<RawValue>,
    },
    /// Answers `flush`: all documents that are there have been loaded.
    Flushed,
    /// Answers `startCommit`.
    StartedCommit {
        /// What changes in the state, as a merge patch. It is committed together with the transaction.
        state: Option<Value>,
    },
}

/// What a connector is and takes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// JSON schema of the endpoint configuration. Its root must allow additional properties.
    pub config_schema: Value,
    /// JSON schema of a resource configuration. One text property must have `x-collection-name`.
    pub resource_config_schema: Value,
    /// Where a user reads on. Must not be empty.
    pub documentation_url: String,
    /// How a user signs in with the browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oauth2: Option<OAuth2>,
}

/// What is said of a binding to be validated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ValidatedBinding {
    /// What each field is fit for: at least one for each projection of the collection.
    pub projection_constraints: Vec<Constraint>,
    /// The path of its resource: not empty, and no other binding's. It must stay the same for ever.
    pub resource_path: Vec<String>,
    /// Nothing is to be loaded, and documents are to be stored as each transaction brings them.
    #[serde(skip_serializing_if = "is_false")]
    pub delta_updates: bool,
}

/// What a field is fit for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constraint {
    /// Name of the field.
    pub field: String,
    /// What it is fit for.
    pub kind: ConstraintKind,
    /// Why, for the user to read. Must not be empty.
    pub reason: String,
    /// What the destination calls it, if that is another name; of fields that fold into one, one is selected.
    pub folded_field: Option<String>,
}

/// What a field is fit for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ConstraintKind {
    /// This field must be selected.
    FieldRequired,
    /// Some field of this location must be selected.
    LocationRequired,
    /// It may be selected.
    FieldOptional,
    /// It never can be.
    FieldForbidden,
    /// It cannot be with what is there, but could after a backfill.
    Incompatible,
}

impl Serialize for Constraint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut constraint = json!({ "type": self.kind, "reason": self.reason });
        if let (Some(folded), Value::Object(members)) = (&self.folded_field, &mut constraint) {
            members.insert("foldedField".to_owned(), folded.as_str().into());
        }
        json!({ "field": self.field, "constraint": constraint }).serialize(serializer)
    }
}

impl Serialize for Response {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct LoadedMessage<'a> {
            binding: usize,
            doc: &'a RawValue,
        }

        match self {
            Self::Spec(spec) => response::spec(spec, serializer),
            Self::Validated(bindings) => response::validated(bindings, serializer),
            Self::Applied { action_description } => response::applied(action_description, serializer),
            Self::Opened { disable_load_optimization } => {
                let opened = json!({ "disableLoadOptimization": disable_load_optimization });
                serializer.collect_map([("opened", opened)])
            }
            Self::Acknowledged { state } => serializer.collect_map([("acknowledged", with_state(state.as_ref()))]),
            Self::Loaded { binding, doc } => {
                serializer.collect_map([("loaded", LoadedMessage { binding: *binding, doc })])
            }
            Self::Flushed => serializer.collect_map([("flushed", Map::new())]),
            Self::StartedCommit { state } => serializer.collect_map([("startedCommit", with_state(state.as_ref()))]),
        }
    }
}

fn with_state(patch: Option<&Value>) -> Value {
    match patch {
        Some(patch) => json!({ "state": { "updated": patch, "mergePatch": true } }),
        None => json!({}),
    }
}
