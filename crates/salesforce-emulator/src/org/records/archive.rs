//! Activities that are over a year old: still there, and hidden from every query that does not ask for everything.
//! (SOAP API Developer Guide, "Archived Activities".)
//!
//! A process of the platform's own archives them; here it comes by whenever virtual time is moved, and when an org has been
//! filled. It changes `IsArchived` and nothing else.

use jiff::{SignedDuration, Timestamp};
use rusqlite::params;

use crate::org::schema::SObject;
use crate::org::storage::Database;
use crate::org::value::stamp;
use crate::org::{Org, Refusal};

/// How old an activity must be.
const AGE: SignedDuration = SignedDuration::from_hours(365 * 24);

/// Does the object have an archive? The flag is on others too, without hiding anything.
pub(crate) fn is_archived(object: &SObject) -> bool {
    matches!(object.name.as_str(), "Task" | "Event")
}

impl Org {
    /// Archives the activities that are old enough by now.
    pub(crate) fn archive(&self) -> Result<(), Refusal> {
        Ok(self.0.database().archive(self.now(), self.0.settings.archiving_moves_modstamps)?)
    }
}

impl Database {
    /// A closed task is as old as its due date, an event as old as its start; without a date, as the record itself.
    pub(in crate::org) fn archive(&mut self, now: Timestamp, moves_modstamps: bool) -> rusqlite::Result<()> {
        let before = stamp(now.saturating_sub(AGE).unwrap_or(Timestamp::MIN));
        let modstamp = moves_modstamps.then(|| self.next_stamp(now));
        for (table, old) in [
            ("Task", "\"IsClosed\"=1 AND COALESCE(\"ActivityDate\",\"CreatedDate\")"),
            ("Event", "COALESCE(\"ActivityDateTime\",\"ActivityDate\",\"CreatedDate\")"),
        ] {
            if !self.tables.contains(table) {
                continue;
            }
            // As text, a day comes before every time of it.
            let sql = format!(
                "UPDATE \"{table}\" SET \"IsArchived\"=1,\"SystemModstamp\"=COALESCE(?2,\"SystemModstamp\")
                 WHERE \"IsArchived\"=0 AND \"IsDeleted\"=0 AND {old}<=?1"
            );
            self.connection.execute(&sql, params![before, modstamp])?;
        }
        Ok(())
    }
}
