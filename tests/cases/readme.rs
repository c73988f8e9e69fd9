//! The README tells the truth: its configs sign in, and the refusals it explains are those that users see.

use std::{collections::BTreeSet, path::Path};

use salesforce_emulator::Credentials;
use serde_json::{Value, json};

use super::{
    house::{ACME, House, known_as},
    org::Org,
    program,
    way::{PASSPHRASE, PKCS12, WAYS},
};

const README: &str = include_str!("../../README.md");

/// The last words of all that keeps a program out.
const REFUSALS: [&str; 3] = [
    include_str!("snapshots/cases__sign_in__what_keeps_a_program_out_names_its_cure.snap"),
    include_str!("snapshots/cases__sign_in__a_wrong_secret_is_told_by_what_it_is.snap"),
    include_str!("snapshots/cases__sign_in__an_assertion_for_another_kind_of_org_is_told.snap"),
];

/// Every config, with its placeholders replaced and nothing else changed: proxy and authority of the house come from the
/// environment.
#[tokio::test(flavor = "multi_thread")]
async fn its_configs_sign_in() {
    let org = Org::start_with(1, &[], known_as(ACME)).await;
    let house = House::of(&org).await;
    let folder = tempfile::tempdir().expect("a folder");
    let authority = folder.path().join("authority.pem");
    std::fs::write(&authority, house.authority()).expect("the folder can be written");
    let (proxy, authority) = (house.proxy(), authority.display().to_string());
    let environment = [("HTTPS_PROXY", &*proxy), ("SSL_CERT_FILE", &authority)];

    let known = org.emulator().credentials();
    let mut shown = BTreeSet::new();
    for block in README.split("```yaml\n").skip(1) {
        let (block, _) = block.split_once("```").expect("its end");
        let mut config: Value = serde_saphyr::from_str(block).unwrap_or_else(|error| panic!("{error}: {block}"));
        shown.insert(keys(&config["credentials"]));
        fill(&mut config, known, &house);
        let arguments = ["validate", "--config", "-", "--stream", "Account"];
        let run = program::run_with(&arguments, config.to_string(), &environment).await;
        assert_eq!(run.code, Some(0), "{block}{}", run.stderr);
    }
    for way in WAYS.iter().filter(|way| !way.name.ends_with("title")) {
        assert!(shown.contains(&keys(&(way.credentials)(known))), "it does not show: {}", way.name);
    }
    org.shutdown().await;
}

/// Every trap that the documentation names has its tests.
#[test]
fn traps_have_their_tests() {
    let traps = include_str!("../../docs/traps.md");
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut missing = Vec::new();
    for line in traps.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let (_, tests) = line.trim_end_matches(" |").rsplit_once(" | ").expect("three columns");
        for test in tests.split(", ").map(|test| test.trim_matches('`')) {
            let (module, name) = test.rsplit_once("::").expect("a module and a test");
            let file = match module.strip_prefix("merge::") {
                Some(module) => format!("crates/source-salesforce/tests/merge/{module}.rs"),
                None => format!("tests/cases/{module}.rs"),
            };
            let source = std::fs::read_to_string(repository.join(&file)).unwrap_or_default();
            if !source.contains(&format!("fn {name}()")) {
                missing.push(format!("{test} in {file}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(traps.lines().count() > 15, "the table is read");
}

fn keys(object: &Value) -> BTreeSet<String> {
    object.as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect()
}

/// Puts the true values in the place of placeholders; a config without credentials gets some.
fn fill(config: &mut Value, known: &Credentials, house: &House) {
    if config["credentials"].is_null() {
        config["credentials"] = (WAYS[0].credentials)(known);
    }
    let is_pkcs12 = !config["credentials"]["passphrase"].is_null();
    for (key, value) in config["credentials"].as_object_mut().expect("credentials") {
        *value = json!(match key.as_str() {
            "client_id" => &known.client_id,
            "client_secret" => &known.client_secret,
            "refresh_token" => &known.refresh_token,
            "username" => &known.username,
            "password" => &known.password,
            "security_token" => &known.security_token,
            "private_key" if is_pkcs12 => PKCS12,
            "private_key" => &known.private_key,
            "passphrase" => PASSPHRASE,
            other => panic!("{other} is none of the placeholders"),
        });
    }
    for (key, value) in config.get_mut("advanced").and_then(Value::as_object_mut).into_iter().flatten() {
        *value = match key.as_str() {
            "proxy" => json!(house.proxy()),
            "root_certificates" => json!(house.authority()),
            other => panic!("{other} is none of the placeholders"),
        };
    }
}

#[test]
fn the_refusals_it_explains_are_told() {
    let (_, section) = README.split_once("## Sign in\n").expect("the section");
    let (section, _) = section.split_once("\n## ").expect("its end");
    let rows: Vec<&str> = section.lines().filter_map(|line| line.strip_prefix("| `")).collect();
    assert!(rows.len() > 10, "{rows:?}");
    for row in rows {
        let (cell, _) = row.split_once("` | ").expect("a cell");
        for message in cell.split("`, `") {
            assert!(REFUSALS.iter().any(|told| told.contains(message)), "nobody says: {message}");
        }
    }
}
