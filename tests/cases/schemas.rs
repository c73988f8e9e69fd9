//! The generated schemas of the repository, and the rules that Flow's forms set for those of the configuration.
//!
//! `UPDATE_SCHEMAS=1` (`just schemas`) writes the files anew.

use std::path::Path;

use serde_json::{Value, json};

use super::{org::Org, program};

#[tokio::test(flavor = "multi_thread")]
async fn files_are_what_the_connector_prints() {
    let spec = program::run(&["spec"], "").await.json()["spec"].take();
    assert_file("source-salesforce.config.json", &spec["configSchema"]);
    assert_file("source-salesforce.resource.json", &spec["resourceConfigSchema"]);

    let spec = program::writer().spec().await.expect("it says what it is");
    assert_file("materialize-salesforce.config.json", &spec["configSchema"]);
    assert_file("materialize-salesforce.resource.json", &spec["resourceConfigSchema"]);

    let org = Org::start(&[]).await;
    let discovered = program::run(&["discover", "--config", "-"], org.config().to_string()).await.json();
    let bindings = discovered["discovered"]["bindings"].as_array().expect("bindings");
    assert!(bindings.iter().all(|binding| binding["documentSchema"] == bindings[0]["documentSchema"]));
    assert_file("collection.json", &bindings[0]["documentSchema"]);
    for object in ["Account", "Contact", "Lead"] {
        let arguments = ["schema", "--config", "-", "--stream", object];
        let schema = program::run(&arguments, org.config().to_string()).await.json();
        assert_file(&format!("documents/{object}.json"), &schema);
    }
    org.shutdown().await;
}

/// Compares with a file in `schemas/`, or writes it where that is asked for.
fn assert_file(name: &str, schema: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas").join(name);
    let text = format!("{schema:#}\n");
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder can be made");
        std::fs::write(&path, text).expect("the schema can be written");
        return;
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(known == text, "schemas/{name} is out of date: run `just schemas`");
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_are_told_everything() {
    let spec = program::run(&["spec"], "").await.json()["spec"].take();
    assert_eq!(spec["resourcePathPointers"], json!(["/stream"]));
    check_spec(&spec);
    let spec = program::writer().spec().await.expect("it says what it is");
    assert_eq!(spec["resourceConfigSchema"]["properties"]["object"]["x-collection-name"], true);
    assert_eq!(spec["resourceConfigSchema"]["properties"]["delta_updates"]["x-delta-updates"], true);
    check_spec(&spec);
}

fn check_spec(spec: &Value) {
    assert_eq!(spec["protocol"], 3_032_023);
    assert!(spec["documentationUrl"].as_str().is_some_and(|url| url.starts_with("https://")), "{spec:#}");

    let mut secrets = Vec::new();
    for (name, schema) in [("config", &spec["configSchema"]), ("resource", &spec["resourceConfigSchema"])] {
        check(name, schema, &mut secrets);
    }
    secrets.sort();
    secrets.dedup();
    let below = |path: &str| path.replace('/', "config.credentials.");
    let expected = [
        "config.advanced.proxy",
        "/client_id",
        "/client_secret",
        "/passphrase",
        "/password",
        "/private_key",
        "/refresh_token",
        "/security_token",
    ];
    assert_eq!(secrets, expected.map(below));
    let credentials = &spec["configSchema"]["properties"]["credentials"];
    let discriminator = &credentials["discriminator"]["propertyName"];
    assert_eq!(discriminator, "credentials_title");
    for variant in credentials["oneOf"].as_array().expect("ways to sign in") {
        let title = &variant["properties"]["credentials_title"];
        assert!(title["const"].is_string() && title["const"] == title["default"], "{title}");
    }
    assert_eq!(spec["oauth2"]["provider"], "salesforce");
    let oauth = credentials["oneOf"].as_array().expect("ways to sign in").iter();
    assert_eq!(oauth.filter(|variant| variant["x-oauth2-provider"] == "salesforce").count(), 1);
}

/// Every property has a title and says what it is for; nothing refers elsewhere or may be null; places in the form are
/// distinct.
fn check(path: &str, schema: &Value, secrets: &mut Vec<String>) {
    assert!(schema.get("$ref").is_none() && schema.get("$defs").is_none(), "{path}: the schema is not of one piece");
    assert!(schema["type"].is_string() || schema["oneOf"].is_array(), "{path}: one type, not {}", schema["type"]);
    for variant in schema["oneOf"].as_array().into_iter().flatten() {
        assert!(variant["title"].is_string(), "{path}: an alternative without a title");
        check(path, variant, secrets);
    }
    if schema["secret"] == true {
        assert_eq!(schema["type"], "string", "{path}: only texts are secret");
        secrets.push(path.to_owned());
    }
    let mut orders = Vec::new();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        if property.get("const").is_none() {
            assert!(property["title"].is_string(), "{path}: no title");
            assert!(property["description"].is_string(), "{path}: no description");
        }
        orders.push(property["order"].as_u64().unwrap_or_else(|| panic!("{path}: no place in the form")));
        check(&path, property, secrets);
    }
    let places = orders.len();
    orders.sort_unstable();
    orders.dedup();
    assert_eq!(orders.len(), places, "{path}: two properties in one place");
}
