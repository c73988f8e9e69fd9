//! Merging: records become one. (SOAP API Developer Guide, "merge()"; Apex Developer Guide, "Triggers and Merge
//! Statements".)
//!
//! The losers go to the recycle bin and name the master in `MasterRecordId`; whatever referred to them refers to the master
//! then; the master is updated last. Deletions and update are announced. The children's modstamps move (seen), their tasks
//! are not announced (Streaming API Developer Guide), and whether the others are nobody says: a setting.

use std::collections::HashSet;
use std::sync::Arc;

use rusqlite::params;
use rusqlite::types::Value as Stored;
use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::children::Child;
use super::history;
use super::transaction::ChangeKind;
use crate::org::schema::SObject;
use crate::org::{Id, Org, Refusal, Transaction};

/// The field of a loser that names its master.
const MASTER: &str = "MasterRecordId";
/// Most records that one merge does away with.
const MOST_LOSERS: usize = 2;
/// Fields in which a record refers to one of its own kind, which must not lead back to it.
const HIERARCHIES: [&str; 2] = ["ParentId", "ReportsToId"];

/// What a merge did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Merged {
    /// The record that is left.
    pub id: Id,
    /// The records that are not.
    pub merged: Vec<Id>,
    /// The records that referred to these and refer to the master now.
    pub reparented: Vec<Id>,
}

impl Org {
    /// Merges up to two records into a third of the same object, whose `fields` are updated.
    pub fn merge(
        &self,
        object: &str,
        master: Id,
        losers: &[Id],
        fields: &Map<String, Json>,
    ) -> Result<Merged, Refusal> {
        self.transaction(|transaction| transaction.merge(object, master, losers, fields))
    }
}

impl Transaction<'_> {
    /// Merges up to two records into a third of the same object, whose `fields` are updated.
    ///
    /// # Errors
    /// `INVALID_TYPE_FOR_OPERATION` for objects other than accounts, contacts, leads and cases, `LIMIT_EXCEEDED` beyond two
    /// losers, `CANNOT_UPDATE_CONVERTED_LEAD`, `CIRCULAR_DEPENDENCY` if the master would come to stand below itself, and
    /// what updating and deleting refuse. All but the third are assumed.
    pub fn merge(
        &mut self,
        object: &str,
        master: Id,
        losers: &[Id],
        fields: &Map<String, Json>,
    ) -> Result<Merged, Refusal> {
        let object = self.object(object)?;
        self.check_mergeable(&object, master, losers)?;
        for loser in losers {
            self.touch(&object, *loser)?;
            for Child { object: rows, id, .. } in self.children(&object, *loser, |_, child, _| history::is(child))? {
                self.touch(&rows, id)?;
                self.database.bin(&rows, id, *loser, &self.stamp)?;
            }
            self.database.bin(&object, *loser, *loser, &self.stamp)?;
            self.name_master(&object, *loser, Some(master))?;
            self.note(&object, *loser, ChangeKind::Deleted, Vec::new());
        }
        let mut reparented = Vec::new();
        for loser in losers {
            for child in
                self.children(&object, *loser, |_, child, field| !history::is(child) && field.name != MASTER)?
            {
                self.reparent(&child, master, self.org.settings.merges_announce_children)?;
                reparented.push(child.id);
            }
        }
        self.update(&object.name, master, fields)?;
        Ok(Merged { id: master, merged: losers.to_vec(), reparented })
    }

    /// Gives a record another parent, as the platform does it: its modstamp moves, and its tasks' followers hear nothing.
    pub(super) fn reparent(&mut self, child: &Child, parent: Id, announced: bool) -> Result<(), Refusal> {
        let Child { object, by, id } = child;
        self.touch(object, *id)?;
        let mut row = self.live(object, *id)?.values;
        let mut written = vec![*by];
        row[*by] = Stored::Text(parent.to_string());
        if let Some(modified) = object.position("LastModifiedDate") {
            row[modified] = Stored::Text(self.stamp.clone());
            written.push(modified);
        }
        self.database.update(object, *id, &row, &written, &self.stamp)?;
        if announced && object.name != "Task" {
            self.note(object, *id, ChangeKind::Updated, vec![*by]);
        }
        Ok(())
    }

    /// Says of a loser which record is left of it, or, once it is restored, that it is its own again.
    pub(super) fn name_master(&self, object: &SObject, loser: Id, master: Option<Id>) -> Result<(), Refusal> {
        if object.field(MASTER).is_some() {
            let sql = format!("UPDATE \"{}\" SET \"{MASTER}\"=? WHERE \"Id\"=?", object.name);
            let parameters = params![master.as_ref().map(Id::as_str), loser.as_str()];
            self.database.connection.prepare_cached(&sql)?.execute(parameters)?;
        }
        Ok(())
    }

    fn check_mergeable(&self, object: &Arc<SObject>, master: Id, losers: &[Id]) -> Result<(), Refusal> {
        if object.field(MASTER).is_none() {
            let message = format!("entity type cannot be merged: {}", object.label);
            return Err(Refusal::bad("INVALID_TYPE_FOR_OPERATION", message));
        }
        if losers.is_empty() || losers.len() > MOST_LOSERS {
            let message = format!("a merge takes one to {MOST_LOSERS} records beside the master");
            return Err(Refusal::bad("LIMIT_EXCEEDED", message));
        }
        let mut known = vec![master];
        for loser in losers {
            if known.contains(loser) {
                return Err(Refusal::bad("DUPLICATE_VALUE", format!("Duplicate id in merge: {loser}")));
            }
            known.push(*loser);
        }
        for id in known {
            self.check_deletable(object, id)?;
            self.check_unconverted(object, id)?;
        }
        let circular = self.stands_below(object, master, losers)?;
        let message = "a record would stand above itself";
        if circular { Err(Refusal::bad("CIRCULAR_DEPENDENCY", message)) } else { Ok(()) }
    }

    /// Does a record have one of these among those above it?
    fn stands_below(&self, object: &SObject, id: Id, above: &[Id]) -> Result<bool, Refusal> {
        for by in HIERARCHIES.iter().filter_map(|name| object.position(name)) {
            let (mut at, mut seen) = (id, HashSet::new());
            while seen.insert(at)
                && let Some(row) = self.database.row(object, at)?
                && let Stored::Text(parent) = &row.values[by]
                && let Some(parent) = Id::parse(parent)
            {
                if above.contains(&parent) {
                    return Ok(true);
                }
                at = parent;
            }
        }
        Ok(false)
    }
}
