//! `GET /services/oauth2/authorize`: the browser's part of the web-server flow. Somebody is signed in and
//! answers at once, as the policies say.

use http::StatusCode;
use http::header::LOCATION;
use url::Url;

use crate::api::Call;
use crate::api::reply::Reply;
use crate::org::{Code, Denied, Org};

/// Sends the browser back to the app, with a code or with an error. Where to send it must be known first: a wrong app
/// or callback is answered with a page.
pub(in crate::api) fn authorize(org: &Org, call: &Call) -> Reply {
    let parameter = |name| call.parameter(name);
    if org.identity().check_client_id(parameter("client_id").as_deref()).is_err() {
        return stay(Denied::UnknownClient);
    }
    let Some(redirect_uri) = parameter("redirect_uri") else {
        return stay(Denied::Missing("must supply redirect_uri"));
    };
    let Ok(mut back) = Url::parse(&redirect_uri) else {
        return stay(Denied::WrongRedirect);
    };
    let asked = Code {
        redirect_uri,
        challenge: parameter("code_challenge"),
        scope: parameter("scope").unwrap_or_default(),
        issued: org.now(),
    };
    let answer = match parameter("response_type").as_deref() {
        Some("code") => org.identity().authorize(asked, parameter("login_hint").as_deref(), call.face()),
        _ => Err(Denied::UnknownResponseType),
    };
    match answer {
        Ok(code) => {
            back.query_pairs_mut().append_pair("code", &code);
        }
        Err(denied @ Denied::WrongRedirect) => return stay(denied),
        Err(denied) => {
            let (error, description) = denied.oauth();
            back.query_pairs_mut().append_pair("error", error).append_pair("error_description", description);
        }
    }
    if let Some(state) = parameter("state") {
        back.query_pairs_mut().append_pair("state", &state);
    }
    Reply::empty(StatusCode::FOUND).header(LOCATION, back.as_str())
}

/// The page on which a person reads what the app did wrong.
fn stay(denied: Denied) -> Reply {
    let (error, description) = denied.oauth();
    Reply::page(StatusCode::BAD_REQUEST, &format!("error={error}&error_description={description}"))
}
