//! What a user may write: the checks that transactions make for whoever is not the platform.

use std::sync::Arc;

use rusqlite::types::Value as Stored;

use super::transaction::Actor;
use crate::org::permission::RowAction;
use crate::org::schema::{Field, SObject};
use crate::org::{Id, Refusal, Transaction};

/// The object whose records are users.
pub(in crate::org) const USER: &str = "User";

impl Transaction<'_> {
    /// The object with the flags that hold for the user.
    pub(in crate::org) fn seen<'a>(&'a self, object: &'a Arc<SObject>) -> &'a Arc<SObject> {
        let restricted = self.actor == Actor::Client && self.views.visible.viewer().is_some();
        restricted.then(|| self.views.visible.object(&object.name)).flatten().unwrap_or(object)
    }

    /// A field as it is for the user, by its place; what they may not see is not there for them.
    pub(super) fn seen_field<'a>(&'a self, object: &'a SObject, at: usize) -> Option<&'a Field> {
        let field = &object.fields[at];
        match (self.actor, self.views.visible.viewer()) {
            (Actor::Client, Some(_)) => self.views.visible.object(&object.name)?.field(&field.name),
            (Actor::Client, None) => (!object.hides(&field.name)).then_some(field),
            (Actor::Platform | Actor::Seed, _) => Some(field),
        }
    }

    /// Is the record there for the user?
    pub(in crate::org) fn sees(&self, object: &SObject, id: Id) -> Result<bool, Refusal> {
        self.admits(object, id, RowAction::Read)
    }

    /// What a WHERE must add so that it finds no rows that are not there for the user.
    pub(in crate::org) fn sight(&self, object: &SObject, alias: &str) -> String {
        let condition = self.condition(object, alias, RowAction::Read);
        condition.map(|condition| format!(" AND {condition}")).unwrap_or_default()
    }

    /// Refuses what the user may not do with a record that they see.
    pub(super) fn check_row(&self, object: &SObject, id: Id, action: RowAction) -> Result<(), Refusal> {
        if self.admits(object, id, action)? {
            return Ok(());
        }
        let refused = Refusal::bad("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id");
        Err(Refusal { status: 403, fields: Some(Vec::new()), ..refused })
    }

    /// Refuses a reference to a record that is not there for the user.
    pub(super) fn check_sight(&self, object: &SObject, id: Id) -> Result<(), Refusal> {
        if self.sees(object, id)? {
            return Ok(());
        }
        let message = "insufficient access rights on cross-reference id";
        let refused = Refusal::bad("INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", message);
        Err(Refusal { fields: Some(Vec::new()), ..refused })
    }

    fn admits(&self, object: &SObject, id: Id, action: RowAction) -> Result<bool, Refusal> {
        let Some(condition) = self.condition(object, "t0", action) else { return Ok(true) };
        let sql = format!("SELECT 1 FROM \"{}\" t0 WHERE t0.\"Id\"=? AND {condition}", object.name);
        Ok(self.database.connection.prepare_cached(&sql)?.exists([id.as_str()])?)
    }

    fn condition(&self, object: &SObject, alias: &str, action: RowAction) -> Option<String> {
        let viewer = self.views.visible.viewer().filter(|_| self.actor == Actor::Client)?;
        viewer.rows(object, alias, action, &|table| self.database.tables.contains(table))
    }

    /// Checks a user that is about to be written: the username is free, the profile is there.
    pub(super) fn check_user(&self, object: &SObject, row: &[Stored], id: Id) -> Result<(), Refusal> {
        if object.name != USER || self.actor == Actor::Seed {
            return Ok(());
        }
        let value = |name: &str| object.position(name).map_or(&Stored::Null, |at| &row[at]);
        let sql = "SELECT 1 FROM \"User\" WHERE \"Username\"=?1 AND \"Id\"<>?2";
        let username = value("Username");
        if self.database.connection.prepare_cached(sql)?.exists(rusqlite::params![username, id.as_str()])? {
            let message = "Duplicate Username.<br>The username already exists in this or another Salesforce organization. \
                           Usernames must be unique across all Salesforce organizations. To resolve, use a different username \
                           (it doesn't need to match the user's email address).";
            return Err(Refusal::field("DUPLICATE_USERNAME", message, "Username"));
        }
        let unknown = |id: &String| Id::parse(id).is_none_or(|id| !self.org.visibility().granted().is_profile(id));
        match value("ProfileId") {
            Stored::Text(profile) if unknown(profile) => {
                let message = "invalid cross reference id";
                Err(Refusal { fields: Some(Vec::new()), ..Refusal::bad("INVALID_CROSS_REFERENCE_KEY", message) })
            }
            _ => Ok(()),
        }
    }

    /// The users that were written.
    pub(super) fn users_written(&self) -> Vec<Id> {
        self.touched.iter().filter(|(object, _)| object.name == USER).map(|(_, id)| *id).collect()
    }
}
