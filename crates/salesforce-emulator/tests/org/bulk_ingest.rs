//! Bulk API 2.0, writing: jobs, data, rows and what became of them.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::Method;
use salesforce_emulator::org::{FieldDefinition, FieldType, ObjectDefinition, SchemaChange};
use salesforce_emulator::{BulkSettings, BulkStop};
use serde_json::{Value as Json, json};

use crate::bulk_query::with;
use crate::client::{Answer, Client};
use crate::streaming::Subscriber;

const INGEST: &str = "/services/data/v62.0/jobs/ingest";

/// A job, from its order to its results.
struct Ingest<'a> {
    client: &'a Client,
    id: String,
}

impl<'a> Ingest<'a> {
    async fn order(client: &'a Client, order: Json) -> Self {
        let answer = client.call(Method::POST, INGEST, Some(order)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        Self { client, id: answer.json()["id"].as_str().unwrap().to_owned() }
    }

    async fn upload(&self, csv: &str) -> Answer {
        let authorization = format!("Bearer {}", self.client.token);
        let headers = [("authorization", authorization.as_str()), ("content-type", "text/csv; charset=UTF-8")];
        let path = format!("{INGEST}/{}/batches", self.id);
        self.client.send(Method::PUT, &path, &headers, Some(csv.to_owned())).await.unwrap()
    }

    async fn turn(&self, state: &str) -> Answer {
        let path = format!("{INGEST}/{}", self.id);
        self.client.call(Method::PATCH, &path, Some(json!({"state": state}))).await
    }

    /// Uploads, closes and waits until nothing goes on by itself.
    async fn run(&self, csv: &str) -> Json {
        let uploaded = self.upload(csv).await;
        assert_eq!((uploaded.status.as_u16(), uploaded.text.as_str()), (201, ""));
        let closed = self.turn("UploadComplete").await;
        assert_eq!((closed.status.as_u16(), &closed.json()["state"]), (200, &json!("UploadComplete")));
        self.client.emulator.org().bulk_jobs();
        self.info().await
    }

    async fn info(&self) -> Json {
        self.get("").await.json()
    }

    async fn get(&self, rest: &str) -> Answer {
        self.client.get(&format!("{INGEST}/{}{rest}", self.id)).await
    }

    /// All three results, with ids taken out.
    async fn results(&self) -> String {
        let mut all = String::new();
        for name in ["successfulResults", "failedResults", "unprocessedrecords"] {
            let answer = self.get(&format!("/{name}/")).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            assert_eq!(answer.headers["content-type"], "text/csv; charset=UTF-8");
            all.push_str(&format!("{name}\n{}\n", answer.text));
        }
        all
    }
}

/// An object to write to: a key from outside and a field of each kind.
fn define(client: &Client) {
    let text = || FieldDefinition { length: Some(10), ..FieldDefinition::of(FieldType::String) };
    let fields = [
        ("Key__c", FieldDefinition { external_id: true, unique: true, ..text() }),
        ("Name__c", FieldDefinition { required: true, ..text() }),
        ("Flag__c", FieldDefinition::of(FieldType::Boolean)),
        ("Number__c", FieldDefinition::of(FieldType::Double)),
        ("Whole__c", FieldDefinition::of(FieldType::Int)),
        ("Day__c", FieldDefinition::of(FieldType::Date)),
        ("Moment__c", FieldDefinition::of(FieldType::DateTime)),
    ];
    let fields = fields.into_iter().map(|(name, field)| (name.to_owned(), field)).collect();
    let definition = ObjectDefinition { fields, ..ObjectDefinition::default() };
    client.emulator.org().change_schema([SchemaChange::CreateObject { object: "Row__c".into(), definition }]).unwrap();
}

async fn rows(client: &Client, fields: &str) -> Vec<String> {
    let found = client.query(&format!("SELECT {fields} FROM Row__c ORDER BY Name__c")).await.json();
    let shown = |record: &Json| {
        let cells = fields.split(", ").map(|field| record[field].to_string());
        cells.collect::<Vec<_>>().join(" ")
    };
    found["records"].as_array().unwrap().iter().map(shown).collect()
}

/// Ids differ from test to test; what matters is which are the same.
fn named(text: &str, names: &[(&str, &str)]) -> String {
    names.iter().fold(text.to_owned(), |text, (id, name)| text.replace(id, name))
}

#[tokio::test]
async fn as_in_the_guide() {
    let client = Client::new().await;
    let order = json!({"object": "account", "contentType": "CSV", "operation": "insert", "lineEnding": "LF"});
    let mut transcript = Vec::new();
    let created = client.call(Method::POST, INGEST, Some(order)).await;
    transcript.push(client.shown(&created));
    let id = created.json()["id"].as_str().unwrap().to_owned();
    let job = Ingest { client: &client, id: id.clone() };
    transcript.push(client.shown(&job.get("").await));
    // As the client finds it: without a slash at the beginning.
    assert_eq!(created.json()["contentUrl"], format!("services/data/v62.0/jobs/ingest/{id}/batches"));
    let csv = "Name,ShippingCity,NumberOfEmployees,AnnualRevenue,Website,Description\n\
               Lorem Ipsum,Milano,2676,912260031,https://ft.com/lacus/at.jsp,\"Lorem ipsum dolor sit\namet\"\n";
    assert_eq!(job.upload(csv).await.status, 201);
    transcript.push(client.shown(&job.turn("UploadComplete").await));
    client.emulator.org().bulk_jobs();
    transcript.push(client.shown(&job.get("").await));
    let account = client.query("SELECT Id FROM Account").await.json()["records"][0]["Id"].as_str().unwrap().to_owned();
    transcript.push(job.results().await);
    insta::assert_snapshot!(named(&transcript.join("\n"), &[(&id, "750…"), (&account, "001…")]));
}

/// Data that other people's tests upload: names in capitals, cells of several lines, numbers with exponents.
#[tokio::test]
async fn other_peoples_data() {
    let client = Client::new().await;
    let job = Ingest::order(&client, json!({"object": "Account", "operation": "insert"})).await;
    let told = job.run(include_str!("../fixtures/bulk/Account_bulk2_test.csv")).await;
    assert_eq!(told["state"], "JobComplete", "{told}");
    let failed = job.get("/failedResults").await.text;
    assert_eq!(told["numberRecordsFailed"], 0, "{failed}");
    let made = client.query("SELECT BillingStreet, AnnualRevenue FROM Account WHERE Name LIKE '%#1'").await.json();
    assert_eq!(made["records"][0]["BillingStreet"], "345 Shoreline Park\nMountain View, CA 94043\nUSA");
    assert_eq!(made["records"][0]["AnnualRevenue"], 3e7);
    assert_eq!(client.query("SELECT COUNT() FROM Account").await.json()["totalSize"], told["numberRecordsProcessed"]);
}

#[tokio::test]
async fn rows_are_judged_by_themselves() {
    let client = Client::new().await;
    define(&client);
    let mut told = Vec::new();
    let ids = async || {
        let found = client.query("SELECT Id, Name__c FROM Row__c").await.json();
        let pair = |record: &Json| {
            (record["Id"].as_str().unwrap().to_owned(), format!("<{}>", record["Name__c"].as_str().unwrap()))
        };
        found["records"].as_array().unwrap().iter().map(pair).collect::<Vec<_>>()
    };
    let run = async |order: Json, csv: &str| {
        let job = Ingest::order(&client, order.clone()).await;
        let before = ids().await;
        let info = job.run(csv).await;
        assert_eq!(info["state"], "JobComplete", "{info}");
        let counted = format!("{} processed, {} failed", info["numberRecordsProcessed"], info["numberRecordsFailed"]);
        let results = job.results().await;
        let names = [before, ids().await].concat();
        let names: Vec<(&str, &str)> = names.iter().map(|(id, name)| (id.as_str(), name.as_str())).collect();
        named(&format!("{order}\n{counted}\n{results}"), &names)
    };
    told.push(
        run(
            json!({"object": "Row__c", "operation": "insert"}),
            "Name__c,Key__c,Flag__c,Number__c,Whole__c,Day__c,Moment__c\n\
             good,k1,yes,1.5E3,7,2026-02-03,2026-02-03T04:05:06.000+01:00\n\
             plain,k2,,,,,\n\
             \"q, \"\"two\"\"\",k3,0,-2,#N/A,,\n\
             ,k4,,,,,\n\
             far too long a text,k5,,,,,\n\
             twice,k1,,,,,\n\
             flag,k6,perhaps,,,,\n\
             number,k7,,many,,,\n\
             whole,k8,,,1.5,,\n\
             day,k9,,,,yesterday,\n\
             moment,k10,,,,,2026-02-03\n\
             \"blank\" ,k11,,,,,\n\
             mid\"quote,k12,,,,,\n\
             short,k13\n",
        )
        .await,
    );
    let find = async |name: &str| {
        let found = ids().await;
        found.into_iter().find(|(_, known)| known == &format!("<{name}>")).unwrap().0
    };
    let (good, plain) = (find("good").await, find("plain").await);
    let gone = client.create("Row__c", json!({"Name__c": "gone"})).await;
    client.delete("Row__c", &gone).await;
    let (gone, nobody) = (gone.as_str(), "a00590000000zzzAAA");
    told.push(
        named(
            &run(
                json!({"object": "Row__c", "operation": "update"}),
                &format!(
                    "Id,Name__c,Number__c,Key__c\n{good},better,,\n{plain},#N/A,1,\n{plain},,2,#N/A\n{good},again,,\n,nobody,,\n\
                     {gone},late,,\n{nobody},never,,\nx,never,,\n"
                ),
            )
            .await,
            &[(gone, "<gone>"), (nobody, "<nobody>")],
        ),
    );
    for key in ["twin", "Twin"] {
        client.create("Contact", json!({"LastName": key, "Email": "twin@example.com"})).await;
    }
    told.push(
        run(
            json!({"object": "Row__c", "operation": "upsert", "externalIdFieldName": "key__c"}),
            "key__c,Name__c\nk1,changed\nnew,made\nnew,made twice\n,nobody\nk3,#N/A\n",
        )
        .await,
    );
    let contacts =
        Ingest::order(&client, json!({"object": "Contact", "operation": "upsert", "externalIdFieldName": "Email"}))
            .await;
    contacts.run("Email,LastName\ntwin@example.com,which\n").await;
    assert!(
        contacts.get("/failedResults").await.text.contains("DUPLICATE_EXTERNAL_ID:Email: more than one record found")
    );
    let (made, short) = (find("made").await, find("short").await);
    told.push(
        run(
            json!({"object": "Row__c", "operation": "delete"}),
            &format!("Id\n{made}\n{made}\n,\n").replace(",\n", "\"\"\n"),
        )
        .await,
    );
    told.push(run(json!({"object": "Row__c", "operation": "hardDelete"}), &format!("ID\n{short}\n")).await);
    let all = "Name__c, Key__c, Flag__c, Number__c, Whole__c, Day__c, Moment__c";
    told.push(rows(&client, all).await.join("\n"));
    let bin = client.query_all("SELECT Name__c FROM Row__c WHERE IsDeleted = true ORDER BY Name__c").await.json();
    told.push(
        bin["records"].as_array().unwrap().iter().map(|row| row["Name__c"].to_string()).collect::<Vec<_>>().join(" "),
    );
    insta::assert_snapshot!(told.join("\n"));
}

#[tokio::test]
async fn dialects() {
    let client = Client::new().await;
    define(&client);
    for (delimiter, byte, ending, end) in
        [("SEMICOLON", ';', "CRLF", "\r\n"), ("TAB", '\t', "LF", "\n"), ("BACKQUOTE", '`', "CRLF", "\r\n")]
    {
        let order =
            json!({"object": "Row__c", "operation": "insert", "columnDelimiter": delimiter, "lineEnding": ending});
        let job = Ingest::order(&client, order).await;
        let told = job.run(&format!("Name__c{byte}Number__c{end}a{byte}1{end}{end}\"b{byte}\"{byte}2")).await;
        assert_eq!((&told["state"], &told["numberRecordsFailed"]), (&json!("JobComplete"), &json!(0)), "{told}");
        let text = job.get("/successfulResults").await.text;
        let lines: Vec<&str> = text.split(end).collect();
        assert_eq!(lines[0], format!("\"sf__Id\"{byte}\"sf__Created\"{byte}Name__c{byte}Number__c"));
        assert!(lines[2].ends_with(&format!("{byte}\"true\"{byte}\"b{byte}\"{byte}\"2.0\"")), "{text}");
        assert_eq!(job.get("/unprocessedrecords").await.text, format!("Name__c{byte}Number__c{end}"));
    }
}

/// Jobs that Salesforce takes and then gives up, with the words it does so.
#[tokio::test]
async fn data_that_ends_a_job() {
    let client = Client::new().await;
    define(&client);
    let insert = || json!({"object": "Row__c", "operation": "insert"});
    let task = || json!({"object": "Task", "operation": "insert"});
    let mut told = Vec::new();
    for (order, csv) in [
        (insert(), "Name__c\r\na\r\n".to_owned()),
        (json!({"object": "Row__c", "operation": "insert", "lineEnding": "CRLF"}), "Name__c\na\n".to_owned()),
        (insert(), "Name__c,Foo\na,b\n".to_owned()),
        (insert(), "Name__c;Key__c\na;b\n".to_owned()),
        (insert(), "Name__c\na\nb,c\n".to_owned()),
        (insert(), String::new()),
        (insert(), format!("{}\n", "Name__c,".repeat(4_001))),
        (json!({"object": "Row__c", "operation": "delete"}), "Id,Name__c\nx,y\n".to_owned()),
        (
            json!({"object": "Row__c", "operation": "upsert", "externalIdFieldName": "Key__c"}),
            "Name__c\na\n".to_owned(),
        ),
        (task(), "Subject,What.Name\na,b\n".to_owned()),
        (task(), "Subject,Account:What.Name\na,b\n".to_owned()),
        (task(), "Subject,Lead:Who.Company\na,b\n".to_owned()),
        (json!({"object": "Contact", "operation": "insert"}), "LastName,Account:Account.Name\na,b\n".to_owned()),
        (json!({"object": "Contact", "operation": "insert"}), "LastName,Nobody.Email\na,b\n".to_owned()),
        (json!({"object": "Contact", "operation": "insert"}), "LastName,ReportsTo.Title\na,b\n".to_owned()),
    ] {
        let job = Ingest::order(&client, order.clone()).await;
        let info = job.run(&csv).await;
        let shown: String = csv.chars().take(40).flat_map(char::escape_debug).collect();
        let counts = (info["numberRecordsProcessed"].as_u64().unwrap(), info["numberRecordsFailed"].as_u64().unwrap());
        told.push(format!("{order} {shown}\n  {} {counts:?} {}", info["state"], info["errorMessage"]));
        assert_eq!(job.get("/unprocessedrecords").await.text.is_empty(), csv.is_empty(), "{csv}");
    }
    insta::assert_snapshot!(told.join("\n"));
    let job = Ingest::order(&client, insert()).await;
    assert_eq!(job.turn("UploadComplete").await.status, 200);
    client.emulator.org().bulk_jobs();
    assert_eq!(job.info().await["errorMessage"], "InvalidBatch : The job has no data");
}

#[tokio::test]
async fn refused_at_once() {
    let bulk = BulkSettings { hard_delete: false, unsupported: vec!["Campaign".to_owned()], ..BulkSettings::default() };
    let client = with(bulk, &[]).await;
    let mut answers = Vec::new();
    for order in [
        json!({"object": "Nothing", "operation": "insert"}),
        json!({"object": "Campaign", "operation": "insert"}),
        json!({"object": "Account", "operation": "upsert"}),
        json!({"object": "Account", "operation": "upsert", "externalIdFieldName": "Phone"}),
        json!({"object": "Account", "operation": "hardDelete"}),
        json!({"object": "Account", "operation": "query"}),
        json!({"object": "Account"}),
        json!({"object": "Account", "operation": "insert", "lineEnding": "CR"}),
    ] {
        let answer = client.call(Method::POST, INGEST, Some(order.clone())).await;
        answers.push(format!("{order}\n{} {}", answer.status.as_u16(), answer.text));
    }
    insta::assert_snapshot!(answers.join("\n"));
    assert_eq!(client.emulator.org().bulk_jobs(), []);
}

#[tokio::test]
async fn data_comes_once() {
    let client = with(BulkSettings { largest_upload: 400, ..BulkSettings::default() }, &[]).await;
    let job = Ingest::order(&client, json!({"object": "Account", "operation": "insert"})).await;
    let path = format!("{INGEST}/{}/batches", job.id);
    let authorization = format!("Bearer {}", client.token);
    let send = async |headers: &[(&str, &str)]| {
        client.send(Method::PUT, &path, headers, Some("Name\na\n".to_owned())).await.unwrap()
    };
    let code =
        |answer: &Answer| format!("{} {}", answer.status.as_u16(), answer.json()[0]["errorCode"].as_str().unwrap());
    assert_eq!(code(&send(&[("content-type", "text/csv")]).await), "401 INVALID_SESSION_ID");
    let wrong = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    assert_eq!(code(&send(&wrong).await), "415 UNSUPPORTED_MEDIA_TYPE");
    let packed =
        [("authorization", authorization.as_str()), ("content-type", "text/csv"), ("content-encoding", "gzip")];
    assert_eq!(code(&send(&packed).await), "400 CLIENTINPUTERROR");
    let large = job.upload(&format!("Name\n{}\n", "a".repeat(300))).await;
    assert_eq!(code(&large), "400 CLIENTINPUTERROR", "base64 makes four of three");
    assert_eq!(job.upload("Name\na\n").await.status, 201);
    let twice = job.upload("Name\nb\n").await;
    assert_eq!(code(&twice), "400 CLIENTINPUTERROR");
    assert!(twice.text.contains(&format!("Found multiple contents for job: <{}>", job.id)));
    job.turn("UploadComplete").await;
    client.emulator.org().bulk_jobs();
    assert_eq!(code(&job.upload("Name\nc\n").await), "400 INVALIDJOBSTATE");
    assert_eq!(code(&job.turn("UploadComplete").await), "400 INVALIDJOBSTATE");
    assert_eq!(client.emulator.org().ids("Account", false).unwrap().len(), 1);
    assert_eq!(client.emulator.org().calls()["bulk_ingest_upload"], 7);
}

#[tokio::test]
async fn data_may_come_compressed() {
    let client = Client::new().await;
    let job = Ingest::order(&client, json!({"object": "Account", "operation": "insert"})).await;
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(b"Name\na\nb\n").unwrap();
    let answer = reqwest::Client::new()
        .put(format!("{}{INGEST}/{}/batches", client.emulator.url(), job.id))
        .bearer_auth(&client.token)
        .header("content-type", "text/csv")
        .header("content-encoding", "gzip")
        .body(packed.finish().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 201);
    job.turn("UploadComplete").await;
    client.emulator.org().bulk_jobs();
    assert_eq!(job.info().await["numberRecordsProcessed"], 2);
}

#[tokio::test]
async fn order_and_data_in_one_request() {
    let client = Client::new().await;
    let authorization = format!("Bearer {}", client.token);
    let send = async |body: &str| {
        let headers =
            [("authorization", authorization.as_str()), ("content-type", "multipart/form-data; boundary=BOUNDARY")];
        client.send(Method::POST, INGEST, &headers, Some(body.to_owned())).await.unwrap()
    };
    let body = |content: &str| {
        format!(
            "--BOUNDARY\nContent-Type: application/json\nContent-Disposition: form-data; name=\"job\"\n\n\
             {{\"object\":\"Contact\",\"contentType\":\"CSV\",\"operation\":\"insert\"}}\n\n--BOUNDARY\nContent-Type: text/csv\n\
             Content-Disposition: form-data; name=\"content\"; filename=\"content\"\n\n{content}\n--BOUNDARY--"
        )
    };
    let created = send(&body("LastName\na\nb")).await;
    assert_eq!((created.status.as_u16(), &created.json()["state"]), (200, &json!("UploadComplete")));
    let job = Ingest { client: &client, id: created.json()["id"].as_str().unwrap().to_owned() };
    client.emulator.org().bulk_jobs();
    let told = job.info().await;
    assert_eq!((&told["state"], &told["numberRecordsProcessed"]), (&json!("JobComplete"), &json!(2)));
    for broken in ["", "--BOUNDARY--", &body(&"a".repeat(100_001))] {
        assert_eq!(send(broken).await.status, 400);
    }
}

fn many(count: usize) -> String {
    let rows: String = (0..count).map(|at| format!("row {at}\n")).collect();
    format!("Name__c\n{rows}")
}

fn stop(before_chunk: u64, fail: Option<&str>) -> BulkStop {
    BulkStop { before_chunk, object: Some("Row__c".into()), job: None, fail: fail.map(str::to_owned) }
}

/// Of 500 rows, 200 are written when the job is held.
#[tokio::test]
async fn what_is_aborted_half_way_stays_half_done() {
    let client = Client::new().await;
    define(&client);
    let org = client.emulator.org();
    org.stop_bulk(stop(2, None));
    let job = Ingest::order(&client, json!({"object": "Row__c", "operation": "insert"})).await;
    let told = job.run(&many(500)).await;
    assert_eq!((&told["state"], &told["numberRecordsProcessed"]), (&json!("InProgress"), &json!(200)));
    assert_eq!(org.ids("Row__c", false).unwrap().len(), 200);
    assert_eq!(job.get("/successfulResults").await.status, 400, "not before the end");
    assert_eq!(client.call(Method::DELETE, &format!("{INGEST}/{}", job.id), None).await.status, 400);
    assert_eq!(job.turn("Aborted").await.json()["state"], "Aborted");
    org.release_bulk();
    assert_eq!(org.bulk_jobs()[0].state, "Aborted");
    assert_eq!(org.ids("Row__c", false).unwrap().len(), 200);
    let lines = async |rest: &str| job.get(rest).await.text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines("/successfulResults").await.len(), 201);
    let left = lines("/unprocessedrecords").await;
    assert_eq!(
        (left.len(), left[0].as_str(), left[1].as_str(), left[300].as_str()),
        (301, "Name__c", "row 200", "row 499")
    );
    assert_eq!(client.call(Method::DELETE, &format!("{INGEST}/{}", job.id), None).await.status, 204);
    assert_eq!(job.get("").await.status, 404);
}

#[tokio::test]
async fn what_fails_half_way_stays_half_done() {
    let client = Client::new().await;
    define(&client);
    let org = client.emulator.org();
    org.stop_bulk(stop(3, Some("TooManyLockFailure : Too many lock failures")));
    let order = || json!({"object": "Row__c", "operation": "insert"});
    let job = Ingest::order(&client, order()).await;
    let told = job.run(&many(500)).await;
    assert_eq!((&told["state"], &told["numberRecordsProcessed"]), (&json!("Failed"), &json!(400)));
    assert_eq!(told["errorMessage"], "TooManyLockFailure : Too many lock failures");
    assert_eq!(job.get("/unprocessedrecords").await.text.lines().count(), 101);
    assert_eq!(org.ids("Row__c", false).unwrap().len(), 400);
    assert_eq!(org.bulk_stops(), [], "the rule is spent");
    let again = Ingest::order(&client, order()).await;
    assert_eq!(again.run(&many(500)).await["numberRecordsProcessed"], 500);
}

/// One job is held and another passes it.
#[tokio::test]
async fn jobs_take_turns() {
    let client = Client::new().await;
    define(&client);
    let org = client.emulator.org();
    let order = || json!({"object": "Row__c", "operation": "insert"});
    let held = Ingest::order(&client, order()).await;
    org.stop_bulk(BulkStop { before_chunk: 1, object: None, job: Some(held.id.clone()), fail: None });
    assert_eq!(held.run("Name__c\na\n").await["state"], "UploadComplete");
    let other = Ingest::order(&client, order()).await;
    assert_eq!(other.run("Name__c\nb\n").await["state"], "JobComplete");
    assert_eq!(client.call(Method::DELETE, &format!("{INGEST}/{}", held.id), None).await.status, 204);
    org.release_bulk();
    assert_eq!(org.bulk_jobs().len(), 1);
    assert_eq!(rows(&client, "Name__c").await, ["\"b\""]);
}

/// Bulk tells no PushTopic, but modstamps move and histories are written.
#[tokio::test]
async fn topics_stay_silent() {
    let client = Client::new().await;
    let topic =
        json!({"Name": "L", "Query": "SELECT Id, Title FROM Lead", "ApiVersion": 62.0, "NotifyForFields": "All"});
    client.create("PushTopic", topic).await;
    let id = client.create("Lead", json!({"LastName": "x", "Company": "y"})).await;
    let mut subscriber = Subscriber::connect(&client).await;
    subscriber.subscribe("/topic/L", -1).await;
    client.emulator.org().advance(Duration::from_secs(60)).unwrap();
    let run = async |operation: &str, csv: &str| {
        let job = Ingest::order(&client, json!({"object": "Lead", "operation": operation})).await;
        let told = job.run(csv).await;
        assert_eq!((&told["state"], &told["numberRecordsFailed"]), (&json!("JobComplete"), &json!(0)));
    };
    run("insert", "LastName,Company\nnew,y\n").await;
    run("update", &format!("Id,Company\n{id},z\n")).await;
    let lead = client.get(&format!("/services/data/v62.0/sobjects/Lead/{id}")).await.json();
    assert_eq!(lead["SystemModstamp"], "2026-01-01T00:01:00.000+0000");
    let history = client.query(&format!("SELECT Field, NewValue FROM LeadHistory WHERE LeadId = '{id}'")).await.json();
    assert!(
        history["records"].as_array().unwrap().iter().any(|row| row["Field"] == "Company" && row["NewValue"] == "z"),
        "{history}"
    );
    run("delete", &format!("Id\n{id}\n")).await;
    client.create("Lead", json!({"LastName": "loud", "Company": "y"})).await;
    let events = subscriber.poll().await;
    assert_eq!(crate::streaming::kinds(&events), ["created"], "only the last one is announced");
}

#[tokio::test]
async fn batches_are_counted() {
    let client = with(BulkSettings { ingest_batches: 2, ..BulkSettings::default() }, &[]).await;
    define(&client);
    let limit = async || client.get("/services/data/v62.0/limits").await.json()["DailyBulkApiBatches"].clone();
    let order = || json!({"object": "Row__c", "operation": "insert"});
    let first = Ingest::order(&client, order()).await;
    let second = Ingest::order(&client, order()).await;
    let third = Ingest::order(&client, order()).await;
    assert_eq!(first.run(&many(3)).await["state"], "JobComplete");
    assert_eq!(limit().await, json!({"Max": 2, "Remaining": 1}));
    assert_eq!(second.run(&many(1)).await["state"], "JobComplete");
    assert_eq!(limit().await, json!({"Max": 2, "Remaining": 0}));
    let told = third.run(&many(1)).await;
    assert_eq!(
        (&told["state"], &told["errorMessage"]),
        (&json!("Failed"), &json!("ExceededQuota : ApiBatchItems Limit exceeded."))
    );
    let refused = client.call(Method::POST, INGEST, Some(order())).await;
    assert_eq!((refused.status.as_u16(), &refused.json()[0]["errorCode"]), (400, &json!("EXCEEDEDQUOTA")));
}

#[tokio::test]
async fn open_for_a_day() {
    let client = Client::new().await;
    let id = Ingest::order(&client, json!({"object": "Account", "operation": "insert"})).await.id;
    client.emulator.org().advance(Duration::from_secs(24 * 60 * 60)).unwrap();
    let client = client.renewed().await;
    let job = Ingest { client: &client, id };
    assert_eq!(job.info().await["state"], "Aborted");
    assert_eq!(job.upload("Name\na\n").await.status, 400);
}
