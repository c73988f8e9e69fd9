//! What responses of captures and of materializations have in common in their JSON: documented fields only, nothing
//! `null`, since runtimes before mid-2026 refuse what they do not know.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use serde_json::json;

/// Version of the protocol, the only one runtimes accept.
pub const PROTOCOL: u32 = 3_032_023;

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

/// Writes `spec`, with the protocol that is spoken.
pub(crate) fn spec<S: Serializer>(spec: &impl Serialize, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Message<'a, T> {
        protocol: u32,
        #[serde(flatten)]
        spec: &'a T,
    }

    serializer.collect_map([("spec", Message { protocol: PROTOCOL, spec })])
}

/// Writes `validated`: what is said of each binding.
pub(crate) fn validated<S: Serializer>(bindings: &[impl Serialize], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map([("validated", BTreeMap::from([("bindings", bindings)]))])
}

/// Writes `applied`.
pub(crate) fn applied<S: Serializer>(action_description: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map([("applied", json!({ "actionDescription": action_description }))])
}

/// Whether a flag is at its default, which is not written.
pub(crate) fn is_false(flag: &bool) -> bool {
    !flag
}
