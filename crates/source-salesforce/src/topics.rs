//! The PushTopics of a capture: one for each stream that is streamed; made, kept in step and removed by this connector. Those of
//! an administrator are only looked at.

use salesforce_client::Org;
use salesforce_streaming::{
    self as streaming, Channel,
    push_topic::{self, Definition, Difference, Existing, Look, Problem, TopicName},
};

use crate::{
    capture::{position::Checked, second::Second},
    changes::{Changes, Plan, Polls, Topic, plan},
    error::Error,
    feed::Feed,
    given_topic,
    resource::{Mode, Resource},
};

/// A binding's wishes, and how its object is read.
pub type Wanted<'a> = (&'a Resource, &'a Feed);

/// Looks at the topics, before somebody else's hand in them is a matter for people.
const LOOKS: usize = 5;

/// Sees to it that each feed that is to be streamed has its topic. Answers in order how changes are learned of, and what was
/// done to the org in words. If somebody else makes or deletes one of the topics meanwhile, they are looked at again.
///
/// # Errors
/// When a topic cannot be made, its name is taken by somebody else's, or one of an administrator's does not serve.
pub async fn ensure(org: &Org, capture: &str, wanted: &[Wanted<'_>]) -> Result<(Vec<Changes>, Vec<String>), Error> {
    let before = look(org, capture, wanted).await?;
    let mut keeper = Keeper { org, capture, is_full: false, deeds: Vec::new() };
    let (mut now, mut looks) = (before.clone(), 1);
    loop {
        let done = keeper.deeds.len();
        let outcome = match keeper.keep_all(wanted, &now).await {
            Ok(kept) => {
                if keeper.deeds.len() > done {
                    // What was done has moved the topics' modstamps.
                    now = look(org, capture, wanted).await?;
                }
                changes(kept, wanted, &before, &now, looks > 1)
            }
            Err(error) => Err(error),
        };
        match outcome {
            Err(error) if looks < LOOKS && is_overtaken(&error) => {
                tracing::info!("looking at the PushTopics again, as somebody else is at them: {error}");
                now = look(org, capture, wanted).await?;
                looks += 1;
            }
            outcome => return Ok((outcome?, keeper.deeds)),
        }
    }
}

/// Whether what was seen of the topics is true no more.
fn is_overtaken(error: &Error) -> bool {
    match error {
        Error::TopicGone { .. } => true,
        Error::Streaming(error) => {
            matches!(**error, streaming::Error::Topic { problem: Problem::Gone | Problem::NameTaken, .. })
        }
        _ => false,
    }
}

/// What the topics that were kept amount to, as they were found and as they are now. If somebody else was at them in between, any may
/// have been silent for a moment that neither look shows.
fn changes(
    kept: Vec<Kept>,
    wanted: &[Wanted<'_>],
    before: &Look,
    now: &Look,
    overtaken: bool,
) -> Result<Vec<Changes>, Error> {
    let changes = kept.into_iter().zip(wanted).map(|(kept, (_, feed))| match kept {
        Kept::Polled(why) => Ok(Changes::Polled(why)),
        Kept::Topic { name, whole } => seen(before, now, &name, whole)
            .map(|topic| Changes::Announced(Topic { was_silent: overtaken || topic.was_silent, ..topic }))
            .ok_or_else(|| Error::TopicGone { object: feed.object.clone(), topic: name }),
    });
    changes.collect()
}

/// Checks the topics that administrators made, without touching anything.
///
/// # Errors
/// The first that does not serve.
pub async fn check_given(org: &Org, wanted: &[Wanted<'_>]) -> Result<(), Error> {
    let names = given_names(wanted);
    if names.is_empty() {
        return Ok(());
    }
    let look = push_topic::find(org, &names).await?;
    for (resource, feed) in wanted {
        if let Plan::Given(name) = plan(resource, feed) {
            judge(&look, name, resource, feed)?;
        }
    }
    Ok(())
}

/// Deletes the topics of this capture that none of its feeds needs. Answers what was done, in words.
///
/// # Errors
/// When one cannot be deleted.
pub async fn remove_orphans(org: &Org, capture: &str, wanted: &[Wanted<'_>]) -> Result<Vec<String>, Error> {
    let mut deeds = Vec::new();
    let look = match push_topic::list(org, capture).await {
        // Who polls everything needs no right to see PushTopics.
        Err(streaming::Error::Topic { problem: Problem::NotPermitted, .. }) if !needs_own(wanted) => return Ok(deeds),
        look => look?,
    };
    for topic in look.topics {
        let serves = |(resource, feed): &Wanted<'_>| {
            plan(resource, feed) == Plan::Own && topic.name == TopicName::derive(capture, feed.object.as_str()).as_str()
        };
        if !wanted.iter().any(serves) {
            push_topic::delete(org, &topic).await?;
            deeds.push(format!("deleted PushTopic {}, which no binding needs", topic.name));
        }
    }
    Ok(deeds)
}

/// The topics that these bindings use, as they stand now.
async fn look(org: &Org, capture: &str, wanted: &[Wanted<'_>]) -> Result<Look, Error> {
    let mut look = Look { topics: Vec::new(), at: None };
    if needs_own(wanted) {
        look = push_topic::list(org, capture).await?;
    }
    let names = given_names(wanted);
    if !names.is_empty() {
        let given = push_topic::find(org, &names).await?;
        look.topics.extend(given.topics);
        look.at = look.at.or(given.at);
    }
    Ok(look)
}

/// Whether a binding needs a topic of this capture.
pub fn needs_own(wanted: &[Wanted<'_>]) -> bool {
    wanted.iter().any(|(resource, feed)| plan(resource, feed) == Plan::Own)
}

fn given_names(wanted: &[Wanted<'_>]) -> Vec<TopicName> {
    wanted.iter().filter_map(|(resource, _)| resource.push_topic.clone()).collect()
}

fn named<'a>(look: &'a Look, name: &TopicName) -> Option<&'a Existing> {
    look.topics.iter().find(|topic| topic.name == name.as_str())
}

fn judge(look: &Look, name: &TopicName, resource: &Resource, feed: &Feed) -> Result<bool, Error> {
    let refuse = |problem| Error::option(&resource.stream, "push_topic", problem);
    let topic = named(look, name).ok_or_else(|| {
        refuse(format!(
            "the org has no PushTopic {name}, or the user may not read it: check the name, which minds its case"
        ))
    })?;
    given_topic::judge(topic, feed).map_err(|problem| refuse(format!("PushTopic {name} does not serve: {problem}")))
}

/// What became of a binding's wish for a topic.
enum Kept {
    Topic { name: TopicName, whole: bool },
    Polled(Polls),
}

fn seen(before: &Look, after: &Look, name: &TopicName, whole: bool) -> Option<Topic> {
    let now = named(after, name)?;
    let modstamp = Second::from(now.modstamp);
    let before = named(before, name).unwrap_or(now);
    Some(Topic {
        id: now.id,
        channel: Channel::topic(name),
        whole,
        found: before.modstamp.into(),
        was_silent: given_topic::was_silent(before, now),
        now: Checked { at: after.at.map_or(modstamp, Second::from), modstamp },
    })
}

/// Makes and mends this capture's own topics.
struct Keeper<'a> {
    org: &'a Org,
    capture: &'a str,
    /// The org has refused a topic for its limit: it would refuse the next one too.
    is_full: bool,
    deeds: Vec<String>,
}

impl Keeper<'_> {
    /// Keeps the topics of all that want one, in their order.
    async fn keep_all(&mut self, wanted: &[Wanted<'_>], look: &Look) -> Result<Vec<Kept>, Error> {
        let mut kept: Vec<Option<Kept>> = wanted.iter().map(|_| None).collect();
        // Who insists on a topic comes first: there may be few left.
        let insisting = |resource: &Resource| resource.mode == Mode::Stream;
        let (first, then): (Vec<_>, Vec<_>) =
            wanted.iter().enumerate().partition(|(_, (resource, _))| insisting(resource));
        for (n, (resource, feed)) in first.into_iter().chain(then) {
            kept[n] = Some(match plan(resource, feed) {
                Plan::Poll(why) => Kept::Polled(why),
                Plan::Given(name) => Kept::Topic { name: name.clone(), whole: judge(look, name, resource, feed)? },
                Plan::Own => self.keep(resource, feed, look).await?,
            });
        }
        Ok(kept.into_iter().flatten().collect())
    }

    async fn keep(&mut self, resource: &Resource, feed: &Feed, look: &Look) -> Result<Kept, Error> {
        let object = feed.object.as_str();
        let define = |query| Definition::new(self.capture, object, query, *self.org.api_version());
        let narrow = define(feed.narrow_topic())?;
        let known = named(look, narrow.name());
        if known.is_none() && self.is_full && resource.mode == Mode::Auto {
            return Ok(Kept::Polled(Polls::NoTopicLeft));
        }
        if let Some(whole) = feed.whole_topic().map(define).transpose()? {
            match self.bring_in_step(&whole, known).await {
                // A field that a topic cannot carry: the rows are fetched instead.
                Err(streaming::Error::Topic { problem: Problem::Field | Problem::Query, source, .. }) => {
                    tracing::info!(object, "events of this object announce rows instead of carrying them: {source}");
                }
                outcome => return self.kept(outcome, whole.name(), true, resource),
            }
        }
        let outcome = self.bring_in_step(&narrow, known).await;
        self.kept(outcome, narrow.name(), false, resource)
    }

    fn kept(
        &mut self,
        outcome: Result<Option<&'static str>, streaming::Error>,
        name: &TopicName,
        whole: bool,
        resource: &Resource,
    ) -> Result<Kept, Error> {
        match outcome {
            Ok(deed) => {
                let (object, how) = (&resource.object, if whole { "" } else { ", whose rows are fetched by id" });
                self.deeds.extend(deed.map(|deed| format!("{deed} PushTopic {name} for {object}{how}")));
                Ok(Kept::Topic { name: name.clone(), whole })
            }
            Err(streaming::Error::Topic { problem: Problem::TopicLimit, .. }) if resource.mode == Mode::Auto => {
                self.is_full = true;
                Ok(Kept::Polled(Polls::NoTopicLeft))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Makes or patches a topic, if need be.
    async fn bring_in_step(
        &self,
        definition: &Definition,
        known: Option<&Existing>,
    ) -> Result<Option<&'static str>, streaming::Error> {
        let Some(known) = known else {
            push_topic::create(self.org, definition).await?;
            return Ok(Some("created"));
        };
        match push_topic::compare(definition, known) {
            Difference::Same => Ok(None),
            Difference::Changed(_) => {
                push_topic::patch(self.org, known.id, definition).await?;
                Ok(Some("updated"))
            }
        }
    }
}
