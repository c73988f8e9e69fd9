//! Who a session belongs to: userinfo and the identity URL.

use http::StatusCode;
use http::header::AUTHORIZATION;
use serde_json::{Value as Json, json};

use crate::api::reply::Reply;
use crate::api::{App, Call, bearer};
use crate::org::{Org, Refusal};

/// `GET /services/oauth2/userinfo`
pub(in crate::api) fn user_info(app: &App, call: &Call) -> Result<Reply, Refusal> {
    let org = match enter(app, call) {
        Ok(org) => org,
        Err(words) => return Ok(Reply::text(StatusCode::FORBIDDEN, words)),
    };
    let person = org.person()?;
    Ok(Reply::value(&json!({
        "sub": format!("{}/id/{}/{}", call.host(), org.org_id(), org.user_id()),
        "user_id": org.user_id().as_str(),
        "organization_id": org.org_id().as_str(),
        "preferred_username": person.username,
        "nickname": person.nickname,
        "name": person.name(),
        "email": person.email,
        "email_verified": true,
        "given_name": person.first_name,
        "family_name": person.last_name,
        "zoneinfo": person.time_zone,
        "photos": photos(app, call),
        "profile": format!("{}/{}", app.my_domain(call), org.user_id()),
        "picture": format!("{}/profilephoto/005/F", app.my_domain(call)),
        "address": {},
        "urls": urls(app, call, &org),
        "active": true,
        "user_type": "STANDARD",
        "language": person.language,
        "locale": person.locale,
        "utcOffset": -28_800_000,
        "updated_at": org.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "is_app_installed": true,
    })))
}

/// `GET /id/ORG/USER`
pub(in crate::api) fn identity(app: &App, call: &Call, org_id: &str, user: &str) -> Result<Reply, Refusal> {
    let org = match enter(app, call) {
        Ok(org) => org,
        Err(words) => return Ok(Reply::text(StatusCode::FORBIDDEN, words)),
    };
    let is = |id: crate::org::Id, text: &str| crate::org::Id::parse(text) == Some(id);
    if !is(org.org_id(), org_id) || !is(org.user_id(), user) {
        return Ok(Reply::text(StatusCode::NOT_FOUND, "Bad_Id"));
    }
    let person = org.person()?;
    Ok(Reply::value(&json!({
        "id": format!("{}/id/{}/{}", call.host(), org.org_id(), org.user_id()),
        "asserted_user": true,
        "user_id": org.user_id().as_str(),
        "organization_id": org.org_id().as_str(),
        "username": person.username,
        "nick_name": person.nickname,
        "display_name": person.name(),
        "email": person.email,
        "email_verified": true,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "timezone": person.time_zone,
        "photos": photos(app, call),
        "addr_street": null,
        "addr_city": null,
        "addr_state": null,
        "addr_country": null,
        "addr_zip": null,
        "mobile_phone": null,
        "mobile_phone_verified": false,
        "is_lightning_login_user": false,
        "status": {"created_date": null, "body": null},
        "urls": urls(app, call, &org),
        "active": true,
        "user_type": "STANDARD",
        "language": person.language,
        "locale": person.locale,
        "utcOffset": -28_800_000,
        "last_modified_date": org.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "is_app_installed": true,
    })))
}

/// The org in the hands of whose session this is, or what a stranger is told. The session need not be one for the API.
fn enter(app: &App, call: &Call) -> Result<Org, &'static str> {
    let header = call.head.headers.get(AUTHORIZATION).ok_or("Missing_OAuth_Token")?;
    let token = bearer(header).ok_or("Bad_OAuth_Token")?;
    app.org.visit(token).ok_or("Bad_OAuth_Token")
}

fn photos(app: &App, call: &Call) -> Json {
    let host = app.my_domain(call);
    json!({"picture": format!("{host}/profilephoto/005/F"), "thumbnail": format!("{host}/profilephoto/005/T")})
}

/// URL templates; `{version}` is literal.
fn urls(app: &App, call: &Call, org: &Org) -> Json {
    let host = app.my_domain(call);
    let org_id = org.org_id();
    let rest = |path: &str| format!("{host}/services/data/v{{version}}/{path}");
    let soap = |letter: char| format!("{host}/services/Soap/{letter}/{{version}}/{}", org_id.short());
    json!({
        "enterprise": soap('c'),
        "metadata": soap('m'),
        "partner": soap('u'),
        "rest": rest(""),
        "sobjects": rest("sobjects/"),
        "search": rest("search/"),
        "query": rest("query/"),
        "recent": rest("recent/"),
        "tooling_soap": soap('T'),
        "tooling_rest": rest("tooling/"),
        "profile": format!("{host}/{}", org.user_id()),
        "feeds": rest("chatter/feeds"),
        "groups": rest("chatter/groups"),
        "users": rest("chatter/users"),
        "feed_items": rest("chatter/feed-items"),
        "feed_elements": rest("chatter/feed-elements"),
        "custom_domain": host,
    })
}
