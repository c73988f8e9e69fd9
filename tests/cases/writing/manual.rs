//! The manual tells the truth: its specification is valid and writes what it says, and no option is missing from its tables.

use serde_json::{Value, json};

use super::desk::{Desk, MATCH, document, make_matchable, target};
use crate::{org::Org, program};

const MANUAL: &str = include_str!("../../../crates/materialize-salesforce/README.md");

/// The blocks of a language.
fn blocks(language: &str) -> impl Iterator<Item = &'static str> {
    let parts = MANUAL.split("```").skip(1).step_by(2);
    parts.filter_map(move |block| block.strip_prefix(language)?.strip_prefix('\n'))
}

/// Its bindings are put to an org as they are; only the user's Id, which no two orgs share, is that of this org.
#[tokio::test(flavor = "multi_thread")]
async fn its_specification_writes() {
    let org = Org::start(&[]).await;
    make_matchable(&org, &["Account", "Contact"]);
    let specification: Value =
        serde_saphyr::from_str(blocks("yaml").next().expect("a specification")).expect("it is YAML");
    let (_, task) =
        specification["materializations"].as_object().and_then(|tasks| tasks.iter().next()).expect("a task");
    let bindings = task["bindings"].as_array().expect("bindings").iter().map(|binding| {
        let mut target = target(binding["resource"].clone(), &["Name", "LastName", "AccountId", "OwnerId"]);
        for (field, rule) in binding["fields"]["require"].as_object().into_iter().flatten() {
            target.require.insert(field.clone(), rule.clone());
        }
        target
    });
    let mut bindings: Vec<_> = bindings.collect();
    Desk::prepare(&org, bindings.clone()).await;

    let owner = org.ids("User").first().expect("a user").to_string();
    bindings[1].require.get_mut("OwnerId").expect("owners are mapped")["otherwise"] = json!(owner);
    let mut desk = Desk::prepare(&org, bindings).await;
    let (account, contact) = ("001000000000001AAA", "003000000000001AAA");
    let fields = json!({ "LastName": "Ngo", "AccountId": account, "OwnerId": "005000000000001AAA" });
    desk.write([(1, document("c", contact, fields)), (0, document("c", account, json!({ "Name": "Acme" })))]).await;
    let truth = org.truth("Contact");
    let written = truth.values().find(|row| row[MATCH] == contact).expect("the contact is written");
    assert_eq!(written["OwnerId"], json!(owner));
    assert_eq!(org.truth("Account")[written["AccountId"].as_str().expect("a parent")][MATCH], account);
    desk.write([(1, document("d", contact, json!({})))]).await;
    assert_eq!(org.ids("Contact").len(), 0);
    org.shutdown().await;
}

/// The command that it shows, with its very argument.
#[tokio::test(flavor = "multi_thread")]
async fn its_command_validates() {
    let org = Org::start(&[]).await;
    make_matchable(&org, &["Lead"]);
    let command = blocks("sh").find_map(|block| block.trim().strip_prefix("materialize-salesforce validate "));
    let (_, object) = command.expect("a command").split_once("--object '").expect("an object");
    let arguments = ["validate", "--config", "-", "--object", object.trim_end_matches('\'')];
    let run = program::run_program(program::writer_path(), &arguments, org.config().to_string(), &[]).await;
    let constraints = &run.json()["validated"]["bindings"][0]["projectionConstraints"];
    assert!(constraints.as_array().is_some_and(|constraints| constraints.len() > 20), "{constraints}");
    org.shutdown().await;
}

/// Every option of the forms is explained, but for those that the capture's manual explains.
#[test]
fn no_option_is_missing() {
    let capture = include_str!("../../../README.md");
    let resource: Value =
        serde_json::from_str(include_str!("../../../schemas/materialize-salesforce.resource.json")).expect("JSON");
    let config: Value =
        serde_json::from_str(include_str!("../../../schemas/materialize-salesforce.config.json")).expect("JSON");
    let names = |schema: &Value| schema["properties"].as_object().expect("options").keys().cloned().collect::<Vec<_>>();
    let explains = |manual: &str, name: &str| manual.contains(&format!("`{name}`"));
    let mut missing: Vec<String> = names(&resource).into_iter().filter(|name| !explains(MANUAL, name)).collect();
    missing.extend(names(&config).into_iter().filter(|name| name != "advanced" && !explains(capture, name)));
    let advanced = names(&config["properties"]["advanced"]).into_iter().map(|name| format!("advanced.{name}"));
    missing.extend(advanced.filter(|name| !explains(MANUAL, name) && !explains(capture, name)));
    assert_eq!(missing, Vec::<String>::new());
}
