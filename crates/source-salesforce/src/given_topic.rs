//! A PushTopic that an administrator made for a stream: whether a complete capture can rest on it.

use salesforce_client::{Field, FieldType};
use salesforce_streaming::push_topic::{Existing, NotifyFor, Operations};

use crate::{feed::Feed, resource::FieldChoice};

/// Judges a topic for a feed. Answers whether its events carry whole rows; otherwise they announce rows to be fetched.
///
/// # Errors
/// Why changes would be missed, and what to set.
pub fn judge(topic: &Existing, feed: &Feed) -> Result<bool, String> {
    let query = Query::read(&topic.query).ok_or("its query cannot be understood")?;
    if !feed.object.same_as(query.object) {
        return Err(format!("it announces changes of {}, not of {}", query.object, feed.object));
    }
    if query.filters {
        return Err(
            "its query has a WHERE clause, and a record that stops matching one is not announced: remove it".into()
        );
    }
    if !topic.is_active {
        return Err("it is switched off: set IsActive".into());
    }
    let silent = silent_operations(topic.operations);
    if !silent.is_empty() {
        return Err(format!("it does not announce every operation: set {}", silent.join(", ")));
    }
    let selects = |name: &str| query.fields.iter().any(|field| field.eq_ignore_ascii_case(name));
    let missing: Vec<_> = feed.fields.iter().filter(|field| !selects(field.name.as_str())).collect();
    if topic.notify_for != Some(NotifyFor::All) {
        // Compounds change by their parts, deletions are announced as such, and modstamps change with all else.
        let is_noticed = |field: &&&Field| {
            matches!(field.kind, FieldType::Address | FieldType::Location) || FieldChoice::is_essential(&field.name)
        };
        let unnoticed = missing.iter().filter(|field| !is_noticed(field)).map(|field| field.name.as_str());
        let unnoticed: Vec<_> = unnoticed.collect();
        let only_where = topic.notify_for.is_none_or(|notify_for| notify_for == NotifyFor::Where);
        if only_where || !unnoticed.is_empty() {
            return Err(format!(
                "it selects too little: changes of {} are not announced; set NotifyForFields to All",
                unnoticed.first().copied().unwrap_or("most fields"),
            ));
        }
    }
    Ok(missing.is_empty() && query.fields.len() == feed.fields.len())
}

/// Whether a topic as it was, `before`, may have kept silent about what it announces as it is `now`: it was switched off, or
/// minded less, or its query had a filter or named fields that are gone.
pub fn was_silent(before: &Existing, now: &Existing) -> bool {
    let (Some(then), Some(today)) = (Query::read(&before.query), Query::read(&now.query)) else { return true };
    let is_there = |field: &&str| today.fields.iter().any(|other| other.eq_ignore_ascii_case(field));
    let minded_the_same =
        before.is_active && before.notify_for == now.notify_for && before.operations == now.operations;
    !minded_the_same || then.filters || !then.fields.iter().all(is_there)
}

fn silent_operations(operations: Operations) -> Vec<&'static str> {
    let Operations { create, update, delete, undelete } = operations;
    let flags = [
        (create, "NotifyForOperationCreate"),
        (update, "NotifyForOperationUpdate"),
        (delete, "NotifyForOperationDelete"),
        (undelete, "NotifyForOperationUndelete"),
    ];
    flags.into_iter().filter_map(|(is_set, name)| (!is_set).then_some(name)).collect()
}

/// The query of a PushTopic: one object, a list of its fields, perhaps a filter.
struct Query<'a> {
    fields: Vec<&'a str>,
    object: &'a str,
    filters: bool,
}

impl<'a> Query<'a> {
    fn read(query: &'a str) -> Option<Self> {
        let query = query.trim();
        let (select, rest) = query.split_at_checked("select".len())?;
        let is_list = rest.starts_with(|c: char| c.is_whitespace());
        if !select.eq_ignore_ascii_case("select") || !is_list {
            return None;
        }
        let (list, after) = split_at_word(rest, "from")?;
        let mut words = after.split_whitespace();
        let object = words.next()?;
        let filters = words.next().is_some();
        Some(Self { fields: list.split(',').map(str::trim).collect(), object, filters })
    }
}

/// What stands before and after the first such word.
fn split_at_word<'a>(text: &'a str, wanted: &str) -> Option<(&'a str, &'a str)> {
    let is_word = |(at, _): &(usize, &str)| {
        let (before, after) = (&text[..*at], &text[at + wanted.len()..]);
        before.ends_with(char::is_whitespace) && after.starts_with(char::is_whitespace)
    };
    let lower = text.to_ascii_lowercase();
    let (at, _) = lower.match_indices(wanted).find(|found| is_word(found))?;
    Some((&text[..at], &text[at + wanted.len()..]))
}
