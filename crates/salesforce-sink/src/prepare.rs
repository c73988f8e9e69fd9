//! A target held against the describe of its object: complaints before the first change, and a plan for every field.

use std::{collections::HashMap, fmt, sync::Arc};

use salesforce_client::{Describe, Field, FieldName, FieldType, SObjectName};

use crate::{
    Operation,
    row::{Column, Parent},
    target::{Deleted, Lookup, MatchBy, Target},
};

/// A target that its object can serve.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub(crate) target: Target,
    pub(crate) matched: Option<Field>,
    /// The field whose values keys are: the one that matches, or the Id.
    pub(crate) key: Field,
    pub(crate) delivery: Option<Field>,
    /// By the name in lower case.
    pub(crate) slots: HashMap<Box<str>, Slot>,
    /// References by what they are called as part of a record, in lower case.
    pub(crate) relationships: HashMap<Box<str>, FieldName>,
    /// Objects that references of this one point to.
    pub(crate) parents: Vec<SObjectName>,
    warnings: Vec<Warning>,
}

/// What happens to a field of the object.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) field: Field,
    pub(crate) column: Arc<Column>,
    pub(crate) way: Way,
}

/// How a value gets into its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// As it is.
    Plain,
    /// As the name of a parent.
    Lookup,
    /// Not at all: a reference that is to be dropped.
    Dropped,
}

/// What is wrong with a target: it cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Complaint {
    /// The object, or the user, cannot do this.
    #[error("{object} does not allow {operation}; the user may lack the permission")]
    NotAllowed {
        /// The object.
        object: SObjectName,
        /// What it does not allow.
        operation: Operation,
    },
    /// An upsert needs a field to match by.
    #[error("an upsert of {object} needs an external-id field to match by: an Id cannot be chosen for a new record")]
    UpsertById {
        /// The object.
        object: SObjectName,
    },
    /// Its records cannot be restored.
    #[error("{object} has no recycle bin: its deleted records cannot be restored")]
    NotUndeletable {
        /// The object.
        object: SObjectName,
    },
    /// Its records cannot be told apart.
    #[error("{object} has no Id, and no field is named to match by")]
    NoKey {
        /// The object.
        object: SObjectName,
    },
    /// A field that the target names is not there.
    #[error("{object} has no field {field} ({role}), or the user may not see it")]
    NoSuchField {
        /// The object.
        object: SObjectName,
        /// The field.
        field: FieldName,
        /// What it is named for.
        role: Role,
    },
    /// A field that is to tell records apart cannot.
    #[error("{object}.{field} ({role}) {why}")]
    Unsuited {
        /// The object.
        object: SObjectName,
        /// The field.
        field: FieldName,
        /// What it is named for.
        role: Role,
        /// What is wrong with it.
        why: &'static str,
    },
    /// No parent can be found by the field that a lookup names.
    #[error("{object}.{reference} is looked up by {parent}.{by}: {why}")]
    LookupInVain {
        /// The object.
        object: SObjectName,
        /// The reference.
        reference: FieldName,
        /// The object it leads to.
        parent: SObjectName,
        /// The field of the parent.
        by: FieldName,
        /// Why that finds nothing.
        why: &'static str,
    },
}

/// What may surprise, and works.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// Several records may have one key.
    #[error(
        "{object}.{field} is not unique: a change whose key matches several records is rejected, and to upsert by it takes the \
         permission to view all data"
    )]
    NotUnique {
        /// The object.
        object: SObjectName,
        /// The field that matches.
        field: FieldName,
    },
    /// An insert is not safe to repeat.
    #[error(
        "inserts into {object} may double after a crash or a lost reply; upsert by an external id, or name a delivery key, to be safe"
    )]
    InsertsMayDouble {
        /// The object.
        object: SObjectName,
    },
}

/// What a target names a field for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// To match records.
    Match,
    /// To hold the delivery key.
    DeliveryKey,
    /// As the new name of a member.
    Renamed,
    /// As a reference by lookup.
    Lookup,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Match => "the field to match by",
            Role::DeliveryKey => "the delivery key",
            Role::Renamed => "to which a member is renamed",
            Role::Lookup => "a reference by lookup",
        })
    }
}

impl Prepared {
    /// What was configured.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// What a person should know beforehand.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Whether a member of a change would be written by an operation, and to which field; the reason if not.
    ///
    /// # Errors
    /// Why the member would be left out.
    pub fn destination(&self, member: &str, operation: Operation) -> Result<&Field, LeftOut> {
        self.slot(member, operation).map(|slot| &slot.field)
    }
}

/// Why a member of a change is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeftOut {
    /// It tells of the record, and is no part of it.
    #[error("it is metadata of the change")]
    Metadata,
    /// The target ignores it.
    #[error("it is ignored by configuration")]
    Ignored,
    /// The object has no such field.
    #[error("the object has no such field, or the user may not see it")]
    Unknown,
    /// It names the record instead of being written.
    #[error("it names the record")]
    Key,
    /// The field cannot be written by this operation.
    #[error("the field cannot be written by this operation")]
    ReadOnly,
    /// References are dropped.
    #[error("references are dropped by configuration")]
    Reference,
}

impl Target {
    /// Holds the target against its object.
    ///
    /// # Errors
    /// Everything that is wrong, not only the first.
    pub fn prepare(self, describe: &Describe) -> Result<Prepared, Vec<Complaint>> {
        let mut inspection = Inspection { object: describe.name().clone(), describe, complaints: Vec::new() };
        let matched = inspection.matched(&self);
        let delivery = inspection.delivery(&self);
        inspection.operations(&self);
        for (_, field) in &self.renamed {
            inspection.field(field, Role::Renamed);
        }
        for lookup in &self.references.lookups {
            inspection.lookup(lookup);
        }
        let key = matched.clone().or_else(|| describe.field("Id").cloned());
        if key.is_none() && inspection.complaints.is_empty() {
            inspection.complaints.push(Complaint::NoKey { object: describe.name().clone() });
        }
        let Some(key) = key.filter(|_| inspection.complaints.is_empty()) else {
            return Err(inspection.complaints);
        };
        let warnings = warnings(&self, describe.name(), matched.as_ref());
        let slot = |field: &Field| (lower(field.name.as_str()), Slot::new(field, &self));
        let relationship = |field: &Field| Some((lower(field.relationship_name.as_deref()?), field.name.clone()));
        let mut parents: Vec<_> = describe.fields.iter().flat_map(|field| field.reference_to.iter().cloned()).collect();
        parents.sort();
        parents.dedup();
        Ok(Prepared {
            slots: describe.fields.iter().map(slot).collect(),
            relationships: describe.fields.iter().filter_map(relationship).collect(),
            matched,
            key,
            delivery,
            parents,
            warnings,
            target: self,
        })
    }
}

impl Slot {
    fn new(field: &Field, target: &Target) -> Slot {
        let lookup = target.references.lookups.iter().find(|lookup| lookup.reference.same_as(field.name.as_str()));
        let relationship = field.relationship_name.as_deref().and_then(|name| name.parse().ok());
        let (parent, way) = match (lookup, relationship) {
            (Some(lookup), Some(relationship)) => {
                let object = lookup.object.clone().filter(|_| field.reference_to.len() > 1);
                (Some(Parent { relationship, object, by: lookup.by.clone() }), Way::Lookup)
            }
            _ if field.kind == FieldType::Reference && target.references.drops(&field.name) => (None, Way::Dropped),
            _ => (None, Way::Plain),
        };
        let column = Column { field: field.name.clone(), createable: field.createable, parent };
        Slot { field: field.clone(), column: Arc::new(column), way }
    }
}

pub(crate) fn lower(name: &str) -> Box<str> {
    name.to_ascii_lowercase().into()
}

fn warnings(target: &Target, object: &SObjectName, matched: Option<&Field>) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let unique = matched.is_some_and(|field| field.unique);
    if let Some(field) = matched.filter(|_| !unique) {
        warnings.push(Warning::NotUnique { object: object.clone(), field: field.name.clone() });
    }
    if target.operations.contains(&Operation::Insert) && target.delivery_key.is_none() && !unique {
        warnings.push(Warning::InsertsMayDouble { object: object.clone() });
    }
    warnings
}

struct Inspection<'a> {
    object: SObjectName,
    describe: &'a Describe,
    complaints: Vec<Complaint>,
}

impl<'a> Inspection<'a> {
    fn field(&mut self, name: &FieldName, role: Role) -> Option<&'a Field> {
        let field = self.describe.field(name.as_str());
        if field.is_none() {
            let (object, field) = (self.object.clone(), name.clone());
            self.complaints.push(Complaint::NoSuchField { object, field, role });
        }
        field
    }

    fn unsuited(&mut self, field: &FieldName, role: Role, why: &'static str) {
        self.complaints.push(Complaint::Unsuited { object: self.object.clone(), field: field.clone(), role, why });
    }

    fn matched(&mut self, target: &Target) -> Option<Field> {
        let MatchBy::ExternalId(name) = &target.match_by else { return None };
        let field = self.field(name, Role::Match)?;
        if field.kind == FieldType::Id {
            self.unsuited(&field.name, Role::Match, "is the record's Id; match by Id instead");
        } else if !field.external_id && !field.id_lookup {
            self.unsuited(&field.name, Role::Match, "is no external id; declare it one in Setup");
        } else if !field.createable
            && target.operations.iter().any(|op| matches!(op, Operation::Insert | Operation::Upsert))
        {
            self.unsuited(&field.name, Role::Match, "cannot be written; the user may lack the permission to edit it");
        }
        Some(field.clone())
    }

    fn delivery(&mut self, target: &Target) -> Option<Field> {
        let field = self.field(target.delivery_key.as_ref()?, Role::DeliveryKey)?;
        if !field.external_id || !field.unique || !field.createable {
            self.unsuited(&field.name, Role::DeliveryKey, "has to be an external id, unique, and writable");
        }
        Some(field.clone())
    }

    fn operations(&mut self, target: &Target) {
        let summary = &self.describe.summary;
        if target.deleted == Deleted::Restore && !summary.undeletable {
            self.complaints.push(Complaint::NotUndeletable { object: self.object.clone() });
        }
        for &operation in &target.operations {
            let allowed = match operation {
                Operation::Insert => summary.createable,
                Operation::Update => summary.updateable,
                Operation::Upsert => summary.createable && summary.updateable,
                Operation::Delete => summary.deletable,
            };
            let object = self.object.clone();
            if !allowed {
                self.complaints.push(Complaint::NotAllowed { object, operation });
            } else if operation == Operation::Upsert && target.match_by == MatchBy::Id {
                self.complaints.push(Complaint::UpsertById { object });
            }
        }
    }

    fn lookup(&mut self, lookup: &Lookup) {
        let Some(field) = self.field(&lookup.reference, Role::Lookup) else { return };
        if field.kind != FieldType::Reference || field.relationship_name.is_none() {
            self.unsuited(&field.name, Role::Lookup, "is no reference to another record");
        } else if field.reference_to.len() > 1 {
            match &lookup.object {
                None => self.unsuited(&field.name, Role::Lookup, "may point to several objects; say to which"),
                Some(object) if !field.reference_to.iter().any(|to| to.same_as(object.as_str())) => {
                    self.unsuited(&field.name, Role::Lookup, "does not point to the object that is named");
                }
                Some(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::References;

    fn describe() -> Describe {
        let text = r#"{"name":"Thing__c","createable":true,"updateable":true,"deletable":false,"fields":[
            {"name":"Id","type":"id","idLookup":true},
            {"name":"Key__c","type":"string","externalId":true,"unique":true,"createable":true,"updateable":true},
            {"name":"Group__c","type":"string","externalId":true,"createable":true,"updateable":true},
            {"name":"Auto__c","type":"string","externalId":true,"unique":true},
            {"name":"Text__c","type":"string","createable":true,"updateable":true},
            {"name":"Once__c","type":"string","createable":true},
            {"name":"Later__c","type":"string","updateable":true},
            {"name":"OwnerId","type":"reference","relationshipName":"Owner","referenceTo":["User","Group"],"createable":true,"updateable":true}]}"#;
        serde_json::from_str(text).unwrap()
    }

    fn target(match_by: &str, operations: &[Operation]) -> Target {
        let match_by = if match_by == "Id" { MatchBy::Id } else { MatchBy::ExternalId(match_by.parse().unwrap()) };
        Target { operations: operations.to_vec(), ..Target::new("Thing__c".parse().unwrap(), match_by) }
    }

    /// What is wrong with a target, or what a person should know.
    fn said(target: Target) -> Vec<String> {
        match target.prepare(&describe()) {
            Ok(prepared) => prepared.warnings().iter().map(|warning| format!("warning: {warning}")).collect(),
            Err(complaints) => complaints.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn targets_that_cannot_work_and_why() {
        use Operation::{Delete, Insert, Update, Upsert};
        let with = |target: Target, lookup: (&str, Option<&str>)| Target {
            references: References {
                lookups: vec![Lookup {
                    reference: lookup.0.parse().unwrap(),
                    object: lookup.1.map(|object| object.parse().unwrap()),
                    by: "Ext__c".parse().unwrap(),
                }],
                ..References::default()
            },
            ..target
        };
        let mut table = String::new();
        for (what, target) in [
            ("all is well", target("Key__c", &[Upsert, Update])),
            ("upsert by Id", target("Id", &[Upsert])),
            ("delete of what cannot be deleted", target("Key__c", &[Delete])),
            ("insert by Id", target("Id", &[Insert])),
            ("insert by a unique key", target("Key__c", &[Insert])),
            ("key that is not there", target("Nothing__c", &[Upsert])),
            ("key that is none", target("Text__c", &[Upsert])),
            ("key that cannot be written", target("Auto__c", &[Upsert])),
            ("key that cannot be written, for updates", target("Auto__c", &[Update])),
            ("Id as a key", target("id", &[Update])),
            ("key of several", target("group__C", &[Upsert])),
            ("delivery key", Target { delivery_key: Some("Key__c".parse().unwrap()), ..target("Id", &[Insert]) }),
            ("bad delivery key", Target { delivery_key: Some("Group__c".parse().unwrap()), ..target("Id", &[Insert]) }),
            (
                "renamed to nothing",
                Target { renamed: vec![("a".to_owned(), "B__c".parse().unwrap())], ..target("Id", &[Update]) },
            ),
            ("lookup of no reference", with(target("Id", &[Update]), ("Text__c", None))),
            ("lookup of several", with(target("Id", &[Update]), ("OwnerId", None))),
            ("lookup of a stranger", with(target("Id", &[Update]), ("OwnerId", Some("Account")))),
            ("lookup of one of several", with(target("Id", &[Update]), ("OwnerId", Some("User")))),
            ("two things", target("Text__c", &[Delete])),
        ] {
            table += &format!("{what}\n");
            table.extend(said(target).into_iter().map(|line| format!("  {line}\n")));
        }
        insta::assert_snapshot!(table);
    }

    /// Field by operation: an upsert writes what either can.
    #[test]
    fn where_members_go() {
        let target = Target { ignored: vec!["text__c".to_owned()], ..target("Key__c", &[Operation::Upsert]) };
        let prepared = target.prepare(&describe()).unwrap();
        let mut table = String::new();
        for member in
            ["Once__c", "LATER__C", "Auto__c", "Key__c", "Id", "Text__c", "Nothing", "attributes", "_EventType"]
        {
            let go = Operation::ALL.map(|operation| match prepared.destination(member, operation) {
                Ok(field) => field.name.to_string(),
                Err(why) => why.to_string(),
            });
            table += &format!("{member}: insert: {}; update: {}; upsert: {}\n", go[0], go[1], go[2]);
        }
        insta::assert_snapshot!(table);
    }
}
