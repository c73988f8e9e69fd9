//! A token of one's own for an emulated org.

use reqwest::{Client, Url, header::CONTENT_TYPE};
use salesforce_emulator::{Credentials, Emulator};
use serde_json::Value;

use crate::Result;

/// A fresh access token.
pub(crate) async fn access_token(http: &Client, org: &Emulator) -> Result<String> {
    let Credentials { client_id, client_secret, refresh_token, .. } = org.credentials();
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", client_id),
        ("client_secret", client_secret),
        ("refresh_token", refresh_token),
    ];
    let endpoint = format!("{}/services/oauth2/token", org.url());
    let form = Url::parse_with_params(&endpoint, form)?.query().unwrap_or_default().to_owned();
    let request = http.post(endpoint).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form);
    let reply: Value = serde_json::from_slice(&request.send().await?.error_for_status()?.bytes().await?)?;
    Ok(reply["access_token"].as_str().ok_or("no access token")?.to_owned())
}
