//! Rows by id: up to 2,000 of an object in one reply, and several objects in one call.

use std::fmt;

use bytes::Bytes;
use http::Method;
use jiff::Timestamp;
use self_cell::self_cell;
use serde::Serialize;

use crate::{
    Action, Error, FieldName, Org, Record, RecordId, SObjectName, call::Call, composite::MOST_COLLECTIONS,
    failure::Failure, http::Reply, retry::Effect,
};

/// The most rows of an object that one reply brings.
pub const MOST_IDS: usize = 2_000;

/// Rows to be read.
#[derive(Clone, Copy, Debug)]
pub struct Retrieve<'a> {
    /// Their object.
    pub object: &'a SObjectName,
    /// Their fields, `Id` among them.
    pub fields: &'a [FieldName],
    /// Their ids: at least one, at most [`MOST_IDS`].
    pub ids: &'a [RecordId],
}

/// The rows of one object as they came, borrowed from the bytes of their reply. Those that came in one call share
/// these bytes, which are kept as long as any of them.
pub struct Retrieved {
    rows: Rows,
    answered: Option<Timestamp>,
}

type WireRows<'a> = Vec<Option<Record<'a>>>;

self_cell! {
    struct Rows {
        owner: Bytes,
        #[covariant]
        dependent: WireRows,
    }
}

impl Retrieved {
    /// One row for each id, in the order of the ids; `None` where there is no such record, it is deleted, or the user
    /// may not see it.
    #[must_use]
    pub fn rows(&self) -> &[Option<Record<'_>>] {
        self.rows.borrow_dependent()
    }

    /// When the org answered, by its own clock, to the second: the reply's `Date` header.
    #[must_use]
    pub fn answered(&self) -> Option<Timestamp> {
        self.answered
    }

    /// The length of its part of the reply, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.rows.borrow_owner().len()
    }

    fn read(reply: &Reply, ids: &[RecordId]) -> Result<Retrieved, Failure> {
        let rows = Rows::try_new(reply.body.clone(), |body| {
            serde_json::from_str(reply.text_of(body)?).map_err(|error| reply.unreadable(&error))
        })?;
        let retrieved = Retrieved { rows, answered: reply.date() };
        if retrieved.rows().len() != ids.len() {
            return Err(Failure::unexpected(reply, "it has not as many rows as ids were asked for"));
        }
        let mut found = retrieved.rows().iter().zip(ids).filter_map(|(row, id)| Some((row.as_ref()?, id)));
        if let Some((_, id)) = found.find(|(row, id)| row.id().ok() != Some(**id)) {
            let why = format!("in the place of {id} it has a row of another Id, or of none");
            return Err(Failure::unexpected(reply, &why));
        }
        Ok(retrieved)
    }
}

impl fmt::Debug for Retrieved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (found, asked) = (self.rows().iter().flatten().count(), self.rows().len());
        write!(f, "Retrieved {{ {found} of {asked} rows }}")
    }
}

impl Org {
    /// Reads rows by id, in the order of `wanted`: one call for one object, one for every five of several.
    ///
    /// # Errors
    /// [`Error::Invalid`] for no ids or too many. Otherwise of a call as a whole; what the org refuses of one object
    /// only is that object's outcome: `INVALID_FIELD` if the user may not read one of the fields, whatever the others.
    pub async fn retrieve(&self, wanted: &[Retrieve<'_>]) -> Result<Vec<Result<Retrieved, Error>>, Error> {
        let calls: Vec<Call> = wanted.iter().map(|wanted| self.rows(wanted)).collect::<Result<_, Error>>()?;
        self.send_together(&calls, MOST_COLLECTIONS, |nth, reply| Retrieved::read(reply, wanted[nth].ids)).await
    }

    fn rows(&self, wanted: &Retrieve<'_>) -> Result<Call, Error> {
        #[derive(Serialize)]
        struct Asked<'a> {
            ids: &'a [RecordId],
            fields: &'a [FieldName],
        }

        let Retrieve { object, fields, ids } = *wanted;
        if !(1..=MOST_IDS).contains(&ids.len()) {
            return Err(Error::invalid("list of ids", object.as_str(), "it has 1 to 2000 of them"));
        }
        let path = self.data_path(format_args!("/composite/sobjects/{object}"));
        let action = Action::Retrieve(object.clone());
        Ok(Call::write(action, Method::POST, Effect::Repeatable).path(path).body(&Asked { ids, fields }))
    }
}
