//! Ingest jobs: what is asked, how they stand, their rows on the way there and back.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use salesforce_client::{
    Class, Error, FieldName, Org,
    bulk::{
        Column, Ingest, IngestJob, IngestOperation, IngestResults, IngestState, Ingested, JobId, JobState, Obstacle,
        ingest::MOST_UPLOAD,
    },
};
use serde_json::{Value, json};

use crate::server::{Reply, Server, account, error, html, json, names, reply};

const JOBS: &str = "/services/data/v62.0/jobs/ingest";
const JOB: &str = "/services/data/v62.0/jobs/ingest/750R0000000zxikIAA";
const ROWS: &str = "/services/data/v62.0/jobs/ingest/750R0000000zxikIAA/batches";

fn id() -> JobId {
    "750R0000000zxikIAA".parse().expect("an id")
}

/// A job in a state, with the members that the vendor's guide shows.
fn job(state: &str, more: &Value) -> Value {
    let mut job = json!({
        "id": "750R0000000zxikIAA", "operation": "upsert", "object": "Account", "externalIdFieldName": "Ext__c",
        "createdById": "005R0000000UyrWIAS", "createdDate": "2022-01-02T21:33:43.000+0000",
        "systemModstamp": "2022-01-02T21:33:43.000+0000", "state": state, "concurrencyMode": "Parallel",
        "contentType": "CSV", "apiVersion": 62.0,
        "contentUrl": "services/data/v62.0/jobs/ingest/750R0000000zxikIAA/batches", "lineEnding": "LF",
        "columnDelimiter": "COMMA",
    });
    job.as_object_mut().expect("an object").extend(more.as_object().expect("members").clone());
    job
}

#[tokio::test]
async fn the_life_of_a_job() {
    let server = Server::granting(|seen| match (seen.method.as_str(), seen.path.as_str()) {
        ("POST", JOBS) => json(200, &job("Open", &json!({}))),
        ("PUT", ROWS) => reply(201, "text/plain", ""),
        ("PATCH", JOB) => json(200, &job("UploadComplete", &json!({}))),
        ("GET", JOB) => json(
            200,
            &job("JobComplete", &json!({ "numberRecordsProcessed": 5, "numberRecordsFailed": 2, "retries": 1 })),
        ),
        ("DELETE", JOB) => reply(204, "application/json", ""),
        _ => error(404, "NOT_FOUND", "The requested resource does not exist"),
    })
    .await;
    let org = server.org();
    let key: FieldName = "Ext__c".parse().expect("a name");

    let open = org.create_ingest_job(&account(), Ingest::Upsert(&key)).await.expect("a job");
    assert_eq!((open.id, &open.object, open.operation), (id(), &account(), IngestOperation::Upsert));
    assert_eq!((open.state, open.state.is_final()), (IngestState::Open, false));
    assert_eq!((open.external_id_field_name, open.api_version.to_string()), (Some(key), "62.0".to_owned()));

    org.upload_rows(&account(), id(), "Ext__c,Name\nA/17,\"Ngo & Co\"\n".into()).await.expect("done");
    let closed = org.close_ingest_job(&account(), id()).await.expect("a job");
    assert_eq!((closed.state, closed.state.is_final()), (IngestState::Closed(JobState::UploadComplete), false));
    let done = org.ingest_job(&account(), id()).await.expect("a job");
    assert_eq!((done.state, done.state.is_final()), (IngestState::Closed(JobState::JobComplete), true));
    assert_eq!((done.number_records_processed, done.number_records_failed, done.retries), (5, 2, 1));
    org.abort_ingest_job(&account(), id()).await.expect("done");
    org.delete_ingest_job(&account(), id()).await.expect("done");
    assert_eq!(org.calls(), 6);

    let [uploaded] = &server.seen(ROWS)[..] else { panic!("one upload") };
    assert_eq!(uploaded.header("content-type"), Some("text/csv; charset=UTF-8"));
    assert_eq!(uploaded.body, "Ext__c,Name\nA/17,\"Ngo & Co\"\n");
    let seen = server.seen(JOB);
    let sent: Vec<_> = seen.iter().map(|seen| (seen.method.as_str(), &seen.body[..])).collect();
    let (closed, aborted) = (&br#"{"state":"UploadComplete"}"#[..], &br#"{"state":"Aborted"}"#[..]);
    assert_eq!(sent, [("PATCH", closed), ("GET", b""), ("PATCH", aborted), ("DELETE", b"")]);
}

#[tokio::test]
async fn orders() {
    let server = Server::granting(|_| json(200, &job("Open", &json!({})))).await;
    let org = server.org();
    let key: FieldName = "Ext__c".parse().expect("a name");
    for (nth, (ingest, operation, field)) in [
        (Ingest::Insert, "insert", None),
        (Ingest::Update, "update", None),
        (Ingest::Upsert(&key), "upsert", Some("Ext__c")),
        (Ingest::Delete, "delete", None),
        (Ingest::HardDelete, "hardDelete", None),
    ]
    .into_iter()
    .enumerate()
    {
        org.create_ingest_job(&account(), ingest).await.expect("a job");
        let mut expect = json!({ "object": "Account", "operation": operation, "contentType": "CSV",
                                 "columnDelimiter": "COMMA", "lineEnding": "LF" });
        if let Some(field) = field {
            expect["externalIdFieldName"] = json!(field);
        }
        assert_eq!(serde_json::from_slice::<Value>(&server.seen(JOBS)[nth].body).expect("JSON"), expect);
    }
}

#[test]
fn states_and_reasons() {
    let read = |state, more: Value| serde_json::from_value::<IngestJob>(job(state, &more));
    for (state, expect) in
        [("InProgress", JobState::InProgress), ("Failed", JobState::Failed), ("Aborted", JobState::Aborted)]
    {
        assert_eq!(read(state, json!({})).expect("a job").state, IngestState::Closed(expect));
    }
    assert!(read("Paused", json!({})).is_err());
    for (message, obstacle) in [
        (json!(null), None),
        (json!("InvalidBatch : Field name not found : Foo"), None),
        (json!("ExceededQuota : ApiBatchItems Limit exceeded"), Some(Obstacle::Quota)),
        (json!("FeatureNotEnabled : hardDelete takes a permission"), Some(Obstacle::Unsupported)),
    ] {
        let job = read("Failed", json!({ "errorMessage": message })).expect("a job");
        assert_eq!(job.obstacle(), obstacle, "{message}");
    }
}

#[tokio::test]
async fn obstacles() {
    let (ask, not) = ("The requested resource does not exist", "Closing already Aborted Job not allowed");
    for (status, code, message, obstacle, class) in [
        (400, "EXCEEDEDQUOTA", "ApiBatchItems Limit exceeded: 15000 batches", Obstacle::Quota, Class::Wait),
        (400, "INVALIDENTITY", "Entity 'X' is not supported by the Bulk API.", Obstacle::Unsupported, Class::Fatal),
        (400, "FeatureNotEnabled", "hardDelete takes a permission", Obstacle::Unsupported, Class::Fatal),
        (404, "NOT_FOUND", ask, Obstacle::Unsupported, Class::Fatal),
    ] {
        let server = Server::granting(move |_| error(status, code, message)).await;
        let failed = server.org().create_ingest_job(&account(), Ingest::HardDelete).await.expect_err("a refusal");
        assert_eq!((failed.obstacle(), failed.class()), (Some(obstacle), class), "{failed}");
        assert!(failed.to_string().starts_with("creating an ingest job on Account failed: "), "{failed}");
    }
    for (status, code, message, obstacle) in [
        (404, "NOT_FOUND", ask, Obstacle::Gone),
        (400, "INVALIDJOBSTATE", not, Obstacle::State),
        (400, "CLIENTINPUTERROR", "Found multiple contents for job: <750>, please 'Close'", Obstacle::State),
    ] {
        let server = Server::granting(move |_| error(status, code, message)).await;
        let org = server.org();
        let failed = org.upload_rows(&account(), id(), Bytes::from_static(b"Id\n")).await.expect_err("a refusal");
        assert_eq!((failed.obstacle(), failed.class()), (Some(obstacle), Class::Fatal), "{failed}");
        let expect = "uploading the rows of ingest job 750R0000000zxikIAA on Account failed: ";
        assert!(failed.to_string().starts_with(expect), "{failed}");
        org.abort_ingest_job(&account(), id()).await.expect("it does not run on");
    }
}

/// The second request to close finds the job closed by the first, whose reply was lost.
#[tokio::test]
async fn a_job_that_is_closed_already_stays_so() {
    for (state, is_closed) in
        [("UploadComplete", true), ("InProgress", true), ("JobComplete", true), ("Aborted", false), ("Open", false)]
    {
        let server = Server::granting(move |seen| match (seen.method.as_str(), seen.nth) {
            ("PATCH", 1) => html(502, ""),
            ("PATCH", _) => error(400, "INVALIDJOBSTATE", "Closing already Closed Job not allowed"),
            _ => json(200, &job(state, &json!({}))),
        })
        .await;
        let outcome = server.org().close_ingest_job(&account(), id()).await;
        match outcome {
            Ok(job) => assert!(is_closed && job.state != IngestState::Open, "{state}"),
            Err(error) => assert!(!is_closed && error.obstacle() == Some(Obstacle::State), "{state}: {error}"),
        }
        assert_eq!(server.count(JOB), 3);
    }
}

#[tokio::test]
async fn what_may_have_been_done_is_not_done_again() {
    for (broken, class, requests) in [
        (Arc::new(|| html(502, "")) as Arc<dyn Fn() -> Reply + Send + Sync>, Class::Unclear, 1),
        (Arc::new(|| error(503, "SERVER_UNAVAILABLE", "too busy")), Class::Retry, 4),
    ] {
        let server = Server::granting(move |_| broken()).await;
        let org = server.org();
        let failed = org.create_ingest_job(&account(), Ingest::Insert).await.expect_err("a failure");
        assert_eq!((failed.class(), server.count(JOBS)), (class, requests), "{failed}");
        let failed = org.upload_rows(&account(), id(), Bytes::from_static(b"Id\n")).await.expect_err("a failure");
        assert_eq!((failed.class(), server.count(ROWS)), (class, requests), "{failed}");
    }
    let server = Server::granting(|_| panic!("it is not sent")).await;
    let too_long = Bytes::from(vec![b'x'; MOST_UPLOAD + 1]);
    let failed = server.org().upload_rows(&account(), id(), too_long).await.expect_err("too long");
    assert!(failed.to_string().contains("at most 100,000,000 bytes"), "{failed}");
}

#[tokio::test]
async fn lists_of_jobs() {
    let second = "/services/data/v62.0/jobs/ingest?queryLocator=01gxx0000000123-1000";
    let server = Server::granting(move |seen| {
        let last = seen.query.as_deref().is_some_and(|query| query.contains("queryLocator"));
        let mut told = job("JobComplete", &json!({}));
        told.as_object_mut().expect("a job").remove("externalIdFieldName");
        json(200, &json!({ "done": last, "records": [told], "nextRecordsUrl": (!last).then_some(second) }))
    })
    .await;
    let org = server.org();
    let first = org.ingest_jobs(None).await.expect("jobs");
    assert_eq!((first.jobs.len(), &first.jobs[0].external_id_field_name), (1, &None));
    assert_eq!(server.seen(JOBS)[0].query.as_deref(), Some("jobType=V2Ingest"));
    let next = first.next.expect("more");
    assert_eq!(org.ingest_jobs(Some(&next)).await.expect("jobs").next, None);
}

const SAVED: &str = "\"sf__Id\",\"sf__Created\",Parent__r.Ext__c,Name\n\
                     \"001000000000001AAA\",\"true\",\"P1\",\"a \"\"q\"\"\n,\"\n\"001000000000002AAA\",\"false\",\"\",\"é\"\n";
const REFUSED: &str = "\"sf__Id\",\"sf__Error\",Name,Parent__r.Ext__c\n\
                       \"\",\"REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --\",\"\",\"P3\"\n";
const UNPROCESSED: &str = "Name,Parent__r.Ext__c\nb,P4\n";

/// What is told of the rows of a kind: cells and outcome.
async fn read(org: &Org, which: Ingested) -> Result<Vec<String>, Error> {
    let (object, columns) = (account(), names::<Column>(&["Name", "Parent__r.Ext__c"]));
    let mut rows = org.ingest_results(&IngestResults { object: &object, job: id(), which, columns: &columns }).await?;
    let mut told = Vec::new();
    while let Some(row) = rows.next_row().await? {
        assert_eq!(row.get("parent__R.ext__c"), row.cells().nth(1));
        let outcome = match row.outcome() {
            Some(Ok(saved)) => format!("{:?}, new: {}", saved.id, saved.created),
            Some(Err(refusal)) => refusal.to_string(),
            None => "not processed".to_owned(),
        };
        told.push(format!("{:?}: {outcome}", row.cells().collect::<Vec<_>>()));
    }
    Ok(told)
}

fn results(path: &str) -> &'static str {
    match path.rsplit('/').next() {
        Some("successfulResults") => SAVED,
        Some("failedResults") => REFUSED,
        _ => UNPROCESSED,
    }
}

#[tokio::test]
async fn what_became_of_each_row() {
    let server = Server::granting(|seen| reply(200, "text/csv; charset=UTF-8", results(&seen.path))).await;
    let org = server.org();
    let mut told = Vec::new();
    for which in [Ingested::Saved, Ingested::Refused, Ingested::Unprocessed] {
        told.extend(read(&org, which).await.expect("rows"));
    }
    let expect = [
        r#"["a \"q\"\n,", "P1"]: Some(001000000000001AAA), new: true"#,
        r#"["é", ""]: Some(001000000000002AAA), new: false"#,
        r#"["", "P3"]: REQUIRED_FIELD_MISSING: Required fields are missing: [Name] (fields: Name)"#,
        r#"["b", "P4"]: not processed"#,
    ];
    assert_eq!(told, expect);
    assert_eq!(
        (server.seen(&format!("{JOB}/unprocessedrecords"))[0].header("accept"), org.calls()),
        (Some("text/csv"), 3)
    );
}

#[tokio::test]
async fn results_that_break_off_are_read_again() {
    let rows: String = (0..1000).map(|n| format!("\"001{n:012}AAA\",\"true\",\"P\",\"row {n}\"\n")).collect();
    let whole = format!("\"sf__Id\",\"sf__Created\",Parent__r.Ext__c,Name\n{rows}");
    let expect = whole.lines().skip(1).map(|line| line.split(',').next_back().unwrap().trim_matches('"').to_owned());
    let expect: Vec<String> = expect.collect();
    let body = whole.clone();
    let server = Server::granting(move |seen| {
        if seen.nth > 2 {
            return reply(200, "text/csv", body.clone());
        }
        let half = Bytes::from(body[..body.len() * seen.nth / 3].to_owned());
        let parts = [Ok(half), Err(std::io::Error::other("the connection breaks"))];
        reply(200, "text/csv", Body::from_stream(futures::stream::iter(parts)))
    })
    .await;
    let told = read(&server.org(), Ingested::Saved).await.expect("rows");
    let names: Vec<&str> = told.iter().map(|row| row.split('"').nth(1).expect("a name")).collect();
    assert_eq!(names, expect);
    assert_eq!(server.count(JOB), 3);
}

#[tokio::test]
async fn results_that_are_none() {
    for (answer, why) in [
        (Arc::new(|| reply(200, "text/csv", "")) as Arc<dyn Fn() -> Reply + Send + Sync>, ""),
        (Arc::new(|| reply(200, "text/csv", SAVED.split_inclusive('\n').next().expect("a line"))), ""),
        (Arc::new(|| reply(200, "text/csv", "sf__Id,sf__Created,Name\n")), "the header has no column Parent__r.Ext__c"),
        (Arc::new(|| reply(200, "text/csv", SAVED.replace("Name", "Name,Other"))), "column 5"),
        (Arc::new(|| error(400, "INVALIDJOBSTATE", "the job is not done")), "INVALIDJOBSTATE"),
    ] {
        let server = Server::granting(move |_| answer()).await;
        match read(&server.org(), Ingested::Saved).await {
            Ok(rows) => assert!(rows.is_empty() && why.is_empty(), "{why}: {rows:?}"),
            Err(error) => assert!(!why.is_empty() && error.to_string().contains(why), "{why}: {error}"),
        }
    }
}
