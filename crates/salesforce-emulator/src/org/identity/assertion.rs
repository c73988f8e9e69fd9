//! The JWT of the JWT bearer grant (RFC 7523), as far as Salesforce reads it. Pure.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use super::denied::Denied;
use super::key::PublicKey;

/// A signed claim to be a user. Nothing in it is checked before it is asked for.
pub(crate) struct Assertion<'a> {
    claims: Claims,
    signed: &'a str,
    signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
}

#[derive(Deserialize)]
struct Claims {
    /// The app's client id.
    iss: String,
    /// The username; older clients call it `prn`.
    #[serde(alias = "prn")]
    sub: String,
    aud: String,
    #[serde(deserialize_with = "seconds")]
    exp: i64,
}

/// A number, or a number in quotes, as simple-salesforce sends it.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    let number = value.as_i64().or_else(|| value.as_str()?.parse().ok());
    number.ok_or_else(|| serde::de::Error::custom("no number of seconds"))
}

impl<'a> Assertion<'a> {
    /// Takes a compact JWT apart. Only RS256 is known.
    pub(crate) fn parse(jwt: &'a str) -> Result<Self, Denied> {
        Self::taken_apart(jwt).ok_or(Denied::BadAssertion)
    }

    fn taken_apart(jwt: &'a str) -> Option<Self> {
        let (signed, signature) = jwt.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        let header: Header = serde_json::from_slice(&decode(header)?).ok()?;
        let claims = serde_json::from_slice(&decode(claims)?).ok()?;
        (header.alg == "RS256").then_some(Self { claims, signed, signature: decode(signature)? })
    }

    /// Whose app signed it, by its own word.
    pub(crate) fn issuer(&self) -> &str {
        &self.claims.iss
    }

    /// Whom it speaks for.
    pub(crate) fn username(&self) -> &str {
        &self.claims.sub
    }

    /// Checks the signature, for whom it was made, and that it ends within `longest` from now. Ends are whole seconds,
    /// which clients round up as well as down.
    pub(crate) fn check(
        &self,
        key: &PublicKey,
        audiences: &[String],
        now: Timestamp,
        longest: Duration,
    ) -> Result<(), Denied> {
        if !key.has_signed(self.signed.as_bytes(), &self.signature) {
            return Err(Denied::BadAssertion);
        }
        if !audiences.contains(&self.claims.aud) {
            return Err(Denied::WrongAudience);
        }
        let left = self.claims.exp.saturating_sub(now.as_second());
        let most = longest.as_secs() + u64::from(now.subsec_nanosecond() > 0);
        if left <= 0 || u64::try_from(left).is_ok_and(|left| left > most) {
            return Err(Denied::StaleAssertion);
        }
        Ok(())
    }
}
