//! `POST /services/Soap/u/VV.V`: the partner API's `login()`, the way in without an app, `logout()`, and `undelete()`, which
//! REST does not have. Of the rest of SOAP nothing is here.

use http::{HeaderName, StatusCode};
use roxmltree::{Document, Node};

use crate::api::composite::batch::spend;
use crate::api::records::rows;
use crate::api::reply::Reply;
use crate::api::resource::VERSIONS;
use crate::api::{App, Call};
use crate::org::{Id, Opened, Refusal, Unfit};

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
    /// Restores records from the recycle bin, for the session of the header.
    Undelete {
        session: String,
        ids: Vec<String>,
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
        Some(Operation::Undelete { session, ids }) => Ok(undelete(app, &session, &ids)),
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
        let session = || {
            let header = child(root, ENVELOPE, "Header").and_then(|id| document.get_node(id));
            let header = header.and_then(|node| child(node, PARTNER, "SessionHeader"));
            text(header.and_then(|id| document.get_node(id)), "sessionId")
        };
        Some(match (asked.tag_name().namespace(), asked.tag_name().name()) {
            (Some(PARTNER), "login") => {
                Self::Login { username: text(Some(asked), "username"), password: text(Some(asked), "password") }
            }
            (Some(PARTNER), "logout") => Self::Logout { session: session() },
            (Some(PARTNER), "undelete") => {
                let ids = asked.children().filter(|child| child.has_tag_name((PARTNER, "ids")));
                let ids = ids.map(|id| id.text().unwrap_or_default().trim().to_owned()).collect();
                Self::Undelete { session: session(), ids }
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
        return unexpected("INVALID_SESSION_ID", NO_SESSION);
    }
    identity.revoke(session);
    Reply::xml(envelope(&format!("xmlns=\"{PARTNER}\""), "<logoutResponse/>"))
}

const NO_SESSION: &str = "Invalid Session ID found in SessionHeader: Illegal Session";

/// Restores records, and charges the org's daily calls with it.
fn undelete(app: &App, session: &str, ids: &[String]) -> Reply {
    let org = match app.org.enter(session) {
        Ok(org) => org,
        Err(Unfit::Dead | Unfit::WithoutApi) => return unexpected("INVALID_SESSION_ID", NO_SESSION),
        Err(Unfit::ApiOffForUser) => return unexpected("API_CURRENTLY_DISABLED", "API is disabled for this User"),
        Err(Unfit::ApiOffForOrg) => {
            return unexpected("API_DISABLED_FOR_ORG", "API is not enabled for this Organization or Partner");
        }
    };
    match spend(app).and_then(|()| rows::undelete(&org, ids)) {
        Err(refusal) => unexpected(refusal.code, &refusal.message),
        Ok(results) => {
            let results: String = results.into_iter().map(|(id, done)| undeleted(id.as_ref(), done)).collect();
            let namespaces = format!("xmlns=\"{PARTNER}\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"");
            Reply::xml(envelope(&namespaces, &format!("<undeleteResponse>{results}</undeleteResponse>")))
        }
    }
}

/// What became of one record: members and order as seen.
fn undeleted(id: Option<&Id>, done: Result<(), Refusal>) -> String {
    let success = done.is_ok();
    let errors = done.err().map(|Refusal { code, message, fields, .. }| {
        let fields: String =
            fields.unwrap_or_default().iter().map(|field| format!("<fields>{}</fields>", escaped(field))).collect();
        let message = escaped(&message);
        format!("<errors>{fields}<message>{message}</message><statusCode>{code}</statusCode></errors>")
    });
    let id = id.map_or_else(|| "<id xsi:nil=\"true\"/>".to_owned(), |id| format!("<id>{id}</id>"));
    format!("<result>{}{id}<success>{success}</success></result>", errors.unwrap_or_default())
}

fn unexpected(code: &str, message: &str) -> Reply {
    detailed_fault("UnexpectedErrorFault", code, message)
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
            (
                wrapped(&format!("<u:undelete xmlns:u='{PARTNER}'><u:ids>001</u:ids> <u:ids> 003 </u:ids></u:undelete>")),
                Some(Operation::Undelete { session: String::new(), ids: vec!["001".to_owned(), "003".to_owned()] }),
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
