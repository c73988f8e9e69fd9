//! What a deletion does to others, and how it is undone or made final.
//!
//! Children go along where their describe says so, and keep their parent from going where it says that. All other lookups
//! are emptied, and filled again if the parent comes back in time and nobody filled them with something else. (Apex
//! Developer Guide, "Deleting Records", tells which are filled again; Salesforce Help, "Object Relationships Overview".)

use std::sync::Arc;

use rusqlite::params;
use rusqlite::types::Value as Stored;

use super::children::Child;
use super::history;
use crate::org::events::push_topic;
use crate::org::schema::{ChildRelationship, Field, SObject, Schema};
use crate::org::storage::{Database, ROOT};
use crate::org::{Id, LookupsToDeleted, Org, Refusal, Transaction};

/// Standard lookups that an undelete fills again, as it does all custom ones.
const RESTORED: [(&str, &str); 4] =
    [("Account", "ParentId"), ("Case", "ParentId"), ("Contact", "ReportsToId"), ("Quote", "OpportunityId")];

impl Org {
    /// Removes for good one record that is in the recycle bin, and what went there with it. Nothing tells of it.
    ///
    /// # Errors
    /// `NOT_FOUND` if it is not in the recycle bin.
    pub fn purge(&self, object: &str, id: Id) -> Result<(), Refusal> {
        self.as_platform(|transaction| {
            let described = transaction.object(object)?;
            if !transaction.database.is_deleted(&described, id)? {
                return Err(Refusal::missing("the record is not in the recycle bin"));
            }
            transaction.hard_delete(object, id)
        })
    }
}

impl Transaction<'_> {
    /// Would deleting this record touch others, or be refused because of them?
    pub(crate) fn has_dependants(&mut self, object: &str, id: Id) -> Result<bool, Refusal> {
        let object = self.object(object)?;
        let touched = |relation: &ChildRelationship, child: &SObject, field: &Field| {
            !history::is(child)
                && (self.goes_along(relation, child) || relation.restricted_delete || self.is_emptied(relation, field))
        };
        Ok(!self.children(&object, id, touched)?.is_empty())
    }

    /// Removes a record for good, from wherever it is, and with it what goes along. Nobody hears of it, and the delete log
    /// forgets it: only those who remember the record can tell that it is gone.
    ///
    /// # Errors
    /// Those of a deletion; 501 in a transaction that commits late.
    pub fn hard_delete(&mut self, object: &str, id: Id) -> Result<(), Refusal> {
        if self.late.is_some() {
            return Err(Refusal::not_imitated("hard deletes in transactions that commit late"));
        }
        let object = self.object(object)?;
        if !self.database.is_deleted(&object, id)? {
            self.check_deletable(&object, id)?;
            self.touch(&object, id)?;
            self.database.bin(&object, id, id, &self.stamp)?;
            self.take_along(&object, id, id)?;
        }
        self.topics_changed |= push_topic::is(&object);
        Ok(self.database.erase(&self.views.whole, &object, id)?)
    }

    /// Bins the children of a record that was binned and empties other lookups to it, level by level. PushTopics hear
    /// nothing of it.
    pub(super) fn take_along(&mut self, parent: &SObject, id: Id, root: Id) -> Result<(), Refusal> {
        self.check_unrestricted(parent, id)?;
        for Child { object, id, .. } in
            self.children(parent, id, |relation, child, _| self.goes_along(relation, child))?
        {
            self.touch(&object, id)?;
            self.database.bin(&object, id, root, &self.stamp)?;
            self.take_along(&object, id, root)?;
        }
        for child in self.children(parent, id, |relation, _, field| self.is_emptied(relation, field))? {
            self.touch(&child.object, child.id)?;
            self.point(&child, None)?;
            let (table, field) = (child.object.name.as_str(), child.field());
            if field.custom || RESTORED.contains(&(table, field.name.as_str())) {
                self.database
                    .connection
                    .prepare_cached("INSERT OR REPLACE INTO \"~orphan\" VALUES(?,?,?,?,?)")?
                    .execute(params![id.as_str(), table, child.id.as_str(), field.name, self.stamp])?;
            }
        }
        Ok(())
    }

    /// Takes a record out of the recycle bin, and with it those that went there with it.
    pub(super) fn bring_back(&mut self, root: Id) -> Result<(), Refusal> {
        for object in Arc::clone(&self.views.whole).objects() {
            let gone = self.database.gone_with(object, root)?;
            for id in &gone {
                self.touch(object, *id)?;
            }
            self.database.restore(object, root, &self.stamp)?;
            for id in gone {
                self.database.ensure(&self.views.whole, &object.name)?;
                self.name_master(object, id, None)?;
                if let Some(row) = self.database.row(object, id)? {
                    self.check_unique(object, &row.values, id)?;
                }
                self.relink(id)?;
            }
        }
        Ok(())
    }

    /// Fills the lookups again that the deletion of a record had emptied, unless they were filled meanwhile.
    fn relink(&mut self, parent: Id) -> Result<(), Refusal> {
        let orphans: Vec<(String, String, String)> = {
            let sql = "SELECT object,id,field FROM \"~orphan\" WHERE parent=?";
            let mut statement = self.database.connection.prepare_cached(sql)?;
            let rows = statement.query_map([parent.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            rows.collect::<Result<_, _>>()?
        };
        for (object, id, field) in orphans {
            let Some((object, id)) = self.views.whole.object(&object).cloned().zip(Id::parse(&id)) else { continue };
            let Some(by) = object.position(&field) else { continue };
            self.database.ensure(&self.views.whole, &object.name)?;
            let empty = self.database.row(&object, id)?.is_some_and(|row| row.values[by] == Stored::Null);
            if empty {
                self.touch(&object, id)?;
                self.point(&Child { object, by, id }, Some(parent))?;
            }
        }
        self.database.forget_orphans(parent)?;
        Ok(())
    }

    /// Changes a lookup without anybody having asked for it: no event, and no modstamp where the org is silent about it.
    fn point(&self, child: &Child, to: Option<Id>) -> Result<(), Refusal> {
        let (table, field) = (&child.object.name, &child.field().name);
        let stamped =
            if self.org.settings.lookups_to_deleted == LookupsToDeleted::Emptied { "?3" } else { "\"SystemModstamp\"" };
        let sql = format!("UPDATE \"{table}\" SET \"{field}\"=?1,\"SystemModstamp\"={stamped} WHERE \"Id\"=?2");
        let mut statement = self.database.connection.prepare_cached(&sql)?;
        statement.raw_bind_parameter(1, to.as_ref().map(Id::as_str))?;
        statement.raw_bind_parameter(2, child.id.as_str())?;
        if statement.parameter_count() > 2 {
            statement.raw_bind_parameter(3, self.stamp.as_str())?;
        }
        statement.raw_execute()?;
        Ok(())
    }

    /// Refuses to delete a record that others need.
    fn check_unrestricted(&self, parent: &SObject, id: Id) -> Result<(), Refusal> {
        let needing = self.children(parent, id, |relation, _, _| relation.restricted_delete)?;
        let Some(first) = needing.first() else { return Ok(()) };
        let same = needing.iter().filter(|child| child.object.name == first.object.name);
        let names = same.map(|child| self.name(&child.object, child.id)).collect::<Result<Vec<_>, _>>()?;
        let message = format!(
            "Your attempt to delete {} could not be completed because it is associated with the following {}.: {}\n",
            self.name(parent, id)?,
            first.object.plural.to_lowercase(),
            names.join(", ")
        );
        Err(Refusal { fields: Some(Vec::new()), ..Refusal::bad("DELETE_FAILED", message) })
    }

    /// What people call a record: a person with the salutation.
    fn name(&self, object: &SObject, id: Id) -> Result<String, Refusal> {
        let Some(row) = self.database.row(object, id)? else { return Ok(id.to_string()) };
        let salutation = object.position("Salutation").filter(|_| object.has_person_name());
        let name = object.fields.iter().position(|field| field.name_field);
        let words = salutation.into_iter().chain(name).filter_map(|at| match &row.values[at] {
            Stored::Text(word) => Some(word.as_str()),
            _ => None,
        });
        let words = words.collect::<Vec<_>>().join(" ");
        Ok(if words.is_empty() { id.to_string() } else { words })
    }

    /// Is a child deleted with its parent? Its history always, others where the org cascades.
    fn goes_along(&self, relation: &ChildRelationship, child: &SObject) -> bool {
        relation.cascade_delete && (self.org.settings.cascade_deletes || history::is(child))
    }

    /// Does a lookup that neither cascades nor restricts lose its value with the record it names?
    fn is_emptied(&self, relation: &ChildRelationship, field: &Field) -> bool {
        let free = !relation.cascade_delete && !relation.restricted_delete && field.nillable;
        free && field.name != "MasterRecordId" && self.org.settings.lookups_to_deleted != LookupsToDeleted::Kept
    }
}

impl Database {
    /// Removes a record that is in the recycle bin, what went there with it, and the memory of both.
    fn erase(&self, schema: &Schema, object: &SObject, id: Id) -> rusqlite::Result<()> {
        for other in schema.objects().filter(|other| self.tables.contains(&other.name)) {
            self.forget_deletions(other, id)?;
            for gone in self.gone_with(other, id)? {
                self.forget_orphans(gone)?;
            }
            let sql = format!("DELETE FROM \"{}\" WHERE \"{ROOT}\"=?", other.name);
            self.connection.prepare_cached(&sql)?.execute([id.as_str()])?;
        }
        // Its own root is another record's deletion, if it had gone along with it.
        self.forget_deletion(object, id)?;
        self.forget_orphans(id)?;
        self.connection
            .prepare_cached(&format!("DELETE FROM \"{}\" WHERE \"Id\"=?", object.name))?
            .execute([id.as_str()])?;
        Ok(())
    }

    fn forget_orphans(&self, parent: Id) -> rusqlite::Result<()> {
        self.connection.prepare_cached("DELETE FROM \"~orphan\" WHERE parent=?")?.execute([parent.as_str()])?;
        Ok(())
    }
}
