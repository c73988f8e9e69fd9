//! One table of every describe type: its value by REST, by event and as a Bulk cell, and the one form that documents have. Each
//! of the three becomes that form, and the schema of the field admits it.

use salesforce_client::{Field, FieldType, Record};
use serde_json::{Value, json};
use source_salesforce::{
    cell,
    document::{Op, Writer},
    schema,
};

/// A type with a value of it. `None`: that way does not carry the type.
struct Row {
    kind: &'static str,
    rest: &'static str,
    event: Option<&'static str>,
    cell: Option<&'static str>,
    document: &'static str,
}

const fn same(kind: &'static str, json: &'static str, cell: &'static str) -> Row {
    Row { kind, rest: json, event: Some(json), cell: Some(cell), document: json }
}

const fn rest_only(kind: &'static str, json: &'static str) -> Row {
    Row { kind, rest: json, event: None, cell: None, document: json }
}

const ID: &str = r#""0015900000000G8AAI""#;

const TABLE: [Row; 33] = [
    same("id", ID, "0015900000000G8AAI"),
    same("reference", ID, "0015900000000G8AAI"),
    same("masterrecord", ID, "0015900000000G8AAI"),
    same("string", r#""a \"b\", c""#, r#"a "b", c"#),
    same("textarea", r#""first\nsecond""#, "first\nsecond"),
    same("url", r#""https://example.com/?a=b""#, "https://example.com/?a=b"),
    same("email", r#""ada@example.com""#, "ada@example.com"),
    same("phone", r#""+49 228 1""#, "+49 228 1"),
    same("picklist", r#""Hot""#, "Hot"),
    same("multipicklist", r#""a;b;c""#, "a;b;c"),
    same("combobox", r#""Call""#, "Call"),
    same("datacategorygroupreference", r#""Products""#, "Products"),
    same("encryptedstring", r#""XXXX-XXXX-1234""#, "XXXX-XXXX-1234"),
    same("boolean", "true", "true"),
    same("int", "42", "42"),
    same("long", "9007199254740993", "9007199254740993"),
    same("double", "-0.5", "-0.5"),
    same("currency", "1.5E7", "1.5E7"),
    same("percent", "10.0", "10.0"),
    same("date", r#""2024-02-29""#, "2024-02-29"),
    same("time", r#""03:04:05.000Z""#, "03:04:05.000Z"),
    Row {
        kind: "datetime",
        rest: r#""2024-01-02T03:04:05.000+0000""#,
        event: Some(r#""2024-01-02T03:04:05.000Z""#),
        cell: Some("2024-01-02T03:04:05.000Z"),
        document: r#""2024-01-02T03:04:05.000Z""#,
    },
    // The other spelling of cells.
    Row {
        kind: "datetime",
        rest: r#""2024-01-02T03:04:05.000+0000""#,
        event: None,
        cell: Some("2024-01-02T03:04:05.000+0000"),
        document: r#""2024-01-02T03:04:05.000Z""#,
    },
    Row {
        kind: "address",
        rest: r#"{"city":"Bonn","country":null,"street":"a\nb"}"#,
        event: Some(r#"{"City":"Bonn","Country":null,"Street":"a\nb"}"#),
        cell: None,
        document: r#"{"city":"Bonn","country":null,"street":"a\nb"}"#,
    },
    Row {
        kind: "location",
        rest: r#"{"latitude":50.7,"longitude":7.1}"#,
        event: Some(r#"{"Latitude":50.7,"Longitude":7.1}"#),
        cell: None,
        document: r#"{"latitude":50.7,"longitude":7.1}"#,
    },
    // A compound without a part is no compound.
    Row {
        kind: "address",
        rest: r#"{"city":null,"street":null}"#,
        event: Some(r#"{"City":null,"Street":null}"#),
        cell: None,
        document: "null",
    },
    rest_only("base64", r#""/services/data/v62.0/sobjects/Attachment/00P000000000001AAA/Body""#),
    rest_only("anyType", r#""Nairobi""#),
    rest_only("anyType", "1.5"),
    rest_only("anyType", "false"),
    rest_only("junctionIdList", r#"["0015900000000G8AAI"]"#),
    same("string", "null", ""),
    same("double", "null", ""),
];

fn field(kind: &str) -> Field {
    serde_json::from_value(json!({ "name": "X__c", "type": kind, "length": 255, "nillable": true })).expect("a field")
}

fn id() -> Field {
    serde_json::from_value(json!({ "name": "Id", "type": "id" })).expect("a field")
}

/// What the writer of documents makes of a value.
fn document(field: &Field, value: &str) -> String {
    let record = format!(r#"{{"X__c":{value}}}"#);
    let record: Record<'_> = serde_json::from_str(&record).expect("a record");
    let mut out = Vec::new();
    let id = "0015900000000G8AAI".parse().expect("an id");
    Writer::new([field]).write(&mut out, Op::Update, id, None, &record);
    let prefix = r#"{"_meta":{"op":"u"},"Id":"0015900000000G8AAI","X__c":"#;
    let text = String::from_utf8(out).expect("UTF-8");
    text.strip_prefix(prefix).and_then(|rest| rest.strip_suffix('}')).expect("a document").to_owned()
}

#[test]
fn every_way_leads_to_one_form() {
    for Row { kind, rest, event, cell: bulk, document: expect } in TABLE {
        let field = field(kind);
        assert_eq!(document(&field, rest), expect, "{kind} by REST");
        if let Some(event) = event {
            assert_eq!(document(&field, event), expect, "{kind} by event");
        }
        assert_eq!(cell::carries(&field.kind), bulk.is_some(), "{kind} by Bulk");
        if let Some(bulk) = bulk {
            let mut out = Vec::new();
            cell::write(&mut out, &field.kind, bulk).unwrap_or_else(|error| panic!("{kind} by Bulk: {error}"));
            assert_eq!(String::from_utf8(out).expect("UTF-8"), expect, "{kind} by Bulk");
        }
        let schema = schema::exact([&id(), &field]);
        let validator = jsonschema::options().should_validate_formats(true).build(&schema).expect("a schema");
        let value: Value = serde_json::from_str(expect).expect("JSON");
        let document = json!({ "_meta": { "op": "u" }, "Id": "0015900000000G8AAI", "X__c": value });
        assert!(validator.is_valid(&document), "{kind}: {schema} refuses {document}");
    }
}

/// The table knows every type that documents carry.
#[test]
fn the_table_is_complete() {
    let known: Vec<FieldType> = TABLE.iter().map(|row| FieldType::from(row.kind)).collect();
    assert!(known.iter().all(schema::is_captured));
    for kind in FieldType::ALL {
        assert_eq!(known.contains(kind), schema::is_captured(kind), "{kind}");
    }
}

#[test]
fn a_cell_that_is_not_of_its_type_is_refused() {
    for (kind, cell) in [
        ("boolean", "TRUE"),
        ("boolean", "1"),
        ("int", "many"),
        ("double", "1,5"),
        ("double", "NaN"),
        ("double", "\"1\""),
        ("double", "1 "),
        ("double", ".5"),
        ("datetime", "2024-01-02 03:04:05"),
        ("datetime", "2024-01-02T03:04:05+01:00"),
    ] {
        let mut out = Vec::new();
        assert!(cell::write(&mut out, &FieldType::from(kind), cell).is_err(), "{kind}: {cell}");
    }
}
