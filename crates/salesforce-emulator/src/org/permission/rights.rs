//! The rule: what one user may do.

use std::sync::Arc;

use super::set::{FieldAccess, ObjectAccess, ObjectAction, PermissionSet, UserPermission};
use super::sharing::{Level, Sharing};
use crate::org::Id;

/// Objects that whoever can sign in may read, without an object permission.
const FOR_EVERYBODY: [&str; 2] = ["Organization", "User"];

/// What a user may do, by all that they were given.
#[derive(Debug, Clone)]
pub(crate) struct Rights {
    user: Id,
    sets: Vec<Arc<PermissionSet>>,
    sharing: Arc<Sharing>,
}

/// What somebody does with a record that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowAction {
    Read,
    Edit,
    Delete,
}

/// The records of an object that a user may do something with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows {
    None,
    /// Those the user owns.
    Own,
    All,
}

impl Rights {
    /// Those of a user with these permission sets, the profile among them.
    pub(crate) fn new(user: Id, sets: Vec<Arc<PermissionSet>>, sharing: Arc<Sharing>) -> Self {
        Self { user, sets, sharing }
    }

    /// Whose they are.
    pub(crate) fn user(&self) -> Id {
        self.user
    }

    /// Does the user have a permission that is not about one object? Modifying all data includes viewing it.
    pub(crate) fn has(&self, permission: UserPermission) -> bool {
        let given = |wanted| self.sets.iter().any(|set| set.permissions.contains(&wanted));
        given(permission) || (permission == UserPermission::ViewAllData && given(UserPermission::ModifyAllData))
    }

    /// What the user may do with an object.
    pub(crate) fn object(&self, name: &str) -> ObjectAccess {
        if self.has(UserPermission::ModifyAllData) {
            return ObjectAccess::full();
        }
        let viewing = self.has(UserPermission::ViewAllData).then_some([ObjectAction::ViewAll]);
        let reading = FOR_EVERYBODY.contains(&name).then_some([ObjectAction::Read]);
        let general = viewing.iter().chain(&reading).flatten().collect();
        self.sets.iter().fold(general, |access: ObjectAccess, set| access.and(set.object(name)))
    }

    /// What the user may do with a field that needs a permission.
    pub(crate) fn field(&self, object: &str, field: &str) -> FieldAccess {
        self.sets.iter().map(|set| set.field(object, field)).max().unwrap_or_default()
    }

    /// Do field permissions keep nothing of the object from the user?
    pub(crate) fn has_every_field(&self, object: &str) -> bool {
        self.sets.iter().any(|set| set.grants_every_field(object))
    }

    /// The records of an object with owners that the user may do something with.
    pub(crate) fn rows(&self, object: &str, action: RowAction) -> Rows {
        let access = self.object(object);
        let (needed, shared) = match action {
            RowAction::Read => (ObjectAction::Read, Level::Read),
            RowAction::Edit => (ObjectAction::Edit, Level::Edit),
            RowAction::Delete => (ObjectAction::Delete, Level::Full),
        };
        if !access.may(needed) {
            return Rows::None;
        }
        let all = access.may(ObjectAction::ModifyAll)
            || (action == RowAction::Read && access.may(ObjectAction::ViewAll))
            || self.sharing.of(object) >= shared;
        if all { Rows::All } else { Rows::Own }
    }

    /// May the user do something with a record, by its owner?
    pub(crate) fn may(&self, action: RowAction, object: &str, owner: Id) -> bool {
        match self.rows(object, action) {
            Rows::None => false,
            Rows::Own => owner == self.user,
            Rows::All => true,
        }
    }

    /// Is nothing kept from the user, and nothing special given?
    pub(crate) fn are_full(&self) -> bool {
        self.has(UserPermission::ModifyAllData)
            && !self.has(UserPermission::SetAuditFields)
            && self.sets.iter().any(|set| set.grants_all_fields())
    }

    /// Does ownership decide nothing about an action, whatever the object?
    pub(crate) fn ignore_owners(&self, action: RowAction) -> bool {
        let viewing = action == RowAction::Read && self.has(UserPermission::ViewAllData);
        viewing || self.has(UserPermission::ModifyAllData) || (action != RowAction::Delete && self.sharing.is_open())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn me() -> Id {
        Id::new("005", *b"5f", 1)
    }

    fn rights(sets: &[Json], sharing: Json) -> Rights {
        let set = |set: &Json| Arc::new(serde_json::from_value(set.clone()).unwrap());
        Rights::new(me(), sets.iter().map(set).collect(), Arc::new(serde_json::from_value(sharing).unwrap()))
    }

    fn actions(access: ObjectAccess) -> String {
        let all = [
            ("r", ObjectAction::Read),
            ("c", ObjectAction::Create),
            ("e", ObjectAction::Edit),
            ("d", ObjectAction::Delete),
            ("v", ObjectAction::ViewAll),
            ("m", ObjectAction::ModifyAll),
        ];
        all.iter().filter(|(_, action)| access.may(*action)).map(|(letter, _)| *letter).collect()
    }

    /// What a user may do with Lead, by their sets.
    #[test]
    fn objects() {
        for (sets, expected) in [
            (vec![], ""),
            (vec![json!({})], ""),
            (vec![json!({"objects": {"Lead": ["read"]}})], "r"),
            (vec![json!({"objects": {"Lead": ["create"]}})], "rc"),
            (vec![json!({"objects": {"Lead": ["delete"]}})], "red"),
            (vec![json!({"objects": {"Lead": ["view_all"]}})], "rv"),
            (vec![json!({"objects": {"Lead": ["modify_all"]}})], "redvm"),
            (vec![json!({"objects": {"*": ["edit"]}})], "re"),
            (vec![json!({"objects": {"*": ["edit"], "Lead": []}})], ""),
            (vec![json!({"objects": {"*": ["edit"], "Lead": []}}), json!({"objects": {"Lead": ["read"]}})], "r"),
            (vec![json!({"objects": {"Lead": ["create"]}}), json!({"objects": {"Lead": ["edit"]}})], "rce"),
            (vec![json!({"permissions": ["view_all_data"]})], "rv"),
            (vec![json!({"permissions": ["modify_all_data"]})], "rcedvm"),
            (vec![json!({"permissions": ["api_enabled", "set_audit_fields"]})], ""),
        ] {
            assert_eq!(actions(rights(&sets, json!({})).object("Lead")), expected, "{sets:?}");
        }
        assert_eq!(actions(rights(&[], json!({})).object("User")), "r");
    }

    /// What a user may do with Lead.Email, by their sets.
    #[test]
    fn fields() {
        for (sets, expected) in [
            (vec![json!({})], FieldAccess::None),
            (vec![json!({"fields": {"Lead.Email": ["read"]}})], FieldAccess::Read),
            (vec![json!({"fields": {"Lead.Email": ["edit"]}})], FieldAccess::Edit),
            (vec![json!({"fields": {"Lead.Phone": ["edit"]}})], FieldAccess::None),
            (vec![json!({"fields": {"Lead.*": ["read"]}})], FieldAccess::Read),
            (vec![json!({"fields": {"Account.*": ["read"]}})], FieldAccess::None),
            (vec![json!({"fields": {"*": ["edit"]}})], FieldAccess::Edit),
            (vec![json!({"fields": {"*": ["edit"], "Lead.*": ["read"]}})], FieldAccess::Read),
            (vec![json!({"fields": {"*": ["edit"], "Lead.Email": []}})], FieldAccess::None),
            (
                vec![json!({"fields": {"*": ["edit"], "Lead.Email": []}}), json!({"fields": {"Lead.Email": ["read"]}})],
                FieldAccess::Read,
            ),
            (vec![json!({"permissions": ["modify_all_data"]})], FieldAccess::None),
        ] {
            let rights = rights(&sets, json!({}));
            assert_eq!(rights.field("Lead", "Email"), expected, "{sets:?}");
            assert!(!rights.has_every_field("Lead") || expected == FieldAccess::Edit, "{sets:?}");
        }
    }

    /// Of the records of Lead, those of others and then the user's own: which may be read, edited and deleted?
    #[test]
    fn rows() {
        let all = || json!({"objects": {"Lead": ["create", "delete"]}});
        for (set, level, others, own) in [
            (all(), "private", "", "red"),
            (all(), "read", "r", "red"),
            (all(), "edit", "re", "red"),
            (all(), "full", "red", "red"),
            (json!({"objects": {"Lead": ["read"]}}), "private", "", "r"),
            (json!({"objects": {"Lead": ["read"]}}), "full", "r", "r"),
            (json!({"objects": {"Lead": ["edit"]}}), "full", "re", "re"),
            (json!({"objects": {"Lead": ["view_all"]}}), "private", "r", "r"),
            (json!({"objects": {"Lead": ["view_all", "delete"]}}), "private", "r", "red"),
            (json!({"objects": {"Lead": ["modify_all"]}}), "private", "red", "red"),
            (json!({"objects": {}}), "full", "", ""),
            (json!({"permissions": ["view_all_data"]}), "private", "r", "r"),
            (json!({"permissions": ["modify_all_data"]}), "private", "red", "red"),
        ] {
            let rights = rights(std::slice::from_ref(&set), json!({"Lead": level}));
            let allowed = |owner: Id| -> String {
                let actions = [("r", RowAction::Read), ("e", RowAction::Edit), ("d", RowAction::Delete)];
                let may = actions.iter().filter(|(_, action)| rights.may(*action, "Lead", owner));
                may.map(|(letter, _)| *letter).collect()
            };
            let other = Id::new("005", *b"5f", 2);
            assert_eq!((allowed(other), allowed(me())), (others.to_owned(), own.to_owned()), "{set} {level}");
        }
    }

    /// The short cuts never say more than the rule.
    #[test]
    fn short_cuts() {
        let sharings = [json!({}), json!({"Lead": "private"}), json!({"Lead": "read"}), json!({"Lead": "full"})];
        let sets = [
            json!({}),
            json!({"objects": {"*": ["read", "delete"]}}),
            json!({"objects": {"*": ["modify_all"]}, "fields": {"*": ["edit"]}}),
            json!({"objects": {"*": ["read"]}, "permissions": ["view_all_data"]}),
            json!({"permissions": ["modify_all_data"], "fields": {"*": ["edit"]}}),
            json!({"permissions": ["modify_all_data", "set_audit_fields"], "fields": {"*": ["edit"]}}),
            json!({"permissions": ["modify_all_data"], "fields": {"*": ["edit"], "Lead.Email": ["read"]}}),
        ];
        for (sharing, set) in sharings.iter().flat_map(|sharing| sets.iter().map(move |set| (sharing, set))) {
            let rights = rights(std::slice::from_ref(set), sharing.clone());
            for action in [RowAction::Read, RowAction::Edit, RowAction::Delete] {
                let by_owner = rights.rows("Lead", action) == Rows::Own;
                assert!(!(rights.ignore_owners(action) && by_owner), "{set} {sharing} {action:?}");
                assert!(!rights.are_full() || rights.rows("Lead", action) == Rows::All, "{set} {sharing} {action:?}");
            }
            assert!(!rights.are_full() || rights.field("Lead", "Email") == FieldAccess::Edit, "{set}");
        }
    }
}
