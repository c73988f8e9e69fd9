//! A lane: one binding in a running session. Its machine decides, and the lane does what it says.
//!
//! Here is what it is made of and how it goes on. In the rooms behind it: when it polls or sweeps (`sweeps`), the page that it reads
//! (`pages`) and how much it asks for (`portion`), the list of deletions (`deletions`), how rows become documents (`rows`), what becomes of
//! its topic (`topic`), and how far it has come (`standing`).

mod deletions;
mod pages;
mod portion;
mod rows;
mod standing;
mod sweeps;
mod topic;

use std::time::Duration;

use flow_protocol::state;
use salesforce_client::retrieve::MOST_IDS;
use salesforce_streaming::{Channel, ReplayFrom};
use serde_json::Value;
use tokio::time::Instant;

use self::{deletions::List, pages::PageInHand};
use super::{
    binding::Binding,
    fetches::{Door, Fetch},
    jobs::Way,
    position::Position,
    reads::PAGE,
    refresh::Refreshes,
    second::Second,
    seen::Seen,
    tally::Counter,
    timetable::Timetable,
};
use crate::{
    changes::{Changes, Polls},
    document,
    error::Error,
    feed::{Feed, QUERIED_IDS},
    resource::{Deletions, Resource},
};

/// Bytes of a field, until rows have shown how large they are.
const FIELD: usize = 30;

/// A binding as the session is asked to capture it.
pub struct Bound {
    /// Its index in the request; documents carry it.
    pub index: u32,
    /// The key of its state.
    pub state_key: String,
    /// What its user wants.
    pub resource: Resource,
    /// How it is read.
    pub feed: Feed,
    /// How its changes are learned of.
    pub changes: Changes,
    /// Where it stands.
    pub position: Position,
    /// Up to when changes were visible before anything was subscribed, if the org was asked and says so.
    pub visible: Option<Second>,
}

/// A binding with all that belongs to it.
pub(super) struct Lane {
    pub(super) index: u32,
    pub(super) resource: Resource,
    pub(super) state_key: String,
    pub(super) feed: Feed,
    pub(super) machine: Binding,
    /// How its reads go.
    pub(super) way: Way,
    /// Where its changes are announced; `None` where they are polled.
    pub(super) channel: Option<Channel>,
    /// Why they are polled, if they are.
    pub(super) polls: Option<Polls>,
    /// When polls and sweeps are due.
    sweeps: Timetable,
    whole: bool,
    writer: document::Writer,
    /// The position as the state holds it, and the `live` of it.
    persisted: Value,
    persisted_live: Option<Second>,
    /// The page that arrived, until all its rows are written.
    page: Option<PageInHand>,
    /// The org's list of deletions, to be read before the read at hand is done.
    list: List,
    /// A page is on its way.
    paging: bool,
    /// What it takes of the session's room for pages.
    pub(super) room: usize,
    fetching: bool,
    /// What the org refused, if the object or its topic may have changed: nothing more is read until both are looked at.
    pub(super) doubt: Option<Error>,
    /// How the object is to be read once nothing is on its way.
    pub(super) fresh: Option<Feed>,
    /// The org is asked up to when changes are visible.
    covering: bool,
    pub(super) seen: Seen,
    pub(super) refreshes: Refreshes,
    /// Since when this session knows what was written; `None` before the org has told its time.
    knows_since: Option<Second>,
    /// What reads have brought, and gaps have cost.
    pub(super) counter: Counter,
    /// Up to here all was complete at the last commit.
    pub(super) complete: Option<Second>,
    /// The binding is to be captured as it is now, and no longer: it does not wait for the time of a sweep.
    hurries: bool,
    /// The most rows that a page is asked for.
    most: usize,
    /// Bytes of a row, by the latest reply that had some.
    row_bytes: usize,
    /// When the stream last said something.
    heard: Instant,
}

impl Lane {
    /// Takes up where the binding stands; polls or sweeps come at this interval. Answers where its channel is to be subscribed, if it has one.
    pub(super) fn new(
        bound: Bound,
        start_date: Option<Second>,
        interval: Duration,
        way: Way,
        hurries: bool,
        now: Instant,
    ) -> (Self, Option<(Channel, ReplayFrom)>) {
        let Bound { index, state_key, resource, feed, changes, position, visible } = bound;
        let (persisted, persisted_live) = (serde_json::to_value(&position).unwrap_or_default(), position.live);
        let (topic, polls) = match changes {
            Changes::Announced(topic) => (Some(topic), None),
            Changes::Polled(why) => (None, Some(why)),
        };
        let was_streamed = position.topic.is_some();
        let start_date = resource.start_date.map(Second::from).or(start_date);
        let (mut machine, start) = Binding::resume(position, topic.as_ref().map(|topic| topic.id), start_date);
        if feed.deletions == Deletions::Keep {
            machine.keep_deleted();
        }
        if !feed.is_replicateable {
            machine.has_no_list();
        }
        if let Some(visible) = visible {
            machine.history_covers(visible);
        }
        let stream = &resource.stream;
        let was_changed =
            topic.as_ref().is_some_and(|topic| machine.topic_seen(topic.found, topic.was_silent, topic.now));
        let mut counter = Counter::default();
        // A repair may have been begun by an earlier session.
        if was_streamed && machine.agenda().is_repairing() {
            counter.lost(machine.agenda().lost_since());
        }
        if start.topic_replaced {
            tracing::warn!(
                stream,
                since = topic::since(&counter),
                "the PushTopic was deleted and made anew since the last session: reading all changes since then"
            );
        } else if let Some(topic) = topic.as_ref().filter(|_| was_changed) {
            counter.heard(topic.now.at);
            topic::warn_of_changed_topic(stream, &counter);
        }
        let channel = topic.as_ref().map(|topic| topic.channel.clone());
        let refreshes = Refreshes::new(resource.refresh.clone(), machine.refreshed());
        let lane = Self {
            writer: document::Writer::new(&feed.fields),
            row_bytes: feed.fields.len() * FIELD,
            most: PAGE,
            index,
            resource,
            state_key,
            feed,
            machine,
            way,
            channel: channel.clone(),
            polls,
            sweeps: Timetable::new(if topic.is_some() { now + interval } else { now }, interval),
            whole: topic.is_some_and(|topic| topic.whole),
            persisted,
            persisted_live,
            page: None,
            list: List::None,
            paging: false,
            room: 0,
            fetching: false,
            doubt: None,
            fresh: None,
            covering: false,
            seen: Seen::default(),
            refreshes,
            knows_since: None,
            counter,
            complete: None,
            hurries,
            heard: now,
        };
        (lane, channel.zip(start.from))
    }

    /// The stream's name for the user.
    pub(super) fn stream(&self) -> &str {
        &self.resource.stream
    }

    /// What the state lacks of where the binding stands now, if anything. It counts as persisted.
    pub(super) fn position_patch(&mut self) -> Option<Value> {
        let position = self.machine.position();
        let value = serde_json::to_value(&position).unwrap_or_default();
        let patch = state::diff(&self.persisted, &value);
        (self.persisted, self.persisted_live) = (value, position.live);
        patch
    }

    /// Seconds from the persisted position to `now`.
    pub(super) fn lags(&self, now: Second) -> i64 {
        self.persisted_live.map_or(0, |live| now.since(live))
    }

    /// The stream said something about this lane.
    pub(super) fn hear(&mut self, now: Instant) {
        self.heard = now;
    }

    /// Whether nothing more is to be sent for until the object is read in another way.
    fn is_held(&self) -> bool {
        self.doubt.is_some() || self.fresh.is_some()
    }

    /// The channel is subscribed, by the org's clock at `at`. Beside a stream, the first sweep of a session is due when the last
    /// one of the session before is old enough.
    pub(super) fn subscribed(&mut self, from: ReplayFrom, at: Second, now: Instant) {
        self.machine.subscribed(from, at);
        self.counter.heard(at);
        self.heard = now;
        if self.knows_since.is_none() {
            self.knows_since = Some(at);
            let age = self.machine.complete().map_or(0, |complete| at.since(complete));
            self.sweeps.last_was(Duration::from_secs(age.max(0).unsigned_abs()), now);
        }
    }

    /// Whether history is being read, or what a gap has cost.
    pub(super) fn is_backfilling(&self) -> bool {
        match self.polls {
            Some(_) => self.machine.live().is_none(),
            None => self.machine.agenda().is_reading(),
        }
    }

    /// Whether records wait to be fetched, and may be.
    pub(super) fn wants_fetch(&self) -> bool {
        !self.is_held() && !self.fetching && self.machine.wants_fetch()
    }

    /// The fetch to be sent now, of about so many bytes at most.
    pub(super) fn next_fetch(&mut self, bytes: usize) -> Option<Fetch> {
        let fetched = (bytes / self.row_bytes.max(1)).clamp(1, MOST_IDS);
        let fetch = self.machine.next_fetch(|door| match door {
            Door::Retrieve => fetched,
            Door::Query => fetched.min(QUERIED_IDS),
        });
        self.fetching = fetch.is_some();
        fetch
    }

    /// As [`Lane::lost_page`], for a fetch.
    pub(super) fn lost_fetch(&mut self) {
        self.fetching = false;
        self.machine.fetch_lost();
    }

    /// Takes the fresh feed, if there is one and nothing is on its way any more. Answers whether documents look different now.
    pub(super) fn renew(&mut self) -> bool {
        if self.paging || self.fetching || self.covering {
            return false;
        }
        let Some(feed) = self.fresh.take() else { return false };
        self.writer = document::Writer::new(&feed.fields);
        self.tell_complete();
        self.row_bytes = feed.fields.len() * FIELD;
        (self.feed, self.doubt) = (feed, None);
        true
    }
}
