//! `/__emulator/users`, `/permission_sets` and `/sharing`: who there is, what they were granted, what they share.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::policies::{Change, bad, merged, text};
use super::{Desk, Failure, Json, blocking, parse};
use crate::org::{Id, Level, Org, PermissionError, PermissionSet, User};

pub(super) fn routes() -> axum::Router<Desk> {
    axum::Router::new()
        .route("/__emulator/users", get(users).post(change_user))
        .route("/__emulator/permission_sets", get(permission_sets).post(change_permissions))
        .route("/__emulator/permission_sets/{name}", delete(remove_permissions))
        .route("/__emulator/sharing", get(sharing).post(share))
}

impl From<PermissionError> for Failure {
    fn from(error: PermissionError) -> Self {
        bad(error)
    }
}

async fn users(State(desk): State<Desk>) -> Response {
    Json(desk.app.org.users()).into_response()
}

/// Takes `username`, `profile`, `permission_sets`, `password`, `security_token`, the policy of a user and, of a new one,
/// `fields` of the record. A username that nobody has makes a user; no username means the first user.
async fn change_user(State(desk): State<Desk>, body: Bytes) -> Result<Response, Failure> {
    let change: Change = parse(&body)?;
    let org = desk.app.org.clone();
    blocking(move || written(&org, change)).await?
}

fn written(org: &Org, mut change: Change) -> Result<Response, Failure> {
    let username = text(&mut change, "username")?;
    let profile = text(&mut change, "profile")?;
    let (password, security_token) = (text(&mut change, "password")?, text(&mut change, "security_token")?);
    let sets: Option<BTreeSet<String>> = match change.remove("permission_sets") {
        None => None,
        Some(sets) => Some(serde_json::from_value(sets).map_err(bad)?),
    };
    let known = match &username {
        None => Some(org.user_id()),
        Some(username) => org.user_named(username),
    };
    let fields = match change.remove("fields") {
        None => Map::new(),
        Some(Value::Object(fields)) if known.is_none() => fields,
        Some(_) => return Err(bad("fields are the members of a new user's record")),
    };
    let policy = known.and_then(|id| user(org, id)).map(|user| user.policy).unwrap_or_default();
    let policy = merged(&policy, change)?;
    check_sets(org, &sets)?;
    let made = match (known, username) {
        (None, Some(username)) => {
            Some(org.add_user(&username, profile.as_deref().unwrap_or("Standard User"), &fields)?)
        }
        _ => None,
    };
    let id = known.or(made.as_ref().map(|made| made.id)).ok_or_else(|| bad("no username"))?;
    let has = |profile: &String| user(org, id).is_some_and(|user| user.assignment.profile == *profile);
    if let Some(profile) = profile.filter(|profile| !has(profile)) {
        org.set_profile(id, &profile)?;
    }
    if let Some(sets) = sets {
        org.assign(id, sets)?;
    }
    let hands = org.acting_as(id);
    if let Some(password) = password.clone() {
        hands.set_password(password);
    }
    if let Some(security_token) = security_token.clone() {
        hands.set_security_token(security_token);
    }
    org.change_user(id, |it| *it = policy)?;
    let mut shown = serde_json::to_value(user(org, id)).map_err(bad)?;
    let Some(made) = made else { return Ok(Json(shown).into_response()) };
    // Who makes a user has to be told how they sign in; it is told this once.
    if let Value::Object(shown) = &mut shown {
        shown.insert("password".to_owned(), password.unwrap_or(made.password).into());
        shown.insert("security_token".to_owned(), security_token.unwrap_or(made.security_token).into());
        shown.insert("refresh_token".to_owned(), made.refresh_token.into());
    }
    Ok((StatusCode::CREATED, Json(shown)).into_response())
}

fn user(org: &Org, id: Id) -> Option<User> {
    org.users().into_iter().find(|user| user.id == id)
}

fn check_sets(org: &Org, sets: &Option<BTreeSet<String>>) -> Result<(), Failure> {
    let known = org.permission_sets();
    let assignable = |name: &&String| known.iter().any(|(known, _, set)| known == *name && !set.profile);
    match sets.iter().flatten().find(|name| !assignable(name)) {
        Some(unknown) => Err(PermissionError::NoSet(unknown.clone()).into()),
        None => Ok(()),
    }
}

async fn permission_sets(State(desk): State<Desk>) -> Result<Response, Failure> {
    let sets = desk.app.org.permission_sets().into_iter();
    let sets = sets.map(|(name, id, set)| shown(&name, id, &set)).collect::<Result<Vec<_>, _>>()?;
    Ok(Json(sets).into_response())
}

/// Takes `name` and the members of a permission set. Those that are named replace what was there.
async fn change_permissions(State(desk): State<Desk>, body: Bytes) -> Result<Response, Failure> {
    let mut change: Change = parse(&body)?;
    let name = text(&mut change, "name")?.ok_or(PermissionError::NoName)?;
    let org = desk.app.org.clone();
    let found = |org: &Org| org.permission_sets().into_iter().find(|(known, ..)| *known == name);
    let before = found(&org).map(|(_, _, set)| set).unwrap_or_default();
    let set: PermissionSet = merged(&before, change)?;
    let (changed, named) = (org.clone(), name.clone());
    blocking(move || changed.set_permissions(&named, set)).await??;
    let (name, id, set) = found(&org).ok_or_else(|| PermissionError::NoSet(name.clone()))?;
    Ok(Json(shown(&name, id, &set)?).into_response())
}

async fn remove_permissions(State(desk): State<Desk>, Path(name): Path<String>) -> Result<StatusCode, Failure> {
    let org = desk.app.org.clone();
    blocking(move || org.remove_permissions(&name)).await??;
    Ok(StatusCode::NO_CONTENT)
}

fn shown(name: &str, id: Option<Id>, set: &PermissionSet) -> Result<Value, Failure> {
    let mut shown = json!({"name": name});
    if let (Value::Object(shown), Value::Object(set)) = (&mut shown, serde_json::to_value(set).map_err(bad)?) {
        shown.extend(id.map(|id| ("id".to_owned(), id.as_str().into())));
        shown.extend(set);
    }
    Ok(shown)
}

async fn sharing(State(desk): State<Desk>) -> Response {
    Json(desk.app.org.sharing()).into_response()
}

/// Levels by object.
#[derive(Deserialize)]
#[serde(transparent)]
struct Levels(BTreeMap<String, Level>);

async fn share(State(desk): State<Desk>, body: Bytes) -> Result<Response, Failure> {
    let Levels(levels) = parse(&body)?;
    let org = desk.app.org.clone();
    blocking(move || levels.iter().try_for_each(|(object, level)| org.share(object, *level))).await??;
    Ok(sharing(State(desk)).await)
}
