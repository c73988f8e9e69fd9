//! Sub-queries: `(SELECT Id FROM Contacts)`, the children of each record of the query they stand in.

use super::Error;
use super::compile::{Answer, Compiled, Compiler, Output};
use super::query::Query;
use super::select::named;

/// Most sub-queries in one query.
const MOST: usize = 20;
/// Levels of objects one query may read, its own among them. (SOQL reference, from API 58.0 on.)
const LEVELS: usize = 5;

/// A sub-query ready to run, for any number of parents at once.
#[derive(Debug)]
pub(crate) struct Children {
    /// What it asks of the children.
    pub plan: Compiled,
    parent: String,
    /// The children's field that names the parent.
    link: String,
}

impl Children {
    /// Reads the row ids of the children of parents, whose row ids are the elements of a JSON array, the last parameter:
    /// each parent's place in the array and a child's row id. The limit of the sub-query is each parent's and left to the
    /// reader.
    pub(crate) fn row_ids_sql(&self) -> String {
        let Self { plan, parent, link } = self;
        let order: String = plan.order.iter().flat_map(|key| [key, ","]).collect();
        let parents = plan.parameters.len() + 1;
        format!(
            "SELECT parents.key,t0.rowid FROM json_each(?{parents}) parents JOIN \"{parent}\" parent ON \
             parent.rowid=parents.value JOIN \"{}\" t0 ON t0.\"{link}\"=parent.\"Id\"{}{} ORDER BY parents.key,{order}t0.rowid",
            plan.object.name,
            plan.joined(),
            plan.matching(),
        )
    }
}

impl Compiler<'_> {
    pub(super) fn select_children(
        &mut self,
        outputs: &mut Vec<Output>,
        query: &Query,
        with_deleted: bool,
    ) -> Result<(), Error> {
        let refused = |code, message: &str| Error::at(code, &self.query.text, query.from_span, message);
        if self.children.len() == MOST {
            return Err(refused("MALFORMED_QUERY", &format!("a query may have {MOST} sub-queries at most")));
        }
        if query.levels() + 2 > LEVELS {
            return Err(refused("MALFORMED_QUERY", &format!("sub-queries reach {LEVELS} levels at most")));
        }
        // `FROM a.Contacts` and `FROM Account.Contacts` name the same relationship.
        let wanted = query.from.rsplit('.').next().unwrap_or(&query.from);
        let relation = self.object.children.iter().find_map(|relation| {
            let name = relation.relationship_name.as_ref().filter(|name| name.eq_ignore_ascii_case(wanted))?;
            Some((name.clone(), relation.field.clone(), self.schema.object(&relation.child)))
        });
        let Some((name, link, child)) = relation else {
            let message = format!(
                "Didn't understand relationship '{wanted}' in FROM part of query call. If you are attempting to use a custom \
                 relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or \
                 the describe call for the appropriate names."
            );
            return Err(refused("INVALID_TYPE", &message));
        };
        let Some(child) = child else { return Err(Error::gap(format!("children {}.{name}", self.object.name))) };
        if named(outputs, &name).is_some() {
            return Err(refused("INVALID_FIELD", &format!("duplicate field selected: {name}")));
        }
        let plan = Compiler::new(self.schema, self.asker, query, child).compiled(with_deleted)?;
        if plan.answer != Answer::Rows {
            return Err(refused("MALFORMED_QUERY", "Aggregate functions are not allowed in sub-queries"));
        }
        for object in plan.objects() {
            self.read(object);
        }
        let (parent, at) = (self.object.name.clone(), self.children.len());
        self.children.push(Children { plan, parent, link });
        outputs.push(Output::Children { name, at });
        Ok(())
    }
}
