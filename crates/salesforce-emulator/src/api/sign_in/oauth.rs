//! `/services/oauth2/…`: every grant, and what can be done with the tokens.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use http::header::{AUTHORIZATION, CACHE_CONTROL};
use serde_json::{Map, json};

use crate::api::reply::Reply;
use crate::api::{App, Call};
use crate::org::{Assertion, Denied, Face, Opened, Org};

/// `POST /services/oauth2/token`
pub(in crate::api) async fn token(app: &App, call: &Call) -> Reply {
    let form = Form::of(call);
    let granted = match Grant::of(&form) {
        Ok(grant) => give(app, call, &form, &grant).await.map(|opened| reply(app, call, &grant, &opened)),
        Err(denied) => Err(denied),
    };
    granted.unwrap_or_else(|denied| refusal(denied).status(StatusCode::BAD_REQUEST))
}

/// What is presented for a session.
enum Grant<'a> {
    RefreshToken { token: &'a str },
    Password { username: &'a str, password: &'a str },
    ClientCredentials,
    Jwt { assertion: &'a str },
    Code { code: &'a str, redirect_uri: &'a str, verifier: Option<&'a str> },
}

impl<'a> Grant<'a> {
    fn of(form: &'a Form) -> Result<Self, Denied> {
        let required = |name, missing| form.get(name).ok_or(Denied::Missing(missing));
        Ok(match form.get("grant_type") {
            Some("refresh_token") => {
                Self::RefreshToken { token: required("refresh_token", "must supply refresh_token")? }
            }
            Some("password") => Self::Password {
                username: required("username", "must supply username")?,
                password: required("password", "must supply password")?,
            },
            Some("client_credentials") => Self::ClientCredentials,
            Some("urn:ietf:params:oauth:grant-type:jwt-bearer") => {
                Self::Jwt { assertion: required("assertion", "must supply assertion")? }
            }
            Some("authorization_code") => Self::Code {
                code: required("code", "must supply code")?,
                redirect_uri: required("redirect_uri", "must supply redirect_uri")?,
                verifier: form.get("code_verifier"),
            },
            _ => return Err(Denied::UnknownGrant),
        })
    }
}

async fn give(app: &App, call: &Call, form: &Form, grant: &Grant<'_>) -> Result<Opened, Denied> {
    let (org, face) = (&app.org, call.face());
    // An assertion names its app itself, and proves it by its signature.
    if !matches!(grant, Grant::Jwt { .. }) {
        let may_omit_secret = matches!(grant, Grant::RefreshToken { .. } | Grant::Code { .. });
        let optional = may_omit_secret && !org.identity().policies().app.require_secret;
        org.identity().check_client(form.client_id(), form.client_secret(), optional)?;
    }
    let _turn = match *grant {
        Grant::RefreshToken { token } => Some(Turn::begin(org, token, face)?),
        _ => None,
    };
    tokio::time::sleep(org.settings().token_latency).await;
    let now = org.now();
    match *grant {
        Grant::RefreshToken { token } => org.identity().finish_refresh(token, now),
        Grant::Password { username, password } => org.identity().password_grant(username, password, face, now),
        Grant::ClientCredentials => org.identity().run_as(face, now),
        Grant::Jwt { assertion } => {
            let audiences = [org.audience().to_owned(), app.my_domain(call), app.login_host(call)];
            org.identity().bearer(&Assertion::parse(assertion)?, &audiences, face, now)
        }
        Grant::Code { code, redirect_uri, verifier } => org.identity().redeem(code, redirect_uri, verifier, face, now),
    }
}

/// A refresh that was begun. The token is free again in the end, though the client hang up before.
struct Turn<'a> {
    org: &'a Org,
    token: &'a str,
}

impl<'a> Turn<'a> {
    fn begin(org: &'a Org, token: &'a str, face: Face) -> Result<Self, Denied> {
        org.identity().begin_refresh(token, face, org.now())?;
        Ok(Self { org, token })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.org.identity().abandon_refresh(self.token);
    }
}

fn reply(app: &App, call: &Call, grant: &Grant<'_>, opened: &Opened) -> Reply {
    let org = &app.org;
    let id = format!("{}/id/{}/{}", call.host(), org.org_id(), opened.user);
    // Nobody signs for an app that has shown no secret.
    let signed = !matches!(grant, Grant::Jwt { .. });
    let issued_at = org.now().as_millisecond().to_string();
    let mut reply = Map::new();
    let mut put = |key: &str, value: &str| reply.insert(key.to_owned(), value.into());
    put("access_token", &opened.access_token);
    if let Some(refresh_token) = &opened.refresh_token {
        put("refresh_token", refresh_token);
    }
    if signed {
        put("signature", &org.identity().credentials.sign(&format!("{id}{issued_at}")));
    }
    put("scope", &opened.scope);
    put("instance_url", &app.my_domain(call));
    put("id", &id);
    put("token_type", "Bearer");
    if signed {
        put("issued_at", &issued_at);
    }
    Reply::value(&reply.into()).header(CACHE_CONTROL, "no-store")
}

/// The body of every refusal here.
fn refusal(denied: Denied) -> Reply {
    let (error, description) = denied.oauth();
    Reply::value(&json!({"error": error, "error_description": description})).header(CACHE_CONTROL, "no-store")
}

/// `POST /services/oauth2/revoke`
pub(in crate::api) fn revoke(org: &Org, call: &Call) -> Reply {
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
pub(in crate::api) fn introspect(org: &Org, call: &Call) -> Reply {
    let form = Form::of(call);
    let identity = org.identity();
    if let Err(denied) = identity.check_client(form.client_id(), form.client_secret(), false) {
        return refusal(denied).status(StatusCode::UNAUTHORIZED);
    }
    let token = form.get("token").unwrap_or_default();
    let session = identity.session(token, org.now());
    let Some(user) = session.map(|session| session.user).or_else(|| identity.live_grant(token)) else {
        return Reply::value(&json!({"active": false}));
    };
    let scope = match session {
        Some(session) => session.scope.clone().unwrap_or_else(|| "full".to_owned()),
        None => identity.scope(),
    };
    let mut answer = json!({
        "active": true,
        "scope": scope,
        "client_id": identity.credentials.client_id,
        "username": identity.username(user),
        "sub": format!("{}/id/{}/{}", call.host(), org.org_id(), user),
        "token_type": if session.is_some() { "access_token" } else { "refresh_token" },
    });
    if let Some(session) = session {
        answer["exp"] = session.expires.as_second().into();
        answer["iat"] = session.opened.as_second().into();
        answer["nbf"] = session.opened.as_second().into();
    }
    Reply::value(&answer)
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
