//! Whether a capture would work, and if not, what to change in Salesforce.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use salesforce_client::{Describe, Org, SObjectName};
use salesforce_streaming::{Event, Stream};

use crate::{discover, error::Error, feed::Feed, resource::Resource};

/// Describes on their way at a time.
const DESCRIBES: usize = 4;

/// Checks the credentials, the Streaming API, the right to make PushTopics, and every stream.
///
/// # Errors
/// The first thing that is missing, with its cure.
pub async fn validate(org: &Org, resources: &[Resource]) -> Result<(), Error> {
    if org.token().await?.rotated().is_some() {
        return Err(Error::Rotating);
    }
    push_topics(org).await?;
    streaming(org).await?;
    feeds(org, resources).await?;
    Ok(())
}

/// The user must be able to begin a streaming session.
async fn streaming(org: &Org) -> Result<(), Error> {
    let mut stream = Stream::open(org.clone(), salesforce_streaming::Options::default(), Vec::new());
    let result = loop {
        match stream.next().await {
            Ok(Event::Connected) => break Ok(()),
            Ok(Event::Lost { why }) => {
                break Err(Error::NoStreaming {
                    problem: format!("no streaming session can be begun ({why})"),
                    cure: "try again in some minutes; if it stays so, stop other streaming clients of this org",
                });
            }
            Ok(_) => {}
            Err(error) => break Err(error.into()),
        }
    };
    stream.close().await;
    result
}

/// How these streams are read, in their order.
///
/// # Errors
/// The first stream that cannot be captured.
pub async fn feeds(org: &Org, resources: impl IntoIterator<Item = &Resource>) -> Result<Vec<Feed>, Error> {
    stream::iter(resources).map(|resource| feed(org, resource)).buffered(DESCRIBES).try_collect().await
}

/// The user must be able to make PushTopics.
async fn push_topics(org: &Org) -> Result<(), Error> {
    let name: SObjectName = "PushTopic".parse()?;
    let describe = match org.describe(&name).await {
        Ok(describe) => describe,
        Err(error) if error.status() == Some(404) => {
            return Err(Error::NoStreaming {
                problem: "this user cannot see PushTopics".into(),
                cure: "tick Enable Streaming API in Setup, User Interface, and grant the user's profile Read and Create on \
                       Push Topics (a permission set will do)",
            });
        }
        Err(error) => return Err(error.into()),
    };
    if !describe.summary.createable {
        return Err(Error::NoStreaming {
            problem: "this user may not create PushTopics".into(),
            cure: "grant the user's profile Create, Edit and Delete on Push Topics (a permission set will do)",
        });
    }
    Ok(())
}

async fn feed(org: &Org, resource: &Resource) -> Result<Feed, Error> {
    let describe = describe(org, resource).await?;
    let feed = Feed::of(&describe, &resource.stream)?;
    if !discover::is_streamable(&describe.summary) {
        return Err(Error::Uncapturable {
            stream: resource.stream.clone(),
            why: format!("Salesforce does not stream {} over PushTopic; remove the binding", feed.object),
        });
    }
    Ok(feed)
}

/// The describe of a stream's object.
///
/// # Errors
/// When the org has no such object, with the name that was probably meant.
pub async fn describe(org: &Org, resource: &Resource) -> Result<Describe, Error> {
    match org.describe(&resource.object).await {
        Ok(describe) => Ok(describe),
        Err(error) if error.status() == Some(404) => {
            let objects = org.describe_global().await?;
            let names = objects.sobjects.iter().map(|object| object.name.as_str());
            let suggestion = closest(resource.object.as_str(), names);
            Err(Error::UnknownStream {
                stream: resource.stream.clone(),
                suggestion: suggestion.map(|name| format!(" (did you mean {name}?)")).unwrap_or_default(),
            })
        }
        Err(error) => Err(error.into()),
    }
}

/// The name that differs least, if it differs little.
fn closest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = wanted.to_ascii_lowercase();
    let near = names.map(|name| (distance(&wanted, &name.to_ascii_lowercase()), name));
    near.filter(|(distance, name)| *distance * 3 <= name.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Levenshtein's distance, over bytes: API names are ASCII.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_find_their_object() {
        let names = ["Account", "AccountHistory", "Contact", "Contract", "Lead"];
        for (wanted, expect) in [
            ("Acount", Some("Account")),
            ("account", Some("Account")),
            ("Accounts", Some("Account")),
            ("Contract", Some("Contract")),
            ("Led", Some("Lead")),
            ("Invoice__c", None),
        ] {
            assert_eq!(closest(wanted, names.into_iter()), expect, "{wanted}");
        }
    }
}
