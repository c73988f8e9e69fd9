//! The private key an app's certificate belongs to, from the forms people keep it in.

use std::fmt;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use p12_keystore::Pkcs12Archive;
use pkcs8::{ObjectIdentifier, PrivateKeyInfoRef};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::{
    Error,
    pem::{self, Block, Broken},
};

/// An RSA key to sign assertions with, of 2,048 bits at least. Its `Debug` shows nothing of it.
#[derive(Clone)]
pub struct PrivateKey(EncodingKey);

impl PrivateKey {
    /// Reads a key in PEM: PKCS#8 (`BEGIN PRIVATE KEY`) or PKCS#1 (`BEGIN RSA PRIVATE KEY`), without a passphrase. Line
    /// breaks may be lost or spelled `\n`, as web forms leave them; other blocks beside the key are passed over.
    ///
    /// # Errors
    /// [`Error::Invalid`], which says what the text is instead and what to do, and never repeats any of it.
    pub fn from_pem(text: &str) -> Result<PrivateKey, Error> {
        read_pem(text).map_err(|why| Error::invalid_unseen("private key", why))
    }

    /// Reads a PKCS#12 file (`.p12`, `.pfx`) in base64: the first private key in it. A file without a passphrase has an
    /// empty one.
    ///
    /// # Errors
    /// As [`PrivateKey::from_pem`].
    pub fn from_pkcs12(base64: &str, passphrase: &SecretString) -> Result<PrivateKey, Error> {
        read_pkcs12(base64, passphrase.expose_secret()).map_err(|why| Error::invalid_unseen("PKCS#12 file", why))
    }

    /// The claims as a signed token: RS256, the only algorithm that Salesforce verifies.
    pub(super) fn sign(&self, claims: &impl Serialize) -> jsonwebtoken::errors::Result<SecretString> {
        jsonwebtoken::encode(&Header::new(Algorithm::RS256), claims, &self.0).map(SecretString::from)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey([REDACTED])")
    }
}

const EC: &str = "it is an elliptic-curve key, and Salesforce verifies RS256 only: make an RSA key of 2,048 bits or more, and \
                  upload its certificate to the app";
const ENCRYPTED: &str = "it is encrypted: remove its passphrase with openssl pkey -in KEY.pem, or give it as a PKCS#12 file \
                         with its passphrase";

fn read_pem(text: &str) -> Result<PrivateKey, &'static str> {
    let broken = |broken| match broken {
        Broken::CutOff => "it is cut off: paste the whole file, to the end of its -----END line",
        Broken::NotBase64 => "what stands between its first and its last line is no base64: paste the file as it is",
    };
    let blocks = pem::blocks(text).map_err(broken)?;
    let Some(block) = blocks.iter().find(|block| block.label.ends_with("PRIVATE KEY")).or(blocks.first()) else {
        return Err(
            "it has no -----BEGIN PRIVATE KEY----- line: paste the whole PEM file, its first and last line too",
        );
    };
    if let Some(why) = is_no_key(block) {
        return Err(why);
    }
    read_der(&block.der().map_err(broken)?)
}

/// Why a block is no private key to sign with, as far as its label and headers tell.
fn is_no_key(block: &Block<'_>) -> Option<&'static str> {
    let why = match block.label {
        "ENCRYPTED PRIVATE KEY" => ENCRYPTED,
        "PRIVATE KEY" | "RSA PRIVATE KEY" if block.is_encrypted() => ENCRYPTED,
        "PRIVATE KEY" | "RSA PRIVATE KEY" => return None,
        "EC PRIVATE KEY" => EC,
        "OPENSSH PRIVATE KEY" => {
            "it is in OpenSSH's own format: convert a copy of it with ssh-keygen -p -m PEM -N '' -f COPY"
        }
        "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => {
            "it is a certificate, which the app in Salesforce holds: paste the private key it was made with"
        }
        "PUBLIC KEY" | "RSA PUBLIC KEY" => "it is a public key: paste the private key it belongs to",
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => {
            "it is a certificate request: paste the private key it was made with"
        }
        _ => "it is no private key: an RSA key in PEM begins with -----BEGIN PRIVATE KEY-----",
    };
    Some(why)
}

/// A key in DER, PKCS#8 or PKCS#1; labels have been seen to lie about which.
fn read_der(der: &[u8]) -> Result<PrivateKey, &'static str> {
    const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
    const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
    let pkcs1 = match PrivateKeyInfoRef::try_from(der) {
        Ok(info) => match info.algorithm.oid {
            RSA_ENCRYPTION => info.private_key.as_bytes(),
            EC_PUBLIC_KEY => return Err(EC),
            _ => return Err("it is no RSA key, and Salesforce verifies RS256 only"),
        },
        Err(_) => der,
    };
    let key = PrivateKey(EncodingKey::from_rsa_der(pkcs1));
    // The library looks into the bytes when it signs: a key that cannot is found out here, not at the first sign-in.
    match key.sign(&()) {
        Ok(_) => Ok(key),
        Err(_) => {
            Err("the key is damaged, or shorter than the 2,048 bits that RS256 asks for: make a new one, and upload \
                       its certificate to the app")
        }
    }
}

fn read_pkcs12(base64: &str, passphrase: &str) -> Result<PrivateKey, &'static str> {
    use p12_keystore::error::Error as Pkcs12;
    const JAVA_KEYSTORE: [u8; 4] = [0xFE, 0xED, 0xFE, 0xED];
    if base64.contains("-----BEGIN ") {
        return Err("it is PEM text, which needs no passphrase: give it as a private key in PEM");
    }
    let file =
        pem::decode(base64).ok_or("it is no base64: encode the .p12 or .pfx file, as with base64 -w0 KEY.p12")?;
    if file.starts_with(&JAVA_KEYSTORE) {
        return Err("it is a Java keystore, as Salesforce exports them: convert it with keytool -importkeystore \
                    -srckeystore KEY.jks -destkeystore KEY.p12 -deststoretype PKCS12");
    }
    let archive = Pkcs12Archive::from_pkcs12(&file, passphrase).map_err(|error| match error {
        Pkcs12::MacError(_) | Pkcs12::Pkcs5Error(_) | Pkcs12::UnpadError => "the passphrase is wrong",
        Pkcs12::UnsupportedEncryptionScheme | Pkcs12::UnsupportedMacAlgorithm => {
            "it is protected in a way that is not supported: export it anew with AES-256 and SHA-256, as openssl pkcs12 \
             -export does"
        }
        _ => "it is no PKCS#12 file, or a damaged one",
    })?;
    let Some(found) = archive.keys.first() else {
        return Err("there is no private key in it: export the certificate together with its key");
    };
    read_der(found.key.as_der())
}
