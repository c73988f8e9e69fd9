//! Which hosts may see a credential or a token.
//!
//! The login host is the user's word. The instance host is the word of a token reply, and every later request
//! carries the token there: it is believed only within Salesforce's own domains or where the user already sent the
//! credentials.

use std::{fmt, str::FromStr};

use url::{Host, Url};

use crate::Error;

/// The domains Salesforce serves orgs from; a host belongs if it is one of them or lies below one.
const SALESFORCE_DOMAINS: [&str; 6] =
    ["salesforce.com", "force.com", "salesforce.mil", "crmforce.mil", "sfcrmproducts.cn", "sfcrmapps.cn"];

/// Where credentials are sent: scheme, host and port, nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginUrl(Url);

impl LoginUrl {
    /// The login host of production orgs and Developer Editions.
    pub const PRODUCTION: &str = "https://login.salesforce.com";
    /// The login host of sandboxes and scratch orgs.
    pub const SANDBOX: &str = "https://test.salesforce.com";

    /// Scheme, host and port as a URL with the path `/`.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// Host and port, as shown in messages.
    #[must_use]
    pub fn host(&self) -> String {
        shown_host(&self.0)
    }

    /// The token endpoint, which serves every grant.
    pub(crate) fn token_endpoint(&self) -> Url {
        let mut url = self.0.clone();
        url.set_path("/services/oauth2/token");
        url
    }

    /// Judges the `instance_url` of a token reply: https, or http on a loopback address; a host within Salesforce's
    /// domains, or the login host itself.
    ///
    /// # Errors
    /// [`Error::ForeignInstance`], naming both hosts.
    pub fn admit(&self, instance_url: &str) -> Result<Url, Error> {
        let refuse = |why| Error::ForeignInstance {
            login: self.host(),
            instance: Url::parse(instance_url).map_or_else(|_| "not a URL".to_owned(), |url| shown_host(&url)),
            why,
        };
        let url = base(instance_url).map_err(refuse)?;
        if url.host() == self.0.host() || is_salesforce(&url) {
            Ok(url)
        } else {
            Err(refuse("the host is neither within Salesforce's domains nor the login host"))
        }
    }
}

/// `https://HOST[:PORT]`, or http on a loopback address; a path, query, fragment or user name is refused.
impl FromStr for LoginUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        // The text is not echoed: a URL with a user name has a password too.
        base(text).map(LoginUrl).map_err(|why| Error::invalid_unseen("login URL", why))
    }
}

impl fmt::Display for LoginUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// A URL that is a scheme and a host, and safe to send secrets to.
fn base(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text.trim()).map_err(|_| "it is not a URL such as https://acme.my.salesforce.com")?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => return Err("plain http is allowed for loopback addresses only; use https"),
        _ => return Err("only https is allowed"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it must not carry a user name or password");
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err("it must be a scheme and a host, without a path");
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn is_salesforce(url: &Url) -> bool {
    let Some(Host::Domain(name)) = url.host() else { return false };
    SALESFORCE_DOMAINS.iter().any(|domain| match name.strip_suffix(domain) {
        Some(below) => below.is_empty() || below.ends_with('.'),
        None => false,
    })
}

/// Host and port of a URL, for messages.
pub(crate) fn shown_host(url: &Url) -> String {
    let host = url.host_str().unwrap_or("no host");
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn login_urls() {
        for (text, expect) in [
            (LoginUrl::PRODUCTION, Ok("https://login.salesforce.com")),
            ("https://acme.my.salesforce.com/", Ok("https://acme.my.salesforce.com")),
            ("https://salesforce.proxy.acme.example:8443", Ok("https://salesforce.proxy.acme.example:8443")),
            ("http://127.0.0.1:8080", Ok("http://127.0.0.1:8080")),
            ("http://[::1]:8080", Ok("http://[::1]:8080")),
            ("http://localhost:8080", Ok("http://localhost:8080")),
            ("http://login.salesforce.com", Err("loopback")),
            ("http://127.0.0.1.example.com", Err("loopback")),
            ("http://localhost.example.com", Err("loopback")),
            ("ftp://login.salesforce.com", Err("only https")),
            ("login.salesforce.com", Err("not a URL")),
            ("", Err("not a URL")),
            ("https://user:canary@login.salesforce.com", Err("user name")),
            ("https://login.salesforce.com/services", Err("without a path")),
            ("https://login.salesforce.com?x=1", Err("without a path")),
        ] {
            match (text.parse::<LoginUrl>(), expect) {
                (Ok(url), Ok(expect)) => assert_eq!(url.to_string(), expect),
                (Err(error), Err(expect)) => {
                    let message = error.to_string();
                    assert!(message.contains(expect), "{text}: {message}");
                    assert!(!message.contains("canary"), "{message}");
                }
                (got, expect) => panic!("{text}: {got:?}, not {expect:?}"),
            }
        }
    }

    #[test]
    fn instances() {
        let production = LoginUrl::PRODUCTION;
        let local = "http://127.0.0.1:8080";
        for (login, instance, admitted) in [
            (production, "https://acme.my.salesforce.com", true),
            (production, "https://na1.salesforce.com/", true),
            (production, "https://salesforce.com", true),
            (production, "https://acme.lightning.force.com", true),
            (production, "https://acme.my.sfcrmproducts.cn", true),
            (production, "https://evilsalesforce.com", false),
            (production, "https://salesforce.com.evil.example", false),
            (production, "https://acme.my.salesforce.com@evil.example", false),
            (production, "http://acme.my.salesforce.com", false),
            (production, "http://127.0.0.1:8080", false),
            (production, "https://10.0.0.1", false),
            (production, "", false),
            (local, "http://127.0.0.1:9090", true),
            (local, "http://127.0.0.2:8080", false),
            (local, "https://acme.my.salesforce.com", true),
            ("https://proxy.acme.example", "https://proxy.acme.example:8443", true),
            ("https://proxy.acme.example", "http://proxy.acme.example", false),
        ] {
            let login: LoginUrl = login.parse().expect("a login URL");
            match login.admit(instance) {
                Ok(_) => assert!(admitted, "{instance}"),
                Err(error) => {
                    assert!(!admitted, "{instance}: {error}");
                    assert!(error.to_string().contains(&login.host()), "{error}");
                }
            }
        }
    }
}
