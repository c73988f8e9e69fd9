//! A permission set: what it grants, by the names of objects and fields.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::register::PermissionError;
use crate::org::schema::Schema;

/// Stands for every name that is not named.
pub(super) const EVERY: &str = "*";

/// What a user may do with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are those of Salesforce's object permissions")]
pub enum ObjectAction {
    Read,
    Create,
    Edit,
    Delete,
    /// Read every record, whoever owns it.
    ViewAll,
    /// Read, edit and delete every record, whoever owns it.
    ModifyAll,
}

impl ObjectAction {
    /// The action, as a bit.
    fn bit(self) -> u8 {
        1 << self as u8
    }

    /// The action with those it needs.
    fn closed(self) -> u8 {
        let needed: &[Self] = match self {
            Self::Read => &[],
            Self::Create | Self::Edit | Self::ViewAll => &[Self::Read],
            Self::Delete => &[Self::Read, Self::Edit],
            Self::ModifyAll => &[Self::Read, Self::Edit, Self::Delete, Self::ViewAll],
        };
        needed.iter().fold(self.bit(), |bits, action| bits | action.bit())
    }
}

/// A set of object actions, each with those it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ObjectAccess(u8);

impl ObjectAccess {
    /// Everything.
    pub(super) fn full() -> Self {
        Self(ObjectAction::ModifyAll.closed() | ObjectAction::Create.closed())
    }

    /// Does it contain the action?
    pub(crate) fn may(self, action: ObjectAction) -> bool {
        self.0 & action.bit() != 0
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl<'a> FromIterator<&'a ObjectAction> for ObjectAccess {
    fn from_iter<I: IntoIterator<Item = &'a ObjectAction>>(actions: I) -> Self {
        Self(actions.into_iter().fold(0, |bits, action| bits | action.closed()))
    }
}

/// What a user may do with a field. Editing needs reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are those of Salesforce's field permissions")]
pub enum FieldAction {
    Read,
    Edit,
}

/// The most that a user may do with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum FieldAccess {
    #[default]
    None,
    Read,
    Edit,
}

/// A permission that is not about one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserPermission {
    /// "API Enabled"
    ApiEnabled,
    /// "View All Data": reads all records of all objects; field permissions hold.
    ViewAllData,
    /// "Modify All Data": every object permission; field permissions hold.
    ModifyAllData,
    /// "Set Audit Fields upon Record Creation": who created and changed a record, and when, may be given with it.
    SetAuditFields,
    /// "Bulk API Hard Delete"
    BulkApiHardDelete,
}

/// What is granted together. Names are API names; `*` stands for all that are not named, `Lead.*` for the fields of an object
/// that are not named.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PermissionSet {
    /// Every user has exactly one of the sets that are profiles.
    pub profile: bool,
    /// By object.
    pub objects: BTreeMap<String, BTreeSet<ObjectAction>>,
    /// By object and field, such as `Lead.Email`. A compound is named as a whole. Fields that everybody sees, such as names
    /// and system fields, need no permission.
    pub fields: BTreeMap<String, BTreeSet<FieldAction>>,
    /// The permissions that are not about one object.
    pub permissions: BTreeSet<UserPermission>,
}

impl PermissionSet {
    /// The same set with its names spelled as the org spells them.
    ///
    /// # Errors
    /// If the org has no such object or field, because what is misspelled would grant nothing.
    pub(in crate::org) fn spelled(self, whole: &Schema) -> Result<Self, PermissionError> {
        let object = |name: &str| whole.object(name).ok_or_else(|| PermissionError::NoObject(name.to_owned()));
        let field = |name: &str| {
            let unknown = || PermissionError::NoField(name.to_owned());
            let (of, field) = name.split_once('.').ok_or_else(unknown)?;
            let of = object(of)?;
            if field == EVERY {
                return Ok(format!("{}.{EVERY}", of.name));
            }
            let field = of.field(field).ok_or_else(unknown)?;
            match field.compound() {
                Some(whole) if field.is_permissionable() => {
                    Err(PermissionError::Part { part: name.to_owned(), whole: format!("{}.{whole}", of.name) })
                }
                _ => Ok(format!("{}.{}", of.name, field.name)),
            }
        };
        let every = |name: &String| name == EVERY;
        let objects = self.objects.into_iter().map(|(name, actions)| {
            let name = if every(&name) { name } else { object(&name)?.name.clone() };
            Ok((name, actions))
        });
        let objects = objects.collect::<Result<_, _>>()?;
        let fields = self.fields.into_iter().map(|(name, actions)| {
            let name = if every(&name) { name } else { field(&name)? };
            Ok((name, actions))
        });
        let fields = fields.collect::<Result<_, _>>()?;
        Ok(Self { objects, fields, ..self })
    }

    pub(super) fn object(&self, name: &str) -> ObjectAccess {
        let granted = self.objects.get(name).or_else(|| self.objects.get(EVERY));
        granted.into_iter().flatten().collect()
    }

    pub(super) fn field(&self, object: &str, field: &str) -> FieldAccess {
        let granted = self.fields.get(&format!("{object}.{field}")).or_else(|| self.unnamed_fields(object));
        match granted.and_then(|actions| actions.last()) {
            None => FieldAccess::None,
            Some(FieldAction::Read) => FieldAccess::Read,
            Some(FieldAction::Edit) => FieldAccess::Edit,
        }
    }

    /// Are all fields of the object, present and future, granted in full?
    pub(super) fn grants_every_field(&self, object: &str) -> bool {
        let full = |actions: &BTreeSet<FieldAction>| actions.contains(&FieldAction::Edit);
        let of_it = |name: &str| name.split_once('.').is_some_and(|(named, _)| named == object);
        self.unnamed_fields(object).is_some_and(full)
            && self.fields.iter().filter(|(name, _)| of_it(name)).all(|(_, actions)| full(actions))
    }

    /// Are all fields of all objects granted in full?
    pub(super) fn grants_all_fields(&self) -> bool {
        let full = |actions: &BTreeSet<FieldAction>| actions.contains(&FieldAction::Edit);
        self.fields.contains_key(EVERY) && self.fields.values().all(full)
    }

    fn unnamed_fields(&self, object: &str) -> Option<&BTreeSet<FieldAction>> {
        self.fields.get(&format!("{object}.{EVERY}")).or_else(|| self.fields.get(EVERY))
    }
}
