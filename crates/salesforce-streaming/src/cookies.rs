//! The cookies of one session.
//!
//! Salesforce's load balancers tell by them which node holds a session; without them the next node knows of no such
//! client. Whatever a reply sets replaces what was there, and what has expired is not sent.

use cookie_store::{CookieStore, RawCookie};
use reqwest::header::{HeaderMap, HeaderValue, SET_COOKIE};
use url::Url;

/// A jar. Its content is as secret as a token and is never shown.
#[derive(Default)]
pub(crate) struct Cookies(CookieStore);

impl Cookies {
    /// Takes in what a reply from there sets.
    pub(crate) fn learn(&mut self, url: &Url, headers: &HeaderMap) {
        let texts = headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
        let cookies = texts.filter_map(|text| RawCookie::parse(text.to_owned()).ok());
        self.0.store_response_cookies(cookies, &trusted(url));
    }

    /// The header for a request to there; `None` if there is nothing to send.
    pub(crate) fn header(&self, url: &Url) -> Option<HeaderValue> {
        let url = trusted(url);
        let pairs: Vec<String> =
            self.0.get_request_values(&url).map(|(name, value)| format!("{name}={value}")).collect();
        let mut header = HeaderValue::try_from(pairs.join("; ")).ok().filter(|header| !header.is_empty())?;
        header.set_sensitive(true);
        Some(header)
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Plain http is only ever spoken to loopback addresses, which count as secure, as in browsers: cookies marked
/// `Secure` are sent there too.
fn trusted(url: &Url) -> Url {
    let mut url = url.clone();
    if url.scheme() == "http" {
        let port = url.port_or_known_default();
        // Both fail only for URLs without a host.
        let _ = url.set_scheme("https").and_then(|()| url.set_port(port));
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jar(url: &Url, cookies: &[&str]) -> Cookies {
        let mut jar = Cookies::default();
        for cookie in cookies {
            let headers = HeaderMap::from_iter([(SET_COOKIE, HeaderValue::from_str(cookie).expect("a header"))]);
            jar.learn(url, &headers);
        }
        jar
    }

    #[test]
    fn replacements_and_expiry_are_honoured() {
        let here: Url = "https://acme.my.salesforce.com/cometd/62.0".parse().expect("a URL");
        let elsewhere: Url = "https://other.my.salesforce.com/cometd/62.0".parse().expect("a URL");
        for (cookies, expect) in [
            (&["sfdc-stream=!abc; path=/; Secure; SameSite=None"][..], Some("sfdc-stream=!abc")),
            (&["a=1; path=/; secure", "a=2; path=/; secure"], Some("a=2")),
            (&["a=1; path=/", "a=1; path=/; Max-Age=0"], None),
            (&["a=1; path=/", "a=; path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], None),
            (&["a=1; path=/; expires=Sat, 01-Jan-2124 00:00:00 GMT"], Some("a=1")),
            (&["a=1; path=/services"], None),
            (&["a=1; path=/cometd/"], Some("a=1")),
            (&["BAYEUX_BROWSER=x1; HttpOnly"], Some("BAYEUX_BROWSER=x1")),
            (&["not a cookie"], None),
        ] {
            let jar = jar(&here, cookies);
            assert_eq!(jar.header(&here).as_ref().map(|header| header.to_str().expect("text")), expect, "{cookies:?}");
            assert_eq!(jar.header(&elsewhere), None);
        }
    }

    #[test]
    fn loopback_counts_as_secure() {
        let url: Url = "http://127.0.0.1:8080/cometd/62.0".parse().expect("a URL");
        let mut jar = jar(&url, &["a=1; path=/; Secure", "b=2; path=/"]);
        let header = jar.header(&url).expect("a header");
        assert!(header.is_sensitive());
        assert!(["a=1; b=2", "b=2; a=1"].contains(&header.to_str().expect("text")));
        jar.clear();
        assert_eq!(jar.header(&url), None);
    }
}
