//! Rows that are not what their object's describe says, by each way on which rows come: the golden table. What a text of JSON or CSV can
//! say is captured as it stands, as the schema of collections admits it. What makes no document ends the capture, and the last
//! words name the object, and the record and the field where they can be told. Nothing is passed over in silence.
//!
//! An emulated org holds no such rows: a fault respells its replies.

use std::{fmt::Write as _, time::Duration};

use futures::{FutureExt as _, StreamExt as _, stream};
use salesforce_emulator::{
    FaultAction, FaultRule,
    org::{Id, SchemaChange},
};
use serde_json::{Value, json};
use tokio::{task::block_in_place, time::timeout};

use super::{
    org::Org,
    program::{PATIENCE, masked},
    task::Task,
};

/// Cases under way at a time: those that end in an error wait between attempts.
const AT_ONCE: usize = 4;

/// How a row comes.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// On a page of a query.
    Page,
    /// In the results of a Bulk job.
    Job,
    /// By a fetch of its id.
    Fetch,
    /// In an event.
    Event,
}

/// A reply that is respelled: wherever one text stands, there is another. `ID` stands for the record's id.
struct Case {
    what: &'static str,
    way: Way,
    text: &'static str,
    into: &'static str,
    then: Then,
}

enum Then {
    /// The field is captured so.
    Captured(&'static str, fn() -> Value),
    /// The capture ends.
    Ends,
    /// It says this, asks again and again, and has lost nothing when the reply is sound.
    Insists(&'static str),
}

/// Texts that end in bytes that are no UTF-8.
const LATIN1: &str = "canary ä";

/// Megabytes are more than a text field of Salesforce holds, and a good deal more than anyone expects.
const HUGE: &str = "HUGE";

fn huge() -> String {
    "long ".repeat(1 << 20)
}

const fn case(way: Way, what: &'static str, text: &'static str, into: &'static str, then: Then) -> Case {
    Case { what, way, text, into, then }
}

const TEXT: &str = "\"canary text\"";
const MOMENT: &str = "\"2026-02-03T04:05:06.000+0000\"";
/// As a cell or an event has it.
const ZULU: &str = "\"2026-02-03T04:05:06.000Z\"";

/// The beginning of a page's rows.
const FIRST: &str = "\"records\":[{\"attributes\":{\"type\":\"Odd__c\"";

#[rustfmt::skip]
const CASES: [Case; 37] = [
    case(Way::Page, "a number in a text field", TEXT, "4712", Then::Captured("Text__c", || json!(4712))),
    case(Way::Page, "a text in a number field", "4711.5", "\"many\"", Then::Captured("Amount__c", || json!("many"))),
    case(Way::Page, "a point in time in words", MOMENT, "\"yesterday\"", Then::Captured("Moment__c", || json!("yesterday"))),
    case(Way::Page, "a structure in a text field", TEXT, "{\"a\":[1]}", Then::Captured("Text__c", || json!({ "a": [1] }))),
    case(Way::Page, "a text of megabytes", TEXT, HUGE, Then::Captured("Text__c", || json!(huge()))),
    case(Way::Page, "invalid UTF-8", "canary text", LATIN1, Then::Ends),
    case(Way::Page, "half a pair of surrogates", TEXT, "\"half \\ud83d\"", Then::Ends),
    case(Way::Page, "a NUL", TEXT, "\"nul \\u0000\"", Then::Captured("Text__c", || json!("nul \0"))),
    case(Way::Page, "no Id", "\"Id\":\"ID\"", "\"Ident\":\"ID\"", Then::Ends),
    case(Way::Page, "an Id that is null", "\"Id\":\"ID\"", "\"Id\":null", Then::Ends),
    case(Way::Page, "an Id that is none", "\"Id\":\"ID\"", "\"Id\":\"nobody\"", Then::Ends),
    case(Way::Page, "a row twice", FIRST, "\"records\":[{\"Id\":\"ID\",\"Text__c\":\"first\"},{\"attributes\":{\"type\":\"Odd__c\"", Then::Captured("Text__c", || json!("canary text"))),
    case(Way::Page, "rows out of order", FIRST, "\"records\":[{\"Id\":\"a5zzzzzzzzzzzzz\"},{\"attributes\":{\"type\":\"Odd__c\"", Then::Ends),
    case(Way::Page, "fewer rows than it counts", "\"totalSize\":1,\"done\":true,\"records\":[{\"attributes\":{\"type\":\"Odd__c\"", "\"totalSize\":2,\"done\":true,\"records\":[{\"attributes\":{\"type\":\"Odd__c\"", Then::Ends),
    case(Way::Page, "a row that is no record", FIRST, "\"records\":[17,{\"attributes\":{\"type\":\"Odd__c\"", Then::Ends),

    case(Way::Job, "a text in a number field", "\"4711.5\"", "\"many\"", Then::Ends),
    case(Way::Job, "a point in time in words", ZULU, "\"yesterday\"", Then::Ends),
    case(Way::Job, "a text of megabytes", TEXT, HUGE, Then::Captured("Text__c", || json!(huge()))),
    case(Way::Job, "invalid UTF-8", "canary text", LATIN1, Then::Ends),
    case(Way::Job, "quotes, lines, a NUL", TEXT, "\"nul \0 \"\"q\"\"\n,;\"", Then::Captured("Text__c", || json!("nul \0 \"q\"\n,;"))),
    case(Way::Job, "no Id", "\"ID\"", "\"\"", Then::Ends),
    case(Way::Job, "an Id that is none", "\"ID\"", "\"nobody\"", Then::Ends),
    case(Way::Job, "a column is missing", "\"Text__c\"", "\"Other__c\"", Then::Ends),
    case(Way::Job, "a cell too many", TEXT, "\"canary text\",\"another\"", Then::Ends),
    case(Way::Job, "a cell is missing", ",\"canary text\"", "", Then::Ends),
    case(Way::Job, "a row twice", "\"ID\",", "\"ID\",\"\",\"\",\"\",\"\",\"\"\n\"ID\",", Then::Ends),

    case(Way::Fetch, "a number in a text field", TEXT, "4712", Then::Captured("Text__c", || json!(4712))),
    case(Way::Fetch, "no Id", "\"Id\":\"ID\"", "\"Ident\":\"ID\"", Then::Ends),
    case(Way::Fetch, "another record", "\"Id\":\"ID\"", "\"Id\":\"a5zzzzzzzzzzzzz\"", Then::Ends),
    case(Way::Fetch, "invalid UTF-8", "canary text", LATIN1, Then::Ends),

    case(Way::Fetch, "half a pair of surrogates", TEXT, "\"half \\ude00\"", Then::Ends),

    case(Way::Event, "a number in a text field", TEXT, "4712", Then::Captured("Text__c", || json!(4712))),
    case(Way::Event, "a point in time in words", ZULU, "\"yesterday\"", Then::Captured("Moment__c", || json!("yesterday"))),
    case(Way::Event, "a text of megabytes", TEXT, HUGE, Then::Captured("Text__c", || json!(huge()))),
    case(Way::Event, "no Id", "\"Id\":\"ID\"", "\"Ident\":\"ID\"", Then::Ends),
    case(Way::Event, "invalid UTF-8", "canary text", LATIN1, Then::Insists("no UTF-8 at byte")),
    case(Way::Event, "half a pair of surrogates", TEXT, "\"half \\ud83d\"", Then::Insists("half a pair of surrogates at byte")),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_row_is_captured_or_named() {
    let told = stream::iter(&CASES).map(|case| tokio::spawn(told(case)).map(|told| (case.what, told)));
    let told: Vec<_> = told.buffered(AT_ONCE).collect().await;
    let mut table = String::new();
    for (case, (what, told)) in CASES.iter().zip(told) {
        let told = told.unwrap_or_else(|_| format!("no good end: {what}"));
        let way = match case.way {
            Way::Page => "a page",
            Way::Job => "a job",
            Way::Fetch => "a fetch",
            Way::Event => "an event",
        };
        writeln!(table, "{way}: {what}\n    {told}").expect("a text");
    }
    assert!(!table.contains("no good end"), "{table}");
    insta::assert_snapshot!(table);
}

/// An org with one record to come; fetched ones are too long for an event.
async fn org(way: Way) -> (Org, Id) {
    let org = Org::start(&[]).await;
    let mut fields = json!({
        "Text__c": { "type": "textarea", "length": 32_000 },
        "Amount__c": { "type": "double", "precision": 10, "scale": 2 },
        "Moment__c": { "type": "datetime" },
    });
    if way == Way::Fetch {
        fields["File__c"] = json!({ "type": "base64" });
    }
    let object =
        json!({ "create_object": { "object": "Odd__c", "definition": { "prefix": "a5A", "fields": fields } } });
    let object: SchemaChange = serde_json::from_value(object).expect("a change");
    block_in_place(|| org.emulator().org().change_schema([object])).expect("Salesforce offers this change");
    let id = org.create("Odd__c", json!({ "Text__c": "canary of history" }));
    (org, id)
}

/// What the capture says to a case: its last words, or what it captures.
async fn told(case: &'static Case) -> String {
    let Case { what, way, .. } = *case;
    let (org, id) = org(way).await;
    let mut config = org.config();
    config["advanced"]["bulk_threshold"] = json!(if way == Way::Job { 0 } else { 1_000 });
    let include = ["Id", "Text__c", "Amount__c", "Moment__c", "File__c"];
    let include = &include[..if way == Way::Fetch { 5 } else { 4 }];
    let resource = json!({ "stream": "Odd__c", "fields": { "include": include } });
    let mut task = Task::prepare_bindings(config, &[resource]).await;
    let row = json!({ "Text__c": "canary text", "Amount__c": 4711.5, "Moment__c": "2026-02-03T04:05:06.000Z" });
    let comes_as_history = matches!(way, Way::Page | Way::Job);
    respell(&org, case, id);
    if comes_as_history {
        org.update("Odd__c", id, row.clone());
    }
    let mut running = task.open().await;
    if !comes_as_history {
        running.until_live().await;
        // An event of the second in which the session began would be answered by a fetch.
        org.emulator().org().advance(Duration::from_secs(30)).expect("the clock moves");
        org.update("Odd__c", id, row);
    }
    let id = id.to_string();
    let told = match case.then {
        Then::Captured(field, value) => {
            let value = value();
            running.until(|capture| capture.collection(0).rows().get(&id).is_some_and(|row| row[field] == value)).await;
            running.end().await;
            format!("{field} is captured as it is")
        }
        Then::Insists(says) => {
            running.says(says).await;
            org.emulator().clear_faults();
            let is_sound = |row: &Value| row["Text__c"] == "canary text";
            running.until(|capture| capture.collection(0).rows().get(&id).is_some_and(is_sound)).await;
            running.end().await;
            format!("the log says: {says}; nothing is lost")
        }
        Then::Ends => {
            let exit = timeout(PATIENCE, running.fail()).await.unwrap_or_else(|_| panic!("{what}: it goes on"));
            assert_eq!(exit.code, Some(1), "{what}");
            let last: Value = serde_json::from_str(&exit.last_log.unwrap_or_default()).expect("last words");
            last["message"].as_str().unwrap_or_default().to_owned()
        }
    };
    org.shutdown().await;
    masked(&masked(&told.replace(&id, "ID"), ", request "), "query job ")
}

fn respell(org: &Org, Case { way, text, into, .. }: &Case, id: Id) {
    let kind = match way {
        Way::Page => "query",
        Way::Job => "bulk_query_results",
        Way::Fetch => "retrieve",
        Way::Event => "streaming",
    };
    let into = if *into == HUGE { format!("\"{}\"", huge()) } else { into.replace("ID", id.as_str()) };
    let (text, latin1) = (text.replace("ID", id.as_str()), !into.is_ascii());
    let action = FaultAction::Respell { text, into, latin1 };
    org.emulator().add_fault(FaultRule {
        method: None,
        path: None,
        kind: Some(kind.to_owned()),
        nth: 1,
        count: None,
        action,
    });
}
