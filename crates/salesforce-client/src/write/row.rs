//! One row per call: the org's answer is about it alone.

use http::{Method, StatusCode};
use serde::Deserialize;

use crate::{
    Action, Error, ExternalId, FieldName, Fields, Org, RecordId, SObjectName, Saved, WriteOptions, call::Call,
    error::Verb, failure::Failure, http::Reply, retry::Effect,
};

/// Which record is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key<'a> {
    /// The one with this id.
    Id(RecordId),
    /// The one whose field holds this.
    External(&'a FieldName, ExternalId<'a>),
}

/// A row to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write<'a> {
    /// Creates a record.
    Create(&'a Fields),
    /// Writes to a record that is there; null clears a field, an absent one is left alone. Nothing is created.
    Update(Key<'a>, &'a Fields),
    /// Writes to the record whose field holds this, or creates one. Records in the recycle bin do not count.
    Upsert(&'a FieldName, ExternalId<'a>, &'a Fields),
    /// Moves a record to the recycle bin. One that is deleted already counts as deleted.
    Delete(Key<'a>),
}

impl Org {
    /// Writes one row.
    ///
    /// All but a create is repeated when the reply is lost: it ends the same however often it is done. A create is
    /// repeated only where the first one surely was not carried out.
    ///
    /// # Errors
    /// The org's refusal of the row: [`Error::code`] and the [`Fault`](crate::Fault)s of its [`Refusal`](crate::Refusal)
    /// say why.
    /// - `NOT_FOUND` if there is no such record to be updated or deleted, and for an external id field that is not there
    ///   or that the user may not read. It is also the answer to a delete by external id whose first reply was lost.
    ///   Salesforce gives it for values that end like a file, such as `joe@acme.inc`, too: rows of a collection, and
    ///   record ids, know no such trouble.
    /// - `DUPLICATE_EXTERNAL_ID` with HTTP 300 if several records have the external id: nothing was written.
    ///
    /// Of [`Class::Unclear`](crate::Class::Unclear) if the reply to a create was lost: the record may exist.
    /// [`Error::Invalid`] for the external ids `.` and `..`. Otherwise as any call.
    pub async fn write(&self, object: &SObjectName, write: &Write<'_>, options: &WriteOptions) -> Result<Saved, Error> {
        let call = self.row_call(object, write)?.options(*options);
        let deleted = match write {
            Write::Delete(Key::Id(id)) => Some(*id),
            _ => None,
        };
        match self.send(&call, |reply| read(reply, write)).await {
            Err(error) if deleted.is_some() && error.code() == Some("ENTITY_IS_DELETED") => {
                Ok(Saved { id: deleted, created: false })
            }
            outcome => outcome,
        }
    }

    fn row_call(&self, object: &SObjectName, write: &Write<'_>) -> Result<Call, Error> {
        let (verb, method, effect) = match write {
            Write::Create(_) => (Verb::Create, Method::POST, Effect::Once),
            Write::Update(..) => (Verb::Update, Method::PATCH, Effect::Repeatable),
            Write::Upsert(..) => (Verb::Upsert, Method::PATCH, Effect::Repeatable),
            Write::Delete(_) => (Verb::Delete, Method::DELETE, Effect::Repeatable),
        };
        let (action, path) = match write {
            Write::Create(_) => (Action::Create(object.clone()), self.data_path(format_args!("/sobjects/{object}"))),
            Write::Update(Key::Id(id), _) => (Action::Update(object.clone(), *id), self.record_path(object, *id)),
            Write::Delete(Key::Id(id)) => (Action::Delete(object.clone(), *id), self.record_path(object, *id)),
            Write::Update(Key::External(field, value), _)
            | Write::Upsert(field, value, _)
            | Write::Delete(Key::External(field, value)) => {
                let path = self.data_path(format_args!("/sobjects/{object}/{field}/{}", value.segment()?));
                (Action::WriteBy(verb, object.clone(), (*field).clone()), path)
            }
        };
        let mut call = Call::write(action, method, effect).path(path);
        if let Write::Create(fields) | Write::Update(_, fields) | Write::Upsert(_, _, fields) = write {
            call = call.json(fields.object());
        }
        if let Write::Update(Key::External(..), _) = write {
            call = call.query("updateOnly=true".to_owned());
        }
        Ok(call)
    }

    fn record_path(&self, object: &SObjectName, id: RecordId) -> String {
        self.data_path(format_args!("/sobjects/{object}/{id}"))
    }
}

/// What a reply of success says. That of an update or a delete has no body, that of an upsert none before version 46.
fn read(reply: &Reply, write: &Write<'_>) -> Result<Saved, Failure> {
    #[derive(Deserialize)]
    struct Wire {
        id: RecordId,
        #[serde(default)]
        created: Option<bool>,
    }

    let is_new = matches!(write, Write::Create(_)) || reply.status == StatusCode::CREATED;
    match write {
        Write::Update(Key::Id(id), _) | Write::Delete(Key::Id(id)) => Ok(Saved { id: Some(*id), created: false }),
        _ if reply.status == StatusCode::NO_CONTENT && !is_new => Ok(Saved { id: None, created: false }),
        _ => reply.json::<Wire>().map(|wire| Saved { id: Some(wire.id), created: wire.created.unwrap_or(is_new) }),
    }
}
