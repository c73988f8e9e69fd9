//! How Flow signs in on a user's behalf: OAuth's web-server flow, in Flow's Mustache templates.

use std::collections::BTreeMap;

use flow_protocol::task::OAuth2;

/// Host of the sign-in pages: a My Domain before the sandbox switch before production.
const HOST: &str = "{{#config.my_domain}}{{{config.my_domain}}}{{/config.my_domain}}\
                    {{^config.my_domain}}{{#config.is_sandbox}}test{{/config.is_sandbox}}\
                    {{^config.is_sandbox}}login{{/config.is_sandbox}}.salesforce.com{{/config.my_domain}}";

/// The `oauth2` block of a connector whose config has `my_domain` and `is_sandbox`.
pub fn web_server() -> OAuth2 {
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
    OAuth2 {
        provider: "salesforce".into(),
        auth_url_template: authorize,
        access_token_url_template: format!("https://{HOST}/services/oauth2/token"),
        access_token_body: body.into(),
        access_token_headers: one("content-type", "application/x-www-form-urlencoded"),
        access_token_response_map: one("refresh_token", "/refresh_token"),
        ..OAuth2::default()
    }
}
