//! Single records, some of them by their ids, and all of an object: the truth that tests compare with.

use std::collections::HashMap;

use rusqlite::OptionalExtension as _;

use super::render;
use crate::org::schema::{Field, SObject};
use crate::org::storage::ROOT;
use crate::org::{Id, Org, Refusal};
use crate::soql::{self, FieldPath, Query, Select, SelectItem, Span};

/// API version in the URLs of the truth.
const TRUTH: &str = "62.0";

impl Org {
    /// One record as JSON: all its fields, or those named. What is in the recycle bin is not there.
    pub fn record(&self, object: &SObject, id: Id, fields: Option<&[&str]>, version: &str) -> Result<Vec<u8>, Refusal> {
        let select = match fields {
            None => all_fields(object),
            // The id closes the record, asked for or not.
            Some(names) => {
                names.iter().copied().filter(|name| !name.eq_ignore_ascii_case("Id")).chain(["Id"]).map(field).collect()
            }
        };
        let mut database = self.0.database();
        let plan = self.plan(&mut database, &everything(object, select), false)?;
        let mut statement = database.connection.prepare_cached(&plan.live_record_sql())?;
        let mut rows = statement.query([id.as_str()])?;
        let row = rows.next()?.ok_or_else(Refusal::not_found)?;
        let mut json = Vec::new();
        render::record(&mut json, &plan, row, version)?;
        Ok(json)
    }

    /// Records by their ids, as a JSON array with one element for each: null where there is no such record, or not any
    /// more. An unknown field fails the whole.
    pub fn retrieve(
        &self,
        object: &SObject,
        ids: &[impl AsRef<str>],
        fields: &[&str],
        version: &str,
    ) -> Result<Vec<u8>, Refusal> {
        // The id is there, asked for or not.
        let id = (!fields.iter().any(|name| name.eq_ignore_ascii_case("Id"))).then_some("Id");
        let select = fields.iter().copied().chain(id).map(field).collect();
        let mut database = self.0.database();
        let plan = self.plan(&mut database, &everything(object, select), false)?;
        let mut statement = database.connection.prepare_cached(&plan.live_record_sql())?;
        let mut json = vec![b'['];
        for id in ids {
            if json.len() > 1 {
                json.push(b',');
            }
            let Some(id) = Id::parse(id.as_ref()) else {
                json.extend_from_slice(b"null");
                continue;
            };
            let mut rows = statement.query([id.as_str()])?;
            match rows.next()? {
                Some(row) => render::record(&mut json, &plan, row, version)?,
                None => json.extend_from_slice(b"null"),
            }
        }
        json.push(b']');
        Ok(json)
    }

    /// The binary content of a field.
    pub(crate) fn blob(&self, object: &SObject, id: Id, field: &Field) -> Result<Vec<u8>, Refusal> {
        let mut database = self.0.database();
        database.ensure(&self.views().whole, &object.name)?;
        let sql = format!(
            "SELECT t0.\"{}\" FROM \"{}\" t0 WHERE t0.\"Id\"=? AND t0.\"IsDeleted\"=0{}",
            field.name,
            object.name,
            self.sight(&mut database, object)?
        );
        let mut statement = database.connection.prepare_cached(&sql)?;
        let content = statement.query_row([id.as_str()], |row| row.get::<_, Option<Vec<u8>>>(0)).optional()?;
        content.flatten().ok_or_else(Refusal::not_found)
    }

    /// The truth to compare with: every row of an object as a JSON array, by id, spelled as the REST API spells it,
    /// archived or not. With `deleted`, the recycle bin too.
    pub fn records(&self, object: &str, deleted: bool) -> Result<Vec<u8>, Refusal> {
        let mut database = self.0.database();
        let object = self.object(object)?;
        let mut plan = self.plan(&mut database, &everything(&object, all_fields(&object)), deleted)?;
        plan.with_archived = true;
        let mut statement = database.connection.prepare_cached(&plan.rows_sql(u64::from(u32::MAX)))?;
        let mut rows = statement.query([])?;
        let mut json = vec![b'['];
        while let Some(row) = rows.next()? {
            if json.len() > 1 {
                json.push(b',');
            }
            render::record(&mut json, &plan, row, TRUTH)?;
        }
        json.push(b']');
        Ok(json)
    }

    /// Ids of an object's live records, or of those in the recycle bin, in their order.
    pub fn ids(&self, object: &str, deleted: bool) -> Result<Vec<Id>, Refusal> {
        let mut database = self.0.database();
        let object = self.object(object)?;
        database.ensure(&self.views().whole, &object.name)?;
        let sight = self.sight(&mut database, &object)?;
        let wanted = if deleted { format!("\"{ROOT}\" IS NOT NULL") } else { "\"IsDeleted\"=0".to_owned() };
        let sql = format!("SELECT \"Id\" FROM \"{}\" t0 WHERE {wanted}{sight} ORDER BY \"Id\"", object.name);
        let mut statement = database.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([])?;
        let mut ids = Vec::new();
        while let Some(row) = rows.next()? {
            ids.extend(row.get_ref(0)?.as_str().ok().and_then(Id::parse));
        }
        Ok(ids)
    }

    /// Live rows of each object.
    pub fn counts(&self) -> Result<HashMap<String, u64>, Refusal> {
        Ok(self.0.database().counts()?)
    }
}

fn all_fields(object: &SObject) -> Vec<SelectItem> {
    object.fields.iter().map(|described| field(&described.name)).collect()
}

pub(in crate::org) fn field(name: &str) -> SelectItem {
    SelectItem::Field(FieldPath {
        names: name.split('.').map(str::to_owned).collect(),
        span: Span { start: 0, end: 0 },
    })
}

/// `SELECT … FROM object ORDER BY Id`, made without text.
fn everything(object: &SObject, select: Vec<SelectItem>) -> Query {
    let span = Span { start: 0, end: 0 };
    let id = FieldPath { names: vec!["Id".to_owned()], span };
    Query {
        text: String::new(),
        select: Select::Items(select),
        from: object.name.clone(),
        from_span: span,
        alias: None,
        condition: None,
        scope: soql::Scope::Everything,
        group: Vec::new(),
        having: None,
        order: vec![soql::Order { by: soql::Operand::Field(id), descending: false, nulls: soql::NullsOrder::First }],
        limit: None,
        offset: None,
    }
}
