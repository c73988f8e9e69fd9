//! A lane: one binding in a running session. Its machine decides; here its rows become documents. How far it has come stands in
//! `standing`.

mod standing;

use std::time::Duration;

use flow_protocol::state;
use jiff::Timestamp;
use salesforce_client::{Class, Deleted, Page, Record, RecordId, retrieve::MOST_IDS};
use salesforce_streaming::{Channel, Kind, Notification, ReplayFrom};
use serde_json::Value;
use tokio::time::Instant;

use super::{
    binding::{Announced, Binding},
    fetches::{Door, Fetch},
    freshness::Verdict,
    jobs::Way,
    output::Output,
    plan::LISTS,
    position::{Position, Read},
    reads::LOG_OF_DELETIONS,
    refresh::Refreshes,
    second::Second,
    seen::Seen,
    tally::{By, Counter, Purpose},
};
use crate::{
    changes::{Changes, Polls, Topic},
    document::{self, Op, Print, Source},
    error::Error,
    feed::{Feed, QUERIED_IDS},
    resource::{Deletions, Resource},
    row::{Facts, Row},
};

/// Rows asked for in one page: the most that Salesforce answers at once.
pub(super) const PAGE: usize = 2_000;

/// Bytes after which what a page has brought so far is committed, so that events do not wait behind it.
pub(super) const GROUP: usize = 1 << 20;

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
    /// When the next poll or sweep is due.
    sweep_due: Instant,
    /// Time between two of them.
    interval: Duration,
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
    /// Bytes of a row, by the latest reply that had some.
    row_bytes: usize,
    /// When the stream last said something.
    heard: Instant,
}

/// What the org lists as deleted, as far as it is read.
#[derive(Debug, Default)]
enum List {
    /// There is none to read.
    #[default]
    None,
    /// It is to be asked for.
    Due(Second),
    /// It is asked for, since then by the org's clock.
    Asked(Second),
    /// Records that no page has shown as deleted, still to be fetched; the list is true up to `until`.
    InHand { ids: Vec<RecordId>, until: Second },
}

struct PageInHand {
    page: Page,
    next: usize,
    deleted: bool,
    /// So many rows were asked for.
    most: usize,
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
        if let Some(visible) = visible {
            machine.history_covers(visible);
        }
        let stream = &resource.stream;
        let was_changed =
            topic.as_ref().is_some_and(|topic| machine.topic_seen(topic.found, topic.was_silent, topic.now));
        let mut counter = Counter::default();
        // A repair may have been begun by an earlier session.
        if was_streamed && machine.is_repairing() {
            counter.lost(machine.lost_since());
        }
        if start.topic_replaced {
            tracing::warn!(
                stream,
                since = since(&counter),
                "the PushTopic was deleted and made anew since the last session: reading all changes since then"
            );
        } else if let Some(topic) = topic.as_ref().filter(|_| was_changed) {
            counter.heard(topic.now.at);
            warn_of_changed_topic(stream, &counter);
        }
        let channel = topic.as_ref().map(|topic| topic.channel.clone());
        let refreshes = Refreshes::new(resource.refresh.clone(), machine.refreshed());
        let lane = Self {
            writer: document::Writer::new(&feed.fields),
            row_bytes: feed.fields.len() * FIELD,
            index,
            resource,
            state_key,
            feed,
            machine,
            way,
            channel: channel.clone(),
            polls,
            sweep_due: if topic.is_some() { now + interval } else { now },
            interval,
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
            self.sweep_due = now + self.interval.saturating_sub(Duration::from_secs(age.max(0).unsigned_abs()));
        }
    }

    /// Whether a poll or a sweep is due at `sweep_due`.
    pub(super) fn awaits_sweep(&self) -> bool {
        !self.is_held() && !self.covering && self.machine.awaits_sweep()
    }

    /// Whether a poll or a sweep that is due for others may as well begin here: it is due, or will be within a twentieth of its interval.
    pub(super) fn joins_sweep(&self, now: Instant) -> bool {
        self.sweep_due(now) <= now + self.interval / 20
    }

    /// A poll or a sweep begins; the next is due after so many times the interval.
    pub(super) fn begin_sweep(&mut self, now: Instant, slower: f64) {
        self.sweep_due = now + self.interval.mul_f64(slower);
        self.covering = true;
    }

    /// The org did not say up to when its changes are visible: it is to be asked again.
    pub(super) fn lost_time(&mut self, now: Instant) {
        (self.covering, self.sweep_due) = (false, now);
    }

    /// The org did not list what is deleted: it is to be asked again.
    pub(super) fn lost_list(&mut self, from: Second) {
        self.list = List::Due(from);
    }

    /// The changes are to be read. `covers`: up to where the org says they are visible.
    pub(super) fn sweep(&mut self, covers: Option<Second>) {
        self.covering = false;
        self.seen.sweep_begins();
        self.machine.sweep(covers);
    }

    /// Whether history is being read, or what a gap has cost.
    pub(super) fn is_backfilling(&self) -> bool {
        match self.polls {
            Some(_) => self.machine.live().is_none(),
            None => self.machine.is_reading(),
        }
    }

    /// The next page to be sent for, if one is due.
    pub(super) fn next_page(&mut self) -> Option<Read> {
        let read = (!self.is_held()).then(|| self.machine.next_page()).flatten();
        self.paging |= read.is_some();
        read
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

    /// The reply to a page or a fetch was a refusal that a new describe may explain: what was asked for is asked for again.
    pub(super) fn lost_page(&mut self) {
        self.paging = false;
        self.machine.page_lost();
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

    /// The topic was looked at. Answers where its channel is to be subscribed, if that must be done anew.
    pub(super) fn topic_seen(&mut self, topic: &Topic) -> Option<(Channel, ReplayFrom)> {
        self.whole = topic.whole;
        if self.machine.is_topic(topic.id) {
            if self.machine.topic_seen(topic.found, topic.was_silent, topic.now) {
                self.counter.lost(self.machine.lost_since());
                self.counter.heard(topic.now.at);
                warn_of_changed_topic(self.stream(), &self.counter);
                if let Some(Error::Refused { .. }) = self.doubt {
                    // It was refused as the topic was then.
                    self.machine.gap();
                    return Some((topic.channel.clone(), ReplayFrom::Tip));
                }
            }
            return None;
        }
        self.machine.topic_replaced(topic.id);
        self.machine.topic_seen(topic.found, topic.was_silent, topic.now);
        self.counter.lost(self.machine.lost_since());
        tracing::warn!(
            stream = self.stream(),
            since = since(&self.counter),
            "the PushTopic was deleted and is made anew: reading all changes since the last look at it"
        );
        self.channel = Some(topic.channel.clone());
        Some((topic.channel.clone(), ReplayFrom::Tip))
    }

    /// Whether a page is in hand.
    pub(super) fn has_page(&self) -> bool {
        self.page.is_some()
            || self.way.has_rows()
            || matches!(self.list, List::InHand { .. }) && !self.machine.has_long_queue()
    }

    /// A page arrived, of at most so many rows; with deleted rows, if those were asked for.
    pub(super) fn take_page(&mut self, page: Page, deleted: bool, most: usize) {
        self.machine.page_arrived(answered(page.answered()));
        self.weigh(page.size(), page.rows().len());
        if self.way.page_came(page.rows().len())
            && let Err(field) = &self.feed.columns
        {
            tracing::info!(stream = self.stream(), %field, "reading on by pages, as Bulk API 2.0 does not carry a selected field");
        }
        self.page = Some(PageInHand { page, next: 0, deleted, most });
    }

    pub(super) fn weigh(&mut self, bytes: usize, rows: usize) {
        if let Some(each) = bytes.checked_div(rows) {
            self.row_bytes = each;
        }
    }

    /// Gives the page in hand up, if too much has changed since it was asked for. It will be read again.
    pub(super) fn gives_up_page(&mut self) -> bool {
        let gives_up = self.machine.gives_up_page();
        if gives_up {
            (self.page, self.list, self.paging) = (None, List::None, false);
        }
        gives_up
    }

    /// Writes rows of the page in hand until a group is full. Answers whether the page is done.
    pub(super) fn write_page<O: Output>(&mut self, output: &mut O) -> Result<bool, Error> {
        let Some(mut hand) = self.page.take() else { return Ok(self.work_off_list()) };
        let rows = hand.page.rows();
        let mut upper = None;
        while hand.next < rows.len() && output.collected() < GROUP {
            let row = self.feed.row(&rows[hand.next]).map_err(|source| self.bad_row("its history", source))?;
            hand.next += 1;
            upper = Some(self.write_read_row(output, hand.deleted, row)?);
        }
        if let Some(upper) = upper {
            self.machine.page_written(upper, answered(hand.page.answered()));
        }
        if hand.next >= rows.len() {
            let more = !hand.page.done() || rows.len() >= hand.most;
            let at = answered(hand.page.answered());
            let every = if self.hurries { 0 } else { LISTS.into() };
            let from = self.machine.to_list(at, every).filter(|_| !more && self.feed.is_replicateable);
            match from {
                Some(from) => self.list = List::Due(from),
                None => {
                    if !more && self.machine.purpose() == Some(Purpose::Repair) {
                        self.counter.misses_purged();
                    }
                    self.end_page(more);
                }
            }
        } else {
            self.page = Some(hand);
        }
        Ok(!self.paging)
    }

    /// Writes a row of a page or a job, unless something newer is written or it must be fetched. Answers its id.
    pub(super) fn write_read_row<O: Output>(
        &mut self,
        output: &mut O,
        deleted: bool,
        row: Row<'_>,
    ) -> Result<RecordId, Error> {
        let Facts { id, stamp, is_new, is_deleted } = row.facts;
        if !self.machine.row_follows(id) {
            return Err(Error::OutOfOrder { object: self.feed.object.clone(), id });
        }
        self.counter.row();
        // What was never captured need not be deleted.
        if !deleted && is_deleted {
            return Ok(id);
        }
        match self.machine.page_row(id, stamp) {
            Verdict::Drop => {}
            Verdict::Fetch => self.counter.awaits(id, By::Page),
            Verdict::Write if deleted => {
                let op = if is_new { Op::Create } else { Op::Update };
                self.write_found(output, op, row);
            }
            Verdict::Write if self.machine.is_refreshing() => self.write_refreshed(output, row),
            Verdict::Write => {
                self.counter.wrote(true, false);
                self.write_row(output, Op::Create, row);
            }
        }
        Ok(id)
    }

    /// The page is done, and without `more` also the read.
    pub(super) fn end_page(&mut self, more: bool) {
        if !more && let Some(purpose) = self.machine.purpose() {
            self.tell_refreshed();
            self.counter.ended(purpose);
            self.way.read_done();
        }
        self.machine.page_done(more);
        self.paging = false;
    }

    /// From when on the org's list of deletions is to be asked for, if it is. It counts as sent.
    pub(super) fn next_list(&mut self, now: Option<Second>) -> Option<Second> {
        let List::Due(from) = self.list else { return None };
        self.list = List::Asked(now?);
        Some(from)
    }

    /// The list arrived, or the org refuses it. Answers whether the read at hand is done.
    pub(super) fn take_list(
        &mut self,
        from: Second,
        result: Result<Deleted, salesforce_client::Error>,
    ) -> Result<bool, Error> {
        let stream = self.stream();
        match result {
            Ok(deleted) => {
                let is_news = |id: &RecordId| !self.seen.knows_deleted(*id);
                let ids: Vec<_> = deleted.records.into_iter().map(|(id, _)| id).filter(is_news).collect();
                if !ids.is_empty() {
                    tracing::info!(stream, rows = ids.len(), "records are listed as deleted that no read has found");
                }
                let until = Second::from(deleted.covered);
                if from < until.plus(-LOG_OF_DELETIONS) {
                    self.counter.misses_purged();
                }
                self.list = List::InHand { ids, until };
                Ok(false)
            }
            Err(error) if error.class() == Class::Fatal => {
                // Not every object that says it is replicateable is.
                if error.code() == Some("INVALID_REPLICATION_DATE") {
                    tracing::warn!(
                        stream,
                        since = %from,
                        "records were purged from the recycle bin, and Salesforce does not tell which: those that were deleted since \
                         then and not captured as deleted stay in the collection; backfill the binding to be rid of them: {error}"
                    );
                } else {
                    tracing::debug!(stream, "Salesforce does not list deleted records: {error}");
                }
                self.counter.misses_purged();
                if let List::Asked(at) = std::mem::take(&mut self.list) {
                    self.machine.listed(at);
                }
                self.end_page(false);
                Ok(true)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Asks for more of the records that are listed as deleted. Answers whether the read at hand is done.
    fn work_off_list(&mut self) -> bool {
        let List::InHand { ids, until } = &mut self.list else { return true };
        while let Some(id) = ids.pop_if(|_| !self.machine.has_long_queue()) {
            self.machine.list(id);
            self.counter.awaits(id, By::List);
        }
        if ids.is_empty() {
            self.machine.listed(*until);
            self.list = List::None;
            self.end_page(false);
        }
        !self.paging
    }

    /// Writes the records that a fetch has found, and deletions for those that are gone.
    pub(super) fn take_fetched<'a, O: Output>(
        &mut self,
        rows: impl Iterator<Item = &'a Record<'a>>,
        at: Option<Timestamp>,
        bytes: usize,
        output: &mut O,
    ) -> Result<(), Error> {
        self.fetching = false;
        let (answered, mut count) = (answered(at), 0);
        for row in rows {
            let row = self.feed.row(row).map_err(|source| self.bad_row("a fetch by id", source))?;
            count += 1;
            if let Some(op) = self.machine.fetched(row.facts.id, row.facts.stamp, answered) {
                self.counter.fetched(row.facts.id, row.facts.is_deleted);
                let print = self.print(row);
                self.seen.wrote(row.facts.id, print);
                self.write_row(output, op, row);
            }
        }
        self.weigh(bytes, count);
        for id in self.machine.fetch_done(answered) {
            self.seen.wrote(id, Print::DELETED);
            self.counter.gone(id);
            self.write_gone(output, id);
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
        let source = Source { replay_id: replay_id.get(), created: *created };
        let op = match kind {
            Kind::Created | Kind::Undeleted => Some(Op::Create),
            Kind::Updated => Some(Op::Update),
            Kind::Deleted => None,
        };
        let mut print = Print::DELETED;
        output.document(self.index, |out| match op {
            Some(op) => print = self.writer.write_event(out, op, id, source, record),
            None => self.writer.write_deleted(out, id, Some(source)),
        });
        self.seen.wrote(id, print);
        Ok(())
    }

    /// Writes a row that was changed since some time ago, unless it was written as it is.
    fn write_found<O: Output>(&mut self, output: &mut O, op: Op, row: Row<'_>) {
        let Facts { id, stamp, .. } = row.facts;
        let print = self.print(row);
        let repeats = self.seen.repeats(id, print);
        self.seen.wrote(id, print);
        if repeats {
            return;
        }
        let is_known =
            !self.seen.is_forgetful() && self.knows_since.zip(stamp).is_some_and(|(since, stamp)| stamp > since);
        self.counter.wrote(is_known, row.facts.is_deleted);
        self.write_row(output, op, row);
    }

    pub(super) fn print(&mut self, row: Row<'_>) -> Print {
        match (row.facts.is_deleted, self.feed.deletions) {
            (true, Deletions::Remove) => Print::DELETED,
            (true, Deletions::Keep) => self.writer.print(row.fields).deleted(),
            (false, _) => self.writer.print(row.fields),
        }
    }

    /// Writes a row that was read, or the deletion that it amounts to.
    pub(super) fn write_row<O: Output>(&mut self, output: &mut O, op: Op, row: Row<'_>) {
        let Facts { id, is_deleted, .. } = row.facts;
        output.document(self.index, |out| match (is_deleted, self.feed.deletions) {
            (true, Deletions::Remove) => self.writer.write_deleted(out, id, None),
            (true, Deletions::Keep) => self.writer.write_kept(out, id, row.fields),
            (false, _) => self.writer.write(out, op, id, None, row.fields),
        });
    }

    /// Writes the deletion of a record that nobody shows any more.
    fn write_gone<O: Output>(&self, output: &mut O, id: RecordId) {
        output.document(self.index, |out| match self.feed.deletions {
            Deletions::Remove => self.writer.write_deleted(out, id, None),
            Deletions::Keep => self.writer.write_purged(out, id, self.feed.tells_deleted()),
        });
    }

    fn bad_row(&self, feed: &'static str, source: salesforce_client::Error) -> Error {
        Error::Row { object: self.feed.object.clone(), feed, source: Box::new(source) }
    }
}

/// When a reply was made, by the org's clock; by ours where a proxy has dropped the header.
pub(super) fn answered(at: Option<Timestamp>) -> Second {
    #[expect(clippy::disallowed_methods, reason = "no better clock is at hand")]
    at.unwrap_or_else(Timestamp::now).into()
}

/// Since when changes may not have been heard, for the log.
fn since(counter: &Counter) -> Option<String> {
    counter.repair()?.since.map(|since| since.to_string())
}

fn warn_of_changed_topic(stream: &str, counter: &Counter) {
    tracing::warn!(
        stream,
        since = since(counter),
        "the PushTopic was changed, or fields it names are gone, and it may have announced nothing for a while: reading all \
         changes since then"
    );
}
