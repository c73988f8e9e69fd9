//! Fields whose values no two live records share. Text counts as the same whatever its case, unless the field says
//! otherwise; the recycle bin does not count.

use rusqlite::types::Value as Stored;

use crate::org::schema::SObject;
use crate::org::{Id, Refusal, Transaction};

impl Transaction<'_> {
    /// Refuses a row that has what another one has.
    pub(super) fn check_unique(&self, object: &SObject, row: &[Stored], id: Id) -> Result<(), Refusal> {
        for (at, field) in
            object.fields.iter().enumerate().filter(|(at, field)| field.unique && row[*at] != Stored::Null)
        {
            let name = &field.name;
            let sql = format!(
                "SELECT \"Id\" FROM \"{}\" WHERE \"{name}\"=?1 AND \"Id\"<>?2 AND \"IsDeleted\"=0",
                object.name
            );
            let mut statement = self.database.connection.prepare_cached(&sql)?;
            let mut rows = statement.query(rusqlite::params![row[at], id.as_str()])?;
            if let Some(other) = rows.next()? {
                let other: String = other.get(0)?;
                let message =
                    format!("duplicate value found: {name} duplicates value on record with id: {}", &other[..15]);
                return Err(Refusal { fields: Some(Vec::new()), ..Refusal::bad("DUPLICATE_VALUE", message) });
            }
        }
        Ok(())
    }
}
