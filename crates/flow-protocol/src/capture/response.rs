//! Responses, and how they stand in JSON: documented fields only, nothing `null`, since runtimes before mid-2026
//! refuse what they do not know.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

/// Version of the protocol, the only one runtimes accept.
pub const PROTOCOL: u32 = 3_032_023;

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

/// Templates of an OAuth flow, in Mustache, with triple braces so that nothing is HTML-escaped. Empty means absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OAuth2 {
    /// Name of the provider, as in the schema's `x-oauth2-provider`.
    pub provider: String,
    /// The page where the user consents.
    pub auth_url_template: String,
    /// Where the code is exchanged for tokens.
    pub access_token_url_template: String,
    /// HTTP method of the exchange; `POST` when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub access_token_method: String,
    /// Body of the exchange.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub access_token_body: String,
    /// Headers of the exchange.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub access_token_headers: BTreeMap<String, String>,
    /// Which members of the reply become which properties of the credentials: property to JSON pointer.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub access_token_response_map: BTreeMap<String, String>,
    /// Where a refresh token is exchanged for an access token.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub refresh_token_url_template: String,
    /// HTTP method of the refresh; `POST` when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub refresh_token_method: String,
    /// Body of the refresh.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub refresh_token_body: String,
    /// Headers of the refresh.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub refresh_token_headers: BTreeMap<String, String>,
    /// As `access_token_response_map`, for the refresh.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub refresh_token_response_map: BTreeMap<String, String>,
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
        #[derive(Serialize)]
        struct SpecMessage<'a> {
            protocol: u32,
            #[serde(flatten)]
            spec: &'a Spec,
        }

        match self {
            Self::Spec(spec) => serializer.collect_map([("spec", SpecMessage { protocol: PROTOCOL, spec })]),
            Self::Discovered(bindings) => {
                serializer.collect_map([("discovered", BTreeMap::from([("bindings", bindings)]))])
            }
            Self::Validated(paths) => {
                let bindings: Vec<_> = paths.iter().map(|path| json!({ "resourcePath": path })).collect();
                serializer.collect_map([("validated", json!({ "bindings": bindings }))])
            }
            Self::Applied { action_description } => {
                serializer.collect_map([("applied", json!({ "actionDescription": action_description }))])
            }
            Self::Opened { explicit_acknowledgements } => {
                serializer.collect_map([("opened", json!({ "explicitAcknowledgements": explicit_acknowledgements }))])
            }
        }
    }
}

fn is_false(flag: &bool) -> bool {
    !flag
}
