//! Query jobs: what is asked, how they stand, what refusals mean.

use std::sync::Arc;

use axum::body::Body;
use salesforce_client::{
    Class, Error, LONGEST_QUERY,
    bulk::{JobId, JobState, Obstacle, Operation, QueryJob},
};
use serde_json::{Value, json};

use crate::server::{Server, account, error, html, json, reply};

const JOBS: &str = "/services/data/v62.0/jobs/query";
const JOB: &str = "/services/data/v62.0/jobs/query/750R0000000zxikIAA";
const SOQL: &str = "SELECT Id, Name FROM Account";

fn id() -> JobId {
    "750R0000000zxikIAA".parse().expect("an id")
}

/// A job as the vendor's guide shows it, in another state.
fn job(changes: Value) -> Value {
    let mut job: Value = serde_json::from_str(include_str!("../fixtures/bulk/query-job-info.json")).expect("JSON");
    let Value::Object(changes) = changes else { panic!("an object") };
    job.as_object_mut().expect("an object").extend(changes);
    job
}

#[tokio::test]
async fn a_job_is_created_asked_after_aborted_and_deleted() {
    let server = Server::granting(|seen| match (seen.method.as_str(), seen.path.as_str()) {
        ("POST", JOBS) => reply(200, "application/json", include_str!("../fixtures/bulk/query-job-created.json")),
        ("GET", JOB) => reply(200, "application/json", include_str!("../fixtures/bulk/query-job-info.json")),
        ("PATCH", JOB) => json(200, &job(json!({ "state": "Aborted" }))),
        ("DELETE", JOB) => reply(204, "application/json", ""),
        _ => error(404, "NOT_FOUND", "The requested resource does not exist"),
    })
    .await;
    let org = server.org();

    let created = org.create_query_job(&account(), SOQL, Operation::QueryAll).await.expect("a job");
    assert_eq!((created.id, &created.object, created.operation), (id(), &account(), Operation::Query));
    assert_eq!((created.state, created.state.is_final()), (JobState::UploadComplete, false));
    assert_eq!(created.api_version.to_string(), "46.0");
    assert_eq!(created.created_date.to_string(), "2018-12-18T22:51:36Z");
    assert_eq!((created.number_records_processed, created.retries), (0, 0));
    assert_eq!((created.error_message, created.is_pk_chunking_supported), (None, None));

    let done = org.query_job(&account(), id()).await.expect("a job");
    assert_eq!((done.state, done.state.is_final()), (JobState::JobComplete, true));
    assert_eq!((done.number_records_processed, done.is_pk_chunking_supported), (740_003, Some(true)));
    org.abort_query_job(&account(), id()).await.expect("done");
    org.delete_query_job(&account(), id()).await.expect("done");
    assert_eq!(org.calls(), 4);

    let asked: Value = serde_json::from_slice(&server.seen(JOBS)[0].body).expect("JSON");
    let expect = json!({ "operation": "queryAll", "query": SOQL, "contentType": "CSV", "columnDelimiter": "COMMA",
                         "lineEnding": "LF" });
    assert_eq!(asked, expect);
    let [_, aborted, deleted] = &server.seen(JOB)[..] else { panic!("three requests") };
    assert_eq!((aborted.method.as_str(), &aborted.body[..]), ("PATCH", &br#"{"state":"Aborted"}"#[..]));
    assert_eq!((deleted.method.as_str(), deleted.body.len()), ("DELETE", 0));
}

#[test]
fn states_and_reasons() {
    let read = |changes| serde_json::from_value::<QueryJob>(job(changes));
    for (state, expect, is_final) in [
        ("UploadComplete", JobState::UploadComplete, false),
        ("InProgress", JobState::InProgress, false),
        ("JobComplete", JobState::JobComplete, true),
        ("Failed", JobState::Failed, true),
        ("Aborted", JobState::Aborted, true),
    ] {
        let job = read(json!({ "state": state })).expect("a job");
        assert_eq!((job.state, job.state.is_final()), (expect, is_final));
    }
    assert!(read(json!({ "state": "Paused" })).is_err());
    assert!(read(json!({ "apiVersion": 62.5 })).is_err());
    assert_eq!(read(json!({ "apiVersion": 62 })).expect("a job").api_version.to_string(), "62.0");

    for (message, shown, obstacle) in [
        (json!(null), None, None),
        (json!(" "), None, None),
        (json!("InternalServerError : Retried more\n than 15 times"), Some("Retried more than 15 times"), None),
        (
            json!("InvalidBatch : Failed to process query: Selecting compound data not supported in Bulk Query"),
            Some("Selecting compound data"),
            Some(Obstacle::Unsupported),
        ),
    ] {
        let job = read(json!({ "state": "Failed", "errorMessage": message })).expect("a job");
        assert_eq!(job.obstacle(), obstacle, "{message}");
        assert_eq!(job.error_message.is_some(), shown.is_some(), "{message}");
        assert!(job.error_message.unwrap_or_default().contains(shown.unwrap_or_default()), "{message}");
    }
}

#[test]
fn ids_and_locators_are_kept_as_text() {
    let text = serde_json::to_string(&id()).unwrap();
    assert_eq!(text, "\"750R0000000zxikIAA\"");
    assert_eq!(serde_json::from_str::<JobId>("\"750R0000000zxik\"").unwrap(), id());
    assert!(serde_json::from_str::<JobId>("\"../../limits\"").is_err());
}

#[tokio::test]
async fn a_job_is_created_again_only_where_it_surely_was_not() {
    for (n, requests, class) in [(0, 1, Class::Unclear), (1, 1, Class::Unclear), (2, 4, Class::Retry)] {
        let server = Server::granting(move |_| match n {
            0 => {
                let parts = [Ok(""), Err(std::io::Error::other("the connection breaks"))];
                reply(200, "application/json", Body::from_stream(futures::stream::iter(parts)))
            }
            1 => html(502, ""),
            _ => error(503, "SERVER_UNAVAILABLE", "too busy"),
        })
        .await;
        let failed = server.org().create_query_job(&account(), SOQL, Operation::Query).await.expect_err("a failure");
        assert_eq!((server.count(JOBS), failed.class()), (requests, class), "{failed}");
        assert!(failed.to_string().starts_with("creating a query job on Account failed: "), "{failed}");
    }

    let server = Server::granting(|_| html(502, "")).await;
    let failed = server.org().create_query_job(&account(), &"x".repeat(LONGEST_QUERY + 1), Operation::Query).await;
    assert!(matches!(failed, Err(Error::QueryTooLong { .. })), "{failed:?}");
    assert_eq!(server.count(JOBS), 0);
}

/// What the four doors to a job make of a refusal.
#[tokio::test]
async fn refusals() {
    use Obstacle::{Gone, OtherVersion, Quota, State, Unsupported};
    let ended: Value = serde_json::from_str(include_str!("../fixtures/bulk/abort-error.json")).unwrap();
    let fault = |code: &str, message: &str| json!([{ "errorCode": code, "message": message }]);
    for (status, body, [create, ask, abort, delete]) in [
        (
            404,
            fault("NOT_FOUND", "The requested resource does not exist"),
            [Err(Some(Unsupported)), Err(Some(Gone)), Ok(()), Ok(())],
        ),
        (400, ended, [Err(Some(State)), Err(Some(State)), Ok(()), Err(Some(State))]),
        (409, fault("InvalidVersion", "another version"), [Err(Some(OtherVersion)); 4]),
        (
            400,
            fault("API_ERROR", "Error encountered when deleting the job because the job is not terminated"),
            [Err(Some(State)), Err(Some(State)), Ok(()), Err(Some(State))],
        ),
        (
            400,
            fault("LIMIT_EXCEEDED", "Max bulk v2 query jobs (10000) per 24 hrs has been reached"),
            [Err(Some(Quota)); 4],
        ),
        (
            400,
            fault("INVALIDENTITY", "Entity 'TaskStatus' is not supported by the Bulk API."),
            [Err(Some(Unsupported)); 4],
        ),
        (400, fault("INVALID_FIELD", "No such column 'Nme' on entity 'Account'"), [Err(None); 4]),
    ] {
        let server = {
            let body = Arc::new(body);
            Server::granting(move |_| json(status, &body)).await
        };
        let org = server.org();
        let outcomes = [
            org.create_query_job(&account(), SOQL, Operation::Query).await.map(|_| ()),
            org.query_job(&account(), id()).await.map(|_| ()),
            org.abort_query_job(&account(), id()).await,
            org.delete_query_job(&account(), id()).await,
        ];
        let shown = format!("{outcomes:?}");
        let obstacles = outcomes.map(|outcome| outcome.map_err(|error| error.obstacle()));
        assert_eq!(obstacles, [create, ask, abort, delete], "{shown}");
    }
}

#[tokio::test]
async fn the_orgs_jobs_are_listed_page_by_page() {
    let next = format!("{JOBS}?queryLocator=01gRM000000NSByYAO-1000&jobType=V2Query");
    let server = Server::granting(move |seen| match seen.query.as_deref() {
        Some("jobType=V2Query") => {
            json(200, &json!({ "done": false, "records": [job(json!({}))], "nextRecordsUrl": next }))
        }
        Some("queryLocator=01gRM000000NSByYAO-1000&jobType=V2Query") => {
            let records = [job(json!({ "state": "InProgress" })), job(json!({ "state": "Failed" }))];
            json(200, &json!({ "done": true, "records": records, "nextRecordsUrl": null }))
        }
        other => panic!("{other:?}"),
    })
    .await;
    let org = server.org();
    let first = org.query_jobs(None).await.expect("jobs");
    let second = org.query_jobs(first.next.as_ref()).await.expect("jobs");
    let states: Vec<JobState> = first.jobs.iter().chain(&second.jobs).map(|job| job.state).collect();
    assert_eq!(states, [JobState::JobComplete, JobState::InProgress, JobState::Failed]);
    assert_eq!(second.next, None);

    for (body, why) in [
        (json!({ "done": false, "records": [] }), "more but not where"),
        (
            json!({ "done": false, "records": [], "nextRecordsUrl": "https://evil.example/" }),
            "not below /services/data/",
        ),
    ] {
        let server = Server::granting(move |_| json(200, &body)).await;
        let failed = server.org().query_jobs(None).await.expect_err("a bad list");
        assert!(failed.to_string().contains(why), "{failed}");
    }
}
