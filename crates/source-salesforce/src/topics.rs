//! The PushTopics of a capture: one for each stream; made, kept in step and removed by this connector.

use salesforce_client::{Org, RecordId};
use salesforce_streaming::{
    Channel, Error,
    push_topic::{self, Definition, Difference, Existing, Problem, TopicName},
};

use crate::feed::Feed;

/// The topic of one stream, as it stands in the org.
#[derive(Debug, Clone)]
pub struct Topic {
    /// The PushTopic's record.
    pub id: RecordId,
    /// Where its events are.
    pub channel: Channel,
    /// Whether its events carry whole rows; otherwise they announce rows to be fetched.
    pub whole: bool,
}

/// Sees to it that each feed has its topic. Answers them in order, and what was done to the org in words.
///
/// # Errors
/// When a topic cannot be made, or its name is taken by somebody else's.
pub async fn ensure(org: &Org, capture: &str, feeds: &[Feed]) -> Result<(Vec<Topic>, Vec<String>), Error> {
    let mut deeds = Vec::new();
    if feeds.is_empty() {
        return Ok((Vec::new(), deeds));
    }
    let existing = push_topic::list(org, capture).await?;
    let mut topics = Vec::new();
    for feed in feeds {
        topics.push(one(org, capture, feed, &existing, &mut deeds).await?);
    }
    Ok((topics, deeds))
}

async fn one(
    org: &Org,
    capture: &str,
    feed: &Feed,
    existing: &[Existing],
    deeds: &mut Vec<String>,
) -> Result<Topic, Error> {
    let object = feed.object.as_str();
    let define = |query| Definition::new(capture, object, query, *org.api_version());
    let narrow = define(feed.narrow_topic())?;
    let known = existing.iter().find(|topic| topic.name == narrow.name().as_str());
    let channel = Channel::topic(narrow.name());

    if let Some(whole) = feed.whole_topic().map(define).transpose()? {
        match bring_in_step(org, &whole, known).await {
            Ok((id, deed)) => {
                deeds.extend(deed.map(|deed| format!("{deed} PushTopic {} for {object}", whole.name())));
                return Ok(Topic { id, channel, whole: true });
            }
            // A field that a topic cannot carry: the rows are fetched instead.
            Err(Error::Topic { problem: Problem::Field | Problem::Query, source, .. }) => {
                tracing::info!(object, "events of this object announce rows instead of carrying them: {source}");
            }
            Err(error) => return Err(error),
        }
    }
    let (id, deed) = bring_in_step(org, &narrow, known).await?;
    deeds.extend(
        deed.map(|deed| format!("{deed} PushTopic {} for {object}, whose rows are fetched by id", narrow.name())),
    );
    Ok(Topic { id, channel, whole: false })
}

/// Makes or patches a topic, if need be.
async fn bring_in_step(
    org: &Org,
    definition: &Definition,
    known: Option<&Existing>,
) -> Result<(RecordId, Option<&'static str>), Error> {
    let Some(known) = known else {
        return Ok((push_topic::create(org, definition).await?, Some("created")));
    };
    match push_topic::compare(definition, known) {
        Difference::Same => Ok((known.id, None)),
        Difference::Changed(_) => {
            push_topic::patch(org, known.id, definition).await?;
            Ok((known.id, Some("updated")))
        }
    }
}

/// Deletes the topics of this capture that none of its feeds needs. Answers what was done, in words.
///
/// # Errors
/// When one cannot be deleted.
pub async fn remove_orphans(org: &Org, capture: &str, feeds: &[Feed]) -> Result<Vec<String>, Error> {
    let mut deeds = Vec::new();
    for topic in push_topic::list(org, capture).await? {
        let serves = |feed: &Feed| topic.name == TopicName::derive(capture, feed.object.as_str()).as_str();
        if !feeds.iter().any(serves) {
            push_topic::delete(org, &topic).await?;
            deeds.push(format!("deleted PushTopic {}, which no binding needs", topic.name));
        }
    }
    Ok(deeds)
}
