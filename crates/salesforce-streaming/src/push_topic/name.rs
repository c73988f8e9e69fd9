//! Names of topics.

use std::{fmt, str::FromStr, sync::Arc};

use data_encoding::{BitOrder, Encoding, Specification};
use sha2::{Digest, Sha256};

use crate::Error;

/// As long as a name may be, in characters.
const LONGEST: usize = 25;
/// What names derived here begin with: a name must begin with a letter.
const MARK: &str = "Sync";
/// Characters for the owner and for the stream, of five bits each.
const OWNER: usize = 10;
const STREAM: usize = 11;

/// The name of a PushTopic: 1 to 25 characters, unique in the org, and part of its channel's name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName(Arc<str>);

impl TopicName {
    /// The name of the topic that `owner` (a capture's name, say) uses for `stream`.
    ///
    /// It is `Sync`, then ten characters made of the owner, then eleven made of the stream, so that all topics of one
    /// owner begin alike, see [`TopicName::prefix`]. Lower-case base 32, of SHA-256: two owners in one org share
    /// their beginning with a probability of 2⁻⁵⁰, and two streams of one owner a name with 2⁻⁵⁵; for the hundred
    /// topics an org may have that is less than one in a trillion. The description says in clear whose the topic is.
    #[must_use]
    pub fn derive(owner: &str, stream: &str) -> TopicName {
        TopicName(format!("{}{}", TopicName::prefix(owner), digest("stream", stream, STREAM)).into())
    }

    /// What all names derived for an owner begin with.
    #[must_use]
    pub fn prefix(owner: &str) -> String {
        format!("{MARK}{}", digest("owner", owner, OWNER))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A name of somebody else's choosing.
impl FromStr for TopicName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let letter_first = text.starts_with(|first: char| first.is_ascii_alphabetic());
        let characters = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        if letter_first && characters && text.len() <= LONGEST {
            Ok(TopicName(text.into()))
        } else {
            Err(Error::TopicName { name: text.chars().take(40).collect() })
        }
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Some characters, five bits each, that depend on a text and on what it is.
fn digest(what: &str, text: &str, characters: usize) -> String {
    let mut hash = Sha256::new();
    hash.update(what);
    hash.update([0]);
    hash.update(text);
    let mut name = base32().encode(&hash.finalize());
    name.truncate(characters);
    name
}

/// Letters and digits that are hard to take for one another; case does not matter.
fn base32() -> Encoding {
    let mut specification = Specification::new();
    specification.symbols.push_str("0123456789abcdefghjkmnpqrstvwxyz");
    specification.bit_order = BitOrder::MostSignificantFirst;
    specification.encoding().expect("thirty-two different symbols")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn derived_names_do_not_change() {
        insta::assert_snapshot!(TopicName::derive("acmeCo/salesforce", "Account"), @"Syncnssa1vaw8e8n9qeb0d7b3");
        insta::assert_snapshot!(TopicName::derive("acmeCo/salesforce", "Contact"), @"Syncnssa1vaw8eq78expq811m");
        insta::assert_snapshot!(TopicName::derive("acmeCo/other", "Account"), @"Sync7fqb8t0na08n9qeb0d7b3");
    }

    #[test]
    fn names_are_checked() {
        for text in ["A", "InvoiceStatementUpdates", "a_1-b"] {
            assert_eq!(text.parse::<TopicName>().expect("a name").as_str(), text);
        }
        for text in ["", "1a", "_a", "a b", "a/b", "a?b", "ä", "abcdefghijklmnopqrstuvwxyz"] {
            assert!(text.parse::<TopicName>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn derived_names_are_names(owner in ".*", stream in ".*") {
            let name = TopicName::derive(&owner, &stream);
            prop_assert_eq!(name.as_str().parse::<TopicName>().expect("a name"), name.clone());
            prop_assert_eq!(name.as_str().len(), LONGEST);
            prop_assert!(name.as_str().starts_with(&TopicName::prefix(&owner)));
        }
    }
}
