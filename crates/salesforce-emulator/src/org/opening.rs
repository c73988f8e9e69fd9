//! How an org begins: opened from its file or made, with the records that every org has, and made empty again.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, RwLock};
use std::time::Duration;

use serde_json::Value as Json;

use super::bulk::Bulk;
use super::events::{Announced, EventLog, Topic, push_topic};
use super::permission::{Register, Visibility};
use super::records::Actor;
use super::schema::{Draft, Schema, SchemaError, Views};
use super::storage::{Database, KeptEvent};
use super::usage::Usage;
use super::{Id, Identity, Inner, Org, Refusal, id};
use crate::clock::Clock;
use crate::config::Settings;

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
            visibility: RwLock::new(Visibility::new(views, Register::new(pod))),
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

    /// Back to an empty org with its first user and the policies of its start. Time, ids, credentials and replay ids go on.
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

    /// Makes the records every org has: itself and its first user.
    fn found(&self) -> Result<(), Refusal> {
        let username = self.0.identity().credentials.username.clone();
        self.0.found(&username)
    }
}

impl Inner {
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
}
