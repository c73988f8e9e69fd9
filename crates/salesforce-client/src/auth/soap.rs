//! SOAP `login()`: user name and password, and no app. Salesforce removes it with Summer '27; newer versions of the API
//! do without it already, new orgs have it switched off.

use http::{HeaderName, HeaderValue, header};
use quick_xml::escape::escape;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use super::{
    endpoint::{Endpoint, unexpected},
    token::Token,
};
use crate::{
    Error,
    failure::{Failure, Refusal},
    http::Reply,
};

/// The last version that has `login()`; what is called with the session may be newer.
const PATH: &str = "/services/Soap/u/64.0";

/// `login()`; the security token is part of the password.
pub(super) async fn exchange(endpoint: &Endpoint<'_>, username: &str, password: &SecretString) -> Result<Token, Error> {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=UTF-8")),
        (HeaderName::from_static("soapaction"), HeaderValue::from_static("login")),
    ];
    let body = envelope(username, password.expose_secret());
    let mut url = endpoint.login().url().clone();
    url.set_path(PATH);
    let outcome = endpoint.post(url, headers, body).await.and_then(|reply| read(&reply));
    let login = outcome.map_err(|failure| endpoint.failed(failure))?;
    let instance_url = endpoint.login().admit(&origin(&login.server_url))?;
    Token::of_session(login.session_id.into(), instance_url, &login.user_info.organization_id, &login.user_id)
        .map_err(|why| endpoint.failed(unexpected(why)))
}

fn envelope(username: &str, password: &str) -> String {
    let (username, password) = (escape(username), escape(password));
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/"><env:Body><login xmlns="urn:partner.soap.sforce.com"><username>{username}</username><password>{password}</password></login></env:Body></env:Envelope>"#
    )
}

/// The reply, of success or not; prefixes of namespaces vary and do not matter.
#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "Body")]
    body: Body,
}

#[derive(Deserialize)]
struct Body {
    #[serde(rename = "loginResponse")]
    login: Option<LoginResponse>,
}

#[derive(Deserialize)]
struct LoginResponse {
    result: LoginResult,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LoginResult {
    session_id: String,
    server_url: String,
    user_id: String,
    user_info: UserInfo,
    #[serde(default)]
    password_expired: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserInfo {
    organization_id: String,
}

fn read(reply: &Reply) -> Result<LoginResult, Failure> {
    if !reply.status.is_success() {
        return Err(Failure::Refused(Refusal::read(reply)));
    }
    // The library's own message may quote the text, which holds the session.
    let envelope: Envelope = quick_xml::de::from_str(reply.text()?)
        .map_err(|_| Failure::Garbled { status: reply.status, why: "it is no whole SOAP envelope".to_owned() })?;
    match envelope.body.login {
        Some(LoginResponse { result }) if result.password_expired => Err(unexpected(
            "the password has expired; set a new one in Salesforce, which changes the security token too",
        )),
        Some(LoginResponse { result }) => Ok(result),
        None => Err(unexpected("it is no answer to login()")),
    }
}

/// The URL of the instance in that of its SOAP service; what is no URL is left for admission to refuse.
fn origin(server_url: &str) -> String {
    let Ok(mut url) = Url::parse(server_url) else { return server_url.to_owned() };
    url.set_path("/");
    url.set_query(None);
    url.into()
}
