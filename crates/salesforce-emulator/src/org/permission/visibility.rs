//! What each user sees: worked out from the schema and from what they were granted, and kept until either changes.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::org::Id;
use crate::org::permission::Register;
use crate::org::schema::{Schema, Views, later};

#[derive(Debug)]
pub(in crate::org) struct Visibility {
    /// The schema that the tables have, and what the administrator sees of it.
    open: Views,
    granted: Register,
    /// When what somebody was granted last changed; describes date from then.
    changed: Timestamp,
    seen: HashMap<Id, Arc<Schema>>,
}

impl Visibility {
    pub(in crate::org) fn new(open: Views, granted: Register) -> Self {
        Self { open, granted, changed: Timestamp::MIN, seen: HashMap::new() }
    }

    pub(in crate::org) fn granted(&self) -> &Register {
        &self.granted
    }

    /// What the user sees, if it was worked out before.
    pub(in crate::org) fn known(&self, user: Id) -> Option<Views> {
        let visible = Arc::clone(self.seen.get(&user)?);
        Some(Views { whole: Arc::clone(&self.open.whole), visible })
    }

    /// Works out what the user sees.
    pub(in crate::org) fn look(&mut self, user: Id) -> Views {
        let rights = self.granted.rights(user);
        let visible = if rights.are_full() {
            Arc::clone(&self.open.visible)
        } else {
            Arc::new(Schema::seen(&self.open.visible, &self.open.whole, rights, self.changed))
        };
        self.seen.insert(user, Arc::clone(&visible));
        Views { whole: Arc::clone(&self.open.whole), visible }
    }

    /// The schema was changed.
    pub(in crate::org) fn redesign(&mut self, open: Views) {
        self.open = open;
        self.seen.clear();
    }

    /// Changes what was granted.
    pub(in crate::org) fn change<T, E>(
        &mut self,
        now: Timestamp,
        change: impl FnOnce(&mut Register) -> Result<T, E>,
    ) -> Result<T, E> {
        let done = change(&mut self.granted)?;
        self.changed = later(self.changed.max(self.open.whole.modified()), now);
        self.seen.clear();
        Ok(done)
    }

    /// Takes up what was granted when the org was last open.
    pub(in crate::org) fn restore(&mut self, saved: &str) -> Result<(), serde_json::Error> {
        self.seen.clear();
        self.granted.restore(saved)
    }

    /// A user is there, with a profile.
    pub(in crate::org) fn seat(&mut self, user: Id, profile: Id, now: Timestamp) {
        if self.granted.profile(user, profile) {
            self.changed = later(self.changed.max(self.open.whole.modified()), now);
        }
        self.seen.remove(&user);
    }
}
