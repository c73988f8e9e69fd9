//! Identifiers: records, objects, fields. Each is checked once, where it enters, and correct from then on.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Error;

/// The id of a record, always in its 18-character form.
///
/// Salesforce accepts 15 case-sensitive characters or 18, the last three of which are a checksum of the others'
/// case; it always answers with 18. Both forms are parsed; a wrong checksum is refused. The order is that of the
/// bytes, which is the order of `ORDER BY Id`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId([u8; 18]);

impl RecordId {
    /// The id as text: 18 ASCII letters and digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The first three characters, which tell the object in most cases (history rows of all standard objects
    /// share one prefix).
    #[must_use]
    pub fn key_prefix(&self) -> &str {
        &self.as_str()[..3]
    }

    fn parse(text: &str) -> Result<RecordId, &'static str> {
        let bytes = text.as_bytes();
        if !bytes.iter().all(u8::is_ascii_alphanumeric) {
            return Err("a record id has letters and digits only");
        }
        let (&body, given) = bytes.split_first_chunk::<15>().ok_or("a record id has 15 or 18 characters")?;
        let checksum = checksum(&body);
        match given {
            [] => {}
            given if given.eq_ignore_ascii_case(&checksum) => {}
            [_, _, _] => return Err("the checksum in its last three characters is wrong"),
            _ => return Err("a record id has 15 or 18 characters"),
        }
        let mut id = [0; 18];
        id[..15].copy_from_slice(&body);
        id[15..].copy_from_slice(&checksum);
        Ok(RecordId(id))
    }
}

/// One letter for each group of five characters: bit `j` says that character `j` is an upper-case letter.
fn checksum(body: &[u8; 15]) -> [u8; 3] {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
    let letter = |group: usize| {
        let capitals = (0..5).filter(|j| body[group * 5 + j].is_ascii_uppercase());
        ALPHABET[capitals.fold(0, |bits, j| bits | 1 << j)]
    };
    [letter(0), letter(1), letter(2)]
}

impl FromStr for RecordId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        RecordId::parse(text).map_err(|why| Error::invalid("record id", text, why))
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The longest API name there is: a 40-character name with a namespace and a suffix fits well below this.
const LONGEST_NAME: usize = 255;

/// API names: a letter, then letters, digits and underscores.
fn check_name(text: &str) -> Result<(), &'static str> {
    if text.len() > LONGEST_NAME {
        return Err("an API name has at most 255 characters");
    }
    if !text.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return Err("an API name starts with a letter");
    }
    if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err("an API name has letters, digits and underscores only");
    }
    Ok(())
}

macro_rules! api_name {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Whether both name the same thing to Salesforce, which ignores case in API names.
            #[must_use]
            pub fn same_as(&self, other: &str) -> bool {
                self.0.eq_ignore_ascii_case(other)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                check_name(text).map_err(|why| Error::invalid($kind, text, why))?;
                Ok($name(text.into()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        text_serde!($name);
    };
}

/// Serialised as text; deserialised through `FromStr`, so that nothing unchecked enters.
macro_rules! text_serde {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl de::Visitor<'_> for Text {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str(concat!("a ", stringify!($name)))
                    }

                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }
    };
}

text_serde!(RecordId);

api_name!(
    /// The API name of an object, such as `Account` or `Invoice__c`: letters, digits, underscores.
    SObjectName,
    "object name"
);

api_name!(
    /// The API name of a field, such as `Name` or `Amount__c`: letters, digits, underscores.
    FieldName,
    "field name"
);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_are_completed_and_checked() {
        for (text, expect) in [
            ("001D000000IRFma", Ok("001D000000IRFmaIAH")),
            ("0015f00002JUZPD", Ok("0015f00002JUZPDAA5")),
            ("000000000000000", Ok("000000000000000AAA")),
            ("001D000000IRFmaIAH", Ok("001D000000IRFmaIAH")),
            ("001D000000IRFmaiah", Ok("001D000000IRFmaIAH")),
            ("001d000000irfmaIAH", Err("checksum")),
            ("001D000000IRFmaIAA", Err("checksum")),
            ("", Err("15 or 18")),
            ("001D000000IRFm", Err("15 or 18")),
            ("001D000000IRFmaI", Err("15 or 18")),
            ("001D000000IRFmaIAHA", Err("15 or 18")),
            ("001D000000IRFm'", Err("letters and digits")),
            ("001D000000IRFmé", Err("letters and digits")),
        ] {
            match (text.parse::<RecordId>(), expect) {
                (Ok(id), Ok(expect)) => assert_eq!(id.as_str(), expect),
                (Err(error), Err(expect)) => assert!(error.to_string().contains(expect), "{text}: {error}"),
                (got, expect) => panic!("{text}: {got:?}, not {expect:?}"),
            }
        }
    }

    #[test]
    fn names_are_checked() {
        for text in ["Account", "Invoice__c", "ns__Thing__c", "X1"] {
            assert_eq!(text.parse::<SObjectName>().expect("a name").as_str(), text);
        }
        for text in ["", "1Account", "_x", "Account Name", "A;B", "Owner.Name", "Ünder__c", "a'--"] {
            assert!(text.parse::<FieldName>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_read_from_json_is_checked_too() {
        let id: RecordId = serde_json::from_str(r#""001D000000IRFma""#).unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), r#""001D000000IRFmaIAH""#);
        assert_eq!(serde_json::from_str::<SObjectName>(r#""Account""#).unwrap(), "Account".parse().unwrap());
        assert!(serde_json::from_str::<SObjectName>(r#""Account, Contact""#).is_err());
        assert!(serde_json::from_str::<FieldName>("1").is_err());
    }

    proptest! {
        #[test]
        fn fifteen_and_eighteen_characters_are_the_same_id(text in "[a-zA-Z0-9]{15}") {
            let short: RecordId = text.parse().expect("15 characters");
            let long: RecordId = short.as_str().parse().expect("18 characters");
            prop_assert_eq!(short, long);
            prop_assert!(short.as_str().starts_with(&text));
        }

        #[test]
        fn the_order_of_ids_is_that_of_their_first_fifteen_bytes(a in "[a-zA-Z0-9]{15}", b in "[a-zA-Z0-9]{15}") {
            let (x, y): (RecordId, RecordId) = (a.parse().expect("an id"), b.parse().expect("an id"));
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
        }
    }
}
