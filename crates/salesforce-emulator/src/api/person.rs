//! Who a session belongs to: userinfo and the identity URL.

use http::StatusCode;
use http::header::AUTHORIZATION;
use serde_json::{Value as Json, json};

use super::reply::Reply;
use super::{App, Call, bearer};
use crate::org::{Org, Unfit};

/// `GET /services/oauth2/userinfo`
pub(super) fn user_info(app: &App, call: &Call) -> Reply {
    let org = &app.org;
    if let Some(refused) = refuse_stranger(org, call) {
        return refused;
    }
    let username = org.identity().credentials.username.clone();
    Reply::value(&json!({
        "sub": format!("{}/id/{}/{}", call.host(), org.org_id(), org.user_id()),
        "user_id": org.user_id().as_str(),
        "organization_id": org.org_id().as_str(),
        "preferred_username": username,
        "nickname": "admin",
        "name": "Ada Admin",
        "email": "admin@example.com",
        "email_verified": true,
        "given_name": "Ada",
        "family_name": "Admin",
        "zoneinfo": "America/Los_Angeles",
        "photos": photos(app, call),
        "profile": format!("{}/{}", app.my_domain(call), org.user_id()),
        "picture": format!("{}/profilephoto/005/F", app.my_domain(call)),
        "address": {},
        "urls": urls(app, call),
        "active": true,
        "user_type": "STANDARD",
        "language": "en_US",
        "locale": "en_US",
        "utcOffset": -28_800_000,
        "updated_at": org.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "is_app_installed": true,
    }))
}

/// `GET /id/ORG/USER`
pub(super) fn identity(app: &App, call: &Call, org_id: &str, user: &str) -> Reply {
    let org = &app.org;
    if let Some(refused) = refuse_stranger(org, call) {
        return refused;
    }
    let is = |id: crate::org::Id, text: &str| crate::org::Id::parse(text) == Some(id);
    if !is(org.org_id(), org_id) || !is(org.user_id(), user) {
        return Reply::text(StatusCode::NOT_FOUND, "Bad_Id");
    }
    let username = org.identity().credentials.username.clone();
    Reply::value(&json!({
        "id": format!("{}/id/{}/{}", call.host(), org.org_id(), org.user_id()),
        "asserted_user": true,
        "user_id": org.user_id().as_str(),
        "organization_id": org.org_id().as_str(),
        "username": username,
        "nick_name": "admin",
        "display_name": "Ada Admin",
        "email": "admin@example.com",
        "email_verified": true,
        "first_name": "Ada",
        "last_name": "Admin",
        "timezone": "America/Los_Angeles",
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
        "urls": urls(app, call),
        "active": true,
        "user_type": "STANDARD",
        "language": "en_US",
        "locale": "en_US",
        "utcOffset": -28_800_000,
        "last_modified_date": org.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "is_app_installed": true,
    }))
}

fn refuse_stranger(org: &Org, call: &Call) -> Option<Reply> {
    let Some(header) = call.head.headers.get(AUTHORIZATION) else {
        return Some(Reply::text(StatusCode::FORBIDDEN, "Missing_OAuth_Token"));
    };
    let known = bearer(header).is_some_and(|token| org.identity().authenticate(token, org.now()) != Err(Unfit::Dead));
    (!known).then(|| Reply::text(StatusCode::FORBIDDEN, "Bad_OAuth_Token"))
}

fn photos(app: &App, call: &Call) -> Json {
    let host = app.my_domain(call);
    json!({"picture": format!("{host}/profilephoto/005/F"), "thumbnail": format!("{host}/profilephoto/005/T")})
}

/// URL templates; `{version}` is literal.
fn urls(app: &App, call: &Call) -> Json {
    let (host, org) = (app.my_domain(call), &app.org);
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
