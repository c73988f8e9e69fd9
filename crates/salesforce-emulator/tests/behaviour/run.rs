//! Puts cases to an org.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;

use reqwest::{Method, RequestBuilder};
use serde_json::Value as Json;

use crate::case::{Case, Needs, Step};
use crate::pattern::{Names, differences};
use crate::target::{Target, VERSION, variable};

/// What the names of all records begin with that the cases create. Four characters for the file and four for the case follow.
pub(crate) const PREFIX: &str = "sf-suite";

/// Runs the cases of a file, and deletes what they created; fails if one of them did.
pub(crate) async fn run(file: &str) {
    let is_ours = variable("SALESFORCE_URL").is_none();
    let target = Target::from_environment().await;
    let prefix = format!("{PREFIX}-{}", mark(file));
    let mut failures = String::new();
    for case in Case::load(file) {
        let outcome = match case.needs {
            Some(Needs::Emulator) if is_ours => {
                let own = Target::emulator().await;
                let outcome = put(&case, &own, &prefix).await;
                drop(own.emulator);
                outcome
            }
            Some(Needs::Emulator) => {
                leave_out(&case, "the emulator");
                continue;
            }
            Some(Needs::Client) if target.client.is_none() => {
                leave_out(&case, "a client id, its secret and a refresh token");
                continue;
            }
            Some(Needs::Client) | None => put(&case, &target, &prefix).await,
        };
        if let Err(failure) = outcome {
            writeln!(failures, "\n{} ({})\n{failure}", case.name, case.authority).unwrap();
        }
    }
    if !is_ours {
        target.sweep(&prefix).await;
    }
    assert!(failures.is_empty(), "{failures}");
}

/// Past the harness, which keeps to itself what a passing test prints.
fn leave_out(case: &Case, needed: &str) {
    let _ = writeln!(std::io::stderr(), "left out: {}: needs {needed}", case.name);
}

/// A conversation with an org.
struct Conversation<'a> {
    target: &'a Target,
    names: Names,
    cookies: BTreeMap<String, String>,
}

async fn put(case: &Case, target: &Target, prefix: &str) -> Result<(), String> {
    let marked = format!("{prefix}{}", mark(&case.name));
    let mut names = Names::new(
        target.now,
        &[("version", VERSION), ("prefix", &marked), ("url", &target.url), ("token", &target.token)],
    );
    if let Some(client) = &target.client {
        names.set("client_id", &client.id);
        names.set("client_secret", &client.secret);
        names.set("refresh_token", &client.refresh_token);
    }
    let mut conversation = Conversation { target, names, cookies: BTreeMap::new() };
    for step in &case.steps {
        conversation.take(step).await?;
    }
    Ok(())
}

/// Four characters out of a name, so that a PushTopic's stays short enough.
fn mark(name: &str) -> String {
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{:04x}", hash >> 48)
}

/// A reply, as far as patterns look at it.
struct Reply {
    status: u16,
    headers: reqwest::header::HeaderMap,
    text: String,
}

impl Conversation<'_> {
    async fn take(&mut self, step: &Step) -> Result<(), String> {
        let mut asked = 0;
        loop {
            let reply = self.ask(step).await;
            let mut names = self.names.clone();
            let wrong = judge(step, &reply, &mut names);
            if wrong.is_empty() {
                self.names = names;
                return Ok(());
            }
            if asked == step.again {
                let shown: String = reply.text.chars().take(2000).collect();
                let asked = self.names.fill(&step.request);
                return Err(format!(
                    "{asked} {}\n  {}\n  {} {shown}",
                    Json::from(step.query.clone()),
                    wrong.join("\n  "),
                    reply.status
                ));
            }
            asked += 1;
        }
    }

    async fn ask(&mut self, step: &Step) -> Reply {
        let request = self.request(step);
        let response = request.send().await.unwrap();
        for cookie in response.headers().get_all("set-cookie") {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Reply { status, headers, text: response.text().await.unwrap() }
    }

    fn request(&mut self, step: &Step) -> RequestBuilder {
        let filled = self.names.fill(&step.request);
        let (method, path) = filled.split_once(' ').unwrap();
        let mut url = format!("{}{path}", self.target.url);
        if !step.query.is_empty() {
            url = format!("{url}?{}", self.encoded(&step.query));
        }
        let mut request = self.target.http.request(method.parse::<Method>().unwrap(), url);
        request = match step.caller.as_deref() {
            None => request.bearer_auth(&self.target.token),
            Some("nobody") => request,
            Some(authorization) => request.header("authorization", self.names.fill(authorization)),
        };
        for (name, value) in &step.headers {
            request = request.header(name, self.names.fill(value));
        }
        if !self.cookies.is_empty() {
            let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header("cookie", pairs.join("; "));
        }
        if !step.form.is_empty() {
            let form = self.encoded(&step.form);
            return request.header("content-type", "application/x-www-form-urlencoded").body(form);
        }
        match &step.body {
            None => request,
            Some(Json::String(text)) => self.json(step, request).body(self.names.fill(text)),
            Some(body) => {
                let body = self.names.fill_json(body).to_string();
                self.json(step, request).body(body)
            }
        }
    }

    fn json(&self, step: &Step, request: RequestBuilder) -> RequestBuilder {
        let has_type = step.headers.keys().any(|name| name.eq_ignore_ascii_case("content-type"));
        if has_type { request } else { request.header("content-type", "application/json") }
    }

    fn encoded(&self, pairs: &serde_json::Map<String, Json>) -> String {
        let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), |text| self.names.fill(text));
        let pairs = pairs.iter().map(|(name, value)| (name, text(value)));
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
    }
}

/// What is wrong with a reply.
fn judge(step: &Step, reply: &Reply, names: &mut Names) -> Vec<String> {
    let mut wrong = Vec::new();
    if reply.status != step.status {
        wrong.push(format!("status {}, not {}", reply.status, step.status));
    }
    for (name, pattern) in &step.reply_headers {
        let found = reply.headers.get(name).and_then(|value| value.to_str().ok()).map_or(Json::Null, Json::from);
        if !(pattern == "<absent>" && found.is_null()) {
            wrong.extend(differences(name, &pattern.as_str().into(), &found, names));
        }
    }
    if let Some(pattern) = &step.reply {
        // What is no JSON is compared as text.
        let found = serde_json::from_str(&reply.text).unwrap_or_else(|_| Json::from(reply.text.as_str()));
        wrong.extend(differences("reply", pattern, &found, names));
    }
    wrong
}
