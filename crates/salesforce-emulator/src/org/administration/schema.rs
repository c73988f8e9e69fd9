//! Changes of the schema by the org's administrator: the tables, the open transactions and the PushTopics follow it.

use std::collections::BTreeMap;

use crate::org::schema::{Crowd, Draft, ObjectDefinition, SchemaChange, SchemaError, Views};
use crate::org::{Inner, Org, Topic};

impl Org {
    /// Changes the schema as an administrator does: all of it, or nothing if one change is refused. Queries, transactions
    /// and their events see the schema before or the one after; describes date from now.
    ///
    /// # Errors
    /// If Salesforce offers no such change, and if the tables cannot be changed; the text says what would be right.
    pub fn change_schema(&self, changes: impl IntoIterator<Item = SchemaChange>) -> Result<(), SchemaError> {
        let changes: Vec<SchemaChange> = changes.into_iter().collect();
        self.0.change_schema(&changes)
    }

    /// Adds objects and fields that a new org starts with: the crowd, then those described one by one, which may refer to
    /// each other and to the crowd. Where an object is there already, its fields are added to it.
    ///
    /// # Errors
    /// As for [`change_schema`](Self::change_schema).
    pub fn define(&self, crowd: Crowd, objects: BTreeMap<String, ObjectDefinition>) -> Result<(), SchemaError> {
        let schema = self.views().whole;
        let (mut new, mut fields, mut formulas) = (Vec::new(), Vec::new(), Vec::new());
        if crowd != Crowd::default() {
            new.push(SchemaChange::Populate(crowd));
        }
        for (object, mut definition) in objects {
            for (field, definition) in std::mem::take(&mut definition.fields) {
                let after = if definition.formula.is_some() { &mut formulas } else { &mut fields };
                after.push(SchemaChange::AddField { object: object.clone(), field, definition });
            }
            match schema.object(&object) {
                None => new.push(SchemaChange::CreateObject { object, definition }),
                Some(_) if definition == ObjectDefinition::default() => {}
                Some(_) => return Err(SchemaError::Exists(object)),
            }
        }
        // Fields refer to objects, and formulas to fields.
        new.append(&mut fields);
        new.append(&mut formulas);
        if new.is_empty() { Ok(()) } else { self.change_schema(new) }
    }
}

impl Inner {
    fn change_schema(&self, changes: &[SchemaChange]) -> Result<(), SchemaError> {
        let mut database = self.database();
        let now = self.clock.now();
        let topics = self.topics();
        let streamed = |object: &str, field: Option<&str>| {
            topics.iter().find(|topic| topic.reads(object, field)).map(|topic| topic.name.clone())
        };
        let mut draft = Draft::of(&self.views(self.administrator).whole, now);
        changes.iter().try_for_each(|change| draft.make(change, streamed))?;
        let (whole, edits) = draft.finish();
        let views = Views::of(whole);
        let topics = database.atomically(|database| {
            database.alter(&views.whole, &edits)?;
            for change in changes.iter().filter(|_| database.durable) {
                database.keep_schema_change(now, change)?;
            }
            Topic::load(&database.connection, &views)
        })?;
        self.late().alter(&edits);
        self.visibility_mut().redesign(views);
        self.set_topics(topics);
        Ok(())
    }
}
