//! Why Salesforce refuses a topic, and what to do about it there.

use std::fmt;

use salesforce_client::{Error, Refusal};

/// What is in the way of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Problem {
    /// The org has as many topics as it may have.
    TopicLimit,
    /// PushTopics cannot read the object.
    UnsupportedObject,
    /// A field of the query does not exist, is hidden from the user, or cannot be in a topic.
    Field,
    /// The query says something a topic's query must not say.
    Query,
    /// The user may not do this with PushTopics.
    NotPermitted,
    /// The org does not have the Streaming API switched on.
    NotEnabled,
    /// Another topic has the name.
    NameTaken,
    /// The topic is gone.
    Gone,
    /// Something that is not about topics.
    Other,
}

impl Problem {
    /// What it amounts to. Codes and words are those of the developer guides; where the words are not documented,
    /// several likely ones are recognised.
    #[must_use]
    pub fn of(error: &Error) -> Problem {
        error.failure().and_then(|failure| failure.refusal()).map_or(Problem::Other, Problem::of_refusal)
    }

    fn of_refusal(refusal: &Refusal) -> Problem {
        let problems = refusal.faults.iter().map(|fault| Problem::of_fault(&fault.code, &fault.message));
        problems.into_iter().find(|problem| *problem != Problem::Other).unwrap_or(Problem::Other)
    }

    fn of_fault(code: &str, message: &str) -> Problem {
        let message = message.to_ascii_lowercase();
        let says = |phrases: &[&str]| phrases.iter().any(|phrase| message.contains(phrase));
        match code {
            "LIMIT_EXCEEDED" | "STORAGE_LIMIT_EXCEEDED" => Problem::TopicLimit,
            _ if says(&["maximum number of", "topic limit", "limit exceeded for pushtopic"]) => Problem::TopicLimit,
            "DUPLICATE_VALUE" => Problem::NameTaken,
            "NOT_FOUND" | "ENTITY_IS_DELETED" => Problem::Gone,
            "FUNCTIONALITY_NOT_ENABLED" => Problem::NotEnabled,
            _ if says(&["streaming api is not enabled", "not enabled for streaming"]) => Problem::NotEnabled,
            "INSUFFICIENT_ACCESS"
            | "INSUFFICIENT_ACCESS_OR_READONLY"
            | "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"
            | "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY" => Problem::NotPermitted,
            "INVALID_TYPE" if says(&["pushtopic"]) => Problem::NotPermitted,
            "INVALID_TYPE" | "INVALID_TYPE_FOR_OPERATION" => Problem::UnsupportedObject,
            "INVALID_FIELD" if says(&["no such column"]) => Problem::Field,
            "INVALID_FIELD"
                if says(&["entity", "sobject type", "not supported for streaming", "unsupported object"]) =>
            {
                Problem::UnsupportedObject
            }
            "INVALID_FIELD" if says(&["not allowed in", "field type", "is not supported in the select"]) => {
                Problem::Field
            }
            "INVALID_FIELD" | "MALFORMED_QUERY" | "STRING_TOO_LONG" => Problem::Query,
            _ => Problem::Other,
        }
    }
}

/// The problem with its cure, in Salesforce's terms.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Problem::TopicLimit => {
                "the org has as many PushTopics as its edition allows (40, 50 or 100): delete topics nobody uses"
            }
            Problem::UnsupportedObject => "the object cannot be streamed by PushTopics: poll it instead",
            Problem::Field => {
                "a field of the query does not exist, is hidden from the user by field-level security, or cannot be in \
                 a PushTopic: select fewer fields or grant access"
            }
            Problem::Query => {
                "the query is none a PushTopic may have (one object, Id selected, no joins, no ORDER BY or LIMIT, 1,300 \
                 characters at most)"
            }
            Problem::NotPermitted => {
                "the user needs Read, Create, Edit and Delete on PushTopic, and Read on the object (or let an \
                 administrator make the topic and name it)"
            }
            Problem::NotEnabled => "tick Enable Streaming API in Setup, User Interface",
            Problem::NameTaken => "another PushTopic has this name: delete or rename it",
            Problem::Gone => "the PushTopic is gone: somebody deleted it",
            Problem::Other => "Salesforce or the way there refuses",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_understood() {
        for (code, message, expect) in [
            ("LIMIT_EXCEEDED", "You have reached the maximum number of PushTopics", Problem::TopicLimit),
            ("INVALID_FIELD", "The maximum number of topics has been reached", Problem::TopicLimit),
            ("DUPLICATE_VALUE", "duplicate value found: Name duplicates value on record with id", Problem::NameTaken),
            ("INVALID_FIELD", "No such column 'Colour__c' on entity 'Account'.", Problem::Field),
            ("INVALID_FIELD", "the entity User is not supported by the Streaming API", Problem::UnsupportedObject),
            ("INVALID_TYPE", "sObject type 'Nothing__c' is not supported.", Problem::UnsupportedObject),
            ("INVALID_TYPE", "sObject type 'PushTopic' is not supported.", Problem::NotPermitted),
            ("INVALID_FIELD", "semi/anti join sub-selects are not supported", Problem::Query),
            ("INVALID_FIELD", "Aggregate queries are not supported", Problem::Query),
            ("INVALID_FIELD", "'LIMIT' is not allowed", Problem::Query),
            ("INVALID_FIELD", "relationships are not supported", Problem::Query),
            ("INVALID_FIELD", "'ORDER BY' clause is not allowed", Problem::Query),
            ("INVALID_FIELD", "'NOT' is not supported", Problem::Query),
            ("INVALID_FIELD", "'OFFSET' clause is not allowed", Problem::Query),
            ("INVALID_FIELD", "'TYPEOF' clause is not allowed", Problem::Query),
            ("MALFORMED_QUERY", "unexpected token: FORM", Problem::Query),
            ("STRING_TOO_LONG", "Query: data value too large", Problem::Query),
            ("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id", Problem::NotPermitted),
            (
                "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
                "entity type cannot be inserted: Push Topic",
                Problem::NotPermitted,
            ),
            ("FUNCTIONALITY_NOT_ENABLED", "", Problem::NotEnabled),
            ("NOT_FOUND", "The requested resource does not exist", Problem::Gone),
            ("ENTITY_IS_DELETED", "entity is deleted", Problem::Gone),
            ("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", Problem::Other),
            ("SERVER_UNAVAILABLE", "", Problem::Other),
        ] {
            assert_eq!(Problem::of_fault(code, message), expect, "{code}: {message}");
        }
    }
}
