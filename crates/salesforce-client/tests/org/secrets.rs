//! No secret in anything that can be printed.

use salesforce_client::{Credentials, Network, Org, Settings};

use crate::{
    grants::{client_credentials, jwt_bearer, password, soap},
    server::{CLIENT_SECRET, REFRESH_TOKEN, Server, account, error, json, settings, token},
};

const ACCESS: &str = "00D!access-canary";
const ROTATED: &str = "rotated-canary";

#[tokio::test]
async fn debug_shows_no_secret() {
    let server = Server::start(|seen| async move {
        if seen.path.ends_with("/token") {
            let mut reply = token(&seen.origin(), ACCESS);
            reply["refresh_token"] = ROTATED.into();
            json(200, &reply)
        } else {
            error(401, "INVALID_SESSION_ID", "Session expired or invalid")
        }
    })
    .await;
    let settings = settings(server.url());
    let before = format!("{settings:?} {:?}", settings.credentials);
    let org = Org::new(settings).expect("an org");
    let token = org.token().await.expect("a token");
    assert_eq!(token.bearer().to_str().ok(), Some("Bearer 00D!access-canary"));
    let failed = org.describe(&account()).await.expect_err("a refusal");

    let shown = format!("{before} {org:?} {token:?} {:?} {failed} {failed:?}", token.bearer());
    for secret in [REFRESH_TOKEN, CLIENT_SECRET, ACCESS, ROTATED] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    assert!(shown.contains("REDACTED"));
}

/// Every kind of credentials, at rest, in an org, and in the error when it is refused in words nobody knows.
#[tokio::test]
async fn no_grant_shows_its_secrets() {
    let key = include_str!("../fixtures/keys/rsa.pem").lines().nth(1).expect("a line");
    for credentials in [client_credentials(), jwt_bearer(), password(Some("token-canary")), soap(Some("token-canary"))]
    {
        let server = Server::start(|_| async { error(418, "TEAPOT", "short and stout") }).await;
        let proxy = Some("http://user:proxy-canary@127.0.0.1:9".parse().unwrap());
        let at_rest = Settings { network: Network { proxy, ..Network::default() }, ..settings(server.url()) };
        let settings = Settings { credentials, ..settings(server.url()) };
        let before = format!("{:?} {settings:?} {:#?}", at_rest.network, settings.credentials);
        let is_soap = matches!(settings.credentials, Credentials::Soap { .. });
        let org = Org::new(settings).expect("an org");
        let refused = org.token().await.expect_err("a refusal");
        assert_eq!(server.count(if is_soap { "/services/Soap/" } else { "/services/oauth2/" }), 1);

        let shown = format!("{before} {org:?} {refused} {refused:?}");
        for secret in ["canary", CLIENT_SECRET, key, "BEGIN"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
        assert!(shown.contains("REDACTED"));
    }
}
