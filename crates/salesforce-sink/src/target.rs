//! Where changes go, and by which rules. A target is what a person configured; [`Target::prepare`](crate::Target::prepare) holds it
//! against the org.

use salesforce_client::{FieldName, SObjectName};

use crate::Operation;

/// What changes are written to.
#[derive(Clone, Debug)]
pub struct Target {
    /// The object.
    pub object: SObjectName,
    /// How a change's key names a record.
    pub match_by: MatchBy,
    /// The operations that will come; those that the object or the rules cannot do are complained of before the first change.
    pub operations: Vec<Operation>,
    /// Members of a change that are never sent, without regard to case.
    pub ignored: Vec<String>,
    /// Members that go to a field of another name: (member, field).
    pub renamed: Vec<(String, FieldName)>,
    /// What becomes of references to other records.
    pub references: References,
    /// What a null means.
    pub nulls: Nulls,
    /// What to say when a record to be deleted is not there.
    pub missing: Missing,
    /// What to do when a record to be written lies in the recycle bin.
    pub deleted: Deleted,
    /// A field, external id and unique, that holds a value of its own for each delivery. It is a member of every insert, and makes an
    /// insert safe to repeat: it is sent as an upsert by this field.
    pub delivery_key: Option<FieldName>,
    /// Headers that go with every call.
    pub options: WriteOptions,
}

impl Target {
    /// A target with every operation its way of matching allows, nulls that empty fields, and references that are kept.
    #[must_use]
    pub fn new(object: SObjectName, match_by: MatchBy) -> Target {
        let upserts = matches!(match_by, MatchBy::ExternalId(_));
        let operations = Operation::ALL.into_iter().filter(|operation| *operation != Operation::Upsert || upserts);
        Target {
            object,
            operations: operations.collect(),
            match_by,
            ignored: Vec::new(),
            renamed: Vec::new(),
            references: References::default(),
            nulls: Nulls::Clear,
            missing: Missing::Done,
            deleted: Deleted::Leave,
            delivery_key: None,
            options: WriteOptions::default(),
        }
    }
}

/// How a key names a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MatchBy {
    /// It is the record's Id, which only the org that made the record knows.
    Id,
    /// It is the value of this field.
    ExternalId(FieldName),
}

/// What becomes of references to other records. Ids of another org lead nowhere in this one.
#[derive(Clone, Debug, Default)]
pub struct References {
    /// Those for which nothing else is said.
    pub others: OtherReferences,
    /// References whose value is not the parent's Id, but what the parent is called in a field of its own.
    pub lookups: Vec<Lookup>,
    /// References that are sent as they are, whatever is said of the others.
    pub kept: Vec<FieldName>,
    /// Whether members that are related records (`"Account": {"Ext__c": "7"}`) are sent as lookups; else they are dropped.
    pub nested: bool,
}

impl References {
    /// Whether a reference that is no lookup is left out.
    pub(crate) fn drops(&self, reference: &FieldName) -> bool {
        self.others == OtherReferences::Drop && !self.kept.iter().any(|kept| kept.same_as(reference.as_str()))
    }
}

/// What becomes of a reference that is no lookup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OtherReferences {
    /// Sent as it is.
    #[default]
    Keep,
    /// Not sent.
    Drop,
}

/// A reference by a field of the parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The reference, such as `AccountId`.
    pub reference: FieldName,
    /// The parent's object; needed where the reference may point to several, as `OwnerId`.
    pub object: Option<SObjectName>,
    /// The parent's external id that holds the value.
    pub by: FieldName,
}

/// What a null means. An insert never sends any, so that defaults apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nulls {
    /// The field is emptied.
    Clear,
    /// The field is left alone.
    Leave,
}

/// What to say when a record to be deleted is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// That it is done: a delete that is repeated finds nothing.
    Done,
    /// That it is rejected.
    Rejected,
}

/// What to do when a record that an upsert or an update names lies in the recycle bin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deleted {
    /// It stays there: an upsert makes a new record, an update finds none.
    #[default]
    Leave,
    /// It is restored before it is written, with what was deleted along with it. Each batch takes a query more, and a call for the records
    /// that are restored; upserts and updates go by calls, never by jobs.
    Restore,
}

/// What is asked of the org beside the writing itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct WriteOptions {
    /// Save what a duplicate rule only alerts to. Rules that block cannot be passed.
    pub allow_duplicates: bool,
    /// Leave assignment rules out, which otherwise give leads and cases new owners.
    pub skip_assignment_rules: bool,
}
