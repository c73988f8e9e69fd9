//! What others call a record: the value of its external id field.

use std::fmt::{self, Write as _};

use crate::Error;

/// The value of an external id field, as text whatever the field's type; never empty. An upsert by nothing would create
/// a record each time it is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExternalId<'a>(&'a str);

impl<'a> ExternalId<'a> {
    /// An external id.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an empty text.
    pub fn new(value: &'a str) -> Result<ExternalId<'a>, Error> {
        if value.is_empty() {
            return Err(Error::invalid_unseen("external id", "it is empty"));
        }
        Ok(ExternalId(value))
    }

    /// The value as text.
    #[must_use]
    pub fn as_str(&self) -> &'a str {
        self.0
    }

    /// The value as one segment of a path. All but letters, digits, `-`, `_` and `~` is encoded, dots too.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `.` and `..`, which lead to another place even when they are encoded.
    pub(super) fn segment(self) -> Result<String, Error> {
        if matches!(self.0, "." | "..") {
            let why = "no URL can hold it: write the row with others, or by its record id";
            return Err(Error::invalid("external id", self.0, why));
        }
        let mut segment = String::with_capacity(self.0.len());
        for byte in self.0.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'~' => segment.push(byte.into()),
                _ => write!(segment, "%{byte:02X}").expect("a String takes all"),
            }
        }
        Ok(segment)
    }
}

impl fmt::Display for ExternalId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_of_a_path() {
        for (value, expect) in [
            ("A-17_b~c", "A-17_b~c"),
            ("A/17", "A%2F17"),
            (r"A\17", "A%5C17"),
            ("100%", "100%25"),
            ("%2F", "%252F"),
            ("a b+c&d=e?f#g", "a%20b%2Bc%26d%3De%3Ff%23g"),
            ("joe@acme.inc", "joe%40acme%2Einc"),
            ("...", "%2E%2E%2E"),
            ("Zürich 日本", "Z%C3%BCrich%20%E6%97%A5%E6%9C%AC"),
            ("a\tb\n", "a%09b%0A"),
            ("@{r0.id}", "%40%7Br0%2Eid%7D"),
        ] {
            assert_eq!(ExternalId::new(value).unwrap().segment().unwrap(), expect);
        }
        for value in [".", ".."] {
            let error = ExternalId::new(value).unwrap().segment().unwrap_err().to_string();
            assert!(error.contains("no URL can hold it"), "{error}");
        }
        assert!(ExternalId::new("").is_err());
    }
}
