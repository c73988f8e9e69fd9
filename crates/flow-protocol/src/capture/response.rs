//! Responses, and how they stand in JSON. What they have in common with those of materializations is in [`task::response`](response).

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::task::response::{self, OAuth2, is_false};

/// An answer to a request.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a process makes a handful of them")]
pub enum Response {
    /// Answers `spec`.
    Spec(Spec),
    /// Answers `discover`: all that can be captured, or the runtime takes the rest for gone.
    Discovered(Vec<DiscoveredBinding>),
    /// Answers `validate`: the resource path of each binding, in the order of the request.
    Validated(Vec<Vec<String>>),
    /// Answers `apply`.
    Applied {
        /// What was done, for the user to read; empty if nothing was.
        action_description: String,
    },
    /// Answers `open`, before anything else.
    Opened {
        /// Whether the session wants [`Request::Acknowledge`](super::Request::Acknowledge). Asking for them keeps stdin
        /// open under every revision of the runtime.
        explicit_acknowledgements: bool,
    },
}

/// What a connector is and takes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// JSON schema of the endpoint configuration. Its root must allow additional properties.
    pub config_schema: Value,
    /// JSON schema of a resource configuration.
    pub resource_config_schema: Value,
    /// Where a user reads on. Must not be empty.
    pub documentation_url: String,
    /// How a user signs in with the browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oauth2: Option<OAuth2>,
    /// JSON pointers into a resource configuration that give its path. Must not be empty.
    pub resource_path_pointers: Vec<String>,
}

/// A resource that can be captured.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DiscoveredBinding {
    /// Suggested last part of the collection's name. May contain `/`.
    pub recommended_name: String,
    /// Resource configuration; fits the resource schema.
    pub resource_config: Value,
    /// The collection's write schema: an object schema in which each key location exists.
    pub document_schema: Value,
    /// JSON pointers of the key.
    pub key: Vec<String>,
    /// Offered, but not captured until the user enables it.
    #[serde(skip_serializing_if = "is_false")]
    pub disable: bool,
    /// What `validated` will answer for it.
    pub resource_path: Vec<String>,
    /// Whether the key is synthetic, so that the user may choose another.
    #[serde(skip_serializing_if = "is_false")]
    pub is_fallback_key: bool,
}

impl Serialize for Response {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Spec(spec) => response::spec(spec, serializer),
            Self::Discovered(bindings) => {
                serializer.collect_map([("discovered", BTreeMap::from([("bindings", bindings)]))])
            }
            Self::Validated(paths) => {
                let bindings: Vec<_> = paths.iter().map(|path| json!({ "resourcePath": path })).collect();
                response::validated(&bindings, serializer)
            }
            Self::Applied { action_description } => response::applied(action_description, serializer),
            Self::Opened { explicit_acknowledgements } => {
                serializer.collect_map([("opened", json!({ "explicitAcknowledgements": explicit_acknowledgements }))])
            }
        }
    }
}
