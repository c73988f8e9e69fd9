//! The only sender: one request, one reply, nothing decided.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use serde::de::DeserializeOwned;

use crate::{
    Error, Usage,
    datetime::parse_http_date,
    failure::Failure,
    host::shown_host,
    network::{Network, RootCertificate},
    no_text::{self, NoText},
};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(20);
/// How long the other side may be silent: longer than the two minutes a query may run, and than the 110 seconds a
/// long poll is held.
const SILENCE: Duration = Duration::from_secs(150);
/// The longest reply that is read, in bytes after decompression. A page of 2000 rows is a few megabytes.
const LONGEST_BODY: usize = 64 << 20;

/// How long an upload may take in all. Its reply begins when it is over, so that silence says nothing; the org itself
/// gives a request ten minutes.
pub(crate) const UPLOAD: Duration = Duration::from_secs(600);

/// The HTTP client with what it learns from every reply.
#[derive(Debug)]
pub(crate) struct Http {
    client: reqwest::Client,
    /// The same, for requests that have a limit of their own and may be silent until then.
    patient: reqwest::Client,
    calls: AtomicU64,
    usage: Mutex<Option<Usage>>,
}

impl Http {
    /// # Errors
    /// [`Error::Setup`], and [`Error::Invalid`] for a user agent that is no header value.
    pub(crate) fn new(user_agent: &str, network: &Network) -> Result<Http, Error> {
        let user_agent = http::HeaderValue::from_str(user_agent)
            .map_err(|_| Error::invalid("user agent", user_agent, "a header has visible ASCII characters only"))?;
        let setup = |error: reqwest::Error| Error::Setup(error.without_url().into());
        let client = || {
            let client = reqwest::Client::builder()
                .user_agent(user_agent.clone())
                // A redirect could carry the token to another host; no endpoint we call answers with one.
                .redirect(reqwest::redirect::Policy::none())
                .connect_timeout(CONNECT)
                .tls_certs_merge(network.root_certificates.iter().flat_map(RootCertificate::certificates));
            match &network.proxy {
                Some(proxy) => Ok(client.proxy(reqwest::Proxy::all(proxy.url().clone()).map_err(setup)?)),
                None => Ok(client),
            }
        };
        let patient = client()?.build().map_err(setup)?;
        let client = client()?.read_timeout(SILENCE).build().map_err(setup)?;
        Ok(Http { client, patient, calls: AtomicU64::new(0), usage: Mutex::new(None) })
    }

    pub(crate) fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// How many requests were charged to the org's daily allocation.
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// The latest word of the org about its daily allocation.
    pub(crate) fn usage(&self) -> Option<Usage> {
        *self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends one request and reads the whole reply, whatever its status.
    pub(crate) async fn exchange(&self, request: reqwest::Request) -> Result<Reply, Failure> {
        self.begin(request).await?.whole().await
    }

    /// Sends one request and waits until the reply begins.
    pub(crate) async fn begin(&self, request: reqwest::Request) -> Result<Arrival, Failure> {
        let host = shown_host(request.url());
        let client = if request.timeout().is_some() { &self.patient } else { &self.client };
        let mut response = client.execute(request).await.map_err(|error| {
            let unsent = error.is_connect() || error.is_builder();
            let (host, cause) = (host.clone(), error.without_url().into());
            if unsent { Failure::Unsent { host, cause } } else { Failure::Lost { host, cause } }
        })?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let head = Reply { status, headers, body: Bytes::new() };
        self.learn(&head);
        Ok(Arrival { head, host, response })
    }

    /// Counts a request that is charged to the org's daily allocation.
    pub(crate) fn count(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes one back that never left.
    pub(crate) fn uncount(&self) {
        self.calls.fetch_sub(1, Ordering::Relaxed);
    }

    fn learn(&self, reply: &Reply) {
        if let Some(usage) = reply.header("sforce-limit-info").and_then(Usage::parse) {
            *self.usage.lock().unwrap_or_else(PoisonError::into_inner) = Some(usage);
        }
    }
}

/// A reply whose body is on its way.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// The reply without its body.
    pub(crate) head: Reply,
    host: String,
    response: reqwest::Response,
}

impl Arrival {
    /// The next piece of the body; `None` after the last. Nothing is lost when the wait for it is given up.
    pub(crate) async fn piece(&mut self) -> Result<Option<Bytes>, Failure> {
        let lost = |error: reqwest::Error| Failure::Lost { host: self.host.clone(), cause: error.without_url().into() };
        self.response.chunk().await.map_err(lost)
    }

    /// The reply with all of its body.
    pub(crate) async fn whole(mut self) -> Result<Reply, Failure> {
        let mut body = BytesMut::new();
        while let Some(piece) = self.piece().await? {
            if body.len() + piece.len() > LONGEST_BODY {
                return Err(Failure::TooLong { host: self.host, limit: LONGEST_BODY });
            }
            body.extend_from_slice(&piece);
        }
        Ok(Reply { body: body.freeze(), ..self.head })
    }
}

/// A whole reply.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Salesforce's id of the request.
    pub(crate) fn request_id(&self) -> Option<&str> {
        self.header("x-sfdc-request-id").or_else(|| self.header("x-request-id"))
    }

    /// When the reply was made, by the clock of the org.
    pub(crate) fn date(&self) -> Option<Timestamp> {
        parse_http_date(self.header(header::DATE.as_str())?)
    }

    /// Whether it is a page for people, as edges and maintenance windows send.
    pub(crate) fn is_html(&self) -> bool {
        self.header(header::CONTENT_TYPE.as_str()).is_some_and(|kind| {
            kind.trim_start().as_bytes().get(..9).is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/html"))
        })
    }

    /// How long the reply asks to wait: seconds, or a date, which counts from the reply's own.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let value = self.header(header::RETRY_AFTER.as_str())?.trim();
        if let Ok(seconds) = value.parse() {
            return Some(Duration::from_secs(seconds));
        }
        (parse_http_date(value)?.duration_since(self.date()?)).try_into().ok()
    }

    /// The body as JSON of a known shape.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let mut json = serde_json::Deserializer::from_str(self.text()?);
        let value = serde_path_to_error::deserialize(&mut json)
            .map_err(|error| unreadable(self.status, error.inner(), &error.path().to_string()))?;
        json.end().map_err(|error| self.unreadable(&error))?;
        Ok(value)
    }

    /// The body as text.
    pub(crate) fn text(&self) -> Result<&str, Failure> {
        self.text_of(&self.body)
    }

    /// As [`Reply::text`], for a body that was taken out of the reply.
    pub(crate) fn text_of<'a>(&self, body: &'a [u8]) -> Result<&'a str, Failure> {
        if self.is_html() {
            return Err(self.garbled("an HTML page came instead of JSON".to_owned()));
        }
        let text = std::str::from_utf8(body).map_err(|error| match error.error_len() {
            Some(_) => Failure::unexpected(self, &no_text::said(NoText::Utf8, body, error.valid_up_to())),
            None => self.garbled("it ends within a character".to_owned()),
        })?;
        match no_text::half_pair(text) {
            Some(at) => Err(Failure::unexpected(self, &no_text::said(NoText::HalfPair, body, at))),
            None => Ok(text),
        }
    }

    /// The failure to parse the body.
    pub(crate) fn unreadable(&self, error: &serde_json::Error) -> Failure {
        unreadable(self.status, error, ".")
    }

    /// The failure to make anything of the body.
    pub(crate) fn garbled(&self, why: String) -> Failure {
        Failure::Garbled { status: self.status, why }
    }
}

/// The failure to parse a reply of success, described by kind and position: the library's own message may quote the
/// text, and the text may be a secret or somebody's data.
pub(crate) fn unreadable(status: StatusCode, error: &serde_json::Error, path: &str) -> Failure {
    use serde_json::error::Category;
    let at = format!("at line {} column {}", error.line(), error.column());
    match error.classify() {
        Category::Eof => Failure::Garbled { status, why: format!("it ends too early, {at}") },
        Category::Syntax | Category::Io => Failure::Garbled { status, why: format!("it is no JSON {at}") },
        Category::Data => {
            Failure::Unexpected { status, why: format!("{path} is missing something or of another type, {at}") }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(headers: &[(&'static str, &str)]) -> Reply {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        Reply { status: StatusCode::OK, headers, body: Bytes::new() }
    }

    #[test]
    fn a_reply_says_how_long_to_wait() {
        let date = ("date", "Tue, 02 Jan 2024 03:04:05 GMT");
        for (value, expect) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Tue, 02 Jan 2024 03:05:05 GMT", Some(60)),
            ("Tue, 02 Jan 2024 03:04:00 GMT", None),
            ("-1", None),
            ("soon", None),
        ] {
            let wait = reply(&[date, ("retry-after", value)]).retry_after();
            assert_eq!(wait, expect.map(Duration::from_secs), "{value}");
        }
        assert_eq!(reply(&[("retry-after", "Tue, 02 Jan 2024 03:05:05 GMT")]).retry_after(), None);
    }

    #[test]
    fn either_header_names_the_request() {
        assert_eq!(reply(&[("x-request-id", "b"), ("x-sfdc-request-id", "a")]).request_id(), Some("a"));
        assert_eq!(reply(&[("x-request-id", "b")]).request_id(), Some("b"));
        assert_eq!(reply(&[]).request_id(), None);
    }
}
