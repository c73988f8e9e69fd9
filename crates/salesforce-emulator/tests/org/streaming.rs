//! PushTopics as a CometD client sees them. The endpoint itself is tested beside its code; here it meets the org.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::client::Client;

/// A Bayeux session, with the cookies that make it one.
pub(crate) struct Subscriber<'a> {
    client: &'a Client,
    token: String,
    id: String,
    cookies: BTreeMap<String, String>,
}

impl<'a> Subscriber<'a> {
    pub(crate) async fn connect(client: &'a Client) -> Self {
        Self::connect_as(client, &client.token).await
    }

    pub(crate) async fn connect_as(client: &'a Client, token: &str) -> Self {
        let mut subscriber = Self { client, token: token.to_owned(), id: String::new(), cookies: BTreeMap::new() };
        let handshake = json!([{
            "channel": "/meta/handshake", "version": "1.0", "minimumVersion": "1.0", "supportedConnectionTypes": ["long-polling"],
            "ext": {"replay": true},
        }]);
        let replies = subscriber.post(handshake).await;
        subscriber.id = replies[0]["clientId"].as_str().unwrap_or_else(|| panic!("{replies:?}")).to_owned();
        subscriber.poll().await;
        subscriber
    }

    /// One `/meta/connect` that does not wait: the events that are there.
    pub(crate) async fn poll(&mut self) -> Vec<Json> {
        let connect = json!([{
            "channel": "/meta/connect", "clientId": self.id, "connectionType": "long-polling", "advice": {"timeout": 0},
        }]);
        let mut messages = self.post(connect).await;
        messages.retain(|message| message["channel"] != "/meta/connect");
        messages
    }

    /// Why a connect is refused.
    pub(crate) async fn connect_error(&mut self) -> String {
        let connect = json!([{"channel": "/meta/connect", "clientId": self.id, "connectionType": "long-polling"}]);
        let reply = self.post(connect).await;
        reply[0]["error"].as_str().unwrap_or_else(|| panic!("{reply:?}")).to_owned()
    }

    /// Subscribes and collects what is there.
    pub(crate) async fn subscribe(&mut self, channel: &str, replay: i64) -> Vec<Json> {
        let reply = self.try_subscribe(channel, replay).await;
        let mut events: Vec<Json> = reply.iter().filter(|message| message["channel"] == channel).cloned().collect();
        let answer = reply.iter().find(|message| message["channel"] == "/meta/subscribe").unwrap();
        assert_eq!(answer["successful"], true, "{answer}");
        events.extend(self.poll().await);
        events
    }

    pub(crate) async fn try_subscribe(&mut self, channel: &str, replay: i64) -> Vec<Json> {
        let message = json!([{
            "channel": "/meta/subscribe", "clientId": self.id, "subscription": channel, "ext": {"replay": {channel: replay}},
        }]);
        self.post(message).await
    }

    async fn post(&mut self, messages: Json) -> Vec<Json> {
        let authorization = format!("OAuth {}", self.token);
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let headers =
            [("authorization", authorization.as_str()), ("content-type", "application/json"), ("cookie", &cookies)];
        let answer =
            self.client.send(Method::POST, "/cometd/62.0", &headers, Some(messages.to_string())).await.unwrap();
        for cookie in answer.headers.get_all("set-cookie") {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer.json().as_array().unwrap().clone()
    }
}

/// Types and ids of events.
pub(crate) fn kinds(events: &[Json]) -> Vec<String> {
    events.iter().map(|event| event["data"]["event"]["type"].as_str().unwrap().to_owned()).collect()
}

async fn topic(client: &Client, name: &str, query: &str) -> String {
    client
        .create("PushTopic", json!({"Name": name, "Query": query, "ApiVersion": 62.0, "NotifyForFields": "All"}))
        .await
}

#[tokio::test]
async fn four_kinds_of_events() {
    let client = Client::new().await;
    topic(
        &client,
        "Accounts",
        "SELECT Id, Name, BillingAddress, AnnualRevenue, LastActivityDate, SystemModstamp FROM Account",
    )
    .await;
    let mut subscriber = Subscriber::connect(&client).await;
    assert!(subscriber.subscribe("/topic/Accounts", -1).await.is_empty());
    let id = client.create("Account", json!({"Name": "x", "BillingCity": "Oslo", "AnnualRevenue": 12345678})).await;
    client.update("Account", &id, json!({"Name": "y", "BillingCity": null})).await;
    client.delete("Account", &id).await;
    client.emulator.org().undelete("Account", salesforce_emulator::org::Id::parse(&id).unwrap()).unwrap();
    let events = subscriber.poll().await;
    let lines: Vec<String> = events.iter().map(Json::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[tokio::test]
async fn replay_ids_are_refused_when_they_age_or_belong_elsewhere() {
    let client = Client::new().await;
    let first = topic(&client, "First", "SELECT Id FROM Account").await;
    topic(&client, "Second", "SELECT Id FROM Contact").await;
    client.create("Account", json!({"Name": "x"})).await;
    client.create("Contact", json!({"LastName": "x"})).await;
    let mut subscriber = Subscriber::connect(&client).await;
    let replay_id = |events: &[Json]| events[0]["data"]["event"]["replayId"].as_i64().unwrap();
    let one = replay_id(&subscriber.subscribe("/topic/First", -2).await);
    let two = replay_id(&subscriber.subscribe("/topic/Second", -2).await);
    let refused = async |subscriber: &mut Subscriber<'_>, channel: &str, id: i64| {
        let reply = subscriber.try_subscribe(channel, id).await;
        assert_eq!(reply[0]["successful"], false, "{channel} after {id}");
        reply[0]["error"].as_str().unwrap().to_owned()
    };
    assert!(
        refused(&mut subscriber, "/topic/First", two)
            .await
            .contains(&format!("The replayId {{{two}}} you provided was invalid."))
    );
    refused(&mut subscriber, "/topic/First", one + 1000).await;
    assert!(
        refused(&mut subscriber, "/topic/first", -1)
            .await
            .starts_with("400::The channel you requested to subscribe to does not exist")
    );

    // A topic that is changed keeps its stream; one that is made anew begins another.
    client.update("PushTopic", &first, json!({"Query": "SELECT Id, Name FROM Account"})).await;
    assert!(subscriber.subscribe("/topic/First", one).await.is_empty());
    client.delete("PushTopic", &first).await;
    topic(&client, "First", "SELECT Id FROM Account").await;
    refused(&mut subscriber, "/topic/First", one).await;

    // A day later nothing is left.
    client.emulator.org().advance(Duration::from_secs(25 * 3600)).unwrap();
    let client = client.renewed().await;
    let mut subscriber = Subscriber::connect(&client).await;
    refused(&mut subscriber, "/topic/Second", two).await;
    assert!(subscriber.subscribe("/topic/Second", -2).await.is_empty());
}

#[tokio::test]
async fn a_transaction_is_announced_in_reverse_with_final_values() {
    let client = Client::new().await;
    topic(&client, "Accounts", "SELECT Id, Name FROM Account").await;
    let body = |name: &str| serde_json::from_value::<serde_json::Map<String, Json>>(json!({"Name": name})).unwrap();
    let org = client.emulator.org();
    org.transaction(|transaction| {
        let first = transaction.create("Account", &body("first"))?;
        transaction.create("Account", &body("other"))?;
        transaction.update("Account", first, &body("final"))
    })
    .unwrap();
    let failed = org.transaction(|transaction| {
        transaction.create("Account", &body("never"))?;
        transaction.create("Account", &serde_json::Map::new())
    });
    assert_eq!(failed.unwrap_err().code, "REQUIRED_FIELD_MISSING");
    let mut subscriber = Subscriber::connect(&client).await;
    let events = subscriber.subscribe("/topic/Accounts", -2).await;
    let told: Vec<String> = events
        .iter()
        .map(|event| format!("{} {}", event["data"]["event"]["type"], event["data"]["sobject"]["Name"]))
        .collect();
    assert_eq!(told, [r#""updated" "final""#, r#""created" "final""#, r#""created" "other""#]);
}

#[tokio::test]
async fn cascades_are_silent() {
    let client = Client::new().await;
    let account = client.create("Account", json!({"Name": "x"})).await;
    let contact = client.create("Contact", json!({"LastName": "x", "AccountId": account})).await;
    topic(&client, "Contacts", "SELECT Id FROM Contact").await;
    client.delete("Account", &account).await;
    assert_eq!(client.query("SELECT COUNT() FROM Contact").await.json()["totalSize"], 0);
    let id = |text: &str| salesforce_emulator::org::Id::parse(text).unwrap();
    client.emulator.org().undelete("Account", id(&account)).unwrap();
    assert_eq!(
        client.query(&format!("SELECT COUNT() FROM Contact WHERE Id = '{contact}'")).await.json()["totalSize"],
        1
    );
    let mut subscriber = Subscriber::connect(&client).await;
    assert!(subscriber.subscribe("/topic/Contacts", -2).await.is_empty());
}

#[tokio::test]
async fn a_revoked_session_cannot_listen() {
    let client = Client::new().await;
    let mut subscriber = Subscriber::connect(&client).await;
    client.emulator.org().expire_sessions();
    let error = subscriber.connect_error().await;
    assert!(error.starts_with("401::Authentication invalid"), "{error}");
}
