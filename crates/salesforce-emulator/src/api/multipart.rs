//! Records with a file: `multipart/form-data` of the record as JSON and the content of one binary field as it is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value as Json};

use super::{Call, json};
use crate::org::Refusal;

/// The record in the body of a request, with the file's content as if it had come in the JSON.
pub(super) fn record(call: &Call) -> Result<Map<String, Json>, Refusal> {
    let invalid = |message: String| Refusal::bad("INVALID_MULTIPART_REQUEST", message);
    let Some(kind) = multipart(call) else { return json(&call.body) };
    let parts = parameter(kind, "boundary").and_then(|boundary| parts(&call.body, boundary));
    let parts = parts.ok_or_else(|| invalid("The multipart message cannot be read".to_owned()))?;
    let (files, others): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| part.is_file);
    let (&[Part { kind, content, .. }], [] | [_]) = (&others[..], &files[..]) else {
        let many = |what| format!("Cannot include more than one {what} part");
        return Err(invalid(match others.len() {
            0 => "Multipart message must include a non-binary part".to_owned(),
            1 => many("binary"),
            _ => many("non-binary"),
        }));
    };
    match kind.split(';').next().unwrap_or_default().trim() {
        "application/json" => {}
        "application/xml" => return Err(Refusal::not_imitated("XML")),
        kind => return Err(invalid(format!("Non-binary part must be JSON or XML, was: '{kind}'"))),
    }
    let mut record: Map<String, Json> = json(content)?;
    record.extend(files.iter().map(|file| (file.name.to_owned(), BASE64.encode(file.content).into())));
    Ok(record)
}

/// The content type of a request whose body has parts.
pub(super) fn multipart(call: &Call) -> Option<&str> {
    call.header(&CONTENT_TYPE).filter(|kind| kind.starts_with("multipart/"))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part<'a> {
    /// Of a file, the field whose content it is.
    name: &'a str,
    is_file: bool,
    kind: &'a str,
    content: &'a [u8],
}

/// The parts of a body (RFC 2046, 5.1); `None` if it is not whole.
fn parts<'a>(body: &'a [u8], boundary: &str) -> Option<Vec<Part<'a>>> {
    let delimiter = format!("\r\n--{boundary}");
    // The first one needs no line break before it.
    let mut rest = split(body, &delimiter[2..])?.1;
    let mut parts = Vec::new();
    while !rest.starts_with(b"--") {
        let (part, following) = split(rest, &delimiter)?;
        let (head, content) = split(part, "\r\n\r\n")?;
        parts.push(Part::new(std::str::from_utf8(head).ok()?, content));
        rest = following;
    }
    Some(parts)
}

impl<'a> Part<'a> {
    fn new(head: &'a str, content: &'a [u8]) -> Self {
        let header = |name: &str| {
            let mut headers = head.lines().filter_map(|line| line.split_once(':'));
            headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value.trim())
        };
        let disposition = header("Content-Disposition");
        Self {
            name: parameter(disposition, "name").unwrap_or_default(),
            is_file: parameter(disposition, "filename").is_some(),
            kind: header("Content-Type"),
            content,
        }
    }
}

/// `value; name=…; name="…"`
fn parameter<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = header.split(';').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| key.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().trim_matches('"'))
}

fn split<'a>(text: &'a [u8], at: &str) -> Option<(&'a [u8], &'a [u8])> {
    let start = text.windows(at.len()).position(|window| window == at.as_bytes())?;
    Some((&text[..start], &text[start + at.len()..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bodies() {
        let part = |head: &str, content: &str| format!("--b\r\n{head}\r\n\r\n{content}\r\n");
        let record =
            part("content-disposition: form-data; name=\"Attachment\"\r\nContent-Type: application/json", "{}");
        let file =
            part("Content-Type: text/plain\r\nContent-Disposition: form-data; name=Body; filename=\"\"", "\r\n--");
        let written = |body: &str| {
            let parts = parts(body.as_bytes(), "b")?;
            let shown = parts.iter().map(|part| {
                let content = String::from_utf8_lossy(part.content);
                format!("{} {} {} {content:?}", part.name, part.is_file, part.kind)
            });
            Some(shown.collect::<Vec<_>>().join(", "))
        };
        let table = [
            (
                format!("{record}{file}--b--"),
                Some("Attachment false application/json \"{}\", Body true text/plain \"\\r\\n--\""),
            ),
            (
                format!("to whom it may concern\r\n{record}--b--\r\nbye"),
                Some("Attachment false application/json \"{}\""),
            ),
            ("--b\r\n\r\n--b--".to_owned(), None),
            (part("X: y", "") + "--b--", Some(" false  \"\"")),
            (format!("{record}{file}"), None),
            ("--b--".to_owned(), Some("")),
            (String::new(), None),
        ];
        for (body, expected) in table {
            assert_eq!(written(&body).as_deref(), expected, "{body}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(body in "(--b|\r\n|--|:|;|=|\"|name|filename|[a-z]){0,30}", boundary in "b?") {
            let _ = parts(body.as_bytes(), &boundary);
        }
    }
}
