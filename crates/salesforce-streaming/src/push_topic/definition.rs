//! What a topic should be.

use salesforce_client::ApiVersion;

use super::TopicName;
use crate::Error;

/// The longest query of a topic, in characters.
pub const LONGEST_QUERY: usize = 1_300;
/// The longest description, in characters.
const LONGEST_DESCRIPTION: usize = 400;

/// A topic as it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    pub(super) name: TopicName,
    pub(super) query: String,
    pub(super) api_version: ApiVersion,
    pub(super) notify_for: NotifyFor,
    pub(super) operations: Operations,
    pub(super) description: String,
}

impl Definition {
    /// The topic that `owner` uses for `stream`: it announces every operation and a change of any field.
    ///
    /// The org wants the query to read one object, to select `Id`, and to do without joins, aggregates, `ORDER BY`,
    /// `LIMIT` and `OFFSET`.
    ///
    /// # Errors
    /// [`Error::QueryTooLong`] beyond [`LONGEST_QUERY`] characters.
    pub fn new(owner: &str, stream: &str, query: String, api_version: ApiVersion) -> Result<Definition, Error> {
        let name = TopicName::derive(owner, stream);
        let length = query.chars().count();
        if length > LONGEST_QUERY {
            return Err(Error::QueryTooLong { topic: stream.to_owned(), length, limit: LONGEST_QUERY });
        }
        let description = describe(owner, stream);
        let (notify_for, operations) = (NotifyFor::All, Operations::ALL);
        Ok(Definition { name, query, api_version, notify_for, operations, description })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &TopicName {
        &self.name
    }

    /// Its query.
    #[must_use]
    pub fn query(&self) -> &str {
        &self.query
    }

    /// Whose it is, and what for, in words.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }
}

/// Which changes of a record are announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotifyFor {
    /// A change of any field.
    All,
    /// A change of a field in `SELECT` or `WHERE`.
    Referenced,
    /// A change of a field in `SELECT`.
    Select,
    /// A change of a field in `WHERE`.
    Where,
}

impl NotifyFor {
    /// The word of the API.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            NotifyFor::All => "All",
            NotifyFor::Referenced => "Referenced",
            NotifyFor::Select => "Select",
            NotifyFor::Where => "Where",
        }
    }

    pub(super) fn parse(word: &str) -> Option<NotifyFor> {
        let all = [NotifyFor::All, NotifyFor::Referenced, NotifyFor::Select, NotifyFor::Where];
        all.into_iter().find(|notify_for| notify_for.as_str() == word)
    }
}

/// Which operations are announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operations {
    /// Records are created.
    pub create: bool,
    /// Records are changed.
    pub update: bool,
    /// Records are deleted.
    pub delete: bool,
    /// Records are taken out of the recycle bin.
    pub undelete: bool,
}

impl Operations {
    /// All of them.
    pub const ALL: Operations = Operations { create: true, update: true, delete: true, undelete: true };
}

/// The description of the topic that `owner` uses for `stream`: it is compared whole, to tell whose a topic is.
///
/// A very long owner or stream is cut; the name of the topic depends on all of it.
pub(super) fn describe(owner: &str, stream: &str) -> String {
    const WORDS: usize = 80;
    let stream = shorten(stream, 120);
    let owner = shorten(owner, LONGEST_DESCRIPTION - WORDS - stream.chars().count());
    format!("Streams {stream} for {owner}. Kept by that task; changes made by hand are undone.")
}

/// The stream a description speaks of, if it is one of the owner's.
pub(super) fn described(owner: &str, description: &str) -> Option<String> {
    let stream = description.strip_prefix("Streams ")?.split(' ').next()?;
    (describe(owner, stream) == description).then(|| stream.to_owned())
}

fn shorten(text: &str, characters: usize) -> String {
    if text.chars().count() <= characters {
        return text.to_owned();
    }
    text.chars().take(characters - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_fits_or_is_refused() {
        let define = |length| Definition::new("o", "Account", "x".repeat(length), ApiVersion::DEFAULT);
        assert!(define(LONGEST_QUERY).is_ok());
        let error = define(LONGEST_QUERY + 1).expect_err("too long");
        insta::assert_snapshot!(error, @"the query of PushTopic Account is 1301 characters long, above the limit of 1300; select fewer fields");
    }

    #[test]
    fn a_description_tells_whose_and_fits() {
        let text = describe("acmeCo/salesforce", "Account");
        insta::assert_snapshot!(text, @"Streams Account for acmeCo/salesforce. Kept by that task; changes made by hand are undone.");
        assert_eq!(described("acmeCo/salesforce", &text).as_deref(), Some("Account"));
        assert_eq!(described("acmeCo/other", &text), None);
        assert_eq!(described("acmeCo/salesforce", "Mine, keep out"), None);
        for owner in ["a".repeat(1000), "ü".repeat(318), "a b. c for d".repeat(40)] {
            let text = describe(&owner, "Account");
            assert!(text.chars().count() <= LONGEST_DESCRIPTION);
            assert_eq!(described(&owner, &text).as_deref(), Some("Account"));
        }
    }
}
