//! Recorded replies of the token endpoint, the identity URL and SOAP `login()`.

use std::time::Duration;

use reqwest::Method;
use roxmltree::Node;
use salesforce_emulator::{Config, Settings};
use serde_json::{Value as Json, json};

use super::compare::Comparison;
use super::recorded;
use crate::client::{Answer, Client, still};

/// The recorded reply is old: it has no `token_type`. What it has is told the same.
#[tokio::test]
async fn token_replies() {
    let client = Client::new().await;
    let credentials = client.emulator.credentials();
    let password = format!("{}{}", credentials.password, credentials.security_token);
    let form = [("grant_type", "password"), ("username", &*credentials.username), ("password", &password)];
    let ours = client.grant(&form).await.json();
    let theirs = recorded("password-grant-success.json");
    for (member, theirs) in theirs.as_object().unwrap() {
        let (ours, theirs) = (json!({member: ours[member]}), json!({member: theirs}));
        // The ids in it were of 15 characters then.
        if member != "id" {
            Comparison::default().assert_same(member, &ours, &theirs);
        }
    }
    assert!(ours["id"].as_str().unwrap().contains("/id/00D"));
}

/// Every refusal of the token endpoint that was collected.
#[tokio::test]
async fn refusals() {
    let settings = Settings { token_latency: Duration::from_millis(50), ..still() };
    let client = Client::with(Config { settings, ..Config::default() }).await;
    let credentials = client.emulator.credentials();
    let login = client.emulator.login_url();

    let dead = client.grant(&[("grant_type", "refresh_token"), ("refresh_token", "x")]).await;
    let (first, second) = tokio::join!(client.refresh(), client.refresh());
    let overlapping = if first.status == 200 { second } else { first };
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("response_type", "code"),
            ("client_id", &credentials.client_id),
            ("redirect_uri", "http://localhost/"),
        ])
        .finish();
    let sent_back = client.send(Method::GET, &format!("/services/oauth2/authorize?{query}"), &[], None).await.unwrap();
    let location = url::Url::parse(sent_back.headers["location"].to_str().unwrap()).unwrap();
    let code = location.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let form = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", "http://localhost/")];
    client.emulator.org().advance(Duration::from_secs(15 * 60)).unwrap();
    let stale = client.grant(&form).await;
    let form = [("grant_type", "password"), ("username", &*credentials.username), ("password", "wrong")];
    let wrong = client.grant(&form).await;
    let elsewhere = client.grant_at(login, &[("grant_type", "client_credentials")]).await;
    let audience = crate::jwt::for_audience(&client, "https://elsewhere.example.com").await;

    let ours: Vec<Json> = [dead, overlapping, stale, wrong, elsewhere, audience].iter().map(shown).collect();
    let theirs = recorded("oauth-errors.json");
    Comparison::default().assert_same("refusals", &ours.clone().into(), &theirs);
    assert_eq!(ours[0]["body"], recorded("error-refresh-expired.json"));
}

fn shown(answer: &Answer) -> Json {
    json!({"status": answer.status.as_u16(), "body": answer.json()})
}

#[tokio::test]
async fn identity() {
    let client = Client::new().await;
    let granted = client.refresh().await.json();
    let path = granted["id"].as_str().unwrap().strip_prefix(client.emulator.url()).unwrap().to_owned();
    let ours = client.get(&path).await.json();
    // An id with a letter too many was put in the place of the recorded one.
    let theirs = recorded("identity.json").to_string().replace("00Di0000000bAAAAAAA", "00Di0000000bAAAEAA");
    let mut theirs: Json = serde_json::from_str(&theirs).unwrap();
    // Pictures are wherever the content host puts them.
    theirs["photos"] = ours["photos"].clone();
    theirs["utcOffset"] = ours["utcOffset"].clone();
    Comparison::default().assert_same("identity", &ours, &theirs);
}

/// The recorded request, with our user's name and password.
#[tokio::test]
async fn soap_login() {
    let client = Client::new().await;
    let (credentials, exchange) = (client.emulator.credentials(), recorded("soap-login.json"));
    let password = format!("{}{}", credentials.password, credentials.security_token);
    let envelope = exchange["request"]["body"].as_str().unwrap();
    let envelope = envelope.replace("user@example.com", &credentials.username).replace("SCRUBBED", &password);
    let headers = [("content-type", "text/xml; charset=UTF-8"), ("soapaction", "login")];
    let path = exchange["request"]["url"].as_str().unwrap();
    let ours = client.send(Method::POST, path, &headers, Some(envelope)).await.unwrap();
    assert_eq!(ours.status.as_u16(), exchange["response"]["status"]);
    let theirs = exchange["response"]["body"].as_str().unwrap();
    let tree = |xml: &str| element(roxmltree::Document::parse(xml).unwrap().root_element());
    Comparison::default().assert_same("login", &tree(&ours.text), &tree(theirs));
}

/// An element as `{name: children or text}`, so that XML is compared like JSON.
fn element(node: Node<'_, '_>) -> Json {
    let children: Vec<Json> = node.children().filter(Node::is_element).map(element).collect();
    let attributes: Vec<&str> = node.attributes().map(|attribute| attribute.value()).collect();
    let content = if children.is_empty() { json!(node.text().unwrap_or_default()) } else { children.into() };
    let name = node.tag_name().name();
    if attributes.is_empty() { json!({name: content}) } else { json!({name: content, "attributes": attributes}) }
}
