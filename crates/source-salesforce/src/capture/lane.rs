//! A lane: one binding in a running session. Its machine decides; here its rows become documents.

use std::time::Duration;

use flow_protocol::state;
use jiff::Timestamp;
use salesforce_client::{Page, Record, RecordId};
use salesforce_streaming::{Channel, Kind, Notification, ReplayFrom};
use serde_json::Value;
use tokio::time::Instant;

use super::{
    binding::{Announced, Binding},
    freshness::Verdict,
    output::Output,
    position::Position,
    second::Second,
};
use crate::{
    document::{self, Op, Source},
    error::Error,
    feed::Feed,
    topics::Topic,
};

/// Rows asked for in one page: the most that Salesforce answers at once.
pub(super) const PAGE: usize = 2_000;

/// Bytes after which what a page has brought so far is committed, so that events do not wait behind it.
pub(super) const GROUP: usize = 1 << 20;

/// A stream that has announced nothing for this long has nothing to say: topics are evaluated about once a second.
const QUIET: Duration = Duration::from_secs(3);

/// A binding as the session is asked to capture it.
pub struct Bound {
    /// Its index in the request; documents carry it.
    pub index: u32,
    /// Its name for the user.
    pub stream: String,
    /// The key of its state.
    pub state_key: String,
    /// How it is read.
    pub feed: Feed,
    /// How its changes are announced.
    pub topic: Topic,
    /// Where it stands.
    pub position: Position,
}

/// A binding with all that belongs to it.
pub(super) struct Lane {
    pub(super) index: u32,
    pub(super) stream: String,
    pub(super) state_key: String,
    pub(super) feed: Feed,
    pub(super) channel: Channel,
    pub(super) machine: Binding,
    whole: bool,
    writer: document::Writer,
    /// The position as the state holds it, and the `live` of it.
    persisted: Value,
    persisted_live: Option<Second>,
    /// The page that arrived, until all its rows are written.
    page: Option<PageInHand>,
    fetching: bool,
    /// When the next fetch may be sent.
    pub(super) fetch_due: Instant,
    /// When the stream last said something.
    heard: Instant,
}

struct PageInHand {
    page: Page,
    next: usize,
    deleted: bool,
}

impl Lane {
    /// Takes up where the binding stands. Answers where its channel is to be subscribed.
    pub(super) fn new(bound: Bound, start_date: Option<Second>, now: Instant) -> (Self, ReplayFrom) {
        let Bound { index, stream, state_key, feed, topic, position } = bound;
        let (persisted, persisted_live) = (serde_json::to_value(&position).unwrap_or_default(), position.live);
        let (machine, start) = Binding::resume(position, topic.id, start_date);
        if start.topic_replaced {
            tracing::warn!(
                stream,
                "the PushTopic was deleted and made anew since the last session: reading all changes since then; rows \
                 deleted and purged from the recycle bin meanwhile cannot be found out"
            );
        }
        let lane = Self {
            writer: document::Writer::new(&feed.fields),
            index,
            stream,
            state_key,
            feed,
            channel: topic.channel,
            machine,
            whole: topic.whole,
            persisted,
            persisted_live,
            page: None,
            fetching: false,
            fetch_due: now,
            heard: now,
        };
        (lane, start.from)
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

    /// When the lane will count as quiet, if it is not caught up before.
    pub(super) fn quiet_at(&self) -> Instant {
        self.heard + QUIET
    }

    /// Whether history is complete, nothing waits, and the stream is past the second `org_time` or has nothing more to say.
    pub(super) fn is_caught_up(&self, org_time: Second, now: Instant) -> bool {
        self.machine.is_caught_up() && (self.machine.live() > Some(org_time) || now >= self.quiet_at())
    }

    /// Whether records wait to be fetched, and may be.
    pub(super) fn wants_fetch(&self) -> bool {
        !self.fetching && self.machine.wants_fetch()
    }

    /// The query of the fetch to be sent now.
    pub(super) fn send_fetch(&mut self, next: Instant) -> String {
        let ids = self.machine.next_fetch(self.feed.most_ids());
        (self.fetching, self.fetch_due) = (true, next);
        self.feed.by_id(&ids)
    }

    /// Whether a page is in hand.
    pub(super) fn has_page(&self) -> bool {
        self.page.is_some()
    }

    /// A page arrived; with deleted rows, if those were asked for.
    pub(super) fn take_page(&mut self, page: Page, deleted: bool) {
        self.page = Some(PageInHand { page, next: 0, deleted });
    }

    /// Gives the page in hand up, if too much has changed since it was asked for. It will be read again.
    pub(super) fn gives_up_page(&mut self) -> bool {
        let gives_up = self.machine.gives_up_page();
        if gives_up {
            self.page = None;
        }
        gives_up
    }

    /// Writes rows of the page in hand until a group is full. Answers whether the page is done.
    pub(super) fn write_page<O: Output>(&mut self, output: &mut O) -> Result<bool, Error> {
        let Some(mut hand) = self.page.take() else { return Ok(true) };
        let rows = hand.page.rows();
        let op = if hand.deleted { Op::Update } else { Op::Create };
        let mut upper = None;
        while hand.next < rows.len() && output.collected() < GROUP {
            let row = &rows[hand.next];
            hand.next += 1;
            let id = row.id().map_err(|source| self.bad_row("its history", source))?;
            upper = Some(id);
            if self.machine.page_row(id, self.feed.stamp(row)) == Verdict::Write {
                self.write_row(output, op, id, row);
            }
        }
        if let Some(upper) = upper {
            self.machine.page_written(upper, answered(&hand.page));
        }
        let is_done = hand.next >= rows.len();
        if is_done {
            let more = !hand.page.done() || rows.len() >= PAGE;
            self.machine.page_done(more);
        } else {
            self.page = Some(hand);
        }
        Ok(is_done)
    }

    /// Writes the records that a fetch has found, and deletions for those that are gone.
    pub(super) fn take_fetched<O: Output>(&mut self, page: &Page, output: &mut O) -> Result<(), Error> {
        self.fetching = false;
        let answered = answered(page);
        for row in page.rows() {
            let id = row.id().map_err(|source| self.bad_row("a fetch by id", source))?;
            if let Some(op) = self.machine.fetched(id, self.feed.stamp(row), answered) {
                self.write_row(output, op, id, row);
            }
        }
        for id in self.machine.fetch_done(answered) {
            output.document(self.index, |out| document::write_deleted(out, id, None));
        }
        Ok(())
    }

    /// Writes the row of an event, or sees to it that it is fetched.
    pub(super) fn take_notification<O: Output>(
        &mut self,
        notification: &Notification<'_>,
        output: &mut O,
    ) -> Result<(), Error> {
        let Notification { replay_id, created, kind, record, .. } = notification;
        let id = record.id().map_err(|source| self.bad_row("an event", source))?;
        let is_whole = self.whole && record.len() == self.feed.fields.len();
        let announced = Announced {
            replay: *replay_id,
            created: Second::from(*created),
            kind: *kind,
            id,
            whole: is_whole.then(|| self.feed.stamp(record)).flatten(),
        };
        if self.machine.event(announced) != Verdict::Write {
            return Ok(());
        }
        let source = Some(Source { replay_id: replay_id.get(), created: *created });
        output.document(self.index, |out| match kind {
            Kind::Created | Kind::Undeleted => self.writer.write(out, Op::Create, id, source, record),
            Kind::Updated => self.writer.write(out, Op::Update, id, source, record),
            Kind::Deleted => document::write_deleted(out, id, source),
        });
        Ok(())
    }

    /// Writes a row that was read, or the deletion that it amounts to.
    fn write_row<O: Output>(&mut self, output: &mut O, op: Op, id: RecordId, row: &Record<'_>) {
        let is_deleted = row.get("IsDeleted").is_some_and(|value| value.get() == "true");
        output.document(self.index, |out| match is_deleted {
            true => document::write_deleted(out, id, None),
            false => self.writer.write(out, op, id, None, row),
        });
    }

    fn bad_row(&self, feed: &'static str, source: salesforce_client::Error) -> Error {
        Error::Row { object: self.feed.object.clone(), feed, source: Box::new(source) }
    }
}

/// When a page was answered, by the org's clock; by ours where a proxy has dropped the header.
pub(super) fn answered(page: &Page) -> Second {
    #[expect(clippy::disallowed_methods, reason = "no better clock is at hand")]
    page.answered().unwrap_or_else(Timestamp::now).into()
}
