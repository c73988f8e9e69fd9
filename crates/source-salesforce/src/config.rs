//! The endpoint configuration: as the user writes it ([`RawConfig`]), and what it means ([`Config`]).
//!
//! The published connector's configuration (`credentials` with `client_id`, `client_secret`, `refresh_token`, and
//! `is_sandbox`) is accepted as it stands, without a discriminator.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use salesforce_client::{ApiVersion, Credentials, LoginUrl};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;

use crate::error::Error;

/// What the user writes.
#[derive(Deserialize, JsonSchema)]
#[schemars(title = "Salesforce", description = "A Salesforce org, and how to sign in to it.")]
pub struct RawConfig {
    /// How to sign in to Salesforce.
    #[schemars(title = "Authentication", extend("order" = 0))]
    pub credentials: RawCredentials,
    /// Whether the org is a sandbox or a scratch org, which signs in at test.salesforce.com. Has no effect when a My Domain is given.
    #[serde(default)]
    #[schemars(title = "Sandbox", extend("order" = 1))]
    pub is_sandbox: bool,
    /// The org's My Domain, such as acme.my.salesforce.com or acme--uat.sandbox.my.salesforce.com. Needed only where the org forbids signing in at login.salesforce.com and test.salesforce.com.
    #[serde(default, deserialize_with = "blank_is_absent")]
    #[schemars(with = "Option<String>", title = "My Domain", extend("order" = 2, "pattern" = MY_DOMAIN_PATTERN))]
    pub my_domain: Option<String>,
    /// History starts here: older rows, by the time of their last change, are captured only once they change. Everything is captured when empty.
    #[serde(default, deserialize_with = "blank_is_absent")]
    #[schemars(with = "Option<String>", title = "Start Date", extend("order" = 3, "format" = "date-time"))]
    pub start_date: Option<Timestamp>,
    /// Options that most captures leave alone.
    #[serde(default)]
    #[schemars(title = "Advanced Options", extend("order" = 4, "advanced" = true))]
    pub advanced: RawAdvanced,
}

/// An empty field, or a host below `my.salesforce.com` (or its counterparts), without a scheme.
const MY_DOMAIN_PATTERN: &str =
    "^$|^[A-Za-z0-9][A-Za-z0-9.-]*\\.my\\.(salesforce\\.com|salesforce\\.mil|sfcrmproducts\\.cn)$";

/// The ways to sign in: told apart by `credentials_title`, or by the keys that are there when it is missing.
#[derive(Deserialize)]
pub struct RawCredentials {
    #[serde(default, deserialize_with = "blank_is_absent")]
    credentials_title: Option<String>,
    #[serde(default, deserialize_with = "blank_is_absent")]
    client_id: Option<String>,
    #[serde(default, deserialize_with = "blank_is_absent")]
    client_secret: Option<String>,
    #[serde(default, deserialize_with = "blank_is_absent")]
    refresh_token: Option<String>,
}

/// OAuth with a refresh token, as the form shows it.
#[derive(JsonSchema)]
#[schemars(title = "OAuth", description = "Sign in with a refresh token.", extend("x-oauth2-provider" = "salesforce"))]
#[expect(dead_code, reason = "only its schema is used: values are read as RawCredentials")]
struct OAuthForm {
    #[schemars(extend("const" = OAUTH_TITLE, "order" = 0))]
    credentials_title: String,
    /// The consumer key of the connected app or external client app.
    #[schemars(title = "Client ID", extend("secret" = true, "order" = 1))]
    client_id: String,
    /// The consumer secret of the connected app or external client app.
    #[schemars(title = "Client Secret", extend("secret" = true, "order" = 2))]
    client_secret: String,
    /// The refresh token that Salesforce issued to the app for a user. The app must not rotate refresh tokens.
    #[schemars(title = "Refresh Token", extend("secret" = true, "order" = 3))]
    refresh_token: String,
}

/// `credentials_title` of OAuth with a refresh token.
const OAUTH_TITLE: &str = "OAuth Credentials";

impl JsonSchema for RawCredentials {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Credentials".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "oneOf": [OAuthForm::json_schema(generator)] })
    }
}

impl RawCredentials {
    fn read(self) -> Result<Credentials, Error> {
        match self.credentials_title.as_deref() {
            None | Some(OAUTH_TITLE) => {}
            Some(_) => {
                return Err(Error::BadSetting {
                    key: "credentials.credentials_title",
                    problem: format!("the only way to sign in so far is \"{OAUTH_TITLE}\""),
                });
            }
        }
        let needed = |key: &'static str, value: Option<String>| {
            value.ok_or(Error::BadSetting { key, problem: "it is missing or empty; sign in again, or paste it".into() })
        };
        Ok(Credentials::RefreshToken {
            client_id: needed("credentials.client_id", self.client_id)?,
            client_secret: needed("credentials.client_secret", self.client_secret)?.into(),
            refresh_token: needed("credentials.refresh_token", self.refresh_token)?.into(),
        })
    }
}

/// Options below `advanced`.
#[derive(Default, Deserialize, JsonSchema)]
pub struct RawAdvanced {
    /// Where to sign in instead of Salesforce's own hosts, for example at a proxy. Plain http is allowed for loopback addresses only.
    #[serde(default, deserialize_with = "blank_is_absent")]
    #[schemars(with = "Option<String>", title = "Login URL", extend("order" = 0))]
    pub login_url: Option<String>,
    /// The API version to speak.
    #[serde(default, deserialize_with = "blank_is_absent")]
    #[schemars(with = "Option<String>", title = "API Version", extend("order" = 1, "default" = "62.0", "pattern" = "^$|^[0-9]{2,3}\\.0$"))]
    pub api_version: Option<String>,
    /// Records that must be fetched by id are collected for this long, to be fetched together: an ISO 8601 duration. Longer saves API calls, shorter saves time.
    #[serde(default, deserialize_with = "blank_is_absent")]
    #[schemars(with = "Option<String>", title = "Coalescing Interval", extend("order" = 2, "format" = "duration", "default" = "PT1S"))]
    pub coalescing_interval: Option<String>,
}

/// What the configuration means.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to sign in.
    pub login_url: LoginUrl,
    /// The API version to speak.
    pub api_version: ApiVersion,
    /// What to sign in with.
    pub credentials: Credentials,
    /// Where history starts, if not at the beginning.
    pub start_date: Option<Timestamp>,
    /// Least time between two fetches of records of one object.
    pub coalescing: Duration,
}

/// PushTopics are read at `/cometd/37.0` or later (current releases of Salesforce refuse earlier ones).
const EARLIEST_API_VERSION: &str = "37.0";

/// A second costs no one patience, and bounds the calls for one object to one a second.
const COALESCING: Duration = Duration::from_secs(1);

const MOST_COALESCING: SignedDuration = SignedDuration::from_secs(60);

impl Config {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// Names the place and what is expected there; never repeats a value, which may be a secret.
    pub fn parse(raw: &RawValue) -> Result<Self, Error> {
        flow_protocol::parse::<RawConfig>(raw, "endpoint config").map_err(Error::Protocol)?.try_into()
    }
}

impl TryFrom<RawConfig> for Config {
    type Error = Error;

    fn try_from(raw: RawConfig) -> Result<Self, Error> {
        let login_url = match (&raw.advanced.login_url, &raw.my_domain) {
            (Some(url), _) => url.parse().map_err(|source| Error::setting("advanced.login_url", source))?,
            (None, Some(domain)) => my_domain(domain)?,
            (None, None) if raw.is_sandbox => fixed(LoginUrl::SANDBOX)?,
            (None, None) => fixed(LoginUrl::PRODUCTION)?,
        };
        let api_version = match &raw.advanced.api_version {
            None => ApiVersion::DEFAULT,
            Some(text) => text.parse().map_err(|source| Error::setting("advanced.api_version", source))?,
        };
        if api_version < EARLIEST_API_VERSION.parse().map_err(Error::salesforce)? {
            return Err(Error::BadSetting {
                key: "advanced.api_version",
                problem: format!(
                    "the Streaming API speaks {EARLIEST_API_VERSION} and later; leave it empty for {}",
                    ApiVersion::DEFAULT
                ),
            });
        }
        let coalescing = match raw.advanced.coalescing_interval.as_deref().map(str::parse::<SignedDuration>) {
            None => COALESCING,
            Some(Ok(duration)) if (SignedDuration::ZERO..=MOST_COALESCING).contains(&duration) => {
                duration.unsigned_abs()
            }
            Some(_) => {
                return Err(Error::BadSetting {
                    key: "advanced.coalescing_interval",
                    problem: "it is an ISO 8601 duration of at most a minute, such as PT1S".into(),
                });
            }
        };
        let credentials = raw.credentials.read()?;
        Ok(Self { login_url, api_version, credentials, start_date: raw.start_date, coalescing })
    }
}

fn fixed(url: &str) -> Result<LoginUrl, Error> {
    url.parse().map_err(Error::salesforce)
}

/// A My Domain is a host; people paste it with a scheme, or paste the Lightning host.
fn my_domain(domain: &str) -> Result<LoginUrl, Error> {
    let problem = |problem: &str| Error::BadSetting { key: "my_domain", problem: problem.into() };
    if domain.contains("://") {
        return Err(problem("give the host alone, such as acme.my.salesforce.com, without https://"));
    }
    if domain.ends_with(".lightning.force.com") {
        return Err(problem(
            "a lightning.force.com host serves pages only; use the one that ends in my.salesforce.com",
        ));
    }
    let is_host = domain.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    let is_salesforce = [".my.salesforce.com", ".my.salesforce.mil", ".my.sfcrmproducts.cn"];
    if !is_host || !is_salesforce.iter().any(|suffix| domain.ends_with(suffix)) {
        return Err(problem("it is a host that ends in my.salesforce.com (Setup, My Domain shows it)"));
    }
    format!("https://{domain}").parse().map_err(|source| Error::setting("my_domain", source))
}

/// The web form writes empty strings for fields that were left empty.
fn blank_is_absent<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: std::str::FromStr,
{
    let text = Option::<String>::deserialize(deserializer)?;
    match text.as_deref().map(str::trim) {
        None | Some("") => Ok(None),
        Some(text) => match text.parse() {
            Ok(value) => Ok(Some(value)),
            Err(_) => {
                Err(de::Error::invalid_value(de::Unexpected::Str(""), &"a date and time such as 2024-01-01T00:00:00Z"))
            }
        },
    }
}
