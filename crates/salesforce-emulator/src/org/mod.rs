//! The org as a value. No HTTP, no CometD.
//!
//! [`Org`] is a handle in the hands of one user. Its methods are spread over the rooms that know what they do:
//!
//! - `records` writes, in transactions; `reading` answers, as JSON; `events` tells of changes; `bulk` does jobs.
//! - `schema` is what objects and fields there are, `permission` who may do what with them, `identity` who may come in;
//!   `administration` changes these three while the org runs.
//! - `storage` keeps rows in SQLite.
//! - `opening` is how an org begins and is reset, `time` what the passing of virtual time does, `usage` what was used
//!   of the day's allocations. `id`, `value` and `refusal` are words that all of them use.

mod administration;
mod bulk;
mod events;
mod id;
mod identity;
mod opening;
mod permission;
mod reading;
mod records;
mod refusal;
mod schema;
mod storage;
mod time;
mod usage;
mod value;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

pub use administration::{NewUser, User};
use bulk::Bulk;
pub(crate) use bulk::{Asked, Family, Incoming, Page, Spool, Told, Upload};
pub use bulk::{BulkDatetimes, BulkReport, BulkSettings, BulkStop};
pub(crate) use events::{Access, Announced, EventLog, Topic};
pub use id::Id;
pub use identity::{
    AppPolicy, Approval, Credentials, KeyError, LoginHours, Network, OrgPolicy, Policies, UserPolicy, UserStatus,
};
pub(crate) use identity::{Assertion, Code, Denied, Face, Identity, Opened, Unfit};
pub use opening::OpenError;
use permission::Visibility;
pub use permission::{
    Assignment, FieldAction, Level, ObjectAction, PermissionError, PermissionSet, Sharing, UserPermission,
};
use reading::Cursors;
pub use reading::{Ask, Deleted, Span, Updated};
use records::LateTransactions;
pub(crate) use records::is_archived;
pub use records::{ChangeKind, Conversion, Converted, LateReport, LateTransaction, Merged, Transaction, Upserted};
pub use refusal::Refusal;
use schema::Views;
pub use schema::{
    ChildRelationship, Crowd, Feature, Field, FieldDefinition, FieldType, Fields, Mask, ObjectDefinition, SObject,
    Schema, SchemaChange, SchemaError,
};
use storage::Database;
pub(crate) use usage::Drought;
use usage::Usage;
pub(crate) use value::{datetime, stamp};

use crate::clock::Clock;
use crate::config::{LookupsToDeleted, Settings};

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
    visibility: RwLock<Visibility>,
    /// Rings when a thread that kept the database to itself is done.
    released: Condvar,
    cursors: Mutex<HashMap<Id, Cursors>>,
    topics: RwLock<Vec<Arc<Topic>>>,
    log: EventLog,
    identity: Mutex<Identity>,
    usage: Mutex<Usage>,
    bulk: Bulk,
}

impl Org {
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

    /// Requests so far, by kind.
    pub fn calls(&self) -> BTreeMap<&'static str, u64> {
        self.0.usage().kinds()
    }

    /// Ends every session at once; refresh tokens live on. Returns how many there were.
    pub fn expire_sessions(&self) -> usize {
        self.0.identity().expire_sessions()
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
}

impl Inner {
    /// The schema that the tables have, and what a user sees of it.
    fn views(&self, user: Id) -> Views {
        if let Some(views) = self.visibility().known(user) {
            return views;
        }
        self.visibility_mut().look(user)
    }

    fn visibility(&self) -> RwLockReadGuard<'_, Visibility> {
        self.visibility.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn visibility_mut(&self) -> RwLockWriteGuard<'_, Visibility> {
        self.visibility.write().unwrap_or_else(PoisonError::into_inner)
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
