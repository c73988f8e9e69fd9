//! What this connector says of itself: its configuration schemas and how Flow may sign in on a user's behalf.

use std::collections::BTreeMap;

use flow_protocol::{capture, schema};
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
        oauth2: Some(oauth2()),
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

/// Host of the sign-in pages: a My Domain before the sandbox switch before production.
const HOST: &str = "{{#config.my_domain}}{{{config.my_domain}}}{{/config.my_domain}}\
                    {{^config.my_domain}}{{#config.is_sandbox}}test{{/config.is_sandbox}}\
                    {{^config.is_sandbox}}login{{/config.is_sandbox}}.salesforce.com{{/config.my_domain}}";

/// The web-server flow in Flow's Mustache templates.
fn oauth2() -> capture::OAuth2 {
    let authorize = format!(
        "https://{HOST}/services/oauth2/authorize?response_type=code\
         &client_id={{{{#urlencode}}}}{{{{{{client_id}}}}}}{{{{/urlencode}}}}\
         &redirect_uri={{{{#urlencode}}}}{{{{{{redirect_uri}}}}}}{{{{/urlencode}}}}\
         &state={{{{#urlencode}}}}{{{{{{state}}}}}}{{{{/urlencode}}}}\
         &scope=api%20refresh_token"
    );
    let body = "grant_type=authorization_code\
                &client_id={{#urlencode}}{{{client_id}}}{{/urlencode}}\
                &client_secret={{#urlencode}}{{{client_secret}}}{{/urlencode}}\
                &redirect_uri={{#urlencode}}{{{redirect_uri}}}{{/urlencode}}\
                &code={{#urlencode}}{{{code}}}{{/urlencode}}";
    let one = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
    capture::OAuth2 {
        provider: "salesforce".into(),
        auth_url_template: authorize,
        access_token_url_template: format!("https://{HOST}/services/oauth2/token"),
        access_token_body: body.into(),
        access_token_headers: one("content-type", "application/x-www-form-urlencoded"),
        access_token_response_map: one("refresh_token", "/refresh_token"),
        ..capture::OAuth2::default()
    }
}
