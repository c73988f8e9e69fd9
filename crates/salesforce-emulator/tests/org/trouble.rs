//! Trouble of every kind, by script and from a seed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reqwest::Method;
use salesforce_emulator::{Config, Mix, Settings, Trouble, TroubleKind, Workload};
use serde_json::{Value as Json, json};

use crate::client::{Answer, Client, encode, still};
use crate::streaming::Subscriber;

const LIMITS: &str = "/services/data/v62.0/limits";

async fn post(client: &Client, path: &str, body: Json) -> Json {
    let answer = client.send(Method::POST, path, &[], Some(body.to_string())).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

async fn script(client: &Client, kind: &str, action: Json) {
    post(client, "/__emulator/faults", json!({"kind": kind, "action": action})).await;
}

async fn limits(client: &Client, headers: &[(&str, &str)]) -> Result<Answer, reqwest::Error> {
    let authorization = format!("Bearer {}", client.token);
    let headers = [&[("authorization", authorization.as_str())], headers].concat();
    client.send(Method::GET, LIMITS, &headers, None).await
}

#[tokio::test]
async fn outages_in_every_disguise() {
    let client = Client::new().await;
    let mut lines = Vec::new();
    for outage in ["json", "page", "empty", "unknown_exception", "bad_gateway", "gateway_timeout", "page_with200"] {
        script(&client, "limits", json!({"outage": outage})).await;
        let answer = limits(&client, &[]).await.unwrap();
        let content = answer.headers.get("content-type").map_or("", |value| value.to_str().unwrap());
        lines.push(format!("{outage}: {} {content} {}", answer.status.as_u16(), answer.text));
    }
    insta::assert_snapshot!(lines.join("\n"));
}

/// Whatever the body looks like on the wire, one that ends early is a connection that broke, and nothing else.
#[tokio::test]
async fn bodies_cut_off() {
    let client = Client::new().await;
    for (encoding, chunked, percent) in
        [("identity", false, 0), ("identity", true, 50), ("gzip", false, 99), ("gzip", true, 0), ("gzip", true, 50)]
    {
        let case = format!("{encoding} {chunked} {percent}");
        script(&client, "limits", json!({"cut": {"percent": percent, "chunked": chunked}})).await;
        let http = reqwest::Client::builder().gzip(false).build().unwrap();
        let request = http.get(format!("{}{LIMITS}", client.emulator.url())).header("accept-encoding", encoding);
        let response = request.header("authorization", format!("Bearer {}", client.token)).send().await.unwrap();
        assert_eq!(response.status(), 200, "{case}");
        assert_eq!(response.headers().contains_key("content-length"), !chunked, "{case}");
        assert_eq!(response.headers().contains_key("content-encoding"), encoding == "gzip", "{case}");
        assert!(response.bytes().await.is_err(), "{case}");
        assert_eq!(limits(&client, &[]).await.unwrap().status, 200, "{case}");
    }
    // Without a body there is nothing to cut but the reply.
    let id = client.create("Account", json!({"Name": "x"})).await;
    script(&client, "delete", json!({"cut": {"percent": 50}})).await;
    let authorization = format!("Bearer {}", client.token);
    let path = format!("/services/data/v62.0/sobjects/Account/{id}");
    assert!(client.send(Method::DELETE, &path, &[("authorization", &authorization)], None).await.is_err());
}

#[tokio::test]
async fn bodies_that_stall_or_drip() {
    let client = Client::new().await;
    let whole = limits(&client, &[]).await.unwrap().text.len();
    script(&client, "limits", json!({"stall_body": {"percent": 50, "ms": 1}})).await;
    assert!(limits(&client, &[]).await.is_err());
    script(&client, "limits", json!({"drip": {"pieces": 7, "ms": 7}})).await;
    limits(&client, &[]).await.unwrap().json();
    script(&client, "limits", json!({"drip": {"pieces": 0, "ms": 0}})).await;
    limits(&client, &[]).await.unwrap().json();

    // For as long as the client waits.
    script(&client, "limits", json!({"stall_body": {"percent": 50}})).await;
    let url = format!("{}{LIMITS}", client.emulator.url());
    let request = reqwest::Client::new().get(url).header("authorization", format!("Bearer {}", client.token));
    let mut response = request.send().await.unwrap();
    assert!((1..whole).contains(&response.chunk().await.unwrap().unwrap().len()));
    client.emulator.shutdown().await;
    assert!(response.chunk().await.is_err());
}

/// The same for those who take compressed bodies; the length is that of what is sent.
#[tokio::test]
async fn bodies_with_another_text() {
    let client = Client::new().await;
    for (encoding, latin1, expect) in [
        ("identity", false, &b"{\"D\xc3\xa4ily"[..]),
        ("gzip", true, b"{\"D\xe4ily"),
        ("gzip", false, b"{\"D\xc3\xa4ily"),
    ] {
        script(&client, "limits", json!({"respell": {"text": "{\"Daily", "into": "{\"Däily", "latin1": latin1}})).await;
        let http = reqwest::Client::builder().gzip(false).build().unwrap();
        let request = http.get(format!("{}{LIMITS}", client.emulator.url())).header("accept-encoding", encoding);
        let response = request.header("authorization", format!("Bearer {}", client.token)).send().await.unwrap();
        let length: usize = response.headers()["content-length"].to_str().unwrap().parse().unwrap();
        let body = response.bytes().await.unwrap();
        assert_eq!(body.len(), length, "{encoding}");
        assert!(body.starts_with(expect), "{encoding}: {}", String::from_utf8_lossy(&body));
    }
    limits(&client, &[]).await.unwrap().json();
}

#[tokio::test]
async fn calls_run_out_for_a_while() {
    let client = Client::new().await;
    script(&client, "limits", json!({"exhaust_calls": {"refusals": 2}})).await;
    let mut told = Vec::new();
    for _ in 0..3 {
        let answer = limits(&client, &[]).await.unwrap();
        let usage = answer.headers["sforce-limit-info"].to_str().unwrap().to_owned();
        told.push((answer.status.as_u16(), usage));
    }
    let expect = [(403, "api-usage=100000/100000"), (403, "api-usage=0/100000"), (200, "api-usage=1/100000")];
    assert_eq!(told, expect.map(|(status, usage)| (status, usage.to_owned())));

    client.emulator.org().advance(Duration::from_secs(23 * 3600)).unwrap();
    let client = client.renewed().await;
    script(&client, "limits", json!({"exhaust_calls": {}})).await;
    assert_eq!(limits(&client, &[]).await.unwrap().status, 403);
    client.emulator.org().advance(Duration::from_secs(3599)).unwrap();
    assert_eq!(limits(&client, &[]).await.unwrap().status, 403);
    client.emulator.org().advance(Duration::from_secs(1)).unwrap();
    assert_eq!(limits(&client, &[]).await.unwrap().status, 200);
}

#[tokio::test]
async fn some_orgs_may_overshoot() {
    let settings = Settings { daily_api_calls: 2, api_overshoot: 1, ..still() };
    let client = Client::with(Config { settings, ..Config::default() }).await;
    let mut told = Vec::new();
    for _ in 0..4 {
        let answer = limits(&client, &[]).await.unwrap();
        told.push((answer.status.as_u16(), answer.headers["sforce-limit-info"].to_str().unwrap().to_owned()));
    }
    let expect = [(200, "api-usage=1/2"), (200, "api-usage=2/2"), (200, "api-usage=3/2"), (403, "api-usage=3/2")];
    assert_eq!(told, expect.map(|(status, usage)| (status, usage.to_owned())));
}

/// While as many long requests are at work as may be, nobody else is let in.
#[tokio::test]
async fn long_requests_keep_others_out() {
    let settings = Settings { long_request: Duration::ZERO, concurrent_long_requests: 1, ..still() };
    let client = Client::with(Config { settings, ..Config::default() }).await;
    script(&client, "limits", json!("stall")).await;
    let request = reqwest::Client::new()
        .get(format!("{}{LIMITS}", client.emulator.url()))
        .header("authorization", format!("Bearer {}", client.token));
    let stalled = tokio::spawn(request.send());
    while !client.emulator.faults().is_empty() {
        tokio::task::yield_now().await;
    }
    let refused = limits(&client, &[]).await.unwrap();
    insta::assert_snapshot!(client.shown(&refused));
    assert_eq!(client.refresh().await.status, 200, "signing in is no API call");
    stalled.abort();
    let _ = stalled.await;
    while limits(&client, &[]).await.unwrap().status != 200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn rows_that_are_locked() {
    let client = Client::new().await;
    let rows = |names: &[&str]| -> Vec<Json> {
        names.iter().map(|name| json!({"attributes": {"type": "Account"}, "Name": name})).collect()
    };
    let mut transcript = String::new();
    let mut say = async |kind: &str, method: Method, path: &str, body: Option<Json>| {
        script(&client, kind, json!({"lock_rows": {"every": 2}})).await;
        let answer = client.call(method, &format!("/services/data/v62.0/{path}"), body).await;
        let shown: String = answer.text.clone();
        transcript += &format!("{kind} {} {shown}\n", answer.status.as_u16());
        answer.json()
    };
    say("create", Method::POST, "sobjects/Account", Some(json!({"Name": "x"}))).await;
    let body = json!({"records": rows(&["a", "b", "c", "d"])});
    let created = say("create_rows", Method::POST, "composite/sobjects", Some(body)).await;
    let body = json!({"allOrNone": true, "records": rows(&["e", "f"])});
    say("create_rows", Method::POST, "composite/sobjects", Some(body)).await;
    say("create_rows", Method::POST, "composite/sobjects", Some(json!({"records": rows(&["g"])}))).await;
    say("create_rows", Method::POST, "composite/sobjects", Some(json!([]))).await;
    let ids: Vec<&str> = [1, 3].map(|at| created[at]["id"].as_str().unwrap()).into();
    say("delete_rows", Method::DELETE, &format!("composite/sobjects?ids={}", ids.join(",")), None).await;
    for (at, id) in ids.iter().enumerate() {
        transcript = transcript.replace(id, &format!("ID-{at}"));
    }
    insta::assert_snapshot!(transcript);
    script(&client, "create", json!({"lock_rows": {"every": 1}})).await;
    let stranger = client.send(Method::POST, "/services/data/v62.0/sobjects/Account", &[], Some("{}".to_owned()));
    assert_eq!(stranger.await.unwrap().status, 401, "strangers learn nothing of locks");
    let left = client.query("SELECT Name FROM Account").await.json();
    assert_eq!(left["records"][0]["Name"], "b", "{left}");
    assert_eq!(left["totalSize"], 1);
}

#[tokio::test]
async fn the_token_endpoint_refuses_for_a_while() {
    let client = Client::new().await;
    let mut told = Vec::new();
    for action in [
        json!({"deny_token": "being_processed"}),
        json!({"deny_token": "rate_exceeded"}),
        json!("concurrent_limit"),
        json!({"outage": "page"}),
    ] {
        script(&client, "token", action).await;
        let answer = client.refresh().await;
        told.push(format!("{} {}", answer.status.as_u16(), answer.text));
    }
    assert_eq!(client.refresh().await.status, 200);
    insta::assert_snapshot!(told.join("\n"));
}

/// The same requests meet the same trouble, in another org too.
#[tokio::test]
async fn same_seed_same_trouble() {
    let kinds = ["unavailable", "expired_session", "quota_exhausted", "concurrent_limit", "token_busy"];
    let weights: BTreeMap<&str, u64> = kinds.iter().map(|kind| (*kind, 1)).collect();
    let mut reports = Vec::new();
    for _ in 0..2 {
        let client = Client::new().await;
        let planned = post(&client, "/__emulator/trouble", json!({"seed": 3, "every": 2, "kinds": weights})).await;
        assert_eq!(planned["struck"], json!([]));
        for _ in 0..20 {
            let _ = limits(&client, &[]).await;
            let _ = client.query("SELECT Id FROM Account").await;
            let _ = client.refresh().await;
        }
        let report = client.send(Method::GET, "/__emulator/trouble", &[], None).await.unwrap().json();
        let ended = client.send(Method::DELETE, "/__emulator/trouble", &[], None).await.unwrap().json();
        assert_eq!(report["struck"], ended["struck"]);
        assert_eq!(client.refresh().await.status, 200);
        let none = client.send(Method::GET, "/__emulator/trouble", &[], None).await.unwrap().json();
        assert_eq!(none["trouble"], Json::Null);
        reports.push(report);
    }
    assert_eq!(reports[0], reports[1]);
    let struck = reports[0]["struck"].as_array().unwrap();
    let kinds: BTreeSet<&str> = struck.iter().map(|strike| strike["kind"].as_str().unwrap()).collect();
    assert!(kinds.len() >= 4, "{kinds:?}");
    assert_eq!(reports[0]["seen"], json!({"limits": 20, "query": 20, "token": 20}));
    let planned = reports[0]["planned"].as_array().unwrap();
    assert!(planned.iter().all(|strike| strike["nth"].as_u64().unwrap() > 20), "{planned:?}");
}

#[tokio::test]
async fn trouble_that_makes_no_sense() {
    let client = Client::new().await;
    for body in ["", r#"{"every":0}"#, r#"{"kinds":{"slow":0}}"#, r#"{"kinds":{"plague":1}}"#, r#"{"when":1}"#] {
        let answer = client.send(Method::POST, "/__emulator/trouble", &[], Some(body.to_owned())).await.unwrap();
        assert_eq!(answer.status, 400, "{body}: {}", answer.text);
    }
}

fn only(kinds: &[TroubleKind]) -> Trouble {
    Trouble { kinds: kinds.iter().map(|kind| (*kind, 1)).collect(), every: 1, ..Trouble::from_seed(5) }
}

fn changes(total: u64) -> Workload {
    let mix = Mix { create: 1, update: 0, delete: 0, undelete: 0, merge: 0, convert: 0 };
    Workload { rate: 0.0, objects: vec!["Account".to_owned()], mix, total: Some(total), ..Workload::default() }
}

async fn topics(client: &Client) -> Vec<Json> {
    let fields = "Name, Query, ApiVersion, IsActive, NotifyForFields, NotifyForOperationDelete, Description";
    let found = client.query(&format!("SELECT {fields} FROM PushTopic ORDER BY Name")).await.json();
    let mut records = found["records"].as_array().unwrap().clone();
    for record in &mut records {
        record.as_object_mut().unwrap().remove("attributes");
    }
    records
}

#[tokio::test]
async fn topics_suffer_and_are_healed() {
    let client = Client::new().await;
    for (name, query) in
        [("A", "SELECT Id, Name FROM Account WHERE Name != 'x'"), ("C", "SELECT Id, Email FROM Contact")]
    {
        let topic = json!({
            "Name": name, "Query": query, "ApiVersion": 61.0, "NotifyForFields": "All", "NotifyForOperationDelete": false,
            "Description": "kept",
        });
        client.create("PushTopic", topic).await;
    }
    let before = topics(&client).await;
    let kinds = [
        TroubleKind::TopicDeleted,
        TroubleKind::TopicRecreated,
        TroubleKind::TopicDeactivated,
        TroubleKind::TopicChanged,
    ];
    for kind in kinds {
        // Not healed by changes before the end.
        let trouble = Trouble { changes: 1_000_000, ..only(&[kind]) };
        client.emulator.start_trouble(trouble).unwrap();
        client.emulator.start_workload(changes(3)).unwrap();
        client.emulator.finish_workload().await;
        assert_eq!(client.emulator.trouble().counts[&kind], 1);
        let hurt = topics(&client).await;
        assert_eq!(hurt == before, kind == TroubleKind::TopicRecreated, "{kind:?} {hurt:?}");
        client.emulator.stop_trouble().await;
        assert_eq!(topics(&client).await, before, "{kind:?}");
    }
    // They heal by themselves, too.
    client.emulator.start_trouble(Trouble { changes: 3, every: 50, ..only(&kinds) }).unwrap();
    client.emulator.start_workload(changes(500)).unwrap();
    client.emulator.finish_workload().await;
    let report = client.emulator.stop_trouble().await;
    assert!(kinds.iter().all(|kind| report.counts.contains_key(kind)), "{:?}", report.counts);
    assert_eq!(topics(&client).await, before);
}

#[tokio::test]
async fn time_jumps_within_bounds_unless_it_is_to_hurt() {
    let client = Client::new().await;
    let start = client.emulator.org().now();
    client.emulator.start_trouble(only(&[TroubleKind::ClockJump])).unwrap();
    client.emulator.start_workload(changes(100)).unwrap();
    client.emulator.finish_workload().await;
    client.emulator.stop_trouble().await;
    assert_eq!(client.emulator.org().now().duration_since(start).as_hours(), 20);

    let client = client.renewed().await;
    let id = client.create("Account", json!({"Name": "doomed"})).await;
    client.delete("Account", &id).await;
    client.emulator.start_trouble(only(&[TroubleKind::ClockPastRetention, TroubleKind::RecycleBinEmptied])).unwrap();
    client.emulator.start_workload(changes(20)).unwrap();
    client.emulator.finish_workload().await;
    let report = client.emulator.stop_trouble().await;
    assert_eq!(report.counts.len(), 2, "{:?}", report.counts);
    assert!(client.emulator.org().now().duration_since(start).as_hours() > 44);
    let client = client.renewed().await;
    assert_eq!(client.query_all("SELECT Id FROM Account WHERE IsDeleted = true").await.json()["totalSize"], 0);
}

#[tokio::test]
async fn changes_become_visible_late() {
    let client = Client::new().await;
    client.emulator.start_trouble(only(&[TroubleKind::LateRows])).unwrap();
    client.emulator.start_workload(changes(60)).unwrap();
    let done = client.emulator.finish_workload().await;
    assert!(done.late > 10, "{done:?}");
    assert_eq!(client.query("SELECT COUNT() FROM Account").await.json()["totalSize"], 60);
}

#[tokio::test]
async fn limits_are_counted() {
    let client = Client::new().await;
    let topic = json!({"Name": "A", "Query": "SELECT Id FROM Account", "ApiVersion": 62.0, "NotifyForFields": "All"});
    client.create("PushTopic", topic).await;
    client.create("Account", json!({"Name": "x"})).await;
    let mut subscriber = Subscriber::connect(&client).await;
    assert_eq!(subscriber.subscribe("/topic/A", -2).await.len(), 1);
    let limits = limits(&client, &[]).await.unwrap().json();
    let used: Vec<String> = limits
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, limit)| (name, limit["Max"].as_u64().unwrap() - limit["Remaining"].as_u64().unwrap()))
        .filter(|(_, used)| *used > 0)
        .map(|(name, used)| format!("{name} {used}"))
        .collect();
    assert_eq!(
        used,
        [
            "DailyApiRequests 2",
            "DailyDurableStreamingApiEvents 1",
            "DailyStreamingApiEvents 1",
            "DurableStreamingApiConcurrentClients 1",
            "StreamingApiConcurrentClients 1",
        ]
    );
}

/// A client that does nothing but try again: it signs in, reads, and reads on after the last id it has.
struct Stubborn<'a> {
    client: &'a Client,
    token: String,
}

impl Stubborn<'_> {
    /// The reply to a query, whatever stands in its way.
    async fn query(&mut self, soql: &str) -> Json {
        for _ in 0..100 {
            let path = format!("/services/data/v62.0/query?q={}", encode(soql));
            let authorization = format!("Bearer {}", self.token);
            let headers = [("authorization", authorization.as_str()), ("accept-encoding", "identity")];
            let answer = self.client.send(Method::GET, &path, &headers, None).await;
            match answer {
                Ok(answer) if answer.status == 200 => match serde_json::from_str(&answer.text) {
                    Ok(json) => return json,
                    Err(_) => continue,
                },
                Ok(answer) if answer.status == 401 => self.sign_in().await,
                _ => {}
            }
        }
        panic!("no way through to {soql}");
    }

    async fn sign_in(&mut self) {
        for _ in 0..100 {
            let credentials = self.client.emulator.credentials();
            let form = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("grant_type", "refresh_token")
                .append_pair("client_id", &credentials.client_id)
                .append_pair("client_secret", &credentials.client_secret)
                .append_pair("refresh_token", &credentials.refresh_token)
                .finish();
            let content = [("content-type", "application/x-www-form-urlencoded")];
            let sent = self.client.send(Method::POST, "/services/oauth2/token", &content, Some(form)).await;
            let token = sent.ok().and_then(|answer| {
                let granted: Json = serde_json::from_str(&answer.text).ok()?;
                granted["access_token"].as_str().map(str::to_owned)
            });
            if let Some(token) = token {
                self.token = token;
                return;
            }
        }
        panic!("no way in");
    }
}

#[tokio::test]
async fn whoever_tries_again_sees_everything() {
    let client = Client::new().await;
    for seed in 1..=4 {
        let trouble = Trouble { every: 2, in_a_row: 3, stall_ms: 1, slow_ms: 1, ..Trouble::from_seed(seed) };
        client.emulator.start_trouble(trouble).unwrap();
        client.emulator.start_workload(Workload { seed, ..changes(100) }).unwrap();
        client.emulator.finish_workload().await;
        let mut stubborn = Stubborn { client: &client, token: client.token.clone() };
        let (mut seen, mut last) = (0, "000000000000000AAA".to_owned());
        loop {
            let page =
                stubborn.query(&format!("SELECT Id FROM Account WHERE Id > '{last}' ORDER BY Id LIMIT 10")).await;
            let records = page["records"].as_array().unwrap();
            let Some(record) = records.last() else { break };
            (seen, last) = (seen + records.len(), record["Id"].as_str().unwrap().to_owned());
        }
        let report = client.emulator.stop_trouble().await;
        assert_eq!(seen as u64, 100 * seed, "{report:?}");
        assert!(report.struck.len() > 20, "{report:?}");
    }
}
