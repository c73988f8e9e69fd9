//! Endpoint configs: what they mean, and what is said of those that mean nothing.

use flow_protocol::log;
use serde_json::{Value, json, value::to_raw_value};
use source_salesforce::{config::Config, spec};

fn config(change: impl FnOnce(&mut Value)) -> Value {
    let mut config = json!({
        "credentials": {"client_id": "id", "client_secret": "canary-secret", "refresh_token": "canary-token"},
        "is_sandbox": false,
    });
    change(&mut config);
    config
}

fn parse(config: &Value) -> Result<Config, String> {
    let raw = to_raw_value(config).expect("JSON");
    Config::parse(&raw).map_err(|error| log::chain(&error))
}

#[test]
fn the_published_connectors_config_is_accepted() {
    let login = |change: fn(&mut Value)| parse(&config(change)).map(|config| config.login_url.to_string());
    assert_eq!(login(|_| ()), Ok("https://login.salesforce.com".into()));
    assert_eq!(login(|c| c["is_sandbox"] = json!(true)), Ok("https://test.salesforce.com".into()));
    assert_eq!(
        login(|c| c["my_domain"] = json!("acme.my.salesforce.com")),
        Ok("https://acme.my.salesforce.com".into())
    );
    assert_eq!(
        login(|c| *c = json!({"credentials": c["credentials"], "is_sandbox": true, "my_domain": "", "start_date": "",
            "advanced": {"login_url": "http://127.0.0.1:1", "api_version": "", "coalescing_interval": ""}, "sops": {}})),
        Ok("http://127.0.0.1:1".into()),
        "the form sends empty strings; an encrypted config has a key more"
    );
    let titled = config(|c| c["credentials"]["credentials_title"] = json!("OAuth Credentials"));
    assert!(parse(&titled).is_ok());
}

/// What is wrong with the config, and how it comes to be so.
type Case = (&'static str, fn(&mut Value));

#[test]
fn a_config_that_means_nothing_is_refused_by_place() {
    let cases: [Case; 18] = [
        ("no credentials", |c| *c = json!({})),
        ("credentials are text", |c| c["credentials"] = json!("canary-secret")),
        ("credentials are null", |c| c["credentials"] = json!(null)),
        ("secret missing", |c| c["credentials"] = json!({"client_id": "id", "refresh_token": "canary-token"})),
        ("token empty", |c| c["credentials"]["refresh_token"] = json!(" ")),
        ("secret is a number", |c| c["credentials"]["client_secret"] = json!(17)),
        ("other title", |c| c["credentials"]["credentials_title"] = json!("canary-secret")),
        ("sandbox is text", |c| c["is_sandbox"] = json!("canary-secret")),
        ("my domain with a scheme", |c| c["my_domain"] = json!("https://acme.my.salesforce.com")),
        ("my domain of pages", |c| c["my_domain"] = json!("acme.lightning.force.com")),
        ("my domain elsewhere", |c| c["my_domain"] = json!("salesforce.example.com")),
        ("start date", |c| c["start_date"] = json!("yesterday")),
        ("login url", |c| c["advanced"] = json!({"login_url": "login.salesforce.com"})),
        ("login url over http", |c| c["advanced"] = json!({"login_url": "http://login.salesforce.com"})),
        ("login url with a password", |c| c["advanced"] = json!({"login_url": "https://u:canary-secret@example.com"})),
        ("api version", |c| c["advanced"] = json!({"api_version": "latest"})),
        ("api version too old", |c| c["advanced"] = json!({"api_version": "36.0"})),
        ("coalescing interval", |c| c["advanced"] = json!({"coalescing_interval": "PT5M"})),
    ];
    let mut said = String::new();
    for (name, change) in cases {
        let error = parse(&config(change)).expect_err(name);
        assert!(!error.contains("canary"), "{name}: {error}");
        said.push_str(&format!("{name}: {error}\n"));
    }
    insta::assert_snapshot!(said);
}

#[test]
fn the_schemas_obey_flows_rules() {
    assert_eq!(flow_protocol::schema::violations(&spec::config_schema()), Vec::<String>::new());
    assert_eq!(flow_protocol::schema::violations(&spec::resource_schema()), Vec::<String>::new());
    insta::assert_json_snapshot!(spec::config_schema());
    insta::assert_json_snapshot!(spec::resource_schema());
    insta::assert_json_snapshot!(spec::spec().oauth2);
}

#[test]
fn debug_output_holds_no_secret() {
    let config = parse(&config(|_| ())).expect("a config");
    let text = format!("{config:?}");
    assert!(!text.contains("canary"), "{text}");
}
