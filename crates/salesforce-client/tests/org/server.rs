//! An org that says what a test wants it to say, and remembers what it was asked.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, Method, Response, StatusCode, header},
};
use salesforce_client::{Credentials, Org, SObjectName, Settings, retry::Policy};
use serde_json::{Value, json};

pub(crate) const REFRESH_TOKEN: &str = "5Aep861-refresh-canary";
pub(crate) const CLIENT_SECRET: &str = "secret-canary";
pub(crate) const TOKEN_PATH: &str = "/services/oauth2/token";

/// One request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Which request to this path it was, from 1.
    pub(crate) nth: usize,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn bearer(&self) -> Option<&str> {
        self.header("authorization")?.strip_prefix("Bearer ")
    }

    /// The address the client called.
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.header("host").expect("HTTP/1.1 has a host"))
    }

    /// A member of a form.
    pub(crate) fn form(&self, name: &str) -> Option<String> {
        let mut members = url::form_urlencoded::parse(&self.body);
        members.find(|(member, _)| member == name).map(|(_, value)| value.into_owned())
    }
}

pub(crate) type Reply = Response<Body>;

pub(crate) struct Server {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Answers every request with `answer`.
    pub(crate) async fn start<F>(answer: impl Fn(Seen) -> F + Clone + Send + Sync + 'static) -> Server
    where
        F: Future<Output = Reply> + Send + 'static,
    {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let router = Router::new()
            .fallback(move |State(seen): State<Arc<Mutex<Vec<Seen>>>>, request: Request| async move {
                answer(note(&seen, request).await).await
            })
            .with_state(Arc::clone(&seen));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Server { url, seen }
    }

    /// Grants the tokens `T1`, `T2`, … and answers all else with `answer`.
    pub(crate) async fn granting(answer: impl Fn(Seen) -> Reply + Clone + Send + Sync + 'static) -> Server {
        Server::start(move |seen| {
            let reply = if seen.path == TOKEN_PATH { grant(&seen) } else { answer(seen) };
            async { reply }
        })
        .await
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn seen(&self, path: &str) -> Vec<Seen> {
        let seen = self.seen.lock().expect("no panic while it was held");
        seen.iter().filter(|seen| seen.path == path).cloned().collect()
    }

    /// How many requests there were below a path.
    pub(crate) fn count(&self, path: &str) -> usize {
        self.seen.lock().expect("no panic while it was held").iter().filter(|seen| seen.path.starts_with(path)).count()
    }

    pub(crate) fn org(&self) -> Org {
        org(&self.url)
    }
}

async fn note(seen: &Mutex<Vec<Seen>>, request: Request) -> Seen {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.expect("a whole request");
    let mut seen = seen.lock().expect("no panic while it was held");
    let path = head.uri.path().to_owned();
    let nth = seen.iter().filter(|seen| seen.path == path).count() + 1;
    let query = head.uri.query().map(str::to_owned);
    seen.push(Seen { method: head.method, path, query, headers: head.headers, body, nth });
    seen.last().expect("just pushed").clone()
}

/// Settings whose pauses are too short to notice.
pub(crate) fn settings(login: &str) -> Settings {
    let credentials = Credentials::RefreshToken {
        client_id: "3MVG9".to_owned(),
        client_secret: CLIENT_SECRET.into(),
        refresh_token: REFRESH_TOKEN.into(),
    };
    let retry = Policy { first_pause: Duration::from_millis(1), attempts: 4, ..Policy::default() };
    Settings { retry, ..Settings::new(login.parse().expect("a login URL"), credentials) }
}

pub(crate) fn org(login: &str) -> Org {
    Org::new(settings(login)).expect("an org")
}

pub(crate) fn account() -> SObjectName {
    "Account".parse().expect("a name")
}

/// The token `Tn` for the `n`th request.
pub(crate) fn grant(seen: &Seen) -> Reply {
    json(200, &token(&seen.origin(), &format!("T{}", seen.nth)))
}

pub(crate) fn token(instance_url: &str, access_token: &str) -> Value {
    json!({
        "access_token": access_token,
        "instance_url": instance_url,
        "id": "https://login.salesforce.com/id/00D000000000001EAA/005000000000001AAA",
        "token_type": "Bearer",
        "issued_at": "1700000000000",
        "signature": "0CmxinZir53Yex7nE0TD+zMpvIWYGb/bdJh6XfOH6EQ=",
        "scope": "refresh_token api",
    })
}

pub(crate) fn json(status: u16, body: &Value) -> Reply {
    reply(status, "application/json;charset=UTF-8", body.to_string())
}

pub(crate) fn error(status: u16, code: &str, message: &str) -> Reply {
    json(status, &fault(code, message))
}

pub(crate) fn html(status: u16, page: &'static str) -> Reply {
    reply(status, "text/html; charset=UTF-8", page)
}

pub(crate) fn reply(status: u16, kind: &str, body: impl Into<Body>) -> Reply {
    let mut reply = Response::new(body.into());
    *reply.status_mut() = StatusCode::from_u16(status).expect("a status");
    reply.headers_mut().insert(header::CONTENT_TYPE, kind.parse().expect("a header"));
    reply
}

/// A page of `rows` rows of which there are no more.
pub(crate) fn page(rows: usize) -> Value {
    let row = |n: usize| {
        let id = format!("0010000000000{n:02}AAA");
        json!({ "attributes": { "type": "Account", "url": format!("/services/data/v62.0/sobjects/Account/{id}") },
                "Id": id, "Name": format!("Account {n}") })
    };
    json!({ "totalSize": rows, "done": true, "records": (0..rows).map(row).collect::<Vec<_>>() })
}

pub(crate) fn with_header(mut reply: Reply, name: &'static str, value: &str) -> Reply {
    reply.headers_mut().insert(name, value.parse().expect("a header"));
    reply
}

pub(crate) const COMPOSITE: &str = "/services/data/v62.0/composite";

/// The reply to a composite call, each subrequest answered by `answer` with status, headers and body.
pub(crate) fn composite(seen: &Seen, answer: impl FnMut(&Value) -> (u16, Value, Value)) -> Reply {
    with_header(json(200, &composite_body(seen, answer)), "x-request-id", "whole-1")
}

pub(crate) fn composite_body(seen: &Seen, mut answer: impl FnMut(&Value) -> (u16, Value, Value)) -> Value {
    let answers: Vec<Value> = subrequests(seen)
        .iter()
        .map(|subrequest| {
            let (status, headers, body) = answer(subrequest);
            json!({ "body": body, "httpHeaders": headers, "httpStatusCode": status,
                    "referenceId": subrequest["referenceId"] })
        })
        .collect();
    json!({ "compositeResponse": answers })
}

pub(crate) fn subrequests(seen: &Seen) -> Vec<Value> {
    let body: Value = serde_json::from_slice(&seen.body).expect("a composite request");
    body["compositeRequest"].as_array().expect("subrequests").clone()
}

/// The body of a refusal.
pub(crate) fn fault(code: &str, message: &str) -> Value {
    json!([{ "errorCode": code, "message": message }])
}

pub(crate) fn names<T: std::str::FromStr<Err: std::fmt::Debug>>(names: &[&str]) -> Vec<T> {
    names.iter().map(|name| name.parse().expect("a name")).collect()
}
