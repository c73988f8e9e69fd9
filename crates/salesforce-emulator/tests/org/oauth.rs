//! Signing in, and what the token endpoint refuses.

use std::time::Duration;

use reqwest::Method;
use salesforce_emulator::{Config, Settings};

use crate::client::{Client, still};

#[tokio::test]
async fn grants() {
    let client = Client::new().await;
    let credentials = client.emulator.credentials();
    let password = format!("{}{}", credentials.password, credentials.security_token);
    let (username, refresh_token) = (credentials.username.clone(), credentials.refresh_token.clone());
    for form in [
        &[("grant_type", "refresh_token"), ("refresh_token", refresh_token.as_str())][..],
        &[("grant_type", "password"), ("username", &username), ("password", &password)],
        &[("grant_type", "client_credentials")],
    ] {
        let answer = client.grant(form).await;
        let token = answer.json();
        let keys: Vec<&String> = token.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["access_token", "signature", "scope", "instance_url", "id", "token_type", "issued_at"]);
        assert!(
            token["access_token"]
                .as_str()
                .unwrap()
                .starts_with(&format!("{}!", client.emulator.org().org_id().short()))
        );
        assert_eq!(token["instance_url"], client.emulator.url());
        assert_eq!(token["issued_at"], "1767225600000");
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
}

/// Each refusal with the words of the vendor's table.
#[tokio::test]
async fn refusals() {
    let client = Client::new().await;
    let credentials = client.emulator.credentials();
    let (id, secret) = (credentials.client_id.as_str(), credentials.client_secret.as_str());
    let refresh = ("refresh_token", credentials.refresh_token.as_str());
    let by_refresh = ("grant_type", "refresh_token");
    let forms: [&[(&str, &str)]; 8] = [
        &[by_refresh, refresh, ("client_id", "nobody"), ("client_secret", secret)],
        &[by_refresh, refresh, ("client_id", id), ("client_secret", "guess")],
        &[by_refresh, refresh, ("client_id", id)],
        &[by_refresh, ("refresh_token", "5Aep861stale"), ("client_id", id), ("client_secret", secret)],
        &[by_refresh, ("client_id", id), ("client_secret", secret)],
        &[
            ("grant_type", "password"),
            ("username", "admin"),
            ("password", "x"),
            ("client_id", id),
            ("client_secret", secret),
        ],
        &[("grant_type", "magic"), ("client_id", id), ("client_secret", secret)],
        &[],
    ];
    let mut answers = Vec::new();
    for form in forms {
        answers.push(client.shown(&client.form("/services/oauth2/token", form).await));
    }
    insta::assert_snapshot!(answers.join("\n"));
}

#[tokio::test]
async fn basic_authentication_of_the_client() {
    let client = Client::new().await;
    let credentials = client.emulator.credentials();
    use base64::Engine as _;
    let pair = base64::engine::general_purpose::STANDARD
        .encode(format!("{}:{}", credentials.client_id, credentials.client_secret));
    let headers = [("authorization", format!("Basic {pair}"))];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let body = "grant_type=client_credentials".to_owned();
    let answer = client.send(Method::POST, "/services/oauth2/token", &headers, Some(body)).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[tokio::test]
async fn sessions_end_in_virtual_time_and_slide() {
    let client = Client::new().await;
    let org = client.emulator.org();
    let hour = Duration::from_secs(3600);
    for _ in 0..3 {
        org.advance(hour).unwrap();
        assert_eq!(client.get("/services/data/v62.0/limits").await.status, 200);
    }
    org.advance(2 * hour).unwrap();
    let answer = client.get("/services/data/v62.0/limits").await;
    insta::assert_snapshot!(client.shown(&answer), @r#"
    401 [
      {
        "message": "Session expired or invalid",
        "errorCode": "INVALID_SESSION_ID"
      }
    ]
    "#);
}

#[tokio::test]
async fn schemes() {
    let client = Client::new().await;
    let mut answers = Vec::new();
    for header in ["Bearer", "OAuth", "bearer", "Basic"] {
        let value = format!("{header} {}", client.token);
        let answer =
            client.send(Method::GET, "/services/data/v62.0/limits", &[("authorization", &value)], None).await.unwrap();
        answers.push(format!("{header} {}", answer.status.as_u16()));
    }
    assert_eq!(answers, ["Bearer 200", "OAuth 200", "bearer 200", "Basic 401"]);
}

#[tokio::test]
async fn overlapping_refreshes_are_refused_where_the_switch_says_so() {
    for (single_flight_refresh, refused) in [(true, true), (false, false)] {
        let settings = Settings { single_flight_refresh, token_latency: Duration::from_millis(50), ..still() };
        let client = Client::with(Config { settings, ..Config::default() }).await;
        let (first, second) = tokio::join!(client.refresh(), client.refresh());
        let texts = [first.text, second.text].concat();
        assert_eq!(texts.contains("token request is already being processed"), refused, "{texts}");
    }
}

/// A client is killed while its refresh is under way: the token is not busy for ever.
#[tokio::test]
async fn whoever_hangs_up_lets_go_of_the_refresh_token() {
    let settings = Settings { token_latency: Duration::from_millis(500), ..still() };
    let client = Client::with(Config { settings, ..Config::default() }).await;
    let is_busy = async || client.refresh().await.text.contains("already being processed");
    let seen = async || {
        while !is_busy().await {}
    };
    tokio::select! {
        biased;
        _ = client.refresh() => {}
        () = seen() => {}
    }
    let free = async { while is_busy().await {} };
    tokio::time::timeout(Duration::from_secs(60), free).await.expect("the token is free again");
}

#[tokio::test]
async fn rotation_gives_a_new_token_and_kills_the_old() {
    let settings = Settings { rotate_refresh_tokens: true, ..still() };
    let client = Client::with(Config { settings, ..Config::default() }).await;
    // `Client::with` has used the first token already: presenting it again is taken for theft.
    let answer = client.refresh().await;
    assert_eq!(
        (answer.status.as_u16(), answer.json()["error_description"].as_str()),
        (400, Some("expired access/refresh token"))
    );
    assert_eq!(client.get("/services/data/v62.0/limits").await.status, 401);
}

#[tokio::test]
async fn revoke_and_introspect() {
    let client = Client::new().await;
    let credentials = client.emulator.credentials();
    let introspect = async |token: &str| {
        let form =
            [("token", token), ("client_id", &credentials.client_id), ("client_secret", &credentials.client_secret)];
        client.form("/services/oauth2/introspect", &form).await.json()
    };
    assert_eq!(introspect(&client.token).await["active"], true);
    assert_eq!(introspect(&client.token).await["token_type"], "access_token");
    assert_eq!(introspect(&credentials.refresh_token).await["token_type"], "refresh_token");
    assert_eq!(introspect("nonsense").await.to_string(), r#"{"active":false}"#);

    assert_eq!(client.form("/services/oauth2/revoke", &[("token", &credentials.refresh_token)]).await.status, 200);
    assert_eq!(introspect(&client.token).await["active"], false, "a refresh token takes its sessions along");
    assert_eq!(client.refresh().await.status, 400);
    assert_eq!(client.form("/services/oauth2/revoke", &[("token", "nonsense")]).await.status, 400);
}

#[tokio::test]
async fn strangers_at_userinfo() {
    let client = Client::new().await;
    for (headers, text) in [(&[][..], "Missing_OAuth_Token"), (&[("authorization", "Bearer x")][..], "Bad_OAuth_Token")]
    {
        let answer = client.send(Method::GET, "/services/oauth2/userinfo", headers, None).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (403, text));
    }
    let info = client.get("/services/oauth2/userinfo").await.json();
    assert_eq!(info["user_id"], client.emulator.org().user_id().as_str());
}
