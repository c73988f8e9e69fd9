//! What an emulated org is started with. Everything uncertain about the real thing is a switch in [`Settings`].

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use crate::org::{BulkSettings, Crowd, Feature, ObjectDefinition};

/// How to start an [`Emulator`](crate::Emulator).
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where to listen as the login host; a free port beside `listen` if `None`.
    pub login_listen: Option<SocketAddr>,
    /// Serve on an address that other machines can reach. The credentials protect nothing worth stealing, but the org
    /// can be reset by anyone.
    pub allow_remote: bool,
    /// SQLite file that keeps the org between runs; `None` keeps it in memory.
    pub data: Option<PathBuf>,
    /// Seeds ids, credentials, starting rows and the gaps between replay ids.
    pub seed: u64,
    /// Objects and fields beyond the built-in ones. Ignored when `data` already holds an org.
    pub objects: BTreeMap<String, ObjectDefinition>,
    /// Made-up objects. Ignored when `data` already holds an org.
    pub crowd: Crowd,
    /// Starting rows: object name and how many. Ignored when `data` already holds an org.
    pub rows: Vec<(String, u64)>,
    /// Timers, quotas and switches.
    pub settings: Settings,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            login_listen: None,
            allow_remote: false,
            data: None,
            seed: 1,
            objects: BTreeMap::new(),
            crowd: Crowd::default(),
            rows: Vec::new(),
            settings: Settings::default(),
        }
    }
}

/// Timers, quotas and switches of the org. Defaults are those of an Enterprise Edition org where the vendor publishes
/// a number.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Length of a session without activity, in virtual time. Each use starts it anew.
    pub session_timeout: Duration,
    /// A sandbox: the login host plays `test.salesforce.com` instead of `login.salesforce.com`.
    pub sandbox: bool,
    /// How far ahead the end of a JWT assertion may lie, in virtual time. The vendor says three minutes; five were seen
    /// to be accepted.
    pub longest_assertion: Duration,
    /// The app's policy at the start: replace the refresh token at every use; presenting a replaced one revokes its
    /// descendants.
    pub rotate_refresh_tokens: bool,
    /// Refuse a refresh while another of the same refresh token is in flight.
    pub single_flight_refresh: bool,
    /// Real time a token request takes, so that overlapping ones overlap.
    pub token_latency: Duration,
    /// REST calls the org may make in 24 hours of virtual time; beyond, `REQUEST_LIMIT_EXCEEDED`.
    pub daily_api_calls: u64,
    /// PushTopic notifications that may be delivered in 24 hours of virtual time.
    pub daily_deliveries: u64,
    /// Active PushTopics the org may hold.
    pub push_topics: usize,
    /// Largest page of query results, whatever the client asks for. Salesforce shrinks pages of wide rows at will.
    pub query_page: usize,
    /// How long PushTopic events are kept, in virtual time.
    pub event_retention: Duration,
    /// How long deleted rows stay in the recycle bin, in virtual time.
    pub recycle_bin: Duration,
    /// Entries the log behind `getDeleted` may hold: 5,000 for each licence. What is beyond them goes, oldest first, once
    /// it is two hours old.
    pub delete_log: u32,
    /// Features the org lacks: their objects are absent from everything.
    pub without: Vec<Feature>,
    /// Fields whose changes become rows of the object's history, by object. Which they are is an administrator's choice.
    pub tracked_fields: BTreeMap<String, Vec<String>>,
    /// Deleting a parent deletes its children where the describe says so; PushTopics stay silent about them.
    pub cascade_deletes: bool,
    /// What token replies give as `instance_url`; the address the client used if `None`.
    pub instance_url: Option<String>,
    /// Stop the clock at this instant; it then moves only when told to. For tests that compare whole replies.
    pub frozen_at: Option<Timestamp>,
    /// Pace, limits and switches of Bulk API 2.0.
    pub bulk: BulkSettings,
    /// Timers and limits of the CometD endpoint.
    pub streaming: crate::cometd::Settings,
}

impl Default for Settings {
    fn default() -> Self {
        const HOUR: Duration = Duration::from_secs(60 * 60);
        Self {
            session_timeout: 2 * HOUR,
            sandbox: false,
            longest_assertion: Duration::from_secs(3 * 60),
            rotate_refresh_tokens: false,
            single_flight_refresh: true,
            token_latency: Duration::ZERO,
            daily_api_calls: 100_000,
            daily_deliveries: 200_000,
            push_topics: 50,
            query_page: 2000,
            event_retention: 24 * HOUR,
            recycle_bin: 15 * 24 * HOUR,
            delete_log: 5_000,
            without: Vec::new(),
            tracked_fields: tracked_fields(),
            cascade_deletes: true,
            instance_url: None,
            frozen_at: None,
            bulk: BulkSettings::default(),
            streaming: crate::cometd::Settings::default(),
        }
    }
}

fn tracked_fields() -> BTreeMap<String, Vec<String>> {
    const TRACKED: [(&str, &[&str]); 2] = [
        (
            "Lead",
            &["AnnualRevenue", "Company", "Description", "Email", "IsUnreadByOwner", "OwnerId", "Rating", "Status"],
        ),
        (
            "Opportunity",
            &["AccountId", "Amount", "CloseDate", "Description", "IsPrivate", "Name", "OwnerId", "StageName"],
        ),
    ];
    let names = |fields: &[&str]| fields.iter().map(|field| (*field).to_owned()).collect();
    TRACKED.iter().map(|(object, fields)| ((*object).to_owned(), names(fields))).collect()
}
