//! Filtered subscriptions: `/topic/Accounts?Industry='Energy'&Rating='Hot'` hears events that meet *any* condition,
//! although they are joined by `&`.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

/// The conditions after a channel's `?`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filter(Vec<Condition>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    field: String,
    value: String,
}

/// Splits a subscription into its channel and its filter. A part without `=` is a condition on a field of that name,
/// which no topic has.
pub(super) fn split(subscription: &str) -> (&str, Option<Filter>) {
    match subscription.split_once('?') {
        None => (subscription, None),
        Some((channel, conditions)) => (channel, Some(Filter(conditions_of(conditions)))),
    }
}

impl Filter {
    /// The fields the conditions name.
    pub(super) fn fields(&self) -> Vec<&str> {
        self.0.iter().map(|condition| condition.field.as_str()).collect()
    }

    /// Does the event's `data` meet a condition? Strings are compared by content, everything else as written.
    pub(super) fn admits(&self, data: &[u8]) -> bool {
        let Ok(data) = serde_json::from_slice::<Data<'_>>(data) else { return false };
        self.0.iter().any(|condition| {
            data.sobject.get(condition.field.as_str()).is_some_and(|value| {
                match serde_json::from_str::<Cow<'_, str>>(value.get()) {
                    Ok(text) => text == condition.value,
                    Err(_) => value.get() == condition.value,
                }
            })
        })
    }
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    sobject: HashMap<Cow<'a, str>, &'a RawValue>,
}

fn conditions_of(text: &str) -> Vec<Condition> {
    let mut quoted = false;
    text.split(|c| {
        quoted ^= c == '\'';
        c == '&' && !quoted
    })
    .filter(|part| !part.trim().is_empty())
    .map(|part| {
        let (field, value) = part.split_once('=').unwrap_or((part, ""));
        let value = value.trim();
        let unquoted = value.strip_prefix('\'').and_then(|value| value.strip_suffix('\'')).unwrap_or(value);
        Condition { field: field.trim().to_owned(), value: unquoted.to_owned() }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_condition_suffices() {
        let data =
            br#"{"event":{"replayId":1},"sobject":{"Id":"001","Name":"A & B","Employees":5,"Hot":true,"Nil":null}}"#;
        for (subscription, expect) in [
            ("/topic/A?Name='A & B'", true),
            ("/topic/A?Name='x'&Employees=5", true),
            ("/topic/A?Employees=50", false),
            ("/topic/A?Hot=true", true),
            ("/topic/A?Missing='x'", false),
            ("/topic/A?Nil='null'", true),
            ("/topic/A?", false),
        ] {
            let (channel, filter) = split(subscription);
            assert_eq!(channel, "/topic/A");
            assert_eq!(filter.unwrap().admits(data), expect, "{subscription}");
        }
        assert_eq!(split("/topic/A"), ("/topic/A", None));
    }

    #[test]
    fn fields_are_named_for_the_check() {
        let (_, filter) = split("/topic/A?Industry='a&b=c'& Rating = 'Hot'&odd");
        assert_eq!(filter.unwrap().fields(), ["Industry", "Rating", "odd"]);
    }
}
