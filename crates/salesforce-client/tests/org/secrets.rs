//! No secret in anything that can be printed.

use salesforce_client::Org;

use crate::server::{CLIENT_SECRET, REFRESH_TOKEN, Server, account, error, json, settings, token};

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
