//! Requests inside a request: `/composite` and `/composite/batch`.

use reqwest::Method;
use salesforce_emulator::org::SchemaChange;
use salesforce_emulator::{Config, FaultAction, FaultRule, Settings};
use serde_json::{Value as Json, json};

use crate::client::{Answer, Client, still};

const DATA: &str = "/services/data/v62.0";

async fn composite(client: &Client, body: Json) -> Answer {
    client.call(Method::POST, "/services/data/v62.0/composite", Some(body)).await
}

/// Status and reference id of every subreply.
fn statuses(answer: &Answer) -> Vec<String> {
    let answers = answer.json()["compositeResponse"].as_array().unwrap().clone();
    answers
        .iter()
        .map(|answer| {
            format!("{} {} {}", answer["referenceId"], answer["httpStatusCode"], answer["body"][0]["errorCode"])
        })
        .collect()
}

#[tokio::test]
async fn answers_refer_to_earlier_ones() {
    let client = Client::new().await;
    let transcript = client
        .transcript(&[
            r#"POST /services/data/v62.0/composite {"compositeRequest":[
                {"method":"POST","url":"/services/data/v62.0/sobjects/Account","referenceId":"made","body":{"Name":"Ærø & Sons"}},
                {"method":"POST","url":"/services/data/v62.0/sobjects/Contact","referenceId":"person",
                 "body":{"LastName":"Lovelace","AccountId":"@{made.id}","Description":"of @{made.id}"}},
                {"method":"GET","url":"/services/data/v62.0/sobjects/Account/@{made.id}?fields=Name,Phone","referenceId":"read"},
                {"method":"GET","url":"/services/data/v62.0/query?q=SELECT Id, Account.Name FROM Contact WHERE Account.Name = '@{read.Name}'","referenceId":"found"},
                {"method":"PATCH","url":"/services/data/v62.0/sobjects/Contact/@{found.records[0].Id}","referenceId":"changed","body":{"Title":"@{found.records[0].Account.Name}"}},
                {"method":"DELETE","url":"/services/data/v62.0/sobjects/Account/@{made.id}","referenceId":"gone"},
                {"method":"GET","url":"/services/data/v62.0/sobjects/Account/@{made.id}","referenceId":"late"},
                {"method":"GET","url":"/services/data/v62.0/sobjects/Contact/@{late.Id}","referenceId":"lost"},
                {"method":"GET","url":"/services/data/v62.0/sobjects/Contact/@{read.Phone}","referenceId":"empty"}
            ]}"#,
        ])
        .await;
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn all_or_none() {
    let client = Client::new().await;
    let topic = json!({"Name": "A", "Query": "SELECT Id FROM Account", "ApiVersion": 62.0});
    client.create("PushTopic", topic).await;
    let request = |name: Json, all_or_none: bool| {
        json!({"allOrNone": all_or_none, "collateSubrequests": true, "compositeRequest": [
            {"method": "POST", "url": format!("{DATA}/sobjects/Account"), "referenceId": "a", "body": {"Name": "first"}},
            {"method": "GET", "url": format!("{DATA}/query?q=SELECT COUNT() FROM Account"), "referenceId": "q"},
            {"method": "POST", "url": format!("{DATA}/sobjects/Account"), "referenceId": "b", "body": {"Name": name}},
            {"method": "POST", "url": format!("{DATA}/sobjects/Account"), "referenceId": "c", "body": {"Name": "third"}},
        ]})
    };
    let names = async || {
        let found = client.query("SELECT Name FROM Account ORDER BY Name").await.json();
        found["records"].as_array().unwrap().iter().map(|record| record["Name"].to_string()).collect::<Vec<_>>()
    };

    let answer = composite(&client, request(Json::Null, true)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        statuses(&answer),
        [
            r#""a" 400 "PROCESSING_HALTED""#,
            r#""q" 400 "PROCESSING_HALTED""#,
            r#""b" 400 "REQUIRED_FIELD_MISSING""#,
            r#""c" 400 "PROCESSING_HALTED""#
        ]
    );
    assert_eq!(
        answer.json()["compositeResponse"][0]["body"][0]["message"],
        "The transaction was rolled back since another operation in the same transaction failed."
    );
    assert_eq!(names().await, [""; 0]);

    let answer = composite(&client, request(Json::Null, false)).await;
    assert_eq!(
        statuses(&answer),
        [r#""a" 201 null"#, r#""q" 200 null"#, r#""b" 400 "REQUIRED_FIELD_MISSING""#, r#""c" 201 null"#]
    );
    assert_eq!(names().await, [r#""first""#, r#""third""#]);

    let answer = composite(&client, request("second".into(), true)).await;
    assert_eq!(statuses(&answer), [r#""a" 201 null"#, r#""q" 200 null"#, r#""b" 201 null"#, r#""c" 201 null"#]);
    assert_eq!(answer.json()["compositeResponse"][1]["body"]["totalSize"], 3, "it sees what it did so far");
    assert_eq!(names().await.len(), 5);

    // What was undone was never announced.
    let mut subscriber = crate::streaming::Subscriber::connect(&client).await;
    assert_eq!(subscriber.subscribe("/topic/A", -2).await.len(), 5);
}

/// An object is given its table when it is first touched, here by what is undone.
#[tokio::test]
async fn tables_made_in_vain_are_made_again() {
    let client = Client::new().await;
    let request = |all_or_none: bool, name: &str| {
        json!({"allOrNone": all_or_none, "compositeRequest": [
            {"method": "POST", "url": format!("{DATA}/sobjects/Account"), "referenceId": "a", "body": {"Name": "x"}},
            {"method": "GET", "url": format!("{DATA}/query?q=SELECT Id FROM Campaign"), "referenceId": "q"},
            {"method": "POST", "url": format!("{DATA}/sobjects/Lead"), "referenceId": "b", "body": {"LastName": name, "Company": "x"}},
        ]})
    };
    let answer = composite(&client, request(true, "")).await;
    assert_eq!(statuses(&answer)[2], r#""b" 400 "REQUIRED_FIELD_MISSING""#);
    assert_eq!(client.emulator.org().counts().unwrap().get("Lead"), None);
    let answer = composite(&client, request(false, "")).await;
    assert_eq!(statuses(&answer), [r#""a" 201 null"#, r#""q" 200 null"#, r#""b" 400 "REQUIRED_FIELD_MISSING""#]);
    let answer = composite(&client, request(true, "x")).await;
    assert_eq!(statuses(&answer), [r#""a" 201 null"#, r#""q" 200 null"#, r#""b" 201 null"#]);
    let counts = client.emulator.org().counts().unwrap();
    assert_eq!((counts["Account"], counts["Campaign"], counts["Lead"]), (2, 0, 1));
}

/// The subrequests see the org as the user does.
#[tokio::test]
async fn what_is_hidden_is_hidden_inside() {
    let client = Client::new().await;
    let changes = [
        SchemaChange::HideField { object: "Account".into(), field: "Phone".into() },
        SchemaChange::HideObject { object: "Lead".into() },
    ];
    client.emulator.org().change_schema(changes).unwrap();
    let requests = [
        ("GET", "query?q=SELECT Phone FROM Account"),
        ("POST", "sobjects/Account"),
        ("GET", "sobjects/Account/updated?start=2025-12-31T00:00:00Z&end=2026-01-01T00:00:00Z"),
        ("GET", "query?q=SELECT Id FROM Lead"),
        ("GET", "sobjects/Lead/describe"),
        ("GET", "composite/sobjects/Lead?ids=00Q000000000001&fields=Id"),
        ("GET", "sobjects/Lead/updated?start=2025-12-31T00:00:00Z&end=2026-01-01T00:00:00Z"),
        ("GET", "sobjects/Lead/deleted?start=2025-12-31T00:00:00Z&end=2026-01-01T00:00:00Z"),
    ];
    let requests = requests.iter().enumerate().map(|(at, (method, url))| {
        let body = (*method == "POST").then(|| json!({"Name": "x", "Phone": "1"}));
        json!({"method": method, "url": format!("{DATA}/{url}"), "referenceId": format!("r{at}"), "body": body})
    });
    let answer = composite(&client, json!({"compositeRequest": requests.collect::<Vec<_>>()})).await;
    assert_eq!(
        statuses(&answer),
        [
            r#""r0" 400 "INVALID_FIELD""#,
            r#""r1" 400 "INVALID_FIELD""#,
            r#""r2" 200 null"#,
            r#""r3" 400 "INVALID_TYPE""#,
            r#""r4" 404 "NOT_FOUND""#,
            r#""r5" 404 "NOT_FOUND""#,
            r#""r6" 404 "NOT_FOUND""#,
            r#""r7" 404 "NOT_FOUND""#,
        ]
    );
}

/// While one composite request keeps the org to itself, others wait; none fails, and none sees half of it.
#[tokio::test]
async fn others_see_all_or_nothing() {
    let client = std::sync::Arc::new(Client::new().await);
    let account = |name: String| json!({"method": "POST", "url": format!("{DATA}/sobjects/Account"), "referenceId": name, "body": {"Name": "x"}});
    let requests: Vec<Json> = (0..5).map(|n| account(format!("r{n}"))).collect();
    let writers = (0..8).map(|_| {
        let (client, requests) = (std::sync::Arc::clone(&client), requests.clone());
        tokio::spawn(async move {
            composite(&client, json!({"allOrNone": true, "compositeRequest": requests})).await.status
        })
    });
    let writers: Vec<_> = writers.collect();
    for _ in 0..20 {
        let count = client.query("SELECT COUNT() FROM Account").await.json()["totalSize"].as_u64().unwrap();
        assert_eq!(count % 5, 0);
    }
    for writer in writers {
        assert_eq!(writer.await.unwrap(), 200);
    }
    assert_eq!(client.query("SELECT COUNT() FROM Account").await.json()["totalSize"], 40);
}

#[tokio::test]
async fn describes_by_condition() {
    let client = Client::new().await;
    let describe = |object: &str, since: &str| {
        json!({
            "method": "GET", "url": format!("{DATA}/sobjects/{object}/describe"), "referenceId": object,
            "httpHeaders": {"If-Modified-Since": since},
        })
    };
    let known = client.get("/services/data/v62.0/sobjects/Lead/describe").await;
    let known = known.headers["last-modified"].to_str().unwrap().to_owned();
    let body = json!({"compositeRequest": [
        describe("Lead", &known),
        describe("Account", "Mon, 01 Jan 2024 00:00:00 GMT"),
        describe("Nothing__c", &known),
        {"method": "GET", "url": format!("{DATA}/sobjects"), "referenceId": "global"},
        {"method": "GET", "url": format!("{DATA}/limits"), "referenceId": "limits"},
    ]});
    let answer = composite(&client, body).await.json();
    let answers = answer["compositeResponse"].as_array().unwrap();
    let statuses: Vec<_> = answers.iter().map(|answer| answer["httpStatusCode"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [304, 200, 404, 200, 200]);
    assert!(answers[0]["body"].is_null());
    assert_eq!(answers[1]["httpHeaders"]["Last-Modified"], known);
    let alone = client.get("/services/data/v62.0/sobjects/Account/describe").await.json();
    assert_eq!(answers[1]["body"].to_string(), alone.to_string());
}

#[tokio::test]
async fn limits_of_a_composite_request() {
    let client = Client::new().await;
    let query = |at: usize| json!({"method": "GET", "url": format!("{DATA}/query?q=SELECT Id FROM Lead"), "referenceId": format!("q{at}")});
    let describe =
        |at: usize| json!({"method": "GET", "url": format!("{DATA}/sobjects/Lead"), "referenceId": format!("d{at}")});
    let send = async |requests: Vec<Json>| composite(&client, json!({"compositeRequest": requests})).await;
    let fits = send((0..5).map(query).chain((0..20).map(describe)).collect()).await;
    assert_eq!(statuses(&fits).len(), 25);
    let mut answers = Vec::new();
    for answer in [
        send((0..26).map(describe).collect()).await,
        send((0..6).map(query).collect()).await,
        send(vec![query(1), query(1)]).await,
        composite(&client, json!({"compositeRequest": [{"method": "GET"}]})).await,
    ] {
        answers.push(client.shown(&answer));
    }
    let subrequest = |id: &str, method: &str, url: &str| json!({"method": method, "url": url, "referenceId": id});
    let body = vec![
        subrequest("not-a-name", "GET", "/services/data/v62.0/limits"),
        subrequest("nested", "POST", "/services/data/v62.0/composite"),
        subrequest("elsewhere", "GET", "/services/oauth2/userinfo"),
        subrequest("wrong", "PUT", "/services/data/v62.0/limits"),
        subrequest("odd", "???", "/services/data/v62.0/limits"),
    ];
    answers.push(client.shown(&send(body).await));
    insta::assert_snapshot!(answers.join("\n"));
}

/// What no URL can hold goes into a subrequest: 100,000 characters of SOQL, and not one more.
#[tokio::test]
async fn queries_too_long_for_a_url() {
    let client = Client::new().await;
    let id = client.create("Lead", json!({"LastName": "x", "Company": "y"})).await;
    let soql = |length: usize| {
        let (head, tail) = ("SELECT Id FROM Lead WHERE Company = 'y' AND (LastName = 'x'", ")");
        let part = " OR LastName = 'zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz'";
        let mut text = head.to_owned() + &part.repeat((length - head.len() - 1) / part.len());
        text.push_str(&" ".repeat(length - text.len() - 1));
        text + tail
    };
    let ask = async |resource: &str, soql: &str| {
        let url = format!("{DATA}/{resource}?q={}", crate::client::encode(soql));
        let body = json!({"compositeRequest": [{"method": "GET", "url": url, "referenceId": "long"}]});
        composite(&client, body).await.json()["compositeResponse"][0].clone()
    };
    for resource in ["query", "queryAll"] {
        assert_eq!(ask(resource, &soql(100_000)).await["body"]["records"][0]["Id"], *id);
    }
    let refused = ask("query", &soql(100_001)).await;
    assert_eq!(
        (&refused["httpStatusCode"], &refused["body"][0]["errorCode"]),
        (&json!(400), &json!("MALFORMED_QUERY"))
    );
}

#[tokio::test]
async fn pages_of_a_query() {
    let settings = Settings { query_page: 2, ..still() };
    let rows = vec![("Lead".to_owned(), 3)];
    let client = Client::with(Config { rows, settings, ..Config::default() }).await;
    let body = json!({"compositeRequest": [
        {"method": "GET", "url": format!("{DATA}/query?q=SELECT Id FROM Lead"), "referenceId": "first"},
        {"method": "GET", "url": "@{first.nextRecordsUrl}", "referenceId": "second"},
    ]});
    let answer = composite(&client, body).await.json();
    assert_eq!(answer["compositeResponse"][1]["body"]["records"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn one_call_for_all_and_one_fault() {
    let client = Client::new().await;
    client.emulator.add_fault(FaultRule {
        kind: Some("composite".to_owned()),
        method: None,
        path: None,
        nth: 2,
        count: Some(1),
        action: FaultAction::Html503,
    });
    let body = json!({"compositeRequest": [
        {"method": "GET", "url": format!("{DATA}/sobjects/Lead/describe"), "referenceId": "a"},
        {"method": "GET", "url": format!("{DATA}/sobjects/Account/describe"), "referenceId": "b"},
    ]});
    let answer = composite(&client, body.clone()).await;
    assert_eq!(answer.headers["sforce-limit-info"], "api-usage=1/100000");
    assert_eq!(composite(&client, body).await.status, 503);
    assert_eq!(client.emulator.org().calls()["composite"], 2);
    assert!(!client.emulator.org().calls().contains_key("describe"));
}

#[tokio::test]
async fn a_batch_spends_a_call_for_each() {
    let settings = Settings { daily_api_calls: 4, ..still() };
    let client = Client::with(Config { settings, ..Config::default() }).await;
    let transcript = client
        .transcript(&[r#"POST /services/data/v62.0/composite/batch {"batchRequests":[
            {"method":"POST","url":"v62.0/sobjects/Account","richInput":{"Name":"x"}},
            {"method":"GET","url":"v62.0/query?q=SELECT COUNT() FROM Account"},
            {"method":"GET","url":"v61.0/sobjects/Nothing"}]}"#])
        .await;
    insta::assert_snapshot!(transcript);
    let last = json!({"haltOnError": true, "batchRequests": [
        {"method": "GET", "url": "v62.0/limits"}, {"method": "GET", "url": "v62.0/limits"}, {"method": "GET", "url": "v62.0/limits"},
    ]});
    let answer = client.call(Method::POST, "/services/data/v62.0/composite/batch", Some(last)).await;
    assert_eq!(answer.headers["sforce-limit-info"], "api-usage=4/4");
    let statuses: Vec<_> =
        answer.json()["results"].as_array().unwrap().iter().map(|one| one["statusCode"].clone()).collect();
    assert_eq!(statuses, [200, 403, 412]);
}
