//! `POST /services/Soap/u/VV.V`: the partner API's `login()`, the way in without an app, and `logout()`. Of the rest of
//! SOAP nothing is here.

use http::{HeaderName, StatusCode};
use roxmltree::{Document, Node};

use crate::api::reply::Reply;
use crate::api::resource::VERSIONS;
use crate::api::{App, Call};
use crate::org::{Opened, Refusal};

/// The last version with `login()`; the vendor has taken it out of 65.0 and ends it everywhere in Summer '27.
const LAST_WITH_LOGIN: u32 = 64;

const ENVELOPE: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const PARTNER: &str = "urn:partner.soap.sforce.com";
const SOAP_ACTION: HeaderName = HeaderName::from_static("soapaction");

/// What the envelope asks for.
#[derive(Debug, PartialEq, Eq)]
enum Operation {
    Login {
        username: String,
        password: String,
    },
    /// Ends the session of the header.
    Logout {
        session: String,
    },
    Other(String),
}

/// Answers a request to the partner API.
pub(in crate::api) fn partner(app: &App, call: &Call, version: &str) -> Result<Reply, Refusal> {
    let major = version.strip_suffix(".0").and_then(|major| major.parse().ok()).unwrap_or(0);
    if !VERSIONS.contains(&major) {
        let text = format!("Invalid Api version specified on URL: {version}");
        return Ok(fault("UNSUPPORTED_API_VERSION", &text));
    }
    if call.header(&SOAP_ACTION).is_none() {
        return Ok(client_fault("SOAPAction HTTP header missing"));
    }
    let operation = std::str::from_utf8(&call.body).ok().and_then(Operation::read);
    match operation {
        None => Ok(client_fault("the request is no SOAP envelope")),
        Some(Operation::Other(name)) => Err(Refusal::not_imitated(format_args!("the SOAP operation {name}"))),
        Some(Operation::Login { .. }) if major > LAST_WITH_LOGIN => {
            Ok(client_fault(&format!("No operation available for request {{{PARTNER}}}login")))
        }
        Some(Operation::Login { username, password }) => {
            Ok(match app.org.soap_login(&username, &password, call.face()) {
                Ok(opened) => result(app, call, version, &opened)?,
                Err(denied) => {
                    let (code, message) = denied.soap();
                    detailed_fault("LoginFault", code, message)
                }
            })
        }
        Some(Operation::Logout { session }) => Ok(logout(app, &session)),
    }
}

impl Operation {
    fn read(envelope: &str) -> Option<Self> {
        let document = Document::parse(envelope).ok()?;
        let child = |node: Node<'_, '_>, namespace, name| {
            node.children().find(|child| child.has_tag_name((namespace, name))).map(|child| child.id())
        };
        let root = document.root_element();
        let body = root.has_tag_name((ENVELOPE, "Envelope")).then(|| child(root, ENVELOPE, "Body"))??;
        let asked = document.get_node(body)?.first_element_child()?;
        let text = |within: Option<Node<'_, '_>>, name| {
            let node = within.and_then(|node| child(node, PARTNER, name)).and_then(|id| document.get_node(id));
            node.and_then(|node| node.text()).unwrap_or_default().to_owned()
        };
        Some(match (asked.tag_name().namespace(), asked.tag_name().name()) {
            (Some(PARTNER), "login") => {
                Self::Login { username: text(Some(asked), "username"), password: text(Some(asked), "password") }
            }
            (Some(PARTNER), "logout") => {
                let header = child(root, ENVELOPE, "Header").and_then(|id| document.get_node(id));
                let header = header.and_then(|node| child(node, PARTNER, "SessionHeader"));
                Self::Logout { session: text(header.and_then(|id| document.get_node(id)), "sessionId") }
            }
            (_, name) => Self::Other(name.to_owned()),
        })
    }
}

/// The result of `login()`: members and order as recorded.
fn result(app: &App, call: &Call, version: &str, opened: &Opened) -> Result<Reply, Refusal> {
    let org = app.org.acting_as(opened.user);
    let person = org.person()?;
    let (host, org_id, user_id) = (app.my_domain(call), org.org_id(), org.user_id());
    let (username, email, name) = (escaped(&person.username), escaped(&person.email), escaped(&person.name()));
    let (language, locale, zone) = (escaped(&person.language), escaped(&person.locale), escaped(&person.time_zone));
    let url = |letter: char| escaped(&format!("{host}/services/Soap/{letter}/{version}/{}", org_id.short()));
    let (metadata, partner) = (url('m'), url('u'));
    let (sandbox, session) = (org.settings().sandbox, &opened.access_token);
    let profile = person.profile.map(|id| id.to_string()).unwrap_or_default();
    let seconds = org.settings().session_timeout.as_secs();
    let user_info = format!(
        "<accessibilityMode>false</accessibilityMode><chatterExternal>false</chatterExternal>\
         <currencySymbol>$</currencySymbol><orgAttachmentFileSizeLimit>26214400</orgAttachmentFileSizeLimit>\
         <orgDefaultCurrencyIsoCode>USD</orgDefaultCurrencyIsoCode>\
         <orgDefaultCurrencyLocale>en_US</orgDefaultCurrencyLocale>\
         <orgDisallowHtmlAttachments>false</orgDisallowHtmlAttachments>\
         <orgHasPersonAccounts>false</orgHasPersonAccounts><organizationId>{org_id}</organizationId>\
         <organizationMultiCurrency>false</organizationMultiCurrency>\
         <organizationName>Emulated Org</organizationName><profileId>{profile}</profileId><roleId xsi:nil=\"true\"/>\
         <sessionSecondsValid>{seconds}</sessionSecondsValid><userDefaultCurrencyIsoCode xsi:nil=\"true\"/>\
         <userEmail>{email}</userEmail><userFullName>{name}</userFullName><userId>{user_id}</userId>\
         <userLanguage>{language}</userLanguage><userLocale>{locale}</userLocale><userName>{username}</userName>\
         <userTimeZone>{zone}</userTimeZone><userType>Standard</userType><userUiSkin>Theme3</userUiSkin>"
    );
    Ok(Reply::xml(envelope(
        &format!("xmlns=\"{PARTNER}\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\""),
        &format!(
            "<loginResponse><result><metadataServerUrl>{metadata}</metadataServerUrl>\
             <passwordExpired>false</passwordExpired><sandbox>{sandbox}</sandbox><serverUrl>{partner}</serverUrl>\
             <sessionId>{session}</sessionId><userId>{user_id}</userId><userInfo>{user_info}</userInfo>\
             </result></loginResponse>"
        ),
    )))
}

/// Ends a session that lives.
fn logout(app: &App, session: &str) -> Reply {
    let (now, mut identity) = (app.org.now(), app.org.identity());
    if identity.session(session, now).is_none() {
        let message = "Invalid Session ID found in SessionHeader: Illegal Session";
        return detailed_fault("UnexpectedErrorFault", "INVALID_SESSION_ID", message);
    }
    identity.revoke(session);
    Reply::xml(envelope(&format!("xmlns=\"{PARTNER}\""), "<logoutResponse/>"))
}

/// An operation says no.
fn detailed_fault(kind: &str, code: &str, message: &str) -> Reply {
    let detail = format!(
        "<detail><sf:{kind} xsi:type=\"sf:{kind}\"><sf:exceptionCode>{code}</sf:exceptionCode>\
         <sf:exceptionMessage>{}</sf:exceptionMessage></sf:{kind}></detail>",
        escaped(message)
    );
    faulty(&format!("sf:{code}"), &format!("{code}: {message}"), &detail)
}

/// The API says no, before any operation is looked at.
fn fault(code: &str, message: &str) -> Reply {
    faulty(&format!("sf:{code}"), &format!("{code}: {message}"), "")
}

/// The request is wrong as SOAP.
fn client_fault(message: &str) -> Reply {
    faulty("soapenv:Client", message, "")
}

fn faulty(code: &str, text: &str, detail: &str) -> Reply {
    let fault = format!(
        "<soapenv:Fault><faultcode>{code}</faultcode><faultstring>{}</faultstring>{detail}</soapenv:Fault>",
        escaped(text)
    );
    let namespaces =
        "xmlns:sf=\"urn:fault.partner.soap.sforce.com\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"";
    Reply::xml(envelope(namespaces, &fault)).status(StatusCode::INTERNAL_SERVER_ERROR)
}

fn envelope(namespaces: &str, body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope xmlns:soapenv=\"{ENVELOPE}\" {namespaces}>\
         <soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn envelopes() {
        let login = |username: &str, password: &str| {
            Some(Operation::Login { username: username.to_owned(), password: password.to_owned() })
        };
        let wrapped =
            |body: &str| format!("<e:Envelope xmlns:e='{ENVELOPE}'><e:Header/><e:Body>{body}</e:Body></e:Envelope>");
        for (text, expected) in [
            (
                wrapped(&format!(
                    "<login xmlns='{PARTNER}'><username>a&amp;b</username><password>&lt;p</password></login>"
                )),
                login("a&b", "<p"),
            ),
            (wrapped(&format!("\n <p:login xmlns:p='{PARTNER}'><p:username>a</p:username></p:login>")), login("a", "")),
            (wrapped(&format!("<query xmlns='{PARTNER}'/>")), Some(Operation::Other("query".to_owned()))),
            (wrapped(&format!("<logout xmlns='{PARTNER}'/>")), Some(Operation::Logout { session: String::new() })),
            (
                wrapped(&format!("<logout xmlns='{PARTNER}'/>")).replace(
                    "<e:Header/>",
                    &format!("<e:Header><h:SessionHeader xmlns:h='{PARTNER}'><h:sessionId>00D!a</h:sessionId></h:SessionHeader></e:Header>"),
                ),
                Some(Operation::Logout { session: "00D!a".to_owned() }),
            ),
            (wrapped("<login/>"), Some(Operation::Other("login".to_owned()))),
            (wrapped(""), None),
            (format!("<login xmlns='{PARTNER}'/>"), None),
            ("{}".to_owned(), None),
        ] {
            assert_eq!(Operation::read(&text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in any::<String>()) {
            let _ = Operation::read(&text);
        }
    }
}
