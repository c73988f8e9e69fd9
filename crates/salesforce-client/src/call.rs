//! The loop around a request: send, classify, decide, wait.

use bytes::Bytes;
use http::{HeaderValue, Method, header};
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    Action, Error, Org, Token,
    failure::{Failure, Refusal},
    http::Reply,
    retry::{Attempt, Class, Decision, Effect, Policy, classify, decide},
};

/// A request as the doors describe it.
pub(crate) struct Call {
    action: Action,
    method: Method,
    path: String,
    query: Option<String>,
    body: Option<Bytes>,
    effect: Effect,
    anonymous: bool,
}

impl Call {
    pub(crate) fn read(action: Action) -> Call {
        let (method, effect) = (Method::GET, Effect::Repeatable);
        Call { action, method, path: String::new(), query: None, body: None, effect, anonymous: false }
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

    pub(crate) fn body(self, body: &Value) -> Call {
        Call { body: Some(body.to_string().into()), ..self }
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
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if !self.anonymous {
            headers.insert(header::AUTHORIZATION, token.bearer());
        }
        if let Some(body) = &self.body {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"));
            *request.body_mut() = Some(body.clone().into());
        }
        request
    }
}

impl Org {
    /// Sends a request until it succeeds or the policy gives up. The reply is read inside the loop, so that one that
    /// was cut off is asked for again.
    pub(crate) async fn send<T>(&self, call: &Call, read: impl Fn(&Reply) -> Result<T, Failure>) -> Result<T, Error> {
        let mut tries = Tries::begin(self.policy());
        loop {
            let token = self.token().await?;
            let failure = match self.attempt(call, &token, &read).await {
                Ok(value) => return Ok(value),
                Err(failure) => failure,
            };
            let class = classify(&failure, call.effect);
            match tries.decide(class, Some(&failure)) {
                Decision::Again(pause) => {
                    tracing::warn!(action = %call.action, ?pause, reason = %failure, "a call failed and will be repeated");
                    tokio::time::sleep(pause).await;
                }
                Decision::Renew => {
                    tracing::debug!(action = %call.action, reason = %failure, "the token will be renewed");
                    self.renew(&token).await?;
                }
                Decision::Stop => {
                    return Err(Error::Call { action: call.action.clone(), class, failure: failure.into() });
                }
            }
        }
    }

    async fn attempt<T>(
        &self,
        call: &Call,
        token: &Token,
        read: impl Fn(&Reply) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let outcome = self.sender().exchange(call.request(token)).await;
        if !call.anonymous && !matches!(outcome, Err(Failure::Unsent { .. })) {
            self.sender().count();
        }
        let reply = outcome?;
        let (status, bytes, request) = (reply.status.as_u16(), reply.body.len(), reply.request_id());
        tracing::debug!(action = %call.action, status, bytes, request, "answered");
        if reply.status.is_success() { read(&reply) } else { Err(Failure::Refused(Refusal::read(&reply))) }
    }
}

/// The attempts at one request: what [`decide`] wants to know of the world.
pub(crate) struct Tries<'a> {
    policy: &'a Policy,
    started: Instant,
    attempt: Attempt,
}

impl Tries<'_> {
    #[expect(clippy::disallowed_methods, reason = "the sender is the shell that knows how long it has been trying")]
    pub(crate) fn begin(policy: &Policy) -> Tries<'_> {
        let attempt = Attempt { number: 1, renewed: false, retry_after: None, roll: 0.0 };
        Tries { policy, started: Instant::now(), attempt }
    }

    /// What to do about an attempt that failed; the next one counts from here.
    pub(crate) fn decide(&mut self, class: Class, failure: Option<&Failure>) -> Decision {
        self.attempt.retry_after = failure.and_then(Failure::refusal).and_then(|refusal| refusal.retry_after);
        self.attempt.roll = rand::random();
        let decision = decide(class, &self.attempt, self.started.elapsed(), self.policy);
        self.attempt.number += 1;
        self.attempt.renewed |= decision == Decision::Renew;
        decision
    }
}
