//! Deleting past the recycle bin.

use crate::org::database::ROOT;
use crate::org::{Id, Refusal, Transaction};

impl Transaction<'_> {
    /// Removes for good a record that was just deleted, and what its deletion took along. Nothing tells of it afterwards.
    pub(super) fn purge(&mut self, id: Id) -> Result<(), Refusal> {
        let objects: Vec<_> =
            self.views.whole.objects().filter(|object| self.database.tables.contains(&object.name)).cloned().collect();
        for object in objects {
            for gone in self.database.gone_with(&object, id)? {
                self.database.forget_deletion(&object, gone)?;
            }
            let sql = format!("DELETE FROM \"{}\" WHERE \"{ROOT}\"=?", object.name);
            self.database.connection.prepare_cached(&sql)?.execute([id.as_str()])?;
        }
        Ok(())
    }
}
