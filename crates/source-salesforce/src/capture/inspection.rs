//! A look at what a session rests on: whether its objects are still as they were described, and its topics in order.

use std::collections::HashMap;

use salesforce_client::{Org, composite::MOST_SUBREQUESTS};

use super::outlook::{Answer, Outlook};
use crate::{
    changes::{Changes, Topic},
    error::Error,
    feed::Feed,
    resource::Resource,
    topics, validate,
};

/// A lane to be looked at.
pub struct Subject {
    /// Its number in the session.
    pub lane: usize,
    /// What its user wants.
    pub resource: Resource,
    /// How its object is read so far.
    pub feed: Feed,
    /// Whether it has a topic.
    pub is_streamed: bool,
    /// It is polled until the org has room for its topic.
    pub awaits_topic: bool,
    /// Something was refused: the describe is asked for even if the org says it is unchanged.
    pub is_doubted: bool,
}

/// What was found of a lane.
pub struct Finding {
    /// Its number in the session.
    pub lane: usize,
    /// How its object is to be read from now on, if that has changed.
    pub feed: Option<Feed>,
    /// Its topic, in order again if it was not, or made if it had none.
    pub topic: Option<Topic>,
}

/// Looks at the objects, then at the topics, which are brought in step with them. Many objects are looked at only if any object of the
/// org has changed since `outlook`, which is answered as it is now.
///
/// # Errors
/// When an object cannot be captured any more, or a topic cannot be mended.
pub async fn inspect(
    org: &Org,
    capture: &str,
    subjects: Vec<Subject>,
    outlook: Outlook,
) -> Result<(Vec<Finding>, Outlook), Error> {
    let (outlook, looks) = look_out(org, &subjects, outlook).await?;
    let changed = match looks {
        true => validate::changed_feeds(org, &subjects).await?,
        false => subjects.iter().map(|_| None).collect(),
    };
    let feeds = || subjects.iter().zip(&changed).map(|(subject, changed)| changed.as_ref().unwrap_or(&subject.feed));
    let mut topics = topics_of(org, capture, subjects.iter().zip(feeds())).await?;
    let findings = subjects.iter().zip(changed).map(|(subject, feed)| {
        let lane = subject.lane;
        Finding { lane, feed, topic: topics.remove(&lane) }
    });
    Ok((findings.collect(), outlook))
}

/// The topics of these subjects, by their lanes.
async fn topics_of<'a>(
    org: &Org,
    capture: &str,
    subjects: impl Iterator<Item = (&'a Subject, &'a Feed)>,
) -> Result<HashMap<usize, Topic>, Error> {
    let mut asking: Vec<_> = subjects.filter(|(subject, _)| subject.is_streamed || subject.awaits_topic).collect();
    // Who has a topic keeps it: the others take what room there is.
    asking.sort_by_key(|(subject, _)| subject.awaits_topic);
    let wanted: Vec<_> = asking.iter().map(|(subject, feed)| (&subject.resource, *feed)).collect();
    let (changes, deeds) = topics::ensure(org, capture, &wanted).await?;
    for deed in deeds {
        tracing::info!("{deed}");
    }
    let mut topics = HashMap::new();
    for ((subject, _), changes) in asking.into_iter().zip(changes) {
        match changes {
            Changes::Announced(topic) => _ = topics.insert(subject.lane, topic),
            Changes::Polled(_) if subject.awaits_topic => {}
            Changes::Polled(_) => return Err(Error::NoTopicAnyMore { stream: subject.resource.stream.clone() }),
        }
    }
    Ok(topics)
}

/// Calls of a look that finds nothing changed, at so many objects and at topics, if there are any.
pub(super) fn calls(objects: usize, has_topics: bool) -> usize {
    // One for all describes, or for the list of all objects; one for all topics.
    usize::from(objects > 0) + usize::from(has_topics)
}

/// Whether these objects are to be looked at. Who needs one call for them anyway, or has a doubt, does not ask.
async fn look_out(org: &Org, subjects: &[Subject], outlook: Outlook) -> Result<(Outlook, bool), Error> {
    let is_doubted = subjects.iter().any(|subject| subject.is_doubted);
    if subjects.len() <= MOST_SUBREQUESTS || is_doubted || outlook == Outlook::Undated {
        return Ok((outlook, true));
    }
    let list = match outlook.since() {
        None => Some(org.describe_global().await?),
        Some(since) => org.describe_global_changed(since).await?,
    };
    Ok(outlook.after(list.map_or(Answer::Same, |list| Answer::Changed(list.last_modified))))
}
