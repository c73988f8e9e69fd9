//! The records that refer to a record.

use std::sync::Arc;

use crate::org::schema::{ChildRelationship, Field, SObject};
use crate::org::{Id, Refusal, Transaction};

/// A live record, and its field that names the parent.
#[derive(Debug, Clone)]
pub(super) struct Child {
    pub(in crate::org) object: Arc<SObject>,
    /// Place of the field.
    pub(in crate::org) by: usize,
    pub(in crate::org) id: Id,
}

impl Child {
    /// The field that names the parent.
    pub(in crate::org) fn field(&self) -> &Field {
        &self.object.fields[self.by]
    }
}

impl Transaction<'_> {
    /// The children of a record in the relationships that are wanted, as the whole schema has them.
    pub(super) fn children(
        &self,
        parent: &SObject,
        id: Id,
        wanted: impl Fn(&ChildRelationship, &SObject, &Field) -> bool,
    ) -> Result<Vec<Child>, Refusal> {
        let mut children = Vec::new();
        for relation in &parent.children {
            let Some(object) = self.views.whole.object(&relation.child) else { continue };
            let Some(by) = object.position(&relation.field).filter(|by| object.fields[*by].is_stored()) else {
                continue;
            };
            let field = &object.fields[by];
            if !self.database.tables.contains(&object.name) || !wanted(relation, object, field) {
                continue;
            }
            let mut statement = self.database.connection.prepare_cached(&by_parent(object, field))?;
            let mut rows = statement.query([id.as_str()])?;
            while let Some(row) = rows.next()? {
                let id = row.get_ref(0)?.as_str().ok().and_then(Id::parse);
                children.extend(id.map(|id| Child { object: Arc::clone(object), by, id }));
            }
        }
        Ok(children)
    }
}

fn by_parent(object: &SObject, field: &Field) -> String {
    format!("SELECT \"Id\" FROM \"{}\" WHERE \"{}\"=? AND \"IsDeleted\"=0", object.name, field.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::org::Org;

    /// Whatever is deleted or merged is asked for all its children, of which there may be a million.
    #[test]
    fn children_are_found_by_indexes() {
        let (org, _) = Org::open(None, 1, crate::Settings::default()).unwrap();
        let searched = org.transaction(|transaction| {
            let whole = Arc::clone(&transaction.views.whole);
            let mut searched = 0;
            for relation in whole.objects().filter(|parent| parent.deletable).flat_map(|parent| &parent.children) {
                let Some(object) = whole.object(&relation.child) else { continue };
                let Some(field) = object.field(&relation.field) else { continue };
                transaction.database.ensure(&whole, &object.name)?;
                let sql = format!("EXPLAIN QUERY PLAN {}", by_parent(object, field));
                let mut statement = transaction.database.connection.prepare(&sql)?;
                let step: String = statement.query_row(["x"], |row| row.get(3))?;
                assert!(step.contains(&format!("USING INDEX {}~{}", object.name, field.name)), "{step}");
                searched += 1;
            }
            Ok(searched)
        });
        assert!(searched.unwrap() > 100);
    }
}
