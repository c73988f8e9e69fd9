//! What this connector says of itself: its configuration schemas and how Flow may sign in on a user's behalf.

use flow_protocol::{capture, schema};
use salesforce_endpoint::oauth;
use serde_json::Value;

use crate::{config::RawConfig, resource::RawResource};

/// Where users read about this connector.
pub const DOCUMENTATION_URL: &str =
    "https://docs.estuary.dev/reference/Connectors/capture-connectors/Salesforce/salesforce-real-time/";

/// The answer to `spec`.
pub fn spec() -> capture::Spec {
    capture::Spec {
        config_schema: config_schema(),
        resource_config_schema: resource_schema(),
        documentation_url: DOCUMENTATION_URL.into(),
        oauth2: Some(oauth::web_server()),
        resource_path_pointers: vec!["/stream".into()],
    }
}

/// The schema of the endpoint config.
pub fn config_schema() -> Value {
    schema::of::<RawConfig>()
}

/// The schema of a binding's resource config.
pub fn resource_schema() -> Value {
    schema::of::<RawResource>()
}
