//! One request, one reply. Nothing is decided here.

use std::{
    error::Error as _,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use reqwest::{
    Client, Response, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, DATE, HeaderValue},
};
use salesforce_client::{ApiVersion, Token};
use tokio::time::timeout;
use url::Url;

use crate::{
    bayeux::{Answer, Body, Fault, excerpt},
    cookies::Cookies,
};

/// How long the other side may be silent in the middle of a reply.
const SILENCE: Duration = Duration::from_secs(30);

/// What every request of a session needs. Clones share the cookies.
#[derive(Clone)]
pub(crate) struct Transport {
    client: Client,
    url: Url,
    bearer: HeaderValue,
    cookies: Arc<Mutex<Cookies>>,
    /// The longest reply that is read, in bytes after decompression.
    longest: usize,
}

impl Transport {
    pub(crate) fn new(
        client: Client,
        token: &Token,
        version: &ApiVersion,
        cookies: Arc<Mutex<Cookies>>,
        longest: usize,
    ) -> Transport {
        let mut url = token.instance_url().clone();
        url.set_path(&format!("/cometd/{version}"));
        Transport { client, url, bearer: token.bearer(), cookies, longest }
    }

    /// Sends a request and reads the reply; `patience` is how long the reply may take to begin.
    pub(crate) async fn post(self, body: Vec<u8>, patience: Duration) -> Result<Answer, (Fault, String)> {
        let mut request = self
            .client
            .post(self.url.clone())
            .header(AUTHORIZATION, self.bearer.clone())
            .header(CONTENT_TYPE, "application/json;charset=UTF-8")
            .body(body);
        if let Some(cookies) = self.cookies.lock().unwrap_or_else(PoisonError::into_inner).header(&self.url) {
            request = request.header(COOKIE, cookies);
        }
        let response = match timeout(patience, request.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) if error.is_connect() || error.is_builder() => return Err((Fault::Unsent, chain(error))),
            Ok(Err(error)) => return Err((Fault::Lost, chain(error))),
            Err(_) => return Err((Fault::Lost, format!("no reply came within {} s", patience.as_secs()))),
        };
        self.cookies.lock().unwrap_or_else(PoisonError::into_inner).learn(&self.url, response.headers());

        let status = response.status();
        let at = date(&response);
        let bytes = self.read(response).await?;
        match Body::parse(bytes.clone()) {
            // Whatever the status, Bayeux messages say best what is the matter.
            Ok(body) if status.is_success() || !body.messages().replies.is_empty() => {
                for unknown in &body.messages().unknown {
                    let channel = unknown.channel.as_deref();
                    tracing::warn!(channel, why = unknown.why, "a message of the server is not understood");
                }
                Ok(Answer { at, body })
            }
            Err(error) if status.is_success() => Err((Fault::Refused, error.to_string())),
            _ => Err((fault_of(status), format!("the reply is HTTP {status}, it starts with: {}", excerpt(&bytes)))),
        }
    }

    async fn read(&self, mut response: Response) -> Result<Bytes, (Fault, String)> {
        let mut body = BytesMut::new();
        loop {
            match timeout(SILENCE, response.chunk()).await {
                Ok(Ok(Some(chunk))) if body.len() + chunk.len() > self.longest => {
                    return Err((Fault::Refused, format!("the reply is longer than {} bytes", self.longest)));
                }
                Ok(Ok(Some(chunk))) => body.extend_from_slice(&chunk),
                Ok(Ok(None)) => return Ok(body.freeze()),
                Ok(Err(error)) => return Err((Fault::Lost, chain(error))),
                Err(_) => return Err((Fault::Lost, "the reply stopped in the middle".to_owned())),
            }
        }
    }
}

/// A status that is no success, without Bayeux messages in the body: an edge or a proxy speaks.
fn fault_of(status: StatusCode) -> Fault {
    match status {
        StatusCode::UNAUTHORIZED => Fault::Unauthenticated,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Fault::Lost,
        status if status.is_server_error() => Fault::Lost,
        _ => Fault::Refused,
    }
}

/// When the org made the reply. Every HTTP server with a clock says so; if a proxy took it away, our clock must do.
fn date(response: &Response) -> Timestamp {
    let header = response.headers().get(DATE).and_then(|value| value.to_str().ok());
    header.and_then(|text| jiff::fmt::rfc2822::parse(text).ok()).map_or_else(our_clock, |date| date.timestamp())
}

#[expect(clippy::disallowed_methods, reason = "the shell reads the clock where the org does not tell the time")]
fn our_clock() -> Timestamp {
    tracing::warn!("a reply has no Date header, this machine's clock is taken for the org's");
    Timestamp::now()
}

/// An error and what is below it, in one line and without the URL.
fn chain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(source) = below {
        text.push_str(": ");
        text.push_str(&source.to_string());
        below = source.source();
    }
    text
}
