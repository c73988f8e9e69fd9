//! The endpoint configuration: as the user writes it ([`RawConfig`]), and what it means ([`Config`]).
//!
//! The published connector's configuration (`credentials` with `client_id`, `client_secret`, `refresh_token`, and
//! `is_sandbox`) is accepted as it stands, without a discriminator.

use std::{ops::RangeInclusive, time::Duration};

use jiff::Timestamp;
use salesforce_client::ApiVersion;
use salesforce_endpoint::{Endpoint, Parts, RawCredentials, endpoint::MY_DOMAIN_PATTERN, misspelt, setting};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{capture::budget::Share, error::Error};

/// What the user writes.
#[derive(Deserialize, JsonSchema)]
#[schemars(title = "Salesforce", description = "A Salesforce org, and how to sign in to it.")]
pub struct RawConfig {
    /// How to sign in to Salesforce.
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
    /// History starts here: older rows, by the time of their last change, are captured only once they change. Everything is captured when empty.
    #[serde(default, deserialize_with = "setting::time")]
    #[schemars(with = "Option<String>", title = "Start Date", extend("order" = 3, "format" = "date-time"))]
    pub start_date: Option<Timestamp>,
    /// Options that most captures leave alone.
    #[serde(default, deserialize_with = "setting::object")]
    #[schemars(with = "RawAdvanced", title = "Advanced Options", extend("order" = 4, "advanced" = true))]
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
    /// Records that must be fetched by id are collected for this long, to be fetched together: an ISO 8601 duration. Longer saves API calls, shorter saves time.
    #[serde(default, deserialize_with = "setting::blank_is_absent")]
    #[schemars(with = "Option<String>", title = "Coalescing Interval", extend("order" = 2, "format" = "duration", "default" = "PT1S"))]
    pub coalescing_interval: Option<String>,
    /// How often the org's objects are described anew, to notice fields that were added, and the PushTopics are looked after: an ISO 8601 duration. Each time costs two API calls; with more than 25 streams, one more for every 25 of them where an object of the org has changed.
    #[serde(default, deserialize_with = "setting::blank_is_absent")]
    #[schemars(with = "Option<String>", title = "Inspection Interval", extend("order" = 3, "format" = "duration", "default" = "PT10M"))]
    pub inspection_interval: Option<String>,
    /// How often each streamed object is searched for changes that Salesforce does not announce (Bulk loads, deletions of children with their parents, merges): an ISO 8601 duration. Each sweep costs at most two or three API calls for each stream, and more where much has changed; streams swept at the same time share them. When empty it is an hour, or longer where all polls and sweeps would take more than half of the API budget.
    #[serde(default, deserialize_with = "setting::blank_is_absent")]
    #[schemars(with = "Option<String>", title = "Sweep Interval", extend("order" = 4, "format" = "duration"))]
    pub sweep_interval: Option<String>,
    /// Once so many rows of an object have been read, the rest is read by Bulk API 2.0, which brings many rows for few API calls. Salesforce reads some objects and fields by REST only; they stay with it.
    #[serde(default)]
    #[schemars(title = "Bulk Threshold", extend("order" = 5, "default" = 20000))]
    pub bulk_threshold: Option<u64>,
    /// The share of the org's API calls of 24 hours that this capture may make, in percent. As it comes near, the capture makes its pauses longer; then it waits.
    #[serde(default)]
    #[schemars(title = "API Budget", extend("order" = 6, "minimum" = 1, "maximum" = 100, "default" = 50))]
    pub api_budget: Option<u64>,
    /// An HTTP proxy to reach Salesforce through: scheme, host and port, with user and password where it asks for them. Without it the environment variable HTTPS_PROXY counts.
    #[serde(default, deserialize_with = "setting::blank_is_absent")]
    #[schemars(with = "Option<String>", title = "Proxy", extend("order" = 7, "secret" = true))]
    pub proxy: Option<String>,
    /// Certificates of authorities to trust beside those of the system, as PEM text: for a proxy that inspects TLS.
    #[serde(default, deserialize_with = "setting::blank_is_absent")]
    #[schemars(with = "Option<String>", title = "Root Certificates", extend("order" = 8, "multiline" = true))]
    pub root_certificates: Option<String>,
}

/// What the configuration means.
#[derive(Debug, Clone)]
pub struct Config {
    /// Which org, and how it is reached.
    pub endpoint: Endpoint,
    /// Where history starts, if not at the beginning.
    pub start_date: Option<Timestamp>,
    /// Least time between two fetches of records by id.
    pub coalescing: Duration,
    /// Time between two looks at the objects and topics.
    pub inspection: Duration,
    /// Time between two searches of a streamed object for changes that nothing announced, if the user has chosen one.
    pub sweeps: Option<Duration>,
    /// Rows of a read after which it goes on by Bulk API 2.0.
    pub bulk_threshold: u64,
    /// Which part of the org's API calls may be used.
    pub share: Share,
}

/// PushTopics are read at `/cometd/37.0` or later (current releases of Salesforce refuse earlier ones).
const EARLIEST_API_VERSION: &str = "37.0";

/// A second costs no one patience, and bounds the calls for records to one a second.
const COALESCING: Duration = Duration::from_secs(1);
const COALESCINGS: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(60);

/// New fields may wait for minutes; each look costs calls.
const INSPECTION: Duration = Duration::from_secs(600);
const INSPECTIONS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);

/// For the message about this interval.
const EXAMPLE_SWEEPS: Duration = Duration::from_secs(3_600);
const SWEEP_INTERVALS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(7 * 86_400);

/// From here on a Bulk job takes fewer calls than pages do, if as many rows are still to come.
const BULK_THRESHOLD: u64 = 20_000;

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
        let parts = Parts {
            credentials: raw.credentials,
            is_sandbox: raw.is_sandbox,
            my_domain: raw.my_domain,
            login_url: advanced.login_url,
            api_version: advanced.api_version,
            proxy: advanced.proxy,
            root_certificates: advanced.root_certificates,
        };
        let endpoint = parts.read()?;
        if endpoint.api_version < EARLIEST_API_VERSION.parse().map_err(Error::salesforce)? {
            let problem = format!(
                "the Streaming API speaks {EARLIEST_API_VERSION} and later; leave it empty for {}",
                ApiVersion::DEFAULT
            );
            return Err(salesforce_endpoint::Error::bad("advanced.api_version", problem).into());
        }
        let interval = |key, text: Option<String>, bounds, default| match text {
            None => Ok(default),
            Some(text) => setting::duration(&text, bounds, default)
                .map_err(|problem| salesforce_endpoint::Error::bad(key, problem)),
        };
        let coalescing =
            interval("advanced.coalescing_interval", advanced.coalescing_interval, COALESCINGS, COALESCING)?;
        let inspection =
            interval("advanced.inspection_interval", advanced.inspection_interval, INSPECTIONS, INSPECTION)?;
        let sweeps = advanced.sweep_interval.map(|text| {
            setting::duration(&text, SWEEP_INTERVALS, EXAMPLE_SWEEPS)
                .map_err(|problem| salesforce_endpoint::Error::bad("advanced.sweep_interval", problem))
        });
        let sweeps = sweeps.transpose()?;
        let share = match advanced.api_budget {
            None => Share::default(),
            Some(percent) => Share::percent(percent).ok_or_else(|| {
                salesforce_endpoint::Error::bad("advanced.api_budget", "it is a percentage from 1 to 100, such as 50")
            })?,
        };
        Ok(Self {
            endpoint,
            start_date: raw.start_date,
            coalescing,
            inspection,
            sweeps,
            bulk_threshold: advanced.bulk_threshold.unwrap_or(BULK_THRESHOLD),
            share,
        })
    }
}
