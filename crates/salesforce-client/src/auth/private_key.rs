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
const CANNOT_SIGN: &str = "it is damaged, or shorter than the 2,048 bits that RS256 asks for: paste it anew, or make a longer key and upload its \
                           certificate to the app";
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
        Err(_) => Err(CANNOT_SIGN),
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

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_STANDARD};
    use proptest::prelude::*;

    use super::*;

    macro_rules! fixture {
        ($name:literal) => {
            include_str!(concat!("../../tests/fixtures/keys/", $name))
        };
        (base64 $name:literal) => {
            BASE64_STANDARD.encode(include_bytes!(concat!("../../tests/fixtures/keys/", $name)))
        };
    }

    const RSA: &str = fixture!("rsa.pem");

    fn open_sesame() -> SecretString {
        "open-sesame".into()
    }

    /// That it is the key of the fixtures: RS256 signs the same text alike every time.
    fn assert_same(key: &PrivateKey, from: &str) {
        let signed = |key: &PrivateKey| key.sign(&"same").unwrap().expose_secret().to_owned();
        assert_eq!(signed(key), signed(&PrivateKey::from_pem(RSA).unwrap()), "{from}");
        assert_eq!(format!("{key:?}"), "PrivateKey([REDACTED])");
    }

    #[test]
    fn keys_in_pem() {
        let certificate_first = format!("Bag Attributes\n    x: y\n{}{RSA}", fixture!("rsa-certificate.pem"));
        let mislabelled = RSA.replace("PRIVATE KEY", "RSA PRIVATE KEY");
        for text in [
            RSA,
            fixture!("rsa-pkcs1.pem"),
            &RSA.replace('\n', "\r\n"),
            &RSA.replace('\n', "\\n"),
            &RSA.replace('\n', "\\r\\n"),
            &RSA.replace('\n', " "),
            &RSA.replace('\n', "\n   "),
            &format!("\n \t{}\n\n", RSA.trim()),
            &certificate_first,
            &mislabelled,
        ] {
            let key = PrivateKey::from_pem(text).unwrap_or_else(|error| panic!("{error}: {text}"));
            assert_same(&key, text);
        }
    }

    #[test]
    fn what_is_no_key_in_pem_is_told_what_it_is() {
        let not_base64 = RSA.replacen("MII", "MI?", 1);
        let damaged = RSA.replacen("MII", "MIA", 1);
        let (cut_off, _) = RSA.rsplit_once("-----END").unwrap();
        let refusals = [
            ("nothing", ""),
            ("some text", "canary"),
            ("base64 alone", RSA.lines().nth(1).unwrap()),
            ("cut off", cut_off),
            ("not base64", &not_base64),
            ("damaged", &damaged),
            ("empty", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----"),
            ("garbage", "-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----"),
            ("1,024 bits", fixture!("rsa-1024.pem")),
            ("encrypted", fixture!("rsa-encrypted.pem")),
            ("encrypted, PKCS#1", fixture!("rsa-pkcs1-encrypted.pem")),
            ("certificate", fixture!("rsa-certificate.pem")),
            ("certificate request", fixture!("rsa-request.pem")),
            ("public key", fixture!("rsa-public.pem")),
            ("elliptic curve", fixture!("ec.pem")),
            ("elliptic curve, SEC1", fixture!("ec-sec1.pem")),
            ("Ed25519", fixture!("ed25519.pem")),
            ("OpenSSH", "-----BEGIN OPENSSH PRIVATE KEY-----\nY2FuYXJ5\n-----END OPENSSH PRIVATE KEY-----"),
            ("PGP", "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nY2FuYXJ5\n-----END PGP PRIVATE KEY BLOCK-----"),
        ]
        .map(|(what, text)| format!("{what}: {}", PrivateKey::from_pem(text).expect_err(what)));
        insta::assert_snapshot!(refusals.join("\n"));
    }

    #[test]
    fn keys_in_pkcs12() {
        let plain = fixture!(base64 "rsa.p12");
        let lines: Vec<_> = plain.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
        for (file, passphrase) in [
            (plain.clone(), open_sesame()),
            (lines.join("\r\n"), open_sesame()),
            (lines.join("\\n"), open_sesame()),
            (fixture!(base64 "rsa-3des.p12"), open_sesame()),
            (fixture!(base64 "rsa-no-mac.p12"), open_sesame()),
            (fixture!(base64 "rsa-no-passphrase.p12"), SecretString::default()),
        ] {
            let key = PrivateKey::from_pkcs12(&file, &passphrase).unwrap_or_else(|error| panic!("{error}: {file}"));
            assert_same(&key, &file);
        }
    }

    #[test]
    fn what_is_no_key_in_pkcs12_is_told_what_it_is() {
        let jks = BASE64_STANDARD.encode(b"\xFE\xED\xFE\xED\0\0\0\x02");
        let whole = fixture!(base64 "rsa.p12");
        let refusals = [
            ("nothing", "", "canary"),
            ("no base64", "canary?", "canary"),
            ("PEM", RSA, "canary"),
            ("some bytes", "Y2FuYXJ5", "canary"),
            ("cut off", &whole[..whole.len() / 8 * 4], "open-sesame"),
            ("Java keystore", &jks, "canary"),
            ("wrong passphrase", &whole, "canary"),
            ("no passphrase", &whole, ""),
            ("wrong passphrase, 3DES", &fixture!(base64 "rsa-3des.p12"), "canary"),
            ("wrong passphrase, no MAC", &fixture!(base64 "rsa-no-mac.p12"), "canary"),
            ("certificate alone", &fixture!(base64 "certificate.p12"), "open-sesame"),
            ("elliptic curve", &fixture!(base64 "ec.p12"), "open-sesame"),
        ]
        .map(|(what, text, passphrase)| {
            format!("{what}: {}", PrivateKey::from_pkcs12(text, &passphrase.into()).expect_err(what))
        });
        insta::assert_snapshot!(refusals.join("\n"));
    }

    proptest! {
        /// The parsers below are others'; whatever they are fed, the answer is an error of ours.
        #[test]
        fn bytes_are_refused_and_not_repeated(bytes in proptest::collection::vec(any::<u8>(), 1..300), cut in 0_usize..2515) {
            let base64 = BASE64_STANDARD.encode(&bytes);
            let pem = format!("-----BEGIN PRIVATE KEY-----\n{base64}\n-----END PRIVATE KEY-----");
            prop_assert!(PrivateKey::from_pem(&pem).is_err());
            prop_assert!(PrivateKey::from_pkcs12(&base64, &open_sesame()).is_err());
            let part = &include_bytes!("../../tests/fixtures/keys/rsa.p12")[..cut];
            prop_assert!(PrivateKey::from_pkcs12(&BASE64_STANDARD.encode(part), &open_sesame()).is_err());
        }
    }
}
