//! From a change to a row: which members are written, where, and as what. The order of the rules is fixed:
//!
//! 1. members that tell of the change and not of the record are dropped,
//! 2. so are those the target ignores;
//! 3. related records are dropped, or become lookups;
//! 4. members get their new names,
//! 5. and are matched with the object's fields without regard to case: unknown ones are dropped, and reported;
//! 6. fields that the operation cannot write are dropped,
//! 7. references are dropped, kept, or become lookups;
//! 8. nulls are kept or left out: an insert leaves all of them out;
//! 9. values are converted;
//! 10. what names the record is taken apart from what is written to it.

use std::sync::Arc;

use salesforce_client::{Field, FieldName, FieldType, RecordId, SObjectName, decimal::Decimal};
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::{
    Change, Operation,
    convert::{Misfit, convert},
    prepare::{LeftOut, Prepared, Slot, Way, lower},
    receipt::{Rejection, codes, in_short},
    row::{Cell, Column, Parent, Row},
    target::{MatchBy, Nulls},
};

/// What a record is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// Nothing: it is to be made.
    New,
    /// By its Id.
    Id(RecordId),
    /// By the field that matches.
    Key(Cell),
    /// To be made, with a value of the delivery key of its own.
    Delivery(Cell),
}

/// A change in the form in which it is written.
#[derive(Clone, Debug)]
pub(crate) struct Fitted {
    pub(crate) address: Address,
    /// What is ordered: the same text for all spellings of one key. `None` for what has no key.
    pub(crate) identity: Option<Box<str>>,
    pub(crate) row: Row,
    /// Members that name no field.
    pub(crate) unknown: Vec<Box<str>>,
}

/// Members that tell of the change, as other connectors write them.
fn is_metadata(member: &str) -> bool {
    matches!(member, "_EventType" | "_ObjectType" | "ReplayId" | "ChangeEventHeader")
        || member.starts_with("attributes")
}

impl Prepared {
    pub(crate) fn slot(&self, member: &str, operation: Operation) -> Result<&Slot, LeftOut> {
        if is_metadata(member) {
            return Err(LeftOut::Metadata);
        }
        if self.target.ignored.iter().any(|ignored| ignored.eq_ignore_ascii_case(member)) {
            return Err(LeftOut::Ignored);
        }
        let renamed = self.target.renamed.iter().find(|(from, _)| *from == member);
        let name = renamed.map_or(member, |(_, field)| field.as_str());
        let slot = self.slots.get(&lower(name)).ok_or(LeftOut::Unknown)?;
        let field = &slot.field;
        if field.kind == FieldType::Id || self.names_the_record(field) {
            return Err(LeftOut::Key);
        }
        let writable = match operation {
            Operation::Insert => field.createable,
            Operation::Update => field.updateable,
            Operation::Upsert => field.createable || field.updateable,
            Operation::Delete => false,
        };
        match slot.way {
            _ if !writable => Err(LeftOut::ReadOnly),
            Way::Dropped => Err(LeftOut::Reference),
            Way::Plain | Way::Lookup => Ok(slot),
        }
    }

    fn names_the_record(&self, field: &Field) -> bool {
        [&self.matched, &self.delivery].into_iter().flatten().any(|own| own.name == field.name)
    }

    /// The change in the form in which it is written, or why it cannot be.
    pub(crate) fn fit<O>(&self, change: &Change<O>) -> Result<Fitted, Box<Rejection>> {
        let operation = change.operation;
        if !self.target.operations.contains(&operation) {
            let why = format!("the target of {} was not prepared for {operation}", self.target.object);
            return Err(self.rejection(change, codes::NOT_ALLOWED, &why, None));
        }
        let (address, identity) = self.address(change)?;
        let mut fitted = Fitted { address, identity, row: Row::default(), unknown: Vec::new() };
        if operation == Operation::Delete {
            return Ok(fitted);
        }
        for (member, value) in change.fields.iter() {
            match self.slot(member, operation) {
                Ok(slot) => {
                    let cell =
                        slot.cell(value).map_err(|misfit| self.misfit(change, slot.field.name.as_str(), &misfit))?;
                    self.put(&mut fitted.row, operation, &slot.column, cell);
                }
                Err(LeftOut::Unknown) => match self.relationships.get(&lower(member)) {
                    Some(reference) if self.target.references.nested => {
                        let parent = self.parent(reference, value, operation);
                        let parent = parent.map_err(|misfit| self.misfit(change, member, &misfit))?;
                        if let Some((column, cell)) = parent {
                            self.put(&mut fitted.row, operation, &column, cell);
                        }
                    }
                    Some(_) => {}
                    None => fitted.unknown.push(member.into()),
                },
                Err(_) => {}
            }
        }
        // An insert says its external id as a field; what is matched by it is addressed by it instead.
        if let (Operation::Insert, Some(matched), Some(key)) = (operation, &self.matched, &change.key)
            && !key.is_empty()
        {
            let column = Column { field: matched.name.clone(), createable: true, parent: None };
            fitted.row.set(Arc::new(column), self.key_cell(change, matched, key)?);
        }
        Ok(fitted)
    }

    fn put(&self, row: &mut Row, operation: Operation, column: &Arc<Column>, cell: Cell) {
        let null_is_left_out = operation == Operation::Insert || self.target.nulls == Nulls::Leave;
        if cell != Cell::Null || !null_is_left_out {
            row.set(Arc::clone(column), cell);
        }
    }

    /// What the change calls its record.
    fn address<O>(&self, change: &Change<O>) -> Result<(Address, Option<Box<str>>), Box<Rejection>> {
        let key = change.key.as_deref().filter(|key| !key.is_empty());
        match (&self.matched, key, change.operation) {
            (_, key, Operation::Insert) => {
                let identity = match (&self.matched, key) {
                    (Some(matched), Some(key)) => Some(identity(matched, &self.key_cell(change, matched, key)?)),
                    _ => None,
                };
                Ok((self.delivery_of(change)?, identity))
            }
            (_, None, operation) => {
                let named = match &self.target.match_by {
                    MatchBy::Id => "Id",
                    MatchBy::ExternalId(field) => field.as_str(),
                };
                let why = format!("{operation} needs a value of {named}, and the change has none");
                Err(self.rejection(change, codes::NO_KEY, &why, Some(named)))
            }
            (None, Some(key), _) => {
                let id: RecordId = key.parse().map_err(|_| {
                    self.rejection(
                        change,
                        "MALFORMED_ID",
                        "the key is no record id (15 or 18 letters and digits)",
                        Some("Id"),
                    )
                })?;
                Ok((Address::Id(id), Some(id.as_str().into())))
            }
            (Some(matched), Some(key), _) => {
                let cell = self.key_cell(change, matched, key)?;
                let identity = identity(matched, &cell);
                Ok((Address::Key(cell), Some(identity)))
            }
        }
    }

    fn delivery_of<O>(&self, change: &Change<O>) -> Result<Address, Box<Rejection>> {
        let Some(field) = &self.delivery else { return Ok(Address::New) };
        let own = change.fields.iter().find(|(member, _)| field.name.same_as(member));
        let cell = own.map(|(_, value)| convert(value, field)).transpose();
        match cell.map_err(|misfit| self.misfit(change, field.name.as_str(), &misfit))? {
            None | Some(Cell::Null) => {
                let why = "an insert needs a value of the delivery key, and the change has none";
                Err(self.rejection(change, codes::NO_KEY, why, Some(field.name.as_str())))
            }
            Some(cell) => Ok(Address::Delivery(cell)),
        }
    }

    fn key_cell<O>(&self, change: &Change<O>, matched: &Field, key: &str) -> Result<Cell, Box<Rejection>> {
        let value = to_raw_value(key).expect("a text is always JSON");
        convert(&value, matched).map_err(|misfit| self.misfit(change, matched.name.as_str(), &misfit))
    }

    /// The lookup that a related record stands for: `{"Ext__c": "7"}`; nothing if it cannot be written.
    fn parent(
        &self,
        reference: &FieldName,
        value: &RawValue,
        operation: Operation,
    ) -> Result<Option<(Arc<Column>, Cell)>, Misfit> {
        #[derive(Deserialize)]
        struct Attributes {
            #[serde(rename = "type")]
            object: SObjectName,
        }
        let Ok(slot) = self.slot(reference.as_str(), operation) else { return Ok(None) };
        if value.get() == "null" {
            return Ok(Some((Arc::clone(&slot.column), Cell::Null)));
        }
        let one_member =
            || Misfit::new("a related record is named by exactly one field of its own, such as {\"Ext__c\": \"7\"}");
        let members: std::collections::BTreeMap<String, Box<RawValue>> =
            serde_json::from_str(value.get()).map_err(|_| one_member())?;
        let attributes = members.get("attributes").and_then(|it| serde_json::from_str::<Attributes>(it.get()).ok());
        let mut named = members.iter().filter(|(name, _)| *name != "attributes");
        let (Some((by, value)), None) = (named.next(), named.next()) else { return Err(one_member()) };
        let (Some(Ok(relationship)), Ok(by)) = (slot.field.relationship_name.as_deref().map(str::parse), by.parse())
        else {
            return Err(one_member());
        };
        let object = attributes.map(|it| it.object).filter(|_| slot.field.reference_to.len() > 1);
        let parent = Some(Parent { relationship, object, by });
        let column = Column { field: slot.field.name.clone(), createable: slot.field.createable, parent };
        Ok(Some((Arc::new(column), name_of_parent(value)?)))
    }

    /// What is shown of a row: what it is called, and its fields.
    pub(crate) fn shown(&self, address: &Address, row: &Row) -> Box<RawValue> {
        let named = |field: &Option<Field>| field.as_ref().map(|field| field.name.to_string()).unwrap_or_default();
        match address {
            Address::New => row.shown(None),
            Address::Id(id) => row.shown(Some(("Id", &Cell::text(id.as_str())))),
            Address::Key(cell) => row.shown(Some((&named(&self.matched), cell))),
            Address::Delivery(cell) => row.shown(Some((&named(&self.delivery), cell))),
        }
    }

    fn misfit<O>(&self, change: &Change<O>, field: &str, misfit: &Misfit) -> Box<Rejection> {
        self.rejection(change, codes::MISFIT, &format!("{field}: {misfit}"), Some(field))
    }

    /// The rejection of a change that is not sent.
    fn rejection<O>(&self, change: &Change<O>, code: &str, message: &str, field: Option<&str>) -> Box<Rejection> {
        Box::new(Rejection {
            object: self.target.object.clone(),
            operation: change.operation,
            key: change.key.clone(),
            code: code.into(),
            message: in_short(message).into(),
            fields: field.into_iter().map(Into::into).collect(),
            sent: to_raw_value(&change.fields).expect("fields are JSON"),
        })
    }
}

impl Slot {
    fn cell(&self, value: &RawValue) -> Result<Cell, Misfit> {
        match self.way {
            Way::Lookup => name_of_parent(value),
            Way::Plain | Way::Dropped => convert(value, &self.field),
        }
    }
}

/// What a parent is called. The kind of its field is not known here, so the value stays what it is.
fn name_of_parent(value: &RawValue) -> Result<Cell, Misfit> {
    match value.get().as_bytes().first() {
        Some(b'n') => Ok(Cell::Null),
        Some(b'"') => Ok(Cell::text(serde_json::from_str::<String>(value.get()).unwrap_or_default())),
        Some(b'-' | b'0'..=b'9') => Ok(Cell::literal(value.get())),
        _ => Err(Misfit::new("a parent is named by a text or a number")),
    }
}

/// One text for all spellings that Salesforce takes for one key.
pub(crate) fn identity(matched: &Field, key: &Cell) -> Box<str> {
    let text = key.as_str().unwrap_or_default();
    match matched.kind {
        FieldType::Int | FieldType::Long | FieldType::Double | FieldType::Currency | FieldType::Percent => {
            one_spelling(text).into()
        }
        _ if matched.case_sensitive => text.into(),
        _ => text.to_lowercase().into(),
    }
}

/// A number in one spelling, for all that it may have; another text as it is.
pub(crate) fn one_spelling(text: &str) -> String {
    Decimal::parse(text).map_or_else(|| text.to_owned(), |number| number.to_string())
}

#[cfg(test)]
mod tests {
    use salesforce_client::Describe;

    use super::*;
    use crate::{Fields, Target};

    /// Spellings that Salesforce takes for one key are one record, and only those.
    #[test]
    fn one_record_has_one_identity() {
        let describe: Describe = serde_json::from_str(
            r#"{"name":"Thing__c","createable":true,"updateable":true,"deletable":true,"fields":[
                {"name":"Id","type":"id"},
                {"name":"Text__c","type":"string","externalId":true,"unique":true,"createable":true},
                {"name":"Case__c","type":"string","externalId":true,"unique":true,"caseSensitive":true,"createable":true},
                {"name":"Number__c","type":"double","externalId":true,"unique":true,"createable":true}]}"#,
        )
        .unwrap();
        for (field, one, other, same) in [
            ("Text__c", "a/1", "A/1", true),
            ("Text__c", "a/1", "a/2", false),
            ("Text__c", "1", "1.0", false),
            ("Case__c", "a/1", "A/1", false),
            ("Number__c", "1.50", "15e-1", true),
            ("Number__c", "1", "2", false),
            ("Id", "001QAA000001ABC", "001QAA000001ABCYB2", true),
            ("Id", "001QAA000001ABC", "001QAA000001ABc", false),
        ] {
            let match_by = if field == "Id" { MatchBy::Id } else { MatchBy::ExternalId(field.parse().unwrap()) };
            let prepared = Target::new("Thing__c".parse().unwrap(), match_by).prepare(&describe).unwrap();
            let identity = |key: &str| {
                let change =
                    Change { operation: Operation::Delete, key: Some(key.into()), fields: Fields::none(), origin: () };
                prepared.fit(&change).unwrap().identity.unwrap()
            };
            assert_eq!(identity(one) == identity(other), same, "{field} {one} {other}");
        }
    }
}
