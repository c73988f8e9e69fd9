//! The org as a value: schema, records, topics, events, users, clock. No HTTP.

mod administration;
mod alteration;
mod answer;
mod archive;
mod bulk;
mod children;
mod conversion;
mod database;
mod deletion;
mod derive;
mod event_log;
mod hearing;
mod history;
mod id;
mod identity;
mod late;
mod lookups;
mod merge;
mod outlook;
mod pages;
mod permission;
mod permitted;
mod push_topic;
mod reading;
mod redesign;
mod refusal;
mod render;
mod replication;
mod schema;
mod together;
mod transaction;
mod uniqueness;
mod upsert;
mod usage;
mod users;
mod value;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value as Json};

use crate::clock::Clock;
use crate::config::{LookupsToDeleted, Settings};
pub(crate) use archive::is_archived;
use bulk::Bulk;
pub(crate) use bulk::{Asked, Family, Incoming, Page, Spool, Told, Upload};
pub use bulk::{BulkDatetimes, BulkReport, BulkSettings, BulkStop};
pub use conversion::{Conversion, Converted};
use database::{Database, KeptEvent};
pub(crate) use event_log::{Announced, EventLog};
pub(crate) use hearing::Audience;
pub use id::Id;
pub use identity::{
    AppPolicy, Approval, Credentials, KeyError, LoginHours, Network, OrgPolicy, Policies, UserPolicy, UserStatus,
};
pub(crate) use identity::{Assertion, Code, Denied, Face, Identity, Opened, Unfit};
use late::LateTransactions;
pub use late::{LateReport, LateTransaction};
pub use merge::Merged;
use outlook::Outlook;
use permission::Register;
pub use permission::{
    Assignment, FieldAction, Level, ObjectAction, PermissionError, PermissionSet, Sharing, UserPermission,
};
use push_topic::Rule;
pub(crate) use push_topic::{Access, Topic};
pub use reading::Ask;
use reading::Cursors;
pub use refusal::Refusal;
pub use replication::{Deleted, Span, Updated};
pub use schema::{
    ChildRelationship, Crowd, Feature, Field, FieldDefinition, FieldType, Fields, Mask, ObjectDefinition, SObject,
    Schema, SchemaChange, SchemaError,
};
use schema::{Draft, Views};
use transaction::Actor;
pub use transaction::{ChangeKind, Transaction};
pub use upsert::Upserted;
pub(crate) use usage::Drought;
use usage::Usage;
pub use users::{NewUser, User};
use value::write_text;
pub(crate) use value::{datetime, stamp};

/// A Salesforce org, in the hands of one of its users. Clones share the org.
///
/// What is read is what the user sees, what is written is written in their name and as far as they may. Methods take locks
/// and talk to a local database; in asynchronous code they belong on a thread that may block.
#[derive(Clone)]
pub struct Org(Arc<Inner>, Id);

/// What clones of an [`Org`] share. Locks are taken in the order of the fields, never backwards.
struct Inner {
    settings: Settings,
    clock: Clock,
    seed: u64,
    pod: [u8; 2],
    org_id: Id,
    /// The first user, who may do everything.
    administrator: Id,
    database: Mutex<Database>,
    late: Mutex<LateTransactions>,
    /// The schema in it is replaced, never changed in place, and only while `database` is locked: whoever holds that lock
    /// sees the schema that the tables have.
    outlook: RwLock<Outlook>,
    /// Rings when a thread that kept the database to itself is done.
    released: Condvar,
    cursors: Mutex<HashMap<Id, Cursors>>,
    topics: RwLock<Vec<Arc<Topic>>>,
    log: EventLog,
    identity: Mutex<Identity>,
    usage: Mutex<Usage>,
    bulk: Bulk,
}

/// What a committed transaction means for others.
#[derive(Debug, Default)]
struct Announcement {
    events: Vec<(u64, Announced)>,
    topics_changed: bool,
    /// Users that were made or changed.
    users: Vec<Id>,
}

impl Announcement {
    fn add(&mut self, other: Self) {
        self.events.extend(other.events);
        self.topics_changed |= other.topics_changed;
        self.users.extend(other.users);
    }
}

/// Why an org cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A describe document of this crate is broken.
    #[error("reading the built-in describes")]
    Describe(#[source] serde_json::Error),
    /// The database cannot be opened, or is none of ours.
    #[error("opening the org's database")]
    Database(#[source] rusqlite::Error),
    /// Somebody has the file open: another emulator, as a rule.
    #[error("another process has the file open")]
    Taken,
    /// The database is that of another program. It is left as it was.
    #[error("the file is the database of another program")]
    Foreign,
    /// The starting objects were refused, or those of the file are not understood.
    #[error("making the org's schema")]
    Schema(#[from] SchemaError),
    /// The starting rows were refused.
    #[error("making the org's first records")]
    FirstRecords(#[from] Refusal),
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseBusy) => Self::Taken,
            _ => Self::Database(error),
        }
    }
}

impl Org {
    /// Opens the org kept in `data`, or makes one in memory. The second value is true if it is new.
    pub fn open(data: Option<&Path>, seed: u64, settings: Settings) -> Result<(Self, bool), OpenError> {
        let mut whole = Schema::load(&settings.without).map_err(OpenError::Describe)?;
        let (mut database, fresh) = Database::open(data)?;
        for (at, change) in database.schema_changes()? {
            let mut draft = Draft::of(&whole, at);
            draft.make(&change, |_, _| None)?;
            whole = draft.finish().0;
        }
        let views = Views::of(whole);
        database.ensure(&views.whole, push_topic::OBJECT)?;
        let seed = if fresh { seed } else { database.meta::<i64>("seed")?.map_or(seed, i64::cast_unsigned) };
        if fresh {
            database.set_meta("seed", seed.cast_signed())?;
        }
        let ahead = Duration::from_millis(database.meta::<i64>("clock_ahead")?.unwrap_or(0).unsigned_abs());
        let pod = id::pod(seed);
        let (org_id, administrator) = (Id::new("00D", pod, 1), Id::new("005", pod, 1));
        let log = EventLog::new(seed, database.meta::<i64>("last_replay")?.unwrap_or(0), settings.event_retention);
        let kept = database.kept_events()?;
        log.append(
            kept.into_iter()
                .map(|kept| {
                    let KeptEvent { stream, replay, at, data, audience } = kept;
                    (stream, Announced { replay_id: replay, at, data: data.into(), audience })
                })
                .collect(),
        );
        let topics = Topic::load(&database.connection, &views)?;
        let inner = Inner {
            clock: Clock::new(settings.frozen_at, ahead),
            identity: Mutex::new(Identity::new(seed, org_id, administrator, &settings)),
            settings,
            seed,
            pod,
            org_id,
            administrator,
            database: Mutex::new(database),
            late: Mutex::default(),
            outlook: RwLock::new(Outlook::new(views, Register::new(pod))),
            released: Condvar::new(),
            cursors: Mutex::default(),
            topics: RwLock::new(topics),
            log,
            usage: Mutex::default(),
            bulk: Bulk::default(),
        };
        let org = Self(Arc::new(inner), administrator);
        if fresh {
            org.found()?;
        }
        org.0.recall()?;
        Ok((org, fresh))
    }

    /// Now, in virtual time.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Moves virtual time forward: sessions end, events and deleted rows age out, old activities are archived.
    pub fn advance(&self, by: Duration) -> Result<(), Refusal> {
        self.0.clock.advance(by);
        let now = self.now();
        let bin = SignedDuration::try_from(self.0.settings.recycle_bin).unwrap_or(SignedDuration::MAX);
        let purge_before = now.saturating_sub(bin).unwrap_or(Timestamp::MIN);
        let mut database = self.0.database();
        database.purge(&stamp(purge_before))?;
        database.archive(now, self.0.settings.archiving_moves_modstamps)?;
        if database.durable {
            let ahead = i64::try_from(self.0.clock.ahead().as_millis()).unwrap_or(i64::MAX);
            database.set_meta("clock_ahead", ahead)?;
        }
        self.0.retain_events(&database, now)?;
        drop(database);
        self.bulk_advanced();
        Ok(())
    }

    /// The objects and fields that the user sees now. An administrator may change them; what was taken stays as it was.
    pub fn schema(&self) -> Arc<Schema> {
        self.views().visible
    }

    /// An object by its name in any case, as the user sees it now.
    pub fn object(&self, name: &str) -> Result<Arc<SObject>, Refusal> {
        self.views().visible.object(name).cloned().ok_or_else(Refusal::not_found)
    }

    /// The org's settings.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Id of the org.
    pub fn org_id(&self) -> Id {
        self.0.org_id
    }

    /// The user in whose hands this is.
    pub fn user_id(&self) -> Id {
        self.1
    }

    /// The same org in the hands of another user. One that it does not have sees nothing.
    #[must_use]
    pub fn acting_as(&self, user: Id) -> Self {
        Self(Arc::clone(&self.0), user)
    }

    /// What seeded the org.
    pub fn seed(&self) -> u64 {
        self.0.seed
    }

    /// Makes changes together: all of them, or none if `work` fails. PushTopics hear of them when they are made; a
    /// record that was changed twice is announced in reverse order, as Salesforce does.
    pub fn transaction<T>(&self, work: impl FnOnce(&mut Transaction<'_>) -> Result<T, Refusal>) -> Result<T, Refusal> {
        self.0.transaction(self.1, Actor::Client, work)
    }

    /// Makes changes as the platform makes them: records and values the API may only read can be written. They are
    /// announced like any others.
    pub fn as_platform<T>(&self, work: impl FnOnce(&mut Transaction<'_>) -> Result<T, Refusal>) -> Result<T, Refusal> {
        self.0.transaction(self.1, Actor::Platform, work)
    }

    /// Makes changes of which no PushTopic hears, as Bulk does. Modstamps move and histories are written as ever.
    pub(crate) fn silently<T>(
        &self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        self.transaction(|transaction| {
            let done = work(transaction);
            transaction.changes.clear();
            done
        })
    }

    /// Adds rows without announcing them and without looking up what they refer to.
    pub(crate) fn seeding<T>(
        &self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        self.0.transaction(self.1, Actor::Seed, work)
    }

    /// Creates a record.
    pub fn create(&self, object: &str, body: &Map<String, Json>) -> Result<Id, Refusal> {
        self.transaction(|transaction| transaction.create(object, body))
    }

    /// Updates a record.
    pub fn update(&self, object: &str, id: Id, body: &Map<String, Json>) -> Result<(), Refusal> {
        self.transaction(|transaction| transaction.update(object, id, body))
    }

    /// Deletes a record.
    pub fn delete(&self, object: &str, id: Id) -> Result<(), Refusal> {
        self.transaction(|transaction| transaction.delete(object, id))
    }

    /// Restores a record from the recycle bin.
    pub fn undelete(&self, object: &str, id: Id) -> Result<(), Refusal> {
        self.transaction(|transaction| transaction.undelete(object, id))
    }

    /// Requests so far, by kind.
    pub fn calls(&self) -> BTreeMap<&'static str, u64> {
        self.0.usage().kinds()
    }

    /// Ends every session at once; refresh tokens live on. Returns how many there were.
    pub fn expire_sessions(&self) -> usize {
        self.0.identity().expire_sessions()
    }

    /// Back to an empty org with its user and the policies of its start. Time, ids, credentials and replay ids go on.
    pub fn reset(&self) -> Result<(), Refusal> {
        self.forget_jobs();
        self.together(|| {
            {
                let database = self.0.database();
                database.clear()?;
                self.0.late().forget_all();
                self.0.set_topics(Vec::new());
                self.0.log.retain(self.now(), |_| false);
            }
            self.0.cursors().clear();
            self.0.identity().reset(self.settings());
            *self.0.usage() = Usage::default();
            self.found()?;
            self.0.forget_grants()
        })?
    }

    /// The schema that the tables have, and what the user sees of it.
    fn views(&self) -> Views {
        self.0.views(self.1)
    }

    pub(crate) fn identity(&self) -> MutexGuard<'_, Identity> {
        self.0.identity()
    }

    pub(crate) fn usage(&self) -> MutexGuard<'_, Usage> {
        self.0.usage()
    }

    pub(crate) fn log(&self) -> &EventLog {
        &self.0.log
    }

    /// The topic of that name, in its exact case.
    pub(crate) fn topic(&self, name: &str) -> Option<Arc<Topic>> {
        let topics = self.0.topics.read().unwrap_or_else(PoisonError::into_inner);
        topics.iter().find(|topic| topic.name == name).cloned()
    }

    /// Makes the records every org has: itself and its first user.
    fn found(&self) -> Result<(), Refusal> {
        let username = self.0.identity().credentials.username.clone();
        self.0.found(&username)
    }
}

impl Inner {
    fn transaction<T>(
        &self,
        user: Id,
        actor: Actor,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let mut database = self.database();
        let now = self.clock.now();
        let (value, announcement) = database.atomically(|database| {
            let mut transaction = Transaction::open(self, database, user, actor);
            let value = work(&mut transaction)?;
            let users = transaction.users_written();
            let Transaction { changes, topics_changed, database, .. } = transaction;
            let events = self.announce(database, changes, now)?;
            database.keep_counters()?;
            Ok::<_, Refusal>((value, Announcement { events, topics_changed, users }))
        })?;
        match &mut database.bracket {
            Some(bracket) => bracket.announcement.add(announcement),
            None => self.publish(&database, announcement)?,
        }
        Ok(value)
    }

    /// Tells of what was committed.
    fn publish(&self, database: &Database, announcement: Announcement) -> Result<(), Refusal> {
        let Announcement { events, topics_changed, users } = announcement;
        self.seat(database, &users)?;
        self.log.append(events);
        if topics_changed {
            self.set_topics(Topic::load(&database.connection, &self.views(self.administrator))?);
            self.retain_events(database, self.clock.now())?;
        }
        Ok(())
    }

    /// The events of a transaction's changes, in the order in which they are delivered.
    fn announce(
        &self,
        database: &Database,
        changes: Vec<transaction::Change>,
        now: Timestamp,
    ) -> Result<Vec<(u64, Announced)>, Refusal> {
        let topics = self.topics();
        let all_share = self.outlook().granted().sharing().is_open();
        let whole = (!all_share).then(|| self.views(self.administrator).whole);
        let mut events = Vec::new();
        for change in delivery_order(changes) {
            for (topic, rule) in topics.iter().filter_map(|topic| Some((topic, topic.rule()?))) {
                if !rule.concerns(&change) || !rule.matches(&database.connection, change.id)? {
                    continue;
                }
                let replay_id = self.log.issue();
                let data = event(database, rule, &change, replay_id, now)?;
                let audience = match &whole {
                    None => Audience::default(),
                    Some(whole) => Audience::of(database, whole, &change.object, change.id)?,
                };
                if database.durable {
                    database.keep_event(&KeptEvent {
                        stream: topic.stream,
                        replay: replay_id,
                        at: now,
                        data: data.clone(),
                        audience: audience.clone(),
                    })?;
                    database.set_meta("last_replay", replay_id)?;
                }
                events.push((topic.stream, Announced { replay_id, at: now, data: Bytes::from(data), audience }));
            }
        }
        Ok(events)
    }

    fn found(&self, username: &str) -> Result<(), Refusal> {
        let text = |value: &str| Json::from(value);
        let organization: &[(&str, Json)] = &[
            ("Id", text(self.org_id.as_str())),
            ("Name", text("Emulated Org")),
            ("OrganizationType", text("Enterprise Edition")),
            ("InstanceName", text("EMU1")),
            ("DefaultLocaleSidKey", text("en_US")),
            ("TimeZoneSidKey", text("America/Los_Angeles")),
            ("LanguageLocaleKey", text("en_US")),
            ("FiscalYearStartMonth", Json::from(1)),
            ("DefaultAccountAccess", text("Edit")),
            ("DefaultContactAccess", text("ControlledByParent")),
            ("DefaultOpportunityAccess", text("Edit")),
            ("DefaultLeadAccess", text("ReadEditTransfer")),
            ("DefaultCaseAccess", text("ReadEditTransfer")),
            ("DefaultCalendarAccess", text("HideDetailsInsert")),
            ("DefaultPricebookAccess", text("ReadSelect")),
            ("DefaultCampaignAccess", text("All")),
            ("UiSkin", text("Theme3")),
            ("WebToCaseDefaultOrigin", text("Web")),
        ];
        let user: &[(&str, Json)] = &[
            ("Id", text(self.administrator.as_str())),
            ("Username", text(username)),
            ("FirstName", text("Ada")),
            ("LastName", text("Admin")),
            ("Email", text("admin@example.com")),
            ("Alias", text("aadmi")),
            ("CommunityNickname", text("admin")),
            ("IsActive", Json::from(true)),
            ("UserType", text("Standard")),
            ("TimeZoneSidKey", text("America/Los_Angeles")),
            ("LocaleSidKey", text("en_US")),
            ("LanguageLocaleKey", text("en_US")),
            ("EmailEncodingKey", text("UTF-8")),
            ("ProfileId", text(Id::new("00e", self.pod, 1).as_str())),
        ];
        self.transaction(self.administrator, Actor::Seed, |transaction| {
            for (object, fields) in [("Organization", organization), ("User", user)] {
                transaction.found(object, fields)?;
            }
            Ok(())
        })
    }

    fn set_topics(&self, topics: Vec<Arc<Topic>>) {
        *self.topics.write().unwrap_or_else(PoisonError::into_inner) = topics;
    }

    /// Forgets events that are too old, and those of topics that are gone.
    fn retain_events(&self, database: &Database, now: Timestamp) -> Result<(), Refusal> {
        let streams: Vec<u64> = self.topics().iter().map(|topic| topic.stream).collect();
        let live = |stream| streams.contains(&stream);
        self.log.retain(now, live);
        if database.durable {
            database.forget_events(self.log.horizon(now), live)?;
        }
        Ok(())
    }

    /// The schema that the tables have, and what a user sees of it.
    fn views(&self, user: Id) -> Views {
        if let Some(views) = self.outlook().known(user) {
            return views;
        }
        self.outlook_mut().look(user)
    }

    fn topics(&self) -> Vec<Arc<Topic>> {
        self.topics.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn late(&self) -> MutexGuard<'_, LateTransactions> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cursors(&self) -> MutexGuard<'_, HashMap<Id, Cursors>> {
        self.cursors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn identity(&self) -> MutexGuard<'_, Identity> {
        self.identity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn usage(&self) -> MutexGuard<'_, Usage> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Records stay in the order of their first change; the changes of each come latest first.
fn delivery_order(changes: Vec<transaction::Change>) -> Vec<transaction::Change> {
    let mut by_record: Vec<(Id, Vec<transaction::Change>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for change in changes {
        let place = *places.entry(change.id).or_insert_with(|| {
            by_record.push((change.id, Vec::new()));
            by_record.len() - 1
        });
        by_record[place].1.push(change);
    }
    by_record.into_iter().flat_map(|(_, changes)| changes.into_iter().rev()).collect()
}

/// The `data` of an event. Values are those at commit; a deleted record has only its id.
fn event(
    database: &Database,
    rule: &Rule,
    change: &transaction::Change,
    replay_id: i64,
    now: Timestamp,
) -> Result<Vec<u8>, Refusal> {
    let created = now.strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
    let kind = change.kind.name();
    let head = format!(
        "{{\"event\":{{\"createdDate\":\"{created}\",\"replayId\":{replay_id},\"type\":\"{kind}\"}},\"sobject\":"
    );
    let mut data = head.into_bytes();
    if change.kind == ChangeKind::Deleted {
        data.extend_from_slice(b"{\"Id\":");
        write_text(&mut data, change.id.as_str());
        data.push(b'}');
    } else {
        let mut statement = database.connection.prepare_cached(&rule.plan.record_sql())?;
        let mut rows = statement.query([change.id.as_str()])?;
        let row = rows.next()?.ok_or_else(Refusal::not_found)?;
        render::sobject(&mut data, &rule.plan, row)?;
    }
    data.push(b'}');
    Ok(data)
}
