//! Authorization codes of the web-server flow, with PKCE (RFC 7636). Pure.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::denied::Denied;

/// How long a code can be exchanged.
const LIFETIME: SignedDuration = SignedDuration::from_mins(15);

/// What a code stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Code {
    pub(crate) redirect_uri: String,
    /// Of the S256 method; there is no other.
    pub(crate) challenge: Option<String>,
    pub(crate) scope: String,
    pub(crate) issued: Timestamp,
}

impl Code {
    /// Checks what is presented with the code. The redirect URI is compared byte for byte.
    pub(crate) fn check(&self, redirect_uri: &str, verifier: Option<&str>, now: Timestamp) -> Result<(), Denied> {
        if now.duration_since(self.issued) >= LIFETIME {
            return Err(Denied::StaleCode);
        }
        if redirect_uri != self.redirect_uri {
            return Err(Denied::WrongRedirect);
        }
        let answered = verifier.map(|verifier| URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)));
        if self.challenge != answered && self.challenge.is_some() {
            return Err(Denied::WrongVerifier);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pair of RFC 7636, appendix B.
    #[test]
    fn proofs() {
        let verifier = Some("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        let challenge = Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".to_owned());
        let at = |minutes: i64| Timestamp::from_second(60 * minutes).unwrap();
        let bare =
            Code { redirect_uri: "http://a/b?c".to_owned(), challenge: None, scope: "api".to_owned(), issued: at(0) };
        let proved = Code { challenge, ..bare.clone() };
        for (code, redirect_uri, verifier, now, expected) in [
            (&bare, "http://a/b?c", None, at(14), Ok(())),
            (&bare, "http://a/b?c", verifier, at(0), Ok(())),
            (&bare, "http://a/b?c", None, at(15), Err(Denied::StaleCode)),
            (&bare, "http://a/b%3Fc", None, at(0), Err(Denied::WrongRedirect)),
            (&proved, "http://a/b?c", verifier, at(0), Ok(())),
            (&proved, "http://a/b?c", Some("guess"), at(0), Err(Denied::WrongVerifier)),
            (&proved, "http://a/b?c", None, at(0), Err(Denied::WrongVerifier)),
        ] {
            assert_eq!(code.check(redirect_uri, verifier, now), expected, "{redirect_uri} {verifier:?} {now}");
        }
    }
}
