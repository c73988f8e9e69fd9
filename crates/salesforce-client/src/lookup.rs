//! Ids of records by what others call them: many external ids in as few queries as hold them.

use std::collections::{HashMap, HashSet};

use crate::{
    Error, ExternalId, Field, FieldName, FieldType, Org, Record, RecordId, SObjectName, Select,
    decimal::Decimal,
    query::LONGEST_QUERY,
    soql::{Condition, Literal},
};

/// The most values that one query of [`Org::ids_by`] asks for: as many rows as a page has, if each value names one.
pub const MOST_VALUES: usize = 2_000;

impl Org {
    /// The ids of the records that have these values in a field, which is filterable and has an external id or a key:
    /// for each value in its place none, one, or, if the field is not unique, several. Deleted records do not count.
    ///
    /// Values compare as the org compares them: texts without regard to case unless the field is `case_sensitive`,
    /// numbers by what they say (`5` is `5.0`; what is no number matches nothing). A record whose value is spelled like
    /// none of those asked for is found all the same, at the price of further queries.
    ///
    /// It costs one call for as many values as fit a query of [`LONGEST_QUERY`], at most [`MOST_VALUES`].
    ///
    /// # Errors
    /// As [`Org::query`].
    pub async fn ids_by(
        &self,
        object: &SObjectName,
        field: &Field,
        values: &[ExternalId<'_>],
    ) -> Result<Vec<Vec<RecordId>>, Error> {
        let found = self.found_by(object, field, values, Scope::Live).await?;
        Ok(found.into_iter().map(|records| records.into_iter().map(|record| record.id).collect()).collect())
    }

    /// The records in the recycle bin that have these values in a field: for each value in its place the one that was deleted last, and
    /// none if a record that is not deleted has the value. Records that are gone for good may be among them for a while, as Salesforce shows
    /// them until it removes them.
    ///
    /// Values compare, and calls cost, as those of [`Org::ids_by`].
    ///
    /// # Errors
    /// As [`Org::query_all`].
    pub async fn deleted_by(
        &self,
        object: &SObjectName,
        field: &Field,
        values: &[ExternalId<'_>],
    ) -> Result<Vec<Option<RecordId>>, Error> {
        let found = self.found_by(object, field, values, Scope::WithDeleted).await?;
        let last_deleted = |records: Vec<Found>| {
            let all_deleted: Option<Vec<_>> =
                records.into_iter().map(|record| Some((record.deleted?, record.id))).collect();
            all_deleted?.into_iter().max().map(|(_, id)| id)
        };
        Ok(found.into_iter().map(last_deleted).collect())
    }

    async fn found_by(
        &self,
        object: &SObjectName,
        field: &Field,
        values: &[ExternalId<'_>],
        scope: Scope,
    ) -> Result<Vec<Vec<Found>>, Error> {
        let sense = Sense::of(field);
        let keys: Vec<Option<Value>> = values.iter().map(|value| sense.read(value.as_str())).collect();
        // A value that stands there twice is asked for once.
        let mut places: HashMap<&Value, Vec<usize>> = HashMap::new();
        let mut asked: Vec<(&Value, Literal)> = Vec::new();
        for (place, (key, value)) in keys.iter().zip(values).enumerate() {
            let Some(key) = key else { continue };
            let known = places.entry(key).or_default();
            if known.is_empty() {
                asked.push((key, key.literal(value.as_str())));
            }
            known.push(place);
        }
        let select = Select::new(object.clone(), columns(field, scope));
        let room = LONGEST_QUERY - select.to_string().len() - field.name.as_str().len() - FRAME;

        let mut found = vec![Vec::new(); values.len()];
        let mut chunks = chunks(&asked, room);
        while let Some(chunk) = chunks.pop() {
            let literals = chunk.iter().map(|(_, literal)| literal.clone()).collect();
            let query = select.clone().filter(Condition::In(field.name.clone(), literals));
            let rows = self.values_of(object, &query.to_string(), field, scope).await?;
            let known: HashSet<&Value> = chunk.iter().map(|(key, _)| *key).collect();
            let is_strange = |value: Option<&Value>| value.is_none_or(|value| !known.contains(value));
            match chunk {
                // All that one value finds is its own, however it is spelled.
                [(key, _)] => {
                    let records: Vec<Found> = rows.into_iter().map(|(_, record)| record).collect();
                    places[key].iter().for_each(|&place| found[place].clone_from(&records));
                }
                _ if rows.iter().any(|(value, _)| is_strange(value.as_ref())) => {
                    let (first, second) = chunk.split_at(chunk.len() / 2);
                    chunks.extend([first, second]);
                }
                _ => {
                    for (value, record) in &rows {
                        let own = value.as_ref().and_then(|value| places.get(value));
                        own.into_iter().flatten().for_each(|&place| found[place].push(record.clone()));
                    }
                }
            }
        }
        Ok(found)
    }

    /// What the rows of a query hold in a field, and which records they are.
    async fn values_of(
        &self,
        object: &SObjectName,
        soql: &str,
        field: &Field,
        scope: Scope,
    ) -> Result<Vec<(Option<Value>, Found)>, Error> {
        let sense = Sense::of(field);
        let mut rows = Vec::new();
        let mut page = match scope {
            Scope::Live => self.query(object, soql).await?,
            Scope::WithDeleted => self.query_all(object, soql).await?,
        };
        loop {
            for row in page.rows() {
                let is_deleted = row.get("IsDeleted").is_some_and(|value| value.get() == "true");
                let deleted = is_deleted.then(|| row.text("SystemModstamp").unwrap_or_default().into());
                rows.push((sense.of_row(row, field), Found { id: row.id()?, deleted }));
            }
            let Some(next) = page.next() else { return Ok(rows) };
            page = self.query_more(object, &next).await?;
        }
    }
}

/// ` WHERE … IN ()`, and a little more.
const FRAME: usize = 32;

fn columns(field: &Field, scope: Scope) -> Vec<FieldName> {
    let mut columns: Vec<FieldName> = vec!["Id".parse().expect("a name")];
    if !field.name.same_as("Id") {
        columns.push(field.name.clone());
    }
    if scope == Scope::WithDeleted {
        columns.extend(["IsDeleted", "SystemModstamp"].map(|name| name.parse().expect("a name")));
    }
    columns
}

/// Which records count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Live,
    WithDeleted,
}

/// A record that was found.
#[derive(Clone, Debug)]
struct Found {
    id: RecordId,
    /// When it was changed last, if it is deleted: the deletion counts as a change.
    deleted: Option<Box<str>>,
}

/// As few slices as hold their literals within `room` characters each.
fn chunks<'a, 'b>(asked: &'a [(&'b Value, Literal)], room: usize) -> Vec<&'a [(&'b Value, Literal)]> {
    let (mut chunks, mut start, mut length) = (Vec::new(), 0, 0);
    for (nth, (_, literal)) in asked.iter().enumerate() {
        let own = literal.to_string().chars().count() + ", ".len();
        if nth > start && (length + own > room || nth - start == MOST_VALUES) {
            chunks.push(&asked[start..nth]);
            (start, length) = (nth, 0);
        }
        length += own;
    }
    if start < asked.len() {
        chunks.push(&asked[start..]);
    }
    chunks
}

/// How the values of a field compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sense {
    Text,
    CaseSensitive,
    Number,
}

/// A value in the spelling in which equal ones are the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Value {
    Text(String),
    Number(Decimal),
}

impl Sense {
    fn of(field: &Field) -> Sense {
        match field.kind {
            FieldType::Int | FieldType::Long | FieldType::Double | FieldType::Currency | FieldType::Percent => {
                Sense::Number
            }
            _ if field.case_sensitive => Sense::CaseSensitive,
            _ => Sense::Text,
        }
    }

    fn read(self, text: &str) -> Option<Value> {
        match self {
            Sense::Text => Some(Value::Text(text.to_lowercase())),
            Sense::CaseSensitive => Some(Value::Text(text.to_owned())),
            Sense::Number => Decimal::parse(text).map(Value::Number),
        }
    }

    fn of_row(self, row: &Record<'_>, field: &Field) -> Option<Value> {
        match self {
            Sense::Number => self.read(row.get(field.name.as_str())?.get()),
            Sense::Text | Sense::CaseSensitive => self.read(&row.text(field.name.as_str())?),
        }
    }
}

impl Value {
    /// What a query says for it, of the spelling it was given in.
    fn literal(&self, given: &str) -> Literal {
        match self {
            Value::Text(_) => Literal::Text(given.to_owned()),
            Value::Number(number) => Literal::Number(number.clone()),
        }
    }
}
