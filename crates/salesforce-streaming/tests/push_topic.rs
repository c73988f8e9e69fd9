//! Topics over REST, against a server in this process.

mod double;

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, patch, post},
};
use double::Double;
use salesforce_client::{ApiVersion, Org};
use salesforce_streaming::{
    Error, TopicName,
    push_topic::{self, Definition, Difference, Problem, Property},
};
use serde_json::{Value, json};

const OWNER: &str = "acmeCo/salesforce";
const ID: &str = "0IFB0000000008SOAQ";

/// The org's topics, and a refusal for the next write.
#[derive(Clone, Default)]
struct Topics(Arc<Mutex<(Vec<Value>, Option<Refusal>)>>);

/// Status, code and message.
type Refusal = (u16, &'static str, &'static str);

impl Topics {
    async fn serve(&self) -> Org {
        let rest = Router::new()
            .route("/services/data/v62.0/query", get(query))
            .route("/services/data/v62.0/sobjects/PushTopic", post(create))
            .route("/services/data/v62.0/sobjects/PushTopic/{id}", patch(change).delete(remove))
            .with_state(self.clone());
        Double::start(rest).await.org()
    }

    fn rows(&self) -> Vec<Value> {
        self.0.lock().expect("a lock").0.clone()
    }

    fn refuse(&self, status: u16, code: &'static str, message: &'static str) {
        self.0.lock().expect("a lock").1 = Some((status, code, message));
    }

    fn write(&self, done: StatusCode, body: Value, write: impl FnOnce(&mut Vec<Value>)) -> Response {
        let mut inner = self.0.lock().expect("a lock");
        if let Some((status, code, message)) = inner.1.take() {
            let status = StatusCode::from_u16(status).expect("a status");
            return (status, Json(json!([{"message": message, "errorCode": code}]))).into_response();
        }
        write(&mut inner.0);
        (done, Json(body)).into_response()
    }
}

async fn query(State(topics): State<Topics>, Query(q): Query<Vec<(String, String)>>) -> Json<Value> {
    let soql = &q[0].1;
    let rows: Vec<Value> = topics
        .rows()
        .into_iter()
        .filter(|row| {
            let name = row["Name"].as_str().expect("a name").to_lowercase();
            let starts = soql.split("LIKE '").nth(1).map(|rest| rest.trim_end_matches("%'").to_lowercase());
            starts.is_none_or(|start| name.starts_with(&start))
        })
        .map(|mut row| {
            row["SystemModstamp"] = "2026-11-22T10:00:00.000+0000".into();
            row
        })
        .collect();
    Json(json!({"totalSize": rows.len(), "done": true, "records": rows}))
}

async fn create(State(topics): State<Topics>, Json(mut body): Json<Value>) -> Response {
    topics.write(StatusCode::CREATED, json!({"id": ID, "success": true, "errors": []}), |rows| {
        body["Id"] = ID.into();
        body["attributes"] = json!({"type": "PushTopic"});
        rows.push(body);
    })
}

async fn change(State(topics): State<Topics>, Path(id): Path<String>, Json(body): Json<Value>) -> Response {
    let response = topics.write(StatusCode::NO_CONTENT, Value::Null, |rows| {
        let row = rows.iter_mut().find(|row| row["Id"] == id.as_str()).expect("a row");
        for (field, value) in body.as_object().expect("an object") {
            row[field] = value.clone();
        }
    });
    if response.status() == StatusCode::NO_CONTENT { StatusCode::NO_CONTENT.into_response() } else { response }
}

async fn remove(State(topics): State<Topics>, Path(id): Path<String>) -> Response {
    let response =
        topics.write(StatusCode::NO_CONTENT, Value::Null, |rows| rows.retain(|row| row["Id"] != id.as_str()));
    if response.status() == StatusCode::NO_CONTENT { StatusCode::NO_CONTENT.into_response() } else { response }
}

fn definition(query: &str) -> Definition {
    Definition::new(OWNER, "Account", query.to_owned(), ApiVersion::DEFAULT).expect("a definition")
}

#[tokio::test]
async fn a_topic_is_created_found_changed_and_deleted() {
    let topics = Topics::default();
    let org = topics.serve().await;
    let wanted = definition("SELECT Id, Name FROM Account");
    let id = push_topic::create(&org, &wanted).await.expect("created");
    assert_eq!(id.as_str(), ID);
    insta::assert_json_snapshot!(topics.rows());

    let [found] = &push_topic::find(&org, &[wanted.name().clone()]).await.expect("found").topics[..] else {
        panic!("{:?}", topics.rows())
    };
    assert_eq!(push_topic::compare(&wanted, found), Difference::Same);
    assert_eq!(found.stream_of(OWNER).as_deref(), Some("Account"));

    let wider = definition("SELECT Id, Name, Fax FROM Account");
    assert_eq!(push_topic::compare(&wider, found), Difference::Changed(vec![Property::Query]));
    push_topic::patch(&org, found.id, &wider).await.expect("changed");
    let found = push_topic::find(&org, &[wider.name().clone()]).await.expect("found").topics.remove(0);
    assert_eq!(push_topic::compare(&wider, &found), Difference::Same);

    push_topic::delete(&org, &found).await.expect("deleted");
    assert!(push_topic::list(&org, OWNER).await.expect("listed").topics.is_empty());
    topics.refuse(404, "NOT_FOUND", "The requested resource does not exist");
    push_topic::delete(&org, &found).await.expect("deleted already");
}

#[tokio::test]
async fn every_difference_is_seen() {
    let topics = Topics::default();
    let org = topics.serve().await;
    let wanted = definition("SELECT Id FROM Account");
    push_topic::create(&org, &wanted).await.expect("created");
    let same = push_topic::find(&org, &[wanted.name().clone()]).await.expect("found").topics.remove(0);
    for (field, value, expect) in [
        ("Query", json!("SELECT Id FROM Account WHERE Fax != null"), Property::Query),
        ("ApiVersion", json!(37.0), Property::ApiVersion),
        ("IsActive", json!(false), Property::Active),
        ("NotifyForFields", json!("Referenced"), Property::NotifyFor),
        ("NotifyForFields", json!("Something new"), Property::NotifyFor),
        ("NotifyForOperationUndelete", json!(false), Property::Operations),
        ("Description", Value::Null, Property::Description),
    ] {
        topics.0.lock().expect("a lock").0[0][field] = value;
        let found = push_topic::find(&org, &[wanted.name().clone()]).await.expect("found").topics.remove(0);
        assert_eq!(push_topic::compare(&wanted, &found), Difference::Changed(vec![expect]));
        push_topic::patch(&org, same.id, &wanted).await.expect("changed back");
    }
}

#[tokio::test]
async fn only_topics_whose_name_and_description_say_so_are_the_owners() {
    let topics = Topics::default();
    let org = topics.serve().await;
    let mine = definition("SELECT Id FROM Account");
    push_topic::create(&org, &mine).await.expect("created");
    let mut rows = topics.rows();
    for (name, description) in [
        (TopicName::derive(OWNER, "Contact").to_string(), json!("made by hand")),
        (TopicName::derive(OWNER, "Contact").to_string(), Value::Null),
        ("InvoiceStatementUpdates".to_owned(), json!(mine.description())),
        (mine.name().as_str().to_uppercase(), json!(mine.description())),
    ] {
        let mut row = rows[0].clone();
        (row["Name"], row["Description"]) = (name.into(), description);
        rows.push(row);
    }
    topics.0.lock().expect("a lock").0 = rows;

    let listed = push_topic::list(&org, OWNER).await.expect("listed").topics;
    let names: Vec<_> = listed.iter().map(|topic| topic.name.as_str()).collect();
    assert_eq!(names, [mine.name().as_str()]);
    assert!(push_topic::list(&org, "acmeCo/other").await.expect("listed").topics.is_empty());
    assert_eq!(push_topic::find(&org, &[mine.name().clone()]).await.expect("found").topics.len(), 1);
}

#[tokio::test]
async fn a_refusal_names_the_topic_and_the_cure() {
    let topics = Topics::default();
    let org = topics.serve().await;
    topics.refuse(400, "INVALID_FIELD", "The maximum number of topics has been reached");
    let error = push_topic::create(&org, &definition("SELECT Id FROM Account")).await.expect_err("refused");
    assert!(matches!(error, Error::Topic { problem: Problem::TopicLimit, .. }));
    assert!(!error.is_retryable());
    insta::assert_snapshot!(error, @"creating the PushTopic Syncnssa1vaw8e8n9qeb0d7b3 failed, the org has as many PushTopics as its edition allows (40, 50 or 100): delete topics nobody uses: creating a record of PushTopic failed: INVALID_FIELD: The maximum number of topics has been reached [HTTP 400]");
}

/// Another session of the task has made the topic since this one looked.
#[tokio::test]
async fn a_topic_that_somebody_has_just_made_counts_as_created() {
    let topics = Topics::default();
    let org = topics.serve().await;
    let wanted = definition("SELECT Id, Name FROM Account");
    push_topic::create(&org, &wanted).await.expect("created");
    topics.refuse(
        400,
        "DUPLICATE_VALUE",
        "duplicate value found: Name duplicates value on record with id: 0IFB0000000008S",
    );
    assert_eq!(push_topic::create(&org, &wanted).await.expect("it is there").as_str(), ID);

    topics.refuse(
        400,
        "DUPLICATE_VALUE",
        "duplicate value found: Name duplicates value on record with id: 0IFB0000000008S",
    );
    let error = push_topic::create(&org, &definition("SELECT Id FROM Account")).await.expect_err("refused");
    assert!(matches!(error, Error::Topic { problem: Problem::NameTaken, .. }), "another one has the name: {error}");
}
