//! The endpoint configuration: as the user writes it ([`RawConfig`]), and what it means ([`Config`]).
//!
//! A config of the capture connector is accepted as it stands: options that only a capture has mean nothing here.

use std::{ops::RangeInclusive, time::Duration};

use salesforce_endpoint::{Endpoint, Parts, RawCredentials, endpoint::MY_DOMAIN_PATTERN, misspelt, setting};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::Error;

/// What the user writes.
#[derive(Deserialize, JsonSchema)]
#[schemars(title = "Salesforce", description = "A Salesforce org, and how to sign in to it.")]
pub struct RawConfig {
    /// How to sign in to Salesforce. All rows are written in the name of this user.
    #[serde(deserialize_with = "setting::object")]
    #[schemars(with = "RawCredentials", title = "Authentication", extend("order" = 0))]
    pub credentials: RawCredentials,
    /// Whether the org is a sandbox or a scratch org, which signs in at test.salesforce.com. Has no effect when a My Domain is given.
    #[serde(default)]
    #[schemars(title = "Sandbox", extend("order" = 1))]
    pub is_sandbox: bool,
    /// The org's My Domain, such as acme.my.salesforce.com or acme--uat.sandbox.my.salesforce.com. Needed for client credentials, and where the org prevents login from login.salesforce.com and test.salesforce.com.
    #[serde(default, deserialize_with = "setting::blank_is_absent")]
    #[schemars(with = "Option<String>", title = "My Domain", extend("order" = 2, "pattern" = MY_DOMAIN_PATTERN))]
    pub my_domain: Option<String>,
    /// Options that most materializations leave alone.
    #[serde(default, deserialize_with = "setting::object")]
    #[schemars(with = "RawAdvanced", title = "Advanced Options", extend("order" = 3, "advanced" = true))]
    pub advanced: RawAdvanced,
}

/// Options below `advanced`.
#[derive(Default, Deserialize, JsonSchema)]
pub struct RawAdvanced {
    /// Where to sign in instead of Salesforce's own hosts, for example at a proxy. Plain http is allowed for loopback addresses only.
    #[serde(default, deserialize_with = "setting::blank_is_absent")]
    #[schemars(with = "Option<String>", title = "Login URL", extend("order" = 0))]
    pub login_url: Option<String>,
    /// The API version to speak.
    #[serde(default, deserialize_with = "setting::blank_is_absent")]
    #[schemars(with = "Option<String>", title = "API Version", extend("order" = 1, "default" = "62.0", "pattern" = "^$|^[0-9]{2,3}\\.0$"))]
    pub api_version: Option<String>,
    /// How many calls may be under way at once. More are faster, until triggers and locks of the org make them slower.
    #[serde(default)]
    #[schemars(title = "Concurrency", extend("order" = 2, "minimum" = 1, "maximum" = 25, "default" = 5))]
    pub concurrency: Option<u64>,
    /// With so many rows waiting for one object, they are written by a job of Bulk API 2.0, which takes few API calls but longer. 0 to never do that.
    #[serde(default)]
    #[schemars(title = "Bulk Threshold", extend("order" = 3, "default" = 2000))]
    pub bulk_threshold: Option<u64>,
    /// How long rows are tried again in spite of failures that pass: an ISO 8601 duration. Time during which the org has no API calls left does not count.
    #[serde(default, deserialize_with = "setting::blank_is_absent")]
    #[schemars(with = "Option<String>", title = "Patience", extend("order" = 4, "format" = "duration", "default" = "PT15M"))]
    pub patience: Option<String>,
    /// An HTTP proxy to reach Salesforce through: scheme, host and port, with user and password where it asks for them. Without it the environment variable HTTPS_PROXY counts.
    #[serde(default, deserialize_with = "setting::blank_is_absent")]
    #[schemars(with = "Option<String>", title = "Proxy", extend("order" = 5, "secret" = true))]
    pub proxy: Option<String>,
    /// Certificates of authorities to trust beside those of the system, as PEM text: for a proxy that inspects TLS.
    #[serde(default, deserialize_with = "setting::blank_is_absent")]
    #[schemars(with = "Option<String>", title = "Root Certificates", extend("order" = 6, "multiline" = true))]
    pub root_certificates: Option<String>,
}

/// What the configuration means.
#[derive(Debug, Clone)]
pub struct Config {
    /// Which org, and how it is reached.
    pub endpoint: Endpoint,
    /// How rows are written.
    pub sink: salesforce_sink::Options,
    /// How many calls that write may be under way at once, letters included.
    pub concurrency: usize,
}

/// Salesforce lets a user have 25 long requests at a time.
const CONCURRENCY: RangeInclusive<u64> = 1..=25;

/// A passing failure passes within a day, or it does not pass.
const PATIENCE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);

impl Config {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// Names the place and what is expected there; never repeats a value, which may be a secret.
    pub fn parse(raw: &RawValue) -> Result<Self, Error> {
        misspelt::warn_of_misspelt::<RawConfig>(raw);
        flow_protocol::parse::<RawConfig>(raw, "endpoint config").map_err(Error::Protocol)?.try_into()
    }
}

impl TryFrom<RawConfig> for Config {
    type Error = Error;

    fn try_from(raw: RawConfig) -> Result<Self, Error> {
        let advanced = raw.advanced;
        let mut sink = salesforce_sink::Options::default();
        let mut concurrency = salesforce_sink::traffic::MOST_CALLS;
        if let Some(calls) = advanced.concurrency {
            let problem = || format!("it is a number of calls from 1 to {}, such as 5", CONCURRENCY.end());
            let calls = Some(calls).filter(|calls| CONCURRENCY.contains(calls));
            let calls = calls.ok_or_else(|| salesforce_endpoint::Error::bad("advanced.concurrency", problem()))?;
            concurrency = usize::try_from(calls).unwrap_or(usize::MAX);
        }
        match advanced.bulk_threshold {
            None => {}
            Some(0) => sink.route = salesforce_sink::Route::Collections,
            Some(rows) => sink.bulk_threshold = usize::try_from(rows).unwrap_or(usize::MAX),
        }
        if let Some(text) = advanced.patience {
            sink.patience = setting::duration(&text, PATIENCE, sink.patience)
                .map_err(|problem| salesforce_endpoint::Error::bad("advanced.patience", problem))?;
        }
        let parts = Parts {
            credentials: raw.credentials,
            is_sandbox: raw.is_sandbox,
            my_domain: raw.my_domain,
            login_url: advanced.login_url,
            api_version: advanced.api_version,
            proxy: advanced.proxy,
            root_certificates: advanced.root_certificates,
        };
        Ok(Self { endpoint: parts.read()?, sink, concurrency })
    }
}
