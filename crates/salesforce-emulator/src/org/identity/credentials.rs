//! The names and secrets of an org's app and first user.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::org::Id;

/// The key pair of the app as the org starts; `keys/ORIGIN.md` tells where it comes from.
pub(super) const PRIVATE_KEY: &str = include_str!("../../../keys/private_key.pem");
pub(super) const CERTIFICATE: &str = include_str!("../../../keys/certificate.pem");

/// What a client needs to sign in, drawn from the seed. Serialised as the line the binary prints.
#[derive(Clone, Serialize)]
#[expect(missing_docs, reason = "the names are those of OAuth and of Salesforce's user interface")]
pub struct Credentials {
    pub client_id: String,
    pub client_secret: String,
    pub refresh_token: String,
    pub username: String,
    pub password: String,
    pub security_token: String,
    /// PKCS #8, as PEM text: signs assertions of the JWT bearer grant. The same in every org; it protects nothing.
    pub private_key: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

impl Credentials {
    /// Those of an org: the same seed gives the same.
    pub(super) fn drawn(seed: u64, org_id: Id) -> Self {
        let text = |label: &str, length: usize| opaque(seed, label, 0, length);
        Self {
            client_id: format!("3MVG9{}", text("client_id", 80)),
            client_secret: data_encoding::HEXUPPER.encode(&hash(seed, "client_secret", 0)),
            refresh_token: format!("5Aep861{}", text("refresh_token", 80)),
            username: format!("admin@{}.example.com", org_id.short().to_lowercase()),
            password: text("password", 16).replace(['.', '_'], "x"),
            security_token: text("security_token", 24).replace(['.', '_'], "x"),
            private_key: PRIVATE_KEY.to_owned(),
        }
    }

    /// Base64 of the HMAC-SHA256 of `message`, keyed with the client secret, as token replies carry it.
    pub(crate) fn sign(&self, message: &str) -> String {
        let mut key = [0_u8; 64];
        let secret = self.client_secret.as_bytes();
        key[..secret.len().min(64)].copy_from_slice(&secret[..secret.len().min(64)]);
        let inner = Sha256::new().chain_update(key.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
        STANDARD.encode(Sha256::new().chain_update(key.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize())
    }
}

fn hash(seed: u64, label: &str, number: u64) -> [u8; 32] {
    Sha256::new()
        .chain_update(seed.to_be_bytes())
        .chain_update(label)
        .chain_update(number.to_be_bytes())
        .finalize()
        .into()
}

/// Text that looks like Salesforce's secrets: letters, digits, dots and underscores.
pub(super) fn opaque(seed: u64, label: &str, number: u64, length: usize) -> String {
    let mut text = String::new();
    for round in 0.. {
        text.push_str(&STANDARD_NO_PAD.encode(hash(seed, &format!("{label}/{round}"), number)));
        if text.len() >= length {
            break;
        }
    }
    text.truncate(length);
    text.replace('+', ".").replace('/', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 2, with the key in place of the secret.
    #[test]
    fn signature() {
        let mut credentials = Credentials::drawn(1, Id::parse("00D5f0000000001").unwrap());
        credentials.client_secret = "Jefe".to_owned();
        let expected = data_encoding::HEXLOWER
            .decode(b"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
            .unwrap();
        assert_eq!(credentials.sign("what do ya want for nothing?"), STANDARD.encode(expected));
    }
}
