//! Rows that the org refuses: by default the task stops and names the document; or it reports them, keeps them, and goes on.

use demo::Error;
use salesforce_emulator::{FaultAction, FaultRule};
use serde_json::{Value, json};

use super::desk::{Desk, MATCH, by_match, document, make_matchable, target, with};
use crate::org::Org;

const GOOD: &str = "00Q000000000001AAA";
const BAD: &str = "00Q000000000002AAA";

async fn org() -> Org {
    let org = Org::start(&[]).await;
    make_matchable(&org, &["Lead"]);
    org
}

fn lead(id: &str, company: &str) -> (usize, Value) {
    (0, document("c", id, json!({ "LastName": "Ngo", "Company": company })))
}

fn resource(options: Value) -> Value {
    with(json!({ "object": "Lead", "match_field": MATCH }), options)
}

/// More characters than `Company` takes.
fn too_long() -> String {
    "x".repeat(300)
}

/// The task stops at a row that is rejected, with everything a person needs. It can be got past as the message says: by continuing for
/// once, or by correcting the row; nothing else is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_stops_can_be_got_past() {
    let rows = || [lead(GOOD, "Acme"), lead(BAD, &too_long())];
    for way in ["continue", "correct"] {
        let org = org().await;
        let mut desk = Desk::prepare(&org, vec![target(resource(json!({})), &["LastName", "Company"])]).await;
        for _ in 0..2 {
            let exit = desk.fail(rows()).await;
            assert_eq!(exit.code, Some(1));
            let message = exit.last_message().expect("last words");
            for part in ["upsert of Lead", BAD, "STRING_TOO_LONG", "Company", "Rejected Rows"] {
                assert!(message.contains(part), "{part}: {message}");
            }
        }
        match way {
            "continue" => {
                let targets = vec![target(resource(json!({ "on_error": "continue" })), &["LastName", "Company"])];
                let exit = Desk::prepare(&org, targets).await.write(rows()).await;
                let reported: Vec<_> = exit.log.iter().filter(|line| line.contains("a row was rejected")).collect();
                assert_eq!(reported.len(), 1, "{:?}", exit.log);
                let line: Value = serde_json::from_str(reported[0]).expect("a line of JSON");
                assert_eq!(line["fields"]["code"], "STRING_TOO_LONG");
                assert_eq!(line["fields"]["key"], BAD);
                assert!(!reported[0].contains("Ngo"), "what was sent is not for logs");
                desk.write([]).await;
            }
            _ => {
                desk.write([lead(GOOD, "Acme"), lead(BAD, "Short")]).await;
            }
        }
        let found = by_match(&org, "Lead", &["Company"]);
        let expected = match way {
            "continue" => json!({ GOOD: { "Company": "Acme" } }),
            _ => json!({ GOOD: { "Company": "Acme" }, BAD: { "Company": "Short" } }),
        };
        assert_eq!(json!(found), expected, "{way}");
        org.shutdown().await;
    }
}

/// Fields of an object that keeps rejected rows, as the manual asks for them.
const LETTER: [(&str, u32); 6] = [
    ("Object__c", 80),
    ("Key__c", 255),
    ("Operation__c", 20),
    ("Code__c", 80),
    ("Message__c", 32_000),
    ("Document__c", 131_072),
];

fn make_letters(org: &Org) {
    for (field, length) in LETTER {
        let kind = if length > 255 { "textarea" } else { "string" };
        let definition = json!({ "type": kind, "length": length });
        org.change_schema(json!({ "add_field": { "object": "Custom__c", "field": field, "definition": definition } }));
    }
}

/// A rejected row becomes a record that says all about it, before the transaction commits.
#[tokio::test(flavor = "multi_thread")]
async fn rejected_rows_are_kept_as_records() {
    let org = org().await;
    make_letters(&org);
    let resource = resource(json!({ "on_error": "continue", "dead_letters": "Custom__c" }));
    let mut desk = Desk::prepare(&org, vec![target(resource, &["LastName", "Company"])]).await;
    desk.write([lead(GOOD, "Acme"), lead(BAD, &too_long())]).await;
    let letters = org.truth("Custom__c");
    let letter = letters.values().next().expect("a letter");
    assert_eq!(letters.len(), 1);
    for (field, expected) in
        [("Object__c", "Lead"), ("Key__c", BAD), ("Operation__c", "upsert"), ("Code__c", "STRING_TOO_LONG")]
    {
        assert_eq!(letter[field], expected);
    }
    assert!(letter["Message__c"].as_str().expect("a message").contains("Company"));
    let sent: Value = serde_json::from_str(letter["Document__c"].as_str().expect("a document")).expect("JSON");
    assert_eq!(sent["Company"], too_long());
    org.shutdown().await;
}

/// However long a row is, an error is one that can be read, and a letter one that can be kept.
#[tokio::test(flavor = "multi_thread")]
async fn long_rows_have_short_errors() {
    let org = org().await;
    make_letters(&org);
    let row = || lead(&"k".repeat(5_000), &"x".repeat(3_000_000));
    let targets = vec![target(resource(json!({})), &["LastName", "Company"])];
    let message = Desk::prepare(&org, targets).await.fail([row()]).await.last_message().expect("last words");
    assert!(message.len() < 3_000, "{} characters", message.len());
    let resource = resource(json!({ "on_error": "continue", "dead_letters": "Custom__c" }));
    Desk::prepare(&org, vec![target(resource, &["LastName", "Company"])]).await.write([row()]).await;
    let letter = org.truth("Custom__c").into_values().next().expect("a letter");
    assert_eq!(letter["Key__c"].as_str().map(str::len), Some(255));
    assert_eq!(letter["Document__c"].as_str().map(str::len), Some(131_072));
    org.shutdown().await;
}

/// A row that is rejected and cannot be kept either stops the task.
#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_is_refused_stops_the_task() {
    let org = org().await;
    make_letters(&org);
    let resource = resource(json!({ "on_error": "continue", "dead_letters": "Custom__c" }));
    let mut desk = Desk::prepare(&org, vec![target(resource, &["LastName", "Company"])]).await;
    let transaction = desk.transaction([lead(BAD, &too_long())]);
    let mut delivery = desk.open().await;
    let definition = json!({ "type": "double", "precision": 18, "scale": 0 });
    org.change_schema(
        json!({ "retype_field": { "object": "Custom__c", "field": "Code__c", "definition": definition } }),
    );
    let message = match desk.commit(&mut delivery, &transaction).await {
        Err(Error::Ended { exit, .. }) => exit.last_message().expect("last words"),
        other => panic!("it goes on: {other:?}"),
    };
    assert!(message.contains("could not be kept") && message.contains(BAD), "{message}");
    org.shutdown().await;
}

/// An org that is out of order is tried again, for as long as the config says; then the task ends, and what it had is sent again.
#[tokio::test(flavor = "multi_thread")]
async fn an_org_that_is_out_of_order_is_given_up() {
    let org = org().await;
    let mut config = org.config();
    config["advanced"]["patience"] = json!("PT1S");
    let targets = vec![target(resource(json!({})), &["LastName", "Company"])];
    let mut desk = Desk::prepare_with(config, targets).await.expect("it is valid");
    let kind = Some("upsert_rows".to_owned());
    let action = FaultAction::Html503;
    org.emulator().add_fault(FaultRule { method: None, path: None, kind, nth: 1, count: None, action });
    let message = desk.fail([lead(GOOD, "Acme")]).await.last_message().expect("last words");
    assert!(message.contains("gave up writing to Lead after"), "{message}");
    org.emulator().clear_faults();
    desk.write([lead(GOOD, "Acme")]).await;
    assert_eq!(json!(by_match(&org, "Lead", &["Company"])), json!({ GOOD: { "Company": "Acme" } }));
    org.shutdown().await;
}

/// Rows of every kind that only the org can judge, each with the code by which it is reported.
#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_bad_row_has_its_reason() {
    let org = org().await;
    let taken = json!({ "LastName": "Ngo", "Company": "Acme", MATCH: "00Q00000000taken" });
    org.create("Lead", taken);
    let rows = [
        ("too long", lead(BAD, &too_long()), "STRING_TOO_LONG"),
        ("a number where a text is too short", lead(BAD, ""), "REQUIRED_FIELD_MISSING"),
        (
            "no number",
            (0, document("c", BAD, json!({ "LastName": "N", "Company": "A", "AnnualRevenue": "much" }))),
            "VALUE_DOES_NOT_FIT",
        ),
        (
            "no such choice",
            (0, document("c", BAD, json!({ "LastName": "N", "Company": "A", "Email": "no address" }))),
            "INVALID_EMAIL_ADDRESS",
        ),
        ("a key too long", lead("00Q00000000000000000002AAA", "Acme"), "STRING_TOO_LONG"),
    ];
    for (what, row, code) in rows {
        let fields = ["LastName", "Company", "AnnualRevenue", "Email"];
        let targets = vec![target(resource(json!({ "on_error": "continue" })), &fields)];
        let exit = Desk::prepare(&org, targets).await.write([row]).await;
        let reported: Vec<_> = exit.log.iter().filter(|line| line.contains("a row was rejected")).collect();
        assert!(reported.len() == 1 && reported[0].contains(code), "{what}: {:?}", exit.log);
    }
    assert_eq!(org.ids("Lead").len(), 1);
    org.shutdown().await;
}
