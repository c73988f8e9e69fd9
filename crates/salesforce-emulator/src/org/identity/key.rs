//! The public key an app has registered.

use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// An RSA key that RS256 signatures are checked with.
#[derive(Debug)]
pub(crate) struct PublicKey(ParsedPublicKey);

/// What was to be registered is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected PEM text of a certificate or public key, RSA of 2048 to 8192 bits")]
pub struct KeyError;

impl PublicKey {
    /// Reads the first block of PEM text: `CERTIFICATE`, `PUBLIC KEY` or `RSA PUBLIC KEY`.
    pub(crate) fn from_pem(text: &str) -> Result<Self, KeyError> {
        let (label, der) = decode(text).ok_or(KeyError)?;
        let key = match label {
            "CERTIFICATE" => key_of_certificate(&der).ok_or(KeyError)?,
            "PUBLIC KEY" | "RSA PUBLIC KEY" => &der,
            _ => return Err(KeyError),
        };
        ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key).map(Self).map_err(|_| KeyError)
    }

    /// Did the owner of the key sign this, with RSASSA-PKCS1-v1_5 over SHA-256?
    pub(crate) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify_sig(message, signature).is_ok()
    }
}

/// Label and contents of the first PEM block (RFC 7468).
fn decode(text: &str) -> Option<(&str, Vec<u8>)> {
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (label, rest) = rest.split_once("-----")?;
    let (body, _) = rest.split_once("-----END ")?;
    let base64: String = body.chars().filter(|character| !character.is_whitespace()).collect();
    Some((label, STANDARD.decode(base64).ok()?))
}

/// The `subjectPublicKeyInfo` of an X.509 certificate (RFC 5280, 4.1): what follows serial number, algorithm, issuer,
/// validity and subject, before which newer certificates have their version.
fn key_of_certificate(der: &[u8]) -> Option<&[u8]> {
    const VERSION: u8 = 0xA0;
    let certificate = Element::first(der)?;
    let mut rest = Element::first(certificate.contents)?.contents;
    if rest.first() == Some(&VERSION) {
        rest = Element::first(rest)?.rest;
    }
    for _ in 0..5 {
        rest = Element::first(rest)?.rest;
    }
    Some(Element::first(rest)?.whole)
}

/// A DER element (X.690, 8.1) and what comes after it.
struct Element<'a> {
    whole: &'a [u8],
    contents: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Element<'a> {
    fn first(der: &'a [u8]) -> Option<Self> {
        let short = usize::from(*der.get(1)?);
        let (head, length) = match short {
            0..=0x7F => (2, short),
            0x81..=0x83 => {
                let digits = der.get(2..2 + (short & 0x7F))?;
                (2 + digits.len(), digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)))
            }
            _ => return None,
        };
        let (whole, rest) = der.split_at_checked(head + length)?;
        Some(Self { whole, contents: &whole[head..], rest })
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::AsDer as _;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
    use proptest::prelude::*;

    use super::*;
    use crate::org::identity::credentials::{CERTIFICATE, PRIVATE_KEY};

    fn pem(label: &str, der: &[u8]) -> String {
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
    }

    #[test]
    fn keys_in_every_wrapping() {
        let pair = RsaKeyPair::from_pkcs8(&decode(PRIVATE_KEY).unwrap().1).unwrap();
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), b"message", &mut signature).unwrap();
        let public = pair.public_key();
        for text in [
            CERTIFICATE.to_owned(),
            pem("PUBLIC KEY", public.as_der().unwrap().as_ref()),
            pem("RSA PUBLIC KEY", public.as_ref()),
        ] {
            let key = PublicKey::from_pem(&text).unwrap();
            assert!(key.has_signed(b"message", &signature));
            assert!(!key.has_signed(b"another", &signature));
        }
    }

    #[test]
    fn what_is_no_key() {
        for text in ["", "key", PRIVATE_KEY, &pem("CERTIFICATE", b"\x30\x84"), &pem("PUBLIC KEY", b"")] {
            assert_eq!(PublicKey::from_pem(text).err(), Some(KeyError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_certificates_never_panic(mut der in proptest::collection::vec(any::<u8>(), 0..64), cut in 0_usize..900) {
            let _ = key_of_certificate(&der);
            let (_, certificate) = decode(CERTIFICATE).unwrap();
            der.splice(..0, certificate[..cut.min(certificate.len())].iter().copied());
            let _ = key_of_certificate(&der);
        }
    }
}
