//! The JWT bearer grant: an assertion signed with the key whose certificate the app holds.

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use serde::Serialize;

use super::{PrivateKey, endpoint::Endpoint, token::Token};
use crate::Error;

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// How long an assertion lives. Salesforce takes three minutes at most by its own clock; this one may go wrong by a
/// minute.
const LIFE: SignedDuration = SignedDuration::from_secs(120);

/// `grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer`.
pub(super) async fn exchange(
    endpoint: &Endpoint<'_>,
    client_id: &str,
    username: &str,
    key: &PrivateKey,
    audience: &str,
) -> Result<Token, Error> {
    #[expect(clippy::disallowed_methods, reason = "the assertion is made here, at the edge, and lives by the clock")]
    let now = Timestamp::now();
    let assertion = key
        .sign(&claims(client_id, username, audience, now))
        .map_err(|_| Error::invalid_unseen("private key", "it cannot sign"))?;
    endpoint.extension(&[("grant_type", GRANT_TYPE), ("assertion", assertion.expose_secret())]).await
}

/// What the assertion says.
#[derive(Serialize)]
struct Claims<'a> {
    /// The app's consumer key.
    iss: &'a str,
    /// Whom to sign in.
    sub: &'a str,
    /// The login host that is meant.
    aud: &'a str,
    /// The end of its life, in seconds since 1970.
    exp: i64,
}

fn claims<'a>(client_id: &'a str, username: &'a str, audience: &'a str, now: Timestamp) -> Claims<'a> {
    Claims { iss: client_id, sub: username, aud: audience, exp: now.as_second() + LIFE.as_secs() }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{Algorithm, DecodingKey, Validation, jwk::Jwk};
    use serde_json::Value;

    use super::*;

    /// The whole assertion, verified with the public key.
    #[test]
    fn an_assertion_is_signed_and_ends_within_three_minutes() {
        let now = "2024-01-02T03:04:05.9Z".parse().unwrap();
        let claims = claims("3MVG9", "reader@acme.example", "https://login.salesforce.com", now);
        let key = PrivateKey::from_pem(include_str!("../../tests/fixtures/keys/rsa.pem")).unwrap();
        let assertion = key.sign(&claims).unwrap();

        let public: Jwk = serde_json::from_str(include_str!("../../tests/fixtures/keys/rsa-public.jwk.json")).unwrap();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_audience(&["https://login.salesforce.com"]);
        validation.validate_exp = false;
        let public = DecodingKey::from_jwk(&public).unwrap();
        let read = jsonwebtoken::decode::<Value>(assertion.expose_secret(), &public, &validation).unwrap();
        insta::assert_json_snapshot!((&read.header, &read.claims), @r#"
        [
          {
            "typ": "JWT",
            "alg": "RS256"
          },
          {
            "iss": "3MVG9",
            "sub": "reader@acme.example",
            "aud": "https://login.salesforce.com",
            "exp": 1704164765
          }
        ]
        "#);
        assert_eq!(read.claims["exp"].as_i64().unwrap() - now.as_second(), 120);
    }
}
