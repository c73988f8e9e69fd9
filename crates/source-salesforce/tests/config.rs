//! Endpoint configs: what they mean, and what is said of those that mean nothing.

use flow_protocol::log;
use salesforce_client::Credentials;
use serde_json::{Value, json, value::to_raw_value};
use source_salesforce::{config::Config, resource::Resource, spec};

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
    let login = |change: fn(&mut Value)| parse(&config(change)).map(|config| config.endpoint.login_url.to_string());
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

/// One config for each way to sign in, told by its title and by its keys alone.
#[test]
fn each_way_to_sign_in_is_told_by_title_or_by_keys() {
    let key = include_str!("fixtures/key.pem");
    let p12 = include_str!("fixtures/key.p12.base64");
    let ways = [
        ("OAuth Credentials", json!({"client_id": "id", "client_secret": "canary", "refresh_token": "canary"})),
        ("Client Credentials", json!({"client_id": "id", "client_secret": "canary"})),
        ("JWT Bearer", json!({"client_id": "id", "username": "ada", "private_key": key})),
        ("JWT Bearer", json!({"client_id": "id", "username": "ada", "private_key": p12, "passphrase": "canary"})),
        ("Username and Password", json!({"username": "ada", "password": "canary", "security_token": "canary"})),
        (
            "Username and Password",
            json!({"username": "ada", "password": "canary", "client_id": "id", "client_secret": "canary", "security_token": ""}),
        ),
    ];
    let mut meant = String::new();
    for (title, credentials) in ways {
        let mut titled = credentials.clone();
        titled["credentials_title"] = title.into();
        let read = |credentials: Value| {
            let config = json!({"credentials": credentials, "my_domain": "acme.my.salesforce.com"});
            format!("{:?}", parse(&config).unwrap_or_else(|error| panic!("{title}: {error}")).endpoint.credentials)
        };
        let by_title = read(titled);
        assert_eq!(by_title, read(credentials), "{title}");
        assert!(!by_title.contains("canary"), "{by_title}");
        meant.push_str(&format!("{title}: {by_title}\n"));
    }
    insta::assert_snapshot!(meant);
}

/// An assertion is made out to Salesforce's host, also where it is sent to another.
#[test]
fn assertions_are_made_out_to_the_login_host() {
    let audience = |change: fn(&mut Value)| {
        let mut config = json!({"credentials": {
            "client_id": "id", "username": "ada", "private_key": include_str!("fixtures/key.pem"),
        }});
        change(&mut config);
        match parse(&config).expect("a config").endpoint.credentials {
            Credentials::JwtBearer { audience, .. } => audience,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(audience(|_| ()), "https://login.salesforce.com");
    assert_eq!(audience(|c| c["is_sandbox"] = json!(true)), "https://test.salesforce.com");
    assert_eq!(audience(|c| c["my_domain"] = json!("acme.my.salesforce.com")), "https://acme.my.salesforce.com");
    assert_eq!(
        audience(|c| c["advanced"] = json!({"login_url": "http://127.0.0.1:1"})),
        "https://login.salesforce.com"
    );
}

/// What is wrong with the config, and how it comes to be so.
type Case = (&'static str, fn(&mut Value));

#[test]
fn a_config_that_means_nothing_is_refused_by_place() {
    let cases: [Case; 32] = [
        ("no credentials", |c| *c = json!({})),
        ("credentials are text", |c| c["credentials"] = json!("canary-secret")),
        ("credentials are a list", |c| c["credentials"] = json!(["canary-secret"])),
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
        ("inspection interval", |c| c["advanced"] = json!({"inspection_interval": "PT0S"})),
        ("proxy", |c| c["advanced"] = json!({"proxy": "ftp://u:canary-secret@example.com"})),
        ("root certificates", |c| c["advanced"] = json!({"root_certificates": "canary-secret"})),
        ("client credentials at the common host", |c| {
            c["credentials"] = json!({"client_id": "id", "client_secret": "canary-secret"});
        }),
        ("jwt without a user", |c| c["credentials"] = json!({"client_id": "id", "private_key": "canary-secret"})),
        ("jwt with no key", |c| {
            c["credentials"] = json!({"client_id": "id", "username": "ada", "private_key": "canary-secret"});
        }),
        ("jwt with a public key", |c| {
            let key = "-----BEGIN PUBLIC KEY-----\ncanary-secret\n-----END PUBLIC KEY-----";
            c["credentials"] = json!({"client_id": "id", "username": "ada", "private_key": key});
        }),
        ("jwt with a wrong passphrase", |c| {
            let key = include_str!("fixtures/key.p12.base64");
            c["credentials"] =
                json!({"client_id": "id", "username": "ada", "private_key": key, "passphrase": "canary-secret"});
        }),
        ("password without a user", |c| c["credentials"] = json!({"password": "canary-secret"})),
        ("user without a password", |c| c["credentials"] = json!({"username": "ada"})),
        ("password with half an app", |c| {
            c["credentials"] = json!({"username": "ada", "password": "canary-secret", "client_id": "id"});
        }),
        ("titled, with the keys of another way", |c| {
            c["credentials"] = json!({"credentials_title": "JWT Bearer", "refresh_token": "canary-token"});
        }),
        ("user name is a list", |c| c["credentials"] = json!({"username": ["canary-secret"], "password": "p"})),
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
fn options_of_a_binding_that_mean_nothing_are_refused_by_place() {
    let cases = [
        ("a number for a stream", json!({"stream": 17})),
        ("no stream", json!({})),
        ("no name", json!({"stream": "Acc ount"})),
        ("an unknown option", json!({"stream": "Account", "strean": "x"})),
        ("mode", json!({"stream": "Account", "mode": "push"})),
        ("interval of zero", json!({"stream": "Account", "interval": "PT0S"})),
        ("interval in words", json!({"stream": "Account", "interval": "hourly"})),
        ("interval too long", json!({"stream": "Account", "interval": "PT25H"})),
        ("fields as a list", json!({"stream": "Account", "fields": ["Id"]})),
        ("fields without Id", json!({"stream": "Account", "fields": {"include": ["Name"]}})),
        ("fields that drop Id", json!({"stream": "Account", "fields": {"exclude": ["Name", "id"]}})),
        ("fields that drop the modstamp", json!({"stream": "Account", "fields": {"exclude": ["SystemModstamp"]}})),
        ("a path for a field", json!({"stream": "Account", "fields": {"include": ["Id", "Owner.Name"]}})),
        ("files", json!({"stream": "Account", "base64": "bytes"})),
        ("start date", json!({"stream": "Account", "start_date": "yesterday"})),
        ("deletions", json!({"stream": "Account", "deletions": "flag"})),
        ("refresh in words", json!({"stream": "Account", "refresh": "daily"})),
        ("refresh with seconds", json!({"stream": "Account", "refresh": "0 30 3 * * *"})),
        ("refresh on no day", json!({"stream": "Account", "refresh": "30 3 30 2 *"})),
        ("a channel for a topic", json!({"stream": "Account", "push_topic": "/topic/Accounts"})),
        ("a topic for polls", json!({"stream": "Account", "push_topic": "Accounts", "mode": "poll"})),
    ];
    let mut said = String::new();
    for (name, config) in cases {
        let raw = to_raw_value(&config).expect("JSON");
        let error = Resource::parse(&raw).map_err(|error| log::chain(&error)).expect_err(name);
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
