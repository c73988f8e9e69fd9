//! The org's users: their records, what they were granted, and how they sign in, kept in step.

use std::collections::BTreeSet;
use std::fmt;

use rusqlite::OptionalExtension as _;
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use crate::org::permission::{
    Assignment, Level, PermissionError, PermissionSet, Register, Sharing, UserPermission, Visibility,
};
use crate::org::records::{Actor, USER};
use crate::org::storage::Database;
use crate::org::{Denied, Face, Id, Inner, Opened, Org, Refusal, Unfit, UserPolicy, UserStatus};

/// Where the database keeps what was granted.
const GRANTED: &str = "permissions";

/// A user who was just made, with the secrets that are told this once. They do not print.
#[derive(Clone, Serialize)]
#[expect(missing_docs, reason = "the names are those of Salesforce's user interface")]
pub struct NewUser {
    #[serde(serialize_with = "text")]
    pub id: Id,
    pub username: String,
    pub password: String,
    pub security_token: String,
    pub refresh_token: String,
}

/// A user, without secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct User {
    /// Id of their record.
    #[serde(serialize_with = "text")]
    pub id: Id,
    /// What they sign in with.
    pub username: String,
    /// What they were granted.
    #[serde(flatten)]
    pub assignment: Assignment,
    /// How they are treated.
    #[serde(flatten)]
    pub policy: UserPolicy,
}

/// A user as their record describes them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Person {
    pub(crate) username: String,
    pub(crate) first_name: Option<String>,
    pub(crate) last_name: String,
    pub(crate) email: String,
    pub(crate) nickname: String,
    pub(crate) time_zone: String,
    pub(crate) locale: String,
    pub(crate) language: String,
    pub(crate) profile: Option<Id>,
}

impl fmt::Debug for NewUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewUser").field("id", &self.id).field("username", &self.username).finish_non_exhaustive()
    }
}

fn text<S: serde::Serializer>(id: &Id, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(id.as_str())
}

impl Org {
    /// All users, in the order of their ids.
    pub fn users(&self) -> Vec<User> {
        let granted = self.0.visibility();
        let identity = self.0.identity();
        let user = |(id, username, policy): (Id, &str, &UserPolicy)| {
            let assignment = granted.granted().assignment(id)?;
            Some(User { id, username: username.to_owned(), assignment, policy: policy.clone() })
        };
        identity.users().filter_map(user).collect()
    }

    /// The user of that name, in any case.
    pub fn user_named(&self, username: &str) -> Option<Id> {
        self.0.identity().named(username)
    }

    /// Makes an active user with that profile. The fields of the record that are not given are made up from the username.
    ///
    /// # Errors
    /// `DUPLICATE_USERNAME` if the name is taken, and whatever else Salesforce refuses of a user's record.
    pub fn add_user(&self, username: &str, profile: &str, fields: &Map<String, Json>) -> Result<NewUser, Refusal> {
        let profile = self.0.visibility().granted().profile_named(profile);
        let profile =
            profile.ok_or_else(|| Refusal::bad("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id"))?;
        let name = username.split('@').next().unwrap_or(username);
        let alias: String = name.chars().take(8).collect();
        let made_up = json!({
            "Username": username, "LastName": name, "Email": username, "Alias": alias, "CommunityNickname": name, "IsActive": true,
            "TimeZoneSidKey": "America/Los_Angeles", "LocaleSidKey": "en_US", "LanguageLocaleKey": "en_US",
            "EmailEncodingKey": "UTF-8", "ProfileId": profile.as_str(), "UserType": "Standard",
        });
        let mut body = match made_up {
            Json::Object(body) => body,
            _ => Map::new(),
        };
        body.extend(fields.clone());
        let id = self.transaction(|transaction| transaction.create(USER, &body))?;
        let mut identity = self.0.identity();
        let (password, security_token) = identity.secrets(id).ok_or_else(Refusal::not_found)?;
        let username = identity.username(id).unwrap_or(username).to_owned();
        Ok(NewUser { id, username, password, security_token, refresh_token: identity.grant(id) })
    }

    /// Treats a user differently. To be inactive is a matter of the record too, so the change may be refused.
    pub fn change_user(&self, user: Id, change: impl FnOnce(&mut UserPolicy)) -> Result<(), Refusal> {
        let was = {
            let mut identity = self.0.identity();
            let was = identity.policy(user).cloned().ok_or_else(Refusal::not_found)?;
            let mut policy = was.clone();
            change(&mut policy);
            identity.set_policy(user, policy);
            was
        };
        self.0.record_activity(user, was.status)
    }

    /// Id of the profile that users have who were given none, "Standard User".
    pub(crate) fn standard_profile(&self) -> Id {
        self.0.visibility().granted().default_profile()
    }

    /// Gives a user another profile.
    pub fn set_profile(&self, user: Id, profile: &str) -> Result<(), Refusal> {
        let bad = |error: PermissionError| Refusal::bad("INVALID_CROSS_REFERENCE_KEY", error.to_string());
        if user == self.0.administrator {
            return Err(bad(PermissionError::FirstUser));
        }
        let named = self.0.visibility().granted().profile_named(profile);
        let id = named.ok_or_else(|| bad(PermissionError::NoProfile(profile.to_owned())))?;
        let body = Map::from_iter([("ProfileId".to_owned(), id.as_str().into())]);
        self.as_platform(|transaction| transaction.update(USER, user, &body))
    }

    /// Gives a user permission sets in place of those they have.
    pub fn assign(&self, user: Id, sets: BTreeSet<String>) -> Result<(), PermissionError> {
        self.0.grant(|visibility, now| visibility.change(now, |granted| granted.assign(user, sets)))
    }

    /// All permission sets with their names, and the ids of those that are profiles.
    pub fn permission_sets(&self) -> Vec<(String, Option<Id>, PermissionSet)> {
        let visibility = self.0.visibility();
        visibility.granted().sets().map(|(name, id, set)| (name.to_owned(), id, set.clone())).collect()
    }

    /// Makes a permission set or a profile, or changes it for all who have it.
    ///
    /// # Errors
    /// If it is a standard profile, and if it names what the org does not have; the text says what.
    pub fn set_permissions(&self, name: &str, set: PermissionSet) -> Result<(), PermissionError> {
        let set = set.spelled(&self.0.views(self.0.administrator).whole)?;
        self.0.grant(|visibility, now| visibility.change(now, |granted| granted.grant(name, set)))
    }

    /// Removes a permission set that nobody has.
    pub fn remove_permissions(&self, name: &str) -> Result<(), PermissionError> {
        self.0.grant(|visibility, now| visibility.change(now, |granted| granted.withdraw(name)))
    }

    /// What users may do with records they do not own.
    pub fn sharing(&self) -> Sharing {
        self.0.visibility().granted().sharing().clone()
    }

    /// Changes it for an object.
    ///
    /// # Errors
    /// If records of the object have no owner.
    pub fn share(&self, object: &str, level: Level) -> Result<(), PermissionError> {
        let whole = self.0.views(self.0.administrator).whole;
        let object = whole.object(object).ok_or_else(|| PermissionError::NoObject(object.to_owned()))?;
        if object.position("OwnerId").is_none() {
            return Err(PermissionError::Ownerless(object.name.clone()));
        }
        self.0.grant(|visibility, now| {
            visibility.change(now, |granted| {
                granted.share(&object.name, level);
                Ok(())
            })
        })
    }

    /// Does the user have a permission that is not about one object?
    pub fn has(&self, permission: UserPermission) -> bool {
        self.views().visible.viewer().is_none_or(|viewer| viewer.rights.has(permission))
    }

    /// Another refresh token for the app and the user. Only the latest five of a user live.
    pub fn grant(&self) -> String {
        self.0.identity().grant(self.1)
    }

    /// The org in the hands of the user whose session this is.
    pub(crate) fn enter(&self, token: &str) -> Result<Self, Unfit> {
        let user = self.0.identity().authenticate(token, self.now())?;
        let org = self.acting_as(user);
        if org.has(UserPermission::ApiEnabled) { Ok(org) } else { Err(Unfit::ApiOffForUser) }
    }

    /// The same for what is not the API: signing in is enough.
    pub(crate) fn visit(&self, token: &str) -> Option<Self> {
        let now = self.now();
        let mut identity = self.0.identity();
        let _ = identity.authenticate(token, now);
        identity.session(token, now).map(|session| self.acting_as(session.user))
    }

    /// SOAP `login()`, which lets in only whoever may use the API.
    pub(crate) fn soap_login(&self, username: &str, password: &str, face: Face) -> Result<Opened, Denied> {
        let opened = self.0.identity().soap_login(username, password, face, self.now())?;
        if self.acting_as(opened.user).has(UserPermission::ApiEnabled) {
            return Ok(opened);
        }
        self.0.identity().revoke(&opened.access_token);
        Err(Denied::ApiOffForUser)
    }

    /// The user, as their record describes them.
    pub(crate) fn person(&self) -> Result<Person, Refusal> {
        let database = self.0.database();
        let sql = "SELECT \"Username\",\"FirstName\",\"LastName\",\"Email\",\"CommunityNickname\",\"TimeZoneSidKey\",\"LocaleSidKey\",
                   \"LanguageLocaleKey\",\"ProfileId\" FROM \"User\" WHERE \"Id\"=?";
        let mut statement = database.connection.prepare_cached(sql)?;
        let person = statement.query_row([self.1.as_str()], |row| {
            let text = |at| row.get::<_, Option<String>>(at);
            Ok(Person {
                username: text(0)?.unwrap_or_default(),
                first_name: text(1)?,
                last_name: text(2)?.unwrap_or_default(),
                email: text(3)?.unwrap_or_default(),
                nickname: text(4)?.unwrap_or_default(),
                time_zone: text(5)?.unwrap_or_default(),
                locale: text(6)?.unwrap_or_default(),
                language: text(7)?.unwrap_or_default(),
                profile: text(8)?.as_deref().and_then(Id::parse),
            })
        });
        person.optional()?.ok_or_else(Refusal::not_found)
    }
}

impl Person {
    /// First and last name.
    pub(crate) fn name(&self) -> String {
        self.first_name.iter().chain([&self.last_name]).map(String::as_str).collect::<Vec<_>>().join(" ")
    }
}

impl Inner {
    /// Changes what was granted, and keeps it.
    fn grant<T>(
        &self,
        change: impl FnOnce(&mut Visibility, jiff::Timestamp) -> Result<T, PermissionError>,
    ) -> Result<T, PermissionError> {
        let database = self.database();
        let mut visibility = self.visibility_mut();
        let done = change(&mut visibility, self.clock.now())?;
        if database.durable {
            let kept = visibility.granted().save().map_err(|error| error.to_string());
            let kept = kept.and_then(|saved| database.set_meta(GRANTED, saved).map_err(|error| error.to_string()));
            kept.map_err(PermissionError::NotKept)?;
        }
        Ok(done)
    }

    /// Takes up what was granted when the org was last open, and its users.
    pub(in crate::org) fn recall(&self) -> Result<(), Refusal> {
        let database = self.database();
        if let Some(saved) = database.meta::<String>(GRANTED)? {
            let broken = |error: serde_json::Error| Refusal::bad("UNKNOWN_EXCEPTION", error.to_string());
            self.visibility_mut().restore(&saved).map_err(broken)?;
        }
        let mut statement = database.connection.prepare("SELECT \"Id\" FROM \"User\"")?;
        let ids = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
        let ids: Vec<Id> = ids.iter().filter_map(|id| Id::parse(id)).collect();
        self.seat(&database, &ids)
    }

    /// Only the first user is there, and everything is granted as at the start.
    pub(in crate::org) fn forget_grants(&self) -> Result<(), Refusal> {
        let database = self.database();
        let now = self.clock.now();
        let _ = self.visibility_mut().change(now, |granted| {
            *granted = Register::new(self.pod);
            Ok::<_, PermissionError>(())
        });
        self.seat(&database, &[self.administrator])?;
        if database.durable {
            let saved = self.visibility().granted().save().unwrap_or_default();
            database.set_meta(GRANTED, saved)?;
        }
        Ok(())
    }

    /// Users were written: what follows from their records for signing in and for what they may do.
    pub(in crate::org) fn seat(&self, database: &Database, users: &[Id]) -> Result<(), Refusal> {
        let sql = "SELECT \"Username\",\"IsActive\",\"ProfileId\" FROM \"User\" WHERE \"Id\"=?";
        let mut statement = database.connection.prepare_cached(sql)?;
        for user in users {
            let read = |row: &rusqlite::Row<'_>| {
                Ok((row.get::<_, Option<String>>(0)?, row.get::<_, bool>(1)?, row.get::<_, Option<String>>(2)?))
            };
            let Some((username, active, profile)) = statement.query_row([user.as_str()], read).optional()? else {
                continue;
            };
            {
                let mut visibility = self.visibility_mut();
                let standard = visibility.granted().default_profile();
                let profile = profile.as_deref().and_then(Id::parse).unwrap_or(standard);
                visibility.seat(*user, profile, self.clock.now());
            }
            self.identity().seat(*user, &username.unwrap_or_default(), active);
        }
        Ok(())
    }

    /// The record of a user follows, when the administrator makes them inactive or active again.
    pub(super) fn record_activity(&self, user: Id, was: UserStatus) -> Result<(), Refusal> {
        let is = self.identity().policy(user).map_or(was, |policy| policy.status);
        let active = is != UserStatus::Inactive;
        if active == (was != UserStatus::Inactive) {
            return Ok(());
        }
        let body = Map::from_iter([("IsActive".to_owned(), active.into())]);
        self.transaction(self.administrator, Actor::Platform, |transaction| transaction.update(USER, user, &body))
    }
}
