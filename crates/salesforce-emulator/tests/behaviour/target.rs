//! The org the cases are put to.

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::{Method, RequestBuilder};
use salesforce_emulator::{Config, Emulator};
use serde_json::Value as Json;

/// Objects in which the cases leave records, and the field that bears the prefix.
pub(crate) const SWEPT: [(&str, &str); 8] = [
    ("PushTopic", "Name"),
    ("Opportunity", "Name"),
    ("Case", "Subject"),
    ("Task", "Subject"),
    ("Contact", "LastName"),
    ("Lead", "LastName"),
    ("Account", "Name"),
    ("Campaign", "Name"),
];

/// The API version the cases are written for.
pub(crate) const VERSION: &str = "62.0";

/// An org, and a session in it.
pub(crate) struct Target {
    pub(crate) url: String,
    pub(crate) token: String,
    pub(crate) client: Option<Client>,
    /// The org's time when we signed in.
    pub(crate) now: Timestamp,
    pub(crate) http: reqwest::Client,
    /// Keeps it running, if it is ours.
    pub(crate) emulator: Option<Emulator>,
}

/// How an app signs in.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) refresh_token: String,
}

/// A variable of the environment, if it is set and not empty.
#[expect(clippy::disallowed_methods, reason = "where to find the org is told by the environment")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Target {
    /// The org named in the environment, otherwise an emulator.
    pub(crate) async fn from_environment() -> Self {
        let Some(url) = variable("SALESFORCE_URL") else { return Self::emulator().await };
        let client = (|| {
            let id = variable("SALESFORCE_CLIENT_ID")?;
            let refresh_token = variable("SALESFORCE_REFRESH_TOKEN")?;
            Some(Client { id, secret: variable("SALESFORCE_CLIENT_SECRET")?, refresh_token })
        })();
        let token = variable("SALESFORCE_ACCESS_TOKEN");
        assert!(
            client.is_some() || token.is_some(),
            "SALESFORCE_URL needs SALESFORCE_CLIENT_ID, SALESFORCE_CLIENT_SECRET and SALESFORCE_REFRESH_TOKEN, or SALESFORCE_ACCESS_TOKEN"
        );
        Self::at(url.trim_end_matches('/').to_owned(), client, token, None).await
    }

    /// An emulator of its own.
    pub(crate) async fn emulator() -> Self {
        let emulator = Emulator::start(Config::default()).await.unwrap();
        let (url, known) = (emulator.url().to_owned(), emulator.credentials().clone());
        let client = Client { id: known.client_id, secret: known.client_secret, refresh_token: known.refresh_token };
        Self::at(url, Some(client), None, Some(emulator)).await
    }

    async fn at(url: String, client: Option<Client>, token: Option<String>, emulator: Option<Emulator>) -> Self {
        let http = reqwest::Client::builder().gzip(false).redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let (url, token) = match (&client, token) {
            (_, Some(token)) => (url, token),
            (Some(client), None) => refreshed(&http, &url, client).await,
            (None, None) => unreachable!("somebody must sign in"),
        };
        let answer = http.get(format!("{url}/services/data")).send().await.unwrap();
        let now = rfc2822::parse(answer.headers()["date"].to_str().unwrap()).unwrap().timestamp();
        Self { url, token, client, now, http, emulator }
    }

    /// Deletes the records whose names begin like this, children first.
    pub(crate) async fn sweep(&self, prefix: &str) {
        for (object, field) in SWEPT {
            loop {
                let soql = format!("SELECT Id FROM {object} WHERE {field} LIKE '{prefix}%' LIMIT 200");
                let found = self.data(Method::GET, "query", "q", &soql).await;
                let ids: Vec<&str> = found["records"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|record| record["Id"].as_str())
                    .collect();
                if ids.is_empty() {
                    break;
                }
                let rows = self.data(Method::DELETE, "composite/sobjects", "ids", &ids.join(",")).await;
                let failed = |row: &Json| row["success"] != true;
                assert!(!rows.as_array().is_none_or(|rows| rows.iter().any(failed)), "left behind: {object} {rows}");
            }
        }
    }

    async fn data(&self, method: Method, resource: &str, name: &str, value: &str) -> Json {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish();
        let path = format!("{}/services/data/v{VERSION}/{resource}?{query}", self.url);
        json(self.http.request(method, path).bearer_auth(&self.token)).await
    }
}

async fn json(request: RequestBuilder) -> Json {
    let text = request.send().await.unwrap().text().await.unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Salesforce refuses a refresh while another of the same token is in flight, and the files of cases are tried side by side.
static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A session, and where to use it.
async fn refreshed(http: &reqwest::Client, url: &str, client: &Client) -> (String, String) {
    let form = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("grant_type", "refresh_token"),
            ("client_id", &client.id),
            ("client_secret", &client.secret),
            ("refresh_token", &client.refresh_token),
        ])
        .finish();
    let request = http.post(format!("{url}/services/oauth2/token"));
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
    let granted = {
        let _mine = ONE_AT_A_TIME.lock().await;
        json(request).await
    };
    let member = |name: &str| granted[name].as_str().map(str::to_owned);
    member("instance_url")
        .zip(member("access_token"))
        .unwrap_or_else(|| panic!("no session: {}", granted["error_description"]))
}
