//! Each way to sign in: what is sent, what comes back, and what its refusals say.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, jwk::Jwk};
use salesforce_client::{Class, Credentials, Error, Org, PrivateKey, Settings};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::server::{
    CLIENT_SECRET, Reply, Seen, Server, TOKEN_PATH, account, error, html, json, page, reply, settings, token,
};

const USERNAME: &str = "o'reader&co@acme.example";
const PASSWORD: &str = r#"p<a>s&s'w"o]]>rd-canary"#;
const SECURITY_TOKEN: &str = "AbC123-canary";
const AUDIENCE: &str = "https://login.salesforce.com";
const SOAP_PATH: &str = "/services/Soap/u/64.0";

pub(crate) fn client_credentials() -> Credentials {
    Credentials::ClientCredentials { client_id: "3MVG9".to_owned(), client_secret: CLIENT_SECRET.into() }
}

pub(crate) fn jwt_bearer() -> Credentials {
    Credentials::JwtBearer {
        client_id: "3MVG9".to_owned(),
        username: USERNAME.to_owned(),
        key: PrivateKey::from_pem(include_str!("../fixtures/keys/rsa.pem")).expect("a key"),
        audience: AUDIENCE.to_owned(),
    }
}

pub(crate) fn password(security_token: Option<&str>) -> Credentials {
    Credentials::Password {
        client_id: "3MVG9".to_owned(),
        client_secret: CLIENT_SECRET.into(),
        username: USERNAME.to_owned(),
        password: PASSWORD.into(),
        security_token: security_token.map(SecretString::from),
    }
}

pub(crate) fn soap(security_token: Option<&str>) -> Credentials {
    Credentials::Soap {
        username: USERNAME.to_owned(),
        password: PASSWORD.into(),
        security_token: security_token.map(SecretString::from),
    }
}

fn org(server: &Server, credentials: Credentials) -> Org {
    Org::new(Settings { credentials, ..settings(server.url()) }).expect("an org")
}

/// What `login()` answers.
fn session(server_url: &str, password_expired: bool) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
        <soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:partner.soap.sforce.com"
            xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body><loginResponse><result>
        <metadataServerUrl>{server_url}/services/Soap/m/64.0/00D000000000001</metadataServerUrl>
        <passwordExpired>{password_expired}</passwordExpired><sandbox>false</sandbox>
        <serverUrl>{server_url}/services/Soap/u/64.0/00D000000000001</serverUrl>
        <sessionId>00D000000000001!AQ.&amp;session</sessionId><userId>005000000000001AAA</userId>
        <userInfo><organizationId>00D000000000001EAA</organizationId><organizationName>Tom &amp; Sons</organizationName>
        <roleId xsi:nil="true"/><sessionSecondsValid>7200</sessionSecondsValid><userId>005000000000001AAA</userId>
        <userName>reader@acme.example</userName></userInfo></result></loginResponse></soapenv:Body></soapenv:Envelope>"#
    )
}

fn soap_fault(code: &str, message: &str) -> Reply {
    let body = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"
            xmlns:sf="urn:fault.partner.soap.sforce.com" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>
        <soapenv:Fault><faultcode>sf:{code}</faultcode><faultstring>{code}: {message}</faultstring><detail>
        <sf:LoginFault xsi:type="sf:LoginFault"><sf:exceptionCode>{code}</sf:exceptionCode>
        <sf:exceptionMessage>{message}</sf:exceptionMessage></sf:LoginFault></detail></soapenv:Fault></soapenv:Body>
        </soapenv:Envelope>"#
    );
    reply(500, "text/xml; charset=utf-8", body)
}

/// A server that answers everything alike.
async fn saying(answer: impl Fn(&Seen) -> Reply + Clone + Send + Sync + 'static) -> Server {
    Server::start(move |seen| {
        let reply = answer(&seen);
        async { reply }
    })
    .await
}

async fn refused(credentials: Credentials, answer: impl Fn(&Seen) -> Reply + Clone + Send + Sync + 'static) -> Error {
    org(&saying(answer).await, credentials).token().await.expect_err("a refusal")
}

#[tokio::test]
async fn what_each_grant_puts_into_the_form() {
    let joined = format!("{PASSWORD}{SECURITY_TOKEN}");
    for (credentials, form) in [
        (
            client_credentials(),
            &[("grant_type", "client_credentials"), ("client_id", "3MVG9"), ("client_secret", CLIENT_SECRET)][..],
        ),
        (
            password(Some(SECURITY_TOKEN)),
            &[
                ("grant_type", "password"),
                ("client_id", "3MVG9"),
                ("client_secret", CLIENT_SECRET),
                ("username", USERNAME),
                ("password", &joined),
            ],
        ),
        (password(None), &[("grant_type", "password"), ("username", USERNAME), ("password", PASSWORD)]),
        (jwt_bearer(), &[("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")]),
    ] {
        let server = Server::granting(|_| json(404, &json!([]))).await;
        let granted = org(&server, credentials.clone()).token().await.expect("a token");
        assert_eq!(granted.access().expose_secret(), "T1");
        assert_eq!(granted.scopes(), ["refresh_token", "api"]);
        let [seen] = &server.seen(TOKEN_PATH)[..] else { panic!("one request") };
        assert_eq!(seen.header("content-type"), Some("application/x-www-form-urlencoded"));
        assert_eq!(seen.header("authorization"), None);
        for (member, expect) in form {
            assert_eq!(seen.form(member).as_deref(), Some(*expect), "{member} of {credentials:?}");
        }
    }
}

#[tokio::test]
async fn an_assertion_is_signed_with_the_key_and_in_time() {
    let server = Server::granting(|_| json(404, &json!([]))).await;
    org(&server, jwt_bearer()).token().await.expect("a token");
    let assertion = server.seen(TOKEN_PATH)[0].form("assertion").expect("an assertion");

    let public: Jwk = serde_json::from_str(include_str!("../fixtures/keys/rsa-public.jwk.json")).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&["3MVG9"]);
    validation.leeway = 0;
    let claims = jsonwebtoken::decode::<Value>(&assertion, &DecodingKey::from_jwk(&public).unwrap(), &validation);
    assert_eq!(claims.expect("signed and alive").claims["sub"], USERNAME);
}

/// JWT and client credentials answer with less than the web-server flow; a refresh token that comes along is no rotation.
#[tokio::test]
async fn replies_of_every_make() {
    let whole = token("https://acme.my.salesforce.com", "T1");
    for (credentials, without, scope, scopes) in [
        (jwt_bearer(), &["issued_at", "signature"][..], json!("api  web"), &["api", "web"][..]),
        (jwt_bearer(), &["issued_at", "signature", "token_type"], Value::Null, &[]),
        (client_credentials(), &["scope"], Value::Null, &[]),
        (client_credentials(), &[], json!("openid"), &["openid"]),
        (password(None), &["signature"], json!(""), &[]),
    ] {
        let mut body = whole.clone();
        let members = body.as_object_mut().unwrap();
        members.insert("scope".to_owned(), scope);
        members.insert("refresh_token".to_owned(), json!("5Aep861"));
        members.insert("sfdc_community_url".to_owned(), json!("https://acme.my.site.com"));
        members.retain(|member, _| !without.contains(&member.as_str()));
        let granted = org(&saying(move |_| json(200, &body)).await, credentials).token().await.expect("a token");
        assert_eq!(granted.scopes(), scopes);
        assert_eq!(granted.issued_at().is_none(), without.contains(&"issued_at"));
        assert!(granted.rotated().is_none());
    }
}

#[tokio::test]
async fn a_dead_token_is_asked_for_anew_with_the_same_credentials() {
    for credentials in [client_credentials(), jwt_bearer(), password(None)] {
        let server = Server::granting(|seen| match seen.bearer() {
            Some("T1") => error(401, "INVALID_SESSION_ID", "Session expired or invalid"),
            _ => json(200, &page(1)),
        })
        .await;
        org(&server, credentials).query(&account(), "SELECT Id FROM Account").await.expect("a page");
        assert_eq!(server.count(TOKEN_PATH), 2);
    }
}

#[tokio::test]
async fn soap_login_opens_a_session() {
    #[derive(Deserialize)]
    struct Envelope {
        #[serde(rename = "Body")]
        body: Body,
    }
    #[derive(Deserialize)]
    struct Body {
        login: Login,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct Login {
        username: String,
        password: String,
    }

    for (security_token, expect) in
        [(Some(SECURITY_TOKEN), format!("{PASSWORD}{SECURITY_TOKEN}")), (None, PASSWORD.to_owned())]
    {
        let server = saying(|seen| reply(200, "text/xml;charset=UTF-8", session(&seen.origin(), false))).await;
        let granted = org(&server, soap(security_token)).token().await.expect("a token");
        assert_eq!(granted.access().expose_secret(), "00D000000000001!AQ.&session");
        assert_eq!(granted.instance_url().as_str(), format!("{}/", server.url()));
        assert_eq!(granted.org_id().as_str(), "00D000000000001EAA");
        assert_eq!(granted.user_id().as_str(), "005000000000001AAA");
        assert!(granted.issued_at().is_none() && granted.scopes().is_empty());

        let [seen] = &server.seen(SOAP_PATH)[..] else { panic!("one request") };
        assert_eq!(seen.header("content-type"), Some("text/xml; charset=UTF-8"));
        assert_eq!(seen.header("soapaction"), Some("login"));
        let body = std::str::from_utf8(&seen.body).expect("text");
        let Envelope { body: Body { login } } = quick_xml::de::from_str(body).expect("an envelope");
        assert_eq!(login, Login { username: USERNAME.to_owned(), password: expect });
    }
}

#[tokio::test]
async fn soap_faults_say_their_cure_and_no_password_is_tried_twice() {
    for (code, message, cure) in [
        ("INVALID_LOGIN", "Invalid username, password, security token; or user locked out.", "security token"),
        ("LOGIN_MUST_USE_SECURITY_TOKEN", "Invalid username …", "Reset My Security Token"),
        ("PASSWORD_LOCKOUT", "This account is locked", "unlock"),
        ("API_DISABLED_FOR_ORG", "API is not enabled for this Organization or Partner", "API Enabled"),
        ("INVALID_OPERATION", "SOAP API login() is disabled by default in this org.", "Enable SOAP API login()"),
        ("SOMETHING_NEW", "who knows", ""),
    ] {
        let server = saying(move |_| soap_fault(code, message)).await;
        let error = org(&server, soap(None)).token().await.expect_err("a refusal");
        assert_eq!((error.class(), error.code(), server.count("/")), (Class::Fatal, Some(code), 1), "{error}");
        let shown = error.to_string();
        assert!(shown.contains(&format!(" failed: {code}: {message} [HTTP 500]")), "{shown}");
        assert!(shown.contains(cure) && !shown.contains("canary"), "{shown}");
    }
}

#[tokio::test]
async fn what_passes_is_waited_for_by_soap_login_too() {
    for n in 0..3 {
        let server = saying(move |seen| match (seen.nth, n) {
            (1, 0) => html(503, "<title>Maintenance</title>"),
            (1, 1) => soap_fault("SERVER_UNAVAILABLE", "busy"),
            (1, _) => reply(200, "text/xml", "<soapenv:Envelope"),
            _ => reply(200, "text/xml", session(&seen.origin(), false)),
        })
        .await;
        org(&server, soap(None)).token().await.unwrap_or_else(|error| panic!("{n}: {error}"));
        assert_eq!(server.count(SOAP_PATH), 2, "{n}");
    }
}

#[tokio::test]
async fn a_session_that_cannot_be_used_is_refused() {
    let foreign = refused(soap(None), |_| reply(200, "text/xml", session("https://evil.example", false))).await;
    assert!(matches!(foreign, Error::ForeignInstance { .. }), "{foreign}");
    for (body, expect) in [
        (session("https://acme.my.salesforce.com", true), "password has expired"),
        (session("https://acme.my.salesforce.com", false).replace("00D000000000001EAA", "canary"), "is no id"),
        (session("https://acme.my.salesforce.com", false).replace("!AQ.", "&#10;canary"), "cannot stand in a header"),
        ("<e:Envelope xmlns:e='x'><e:Body/></e:Envelope>".to_owned(), "no answer to login()"),
    ] {
        let error = refused(soap(None), move |_| reply(200, "text/xml", body.clone())).await;
        assert_eq!(error.class(), Class::Fatal, "{error}");
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(expect) && !shown.contains("canary"), "{shown}");
    }
}

/// A wrong secret and a wrong host, as each grant meets them; the whole table stands beside the code.
#[tokio::test]
async fn refusals_name_the_setting() {
    for (credentials, code, description, cure) in [
        (client_credentials(), "invalid_client", "invalid client credentials", "consumer secret"),
        (client_credentials(), "invalid_grant", "request not supported on this domain", "My Domain"),
        (client_credentials(), "invalid_grant", "no client credentials user enabled", "run-as user"),
        (jwt_bearer(), "invalid_grant", "invalid assertion", "certificate of this private key"),
        (jwt_bearer(), "invalid_grant", "audience is invalid", "names a login host"),
        (jwt_bearer(), "invalid_app_access", "user is not admin approved to access this app", "pre-authorise"),
        (password(None), "invalid_grant", "authentication failure", "Allow OAuth Username-Password Flows"),
        (password(None), "unsupported_grant_type", "grant type not supported", "external client apps"),
    ] {
        let body = json!({ "error": code, "error_description": description });
        let error = refused(credentials, move |_| json(400, &body)).await;
        assert_eq!((error.class(), error.code()), (Class::Fatal, Some(code)), "{error}");
        assert!(error.cure().is_some_and(|shown| shown.contains(cure)), "{error}");
        assert!(error.to_string().contains(cure), "{error}");
    }
}

/// The token of an app without the scope `api` is granted; the first call finds out.
#[tokio::test]
async fn a_missing_scope_and_a_missing_permission_say_their_cure() {
    for (status, code, message, cure) in [
        (401, "INVALID_SESSION_ID", "This session is not valid for use with the REST API", "(api)"),
        (403, "API_DISABLED_FOR_ORG", "The REST API is not enabled for this Organization.", "API Enabled"),
        (403, "API_CURRENTLY_DISABLED", "API is disabled for this User", "API Enabled"),
    ] {
        let server = Server::granting(move |_| error(status, code, message)).await;
        let failed = org(&server, client_credentials()).describe(&account()).await.expect_err("a refusal");
        let shown = failed.to_string();
        assert!(
            shown.starts_with(&format!("describing Account failed: {code}: {message} [HTTP {status}]; ")),
            "{shown}"
        );
        assert!(shown.contains(cure), "{shown}");
        assert_eq!((failed.class(), server.count(TOKEN_PATH)), (Class::Fatal, 1));
    }
}

#[tokio::test]
async fn the_configured_version_is_looked_for_in_the_list() {
    let list = |versions: &[&str]| {
        let entry =
            |version| json!({ "label": "Some '00", "url": format!("/services/data/v{version}"), "version": version });
        Value::from_iter(versions.iter().map(entry))
    };
    for (versions, asked, expect) in [
        (&["31.0", "62.0", "67.0"][..], "62.0", None),
        (
            &["31.0", "62.0", "67.0"],
            "68.0",
            Some("the org does not offer version 68.0 of the API: it offers 31.0 to 67.0"),
        ),
        (&["31.0", "67.0"], "30.0", Some("the org does not offer version 30.0 of the API: it offers 31.0 to 67.0")),
        (&[], "62.0", None),
    ] {
        let body = list(versions);
        let server = Server::granting(move |_| json(200, &body)).await;
        let settings = Settings { api_version: asked.parse().unwrap(), ..settings(server.url()) };
        let checked = Org::new(settings).unwrap().check_version().await;
        assert_eq!(checked.err().map(|error| error.to_string()).as_deref(), expect);
    }
}
