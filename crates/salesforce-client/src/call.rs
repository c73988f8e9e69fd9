//! The loop around a request: send, classify, decide, wait.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use tokio::time::Instant;

use crate::{
    Action, Error, LastModified, Org, Token, WriteOptions,
    failure::{Failure, Refusal},
    http::{Arrival, Reply, UPLOAD},
    retry::{Attempt, Class, Decision, Effect, Policy, classify, classify_fault, decide},
    soap,
};

/// A request as the doors describe it.
pub(crate) struct Call {
    pub(crate) action: Action,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) since: Option<LastModified>,
    pub(crate) body: Option<Body>,
    options: WriteOptions,
    accept: &'static str,
    effect: Effect,
    anonymous: bool,
}

const JSON: &str = "application/json; charset=UTF-8";
const CSV: &str = "text/csv; charset=UTF-8";
const XML: &str = "text/xml; charset=UTF-8";

/// What a request carries.
pub(crate) enum Body {
    /// JSON, which can travel within other JSON.
    Json(Box<RawValue>),
    /// Bytes of this media type, shared by all attempts.
    Written(&'static str, Bytes),
    /// What stands within a SOAP envelope, whose head names the session.
    Soap(String),
}

impl Body {
    fn as_sent(&self, token: &Token) -> (&'static str, Bytes) {
        match self {
            Body::Soap(asked) => (XML, soap::envelope(token.access(), asked).into()),
            Body::Json(json) => (JSON, json.get().to_owned().into()),
            Body::Written(kind, bytes) => (kind, bytes.clone()),
        }
    }
}

impl Call {
    pub(crate) fn read(action: Action) -> Call {
        Call {
            action,
            method: Method::GET,
            path: String::new(),
            query: None,
            since: None,
            body: None,
            options: WriteOptions::default(),
            accept: "application/json",
            effect: Effect::Repeatable,
            anonymous: false,
        }
    }

    pub(crate) fn write(action: Action, method: Method, effect: Effect) -> Call {
        Call { method, effect, ..Call::read(action) }
    }

    /// The absolute path on the instance.
    pub(crate) fn path(self, path: impl Into<String>) -> Call {
        Call { path: path.into(), ..self }
    }

    /// The query string, encoded.
    pub(crate) fn query(self, query: String) -> Call {
        Call { query: Some(query), ..self }
    }

    /// Answered with 304 and no body if nothing changed since.
    pub(crate) fn if_modified_since(self, since: Option<LastModified>) -> Call {
        Call { since, ..self }
    }

    pub(crate) fn body(self, body: &impl Serialize) -> Call {
        let body = to_raw_value(body).expect("strings, numbers and maps with string keys are always JSON");
        Call { body: Some(Body::Json(body)), ..self }
    }

    /// With a body that was written as JSON already.
    pub(crate) fn json(self, body: Vec<u8>) -> Call {
        Call { body: Some(Body::Written(JSON, body.into())), ..self }
    }

    /// With rows of CSV.
    pub(crate) fn rows(self, csv: Bytes) -> Call {
        Call { body: Some(Body::Written(CSV, csv)), ..self }
    }

    /// Asked and answered in SOAP.
    pub(crate) fn soap(self, asked: String) -> Call {
        Call { body: Some(Body::Soap(asked)), accept: "text/xml", ..self }
    }

    /// What is asked of the org beside the writing itself.
    pub(crate) fn options(self, options: WriteOptions) -> Call {
        Call { options, ..self }
    }

    /// Answered with CSV.
    pub(crate) fn csv(self) -> Call {
        Call { accept: "text/csv", ..self }
    }

    /// Sent without the token, and not charged to the org's allocation.
    pub(crate) fn anonymous(self) -> Call {
        Call { anonymous: true, ..self }
    }

    fn request(&self, token: &Token) -> reqwest::Request {
        let mut url = token.instance_url().clone();
        url.set_path(&self.path);
        url.set_query(self.query.as_deref());
        let mut request = reqwest::Request::new(self.method.clone(), url);
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT, HeaderValue::from_static(self.accept));
        if !self.anonymous {
            headers.insert(header::AUTHORIZATION, token.bearer());
        }
        if let Some(since) = &self.since {
            headers.insert(header::IF_MODIFIED_SINCE, since.as_header().clone());
        }
        for (name, value) in self.options.headers() {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if let Some(body) = &self.body {
            let (kind, bytes) = body.as_sent(token);
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            if kind == XML {
                // It has to be there; what it says does not matter.
                headers.insert(HeaderName::from_static("soapaction"), HeaderValue::from_static("\"\""));
            }
            *request.body_mut() = Some(bytes.into());
            if kind == CSV {
                *request.timeout_mut() = Some(UPLOAD);
            }
        }
        request
    }

    /// What the reply comes to: an answer to be read, or a refusal.
    pub(crate) fn judge<T>(
        &self,
        reply: &Reply,
        read: impl FnOnce(&Reply) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let unchanged = self.since.is_some() && reply.status == StatusCode::NOT_MODIFIED;
        if reply.status.is_success() || unchanged { read(reply) } else { Err(Failure::Refused(Refusal::read(reply))) }
    }

    /// What a failure of this call means.
    pub(crate) fn classify(&self, failure: &Failure) -> Class {
        match (&self.body, failure) {
            // SOAP answers with status 500 whatever it refuses: the code alone says what that means.
            (Some(Body::Soap(_)), Failure::Refused(refusal)) if !refusal.faults.is_empty() => {
                let unknown = if refusal.code() == Some("UNKNOWN_EXCEPTION") { Class::Retry } else { Class::Fatal };
                refusal.faults.iter().find_map(classify_fault).unwrap_or(unknown)
            }
            _ => classify(failure, self.effect),
        }
    }

    /// The error of a call that is given up.
    pub(crate) fn error(&self, failure: Failure) -> Error {
        Error::Call { action: self.action.clone(), class: self.classify(&failure), failure: failure.into() }
    }
}

impl Org {
    /// Sends a request until it succeeds or the policy gives up. The reply is read inside the loop, so that one that
    /// was cut off is asked for again.
    pub(crate) async fn send<T>(&self, call: &Call, read: impl Fn(&Reply) -> Result<T, Failure>) -> Result<T, Error> {
        self.send_until(call, read, |_| None).await
    }

    /// As [`Org::send`], for an answer in parts: while `failing` finds a part whose failure may pass, the attempt has
    /// failed in that way. When the policy gives up, the last answer is handed out as it is.
    pub(crate) async fn send_until<T>(
        &self,
        call: &Call,
        read: impl Fn(&Reply) -> Result<T, Failure>,
        failing: impl Fn(&T) -> Option<&Failure>,
    ) -> Result<T, Error> {
        let mut tries = Tries::begin(self.policy());
        let mut token = self.token().await?;
        loop {
            let outcome = self.attempt(call, &token, &read).await;
            let failure = match &outcome {
                Ok(value) => failing(value),
                Err(failure) => Some(failure),
            };
            let Some(remedy) = failure.and_then(|failure| tries.remedy(call, failure)) else {
                return outcome.map_err(|failure| call.error(failure));
            };
            // It may hold a whole reply, and the pause may be long.
            drop(outcome);
            token = self.apply(remedy, &token).await?;
        }
    }

    /// Does what is to be done before the next attempt; answers the token to make it with.
    pub(crate) async fn apply(&self, remedy: Remedy, token: &Token) -> Result<Arc<Token>, Error> {
        match remedy {
            Remedy::Pause(pause) => {
                tokio::time::sleep(pause).await;
                self.token().await
            }
            Remedy::NewToken => self.renew(token).await,
        }
    }

    async fn attempt<T>(
        &self,
        call: &Call,
        token: &Token,
        read: impl Fn(&Reply) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let reply = self.begin(call, token).await?.whole().await?;
        let (status, bytes, request) = (reply.status.as_u16(), reply.body.len(), reply.request_id());
        tracing::debug!(action = %call.action, status, bytes, request, "answered");
        call.judge(&reply, read)
    }

    /// Sends a request once, charged where it is, and waits until the reply begins.
    pub(crate) async fn begin(&self, call: &Call, token: &Token) -> Result<Arrival, Failure> {
        // Counted first: the org may charge for a call whose reply nobody waits for any more.
        if !call.anonymous {
            self.sender().count();
        }
        let outcome = self.sender().begin(call.request(token)).await;
        if !call.anonymous && matches!(outcome, Err(Failure::Unsent { .. })) {
            self.sender().uncount();
        }
        outcome
    }
}

/// What is to be done before the next attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Remedy {
    Pause(Duration),
    NewToken,
}

/// The attempts at one request: what [`decide`] wants to know of the world.
pub(crate) struct Tries {
    policy: Policy,
    started: Instant,
    attempt: Attempt,
}

impl Tries {
    #[expect(clippy::disallowed_methods, reason = "the sender is the shell that knows how long it has been trying")]
    pub(crate) fn begin(policy: &Policy) -> Tries {
        let attempt = Attempt { number: 1, renewals: 0, retry_after: None, roll: 0.0 };
        Tries { policy: policy.clone(), started: Instant::now(), attempt }
    }

    /// What may cure this failure of a call; `None` if it is to be given up.
    pub(crate) fn remedy(&mut self, call: &Call, failure: &Failure) -> Option<Remedy> {
        let (action, reason) = (&call.action, failure);
        match self.decide(call.classify(failure), Some(failure)) {
            Decision::Again(pause) => {
                tracing::warn!(%action, ?pause, %reason, "a call failed and will be repeated");
                Some(Remedy::Pause(pause))
            }
            Decision::Renew => {
                tracing::debug!(%action, %reason, "the token will be renewed");
                Some(Remedy::NewToken)
            }
            Decision::Stop => None,
        }
    }

    /// What to do about an attempt that failed; the next one counts from here.
    pub(crate) fn decide(&mut self, class: Class, failure: Option<&Failure>) -> Decision {
        self.attempt.retry_after = failure.and_then(Failure::refusal).and_then(|refusal| refusal.retry_after);
        self.attempt.roll = rand::random();
        let decision = decide(class, &self.attempt, self.started.elapsed(), &self.policy);
        self.attempt.number += 1;
        self.attempt.renewals += u32::from(decision == Decision::Renew);
        decision
    }
}
