//! Upserts: a record is named by a field that identifies it to the outside world, and made if there is none.

use std::sync::Arc;

use rusqlite::types::Value as Stored;
use serde_json::{Map, Value as Json};

use crate::org::schema::{Field, SObject};
use crate::org::value::parse;
use crate::org::{Id, Refusal, Transaction};

/// What became of an upsert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upserted {
    /// No record had the value.
    Created(Id),
    /// One had it.
    Updated(Id),
    /// Several have it, and none was changed.
    Ambiguous(Vec<Id>),
}

impl SObject {
    /// A field that tells records apart and that the user sees, by its name in any case.
    ///
    /// # Errors
    /// `NOT_FOUND` if there is no such field, or if it is not for that.
    pub(crate) fn identifying(&self, name: &str) -> Result<&Field, Refusal> {
        let identifies = |field: &&Field| (field.external_id || field.id_lookup) && !self.hides(&field.name);
        self.field(name).filter(identifies).ok_or_else(|| {
            Refusal::missing(format!("Provided external ID field does not exist or is not accessible: {name}"))
        })
    }
}

impl Field {
    /// A value by which records are told apart, so that values that mean the same record are the same.
    pub(crate) fn key(&self, value: &Json) -> String {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if self.case_sensitive { value } else { value.to_ascii_lowercase() }
    }
}

impl Transaction<'_> {
    /// Updates the record whose `field` has this value, or creates one that has it. The `body` need not repeat the value.
    /// A null id creates.
    ///
    /// # Errors
    /// `NOT_FOUND` if the field does not identify records, and what creating and updating refuse.
    pub fn upsert(
        &mut self,
        object: &str,
        field: &str,
        value: &Json,
        mut body: Map<String, Json>,
    ) -> Result<Upserted, Refusal> {
        let described = self.object(object)?;
        let seen = Arc::clone(self.seen(&described));
        let field = seen.identifying(field)?;
        body.retain(|name, _| !name.eq_ignore_ascii_case(&field.name));
        if field.name == "Id" {
            let Some(id) = value.as_str() else { return self.create(object, &body).map(Upserted::Created) };
            let malformed = || Refusal::field("MALFORMED_ID", format!("Id: id value of incorrect type: {id}"), "Id");
            let id = Id::parse(id).ok_or_else(malformed)?;
            return self.update(object, id, &body).map(|()| Upserted::Updated(id));
        }
        match *self.identified(&described, field, value)? {
            [] => {
                body.insert(field.name.clone(), value.clone());
                self.create(object, &body).map(Upserted::Created)
            }
            [id] => self.update(object, id, &body).map(|()| Upserted::Updated(id)),
            ref several => Ok(Upserted::Ambiguous(several.to_vec())),
        }
    }

    /// The live records whose field has this value.
    ///
    /// # Errors
    /// `NOT_FOUND` if the field does not identify records.
    pub fn find(&mut self, object: &str, field: &str, value: &Json) -> Result<Vec<Id>, Refusal> {
        let described = self.object(object)?;
        let field = self.seen(&described).identifying(field)?;
        self.identified(&described, field, value).map(Into::into)
    }

    /// Does one thing of several: if it fails, it alone was not done.
    pub fn attempt<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, Refusal>) -> Result<T, Refusal> {
        let (changes, touched, topics) = (self.changes.len(), self.touched.len(), self.topics_changed);
        let begun = self.database.begin()?;
        let done = work(self);
        if done.is_ok() {
            self.database.commit(begun)?;
        } else {
            self.database.roll_back(begun)?;
            self.changes.truncate(changes);
            self.touched.truncate(touched);
            self.topics_changed = topics;
        }
        done
    }

    pub(super) fn identified(&self, object: &SObject, field: &Field, value: &Json) -> Result<Box<[Id]>, Refusal> {
        let value = parse(field, value)?;
        if value == Stored::Null {
            let message = format!("{} not specified", field.name);
            return Err(Refusal::bad("MISSING_ARGUMENT", message));
        }
        let sql = format!(
            "SELECT t0.\"Id\" FROM \"{}\" t0 WHERE t0.\"{}\"=? AND t0.\"IsDeleted\"=0{} ORDER BY t0.\"Id\"",
            object.name,
            field.name,
            self.sight(object, "t0"),
        );
        let mut statement = self.database.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([value])?;
        let mut ids = Vec::new();
        while let Some(row) = rows.next()? {
            ids.extend(row.get_ref(0)?.as_str().ok().and_then(Id::parse));
        }
        Ok(ids.into())
    }
}
