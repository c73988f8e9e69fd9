//! The ways to sign in, as a user writes them.

use salesforce_emulator::Credentials;
use serde_json::{Value, json};

/// The passphrase of [`PKCS12`].
pub(crate) const PASSPHRASE: &str = "correct-horse#battery+staple";

/// The key of emulated orgs as a PKCS#12 file.
pub(crate) const PKCS12: &str = include_str!("../fixtures/emulator-key.p12.base64");

/// A way to sign in.
pub(crate) struct Way {
    /// What it is called here.
    pub(crate) name: &'static str,
    /// Its member `credentials` in the config.
    pub(crate) credentials: fn(&Credentials) -> Value,
    /// Whether Salesforce is ending it.
    pub(crate) ends: bool,
}

/// All ways; each form of writing one is a way of its own.
pub(crate) const WAYS: [Way; 7] = [
    Way {
        name: "refresh token",
        credentials: |it| {
            let (id, secret, token) = (&it.client_id, &it.client_secret, &it.refresh_token);
            json!({ "client_id": id, "client_secret": secret, "refresh_token": token })
        },
        ends: false,
    },
    Way {
        name: "refresh token, by its title",
        credentials: |it| {
            let (id, secret, token) = (&it.client_id, &it.client_secret, &it.refresh_token);
            let title = "OAuth Credentials";
            json!({ "credentials_title": title, "client_id": id, "client_secret": secret, "refresh_token": token })
        },
        ends: false,
    },
    Way {
        name: "client credentials",
        credentials: |it| json!({ "client_id": it.client_id, "client_secret": it.client_secret }),
        ends: false,
    },
    Way {
        name: "JWT bearer",
        credentials: |it| json!({ "client_id": it.client_id, "username": it.username, "private_key": it.private_key }),
        ends: false,
    },
    Way {
        name: "JWT bearer, PKCS#12",
        credentials: |it| {
            let (id, name) = (&it.client_id, &it.username);
            json!({ "client_id": id, "username": name, "private_key": PKCS12, "passphrase": PASSPHRASE })
        },
        ends: false,
    },
    Way {
        name: "user name and password, with an app",
        credentials: |it| {
            let mut credentials = without_app(it);
            credentials["client_id"] = json!(it.client_id);
            credentials["client_secret"] = json!(it.client_secret);
            credentials
        },
        ends: true,
    },
    Way { name: "user name and password, without an app", credentials: without_app, ends: true },
];

fn without_app(it: &Credentials) -> Value {
    json!({ "username": it.username, "password": it.password, "security_token": it.security_token })
}
