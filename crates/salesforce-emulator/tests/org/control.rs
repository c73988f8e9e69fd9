//! `/__emulator/`: time, workloads, the truth, counts.

use reqwest::Method;
use salesforce_emulator::{Config, Mix, Settings, Workload};
use serde_json::{Value as Json, json};

use crate::client::{Client, still};

async fn post(client: &Client, path: &str, body: Json) -> Json {
    let answer = client.send(Method::POST, path, &[], Some(body.to_string())).await.unwrap();
    assert!(answer.status.is_success(), "{} {}", answer.status, answer.text);
    serde_json::from_str(&answer.text).unwrap_or(Json::Null)
}

#[tokio::test]
async fn time_moves_modstamps_and_the_date_header() {
    let client = Client::new().await;
    let first = client.create("Account", json!({"Name": "x"})).await;
    assert_eq!(post(&client, "/__emulator/clock", json!({"advance": 3600})).await["now"], "2026-01-01T01:00:00Z");
    client.update("Account", &first, json!({"Name": "y"})).await;
    let answer = client.query("SELECT CreatedDate, LastModifiedDate, SystemModstamp FROM Account").await;
    let record = &answer.json()["records"][0];
    assert_eq!(record["CreatedDate"], "2026-01-01T00:00:00.000+0000");
    assert_eq!(record["LastModifiedDate"], "2026-01-01T01:00:00.000+0000");
    assert_eq!(record["SystemModstamp"], record["LastModifiedDate"]);
    assert_eq!(answer.headers["date"], "Thu, 01 Jan 2026 01:00:00 GMT");
}

#[tokio::test]
async fn deleted_rows_are_purged_in_time() {
    let client = Client::new().await;
    let id = client.create("Account", json!({"Name": "x"})).await;
    client.delete("Account", &id).await;
    let binned = |client: &Client| {
        let records = client.emulator.org().records("Account", true).unwrap();
        serde_json::from_slice::<Json>(&records).unwrap().as_array().unwrap().len()
    };
    client.emulator.org().advance(std::time::Duration::from_secs(14 * 86_400)).unwrap();
    assert_eq!(binned(&client), 1);
    client.emulator.org().advance(std::time::Duration::from_secs(2 * 86_400)).unwrap();
    assert_eq!(binned(&client), 0);
}

#[tokio::test]
async fn every_reply_but_the_version_list_tells_the_usage() {
    let settings = Settings { daily_api_calls: 3, ..still() };
    let client = Client::with(Config { settings, ..Config::default() }).await;
    let usage = |answer: &crate::client::Answer| {
        answer.headers.get("sforce-limit-info").map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(usage(&client.get("/services/data").await), None);
    assert_eq!(usage(&client.get("/services/data/v62.0/limits").await).as_deref(), Some("api-usage=1/3"));
    assert_eq!(usage(&client.get("/services/data/v62.0/nonsense").await).as_deref(), Some("api-usage=2/3"));
    client.get("/services/data/v62.0/sobjects").await;
    let over = client.get("/services/data/v62.0/limits").await;
    insta::assert_snapshot!(client.shown(&over), @r#"
    403 [
      {
        "message": "TotalRequests Limit exceeded.",
        "errorCode": "REQUEST_LIMIT_EXCEEDED"
      }
    ]
    "#);
    let calls = client.send(Method::GET, "/__emulator/calls", &[], None).await.unwrap();
    assert_eq!(calls.text, r#"{"describe_global":1,"limits":2,"other":1,"token":1,"versions":1}"#);
    client.emulator.org().advance(std::time::Duration::from_secs(86_400)).unwrap();
    assert_eq!(client.refresh().await.status, 200);
}

#[tokio::test]
async fn the_truth_is_spelled_like_rest() {
    let client = Client::new().await;
    let id = client.create("Account", json!({"Name": "x", "BillingCity": "Oslo", "AnnualRevenue": 5})).await;
    let truth = client.send(Method::GET, "/__emulator/records/account", &[], None).await.unwrap().json();
    let mut read =
        client.get(&format!("/services/data/v0.0/sobjects/Account/{id}").replace("v0.0", "v62.0")).await.json();
    read["attributes"]["url"] = truth[0]["attributes"]["url"].clone();
    assert_eq!(truth.to_string(), json!([read]).to_string());
    client.delete("Account", &id).await;
    assert_eq!(client.send(Method::GET, "/__emulator/records/Account", &[], None).await.unwrap().text, "[]");
    let all = client.send(Method::GET, "/__emulator/records/Account?deleted=true", &[], None).await.unwrap().json();
    assert_eq!(all[0]["IsDeleted"], true);
}

#[tokio::test]
async fn workloads_repeat_with_their_seed() {
    let mix = Mix { create: 3, update: 4, delete: 2, undelete: 1, ..Mix::default() };
    let objects = ["Account", "Contact", "Lead", "Opportunity", "Case", "Wide__c", "Task"].map(str::to_owned).to_vec();
    let workload = Workload { rate: 0.0, seed: 7, objects, mix, total: Some(300), twice: 20, ..Workload::default() };
    let mut truths = Vec::new();
    for _ in 0..2 {
        let client = Client::with_rows(&[("Account", 40), ("Contact", 40), ("Lead", 20)]).await;
        client.emulator.start_workload(workload.clone()).unwrap();
        let report = client.emulator.finish_workload().await;
        assert_eq!((report.running, report.failure.as_deref()), (false, None));
        assert!(
            [report.created, report.updated, report.deleted, report.undeleted].iter().all(|count| *count > 0),
            "{report:?}"
        );
        assert_eq!(report.created + report.updated + report.deleted + report.undeleted + report.skipped, 300);
        truths.push((
            report,
            client.emulator.org().records("Contact", true).unwrap(),
            client.emulator.org().records("Lead", true).unwrap(),
        ));
    }
    assert!(truths[0] == truths[1]);
}

/// Every update changes something, or a stream would miss what a query finds.
#[tokio::test]
async fn no_update_of_a_workload_is_idle() {
    let client = Client::with_rows(&[("Contact", 20)]).await;
    let body = json!({"Name": "C", "Query": "SELECT Id FROM Contact", "ApiVersion": 62.0, "NotifyForFields": "All"});
    client.create("PushTopic", body).await;
    let mix = Mix { create: 0, update: 1, delete: 0, undelete: 0, ..Mix::default() };
    let objects = vec!["Contact".to_owned()];
    client
        .emulator
        .start_workload(Workload { rate: 0.0, objects, mix, total: Some(100), ..Workload::default() })
        .unwrap();
    let report = client.emulator.finish_workload().await;
    let mut subscriber = crate::streaming::Subscriber::connect(&client).await;
    assert_eq!((report.updated, subscriber.subscribe("/topic/C", -2).await.len()), (100, 100));
}

#[tokio::test]
async fn workloads_over_http() {
    let client = Client::new().await;
    post(&client, "/__emulator/workload", json!({"rate": 1000, "objects": ["Lead"]})).await;
    let stopped = client.send(Method::DELETE, "/__emulator/workload", &[], None).await.unwrap().json();
    assert_eq!(stopped["running"], false);
    for body in [
        json!({"objects": []}),
        json!({"objects": ["Nothing"]}),
        json!({"rate": -1}),
        json!({"mix": {"create": 0, "update": 0, "delete": 0, "undelete": 0}}),
    ] {
        let answer = client.send(Method::POST, "/__emulator/workload", &[], Some(body.to_string())).await.unwrap();
        assert_eq!(answer.status, 400, "{body}");
    }
}

#[tokio::test]
async fn reset_empties_the_org_and_keeps_its_credentials() {
    let client = Client::with_rows(&[("Account", 5)]).await;
    client.create("PushTopic", json!({"Name": "T", "Query": "SELECT Id FROM Account", "ApiVersion": 62.0})).await;
    post(&client, "/__emulator/reset", json!(null)).await;
    assert_eq!(client.query("SELECT COUNT() FROM Account").await.json()["totalSize"], 0);
    assert_eq!(client.query("SELECT COUNT() FROM PushTopic").await.json()["totalSize"], 0);
    assert_eq!(client.query("SELECT COUNT() FROM User").await.json()["totalSize"], 1);
    client.create("PushTopic", json!({"Name": "T", "Query": "SELECT Id FROM Account", "ApiVersion": 62.0})).await;
}

#[tokio::test]
async fn replies_are_counted_when_they_have_left() {
    let client = Client::with_rows(&[("Lead", 3000)]).await;
    let mut replies = client.emulator.replies();
    let before = *replies.borrow();
    client.query("SELECT FIELDS(STANDARD) FROM Lead").await;
    client.update("Lead", client.emulator.org().ids("Lead", false).unwrap()[0].as_str(), json!({"Title": "x"})).await;
    client.send(Method::GET, "/__emulator/calls", &[], None).await.unwrap();
    client.get("/services/data").await;
    let total = *replies.wait_for(|total| *total >= before + 3).await.unwrap();
    assert_eq!(total, before + 3);
}

#[tokio::test]
async fn a_sixth_grant() {
    let client = Client::new().await;
    let mut tokens = Vec::new();
    for _ in 0..5 {
        tokens
            .push(post(&client, "/__emulator/grants", json!(null)).await["refresh_token"].as_str().unwrap().to_owned());
    }
    assert_eq!(client.refresh().await.status, 400);
    assert_eq!(client.grant(&[("grant_type", "refresh_token"), ("refresh_token", &tokens[0])]).await.status, 200);
}

#[tokio::test]
async fn compressed_both_ways() {
    use std::io::{Read as _, Write as _};
    let client = Client::new().await;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(br#"{"Name":"packed"}"#).unwrap();
    let http = reqwest::Client::builder().gzip(false).build().unwrap();
    let url = format!("{}/services/data/v62.0/sobjects/Account", client.emulator.url());
    let request =
        http.post(url).bearer_auth(&client.token).header("content-encoding", "gzip").body(packed.finish().unwrap());
    assert_eq!(request.send().await.unwrap().status(), 201);
    let url = format!("{}/services/data/v62.0/query?q=SELECT+Name+FROM+Account", client.emulator.url());
    let answer = http.get(url).bearer_auth(&client.token).header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    let bytes = answer.bytes().await.unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
    assert!(text.contains("packed"), "{text}");
}
