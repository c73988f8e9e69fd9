//! One row by each way that reads: what the merge asks of it, its document and its fingerprint are the same.

use bytes::Bytes;
use salesforce_client::{
    Describe, Record,
    bulk::{
        Column,
        csv::{Found, Reader},
    },
};
use serde_json::{Value, json, value::to_raw_value};
use source_salesforce::{
    document::{Op, Print, Writer},
    feed::Feed,
    resource::Resource,
    row::{Facts, Fields, Row},
};

const LEAD: &str = include_str!("fixtures/Lead.json");

const FIELDS: [&str; 12] = [
    "Id",
    "IsDeleted",
    "LastName",
    "Company",
    "Address",
    "AnnualRevenue",
    "NumberOfEmployees",
    "Description",
    "CreatedDate",
    "SystemModstamp",
    "IsConverted",
    "EmailBouncedDate",
];

fn feed() -> Feed {
    let describe: Describe = serde_json::from_str(LEAD).expect("a describe");
    let options = json!({ "stream": "Lead", "fields": { "include": FIELDS } });
    Feed::of(&describe, &Resource::parse(&to_raw_value(&options).expect("JSON")).expect("a resource")).expect("a feed")
}

/// What becomes of a row.
fn outcome(writer: &mut Writer, row: Row<'_>) -> (Facts, Value, Print) {
    let mut out = Vec::new();
    writer.write(&mut out, Op::Update, row.facts.id, None, row.fields);
    (row.facts, serde_json::from_slice(&out).expect("a document"), writer.print(row.fields))
}

/// The row whose cells these are; the others are empty.
fn by_bulk(feed: &Feed, writer: &mut Writer, given: &[(&str, &str)]) -> (Facts, Value, Print) {
    let columns = feed.columns.as_ref().expect("Bulk carries the fields");
    let header: Vec<_> = columns.names.iter().map(|name| format!("\"{name}\"")).collect();
    let cell = |name: &str| given.iter().find(|(given, _)| *given == name).map_or("", |(_, cell)| cell);
    let cells = columns.names.iter().map(|name| format!("\"{}\"", cell(name.as_str()).replace('"', "\"\"")));
    let mut text = Bytes::from(format!("{}\n{}\n", header.join(","), cells.collect::<Vec<_>>().join(",")));
    let names: Vec<_> = columns.names.iter().map(Column::from).collect();
    let mut reader = Reader::new(&names);
    assert_eq!(reader.read(&mut text), Ok(Some(Found::Header)));
    assert_eq!(reader.read(&mut text), Ok(Some(Found::Row)));
    let row = reader.row().expect("a row");
    let mut spelled = Vec::new();
    columns.write(&mut spelled, &row).expect("good cells");
    let row = Row { facts: columns.facts(&row).expect("an id"), fields: Fields::Spelled(&spelled) };
    outcome(writer, row)
}

fn by_page(feed: &Feed, writer: &mut Writer, record: &str) -> (Facts, Value, Print) {
    let record: Record<'_> = serde_json::from_str(record).expect("a record");
    outcome(writer, feed.row(&record).expect("an id"))
}

#[test]
fn a_row_does_not_show_its_way() {
    let feed = feed();
    let mut writer = Writer::new(&feed.fields);
    let full = by_page(
        &feed,
        &mut writer,
        r#"{"attributes":{"type":"Lead"},"Id":"00Q50000017qdkyEAA","IsDeleted":false,"LastName":"O'Neill \"Jack\"",
            "Company":"Ümlaut & Söhne","Address":{"city":"Bonn","country":null,"geocodeAccuracy":null,"latitude":50.7,
            "longitude":7.1,"postalCode":"53111","state":null,"street":"a\nb"},"AnnualRevenue":1.5E7,"NumberOfEmployees":12,
            "Description":"first\nsecond\t\\","CreatedDate":"2024-01-02T03:04:05.000+0000",
            "SystemModstamp":"2024-01-02T03:04:06.000+0000","IsConverted":true,"EmailBouncedDate":null}"#,
    );
    let cells = [
        ("Id", "00Q50000017qdkyEAA"),
        ("IsDeleted", "false"),
        ("LastName", "O'Neill \"Jack\""),
        ("Company", "Ümlaut & Söhne"),
        ("City", "Bonn"),
        ("Latitude", "50.7"),
        ("Longitude", "7.1"),
        ("PostalCode", "53111"),
        ("Street", "a\nb"),
        ("AnnualRevenue", "1.5E7"),
        ("NumberOfEmployees", "12"),
        ("Description", "first\nsecond\t\\"),
        ("CreatedDate", "2024-01-02T03:04:05.000Z"),
        ("SystemModstamp", "2024-01-02T03:04:06.000Z"),
        ("IsConverted", "true"),
    ];
    assert_eq!(by_bulk(&feed, &mut writer, &cells), full);
    let mut other = cells;
    other[2].1 = "O'Neil";
    assert_ne!(by_bulk(&feed, &mut writer, &other).2, full.2, "another row has another fingerprint");

    let sparse = by_page(
        &feed,
        &mut writer,
        r#"{"Id":"00Q50000017qdkyEAA","IsDeleted":true,"LastName":null,"Company":null,"Address":null,"AnnualRevenue":null,
            "NumberOfEmployees":null,"Description":null,"CreatedDate":"2024-01-02T03:04:05.000+0000",
            "SystemModstamp":"2024-01-02T03:04:05.000+0000","IsConverted":false,"EmailBouncedDate":null}"#,
    );
    assert!(sparse.0.is_new && sparse.0.is_deleted);
    let cells = [
        ("Id", "00Q50000017qdkyEAA"),
        ("IsDeleted", "true"),
        ("CreatedDate", "2024-01-02T03:04:05.000Z"),
        ("SystemModstamp", "2024-01-02T03:04:05.000Z"),
        ("IsConverted", "false"),
    ];
    assert_eq!(by_bulk(&feed, &mut writer, &cells), sparse);
}
