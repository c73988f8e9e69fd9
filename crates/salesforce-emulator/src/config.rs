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
    // Signing in and sessions
    /// A sandbox: the login host plays `test.salesforce.com` instead of `login.salesforce.com`.
    pub sandbox: bool,
    /// What token replies give as `instance_url`; the address the client used if `None`.
    pub instance_url: Option<String>,
    /// Length of a session without activity, in virtual time. Each use starts it anew.
    pub session_timeout: Duration,
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

    // Allocations
    /// REST calls the org may make in 24 hours of virtual time; beyond, `REQUEST_LIMIT_EXCEEDED`.
    pub daily_api_calls: u64,
    /// Calls beyond the daily ones that are answered all the same: paid orgs may overshoot somewhat, others are stopped at
    /// once.
    pub api_overshoot: u64,
    /// Real time after which a REST request counts as a long one.
    pub long_request: Duration,
    /// Long requests that may be at work at the same time; beyond, every new REST request is refused with
    /// `REQUEST_LIMIT_EXCEEDED`. 25 in production and sandboxes, 5 in Developer Edition.
    pub concurrent_long_requests: usize,
    /// PushTopic notifications that may be delivered in 24 hours of virtual time.
    pub daily_deliveries: u64,
    /// Active PushTopics the org may hold.
    pub push_topics: usize,

    // Reading
    /// Largest page of query results, whatever the client asks for.
    pub query_page: usize,
    /// Largest page of a query that selects two or more long texts of the administrator's, whatever the client asks for.
    pub wide_query_page: usize,

    // What is kept, and for how long
    /// How long PushTopic events are kept, in virtual time.
    pub event_retention: Duration,
    /// How long deleted rows stay in the recycle bin, in virtual time.
    pub recycle_bin: Duration,
    /// Entries the log behind `getDeleted` may hold: 5,000 for each licence. What is beyond them goes, oldest first, once
    /// it is two hours old.
    pub delete_log: u32,

    // What the org is
    /// Features the org lacks: their objects are absent from everything.
    pub without: Vec<Feature>,
    /// Fields whose changes become rows of the object's history, by object. Which they are is an administrator's choice.
    pub tracked_fields: BTreeMap<String, Vec<String>>,
    /// Stop the clock at this instant; it then moves only when told to. For tests that compare whole replies.
    pub frozen_at: Option<Timestamp>,

    // What others feel of a change
    /// Deleting a parent deletes its children where the describe says so; PushTopics stay silent about them.
    pub cascade_deletes: bool,
    /// What becomes of lookups to a record that is deleted, where the describe neither deletes their record nor keeps
    /// the other from being deleted.
    pub lookups_to_deleted: LookupsToDeleted,
    /// The process that archives old activities moves their modstamps, so that those who go by them hear of it. The
    /// vendor's help can be read so, and does not say so.
    pub archiving_moves_modstamps: bool,
    /// Children that a merge gives another parent are announced as updated. Tasks never are.
    pub merges_announce_children: bool,

    // Rooms with settings of their own
    /// Pace, limits and switches of Bulk API 2.0.
    pub bulk: BulkSettings,
    /// Timers and limits of the CometD endpoint.
    pub streaming: crate::cometd::Settings,
}

/// What becomes of lookups to a record that is deleted. That they are emptied, without an event, is documented; what their
/// record's modstamp does is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupsToDeleted {
    /// They name it still.
    Kept,
    /// They are emptied, and the modstamp of their record moves, as after other work of the platform's own.
    Emptied,
    /// They are emptied, and only who reads their record again can tell.
    EmptiedSilently,
}

impl Default for Settings {
    fn default() -> Self {
        const HOUR: Duration = Duration::from_secs(60 * 60);
        Self {
            sandbox: false,
            instance_url: None,
            session_timeout: 2 * HOUR,
            longest_assertion: Duration::from_secs(3 * 60),
            rotate_refresh_tokens: false,
            single_flight_refresh: true,
            token_latency: Duration::ZERO,
            daily_api_calls: 100_000,
            api_overshoot: 0,
            long_request: Duration::from_secs(20),
            concurrent_long_requests: 25,
            daily_deliveries: 200_000,
            push_topics: 50,
            query_page: 2000,
            wide_query_page: 200,
            event_retention: 24 * HOUR,
            recycle_bin: 15 * 24 * HOUR,
            delete_log: 5_000,
            without: Vec::new(),
            tracked_fields: tracked_fields(),
            frozen_at: None,
            cascade_deletes: true,
            lookups_to_deleted: LookupsToDeleted::Emptied,
            archiving_moves_modstamps: false,
            merges_announce_children: true,
            bulk: BulkSettings::default(),
            streaming: crate::cometd::Settings::default(),
        }
    }
}

impl Settings {
    /// Calls that are answered within 24 hours.
    pub(crate) fn calls_a_day(&self) -> u64 {
        self.daily_api_calls.saturating_add(self.api_overshoot)
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
