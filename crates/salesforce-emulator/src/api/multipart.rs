//! `multipart/form-data` in memory, as far as single records and orders of Bulk need it.

/// A part: its name, whether it is a file, its content type, and what is in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part<'a> {
    pub(super) name: &'a str,
    pub(super) is_file: bool,
    pub(super) kind: &'a str,
    pub(super) content: &'a [u8],
}

/// What stands between the parts, if the content type says that there are parts.
pub(super) fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().to_ascii_lowercase().starts_with("multipart/") {
        return None;
    }
    parameter(parameters, "boundary")
}

/// The parts of a body; `None` if it is not in that form.
pub(super) fn parts<'a>(body: &'a [u8], boundary: &str) -> Option<Vec<Part<'a>>> {
    let mark = format!("--{boundary}");
    let mut rest = &body[find(body, mark.as_bytes())? + mark.len()..];
    let mut parts = Vec::new();
    while !rest.starts_with(b"--") {
        rest = line_end(rest)?;
        let end = find(rest, mark.as_bytes())?;
        parts.push(part(&rest[..end])?);
        rest = &rest[end + mark.len()..];
    }
    Some(parts)
}

fn part(part: &[u8]) -> Option<Part<'_>> {
    let (mut name, mut is_file, mut kind) = (None, false, "");
    let mut rest = part;
    loop {
        let end = find(rest, b"\n")?;
        let line = std::str::from_utf8(&rest[..end]).ok()?.trim();
        rest = &rest[end + 1..];
        if line.is_empty() {
            break;
        }
        let (header, value) = line.split_once(':').unwrap_or_default();
        if header.eq_ignore_ascii_case("content-disposition") {
            (name, is_file) = (parameter(value, "name"), parameter(value, "filename").is_some());
        } else if header.eq_ignore_ascii_case("content-type") {
            kind = value.split(';').next().unwrap_or_default().trim();
        }
    }
    // The line's end before the next mark belongs to the mark.
    let content = rest.strip_suffix(b"\n").map_or(rest, |rest| rest.strip_suffix(b"\r").unwrap_or(rest));
    Some(Part { name: name?, is_file, kind, content })
}

/// `name="job"` among the parameters of a header.
fn parameter<'a>(parameters: &'a str, wanted: &str) -> Option<&'a str> {
    let mut pairs = parameters.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted))?;
    Some(value.trim().trim_matches('"')).filter(|value| !value.is_empty())
}

fn line_end(text: &[u8]) -> Option<&[u8]> {
    let end = find(text, b"\n")?;
    text[..end].iter().all(|byte| byte.is_ascii_whitespace()).then(|| &text[end + 1..])
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn as_in_the_guide() {
        let body = "--BOUNDARY\nContent-Type: application/json\nContent-Disposition: form-data; name=\"job\"\n\n{\"a\":1}\n\n--BOUNDARY\n\
                    Content-Type: text/csv\nContent-Disposition: form-data; name=\"content\"; filename=\"content\"\n\nName\na\n--BOUNDARY--\n";
        for body in [body.to_owned(), body.replace('\n', "\r\n")] {
            let content_type = "multipart/form-data; boundary=BOUNDARY";
            let found = parts(body.as_bytes(), boundary(content_type).unwrap()).unwrap();
            let found: Vec<_> =
                found.iter().map(|part| (part.name, std::str::from_utf8(part.content).unwrap().trim())).collect();
            assert_eq!(found[0], ("job", "{\"a\":1}"));
            assert_eq!((found[1].0, found[1].1.replace('\r', "").as_str()), ("content", "Name\na"));
        }
    }

    #[test]
    fn boundaries() {
        assert_eq!(boundary("multipart/form-data; charset=utf-8; boundary=\"a b\""), Some("a b"));
        for text in [
            "application/json",
            "application/json; boundary=x",
            "multipart/form-data",
            "multipart/form-data; boundary=",
        ] {
            assert_eq!(boundary(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(body in "(--b|--|\r?\n|name=\"x\";|content-disposition:|[a-z:;= ]){0,20}") {
            let _ = parts(body.as_bytes(), "b");
        }

        #[test]
        fn what_goes_in_comes_out(content in "[a-z,\"\n]{0,40}") {
            let body = format!("--b\r\nContent-Disposition: form-data; name=\"content\"\r\n\r\n{content}\r\n--b--");
            prop_assert_eq!(parts(body.as_bytes(), "b").unwrap(), [Part { name: "content", is_file: false, kind: "", content: content.as_bytes() }]);
        }
    }
}
