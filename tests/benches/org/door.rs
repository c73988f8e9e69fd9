//! How the connector gets into an emulated org.

use salesforce_emulator::{Credentials, Emulator};
use serde_json::{Value, json};
/// The connector's configuration for an org.
pub(crate) fn config(org: &Emulator) -> Value {
    let Credentials { client_id, client_secret, refresh_token, .. } = org.credentials();
    json!({
        "credentials": { "client_id": client_id, "client_secret": client_secret, "refresh_token": refresh_token },
        "advanced": { "login_url": org.url() },
    })
}
