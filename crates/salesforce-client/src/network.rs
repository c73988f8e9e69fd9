//! What stands between this machine and Salesforce: a proxy, and root certificates of the house.

use std::{fmt, str::FromStr};

use url::Url;

use crate::{
    Error,
    pem::{self, Broken},
};

/// How to get out of the house. By default as the environment says: `HTTPS_PROXY`, `HTTP_PROXY` or `ALL_PROXY`, except
/// for the hosts in `NO_PROXY`, a list with commas of domains (which stand for all below them too), addresses and
/// networks, or `*`. Loopback addresses are no exception unless they stand there.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// The proxy for everything, in place of those the environment names; `NO_PROXY` has no say in it.
    pub proxy: Option<Proxy>,
    /// Trusted beside the roots of the system.
    pub root_certificates: Vec<RootCertificate>,
}

/// An HTTP proxy. What is encrypted passes through it as a tunnel.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy(Url);

impl Proxy {
    /// Its URL, user name and password included.
    pub(crate) fn url(&self) -> &Url {
        &self.0
    }
}

/// `http://[USER:PASSWORD@]HOST[:PORT]`, or https if the way to the proxy is encrypted itself. Errors do not repeat the
/// text.
impl FromStr for Proxy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let invalid = |why| Error::invalid_unseen("proxy URL", why);
        let url =
            Url::parse(text.trim()).map_err(|_| invalid("it is not a URL such as http://proxy.acme.example:3128"))?;
        match url.scheme() {
            "http" | "https" => {}
            "socks" | "socks4" | "socks4a" | "socks5" | "socks5h" => {
                return Err(invalid("SOCKS is not spoken here; give the URL of an HTTP proxy"));
            }
            _ => return Err(invalid("it begins with http:// or https://")),
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(invalid(
                "it ends with the host or port, without a path; special characters in a password are percent-encoded",
            ));
        }
        Ok(Proxy(url))
    }
}

/// Without user name and password.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({}://{})", self.0.scheme(), crate::host::shown_host(&self.0))
    }
}

/// One or several root certificates, as a bundle in PEM holds them.
#[derive(Clone)]
pub struct RootCertificate(Vec<reqwest::Certificate>);

impl RootCertificate {
    /// For the HTTP client.
    pub(crate) fn certificates(&self) -> impl Iterator<Item = reqwest::Certificate> {
        self.0.iter().cloned()
    }
}

/// PEM with at least one `BEGIN CERTIFICATE`; line breaks may be lost, as in web forms. Errors do not repeat the text.
impl FromStr for RootCertificate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        certificates(text).map(RootCertificate).map_err(|why| Error::invalid_unseen("root certificate", why))
    }
}

impl fmt::Debug for RootCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RootCertificate({} in PEM)", self.0.len())
    }
}

fn certificates(text: &str) -> Result<Vec<reqwest::Certificate>, &'static str> {
    const NO_CERTIFICATE: &str = "one of them is no X.509 certificate, or a damaged one";
    let blocks = pem::blocks(text).map_err(|broken| match broken {
        Broken::CutOff => "it is cut off: paste the whole file, to the end of its last -----END line",
        Broken::NotBase64 => NO_CERTIFICATE,
    })?;
    if blocks.iter().any(|block| block.label.ends_with("PRIVATE KEY")) {
        return Err("it holds a private key, which nobody needs here: paste the certificates alone");
    }
    let certificates = blocks
        .iter()
        .filter(|block| matches!(block.label, "CERTIFICATE" | "X509 CERTIFICATE"))
        .map(|block| {
            let der = block.der().map_err(|_| NO_CERTIFICATE)?;
            // The HTTP client looks into it only when all is put together, and cannot tell which was wrong.
            p12_keystore::Certificate::from_der(&der).map_err(|_| NO_CERTIFICATE)?;
            reqwest::Certificate::from_der(&der).map_err(|_| NO_CERTIFICATE)
        })
        .collect::<Result<Vec<_>, _>>()?;
    if certificates.is_empty() {
        return Err("there is no -----BEGIN CERTIFICATE----- in it: paste certificates in PEM");
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! fixture {
        ($name:literal) => {
            include_str!(concat!("../tests/fixtures/keys/", $name))
        };
    }

    #[test]
    fn proxies() {
        for (text, expect) in [
            ("http://proxy.acme.example:3128", Ok("Proxy(http://proxy.acme.example:3128)")),
            (" http://proxy.acme.example/ ", Ok("Proxy(http://proxy.acme.example)")),
            ("https://user:canary@proxy.acme.example", Ok("Proxy(https://proxy.acme.example)")),
            ("http://canary%40:canary@[::1]:3128", Ok("Proxy(http://[::1]:3128)")),
            ("", Err("not a URL")),
            ("proxy.acme.example", Err("not a URL")),
            ("canary:3128", Err("begins with http")),
            ("http://", Err("not a URL")),
            ("socks5h://user:canary@proxy.acme.example", Err("SOCKS")),
            ("ftp://canary", Err("begins with http")),
            ("http://proxy.acme.example/canary", Err("without a path")),
            ("http://user:can/ary@proxy.acme.example", Err("")),
        ] {
            let shown = match (text.parse::<Proxy>(), expect) {
                (Ok(proxy), Ok(expect)) => {
                    let shown = format!("{proxy:?}");
                    assert_eq!(shown, expect);
                    shown
                }
                (Err(error), Err(expect)) => {
                    assert!(error.to_string().contains(expect), "{text}: {error}");
                    format!("{error} {error:?}")
                }
                (got, expect) => panic!("{text}: {got:?}, not {expect:?}"),
            };
            assert!(!shown.contains("canary"), "{shown}");
        }
    }

    #[test]
    fn root_certificates() {
        let one = fixture!("rsa-certificate.pem");
        for (text, certificates) in [
            (one, 1),
            (&one.replace('\n', "\\n"), 1),
            (&format!("# the root\n{one}\n# and again\n{one}"), 2),
            (&format!("{}{one}", fixture!("rsa-public.pem")), 1),
        ] {
            let read: RootCertificate = text.parse().unwrap_or_else(|error| panic!("{error}: {text}"));
            assert_eq!(read.certificates().count(), certificates, "{text}");
        }
        let with_key = format!("{one}{}", fixture!("rsa.pem"));
        let damaged = one.replacen("MII", "MIA", 1);
        for (text, expect) in [
            ("", "no -----BEGIN CERTIFICATE-----"),
            ("canary", "no -----BEGIN CERTIFICATE-----"),
            (fixture!("rsa-public.pem"), "no -----BEGIN CERTIFICATE-----"),
            (fixture!("rsa.pem"), "private key"),
            (fixture!("rsa-encrypted.pem"), "private key"),
            (&with_key, "private key"),
            (&damaged, "no X.509 certificate"),
            ("-----BEGIN CERTIFICATE-----\ncanary?\n-----END CERTIFICATE-----", "no X.509 certificate"),
            ("-----BEGIN CERTIFICATE-----\nY2FuYXJ5\n-----END CERTIFICATE-----", "no X.509 certificate"),
            (&one[..one.len() / 2], "cut off"),
        ] {
            let error = text.parse::<RootCertificate>().expect_err(text).to_string();
            assert!(error.contains(expect) && !error.contains("canary"), "{text}: {error}");
        }
    }
}
