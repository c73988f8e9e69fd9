//! What recorded replies of real orgs become: the event of a Lead as a document, describes as schemas and queries.

use flow_protocol::capture::Response;
use salesforce_client::{Describe, FieldType, GlobalDescribe, Record};
use salesforce_streaming::push_topic::{Existing, NotifyFor, Operations};
use serde_json::{Value, json, value::to_raw_value};
use source_salesforce::{
    capture::position::Read,
    discover,
    document::{Op, Source, Writer},
    feed::Feed,
    given_topic,
    resource::Resource,
    schema,
};

const LEAD: &str = include_str!("fixtures/Lead.json");
const GLOBAL: &str = include_str!("fixtures/_global.json");
const EVENT: &str = include_str!("fixtures/pushtopic-lead-updated.json");

fn lead() -> Describe {
    serde_json::from_str(LEAD).expect("a describe")
}

fn document(describe: &Describe, record: &str, source: Option<Source>) -> Value {
    let record: Record<'_> = serde_json::from_str(record).expect("a record");
    let mut out = Vec::new();
    let id = record.id().expect("an id");
    Writer::new(&describe.fields).write(&mut out, Op::Update, id, source, &record);
    serde_json::from_slice(&out).expect("a document")
}

#[test]
fn an_event_becomes_a_document() {
    let event: Value = serde_json::from_str(EVENT).expect("an event");
    let source = Source {
        replay_id: event["data"]["event"]["replayId"].as_i64().expect("a number"),
        created: event["data"]["event"]["createdDate"].as_str().expect("text").parse().expect("a time"),
    };
    let document = document(&lead(), &event["data"]["sobject"].to_string(), Some(source));
    insta::assert_json_snapshot!(document);
}

/// The same row as REST spells it: the fields of both documents are the same JSON values.
#[test]
fn rest_and_events_make_the_same_document() {
    let event: Value = serde_json::from_str(EVENT).expect("an event");
    let sobject = event["data"]["sobject"].as_object().expect("an object");
    let rest: serde_json::Map<String, Value> = sobject
        .iter()
        .map(|(name, value)| {
            let value = match value {
                Value::String(text) if text.ends_with(".000Z") => text.replace("Z", "+0000").into(),
                Value::Object(parts) => {
                    let part = |(name, value): (&String, &Value)| {
                        (format!("{}{}", name[..1].to_lowercase(), &name[1..]), value.clone())
                    };
                    parts.iter().map(part).collect::<serde_json::Map<_, _>>().into()
                }
                other => other.clone(),
            };
            (name.clone(), value)
        })
        .collect();
    let describe = lead();
    assert_eq!(
        document(&describe, &Value::from(rest).to_string(), None),
        document(&describe, &Value::from(sobject.clone()).to_string(), None)
    );
}

#[test]
fn values_are_spelled_in_one_way() {
    let describe = lead();
    for (field, given, expect) in [
        ("CreatedDate", r#""2024-01-02T03:04:05.000+0000""#, r#""2024-01-02T03:04:05.000Z""#),
        ("CreatedDate", r#""2024-01-02T03:04:05.000Z""#, r#""2024-01-02T03:04:05.000Z""#),
        ("CreatedDate", "null", "null"),
        // A text that looks like a datetime is a text.
        ("Company", r#""2024-01-02T03:04:05.000+0000""#, r#""2024-01-02T03:04:05.000+0000""#),
        ("AnnualRevenue", "15000.0", "15000.0"),
        ("AnnualRevenue", "1.5E7", "1.5E7"),
        ("Address", r#"{"City":"Bonn","Street":"a\nb"}"#, r#"{"city":"Bonn","street":"a\nb"}"#),
        ("Address", r#"{ "city" : "Bonn" }"#, r#"{"city":"Bonn"}"#),
        ("Address", r#"{"City":null,"Street":null}"#, "null"),
        ("Address", "null", "null"),
        ("Unheard__c", r#"{"a":1}"#, r#"{"a":1}"#),
    ] {
        let record = format!(r#"{{"attributes":{{"type":"Lead"}},"Id":"00Q50000017qdkyEAA","{field}":{given}}}"#);
        let record: Record<'_> = serde_json::from_str(&record).expect("a record");
        let mut out = Vec::new();
        let mut writer = Writer::new(&describe.fields);
        let id = record.id().expect("an id");
        writer.write(&mut out, Op::Create, id, None, &record);
        let expect = format!(r#"{{"_meta":{{"op":"c"}},"Id":"00Q50000017qdkyEAA","{field}":{expect}}}"#);
        assert_eq!(String::from_utf8(out).expect("UTF-8"), expect);
    }
}

/// The writer learns the order of fields; another order must not mislead it.
#[test]
fn fields_may_change_their_places() {
    let mut writer = Writer::new(&lead().fields);
    let date = r#""2024-01-02T03:04:05.000+0000""#;
    for names in [["CreatedDate", "Company", "SystemModstamp"], ["Company", "SystemModstamp", "CreatedDate"]] {
        let fields: Vec<_> = names.iter().map(|name| format!(r#""{name}":{date}"#)).collect();
        let record = format!(r#"{{{},"Id":"00Q50000017qdkyEAA"}}"#, fields.join(","));
        let record: Record<'_> = serde_json::from_str(&record).expect("a record");
        let mut out = Vec::new();
        writer.write(&mut out, Op::Create, record.id().expect("an id"), None, &record);
        let document: Value = serde_json::from_slice(&out).expect("a document");
        for (name, expect) in [("CreatedDate", "Z"), ("SystemModstamp", "Z"), ("Company", "+0000")] {
            assert!(document[name].as_str().expect("text").ends_with(expect), "{name}: {document}");
        }
    }
}

/// A deleted record that is kept is a row, no deletion; of a purged one nothing is invented.
#[test]
fn a_kept_deletion_carries_the_last_values() {
    let record =
        r#"{"attributes":{},"Id":"00Q50000017qdkyEAA","IsDeleted":true,"CreatedDate":"2024-01-02T03:04:05.000+0000"}"#;
    let record: Record<'_> = serde_json::from_str(record).expect("a record");
    let id = record.id().expect("an id");
    let written = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("UTF-8")
    };
    let head = r#"{"_meta":{"op":"u","deleted":true"#;
    for (document, expect) in [
        (
            written(&|out| Writer::new(&lead().fields).write_kept(out, id, &record)),
            r#"},"Id":"00Q50000017qdkyEAA","IsDeleted":true,"CreatedDate":"2024-01-02T03:04:05.000Z"}"#,
        ),
        (
            written(&|out| Writer::new(&lead().fields).write_purged(out, id, true)),
            r#","partial":true},"Id":"00Q50000017qdkyEAA","IsDeleted":true}"#,
        ),
        (
            written(&|out| Writer::new(&lead().fields).write_purged(out, id, false)),
            r#","partial":true},"Id":"00Q50000017qdkyEAA"}"#,
        ),
    ] {
        assert_eq!(document, format!("{head}{expect}"));
    }
    let kept = Feed::of(&lead(), &leads(json!({ "deletions": "keep" }))).expect("a feed").schema();
    let removed = Feed::of(&lead(), &leads(json!({}))).expect("a feed").schema();
    let flags = |schema: &Value| schema["properties"]["_meta"]["properties"].get("deleted").is_some();
    assert!(flags(&kept) && !flags(&removed), "{kept}");
}

#[test]
fn a_deletion_carries_its_key() {
    let mut out = Vec::new();
    Writer::new([]).write_deleted(&mut out, "00Q50000017qdky".parse().expect("an id"), None);
    assert_eq!(out, br#"{"_meta":{"op":"d"},"Id":"00Q50000017qdkyEAA"}"#);
}

/// The binding to Lead with these options.
fn leads(mut options: Value) -> Resource {
    options["stream"] = "Lead".into();
    Resource::parse(&to_raw_value(&options).expect("JSON")).expect("a resource config")
}

#[test]
fn a_describe_becomes_an_exact_schema() {
    let feed = Feed::of(&lead(), &leads(json!({}))).expect("a feed");
    insta::assert_json_snapshot!(feed.schema());
}

#[test]
fn collections_have_a_small_and_stable_schema() {
    insta::assert_json_snapshot!(schema::document());
}

#[test]
fn a_describe_becomes_queries() {
    let feed = Feed::of(&lead(), &leads(json!({}))).expect("a feed");
    let shorten = |query: String| {
        let (select, rest) = query.split_once(" FROM ").expect("a query");
        format!("{} fields FROM {rest}", select.split(',').count())
    };
    let id = "00Q50000017qdky".parse().expect("an id");
    let since: jiff::Timestamp = "2026-11-22T10:00:00Z".parse().expect("a time");
    let read = Read { after: Some(id), since: Some(since.into()), deleted: true, ..Read::default() };
    insta::assert_snapshot!(
        [
            shorten(feed.page(&Read::default(), 2000)),
            shorten(feed.page(&Read { after: Some(id), ..Read::default() }, 2000)),
            shorten(feed.page(&read, 2000)),
            shorten(feed.by_id(&[id, id])),
            shorten(feed.whole_topic().expect("fits")),
            feed.narrow_topic(),
        ]
        .join("\n"),
        @"
    54 fields FROM Lead ORDER BY Id LIMIT 2000
    54 fields FROM Lead WHERE Id > '00Q50000017qdkyEAA' ORDER BY Id LIMIT 2000
    54 fields FROM Lead WHERE Id > '00Q50000017qdkyEAA' AND SystemModstamp >= 2026-11-22T10:00:00Z ORDER BY Id LIMIT 2000
    54 fields FROM Lead WHERE Id IN ('00Q50000017qdkyEAA','00Q50000017qdkyEAA')
    54 fields FROM Lead
    SELECT Id,SystemModstamp FROM Lead
    "
    );
}

/// A topic holds 1,300 characters.
#[test]
fn an_object_too_wide_for_a_topic_is_announced_and_fetched() {
    let mut describe = lead();
    let text = describe.field("Company").expect("a field").clone();
    for n in 0..100 {
        describe
            .fields
            .push(salesforce_client::Field { name: format!("Wide{n}__c").parse().expect("a name"), ..text.clone() });
    }
    let feed = Feed::of(&describe, &leads(json!({}))).expect("a feed");
    assert_eq!(feed.whole_topic(), None);
}

#[test]
fn a_binding_chooses_its_fields() {
    let fields = |options: Value| -> String {
        let feed = Feed::of(&lead(), &leads(json!({ "fields": options }))).expect("a feed");
        feed.names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(",")
    };
    assert_eq!(
        fields(json!({ "include": ["id", "COMPANY", "Email"], "exclude": ["email"] })),
        "Id,IsDeleted,Company,SystemModstamp",
        "what the capture needs is always there, and case does not matter"
    );
    let all = fields(json!({}));
    assert_eq!(fields(json!({ "exclude": ["Fax"] })), all.replace(",Fax", ""));

    let unknown = leads(json!({ "fields": { "include": ["Id", "Cmpany"], "exclude": ["Fx"] } }));
    let unknown: Vec<_> = unknown.fields.unknown(&lead()).map(|(place, name)| format!("{place} {name}")).collect();
    assert_eq!(unknown, ["fields.include[1] Cmpany", "fields.exclude[0] Fx"]);
}

/// A link by default, which no topic can carry; left out where the binding says so.
#[test]
fn files_are_links_or_left_out() {
    let mut describe = lead();
    let mut file = describe.field("Company").expect("a field").clone();
    (file.name, file.kind) = ("Body".parse().expect("a name"), FieldType::Base64);
    describe.fields.push(file);
    let feed = |options: Value| Feed::of(&describe, &leads(options)).expect("a feed");
    let has_file = |feed: &Feed| feed.names.iter().any(|name| name.as_str() == "Body");
    for (options, holds) in
        [(json!({}), true), (json!({ "base64": "link" }), true), (json!({ "base64": "omit" }), false)]
    {
        let feed = feed(options.clone());
        assert_eq!((has_file(&feed), feed.whole_topic().is_none()), (holds, holds), "{options}");
    }
}

/// What is particular about a topic, and how it comes to be so.
type Case = (&'static str, fn(&mut Existing));

#[test]
fn a_topic_of_an_administrator_serves_if_it_announces_every_change() {
    let feed = Feed::of(&lead(), &leads(json!({ "fields": { "include": ["Id", "Company"] } }))).expect("a feed");
    let topic = |change: fn(&mut Existing)| {
        let mut topic = Existing {
            id: "0IF5f0000000001".parse().expect("an id"),
            name: "Leads".into(),
            query: "SELECT Id, IsDeleted, Company, SystemModstamp FROM Lead".into(),
            api_version: None,
            is_active: true,
            notify_for: Some(NotifyFor::All),
            operations: Operations::ALL,
            description: None,
            modstamp: jiff::Timestamp::UNIX_EPOCH,
        };
        change(&mut topic);
        match given_topic::judge(&topic, &feed) {
            Ok(true) => "serves with whole rows".into(),
            Ok(false) => "serves, rows are fetched".into(),
            Err(problem) => problem,
        }
    };
    let cases: [Case; 14] = [
        ("as it should be", |_| ()),
        ("more fields", |t| t.query = "SELECT Id, IsDeleted, Company, SystemModstamp, Email FROM Lead".into()),
        ("the id alone", |t| t.query = "select id\nfrom LEAD".into()),
        ("all its fields referenced", |t| t.notify_for = Some(NotifyFor::Referenced)),
        ("the id alone, referenced", |t| {
            (t.query, t.notify_for) = ("SELECT Id FROM Lead".into(), Some(NotifyFor::Referenced));
        }),
        ("some fields, select", |t| {
            (t.query, t.notify_for) =
                ("SELECT Id, IsDeleted, SystemModstamp FROM Lead".into(), Some(NotifyFor::Select));
        }),
        ("where", |t| t.notify_for = Some(NotifyFor::Where)),
        ("an unknown word", |t| t.notify_for = None),
        ("a filter", |t| t.query = "SELECT Id FROM Lead WHERE Company = 'from'".into()),
        ("another object", |t| t.query = "SELECT Id FROM Contact".into()),
        ("no query", |t| t.query = "Id FROM Lead".into()),
        ("nothing selected", |t| t.query = "SELECT".into()),
        ("inactive", |t| t.is_active = false),
        ("silent", |t| t.operations = Operations { delete: false, undelete: false, ..Operations::ALL }),
    ];
    let judged: Vec<_> = cases.into_iter().map(|(name, change)| format!("{name}: {}", topic(change))).collect();
    insta::assert_snapshot!(judged.join("\n"));
}

#[test]
fn discovery_lists_all_and_enables_what_it_can_capture() {
    let global: GlobalDescribe = serde_json::from_str(GLOBAL).expect("a global describe");
    let bindings = discover::propose(&global);
    let names = |disable: bool| -> Vec<_> {
        bindings.iter().filter(|b| b.disable == disable).map(|b| b.recommended_name.as_str()).collect()
    };
    insta::assert_debug_snapshot!((names(false), names(true).len()));
    let mut again = discover::propose(&global);
    again.reverse();
    again.sort_by(|a, b| a.recommended_name.cmp(&b.recommended_name));
    assert_eq!(
        serde_json::to_string(&Response::Discovered(again)).ok(),
        serde_json::to_string(&Response::Discovered(bindings)).ok()
    );
}
