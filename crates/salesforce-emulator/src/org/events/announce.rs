//! From what a transaction changed to events: which topics hear of it, in which order, as which JSON.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;

use super::audience::Audience;
use super::event_log::Announced;
use super::push_topic::{Rule, Topic};
use crate::org::reading::render;
use crate::org::records::{Change, ChangeKind};
use crate::org::storage::{Database, KeptEvent};
use crate::org::value::write_text;
use crate::org::{Id, Inner, Org, Refusal};

/// What a committed transaction means for others.
#[derive(Debug, Default)]
pub(in crate::org) struct Announcement {
    pub(in crate::org) events: Vec<(u64, Announced)>,
    pub(in crate::org) topics_changed: bool,
    /// Users that were made or changed.
    pub(in crate::org) users: Vec<Id>,
}

impl Announcement {
    pub(in crate::org) fn add(&mut self, other: Self) {
        self.events.extend(other.events);
        self.topics_changed |= other.topics_changed;
        self.users.extend(other.users);
    }
}

impl Org {
    /// The topic of that name, in its exact case.
    pub(crate) fn topic(&self, name: &str) -> Option<Arc<Topic>> {
        let topics = self.0.topics.read().unwrap_or_else(PoisonError::into_inner);
        topics.iter().find(|topic| topic.name == name).cloned()
    }
}

impl Inner {
    /// Tells of what was committed.
    pub(in crate::org) fn publish(&self, database: &Database, announcement: Announcement) -> Result<(), Refusal> {
        let Announcement { events, topics_changed, users } = announcement;
        self.seat(database, &users)?;
        self.log.append(events);
        if topics_changed {
            self.set_topics(Topic::load(&database.connection, &self.views(self.administrator))?);
            self.retain_events(database, self.clock.now())?;
        }
        Ok(())
    }

    /// The events of a transaction's changes, in the order in which they are delivered.
    pub(in crate::org) fn announce(
        &self,
        database: &Database,
        changes: Vec<Change>,
        now: Timestamp,
    ) -> Result<Vec<(u64, Announced)>, Refusal> {
        let topics = self.topics();
        let all_share = self.visibility().granted().sharing().is_open();
        let whole = (!all_share).then(|| self.views(self.administrator).whole);
        let mut events = Vec::new();
        for change in delivery_order(changes) {
            for (topic, rule) in topics.iter().filter_map(|topic| Some((topic, topic.rule()?))) {
                if !rule.concerns(&change) || !rule.matches(&database.connection, change.id)? {
                    continue;
                }
                let replay_id = self.log.issue();
                let data = event(database, rule, &change, replay_id, now)?;
                let audience = match &whole {
                    None => Audience::default(),
                    Some(whole) => Audience::of(database, whole, &change.object, change.id)?,
                };
                if database.durable {
                    database.keep_event(&KeptEvent {
                        stream: topic.stream,
                        replay: replay_id,
                        at: now,
                        data: data.clone(),
                        audience: audience.clone(),
                    })?;
                    database.set_meta("last_replay", replay_id)?;
                }
                events.push((topic.stream, Announced { replay_id, at: now, data: Bytes::from(data), audience }));
            }
        }
        Ok(events)
    }

    pub(in crate::org) fn set_topics(&self, topics: Vec<Arc<Topic>>) {
        *self.topics.write().unwrap_or_else(PoisonError::into_inner) = topics;
    }

    /// Forgets events that are too old, and those of topics that are gone.
    pub(in crate::org) fn retain_events(&self, database: &Database, now: Timestamp) -> Result<(), Refusal> {
        let streams: Vec<u64> = self.topics().iter().map(|topic| topic.stream).collect();
        let live = |stream| streams.contains(&stream);
        self.log.retain(now, live);
        if database.durable {
            database.forget_events(self.log.horizon(now), live)?;
        }
        Ok(())
    }

    pub(in crate::org) fn topics(&self) -> Vec<Arc<Topic>> {
        self.topics.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Records stay in the order of their first change; the changes of each come latest first.
fn delivery_order(changes: Vec<Change>) -> Vec<Change> {
    let mut by_record: Vec<(Id, Vec<Change>)> = Vec::new();
    let mut places = HashMap::new();
    for change in changes {
        let place = *places.entry(change.id).or_insert_with(|| {
            by_record.push((change.id, Vec::new()));
            by_record.len() - 1
        });
        by_record[place].1.push(change);
    }
    by_record.into_iter().flat_map(|(_, changes)| changes.into_iter().rev()).collect()
}

/// The `data` of an event. Values are those at commit; a deleted record has only its id.
fn event(
    database: &Database,
    rule: &Rule,
    change: &Change,
    replay_id: i64,
    now: Timestamp,
) -> Result<Vec<u8>, Refusal> {
    let created = now.strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
    let kind = change.kind.name();
    let head = format!(
        "{{\"event\":{{\"createdDate\":\"{created}\",\"replayId\":{replay_id},\"type\":\"{kind}\"}},\"sobject\":"
    );
    let mut data = head.into_bytes();
    if change.kind == ChangeKind::Deleted {
        data.extend_from_slice(b"{\"Id\":");
        write_text(&mut data, change.id.as_str());
        data.push(b'}');
    } else {
        let mut statement = database.connection.prepare_cached(&rule.plan.record_sql())?;
        let mut rows = statement.query([change.id.as_str()])?;
        let row = rows.next()?.ok_or_else(Refusal::not_found)?;
        render::sobject(&mut data, &rule.plan, row)?;
    }
    data.push(b'}');
    Ok(data)
}
