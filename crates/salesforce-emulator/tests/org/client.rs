//! A client that knows no Salesforce: requests in, transcripts out.

use std::fmt::Write as _;

use reqwest::{Method, StatusCode};
use salesforce_emulator::{Config, Emulator, Settings};
use serde_json::Value as Json;

/// An emulator and a session on it. Time stands still at the start of 2026 unless it is advanced.
pub(crate) struct Client {
    pub(crate) emulator: Emulator,
    http: reqwest::Client,
    pub(crate) token: String,
}

/// An answer with the parts tests look at.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}

/// Settings under which two runs give the same answers.
pub(crate) fn still() -> Settings {
    Settings { frozen_at: Some("2026-01-01T00:00:00Z".parse().unwrap()), ..Settings::default() }
}

impl Client {
    pub(crate) async fn new() -> Self {
        Self::with(Config { settings: still(), ..Config::default() }).await
    }

    pub(crate) async fn with_rows(rows: &[(&str, u64)]) -> Self {
        let rows = rows.iter().map(|(object, count)| ((*object).to_owned(), *count)).collect();
        Self::with(Config { rows, settings: still(), ..Config::default() }).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        let emulator = Emulator::start(config).await.unwrap();
        let http = reqwest::Client::builder().gzip(false).redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { emulator, http, token: String::new() }.renewed().await
    }

    /// The same client with a new session.
    pub(crate) async fn renewed(mut self) -> Self {
        self.token = self.refresh().await.json()["access_token"].as_str().unwrap().to_owned();
        self
    }

    /// A refresh with the right credentials.
    pub(crate) async fn refresh(&self) -> Answer {
        let credentials = self.emulator.credentials();
        let refresh_token = credentials.refresh_token.clone();
        self.grant(&[("grant_type", "refresh_token"), ("refresh_token", &refresh_token)]).await
    }

    /// A token request of the right client.
    pub(crate) async fn grant(&self, form: &[(&str, &str)]) -> Answer {
        self.grant_at(self.emulator.url(), form).await
    }

    pub(crate) async fn grant_at(&self, url: &str, form: &[(&str, &str)]) -> Answer {
        let credentials = self.emulator.credentials();
        let client =
            [("client_id", credentials.client_id.as_str()), ("client_secret", credentials.client_secret.as_str())];
        self.form_to(url, "/services/oauth2/token", &[form, &client].concat()).await
    }

    pub(crate) async fn form(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.form_to(self.emulator.url(), path, form).await
    }

    pub(crate) async fn form_to(&self, url: &str, path: &str, form: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        self.send_to(url, Method::POST, path, &headers, Some(body)).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    pub(crate) async fn query(&self, soql: &str) -> Answer {
        self.get(&format!("/services/data/v62.0/query?q={}", encode(soql))).await
    }

    pub(crate) async fn query_all(&self, soql: &str) -> Answer {
        self.get(&format!("/services/data/v62.0/queryAll?q={}", encode(soql))).await
    }

    /// Creates a record and gives its id.
    pub(crate) async fn create(&self, object: &str, body: Json) -> String {
        let answer = self.call(Method::POST, &format!("/services/data/v62.0/sobjects/{object}"), Some(body)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn update(&self, object: &str, id: &str, body: Json) {
        let answer =
            self.call(Method::PATCH, &format!("/services/data/v62.0/sobjects/{object}/{id}"), Some(body)).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.text);
    }

    pub(crate) async fn delete(&self, object: &str, id: &str) {
        let answer = self.call(Method::DELETE, &format!("/services/data/v62.0/sobjects/{object}/{id}"), None).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.text);
    }

    /// A request with the session.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Json>) -> Answer {
        self.call_as(&self.token, method, path, body).await
    }

    /// A request with another session.
    pub(crate) async fn call_as(&self, token: &str, method: Method, path: &str, body: Option<Json>) -> Answer {
        let authorization = format!("Bearer {token}");
        let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        self.send(method, path, &headers, body.map(|body| body.to_string())).await.unwrap()
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Result<Answer, reqwest::Error> {
        self.send_to(self.emulator.url(), method, path, headers, body).await
    }

    /// A request to either of the org's addresses.
    pub(crate) async fn send_to(
        &self,
        url: &str,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self.http.request(method, format!("{url}{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok(Answer { status, headers, text: response.text().await? })
    }

    /// Sends `METHOD path [body]` lines one after the other and writes down what came of them.
    pub(crate) async fn transcript(&self, lines: &[&str]) -> String {
        let mut transcript = String::new();
        for line in lines {
            let mut words = line.splitn(3, ' ');
            let (method, path) = (words.next().unwrap(), words.next().unwrap());
            let body = words.next().map(|body| serde_json::from_str(body).unwrap());
            let answer = self.call(method.parse().unwrap(), &spaced(path), body).await;
            writeln!(transcript, "> {line}\n{}\n", self.shown(&answer)).unwrap();
        }
        transcript
    }

    /// Sends `METHOD path [body]` below `/services/data/v62.0` with another session: a line for each of what came of it.
    pub(crate) async fn told(&self, token: &str, lines: &[String]) -> String {
        let mut told = String::new();
        for line in lines {
            let mut words = line.splitn(3, ' ');
            let (method, path) = (words.next().unwrap(), words.next().unwrap());
            let body = words.next().map(|body| serde_json::from_str(body).unwrap());
            let path = format!("/services/data/v62.0{}", spaced(path));
            let answer = self.call_as(token, method.parse().unwrap(), &path, body).await;
            let text = match serde_json::from_str::<Json>(&answer.text) {
                Ok(json) if answer.status.is_success() => json.to_string(),
                Ok(json) => {
                    let message = json[0]["message"].as_str().unwrap_or_default();
                    let message = message.lines().last().unwrap_or_default();
                    format!("{}: {message}", json[0]["errorCode"].as_str().unwrap_or_default())
                }
                Err(_) => answer.text.clone(),
            };
            writeln!(told, "{line}\n  {} {text}", answer.status.as_u16()).unwrap();
        }
        told
    }

    /// Status and body, with the port taken out.
    pub(crate) fn shown(&self, answer: &Answer) -> String {
        let body = match serde_json::from_str::<Json>(&answer.text) {
            Ok(json) => serde_json::to_string_pretty(&json).unwrap(),
            Err(_) => answer.text.clone(),
        };
        let shown = format!("{} {body}", answer.status.as_u16()).replace(self.emulator.url(), "http://HOST");
        shown.replace(self.emulator.login_url(), "http://LOGIN").trim_end().to_owned()
    }
}

/// In transcripts `~` stands for a space in a query.
fn spaced(path: &str) -> String {
    match path.split_once("?q=") {
        Some((path, query)) => format!("{path}?q={}", encode(&query.replace('~', " "))),
        None => path.to_owned(),
    }
}

pub(crate) fn encode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
