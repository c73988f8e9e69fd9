//! The JWT bearer grant.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use reqwest::Method;
use salesforce_emulator::org::{Approval, UserStatus};
use salesforce_emulator::{Config, Settings};
use serde_json::{Value as Json, json};

use crate::client::{Answer, Client, still};

/// The key the emulator offers.
fn offered(client: &Client) -> RsaKeyPair {
    let pem = &client.emulator.credentials().private_key;
    let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    RsaKeyPair::from_pkcs8(&STANDARD.decode(base64).unwrap()).unwrap()
}

fn signed(key: &RsaKeyPair, header: &Json, claims: &Json) -> String {
    let part = |json: &Json| URL_SAFE_NO_PAD.encode(json.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// An assertion that speaks for a user.
pub(crate) fn speaking_for(client: &Client, username: &str) -> String {
    let mut claims = claims(client);
    claims["sub"] = username.into();
    signed(&offered(client), &json!({"alg": "RS256"}), &claims)
}

/// Claims that are right, with two minutes left.
fn claims(client: &Client) -> Json {
    let credentials = client.emulator.credentials();
    let exp = client.emulator.org().now().as_second() + 120;
    json!({"iss": credentials.client_id, "sub": credentials.username, "aud": "https://login.salesforce.com", "exp": exp})
}

async fn bearer_at(client: &Client, url: &str, assertion: &str) -> Answer {
    let grant_type = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    client.form_to(url, "/services/oauth2/token", &[("grant_type", grant_type), ("assertion", assertion)]).await
}

pub(crate) async fn bearer(client: &Client, assertion: &str) -> Answer {
    bearer_at(client, client.emulator.url(), assertion).await
}

fn said(answer: &Answer) -> String {
    let json = answer.json();
    format!("{} {}: {}", answer.status.as_u16(), json["error"], json["error_description"]).replace('"', "")
}

#[tokio::test]
async fn signs_in() {
    let mut client = Client::new().await;
    let assertion = signed(&offered(&client), &json!({"alg": "RS256"}), &claims(&client));
    for url in [client.emulator.url(), client.emulator.login_url()] {
        let granted = bearer_at(&client, url, &assertion).await.json();
        let keys: Vec<&String> = granted.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["access_token", "scope", "instance_url", "id", "token_type"]);
        assert_eq!(granted["instance_url"], client.emulator.url());
        client.token = granted["access_token"].as_str().unwrap().to_owned();
        assert_eq!(client.get("/services/data/v62.0/limits").await.status, 200);
    }
}

#[tokio::test]
async fn claims_that_are_taken_and_claims_that_are_not() {
    let client = Client::new().await;
    let (key, now) = (offered(&client), client.emulator.org().now().as_second());
    let (url, login_url) = (client.emulator.url(), client.emulator.login_url());
    let mut said_of_each = Vec::new();
    for (claim, value) in [
        ("aud", json!(url)),
        ("aud", json!(login_url)),
        ("exp", json!((now + 60).to_string())),
        ("exp", json!(now + 180)),
        ("iss", json!("nobody")),
        ("sub", json!("nobody@example.com")),
        ("aud", json!("https://test.salesforce.com")),
        ("aud", json!("https://elsewhere.my.salesforce.com")),
        ("exp", json!(now)),
        ("exp", json!(now + 181)),
        ("exp", json!("soon")),
        ("exp", Json::Null),
    ] {
        let mut claims = claims(&client);
        claims[claim] = value.clone();
        let answer = bearer(&client, &signed(&key, &json!({"alg": "RS256", "typ": "JWT"}), &claims)).await;
        let verdict = if answer.status == 200 { "200".to_owned() } else { said(&answer) };
        let value = value.to_string().replace(login_url, "LOGIN").replace(url, "HOST");
        said_of_each.push(format!("{claim} {value} → {verdict}"));
    }
    insta::assert_snapshot!(said_of_each.join("\n"));
}

/// simple-salesforce asks for three minutes from now and rounds: half a second more is no more than three minutes.
#[tokio::test]
async fn three_minutes_rounded_up() {
    let settings = Settings { frozen_at: Some("2026-01-01T00:00:00.5Z".parse().unwrap()), ..still() };
    let client = Client::with(Config { settings, ..Config::default() }).await;
    let (key, mut claims) = (offered(&client), claims(&client));
    let midnight = client.emulator.org().now().as_second();
    let mut statuses = Vec::new();
    for exp in [midnight, midnight + 1, midnight + 181, midnight + 182] {
        claims["exp"] = json!(exp);
        statuses.push(bearer(&client, &signed(&key, &json!({"alg": "RS256"}), &claims)).await.status.as_u16());
    }
    assert_eq!(statuses, [400, 200, 200, 400]);
}

#[tokio::test]
async fn only_the_registered_key_and_rs256() {
    let client = Client::new().await;
    let (key, right) = (offered(&client), claims(&client));
    let other = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let rs256 = json!({"alg": "RS256"});
    let good = signed(&key, &rs256, &right);
    let body = good.rsplit_once('.').unwrap().0;
    for assertion in [
        signed(&other, &rs256, &right),
        signed(&key, &json!({"alg": "none"}), &right),
        signed(&key, &json!({"alg": "HS256"}), &right),
        format!("{body}."),
        body.to_owned(),
        "x.y.z".to_owned(),
        String::new(),
    ] {
        assert_eq!(said(&bearer(&client, &assertion).await), "400 invalid_grant: invalid assertion", "{assertion}");
    }

    let public = other.public_key().as_der().unwrap();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(public.as_ref()));
    let register = async |certificate: &str| {
        let body = json!({"certificate": certificate}).to_string();
        client.send(Method::POST, "/__emulator/app", &[], Some(body)).await.unwrap()
    };
    assert_eq!(register("no key").await.status, 400);
    let registered = register(&pem).await;
    assert!(registered.status == 200 && !registered.text.contains("KEY"), "{}", registered.text);
    assert_eq!(bearer(&client, &signed(&other, &rs256, &right)).await.status, 200);
    assert_eq!(said(&bearer(&client, &good).await), "400 invalid_grant: invalid assertion");
}

#[tokio::test]
async fn users_who_may_not() {
    let client = Client::new().await;
    let assertion = signed(&offered(&client), &json!({"alg": "RS256"}), &claims(&client));
    for (approval, words) in [
        (Approval::MissingFromUser, "400 invalid_grant: user hasn't approved this consumer"),
        (Approval::MissingFromAdmin, "400 invalid_app_access: user is not admin approved to access this app"),
    ] {
        client.emulator.org().change_policies(|policies| policies.app.approval = approval);
        assert_eq!(said(&bearer(&client, &assertion).await), words);
    }
    client.emulator.org().change_policies(|policies| {
        policies.app.approval = Approval::Given;
        policies.user.status = UserStatus::Inactive;
    });
    assert_eq!(said(&bearer(&client, &assertion).await), "400 inactive_user: user is inactive");
}

#[tokio::test]
async fn sandboxes_have_another_audience() {
    let settings = Settings { sandbox: true, ..still() };
    let client = Client::with(Config { settings, ..Config::default() }).await;
    let key = offered(&client);
    for (audience, status) in [("https://test.salesforce.com", 200), ("https://login.salesforce.com", 400)] {
        let mut claims = claims(&client);
        claims["aud"] = audience.into();
        assert_eq!(bearer(&client, &signed(&key, &json!({"alg": "RS256"}), &claims)).await.status, status);
    }
}

/// What is said to an assertion for somebody else.
pub(crate) async fn for_audience(client: &Client, audience: &str) -> Answer {
    let mut claims = claims(client);
    claims["aud"] = audience.into();
    bearer(client, &signed(&offered(client), &json!({"alg": "RS256"}), &claims)).await
}
