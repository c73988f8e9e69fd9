//! All that an org's administrator granted: the permission sets, who has which, and the sharing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::rights::Rights;
use super::set::{EVERY, PermissionSet};
use super::sharing::{Level, Sharing};
use crate::org::Id;

const PROFILE_PREFIX: &str = "00e";
/// The profiles every org has, in the order of their ids. They cannot be changed.
const STANDARD: [(&str, &str); 3] = [
    (
        "System Administrator",
        r#"{"profile": true, "fields": {"*": ["edit"]}, "permissions": ["api_enabled", "modify_all_data", "bulk_api_hard_delete"]}"#,
    ),
    (
        "Standard User",
        r#"{"profile": true, "fields": {"*": ["edit"]}, "permissions": ["api_enabled"],
            "objects": {"*": ["create", "delete"], "User": ["read"], "Organization": ["read"], "PushTopic": ["read"], "StreamingChannel": ["read"]}}"#,
    ),
    ("Minimum Access - Salesforce", r#"{"profile": true}"#),
];
/// The profile of users that were given none.
const DEFAULT: usize = 1;

/// The sets of an org, who has which, and the sharing.
#[derive(Debug, Clone)]
pub(in crate::org) struct Register {
    pod: [u8; 2],
    sets: BTreeMap<String, Kept>,
    assigned: HashMap<Id, Assigned>,
    sharing: Arc<Sharing>,
}

#[derive(Debug, Clone)]
struct Kept {
    set: Arc<PermissionSet>,
    /// The number of a profile, which makes its id.
    number: Option<u64>,
}

#[derive(Debug, Clone)]
struct Assigned {
    profile: Id,
    sets: BTreeSet<String>,
}

/// What a user was given, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Assignment {
    /// Their profile.
    pub profile: String,
    /// Their permission sets.
    pub permission_sets: BTreeSet<String>,
}

/// Why permissions cannot be changed so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum PermissionError {
    #[error("'{0}' is a standard profile, which cannot be changed; make one of your own")]
    Standard(String),
    #[error("there is no permission set '{0}'")]
    NoSet(String),
    #[error("there is no profile '{0}'")]
    NoProfile(String),
    #[error("'{0}' stays what it is: a profile cannot become a permission set, nor the other way round")]
    Kind(String),
    #[error("'{0}' is assigned to users")]
    Assigned(String),
    #[error("a permission set needs a name")]
    NoName,
    #[error("there is no object '{0}'")]
    NoObject(String),
    #[error("there is no field '{0}'; fields are named like Lead.Email, or Lead.* for the others of an object")]
    NoField(String),
    #[error("{part} is a part of {whole}: grant that")]
    Part { part: String, whole: String },
    #[error("nobody owns records of {0}: they are shared with their parents, or with everybody")]
    Ownerless(String),
    #[error("there is no user '{0}'")]
    NoUser(String),
    #[error("the org's file could not be written: {0}")]
    NotKept(String),
    #[error("the first user keeps their profile, so that somebody may do everything")]
    FirstUser,
}

/// What of it is kept in the file of an org. Profiles of users stand in their records.
#[derive(Serialize, Deserialize)]
struct Saved {
    sets: BTreeMap<String, (Option<u64>, PermissionSet)>,
    assigned: BTreeMap<String, BTreeSet<String>>,
    sharing: Sharing,
}

impl Register {
    /// As an org starts: the standard profiles, and everything shared.
    pub(in crate::org) fn new(pod: [u8; 2]) -> Self {
        let kept = |(number, (name, set)): (u64, &(&str, &str))| {
            let set = serde_json::from_str(set).unwrap_or_default();
            ((*name).to_owned(), Kept { set: Arc::new(set), number: Some(number) })
        };
        let sets = (1..).zip(&STANDARD).map(kept).collect();
        Self { pod, sets, assigned: HashMap::new(), sharing: Arc::default() }
    }

    /// As an org was left.
    pub(in crate::org) fn restore(&mut self, saved: &str) -> Result<(), serde_json::Error> {
        let Saved { sets, assigned, sharing } = serde_json::from_str(saved)?;
        let kept = |(name, (number, set))| (name, Kept { set: Arc::new(set), number });
        self.sets.extend(sets.into_iter().map(kept));
        self.sharing = Arc::new(sharing);
        for (user, sets) in assigned.into_iter().filter_map(|(user, sets)| Some((Id::parse(&user)?, sets))) {
            self.seat(user, self.default_profile()).sets = sets;
        }
        Ok(())
    }

    /// What [`restore`](Self::restore) takes.
    pub(in crate::org) fn save(&self) -> Result<String, serde_json::Error> {
        let own = self.sets.iter().filter(|(name, _)| !is_standard(name));
        let sets = own.map(|(name, kept)| (name.clone(), (kept.number, PermissionSet::clone(&kept.set)))).collect();
        let some = self.assigned.iter().filter(|(_, assigned)| !assigned.sets.is_empty());
        let assigned = some.map(|(user, assigned)| (user.to_string(), assigned.sets.clone())).collect();
        serde_json::to_string(&Saved { sets, assigned, sharing: Sharing::clone(&self.sharing) })
    }

    /// All sets with their names; for profiles, their ids.
    pub(in crate::org) fn sets(&self) -> impl Iterator<Item = (&str, Option<Id>, &PermissionSet)> {
        self.sets.iter().map(|(name, kept)| (name.as_str(), self.id_of(kept), &*kept.set))
    }

    pub(in crate::org) fn set(&self, name: &str) -> Option<&PermissionSet> {
        self.sets.get(name).map(|kept| &*kept.set)
    }

    /// Makes a permission set or a profile, or changes it.
    pub(in crate::org) fn grant(&mut self, name: &str, set: PermissionSet) -> Result<(), PermissionError> {
        if name.is_empty() || name == EVERY {
            return Err(PermissionError::NoName);
        }
        if is_standard(name) {
            return Err(PermissionError::Standard(name.to_owned()));
        }
        let last = self.sets.values().filter_map(|kept| kept.number).max();
        let number = match self.sets.get(name) {
            Some(kept) if kept.set.profile != set.profile => return Err(PermissionError::Kind(name.to_owned())),
            Some(kept) => kept.number,
            None => set.profile.then(|| last.unwrap_or(0) + 1),
        };
        self.sets.insert(name.to_owned(), Kept { set: Arc::new(set), number });
        Ok(())
    }

    /// Removes a set that nobody has.
    pub(in crate::org) fn withdraw(&mut self, name: &str) -> Result<(), PermissionError> {
        let kept = self.sets.get(name).ok_or_else(|| PermissionError::NoSet(name.to_owned()))?;
        if is_standard(name) {
            return Err(PermissionError::Standard(name.to_owned()));
        }
        let id = self.id_of(kept);
        let mut assigned = self.assigned.values();
        if assigned.any(|assigned| Some(assigned.profile) == id || assigned.sets.contains(name)) {
            return Err(PermissionError::Assigned(name.to_owned()));
        }
        self.sets.remove(name);
        Ok(())
    }

    /// Gives a user permission sets in place of those they have.
    pub(in crate::org) fn assign(&mut self, user: Id, sets: BTreeSet<String>) -> Result<(), PermissionError> {
        let assignable = |name: &&String| self.set(name).is_some_and(|set| !set.profile);
        if let Some(unknown) = sets.iter().find(|name| !assignable(name)) {
            return Err(PermissionError::NoSet(unknown.clone()));
        }
        let assigned = self.assigned.get_mut(&user).ok_or_else(|| PermissionError::NoUser(user.to_string()))?;
        assigned.sets = sets;
        Ok(())
    }

    /// A user with that profile is there. True if they had another one.
    pub(in crate::org) fn profile(&mut self, user: Id, profile: Id) -> bool {
        let known = self.assigned.contains_key(&user);
        let assigned = self.seat(user, profile);
        let before = std::mem::replace(&mut assigned.profile, profile);
        known && before != profile
    }

    pub(in crate::org) fn assignment(&self, user: Id) -> Option<Assignment> {
        let assigned = self.assigned.get(&user)?;
        let (profile, _) = self.kept_profile(assigned.profile)?;
        Some(Assignment { profile: profile.to_owned(), permission_sets: assigned.sets.clone() })
    }

    pub(in crate::org) fn sharing(&self) -> &Sharing {
        &self.sharing
    }

    pub(in crate::org) fn share(&mut self, object: &str, level: Level) {
        Arc::make_mut(&mut self.sharing).set(object, level);
    }

    /// The id of a profile.
    pub(in crate::org) fn profile_named(&self, name: &str) -> Option<Id> {
        self.sets.get(name).and_then(|kept| self.id_of(kept))
    }

    pub(in crate::org) fn is_profile(&self, id: Id) -> bool {
        self.sets.values().any(|kept| self.id_of(kept) == Some(id))
    }

    /// "Standard User"
    pub(in crate::org) fn default_profile(&self) -> Id {
        Id::new(PROFILE_PREFIX, self.pod, 1 + DEFAULT as u64)
    }

    /// What a user may do. Nobody may do nothing.
    pub(in crate::org) fn rights(&self, user: Id) -> Rights {
        let mut sets = Vec::new();
        if let Some(assigned) = self.assigned.get(&user) {
            sets.extend(self.kept_profile(assigned.profile).map(|(_, kept)| Arc::clone(&kept.set)));
            sets.extend(assigned.sets.iter().filter_map(|name| self.sets.get(name)).map(|kept| Arc::clone(&kept.set)));
        }
        Rights::new(user, sets, Arc::clone(&self.sharing))
    }

    /// A profile; users that were made with one the org does not have, as seeds make them, have the standard one.
    fn kept_profile(&self, id: Id) -> Option<(&str, &Kept)> {
        let of = |id| self.sets.iter().find(|(_, kept)| self.id_of(kept) == Some(id));
        of(id).or_else(|| of(self.default_profile())).map(|(name, kept)| (name.as_str(), kept))
    }

    fn seat(&mut self, user: Id, profile: Id) -> &mut Assigned {
        self.assigned.entry(user).or_insert_with(|| Assigned { profile, sets: BTreeSet::new() })
    }

    fn id_of(&self, kept: &Kept) -> Option<Id> {
        kept.number.map(|number| Id::new(PROFILE_PREFIX, self.pod, number))
    }
}

fn is_standard(name: &str) -> bool {
    STANDARD.iter().any(|(standard, _)| *standard == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::org::permission::{ObjectAction, UserPermission};

    fn user(number: u64) -> Id {
        Id::new("005", *b"5f", number)
    }

    /// A broken one would grant nothing in silence.
    #[test]
    fn standard_profiles_are_understood() {
        for (name, set) in STANDARD {
            assert!(serde_json::from_str::<PermissionSet>(set).unwrap().profile, "{name}");
        }
        let mut register = Register::new(*b"5f");
        for (number, (name, _)) in (1..).zip(STANDARD) {
            register.profile(user(number), register.profile_named(name).unwrap());
        }
        let may = |number, object: &str, action| register.rights(user(number)).object(object).may(action);
        assert!(register.rights(user(1)).are_full());
        assert!(may(2, "Lead", ObjectAction::Delete) && !may(2, "Lead", ObjectAction::ViewAll));
        assert!(may(2, "PushTopic", ObjectAction::Read) && !may(2, "PushTopic", ObjectAction::Create));
        assert!(may(3, "User", ObjectAction::Read) && !may(3, "Lead", ObjectAction::Read));
        assert!(!may(4, "Lead", ObjectAction::Read) && !register.rights(user(4)).has(UserPermission::ApiEnabled));
    }

    #[test]
    fn what_is_saved_comes_back() {
        let mut register = Register::new(*b"5f");
        let set = |json: &str| serde_json::from_str::<PermissionSet>(json).unwrap();
        register.grant("Sales", set(r#"{"profile": true, "objects": {"Lead": ["read"]}}"#)).unwrap();
        register.grant("Mail", set(r#"{"fields": {"Lead.Email": ["edit"]}}"#)).unwrap();
        let sales = register.profile_named("Sales").unwrap();
        register.profile(user(7), sales);
        register.assign(user(7), BTreeSet::from(["Mail".to_owned()])).unwrap();
        register.share("Lead", Level::Private);
        let mut restored = Register::new(*b"5f");
        restored.restore(&register.save().unwrap()).unwrap();
        restored.profile(user(7), sales);
        assert_eq!(restored.assignment(user(7)), register.assignment(user(7)));
        assert_eq!(format!("{:?}", restored.rights(user(7))), format!("{:?}", register.rights(user(7))));
    }

    #[test]
    fn refused() {
        let mut register = Register::new(*b"5f");
        let profile = PermissionSet { profile: true, ..PermissionSet::default() };
        assert_eq!(register.grant("", profile.clone()), Err(PermissionError::NoName));
        assert!(matches!(register.grant("Standard User", profile.clone()), Err(PermissionError::Standard(_))));
        assert!(matches!(register.withdraw("Standard User"), Err(PermissionError::Standard(_))));
        assert!(matches!(register.withdraw("Nothing"), Err(PermissionError::NoSet(_))));
        register.grant("Sales", profile).unwrap();
        assert!(matches!(register.grant("Sales", PermissionSet::default()), Err(PermissionError::Kind(_))));
        let sales = || BTreeSet::from(["Sales".to_owned()]);
        register.profile(user(7), register.profile_named("Sales").unwrap());
        assert!(matches!(register.assign(user(7), sales()), Err(PermissionError::NoSet(_))), "a profile is none");
        assert!(matches!(register.assign(user(8), BTreeSet::new()), Err(PermissionError::NoUser(_))));
        assert!(matches!(register.withdraw("Sales"), Err(PermissionError::Assigned(_))));
    }
}
