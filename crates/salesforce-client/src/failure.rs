//! How one request fails: it was never sent, its reply was lost or unreadable, or it was refused.

use std::{error::Error as StdError, fmt, time::Duration};

use http::StatusCode;
use serde_json::Value;

use crate::{advice::cure, http::Reply, soap};

/// What one request came to, when it came to nothing. The message of each says all there is to say.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// There was no connection, so the org never saw the request.
    #[error("could not connect to {host}: {}", chain(cause.as_ref()))]
    Unsent {
        /// Host and port that were called.
        host: String,
        /// What the connection failed with.
        cause: Cause,
    },
    /// The connection broke or fell silent after the request was sent: it may have been carried out.
    #[error("lost the connection to {host}: {}", chain(cause.as_ref()))]
    Lost {
        /// Host and port that were called.
        host: String,
        /// What the connection failed with.
        cause: Cause,
    },
    /// A reply of success is not whole: it was cut off, or is a page for people.
    #[error("the reply of HTTP {} is unreadable: {why}", status.as_u16())]
    Garbled {
        /// The status of the reply.
        status: StatusCode,
        /// What is wrong, and where; never the content.
        why: String,
    },
    /// A reply of success can be read, but is not what was asked for.
    #[error("the reply of HTTP {} is not what was expected: {why}", status.as_u16())]
    Unexpected {
        /// The status of the reply.
        status: StatusCode,
        /// What is wrong, and where; never the content.
        why: String,
    },
    /// The reply is longer than any that makes sense.
    #[error("the reply of {host} is longer than {limit} bytes")]
    TooLong {
        /// Host and port that were called.
        host: String,
        /// The most that is read.
        limit: usize,
    },
    /// The org, or something in front of it, refused.
    #[error("{0}")]
    Refused(Refusal),
}

/// The error of the layer below.
pub type Cause = Box<dyn StdError + Send + Sync>;

/// An error with all that caused it, on one line.
pub(crate) fn chain(error: &dyn StdError) -> String {
    let mut line = one_line(&error.to_string());
    let mut below = error.source();
    while let Some(cause) = below {
        line = format!("{line}: {}", one_line(&cause.to_string()));
        below = cause.source();
    }
    line
}

impl Failure {
    /// A reply of success that is not what was asked for.
    pub(crate) fn unexpected(reply: &Reply, why: &str) -> Failure {
        Failure::Unexpected { status: reply.status, why: why.to_owned() }
    }

    /// The refusal, if it is one.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        if let Failure::Refused(refusal) = self { Some(refusal) } else { None }
    }
}

/// A reply that says no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: StatusCode,
    /// What Salesforce has to say, in its order; empty if the answer did not come from Salesforce itself.
    pub faults: Vec<Fault>,
    /// The title of the HTML page that came instead of JSON, as the edge and maintenance pages do.
    pub page: Option<String>,
    /// Salesforce's id of the request, for its support.
    pub request_id: Option<String>,
    /// How long the reply asks to wait.
    pub retry_after: Option<Duration>,
}

/// One entry of an error body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Salesforce's code, such as `INVALID_FIELD`; in replies of the token endpoint the OAuth error. A reply that lists
    /// the records of one external id has none, and counts as `DUPLICATE_EXTERNAL_ID`.
    pub code: String,
    /// Salesforce's message, on one line.
    pub message: String,
    /// The fields concerned, where it names any.
    pub fields: Vec<String>,
}

impl Fault {
    /// What to do about it, in Salesforce's own terms, where that is known.
    #[must_use]
    pub fn cure(&self) -> Option<&'static str> {
        cure(self)
    }

    /// A fault from a body that is no JSON.
    pub(crate) fn new(code: &str, message: &str) -> Fault {
        Fault { code: one_line(code), message: one_line(message), fields: Vec::new() }
    }

    /// An entry of an error body, or of what is told of one row; `None` if it has no code.
    pub(crate) fn read(entry: &Value) -> Option<Fault> {
        let text = |names: &[&str]| names.iter().find_map(|name| entry.get(name)?.as_str()).map(one_line);
        let fields = entry.get("fields").and_then(Value::as_array);
        Some(Fault {
            code: text(&["errorCode", "statusCode", "error"])?,
            message: text(&["message", "error_description"]).unwrap_or_default(),
            fields: fields.into_iter().flatten().filter_map(Value::as_str).map(one_line).collect(),
        })
    }

    /// The answer to an external id that several records have: a list of their paths, and no code. Where such a row
    /// is written in another way, Salesforce uses this one.
    fn several(paths: &[Value]) -> Fault {
        const SHOWN: usize = 5;
        let ids = paths.iter().filter_map(|path| path.as_str()?.rsplit('/').next());
        let shown = ids.take(SHOWN).collect::<Vec<_>>().join(", ");
        let more = if paths.len() > SHOWN { ", …" } else { "" };
        let message = format!("{} records have this external id: {shown}{more}", paths.len());
        Fault::new("DUPLICATE_EXTERNAL_ID", &message)
    }
}

impl Refusal {
    /// Reads a reply that is no success.
    pub(crate) fn read(reply: &Reply) -> Refusal {
        Refusal {
            status: reply.status,
            faults: if reply.is_html() { Vec::new() } else { faults(reply.status, &reply.body) },
            page: reply.is_html().then(|| title(&reply.body)),
            request_id: reply.request_id().map(str::to_owned),
            retry_after: reply.retry_after(),
        }
    }

    /// The first code, if Salesforce gave any.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.faults.first().map(|fault| fault.code.as_str())
    }
}

/// `INVALID_FIELD: No such column 'foo' (fields: foo) [HTTP 400, request 1234]`
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_faults(f, &self.faults)?;
        if self.faults.is_empty() {
            match self.page.as_deref() {
                Some("") => f.write_str("an HTML page came instead of an answer")?,
                Some(title) => write!(f, "an HTML page came instead of an answer: \"{title}\"")?,
                None => f.write_str("no reason was given")?,
            }
        }
        write!(f, " [HTTP {}", self.status.as_u16())?;
        if let Some(id) = &self.request_id {
            write!(f, ", request {id}")?;
        }
        f.write_str("]")
    }
}

/// Several faults on one line.
pub(crate) fn write_faults(f: &mut fmt::Formatter<'_>, faults: &[Fault]) -> fmt::Result {
    for (index, fault) in faults.iter().enumerate() {
        let separator = if index > 0 { "; " } else { "" };
        write!(f, "{separator}{fault}")?;
    }
    Ok(())
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.code)?;
        if !self.message.is_empty() && self.message != self.code {
            write!(f, ": {}", self.message)?;
        }
        if !self.fields.is_empty() {
            write!(f, " (fields: {})", self.fields.join(", "))?;
        }
        Ok(())
    }
}

/// The faults in an error body: REST answers with an array, the token endpoint with an object, some edges with a
/// bare word such as `Bad_OAuth_Token`.
fn faults(status: StatusCode, body: &[u8]) -> Vec<Fault> {
    match serde_json::from_slice(body) {
        Ok(Value::Array(entries)) if status == StatusCode::MULTIPLE_CHOICES => vec![Fault::several(&entries)],
        Ok(Value::Array(entries)) => entries.iter().filter_map(Fault::read).collect(),
        Ok(entry) => Fault::read(&entry).into_iter().collect(),
        Err(_) => bare_word(body).or_else(|| soap::fault(body)).into_iter().collect(),
    }
}

fn bare_word(body: &[u8]) -> Option<Fault> {
    let word = std::str::from_utf8(body).ok()?.trim();
    let is_code = (1..=64).contains(&word.len())
        && word.contains('_')
        && word.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    is_code.then(|| Fault { code: word.to_owned(), message: String::new(), fields: Vec::new() })
}

/// The longest text taken over from a reply, in characters.
const LONGEST_TEXT: usize = 1_000;

/// Text from a reply on one line: SOQL errors embed a snippet with newlines and a caret.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if let Some((cut, _)) = line.char_indices().nth(LONGEST_TEXT) {
        line.truncate(cut);
        line.push('…');
    }
    line
}

/// The title of an HTML page, empty if it has none.
fn title(body: &[u8]) -> String {
    let page = String::from_utf8_lossy(&body[..body.len().min(64 * 1024)]);
    let lower = page.to_ascii_lowercase();
    let text = lower.find("<title").and_then(|tag| {
        let start = tag + lower[tag..].find('>')? + 1;
        let end = start + lower[start..].find("</title")?;
        Some(one_line(&page[start..end]))
    });
    text.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn refusal(status: u16, kind: &'static str, body: &str) -> Refusal {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", kind.parse().unwrap());
        headers.insert("x-request-id", "abc".parse().unwrap());
        let status = StatusCode::from_u16(status).unwrap();
        Refusal::read(&Reply { status, headers, body: body.to_owned().into() })
    }

    fn json(status: u16, body: &str) -> Refusal {
        refusal(status, "application/json;charset=UTF-8", body)
    }

    /// Real error bodies: what their refusals say.
    #[test]
    fn real_bodies() {
        let recorded: Vec<Value> =
            serde_json::from_str(include_str!("../tests/fixtures/errors/record-count-errors.json")).unwrap();
        let composite: Value = serde_json::from_str(recorded[0]["response"]["body"].as_str().unwrap()).unwrap();
        let caret = composite["compositeResponse"][1]["body"].to_string();
        let records: Vec<Value> =
            serde_json::from_str(include_str!("../tests/fixtures/errors/get-record-404.json")).unwrap();
        let absent = records[0]["response"]["body"].to_string();
        for (status, body, expect) in [
            (
                404,
                include_str!("../tests/fixtures/errors/describe-404.json"),
                "NOT_FOUND: The requested resource does not exist [HTTP 404, request abc]",
            ),
            (404, &absent, "NOT_FOUND: The requested resource does not exist [HTTP 404, request abc]"),
            (
                400,
                include_str!("../tests/fixtures/errors/malformed-id.json"),
                "MALFORMED_ID: Account ID: id value of incorrect type: 001900K0001pPuOAAU (fields: Id) [HTTP 400, request abc]",
            ),
            (
                401,
                include_str!("../tests/fixtures/errors/session-expired-401.json"),
                "INVALID_SESSION_ID: Session expired or invalid [HTTP 401, request abc]",
            ),
            (
                300,
                include_str!("../tests/fixtures/errors/upsert-300-multiple.json"),
                "DUPLICATE_EXTERNAL_ID: 2 records have this external id: foo, bar [HTTP 300, request abc]",
            ),
            (
                400,
                include_str!("../tests/fixtures/errors/write-invalid-field.json"),
                "INVALID_FIELD: No such column 'foo' on sobject of type Bar [HTTP 400, request abc]",
            ),
            (
                400,
                &caret,
                "INVALID_TYPE: select count() from XYZZY ^ ERROR at Row:1:Column:21 sObject type 'XYZZY' is not supported. If you \
                 are attempting to use a custom object, be sure to append the '__c' after the entity name. Please reference your \
                 WSDL or the describe call for the appropriate names. [HTTP 400, request abc]",
            ),
        ] {
            assert_eq!(json(status, body).to_string(), expect);
        }
    }

    #[test]
    fn bodies_of_every_make() {
        for (body, expect) in [
            (r#"{"error":"invalid_grant","error_description":"ip restricted"}"#, "invalid_grant: ip restricted"),
            (r#"{"error":"invalid_grant"}"#, "invalid_grant"),
            (r#"[{"errorCode":"A","message":"x","fields":["F","G"]},{"errorCode":"B"}]"#, "A: x (fields: F, G); B"),
            (
                r#"[{"statusCode":"DUPLICATES_DETECTED","message":"Use one of these records?","fields":null}]"#,
                "DUPLICATES_DETECTED: Use one of these records?",
            ),
            ("Bad_OAuth_Token", "Bad_OAuth_Token"),
            ("Bearer 00D!canary", "no reason was given"),
            ("", "no reason was given"),
            ("[]", "no reason was given"),
            (r#"{"unknown":1}"#, "no reason was given"),
        ] {
            assert_eq!(json(400, body).to_string(), format!("{expect} [HTTP 400, request abc]"));
        }
    }

    #[test]
    fn pages_for_people() {
        for (page, expect) in [
            ("<HTML><HEAD><TITLE lang='en'>\n Down for\tMaintenance </TITLE>", ": \"Down for Maintenance\""),
            ("<html><body>Error 502</body></html>", ""),
            ("<title>never closed", ""),
            ("<title", ""),
        ] {
            let refusal = refusal(503, "text/html", page);
            let shown = format!("an HTML page came instead of an answer{expect} [HTTP 503, request abc]");
            assert_eq!(refusal.to_string(), shown);
            assert_eq!(refusal.code(), None);
        }
    }

    #[test]
    fn messages_are_short_and_on_one_line() {
        let long = "é\r\n\u{0}".repeat(LONGEST_TEXT);
        let line = one_line(&long);
        assert_eq!(line.chars().count(), LONGEST_TEXT + 1);
        assert!(line.starts_with("é é é") && line.ends_with('…'));
    }

    #[test]
    fn a_failure_tells_all_that_caused_it() {
        #[derive(Debug, thiserror::Error)]
        #[error("tcp connect error")]
        struct Outer(#[source] std::io::Error);

        let cause = Outer(std::io::Error::other("connection\nrefused")).into();
        let failure = Failure::Unsent { host: "acme.my.salesforce.com".to_owned(), cause };
        let expect = "could not connect to acme.my.salesforce.com: tcp connect error: connection refused";
        assert_eq!(failure.to_string(), expect);
    }
}
