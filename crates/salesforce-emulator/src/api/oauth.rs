//! `/services/oauth2/…` and the identity URL.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use http::header::{AUTHORIZATION, CACHE_CONTROL};
use serde_json::{Map, Value as Json, json};

use super::reply::Reply;
use super::{Call, bearer};
use crate::org::{Denied, Opened, Org};

const SCOPE: &str = "refresh_token api web";

/// `POST /services/oauth2/token`
pub(super) async fn token(org: &Org, call: &Call) -> Reply {
    let form = Form::of(call);
    match grant(org, &form).await {
        Ok(opened) => granted(org, call, &opened),
        Err(Denied { error, description }) => {
            let body = json!({"error": error, "error_description": description});
            Reply::value(&body).status(StatusCode::BAD_REQUEST).header(CACHE_CONTROL, "no-store")
        }
    }
}

async fn grant(org: &Org, form: &Form) -> Result<Opened, Denied> {
    let missing = |description| Denied { error: "invalid_request", description };
    let (kind, latency) = (form.get("grant_type"), org.settings().token_latency);
    if !matches!(kind, Some("refresh_token" | "password" | "client_credentials")) {
        return Err(Denied { error: "unsupported_grant_type", description: "grant type not supported" });
    }
    org.identity().check_client(form.client_id(), form.client_secret())?;
    if kind == Some("refresh_token") {
        let token = form.get("refresh_token").ok_or(missing("must supply refresh_token"))?;
        org.identity().begin_refresh(token)?;
        tokio::time::sleep(latency).await;
        return org.identity().finish_refresh(token, org.now());
    }
    tokio::time::sleep(latency).await;
    let now = org.now();
    if kind == Some("client_credentials") {
        return Ok(org.identity().run_as(now));
    }
    let username = form.get("username").ok_or(missing("must supply username"))?;
    let password = form.get("password").ok_or(missing("must supply password"))?;
    org.identity().sign_in(username, password, now)
}

fn granted(org: &Org, call: &Call, opened: &Opened) -> Reply {
    let instance_url = org.settings().instance_url.clone().unwrap_or_else(|| call.host());
    let id = format!("{}/id/{}/{}", call.host(), org.org_id(), org.user_id());
    let issued_at = org.now().as_millisecond().to_string();
    let signature = org.identity().sign(&format!("{id}{issued_at}"));
    let mut reply = Map::new();
    let mut put = |key: &str, value: &str| reply.insert(key.to_owned(), value.into());
    put("access_token", &opened.access_token);
    if let Some(refresh_token) = &opened.refresh_token {
        put("refresh_token", refresh_token);
    }
    put("signature", &signature);
    put("scope", SCOPE);
    put("instance_url", &instance_url);
    put("id", &id);
    put("token_type", "Bearer");
    put("issued_at", &issued_at);
    Reply::value(&reply.into()).header(CACHE_CONTROL, "no-store")
}

/// `POST /services/oauth2/revoke`
pub(super) fn revoke(org: &Org, call: &Call) -> Reply {
    let token = Form::of(call).get("token").map(str::to_owned).or_else(|| call.parameter("token"));
    match token {
        Some(token) if org.identity().revoke(&token) => Reply::empty(StatusCode::OK),
        Some(_) => Reply::value(&json!({"error": "invalid_token", "error_description": "invalid token"}))
            .status(StatusCode::BAD_REQUEST),
        None => Reply::value(
            &json!({"error": "unsupported_token_type", "error_description": "this token type is not supported"}),
        )
        .status(StatusCode::BAD_REQUEST),
    }
}

/// `POST /services/oauth2/introspect`
pub(super) fn introspect(org: &Org, call: &Call) -> Reply {
    let form = Form::of(call);
    let identity = org.identity();
    if let Err(Denied { error, description }) = identity.check_client(form.client_id(), form.client_secret()) {
        return Reply::value(&json!({"error": error, "error_description": description}))
            .status(StatusCode::UNAUTHORIZED);
    }
    let token = form.get("token").unwrap_or_default();
    let session = identity.session(token, org.now());
    if session.is_none() && !identity.is_live_grant(token) {
        return Reply::value(&json!({"active": false}));
    }
    let mut answer = json!({
        "active": true,
        "scope": SCOPE,
        "client_id": identity.credentials.client_id,
        "username": identity.credentials.username,
        "sub": format!("{}/id/{}/{}", call.host(), org.org_id(), org.user_id()),
        "token_type": if session.is_some() { "access_token" } else { "refresh_token" },
    });
    if let Some((opened, expires)) = session {
        answer["exp"] = expires.as_second().into();
        answer["iat"] = opened.as_second().into();
        answer["nbf"] = opened.as_second().into();
    }
    Reply::value(&answer)
}

/// `GET /services/oauth2/userinfo`
pub(super) fn user_info(org: &Org, call: &Call) -> Reply {
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
        "photos": photos(call),
        "profile": format!("{}/{}", call.host(), org.user_id()),
        "picture": format!("{}/profilephoto/005/F", call.host()),
        "address": {},
        "urls": urls(org, call),
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
pub(super) fn identity(org: &Org, call: &Call, org_id: &str, user: &str) -> Reply {
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
        "photos": photos(call),
        "addr_street": null,
        "addr_city": null,
        "addr_state": null,
        "addr_country": null,
        "addr_zip": null,
        "mobile_phone": null,
        "mobile_phone_verified": false,
        "is_lightning_login_user": false,
        "status": {"created_date": null, "body": null},
        "urls": urls(org, call),
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
    let known = bearer(header).is_some_and(|token| org.identity().authenticate(token, org.now()));
    (!known).then(|| Reply::text(StatusCode::FORBIDDEN, "Bad_OAuth_Token"))
}

fn photos(call: &Call) -> Json {
    let host = call.host();
    json!({"picture": format!("{host}/profilephoto/005/F"), "thumbnail": format!("{host}/profilephoto/005/T")})
}

/// URL templates; `{version}` is literal.
fn urls(org: &Org, call: &Call) -> Json {
    let (host, org_id) = (call.host(), org.org_id());
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

/// The form of a token request, and the client's credentials wherever they stand.
struct Form {
    pairs: Vec<(String, String)>,
    basic: Option<(String, String)>,
}

impl Form {
    fn of(call: &Call) -> Self {
        let header = call.head.headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok());
        let basic = header.and_then(|header| header.strip_prefix("Basic ")).and_then(|encoded| {
            let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
            decoded.split_once(':').map(|(id, secret)| (id.to_owned(), secret.to_owned()))
        });
        let mut pairs = Call::pairs(&call.body);
        pairs.extend(call.query());
        Self { pairs, basic }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn client_id(&self) -> Option<&str> {
        self.get("client_id").or(self.basic.as_ref().map(|(id, _)| id.as_str()))
    }

    fn client_secret(&self) -> Option<&str> {
        self.get("client_secret").or(self.basic.as_ref().map(|(_, secret)| secret.as_str()))
    }
}
