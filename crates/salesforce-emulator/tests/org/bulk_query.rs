//! Bulk API 2.0, reading: jobs, pages, moments, refusals.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::Method;
use salesforce_emulator::org::{FieldDefinition, FieldType, ObjectDefinition, SchemaChange};
use salesforce_emulator::{BulkDatetimes, BulkSettings, BulkStop, Config, Settings};
use serde_json::{Value as Json, json};

use crate::client::{Answer, Client, still};
use crate::users::user;

pub(crate) const QUERY: &str = "/services/data/v62.0/jobs/query";
const INGEST: &str = "/services/data/v62.0/jobs/ingest";

pub(crate) async fn with(bulk: BulkSettings, rows: &[(&str, u64)]) -> Client {
    let rows = rows.iter().map(|(object, count)| ((*object).to_owned(), *count)).collect();
    Client::with(Config { rows, settings: Settings { bulk, ..still() }, ..Config::default() }).await
}

/// Makes a query job and gives its id.
pub(crate) async fn ordered(client: &Client, soql: &str) -> String {
    let answer = client.call(Method::POST, QUERY, Some(json!({"operation": "query", "query": soql}))).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["id"].as_str().unwrap().to_owned()
}

/// Makes a query job, waits for its end and gives its id.
async fn done(client: &Client, soql: &str) -> String {
    let job = ordered(client, soql).await;
    let jobs = client.emulator.org().bulk_jobs();
    assert_eq!(jobs.last().unwrap().state, "JobComplete", "{:?}", info(client, &job).await);
    job
}

pub(crate) async fn info(client: &Client, job: &str) -> Json {
    client.get(&format!("{QUERY}/{job}")).await.json()
}

async fn results(client: &Client, job: &str, parameters: &str) -> Answer {
    client.get(&format!("{QUERY}/{job}/results{parameters}")).await
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers[name].to_str().unwrap()
}

/// The cells of the first column, without the header.
fn first_cells(csv: &str) -> Vec<&str> {
    csv.lines().skip(1).map(|line| line.split(',').next().unwrap().trim_matches('"')).collect()
}

fn fixture(text: &str) -> Json {
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn as_recorded() {
    let client = with(BulkSettings { page: 3, ..BulkSettings::default() }, &[]).await;
    for name in ["Jane Dunn", "George Wright", "Pat Wilson", "Kim Li"] {
        client.create("Account", json!({"Name": name})).await;
    }
    let body = json!({"operation": "query", "query": "SELECT Id, Name FROM Account ORDER BY Id"});
    let created = client.call(Method::POST, QUERY, Some(body)).await;
    assert_eq!(created.status, 200);
    assert_alike(&created.json(), &fixture(include_str!("../fixtures/bulk/query-job-created.json")));
    let id = created.json()["id"].as_str().unwrap().to_owned();
    client.emulator.org().bulk_jobs();
    assert_alike(&info(&client, &id).await, &fixture(include_str!("../fixtures/bulk/query-job-info.json")));
    let page = results(&client, &id, "").await;
    let recorded = include_str!("../fixtures/bulk/query-results-page.http");
    let (head, rows) = recorded.split_once("\n\n").unwrap();
    assert_eq!(page.status.as_u16(), 200);
    for line in head.lines().skip(1) {
        let (name, value) = line.split_once(": ").unwrap();
        let ours = header(&page, name);
        match name {
            // The place of the next page is ours.
            "Sforce-Locator" => assert!(ours != "null" && ours.chars().all(|c| c.is_ascii_alphanumeric()), "{ours}"),
            "Content-Type" => assert!(ours.starts_with(value), "{ours}"),
            _ => assert_eq!(ours, value, "{name}"),
        }
    }
    let without_ids = |csv: &str| {
        let lines = csv.lines().map(|line| line.split_once(',').unwrap().1.to_owned());
        lines.collect::<Vec<_>>()
    };
    assert_eq!(without_ids(&page.text), without_ids(rows));
    let abort = client.call(Method::PATCH, &format!("{QUERY}/{id}"), Some(json!({"state": "Aborted"}))).await;
    assert_eq!(abort.status, 400);
    assert_eq!(abort.text, fixture(include_str!("../fixtures/bulk/abort-error.json")).to_string());
}

#[tokio::test]
async fn pages_can_be_read_again_and_end_with_a_word() {
    let client = with(BulkSettings { query_chunk: 4, page: 7, ..BulkSettings::default() }, &[("Lead", 23)]).await;
    let job = done(&client, "SELECT Id, Company FROM Lead").await;
    assert_eq!(info(&client, &job).await["numberRecordsProcessed"], 23);
    let mut seen = BTreeSet::new();
    let mut locator = String::new();
    let mut pages = Vec::new();
    while locator != "null" {
        let parameters = if locator.is_empty() { String::new() } else { format!("?locator={locator}") };
        let page = results(&client, &job, &parameters).await;
        assert_eq!(page.text, results(&client, &job, &parameters).await.text, "the same page, read again");
        assert!(page.text.starts_with("\"Id\",\"Company\"\n"), "every page has the header");
        let rows = first_cells(&page.text);
        assert_eq!(header(&page, "sforce-numberofrecords"), rows.len().to_string());
        pages.push(rows.len());
        seen.extend(rows.into_iter().map(str::to_owned));
        header(&page, "sforce-locator").clone_into(&mut locator);
    }
    assert_eq!((pages, seen.len()), (vec![7, 7, 7, 2], 23));

    let page = results(&client, &job, "?maxRecords=20").await;
    assert_eq!((header(&page, "sforce-numberofrecords"), header(&page, "sforce-locator")), ("20", "MjA"));
    let page = results(&client, &job, "?locator=MjA&maxRecords=20").await;
    assert_eq!((header(&page, "sforce-numberofrecords"), header(&page, "sforce-locator")), ("3", "null"));
    for parameters in ["?locator=null", "?locator=MjM", "?locator=%25", "?maxRecords=0", "?maxRecords=many"] {
        assert_eq!(results(&client, &job, parameters).await.status, 400, "{parameters}");
    }

    let pages = client.get(&format!("{QUERY}/{job}/resultPages")).await.json();
    assert_eq!((pages["resultPages"].as_array().unwrap().len(), &pages["done"]), (4, &json!(true)));
    assert!(pages["nextRecordsUrl"].is_null());
    let mut rows = 0;
    for page in pages["resultPages"].as_array().unwrap() {
        rows += first_cells(&client.get(page["resultUrl"].as_str().unwrap()).await.text).len();
    }
    assert_eq!(rows, 23);
}

#[tokio::test]
async fn result_pages_come_by_five() {
    let client = with(BulkSettings { page: 2, ..BulkSettings::default() }, &[("Lead", 13)]).await;
    let job = done(&client, "SELECT Id FROM Lead").await;
    let pages = client.get(&format!("{QUERY}/{job}/resultPages")).await.json();
    assert_eq!((pages["resultPages"].as_array().unwrap().len(), &pages["done"]), (5, &json!(false)));
    let more = client.get(pages["nextRecordsUrl"].as_str().unwrap()).await.json();
    assert_eq!((more["resultPages"].as_array().unwrap().len(), &more["done"]), (2, &json!(true)));
    let old = "/services/data/v57.0/jobs/query";
    let body = json!({"operation": "query", "query": "SELECT Id FROM Lead"});
    let job = client.call(Method::POST, old, Some(body)).await.json()["id"].as_str().unwrap().to_owned();
    client.emulator.org().bulk_jobs();
    assert_eq!(client.get(&format!("{old}/{job}/resultPages")).await.status, 404, "not before 58.0");
}

#[tokio::test]
async fn without_rows_there_is_a_header() {
    let client = Client::new().await;
    for soql in ["SELECT Id, Name FROM Account", "SELECT Id, Name FROM Account ORDER BY Id LIMIT 5"] {
        let job = done(&client, soql).await;
        let page = results(&client, &job, "").await;
        assert_eq!(page.text, "\"Id\",\"Name\"\n");
        assert_eq!((header(&page, "sforce-numberofrecords"), header(&page, "sforce-locator")), ("0", "null"));
    }
}

#[tokio::test]
async fn rows_are_not_in_the_order_of_their_ids_unless_asked() {
    let mut orders = Vec::new();
    for _ in 0..2 {
        let client = with(BulkSettings { query_chunk: 10, ..BulkSettings::default() }, &[("Lead", 45)]).await;
        let ids: Vec<String> =
            client.emulator.org().ids("Lead", false).unwrap().iter().map(ToString::to_string).collect();
        let read = async |soql: &str| {
            let job = done(&client, soql).await;
            let page = results(&client, &job, "").await;
            first_cells(&page.text).into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        let unordered = read("SELECT Id FROM Lead").await;
        assert_ne!(unordered, ids);
        let mut sorted = unordered.clone();
        sorted.sort();
        assert_eq!(sorted, ids);
        let limited = read("SELECT Id FROM Lead LIMIT 20").await;
        assert!(limited.len() == 20 && !limited.is_sorted());
        assert_eq!(read("SELECT Id FROM Lead ORDER BY Id").await, ids);
        assert_eq!(read(&format!("SELECT Id FROM Lead WHERE Id > '{}' ORDER BY Id LIMIT 7", ids[3])).await, ids[4..11]);
        orders.push(unordered);
    }
    assert_eq!(orders[0], orders[1], "the seed settles it");
}

/// Two chunks of three rows: between them rows change, go and come.
#[tokio::test]
async fn rows_are_read_at_different_moments() {
    for (soql, settled) in [("SELECT Id, Name FROM Account", false), ("SELECT Id, Name FROM Account ORDER BY Id", true)]
    {
        let client = with(BulkSettings { query_chunk: 3, ..BulkSettings::default() }, &[]).await;
        let org = client.emulator.org();
        let mut ids = Vec::new();
        for at in 0..6 {
            ids.push(client.create("Account", json!({"Name": format!("old {at}")})).await);
        }
        org.stop_bulk(BulkStop { before_chunk: 2, object: None, job: None, fail: None });
        let job = ordered(&client, soql).await;
        assert!(org.bulk_jobs()[0].held);
        let told = info(&client, &job).await;
        assert_eq!((&told["state"], &told["numberRecordsProcessed"]), (&json!("InProgress"), &json!(3)));
        assert_eq!(results(&client, &job, "").await.json()[0]["errorCode"], "INVALIDJOBSTATE");
        for id in &ids {
            client.update("Account", id, json!({"Name": format!("new {id}")})).await;
        }
        let gone = [&ids[0], &ids[5]];
        for id in gone {
            client.delete("Account", id).await;
        }
        let late = client.create("Account", json!({"Name": "late"})).await;
        org.release_bulk();
        assert_eq!(org.bulk_jobs()[0].state, "JobComplete");
        let text = results(&client, &job, "").await.text;
        let rows: Vec<(&str, &str)> =
            text.lines().skip(1).map(|line| line.trim_matches('"').split_once("\",\"").unwrap()).collect();
        let old = rows.iter().filter(|(_, name)| name.starts_with("old")).count();
        let new = rows.iter().filter(|(_, name)| name.starts_with("new")).count();
        assert_eq!((old, new), (3, 2), "{soql}: what was deleted before its moment is not there: {text}");
        if settled {
            assert!(!rows.iter().any(|(id, _)| *id == late), "the rows were settled at the start");
        }
        assert!(rows.iter().map(|(id, _)| id).collect::<BTreeSet<_>>().len() == rows.len(), "no row twice");
    }
}

#[tokio::test]
async fn jobs_take_virtual_time() {
    let minute = Duration::from_secs(60);
    let bulk = BulkSettings { query_chunk: 5, queue_time: minute, chunk_time: minute, ..BulkSettings::default() };
    let client = with(bulk, &[("Lead", 10)]).await;
    let org = client.emulator.org();
    let job = ordered(&client, "SELECT Id FROM Lead").await;
    let mut told = Vec::new();
    for _ in 0..4 {
        org.bulk_jobs();
        let info = info(&client, &job).await;
        told.push(format!("{} {} {}", info["state"], info["numberRecordsProcessed"], info["totalProcessingTime"]));
        org.advance(minute).unwrap();
    }
    assert_eq!(
        told,
        ["\"UploadComplete\" 0 0", "\"InProgress\" 5 0", "\"InProgress\" 10 60000", "\"JobComplete\" 10 120000"]
    );
    org.advance(Duration::from_secs(7 * 24 * 60 * 60)).unwrap();
    let client = client.renewed().await;
    assert_eq!(client.get(&format!("{QUERY}/{job}")).await.status, 404, "kept for seven days");
}

/// Where the clock runs, so do the jobs, without anybody's help.
#[tokio::test]
async fn jobs_take_real_time() {
    let pause = Duration::from_millis(5);
    let bulk = BulkSettings { query_chunk: 2, queue_time: pause, chunk_time: pause, ..BulkSettings::default() };
    let settings = Settings { bulk, ..Settings::default() };
    let client = Client::with(Config { rows: vec![("Lead".into(), 6)], settings, ..Config::default() }).await;
    let job = ordered(&client, "SELECT Id FROM Lead").await;
    while info(&client, &job).await["state"] != "JobComplete" {
        tokio::task::yield_now().await;
    }
    assert_eq!(first_cells(&results(&client, &job, "").await.text).len(), 6);
}

#[tokio::test]
async fn cells_of_every_type() {
    let client = Client::new().await;
    let org = client.emulator.org();
    let mut fields = Vec::new();
    for (name, kind) in [
        ("Text__c", FieldType::String),
        ("Long__c", FieldType::TextArea),
        ("Flag__c", FieldType::Boolean),
        ("Whole__c", FieldType::Int),
        ("Number__c", FieldType::Double),
        ("Money__c", FieldType::Currency),
        ("Share__c", FieldType::Percent),
        ("Day__c", FieldType::Date),
        ("Moment__c", FieldType::DateTime),
        ("Hour__c", FieldType::Time),
        ("Mail__c", FieldType::Email),
        ("Tags__c", FieldType::MultiPicklist),
        ("Empty__c", FieldType::String),
    ] {
        let mut definition = FieldDefinition::of(kind);
        if kind == FieldType::MultiPicklist {
            definition.values = ["a", "b", "c"].map(str::to_owned).to_vec();
        }
        fields.push((name.to_owned(), definition));
    }
    let definition = ObjectDefinition { fields: fields.into_iter().collect(), ..ObjectDefinition::default() };
    org.change_schema([SchemaChange::CreateObject { object: "Every__c".into(), definition }]).unwrap();
    let record = json!({
        "Text__c": "say \"hi\", you", "Long__c": "two\r\nlines", "Flag__c": true, "Whole__c": 42, "Number__c": 2.5,
        "Money__c": 15_000_000, "Share__c": 10, "Day__c": "2026-02-03", "Moment__c": "2026-02-03T04:05:06+01:00",
        "Hour__c": "07:08:09Z", "Mail__c": "a@example.com", "Tags__c": "c;a",
    });
    client.create("Every__c", record).await;
    let soql = "SELECT Text__c, Long__c, Flag__c, Whole__c, Number__c, Money__c, Share__c, Day__c, Moment__c, Hour__c, Mail__c, \
                Tags__c, Empty__c, owner.name, CreatedBy.Email FROM every__c";
    let job = done(&client, soql).await;
    insta::assert_snapshot!(results(&client, &job, "").await.text.replace('\r', "\\r"));
}

#[tokio::test]
async fn dialects_datetimes_and_the_order_of_columns() {
    for (datetimes, spelled) in
        [(BulkDatetimes::Zulu, "2026-01-01T00:00:00.000Z"), (BulkDatetimes::Offset, "2026-01-01T00:00:00.000+0000")]
    {
        let client = with(BulkSettings { datetimes, ..BulkSettings::default() }, &[]).await;
        client.create("Account", json!({"Name": "a|b"})).await;
        let order = async |version: &str, delimiter: &str, ending: &str| {
            let path = format!("/services/data/v{version}/jobs/query");
            let query = "SELECT Name, CreatedDate, AccountNumber FROM Account";
            let body = json!({"operation": "queryAll", "query": query, "contentType": "CSV", "columnDelimiter": delimiter,
                              "lineEnding": ending});
            let created = client.call(Method::POST, &path, Some(body)).await.json();
            assert_eq!((&created["columnDelimiter"], &created["lineEnding"]), (&json!(delimiter), &json!(ending)));
            client.emulator.org().bulk_jobs();
            client.get(&format!("{path}/{}/results", created["id"].as_str().unwrap())).await.text
        };
        assert_eq!(
            order("50.0", "PIPE", "CRLF").await,
            format!("\"Name\"|\"CreatedDate\"|\"AccountNumber\"\r\n\"a|b\"|\"{spelled}\"|\"\"\r\n")
        );
        assert_eq!(
            order("49.0", "TAB", "LF").await,
            format!("\"AccountNumber\"\t\"CreatedDate\"\t\"Name\"\n\"\"\t\"{spelled}\"\t\"a|b\"\n"),
            "alphabetical before 50.0"
        );
    }
}

#[tokio::test]
async fn refused_at_once() {
    let unsupported = vec!["Campaign".to_owned()];
    let client = with(BulkSettings { unsupported, ..BulkSettings::default() }, &[]).await;
    let mut answers = Vec::new();
    for soql in [
        "SELECT COUNT() FROM Account",
        "SELECT Id, (SELECT Id FROM Contacts) FROM Account",
        "SELECT TYPEOF What WHEN Account THEN Phone END FROM Event",
        "SELECT Id FROM Account OFFSET 5",
        "SELECT FIELDS(ALL) FROM Account LIMIT 200",
        "SELECT Id, BillingAddress FROM Account",
        "SELECT Id, Account.BillingAddress FROM Contact",
        "SELECT Id, Body FROM Attachment",
        "SELECT Id FROM campaign",
        "SELECT Id FROM Nothing__c",
        "SELECT Id, Nothing__c FROM Account",
        "SELECT Id FRM Account",
        "",
    ] {
        let answer = client.call(Method::POST, QUERY, Some(json!({"operation": "query", "query": soql}))).await;
        answers.push(format!("{soql}\n{} {}", answer.status.as_u16(), answer.text));
    }
    for body in [
        json!({"query": "SELECT Id FROM Account"}),
        json!({"operation": "insert", "query": "SELECT Id FROM Account"}),
        json!({"operation": "query"}),
        json!({"operation": "query", "query": "SELECT Id FROM Account", "columnDelimiter": "SPACE"}),
        json!({"operation": "query", "query": "SELECT Id FROM Account", "contentType": "JSON"}),
        json!({"operation": "query", "query": "SELECT Id FROM Account", "pages": 2}),
    ] {
        let answer = client.call(Method::POST, QUERY, Some(body.clone())).await;
        answers.push(format!("{body}\n{} {}", answer.status.as_u16(), answer.text));
    }
    assert_eq!(client.emulator.org().bulk_jobs(), [], "nothing refused became a job");
    insta::assert_snapshot!(answers.join("\n\n"));
}

#[tokio::test]
async fn states_and_what_they_refuse() {
    let client = with(BulkSettings { query_chunk: 2, ..BulkSettings::default() }, &[("Lead", 4)]).await;
    let org = client.emulator.org();
    let at = |chunk, fail: Option<&str>| BulkStop {
        before_chunk: chunk,
        object: None,
        job: None,
        fail: fail.map(str::to_owned),
    };
    let mut transcript = Vec::new();
    for (name, stop) in [
        ("UploadComplete", Some(at(1, None))),
        ("InProgress", Some(at(2, None))),
        ("JobComplete", None),
        ("Failed", Some(at(2, Some("InternalServerError : try again")))),
    ] {
        for (method, rest, body) in [
            (Method::GET, "/results", None),
            (Method::GET, "/resultPages", None),
            (Method::DELETE, "", None),
            (Method::PATCH, "", Some(json!({"state": "Aborted"}))),
            (Method::PATCH, "", Some(json!({"state": "UploadComplete"}))),
        ] {
            org.release_bulk();
            stop.iter().cloned().for_each(|stop| org.stop_bulk(stop));
            let job = ordered(&client, "SELECT Id FROM Lead").await;
            org.bulk_jobs();
            let state = info(&client, &job).await;
            assert_eq!(state["state"], name);
            if name == "Failed" {
                assert_eq!(state["errorMessage"], "InternalServerError : try again");
            }
            let answer = client.call(method.clone(), &format!("{QUERY}/{job}{rest}"), body.clone()).await;
            let text = answer.text.replace(&job, "750…").lines().next().unwrap_or_default().to_owned();
            let body = body.map(|body| body.to_string()).unwrap_or_default();
            transcript.push(format!("{name}: {method} {rest} {body}\n  {} {text}", answer.status.as_u16()));
        }
    }
    insta::assert_snapshot!(transcript.join("\n"));
}

#[tokio::test]
async fn a_job_belongs_to_its_version_and_is_gone_when_deleted() {
    let client = Client::with_rows(&[("Lead", 2)]).await;
    let job = done(&client, "SELECT Id FROM Lead").await;
    for rest in ["", "/results", "/resultPages"] {
        let other = format!("/services/data/v61.0/jobs/query/{job}{rest}");
        assert_eq!(client.get(&other).await.status, 409, "{rest}");
    }
    assert_eq!(client.get(&format!("/services/data/v62.0/jobs/ingest/{job}")).await.status, 404, "another family");
    assert_eq!(client.get(&format!("{QUERY}/{}", &job[..15])).await.status, 200, "fifteen characters will do");
    assert_eq!(client.get(&format!("{QUERY}/nonsense")).await.status, 404);
    assert_eq!(client.call(Method::DELETE, &format!("{QUERY}/{job}"), None).await.status, 204);
    let gone = client.get(&format!("{QUERY}/{job}")).await;
    assert_eq!(
        (gone.status.as_u16(), gone.text.as_str()),
        (404, r#"[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}]"#)
    );
    assert_eq!(client.get("/services/data/v46.0/jobs/query").await.status, 404, "query jobs are there since 47.0");
}

#[tokio::test]
async fn lists() {
    let client = with(BulkSettings { list_page: 2, ..BulkSettings::default() }, &[]).await;
    let mut ids = Vec::new();
    for object in ["Account", "Lead", "Contact"] {
        ids.push(done(&client, &format!("SELECT Id FROM {object}")).await);
    }
    let ingest = "/services/data/v62.0/jobs/ingest";
    let body = json!({"object": "Account", "operation": "insert"});
    ids.push(client.call(Method::POST, ingest, Some(body)).await.json()["id"].as_str().unwrap().to_owned());
    let listed = async |path: &str| {
        let answer = client.get(path).await.json();
        let records = answer["records"].as_array().unwrap().clone();
        let found: Vec<String> = records.iter().map(|record| record["id"].as_str().unwrap().to_owned()).collect();
        (found, answer["nextRecordsUrl"].as_str().map(str::to_owned), answer["done"].as_bool().unwrap(), records)
    };
    let (found, next, complete, records) = listed(QUERY).await;
    assert_eq!((&found[..], complete), (&ids[..2], false));
    let keys: Vec<&String> = records[0].as_object().unwrap().keys().collect();
    insta::assert_snapshot!(keys.iter().map(|key| key.as_str()).collect::<Vec<_>>().join(" "), @"id operation object createdById createdDate systemModstamp state concurrencyMode contentType apiVersion jobType lineEnding columnDelimiter");
    let (found, next, complete, _) = listed(&next.unwrap()).await;
    assert_eq!((&found[..], next, complete), (&ids[2..3], None, true));
    for (path, expected) in [
        (ingest.to_owned(), &ids[3..]),
        (format!("{QUERY}?jobType=V2Ingest"), &ids[3..]),
        (format!("{ingest}?jobType=V2Query&concurrencyMode=parallel&isPkChunkingEnabled=false"), &ids[..2]),
        (format!("{QUERY}?jobType=Classic"), &[]),
        (format!("{QUERY}?concurrencyMode=serial"), &[]),
        (format!("{QUERY}?isPkChunkingEnabled=true"), &[]),
    ] {
        assert_eq!(&listed(&path).await.0[..], expected, "{path}");
    }
    assert_eq!(client.get(&format!("{QUERY}?queryLocator=x")).await.status, 400);
}

#[tokio::test]
async fn quotas() {
    let bulk = BulkSettings { query_jobs: 2, ..BulkSettings::default() };
    let client = with(bulk, &[("Lead", 1)]).await;
    let limits = async |name: &str| client.get("/services/data/v62.0/limits").await.json()[name].clone();
    assert_eq!(limits("DailyBulkV2QueryJobs").await, json!({"Max": 2, "Remaining": 2}));
    for _ in 0..2 {
        done(&client, "SELECT Id FROM Lead").await;
    }
    assert_eq!(limits("DailyBulkV2QueryJobs").await, json!({"Max": 2, "Remaining": 0}));
    let body = json!({"operation": "query", "query": "SELECT Id FROM Lead"});
    let refused = client.call(Method::POST, QUERY, Some(body)).await;
    assert_eq!(
        (refused.status.as_u16(), refused.text.as_str()),
        (
            400,
            r#"[{"errorCode":"LIMIT_EXCEEDED","message":"Max bulk v2 query jobs (2) per 24 hrs has been reached (3)"}]"#
        )
    );
    client.emulator.org().advance(Duration::from_secs(24 * 60 * 60)).unwrap();
    let client = client.renewed().await;
    done(&client, "SELECT Id FROM Lead").await;
}

#[tokio::test]
async fn every_request_is_a_call_with_a_name_of_its_own() {
    let client = Client::with_rows(&[("Lead", 2)]).await;
    let job = done(&client, "SELECT Id FROM Lead").await;
    results(&client, &job, "").await;
    client.get(&format!("{QUERY}/{job}")).await;
    let calls = client.emulator.org().calls();
    for kind in ["bulk_query_create", "bulk_query_results", "bulk_query_info"] {
        assert_eq!(calls[kind], 1, "{kind}");
    }
    let used = client.get(QUERY).await;
    assert!(header(&used, "sforce-limit-info").starts_with("api-usage=4/"), "{:?}", used.headers);
}

#[tokio::test]
async fn a_page_may_break_off() {
    let client = with(BulkSettings::default(), &[("Lead", 50)]).await;
    let job = done(&client, "SELECT Id FROM Lead").await;
    let rule = json!({"kind": "bulk_query_results", "action": {"truncate": {"bytes": 100}}});
    client.emulator.add_fault(serde_json::from_value(rule).unwrap());
    let authorization = format!("Bearer {}", client.token);
    let path = format!("{QUERY}/{job}/results");
    let broken = client.send(Method::GET, &path, &[("authorization", &authorization)], None).await;
    assert!(broken.is_err(), "{broken:?}");
    assert_eq!(first_cells(&results(&client, &job, "").await.text).len(), 50);
}

#[tokio::test]
async fn pages_are_compressed_for_those_who_like() {
    let client = with(BulkSettings::default(), &[("Lead", 50)]).await;
    let job = done(&client, "SELECT Id FROM Lead").await;
    let authorization = format!("Bearer {}", client.token);
    let headers = [("authorization", authorization.as_str()), ("accept-encoding", "gzip")];
    let answer = client.send(Method::GET, &format!("{QUERY}/{job}/results"), &headers, None).await.unwrap();
    assert_eq!(header(&answer, "content-encoding"), "gzip");
}

/// A field that goes while a job reads ends it.
#[tokio::test]
async fn schemas_change_meanwhile() {
    let client = with(BulkSettings { query_chunk: 1, ..BulkSettings::default() }, &[("Lead", 3)]).await;
    let org = client.emulator.org();
    org.stop_bulk(BulkStop { before_chunk: 2, object: Some("lead".into()), job: None, fail: None });
    let job = ordered(&client, "SELECT Id, Title FROM Lead").await;
    org.bulk_jobs();
    org.change_schema([SchemaChange::HideField { object: "Lead".into(), field: "Title".into() }]).unwrap();
    org.release_bulk();
    org.bulk_jobs();
    let told = info(&client, &job).await;
    assert_eq!(told["state"], "Failed");
    assert!(
        told["errorMessage"].as_str().unwrap().starts_with("InvalidBatch : Failed to process query: INVALID_FIELD")
    );
}

#[tokio::test]
async fn no_part_of_a_composite() {
    let client = Client::new().await;
    let request = json!({"method": "GET", "url": QUERY, "referenceId": "a"});
    let path = "/services/data/v62.0/composite";
    let answer = client.call(Method::POST, path, Some(json!({"compositeRequest": [request]}))).await.json();
    assert_eq!(answer["compositeResponse"][0]["httpStatusCode"], 400, "{answer}");
}

#[tokio::test]
async fn the_recycle_bin_for_those_who_ask() {
    let client = Client::new().await;
    let kept = client.create("Account", json!({"Name": "kept"})).await;
    let gone = client.create("Account", json!({"Name": "gone"})).await;
    client.delete("Account", &gone).await;
    for (operation, expected) in [("query", vec![&kept]), ("queryAll", vec![&kept, &gone])] {
        let body = json!({"operation": operation, "query": "SELECT Id, IsDeleted FROM Account ORDER BY Id"});
        let created = client.call(Method::POST, QUERY, Some(body)).await.json();
        assert_eq!(created["operation"], operation);
        client.emulator.org().bulk_jobs();
        let csv = results(&client, created["id"].as_str().unwrap(), "").await.text;
        assert_eq!(first_cells(&csv), expected);
    }
}

#[tokio::test]
async fn by_script() {
    let client = with(BulkSettings { query_chunk: 1, ..BulkSettings::default() }, &[("Lead", 2)]).await;
    let control = async |method: Method, body: Json| {
        client.send(method, "/__emulator/bulk", &[], Some(body.to_string())).await.unwrap()
    };
    let stop = json!({"before_chunk": 3, "object": "Lead"});
    let added = control(Method::POST, stop.clone()).await;
    assert_eq!((added.status.as_u16(), added.json()), (201, json!([stop])));
    let job = ordered(&client, "SELECT Id FROM Lead").await;
    assert_eq!(
        control(Method::GET, Json::Null).await.json(),
        json!({"jobs": [{"id": job, "operation": "query", "object": "Lead", "state": "InProgress", "chunks": 2, "held": true}],
               "stops": [stop]}),
        "held before its end"
    );
    assert_eq!(control(Method::DELETE, Json::Null).await.status, 204);
    assert_eq!(control(Method::GET, Json::Null).await.json()["jobs"][0]["state"], "JobComplete");
    assert_eq!(control(Method::POST, json!({"chunk": 1})).await.status, 400);
    let reset = client.send(Method::POST, "/__emulator/reset", &[], None).await.unwrap();
    assert_eq!(reset.status, 204);
    assert_eq!(control(Method::GET, Json::Null).await.json(), json!({"jobs": [], "stops": []}));
}

/// The same keys in the same order, and for each whose value is there on both sides, a value of the same kind.
#[track_caller]
fn assert_alike(ours: &Json, theirs: &Json) {
    let (ours, theirs) = (ours.as_object().unwrap(), theirs.as_object().unwrap());
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    for (key, value) in theirs.iter().filter(|(key, value)| !value.is_null() && !ours[*key].is_null()) {
        assert_eq!(std::mem::discriminant(&ours[key]), std::mem::discriminant(value), "{key}");
    }
}

/// Who may not see a record does not find it in what others read in bulk.
#[tokio::test]
async fn jobs_belong_to_their_makers() {
    let client = with(BulkSettings::default(), &[("Account", 2)]).await;
    let (_, ben) = user(&client, json!({"username": "ben@example.com"})).await;
    let hers = done(&client, "SELECT Id FROM Account").await;
    let order = json!({"operation": "insert", "object": "Account"});
    let upload = client.call(Method::POST, INGEST, Some(order)).await.json()["id"].as_str().unwrap().to_owned();
    let query = json!({"operation": "query", "query": "SELECT Id FROM Account"});
    let made = client.call_as(&ben, Method::POST, QUERY, Some(query)).await.json();
    let his = made["id"].as_str().unwrap().to_owned();
    client.emulator.org().bulk_jobs();
    let close = || Some(json!({"state": "UploadComplete"}));
    for (method, path, body) in [
        (Method::GET, format!("{QUERY}/{hers}"), None),
        (Method::GET, format!("{QUERY}/{hers}/results"), None),
        (Method::GET, format!("{QUERY}/{hers}/resultPages"), None),
        (Method::DELETE, format!("{QUERY}/{hers}"), None),
        (Method::PUT, format!("{INGEST}/{upload}/batches"), close()),
        (Method::PATCH, format!("{INGEST}/{upload}"), close()),
        (Method::GET, format!("{INGEST}/{upload}/failedResults"), None),
    ] {
        let answer = client.call_as(&ben, method.clone(), &path, body).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()[0]["errorCode"]),
            (400, &json!("INVALIDUSER")),
            "{method} {path}"
        );
    }
    let listed = client.call_as(&ben, Method::GET, QUERY, None).await.json();
    assert_eq!(listed["records"].as_array().unwrap().len(), 2, "that there are others is no secret");
    assert_eq!(client.call_as(&ben, Method::GET, &format!("{QUERY}/{his}/results"), None).await.status, 200);
    // Who may do everything may do that, too.
    assert_eq!(client.call(Method::DELETE, &format!("{QUERY}/{his}"), None).await.status, 204);
}
