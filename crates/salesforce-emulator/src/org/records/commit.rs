//! The ways to change records: one by one, or several in a transaction that counts whole or not at all.

use serde_json::{Map, Value as Json};

use super::transaction::{Actor, Transaction};
use crate::org::events::Announcement;
use crate::org::{Id, Inner, Org, Refusal};

impl Org {
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
}

impl Inner {
    pub(in crate::org) fn transaction<T>(
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
}
