//! One record at a time: create, update, delete.

use http::Method;
use serde::Deserialize;
use serde_json::Value;

use crate::{Action, Error, Org, RecordId, SObjectName, call::Call, retry::Effect};

impl Org {
    /// Creates a record with the fields of `body` and answers its id.
    ///
    /// The request is repeated only where the first one surely was not carried out.
    ///
    /// # Errors
    /// Of [`Class::Unclear`](crate::Class::Unclear) where the reply was lost: the record may exist. Otherwise as any
    /// call.
    pub async fn create(&self, object: &SObjectName, body: &Value) -> Result<RecordId, Error> {
        #[derive(Deserialize)]
        struct Created {
            id: RecordId,
        }

        let path = self.data_path(format_args!("/sobjects/{object}"));
        let action = Action::Create(object.clone());
        let call = Call::write(action, Method::POST, Effect::Once).path(path).body(body);
        Ok(self.send(&call, |reply| reply.json::<Created>()).await?.id)
    }

    /// Writes the fields of `body` to a record; null clears a field, an absent one is left alone.
    ///
    /// # Errors
    /// `ENTITY_IS_DELETED` or `NOT_FOUND` if there is no such record. Otherwise as any call.
    pub async fn update(&self, object: &SObjectName, id: RecordId, body: &Value) -> Result<(), Error> {
        let path = self.data_path(format_args!("/sobjects/{object}/{id}"));
        let action = Action::Update(object.clone(), id);
        let call = Call::write(action, Method::PATCH, Effect::Repeatable).path(path).body(body);
        self.send(&call, |_| Ok(())).await
    }

    /// Deletes a record. One that is deleted already counts as deleted: a repeated request finds it so.
    ///
    /// # Errors
    /// `NOT_FOUND` if there never was such a record, or it was purged. Otherwise as any call.
    pub async fn delete(&self, object: &SObjectName, id: RecordId) -> Result<(), Error> {
        let path = self.data_path(format_args!("/sobjects/{object}/{id}"));
        let action = Action::Delete(object.clone(), id);
        let call = Call::write(action, Method::DELETE, Effect::Repeatable).path(path);
        match self.send(&call, |_| Ok(())).await {
            Err(error) if error.code() == Some("ENTITY_IS_DELETED") => Ok(()),
            outcome => outcome,
        }
    }
}
