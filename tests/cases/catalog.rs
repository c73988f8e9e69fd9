//! `flow.yaml` is a working catalog: its config signs in to an emulated org of seed 1, its bindings are valid, and its
//! collections are those that discovery proposes.

use std::path::{Path, PathBuf};

use demo::runtime::Capture;
use serde_json::{Value, json};

use super::{
    org::Org,
    program::{self, lines},
};

const NAME: &str = "example/salesforce";

/// A file of the repository.
fn file(name: impl AsRef<Path>) -> (PathBuf, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    (path, text)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalog_works() {
    let catalog: Value = serde_saphyr::from_str(&file("flow.yaml").1).expect("flow.yaml is YAML");
    let capture = &catalog["captures"][NAME];
    let local = &capture["endpoint"]["local"];
    assert_eq!(local["command"], json!(["target/release/source-salesforce"]));

    let org = Org::start(&[]).await;
    let mut config = local["config"].clone();
    assert_eq!(config["credentials"], org.config()["credentials"], "the credentials are those of seed 1");
    assert_eq!(config["advanced"]["login_url"], "http://127.0.0.1:8717");
    config["advanced"]["login_url"] = org.config()["advanced"]["login_url"].clone();

    let discovered = Capture::discover(&program::connector(), NAME, &config).await.expect("the org is discovered");
    let bindings = capture["bindings"].as_array().expect("bindings");
    let mut requests = Vec::new();
    for binding in bindings {
        let target = binding["target"].as_str().expect("a target");
        let collection = &catalog["collections"][target];
        let schema = collection["schema"].as_str().expect("a file");
        let schema: Value = serde_json::from_str(&file(schema).1).expect("the schema is JSON");
        let proposed = discovered.iter().find(|proposed| proposed.resource_config == binding["resource"]);
        let proposed = proposed.unwrap_or_else(|| panic!("{} is not discovered", binding["resource"]));
        assert_eq!(proposed.collection, target);
        assert_eq!(json!(proposed.key), collection["key"]);
        assert_eq!(proposed.document_schema, schema, "{target}");
        requests
            .push(json!({ "resourceConfig": binding["resource"], "collection": { "name": target, "key": ["/Id"] } }));
    }
    let validate = json!({ "validate": { "name": NAME, "config": config, "bindings": requests } });
    let validated = program::serve(lines(&[validate])).await.json();
    assert_eq!(validated["validated"]["bindings"].as_array().map(Vec::len), Some(bindings.len()));
    org.shutdown().await;
}

/// The README starts the org that the catalog signs in to.
#[test]
fn the_readme_starts_its_org() {
    let readme = file("README.md").1;
    for line in file("flow.yaml").1.lines().filter_map(|line| line.strip_prefix("#   ")) {
        assert!(readme.contains(line), "the README does not say: {line}");
    }
}
