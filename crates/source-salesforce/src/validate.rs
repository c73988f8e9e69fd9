//! Whether a capture would work, and if not, what to change in Salesforce.

use salesforce_client::{Describe, Org, SObjectName};
use salesforce_endpoint::closest;
use salesforce_streaming::{Event, Stream};

use crate::{
    capture::inspection::Subject,
    changes::{Plan, plan},
    error::Error,
    feed::Feed,
    resource::Resource,
    topics,
};

/// Checks the credentials, the Streaming API, the right to make PushTopics, and every stream.
///
/// # Errors
/// The first thing that is missing, with its cure.
pub async fn validate(org: &Org, resources: &[Resource]) -> Result<(), Error> {
    if org.token().await?.rotated().is_some() {
        return Err(Error::Rotating);
    }
    org.check_version().await?;
    let described = describes(org, resources).await?;
    let feeds = resources.iter().zip(&described).map(|(resource, describe)| checked_feed(resource, describe));
    let feeds = feeds.collect::<Result<Vec<_>, _>>()?;
    let wanted: Vec<_> = resources.iter().zip(&feeds).collect();
    if topics::needs_own(&wanted) {
        push_topics(org).await?;
    }
    if wanted.iter().any(|(resource, feed)| !matches!(plan(resource, feed), Plan::Poll(_))) {
        streaming(org).await?;
    }
    topics::check_given(org, &wanted).await
}

/// A feed whose binding names only fields that are there.
fn checked_feed(resource: &Resource, describe: &Describe) -> Result<Feed, Error> {
    if let Some((place, name)) = resource.fields.unknown(describe).next() {
        let suggestion = closest(name.as_str(), describe.fields.iter().map(|field| field.name.as_str()));
        let suggestion = suggestion.map(|name| format!(" (did you mean {name}?)")).unwrap_or_default();
        return Err(Error::option(
            &resource.stream,
            &place,
            format!(
                "{} has no field {name}, or the user may not read it{suggestion}; check the API name and the field's security",
                describe.name()
            ),
        ));
    }
    Feed::of(describe, resource)
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

/// How these streams are read, in their order. A field that a binding names and that is gone is warned about.
///
/// # Errors
/// The first stream that cannot be captured.
pub async fn feeds(org: &Org, resources: &[Resource]) -> Result<Vec<Feed>, Error> {
    let described = describes(org, resources).await?;
    let feed = |(resource, describe): (&Resource, &Describe)| {
        for (place, name) in resource.fields.unknown(describe) {
            tracing::warn!(stream = resource.stream, place, "the field {name} is gone, or hidden from the user");
        }
        Feed::of(describe, resource)
    };
    resources.iter().zip(&described).map(feed).collect()
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

/// The feeds that differ from those known, in order; `None` where nothing has changed.
///
/// # Errors
/// The first object that cannot be captured any more.
pub async fn changed_feeds(org: &Org, subjects: &[Subject]) -> Result<Vec<Option<Feed>>, Error> {
    let known = |subject: &Subject| {
        let since = subject.feed.described.clone().filter(|_| !subject.is_doubted);
        (subject.resource.object.clone(), since)
    };
    let described = org.describe_changed(&subjects.iter().map(known).collect::<Vec<_>>()).await?;
    let mut feeds = Vec::new();
    for (Subject { resource, feed, .. }, describe) in subjects.iter().zip(described) {
        let Some(describe) = found(org, resource, describe).await? else {
            feeds.push(None);
            continue;
        };
        let fresh = Feed::of(&describe, resource)?;
        feeds.push((!fresh.is_like(feed)).then_some(fresh));
    }
    Ok(feeds)
}

/// The describes of the streams' objects, in order.
async fn describes(org: &Org, resources: &[Resource]) -> Result<Vec<Describe>, Error> {
    let objects: Vec<_> = resources.iter().map(|resource| resource.object.clone()).collect();
    let mut describes = Vec::new();
    for (resource, describe) in resources.iter().zip(org.describe_many(&objects).await?) {
        describes.push(found(org, resource, describe).await?);
    }
    Ok(describes)
}

/// The describe of a stream's object.
///
/// # Errors
/// When the org has no such object, with the name that was probably meant.
pub async fn describe(org: &Org, resource: &Resource) -> Result<Describe, Error> {
    let describe = org.describe(&resource.object).await;
    found(org, resource, describe).await
}

async fn found<T>(org: &Org, resource: &Resource, outcome: Result<T, salesforce_client::Error>) -> Result<T, Error> {
    match outcome {
        Ok(found) => Ok(found),
        Err(error) if error.status() == Some(404) => Err(unknown(org, resource).await?),
        Err(error) => Err(error.into()),
    }
}

/// What to say of a stream that the org does not have.
async fn unknown(org: &Org, resource: &Resource) -> Result<Error, Error> {
    let objects = org.describe_global().await?;
    let names = objects.sobjects.iter().map(|object| object.name.as_str());
    let suggestion = closest(resource.object.as_str(), names);
    Ok(Error::UnknownStream {
        stream: resource.stream.clone(),
        suggestion: suggestion.map(|name| format!(" (did you mean {name}?)")).unwrap_or_default(),
    })
}
