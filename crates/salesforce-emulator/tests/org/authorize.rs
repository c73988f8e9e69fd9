//! The web-server flow, with and without PKCE.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Method;

use crate::client::{Answer, Client};

const REDIRECT: &str = "http://localhost:8080/callback?from=sf";
/// The pair of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

async fn browse(client: &Client, extra: &[(&str, &str)]) -> Answer {
    let mut parameters = BTreeMap::from([
        ("response_type", "code"),
        ("client_id", client.emulator.credentials().client_id.as_str()),
        ("redirect_uri", REDIRECT),
        ("state", "a b&c"),
    ]);
    parameters.extend(extra.iter().copied());
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    client.send(Method::GET, &format!("/services/oauth2/authorize?{query}"), &[], None).await.unwrap()
}

/// What the app's callback is given.
fn back(answer: &Answer) -> BTreeMap<String, String> {
    assert_eq!(answer.status, 302, "{}", answer.text);
    let location = answer.headers["location"].to_str().unwrap();
    assert!(location.starts_with(REDIRECT), "{location}");
    url::Url::parse(location).unwrap().query_pairs().into_owned().collect()
}

pub(crate) async fn code(client: &Client, extra: &[(&str, &str)]) -> String {
    let given = back(&browse(client, extra).await);
    assert_eq!(given["state"], "a b&c");
    given["code"].clone()
}

pub(crate) async fn exchange(client: &Client, code: &str, extra: &[(&str, &str)]) -> Answer {
    let form = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", REDIRECT)];
    client.grant(&[&form[..], extra].concat()).await
}

fn said(answer: &Answer) -> String {
    let json = answer.json();
    format!("{} {}: {}", answer.status.as_u16(), json["error"], json["error_description"]).replace('"', "")
}

#[tokio::test]
async fn a_code_for_tokens() {
    let client = Client::new().await;
    let code = code(&client, &[("code_challenge", CHALLENGE), ("code_challenge_method", "S256")]).await;
    assert!(code.starts_with("aPrx") && code.ends_with("=="), "{code}");
    let granted = exchange(&client, &code, &[("code_verifier", VERIFIER)]).await.json();
    let keys: Vec<&String> = granted.as_object().unwrap().keys().collect();
    let expected =
        ["access_token", "refresh_token", "signature", "scope", "instance_url", "id", "token_type", "issued_at"];
    assert_eq!(keys, expected);
    let refresh_token = granted["refresh_token"].as_str().unwrap();
    let refreshed = client.grant(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).await;
    assert_eq!(refreshed.status, 200);
}

#[tokio::test]
async fn scopes_asked_for() {
    let client = Client::new().await;
    let granted = exchange(&client, &code(&client, &[("scope", "api")]).await, &[]).await.json();
    assert_eq!((granted["scope"].as_str(), granted.get("refresh_token")), (Some("api"), None));
    let offline = code(&client, &[("scope", "api offline_access")]).await;
    let granted = exchange(&client, &offline, &[]).await.json();
    let form = [("grant_type", "refresh_token"), ("refresh_token", granted["refresh_token"].as_str().unwrap())];
    assert_eq!(client.grant(&form).await.json()["scope"], "api offline_access", "a refresh gives no more");
    assert_eq!(back(&browse(&client, &[("scope", "api everything")]).await)["error"], "invalid_scope");
}

#[tokio::test]
async fn codes_work_once_for_fifteen_minutes_and_where_they_were_asked() {
    let client = Client::new().await;
    let first = code(&client, &[]).await;
    assert_eq!(exchange(&client, &first, &[]).await.status, 200);
    assert_eq!(said(&exchange(&client, &first, &[]).await), "400 invalid_grant: invalid authorization code");

    let form = [("grant_type", "authorization_code"), ("redirect_uri", "http://localhost:8080/callback")];
    let elsewhere = client.grant(&[&form[..], &[("code", &code(&client, &[]).await)]].concat()).await;
    assert_eq!(said(&elsewhere), "400 redirect_uri_mismatch: redirect_uri must match configuration");

    for verifier in [&[][..], &[("code_verifier", "guess")]] {
        let proved = code(&client, &[("code_challenge", CHALLENGE)]).await;
        assert_eq!(said(&exchange(&client, &proved, verifier).await), "400 invalid_grant: invalid code verifier");
    }

    let stale = code(&client, &[]).await;
    client.emulator.org().advance(Duration::from_secs(15 * 60)).unwrap();
    assert_eq!(said(&exchange(&client, &stale, &[]).await), "400 invalid_grant: expired authorization code");
}

#[tokio::test]
async fn refusals() {
    let client = Client::new().await;
    let unsupported = back(&browse(&client, &[("response_type", "token")]).await);
    assert_eq!(unsupported["error"], "unsupported_response_type");
    assert_eq!(browse(&client, &[("client_id", "nobody")]).await.status, 400);
    assert_eq!(browse(&client, &[("redirect_uri", "nowhere")]).await.status, 400);

    client.emulator.org().change_policies(|policies| policies.app.redirect_uris = vec!["http://other/".to_owned()]);
    assert_eq!(browse(&client, &[]).await.status, 400);

    client.emulator.org().change_policies(|policies| {
        policies.app.redirect_uris = vec![REDIRECT.to_owned()];
        policies.app.consent = false;
    });
    let refused = back(&browse(&client, &[]).await);
    assert_eq!(
        (refused["error"].as_str(), refused["error_description"].as_str()),
        ("access_denied", "end-user denied authorization")
    );
}

#[tokio::test]
async fn apps_without_a_secret() {
    let client = Client::new().await;
    let client_id = client.emulator.credentials().client_id.as_str();
    let public = async |secret: &[(&str, &str)]| {
        let code = code(&client, &[("code_challenge", CHALLENGE)]).await;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", REDIRECT),
            ("client_id", client_id),
            ("code_verifier", VERIFIER),
        ];
        client.form("/services/oauth2/token", &[&form[..], secret].concat()).await.status.as_u16()
    };
    assert_eq!(public(&[]).await, 400);
    client.emulator.org().change_policies(|policies| policies.app.require_secret = false);
    assert_eq!(public(&[]).await, 200);
    assert_eq!(public(&[("client_secret", "guess")]).await, 400);
}
