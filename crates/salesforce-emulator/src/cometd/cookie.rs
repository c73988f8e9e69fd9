//! The cookies without which a client is not recognised.
//!
//! `BrowserId` is set by the edge and never checked. `sfdc-stream` names the node a session lives on: without it a
//! request reaches another node, where nobody knows the client. `BAYEUX_BROWSER` is CometD's own proof that the session
//! belongs to the sender.

use std::time::Duration;

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;

/// Cookies as a request presents them, or as a reply sets them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Cookies {
    pub browser_id: Option<String>,
    pub bayeux_browser: Option<String>,
    pub sfdc_stream: Option<String>,
}

impl Cookies {
    /// What a request presents; a value that could not stand in a `Set-Cookie` counts as absent.
    pub(super) fn presented(headers: &HeaderMap) -> Self {
        let mut cookies = Self::default();
        let pairs = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        for (name, value) in pairs.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('=')) {
            let slot = match name {
                "BrowserId" => &mut cookies.browser_id,
                "BAYEUX_BROWSER" => &mut cookies.bayeux_browser,
                "sfdc-stream" => &mut cookies.sfdc_stream,
                _ => continue,
            };
            *slot = Some(value.to_owned());
        }
        cookies
    }

    /// Adds the `Set-Cookie` headers.
    pub(super) fn set(&self, headers: &mut HeaderMap, secure: bool, life: Duration, now: Timestamp) {
        let secure = if secure { "; Secure; SameSite=None" } else { "" };
        let expires = |after: Duration| {
            let at = now.checked_add(after).unwrap_or(Timestamp::MAX);
            at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
        };
        let mut add = |line: String| {
            if let Ok(value) = HeaderValue::from_str(&line) {
                headers.append(SET_COOKIE, value);
            }
        };
        if let Some(value) = &self.browser_id {
            let year = Duration::from_secs(365 * 24 * 60 * 60);
            add(format!("BrowserId={value}; path=/; expires={}; Max-Age={}{secure}", expires(year), year.as_secs()));
        }
        if let Some(value) = &self.bayeux_browser {
            add(format!("BAYEUX_BROWSER={value}; Path=/; HttpOnly{secure}"));
        }
        if let Some(value) = &self.sfdc_stream {
            add(format!("sfdc-stream={value}; path=/; Expires={}{secure}", expires(life)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_read_from_one_header_or_several() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; BAYEUX_BROWSER=bb;sfdc-stream=!x=="));
        headers.append(COOKIE, HeaderValue::from_static("BrowserId=id"));
        let expect = Cookies {
            browser_id: Some("id".to_owned()),
            bayeux_browser: Some("bb".to_owned()),
            sfdc_stream: Some("!x==".to_owned()),
        };
        assert_eq!(Cookies::presented(&headers), expect);
    }

    #[test]
    fn cookies_are_set_as_the_real_ones() {
        let cookies = Cookies {
            browser_id: Some("id".to_owned()),
            bayeux_browser: Some("bb".to_owned()),
            sfdc_stream: Some("!x".to_owned()),
        };
        let set = |secure| {
            let mut headers = HeaderMap::new();
            let now = "2026-01-02T03:04:05Z".parse().unwrap();
            cookies.set(&mut headers, secure, Duration::from_secs(10_800), now);
            headers.get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        insta::assert_snapshot!(set(true).join("\n"), @r"
        BrowserId=id; path=/; expires=Sat, 02 Jan 2027 03:04:05 GMT; Max-Age=31536000; Secure; SameSite=None
        BAYEUX_BROWSER=bb; Path=/; HttpOnly; Secure; SameSite=None
        sfdc-stream=!x; path=/; Expires=Fri, 02 Jan 2026 06:04:05 GMT; Secure; SameSite=None
        ");
        assert_eq!(set(false)[2], "sfdc-stream=!x; path=/; Expires=Fri, 02 Jan 2026 06:04:05 GMT");
    }
}
