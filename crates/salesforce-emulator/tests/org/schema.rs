//! What an administrator changes under a running org, and what its clients see of it.

use std::fmt::Write as _;

use reqwest::{Method, StatusCode};
use salesforce_emulator::Config;
use serde_json::{Map, Value as Json, json};

use crate::client::{Answer, Client, still};
use crate::streaming::Subscriber;

const OBJECT: &str = "/services/data/v62.0/sobjects/Invoice__c";

/// An object with a field of each kind that changes are about.
fn invoices() -> Config {
    let objects = json!({"Invoice__c": {"label": "Invoice", "prefix": "a77", "fields": {
        "Account__c": {"type": "reference", "to": ["Account"], "children": "Invoices"},
        "Amount__c": {"type": "currency"},
        "Due__c": {"type": "date"},
        "Net__c": {"type": "double", "formula": "Rate__c * 2"},
        "Number__c": {"type": "string", "length": 20},
        "Paid__c": {"type": "boolean"},
        "Place__c": {"type": "location"},
        "Rate__c": {"type": "double"},
        "State__c": {"type": "picklist", "values": ["Open", "Sent"]},
    }}});
    Config { objects: serde_json::from_value(objects).unwrap(), settings: still(), ..Config::default() }
}

/// A client of an org with one invoice, and two topics that tell of it.
async fn with_invoice() -> (Client, String) {
    let client = Client::with(invoices()).await;
    let account = client.create("Account", json!({"Name": "Acme"})).await;
    let invoice = json!({
        "Name": "One", "Account__c": account, "Amount__c": 12.5, "Due__c": "2026-02-03", "Number__c": "0042", "Paid__c": true,
        "Place__Latitude__s": 1.5, "Place__Longitude__s": 2.5, "Rate__c": 21, "State__c": "Open",
    });
    let invoice = client.create("Invoice__c", invoice).await;
    for (name, query) in [
        ("All", "SELECT Id, Name, Number__c, Amount__c, Net__c, Place__c FROM Invoice__c"),
        ("Big", "SELECT Id FROM Invoice__c WHERE Amount__c > 10"),
    ] {
        let topic = json!({"Name": name, "Query": query, "ApiVersion": 62.0, "NotifyForFields": "All"});
        client.create("PushTopic", topic).await;
    }
    (client, invoice)
}

async fn change(client: &Client, change: &Json) -> Answer {
    client.call(Method::POST, "/__emulator/schema", Some(change.clone())).await
}

/// Every field of the describe by its name.
async fn described(client: &Client) -> Map<String, Json> {
    let answer = client.get(&format!("{OBJECT}/describe")).await;
    if answer.status != StatusCode::OK {
        return Map::new();
    }
    let describe = answer.json();
    let fields = describe["fields"].as_array().unwrap();
    fields.iter().map(|field| (field["name"].as_str().unwrap().to_owned(), field.clone())).collect()
}

/// What differs between two describes, attribute by attribute.
fn difference(before: &Map<String, Json>, after: &Map<String, Json>) -> String {
    let mut text = String::new();
    for (name, field) in before {
        let Some(now) = after.get(name) else {
            writeln!(text, "  - {name}").unwrap();
            continue;
        };
        for (attribute, value) in
            field.as_object().unwrap().iter().filter(|(name, value)| now[name.as_str()] != **value)
        {
            writeln!(text, "  {name}.{attribute}: {value} -> {}", now[attribute]).unwrap();
        }
    }
    for (name, field) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
        writeln!(text, "  + {name}: {} of {}, {}", field["type"], field["length"], field["label"]).unwrap();
    }
    text
}

/// A query's records without their attributes, or its error.
fn told(answer: &Answer) -> String {
    let json = answer.json();
    match json["records"].as_array() {
        None => format!(
            "{} {}",
            json[0]["errorCode"],
            json[0]["message"].as_str().unwrap_or_default().lines().last().unwrap_or_default()
        ),
        Some(records) => {
            let bare = records.iter().map(|record| {
                let members = record.as_object().unwrap().iter().filter(|(name, _)| *name != "attributes");
                json!(members.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>()).to_string()
            });
            bare.collect::<Vec<_>>().join("; ")
        }
    }
}

#[tokio::test]
async fn changes_and_what_clients_see_of_them() {
    let cases = [
        (
            "a field is added",
            json!({"add_field": {"object": "Invoice__c", "field": "Extra__c", "definition": {"type": "string", "length": 40, "default": "x"}}}),
        ),
        (
            "a checkbox is added, ticked",
            json!({"add_field": {"object": "Invoice__c", "field": "Extra__c", "definition": {"type": "boolean", "default": true}}}),
        ),
        (
            "a location is added",
            json!({"add_field": {"object": "Invoice__c", "field": "Spot__c", "definition": {"type": "location"}}}),
        ),
        (
            "a reference is added",
            json!({"add_field": {"object": "Invoice__c", "field": "Buyer__c", "definition": {"type": "reference", "to": ["Contact"], "cascade": true}}}),
        ),
        ("a field is removed", json!({"remove_field": {"object": "Invoice__c", "field": "Number__c"}})),
        ("a filtered field is removed", json!({"remove_field": {"object": "Invoice__c", "field": "Amount__c"}})),
        ("a location is removed", json!({"remove_field": {"object": "Invoice__c", "field": "Place__c"}})),
        (
            "a field is renamed",
            json!({"rename_field": {"object": "invoice__c", "field": "number__c", "to": "Reference__c"}}),
        ),
        (
            "a location is renamed",
            json!({"rename_field": {"object": "Invoice__c", "field": "Place__c", "to": "Spot__c"}}),
        ),
        (
            "a reference is renamed",
            json!({"rename_field": {"object": "Invoice__c", "field": "Account__c", "to": "Customer__c"}}),
        ),
        (
            "text becomes a number",
            json!({"retype_field": {"object": "Invoice__c", "field": "Number__c", "definition": {"type": "double"}}}),
        ),
        (
            "a number becomes text",
            json!({"retype_field": {"object": "Invoice__c", "field": "Amount__c", "definition": {"type": "string"}}}),
        ),
        (
            "currency becomes a number",
            json!({"retype_field": {"object": "Invoice__c", "field": "Amount__c", "definition": {"type": "double"}}}),
        ),
        (
            "text becomes a picklist",
            json!({"retype_field": {"object": "Invoice__c", "field": "Number__c", "definition": {"type": "picklist", "values": ["A", "B"]}}}),
        ),
        (
            "text becomes long text",
            json!({"retype_field": {"object": "Invoice__c", "field": "Number__c", "definition": {"type": "textarea", "length": 32000}}}),
        ),
        (
            "text becomes longer",
            json!({"retype_field": {"object": "Invoice__c", "field": "Number__c", "definition": {"type": "string", "length": 200}}}),
        ),
        (
            "text becomes shorter than what it holds",
            json!({"retype_field": {"object": "Invoice__c", "field": "Number__c", "definition": {"type": "string", "length": 2}}}),
        ),
        (
            "a date becomes text",
            json!({"retype_field": {"object": "Invoice__c", "field": "Due__c", "definition": {"type": "string"}}}),
        ),
        (
            "a checkbox becomes text",
            json!({"retype_field": {"object": "Invoice__c", "field": "Paid__c", "definition": {"type": "string"}}}),
        ),
        (
            "a field becomes a formula",
            json!({"retype_field": {"object": "Invoice__c", "field": "Amount__c", "definition": {"type": "currency", "formula": "Rate__c + 1"}}}),
        ),
        (
            "a formula becomes a field",
            json!({"retype_field": {"object": "Invoice__c", "field": "Net__c", "definition": {"type": "double"}}}),
        ),
        (
            "a picklist is restricted to other values",
            json!({"change_picklist": {"object": "Invoice__c", "field": "State__c", "add": ["Done"], "deactivate": ["Open"], "restricted": true}}),
        ),
        (
            "a field becomes required",
            json!({"require_field": {"object": "Invoice__c", "field": "Number__c", "required": true}}),
        ),
        ("a field is relabelled", json!({"relabel": {"object": "Invoice__c", "field": "Number__c", "label": "No."}})),
        ("a field is deprecated", json!({"deprecate": {"object": "Invoice__c", "field": "Number__c"}})),
        ("a field is hidden", json!({"hide_field": {"object": "Invoice__c", "field": "Number__c"}})),
        ("a filtered field is hidden", json!({"hide_field": {"object": "Invoice__c", "field": "Amount__c"}})),
        ("a location is hidden", json!({"hide_field": {"object": "Invoice__c", "field": "Place__c"}})),
        (
            "a field is hidden and shown again",
            json!([{"hide_field": {"object": "Invoice__c", "field": "Number__c"}}, {"show_field": {"object": "Invoice__c", "field": "Number__c"}}]),
        ),
        ("the object is hidden", json!({"hide_object": {"object": "Invoice__c"}})),
        ("the object is deleted", json!({"delete_object": {"object": "Invoice__c"}})),
        (
            "the object is deleted and restored",
            json!([{"delete_object": {"object": "Invoice__c"}}, {"restore_object": {"object": "Invoice__c"}}]),
        ),
        (
            "the object is deprecated and relabelled",
            json!([{"deprecate": {"object": "Invoice__c"}}, {"relabel": {"object": "Invoice__c", "label": "Bill"}}]),
        ),
    ];
    let mut seen = String::new();
    for (case, what) in cases {
        let (client, id) = with_invoice().await;
        let mut listener = Subscriber::connect(&client).await;
        for topic in ["/topic/All", "/topic/Big"] {
            listener.subscribe(topic, -1).await;
        }
        let before = described(&client).await;
        let names: Vec<String> = before.keys().filter(|name| name.contains("__")).cloned().collect();
        let invoice = told(&client.query(&format!("SELECT {} FROM Invoice__c", names.join(", "))).await);
        let alone = client.get(&format!("{OBJECT}/{id}?fields=Number__c")).await.text.replace(&id, "ID");
        let answer = change(&client, &what).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{case}: {}", answer.text);

        writeln!(seen, "# {case}").unwrap();
        let after = described(&client).await;
        write!(seen, "describe\n{}", difference(&before, &after)).unwrap();
        let now: Vec<String> = after.keys().filter(|name| name.contains("__")).cloned().collect();
        let now = if now.is_empty() { vec!["Id".to_owned()] } else { now };
        for (which, names) in [("the fields of before", names), ("the fields of now", now)] {
            let record = told(&client.query(&format!("SELECT {} FROM Invoice__c", names.join(", "))).await);
            writeln!(seen, "query of {which}: {}", if record == invoice { "as before" } else { &record }).unwrap();
        }
        let retrieved = client.get(&format!("{OBJECT}/{id}?fields=Number__c")).await;
        let text = retrieved.text.lines().last().unwrap().replace(&id, "ID");
        writeln!(seen, "retrieve: {} {}", retrieved.status.as_u16(), if text == alone { "as before" } else { &text })
            .unwrap();
        let written = client.call(Method::PATCH, &format!("{OBJECT}/{id}"), Some(json!({"Name": "Two"}))).await;
        writeln!(seen, "update: {} {}", written.status.as_u16(), written.text).unwrap();
        for event in listener.poll().await {
            writeln!(seen, "event: {} {}", event["channel"], event["data"]["sobject"].to_string().replace(&id, "ID"))
                .unwrap();
        }
        for topic in ["/topic/All", "/topic/Big"] {
            let answer = listener.try_subscribe(topic, -1).await;
            let answer = answer.iter().find(|message| message["channel"] == "/meta/subscribe").unwrap();
            writeln!(seen, "subscribe: {}", answer.get("error").unwrap_or(&answer["successful"])).unwrap();
        }
        seen.push('\n');
        client.emulator.shutdown().await;
    }
    insta::assert_snapshot!(seen);
}

#[tokio::test]
async fn refused_changes() {
    let (client, _) = with_invoice().await;
    let field = |name: &str, definition: Json| json!({"add_field": {"object": "Invoice__c", "field": name, "definition": definition}});
    let cases = [
        json!({"paint_object": {"object": "Invoice__c"}}),
        json!({"hide_object": {"object": "Nothing__c"}}),
        json!({"hide_field": {"object": "Invoice__c", "field": "Nothing__c"}}),
        json!({"create_object": {"object": "Invoice"}}),
        json!({"create_object": {"object": "Bad__Name__c"}}),
        json!({"create_object": {"object": "INVOICE__c"}}),
        json!({"create_object": {"object": "Other__c", "definition": {"prefix": "001"}}}),
        json!({"delete_object": {"object": "Account"}}),
        json!({"delete_object": {"object": "Invoice__c", "unless_streamed": true}}),
        json!({"remove_field": {"object": "Account", "field": "Industry"}}),
        json!({"rename_field": {"object": "Account", "field": "Industry", "to": "Trade__c"}}),
        json!({"retype_field": {"object": "Account", "field": "Industry", "definition": {"type": "string"}}}),
        json!({"remove_field": {"object": "Invoice__c", "field": "SystemModstamp"}}),
        json!({"remove_field": {"object": "Invoice__c", "field": "Place__Latitude__s"}}),
        json!({"remove_field": {"object": "Invoice__c", "field": "Rate__c"}}),
        json!({"remove_field": {"object": "Invoice__c", "field": "Number__c", "unless_streamed": true}}),
        json!({"rename_field": {"object": "Invoice__c", "field": "Rate__c", "to": "Amount__c"}}),
        json!({"rename_field": {"object": "Invoice__c", "field": "Number__c", "to": "Amount__c"}}),
        json!({"hide_field": {"object": "Invoice__c", "field": "Id"}}),
        json!({"hide_field": {"object": "Account", "field": "Name"}}),
        json!({"hide_field": {"object": "Lead", "field": "Company"}}),
        json!({"hide_field": {"object": "Account", "field": "BillingCity"}}),
        json!({"require_field": {"object": "Invoice__c", "field": "Paid__c", "required": true}}),
        json!({"change_picklist": {"object": "Invoice__c", "field": "Number__c"}}),
        json!({"change_picklist": {"object": "Invoice__c", "field": "State__c", "deactivate": ["Lost"]}}),
        json!({"retype_field": {"object": "Invoice__c", "field": "Account__c", "definition": {"type": "string"}}}),
        json!({"retype_field": {"object": "Invoice__c", "field": "Number__c", "definition": {"type": "base64"}}}),
        field("Number__c", json!({"type": "string"})),
        field("Plain", json!({"type": "string"})),
        field("New__c", json!({"type": "tensor"})),
        field("New__c", json!({"type": "string", "size": 3})),
        field("New__c", json!({"type": "string", "length": 300})),
        field("New__c", json!({"type": "reference"})),
        field("New__c", json!({"type": "reference", "to": ["Nothing__c"]})),
        field("New__c", json!({"type": "double", "values": ["1"]})),
        field("New__c", json!({"type": "double", "default": "many"})),
        field("New__c", json!({"type": "double", "formula": "Nothing__c"})),
        field("New__c", json!({"type": "double", "formula": "Number__c * 2"})),
        field("New__c", json!({"type": "double", "formula": "SQRT(Rate__c)"})),
        json!([{"add_field": {"object": "Invoice__c", "field": "Good__c", "definition": {"type": "string"}}}, {"hide_object": {"object": "Nothing__c"}}]),
    ];
    let before = described(&client).await;
    let mut said = String::new();
    for case in &cases {
        let answer = change(&client, case).await;
        writeln!(said, "{case}\n  {} {}", answer.status.as_u16(), answer.text).unwrap();
    }
    insta::assert_snapshot!(said);
    assert_eq!(difference(&before, &described(&client).await), "", "what is refused changes nothing");
}

/// Describes date from their last change; a conditional request is answered by it.
#[tokio::test]
async fn changes_move_the_dates_of_describes() {
    let (client, _) = with_invoice().await;
    let get = async |path: &str, header: &str, value: &str| {
        let authorization = format!("Bearer {}", client.token);
        let headers = [("authorization", authorization.as_str()), (header, value)];
        client.send(Method::GET, &format!("/services/data/v62.0/sobjects{path}"), &headers, None).await.unwrap()
    };
    let dated = async |path: &str| {
        let answer = get(path, "accept", "*/*").await;
        ["last-modified", "etag"].map(|name| answer.headers[name].to_str().unwrap().to_owned())
    };
    let paths = ["", "/Invoice__c/describe", "/Account/describe", "/Contact/describe"];
    let moves: [(Json, [bool; 4]); 6] = [
        (
            json!({"relabel": {"object": "Invoice__c", "field": "Number__c", "label": "No."}}),
            [true, true, false, false],
        ),
        (json!({"hide_field": {"object": "Invoice__c", "field": "Number__c"}}), [true, true, false, false]),
        // Parents list the relationships of their children.
        (json!({"hide_field": {"object": "Invoice__c", "field": "Account__c"}}), [true, true, true, false]),
        (json!({"hide_field": {"object": "Account", "field": "Industry"}}), [true, false, true, false]),
        (json!({"create_object": {"object": "Other__c"}}), [true, false, false, false]),
        (
            json!({"change_picklist": {"object": "Contact", "field": "LeadSource", "add": ["Comet"]}}),
            [true, false, false, true],
        ),
    ];
    for (what, moved) in moves {
        let mut before = Vec::new();
        for path in paths {
            before.push(dated(path).await);
        }
        assert_eq!(change(&client, &what).await.status, StatusCode::NO_CONTENT);
        for ((path, [date, etag]), moved) in paths.into_iter().zip(&before).zip(moved) {
            let status = if moved { StatusCode::OK } else { StatusCode::NOT_MODIFIED };
            assert_eq!(get(path, "if-modified-since", date).await.status, status, "{path} after {what}");
            assert_eq!(get(path, "if-none-match", etag).await.status, status, "{path} after {what}");
            let [date, etag] = dated(path).await;
            assert_eq!(get(path, "if-modified-since", &date).await.status, StatusCode::NOT_MODIFIED);
            assert_eq!(get(path, "if-none-match", &etag).await.status, StatusCode::NOT_MODIFIED);
        }
    }
}

/// What is hidden or deleted is gone from every list, and comes back as it was.
#[tokio::test]
async fn hidden_objects_are_absent_from_everything() {
    let (client, id) = with_invoice().await;
    let present = async || {
        let global = client.get("/services/data/v62.0/sobjects").await.json();
        let listed = global["sobjects"].as_array().unwrap().iter().any(|object| object["name"] == "Invoice__c");
        let account = client.get("/services/data/v62.0/sobjects/Account/describe").await.json();
        let related = account["childRelationships"].as_array().unwrap().iter();
        let related = related.filter(|relation| relation["childSObject"] == "Invoice__c").count();
        let counted = client.get("/services/data/v62.0/limits/recordCount?sObjects=Invoice__c").await.json();
        let statuses = [
            client.get(OBJECT).await.status,
            client.get(&format!("{OBJECT}/describe")).await.status,
            client.get(&format!("{OBJECT}/{id}")).await.status,
            client.query("SELECT Id FROM Invoice__c").await.status,
            client.call(Method::POST, OBJECT, Some(json!({"Name": "Three"}))).await.status,
            client.call(Method::PATCH, &format!("{OBJECT}/{id}"), Some(json!({"Name": "Two"}))).await.status,
            client.get("/__emulator/records/Invoice__c").await.status,
        ];
        (listed, related, counted["sObjects"].as_array().unwrap().len(), statuses.map(|status| status.as_u16()))
    };
    let there = (true, 1, 1, [200, 200, 200, 200, 201, 204, 200]);
    let gone = (false, 0, 0, [404, 404, 404, 400, 404, 404, 404]);
    assert_eq!(present().await, there);
    for lose in ["hide_object", "delete_object"] {
        assert_eq!(change(&client, &json!({lose: {"object": "Invoice__c"}})).await.status, StatusCode::NO_CONTENT);
        assert_eq!(present().await, gone, "{lose}");
        let topic = json!({"Name": lose, "Query": "SELECT Id FROM Invoice__c", "ApiVersion": 62.0});
        let refused = client.call(Method::POST, "/services/data/v62.0/sobjects/PushTopic", Some(topic)).await;
        assert_eq!(refused.json()[0]["errorCode"], "INVALID_FIELD");
        assert_eq!(
            change(&client, &json!({"restore_object": {"object": "Invoice__c"}})).await.status,
            StatusCode::NO_CONTENT
        );
        assert_eq!(present().await, there);
    }
}

/// Values that are hidden from the user live on, and he can neither write nor guess them.
#[tokio::test]
async fn hidden_fields_keep_their_values() {
    let (client, id) = with_invoice().await;
    change(&client, &json!({"hide_field": {"object": "Invoice__c", "field": "Number__c"}})).await;
    let path = format!("{OBJECT}/{id}");
    let written = client.call(Method::PATCH, &path, Some(json!({"Number__c": "1"}))).await;
    assert_eq!(told(&written), "\"INVALID_FIELD\" No such column 'Number__c' on sobject of type Invoice__c");
    for soql in ["SELECT Id FROM Invoice__c WHERE Number__c = '0042'", "SELECT Id FROM Invoice__c ORDER BY Number__c"] {
        assert_eq!(client.query(soql).await.json()[0]["errorCode"], "INVALID_FIELD", "{soql}");
    }
    let all = client.query("SELECT FIELDS(ALL) FROM Invoice__c LIMIT 5").await.json();
    assert!(all["records"][0]["Amount__c"].is_number() && all["records"][0].get("Number__c").is_none());
    client.update("Invoice__c", &id, json!({"Amount__c": 1})).await;
    change(&client, &json!({"show_field": {"object": "Invoice__c", "field": "Number__c"}})).await;
    assert_eq!(client.get(&path).await.json()["Number__c"], "0042");
}

/// A page is read by the schema of its own moment.
#[tokio::test]
async fn a_cursor_outlives_a_change_and_not_the_loss_of_its_field() {
    let rows = vec![("Lead".to_owned(), 450)];
    let client = Client::with(Config { rows, settings: still(), ..Config::default() }).await;
    let path = "/services/data/v62.0/query?q=SELECT+Id,Industry+FROM+Lead";
    let authorization = format!("Bearer {}", client.token);
    let headers = [("authorization", authorization.as_str()), ("sforce-query-options", "batchSize=200")];
    let first = client.send(Method::GET, path, &headers, None).await.unwrap().json();
    let next = first["nextRecordsUrl"].as_str().unwrap().to_owned();
    change(&client, &json!({"add_field": {"object": "Lead", "field": "New__c", "definition": {"type": "string"}}}))
        .await;
    let second = client.get(&next).await.json();
    assert_eq!(second["records"].as_array().unwrap().len(), 200);
    change(&client, &json!({"hide_field": {"object": "Lead", "field": "Industry"}})).await;
    assert_eq!(client.get(second["nextRecordsUrl"].as_str().unwrap()).await.json()[0]["errorCode"], "INVALID_FIELD");
}

/// A workload goes on while an administrator is at work.
#[tokio::test]
async fn changes_under_a_workload() {
    let client = Client::with(invoices()).await;
    let workload = json!({"rate": 0, "seed": 3, "objects": ["Invoice__c"], "total": 400});
    client.call(Method::POST, "/__emulator/workload", Some(workload)).await;
    for number in 0..10 {
        let field = format!("Extra_{number}__c");
        let add = json!({"add_field": {"object": "Invoice__c", "field": field, "definition": {"type": "string"}}});
        assert_eq!(change(&client, &add).await.status, StatusCode::NO_CONTENT);
        let hide = json!({"hide_field": {"object": "Invoice__c", "field": field}});
        assert_eq!(change(&client, &hide).await.status, StatusCode::NO_CONTENT);
        let remove = json!({"remove_field": {"object": "Invoice__c", "field": field}});
        assert_eq!(change(&client, &remove).await.status, StatusCode::NO_CONTENT);
    }
    let report = client.emulator.finish_workload().await;
    assert_eq!(report.failure, None);
    assert!(report.created > 100, "{report:?}");
}
