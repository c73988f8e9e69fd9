//! SOAP, for the little that REST does not offer: the envelope around what is asked, and the fault in a reply.

use quick_xml::escape::escape;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::failure::Fault;

/// The namespace of what the partner API is asked.
pub(crate) const PARTNER: &str = "urn:partner.soap.sforce.com";

/// An envelope for a session. It holds the session: never to be shown.
pub(crate) fn envelope(session: &SecretString, asked: &str) -> String {
    let session = escape(session.expose_secret());
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/"><env:Header><SessionHeader xmlns="{PARTNER}"><sessionId>{session}</sessionId></SessionHeader></env:Header><env:Body>{asked}</env:Body></env:Envelope>"#
    )
}

/// The fault in the body of a reply, if it is one.
pub(crate) fn fault(body: &[u8]) -> Option<Fault> {
    #[derive(Deserialize)]
    struct Envelope {
        #[serde(rename = "Body")]
        body: Body,
    }

    #[derive(Deserialize)]
    struct Body {
        #[serde(rename = "Fault")]
        fault: Told,
    }

    /// Code and text are repeated in its detail.
    #[derive(Deserialize)]
    struct Told {
        /// `INVALID_LOGIN`, with a namespace before it in old versions.
        faultcode: String,
        /// `INVALID_LOGIN: Invalid username, …`.
        faultstring: String,
    }

    let envelope: Envelope = quick_xml::de::from_str(std::str::from_utf8(body).ok()?).ok()?;
    let Told { faultcode, faultstring } = envelope.body.fault;
    let code = faultcode.rsplit(':').next().unwrap_or(&faultcode);
    Some(Fault::new(code, faultstring.trim_start_matches(code).trim_start_matches(": ")))
}
