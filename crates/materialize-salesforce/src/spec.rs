//! What this connector says of itself.

use flow_protocol::{materialize, schema};
use salesforce_endpoint::oauth;
use serde_json::Value;

use crate::{config::RawConfig, resource::RawResource};

/// Where users read about this connector.
pub const DOCUMENTATION_URL: &str = "https://docs.estuary.dev/reference/Connectors/materialization-connectors/";

/// The answer to `spec`.
pub fn spec() -> materialize::Spec {
    materialize::Spec {
        config_schema: config_schema(),
        resource_config_schema: resource_schema(),
        documentation_url: DOCUMENTATION_URL.into(),
        oauth2: Some(oauth::web_server()),
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
