//! The machine of one binding: what to do with each event and row, what to read next, and where the binding stands.
//!
//! Pure: it never reads a clock, a socket or a document. The session tells it what arrived and was written, and does what it
//! answers. The order of a binding's life:
//!
//! 1. *Subscribing*: the channel is asked for first, so that no change falls between history and stream.
//! 2. *Reading* while streaming: pages of history in the order of ids; [`super::freshness`] decides between a page row and an
//!    event of the same record, and a fetch by id settles what cannot be decided.
//! 3. *Streaming*: no reads are left.
//! 4. A *gap* (Salesforce no longer has the events after our position, the topic is another one, or somebody has switched it
//!    off) adds a read of all that changed since the stream was last known to be complete, deleted rows included, and goes
//!    on with 2.
//!
//! 5. A *sweep* now and then: a read of all that changed since the time up to which everything is captured, because Bulk loads,
//!    cascades and merges are not announced.
//!
//! A binding whose changes are *polled* has no channel. It begins with 2, and each poll is what a sweep is to a stream.
//!
//! What is still to be read stands in [`super::agenda`]; how far all is complete is answered in `standing`.

mod standing;

use salesforce_client::{
    RecordId,
    bulk::{JobId, ResultLocator},
};
use salesforce_streaming::{Kind, ReplayFrom, ReplayId};

use super::{
    agenda::{Agenda, REPAIR_OVERLAP, SWEEP_OVERLAP},
    fetches::{Door, Fetch, Fetches, Wanted},
    freshness::{CLOCK_SKEW, EVALUATION_LAG, Freshness, Verdict},
    ledger::Ledger,
    position::{Checked, Position, Read},
    second::Second,
    tally::Purpose,
};
use crate::document::Op;

/// Before the first event there is no position; the stream then resumes with everything retained. Events created this many
/// seconds before we subscribed are older than all reads and are passed over.
const BEFORE_SUBSCRIPTION: i64 = 60;

/// Events that may wait for their records before no further ones are taken in.
const OPEN_EVENTS: usize = 5_000;

/// Where one binding stands and what is on its way for it.
#[derive(Debug, Clone)]
pub struct Binding {
    /// The topic that announces changes; `None` where they are polled.
    topic: Option<RecordId>,
    checked: Option<Checked>,
    /// Where history starts.
    start: Option<Second>,
    live: Option<Second>,
    swept: Option<Second>,
    listed: Option<Second>,
    refreshed: Option<Second>,
    heard: Option<Second>,
    agenda: Agenda,
    /// Something was captured by an earlier session: its reads must not be forgotten before this one has subscribed.
    goes_on: bool,
    subscribed: bool,
    passes_over: Option<Second>,
    freshness: Freshness,
    ledger: Ledger,
    fetches: Fetches,
    /// Up to here all is written, what had to be fetched by id included.
    proved: Option<Second>,
    /// Deleted records are fetched for their last values.
    keeps_deleted: bool,
    /// The org lists the object's deletions.
    has_list: bool,
}

/// An event as the machine sees it.
#[derive(Debug, Clone, Copy)]
pub struct Announced {
    /// Its place in the channel.
    pub replay: ReplayId,
    /// When Salesforce created it.
    pub created: Second,
    /// What happened.
    pub kind: Kind,
    /// The record.
    pub id: RecordId,
    /// The stamp of the row it carries; `None` when it does not carry the whole row.
    pub whole: Option<Second>,
}

/// How the binding starts: from where its channel is read, and what was lost, if anything.
#[derive(Debug, PartialEq, Eq)]
pub struct Start {
    /// Where to subscribe; `None` where changes are polled.
    pub from: Option<ReplayFrom>,
    /// The topic is not the one that the position belongs to.
    pub topic_replaced: bool,
}

impl Binding {
    /// Takes up where `position` stands, with the topic that exists now, or none where changes are to be polled. `start` bounds
    /// the history of a new binding.
    pub fn resume(position: Position, topic: Option<RecordId>, start: Option<Second>) -> (Self, Start) {
        let is_new = position.is_new();
        let was_streamed = position.topic.is_some();
        let topic_replaced = was_streamed && topic.is_some() && position.topic != topic;
        let keeps_numbering = topic.is_some() && position.topic == topic;
        let floor = position.fence.unwrap_or(Second::MIN);
        let mut binding = Self {
            topic,
            checked: position.checked,
            start,
            live: position.live,
            swept: position.swept,
            listed: position.listed,
            refreshed: position.refreshed,
            heard: None,
            agenda: Agenda::resuming(position.reads, position.written),
            goes_on: !is_new,
            subscribed: topic.is_none(),
            passes_over: None,
            freshness: Freshness::new(floor),
            ledger: Ledger::resuming_after(position.replay.filter(|_| keeps_numbering)),
            fetches: Fetches::default(),
            proved: None,
            keeps_deleted: false,
            has_list: true,
        };
        for id in position.fetch {
            binding.fetches.want(id, Wanted::by_page());
        }
        let from = topic.map(|_| match binding.ledger.position() {
            _ if is_new => {
                binding.sweep(None);
                ReplayFrom::Tip
            }
            _ if !was_streamed => {
                binding.swept = binding.live;
                binding.repair();
                ReplayFrom::Tip
            }
            Some(replay) => ReplayFrom::After(replay),
            None => ReplayFrom::Earliest,
        });
        if topic.is_none() && was_streamed {
            // What was announced until then is no word on what was visible then, nor on what nothing announced.
            let is_covering = binding.agenda.covering().is_some();
            let sound = || binding.sound().filter(|_| !is_covering).map(|sound| sound.plus(-REPAIR_OVERLAP));
            binding.live = binding.swept.or_else(sound);
        }
        if topic_replaced {
            // All events of the new topic count, whenever they were created.
            binding.repair();
            binding.passes_over = Some(Second::MIN);
        }
        (binding, Start { from, topic_replaced })
    }

    /// What is still to be read.
    pub fn agenda(&self) -> &Agenda {
        &self.agenda
    }

    /// Deleted records are to be kept: their last values, which no event carries, are fetched.
    pub fn keep_deleted(&mut self) {
        self.keeps_deleted = true;
    }

    /// The org lists no deletions of the object: nothing waits for its list.
    pub fn has_no_list(&mut self) {
        self.has_list = false;
    }

    /// Whether this is the topic that announces changes.
    pub fn is_topic(&self, id: RecordId) -> bool {
        self.topic == Some(id)
    }

    /// The topic was looked at: it had the modstamp `found`, and is in order `now`. If it was changed since the last look, or
    /// `was_silent`, it may have announced nothing in between, which is then to be read. Answers whether that is so.
    pub fn topic_seen(&mut self, found: Second, was_silent: bool, now: Checked) -> bool {
        let is_gap = self.checked.is_some_and(|last| was_silent || last.modstamp != found);
        if is_gap {
            self.repair();
        }
        self.checked = Some(now);
        is_gap
    }

    /// All that changed since everything was captured is to be read: a poll, or a sweep beside a stream. `covers` is the time up
    /// to which the org says all changes are visible, if it says so.
    pub fn sweep(&mut self, covers: Option<Second>) {
        self.agenda.sweep(self.complete(), self.start, covers);
    }

    /// Before anything is subscribed, the org has said that all changes up to `visible` are visible: the first read of a new
    /// binding covers that.
    pub fn history_covers(&mut self, visible: Second) {
        self.agenda.covers(visible);
    }

    /// All rows are to be read again, whether they have changed or not: formula fields are then as they were computed at `at` or later.
    pub fn refresh(&mut self, at: Second) {
        self.refreshed = Some(at);
        self.agenda.refresh();
    }

    /// The next refresh is due at the first time of its schedule after this one.
    pub fn count_refreshes_from(&mut self, at: Second) {
        self.refreshed = Some(at);
    }

    /// When the last refresh has begun, or they are counted from.
    pub fn refreshed(&self) -> Option<Second> {
        self.refreshed
    }

    /// What the read at hand, or the next one, is for.
    pub fn purpose(&self) -> Option<Purpose> {
        let read = self.agenda.first()?;
        Some(match (read.covers, read.deleted, self.topic) {
            (None, ..) if read.refresh => Purpose::Refresh,
            (None, ..) => Purpose::Repair,
            (Some(_), false, _) => Purpose::History,
            (Some(_), true, Some(_)) => Purpose::Sweep,
            (Some(_), true, None) => Purpose::Poll,
        })
    }

    /// Whether a poll or a sweep can begin: all that was to be read is read.
    pub fn awaits_sweep(&self) -> bool {
        self.subscribed && self.agenda.is_empty()
    }

    /// The channel is subscribed since `at`, starting `from`.
    pub fn subscribed(&mut self, from: ReplayFrom, at: Second) {
        // From now on rows are captured that nothing may take back: a first read must not claim more. What the org has said before
        // is less.
        self.agenda.covers_from(at);
        self.subscribed = true;
        self.heard = None;
        match from {
            // Reads begin only now, so they see all that happened before.
            ReplayFrom::Tip => self.live = Some(at),
            ReplayFrom::Earliest if self.passes_over.is_none() => {
                self.passes_over = self.live.map(|live| live.plus(-BEFORE_SUBSCRIPTION));
            }
            ReplayFrom::Earliest | ReplayFrom::After(_) => {}
        }
    }

    /// The channel's events after our position are gone: they must be read. It is to be subscribed again at the tip.
    pub fn gap(&mut self) {
        self.settle_live();
        self.subscribed = false;
        self.heard = None;
        self.repair();
        self.ledger.forget();
        self.fetches.forget_tickets();
    }

    /// The topic was made anew in mid-session, or made for a binding that was polled.
    pub fn topic_replaced(&mut self, topic: RecordId) {
        if self.topic.is_none() {
            // Polls have read everything, announced or not.
            (self.swept, self.checked) = (self.live, None);
        }
        self.topic = Some(topic);
        self.gap();
    }

    /// When the binding was last known to be complete, and its topic in order.
    fn sound(&self) -> Option<Second> {
        [self.live.or(self.agenda.covering()), self.checked.map(|checked| checked.at)].into_iter().flatten().min()
    }

    /// What changed since the binding was last known to be complete is to be read.
    fn repair(&mut self) {
        self.agenda.repair(self.sound(), self.start);
    }

    /// What to do with an event. [`Verdict::Write`] obliges the caller to write its row before it asks for the position.
    pub fn event(&mut self, event: Announced) -> Verdict {
        let ticket = self.ledger.receive(event.replay);
        self.heard = self.heard.max(Some(event.created));
        if self.passes_over.is_some_and(|until| event.created < until) {
            self.ledger.settle(ticket);
            return Verdict::Drop;
        }
        let second = match (event.kind, event.whole) {
            (Kind::Deleted, _) => Some(event.created.plus(-EVALUATION_LAG)),
            (_, stamp) => stamp,
        };
        let newer = second.is_some_and(|second| self.freshness.is_newer(event.id, second));
        let is_kept = self.keeps_deleted && event.kind == Kind::Deleted;
        if is_kept || !newer || self.fetches.concerns(event.id) {
            let wanted = Wanted::by_event(event.kind, ticket);
            self.fetches.want(event.id, if is_kept { wanted.with_last_values() } else { wanted });
            return Verdict::Fetch;
        }
        let second = event.whole.unwrap_or(event.created);
        self.freshness.wrote_event(event.id, second);
        self.agenda.wrote(event.id, second);
        self.ledger.settle(ticket);
        Verdict::Write
    }

    /// The next page to read, if one is due and none is on its way; or the job to go on with. It counts as sent. Instead of by
    /// the page, its rows may come by a new job.
    pub fn next_page(&mut self) -> Option<Read> {
        if !self.subscribed || self.agenda.is_under_way() || self.fetches.is_long() {
            return None;
        }
        // A read is done when what it came by is written; so each can say what it found, and up to when all is complete.
        if self.agenda.begins_read() && self.fetches.has_of_pages() {
            return None;
        }
        let (read, begins) = self.agenda.next_page()?;
        if begins {
            self.freshness.read_begins();
        }
        Some(read)
    }

    /// The rows of the page that was sent for come by a job. The org has `created` it, and reads no row before.
    pub fn job_created(&mut self, job: JobId, created: Second) {
        self.agenda.job_created(job, created);
    }

    /// Of that page of the job's results, so many rows are written or noted.
    pub fn job_written(&mut self, page: Option<ResultLocator>, rows: u64) {
        self.agenda.job_written(page, rows);
    }

    /// The page that was sent for has arrived.
    pub fn page_arrived(&mut self, answered: Second) {
        self.agenda.covers_from(answered);
    }

    /// The page that was sent for will not come, or no more of its job's rows: it is asked for again from the last row written.
    pub fn page_lost(&mut self) {
        self.agenda.page_lost();
    }

    /// The page has a row of `id`. Answers whether it comes behind those before it, or once more: what is written moves the read
    /// behind the last of them, so that a row out of the order of ids could be passed over.
    pub fn row_follows(&mut self, id: RecordId) -> bool {
        self.agenda.row_follows(id)
    }

    /// What to do with a row of the page, in the order of ids. Rows to be fetched are noted here.
    pub fn page_row(&mut self, id: RecordId, stamp: Option<Second>) -> Verdict {
        let Some(judged) = self.agenda.judge(id, stamp) else { return Verdict::Drop };
        let verdict = if self.fetches.concerns(id) { Verdict::Fetch } else { judged };
        if verdict == Verdict::Fetch {
            self.fetches.want(id, Wanted::by_page());
        }
        verdict
    }

    /// Rows of the page up to `upper` are written or noted.
    pub fn page_written(&mut self, upper: RecordId, answered: Second) {
        self.agenda.page_written(upper);
        self.freshness.wrote_page(upper, answered);
    }

    /// The page is done, or its job; without `more`, so is the read through the object.
    pub fn page_done(&mut self, more: bool) {
        let Some(read) = self.agenda.page_done(more) else { return };
        // What was there when history was first read needs no list to be found.
        self.listed = self.listed.or(read.covers);
        match self.topic {
            Some(_) => self.swept = self.swept.max(read.covers),
            None => self.live = self.live.max(read.covers),
        }
    }

    /// From when on the org's list of deletions is to be read, before the read whose last page is written is done: at most
    /// `every` so many seconds, but always after a gap.
    pub fn to_list(&self, now: Second, every: i64) -> Option<Second> {
        let read = self.agenda.first().filter(|read| read.deleted)?;
        let listed = self.listed?;
        (read.covers.is_none() || now.since(listed) >= every).then(|| listed.plus(-SWEEP_OVERLAP))
    }

    /// The org lists the record as deleted, and the read did not come by it.
    pub fn list(&mut self, id: RecordId) {
        let wanted = Wanted::by_list();
        self.fetches.want(id, if self.keeps_deleted { wanted.with_last_values() } else { wanted });
    }

    /// The list is read, and true up to `until`.
    pub fn listed(&mut self, until: Second) {
        self.listed = self.listed.max(Some(until));
    }

    /// Whether no more records should be asked for until some are fetched.
    pub fn has_long_queue(&self) -> bool {
        self.fetches.is_long()
    }

    /// Whether too much changed while the page was on its way; it is then given up, to be read again from the last row written.
    pub fn gives_up_page(&mut self) -> bool {
        self.agenda.gives_up_page()
    }

    /// Records to fetch now, at most as many as `most` says a door takes; none while a fetch is on its way. They count as sent.
    pub fn next_fetch(&mut self, most: impl Fn(Door) -> usize) -> Option<Fetch> {
        self.fetches.send(most)
    }

    /// The fetch that was sent for will not come: the object changed under it.
    pub fn fetch_lost(&mut self) {
        self.fetches.lost();
    }

    /// Whether records wait to be fetched and no fetch is on its way.
    pub fn wants_fetch(&self) -> bool {
        self.fetches.is_ready()
    }

    /// A row of the fetch on its way is written, as `op` says. `stamp` is its modstamp.
    pub fn fetched(&mut self, id: RecordId, stamp: Option<Second>, answered: Second) -> Option<Op> {
        let wanted = self.fetches.arrived(id)?;
        self.settle_fetched(id, stamp.unwrap_or(answered), answered, &wanted);
        Some(wanted.op)
    }

    /// The fetch is done. Answers the records that it did not find and that count as deleted: write a deletion for each.
    /// Others that were not found are asked for again.
    pub fn fetch_done(&mut self, answered: Second) -> Vec<RecordId> {
        let mut gone = Vec::new();
        for (id, wanted) in self.fetches.missing() {
            // When it was deleted is not known, but not after this.
            self.settle_fetched(id, answered.plus(CLOCK_SKEW), answered, &wanted);
            gone.push(id);
        }
        gone
    }

    fn settle_fetched(&mut self, id: RecordId, stamp: Second, answered: Second, wanted: &Wanted) {
        self.freshness.wrote_fetched(id, answered);
        self.agenda.wrote(id, stamp);
        wanted.tickets.iter().for_each(|ticket| self.ledger.settle(*ticket));
    }

    /// Everything announced until `at` has been delivered.
    pub fn alive(&mut self, at: Second) {
        self.heard = self.heard.max(Some(at));
        self.settle_live();
    }

    /// What was heard counts as captured once no event waits for its record.
    fn settle_live(&mut self) {
        if self.subscribed && self.ledger.open() == 0 {
            self.live = self.live.max(self.heard);
        }
    }

    /// Whether no further events should be taken in until records are fetched.
    pub fn is_full(&self) -> bool {
        self.ledger.open() >= OPEN_EVENTS
    }

    /// The last event written, with all before it.
    pub fn replay(&self) -> Option<ReplayId> {
        self.ledger.position()
    }

    /// Where the binding stands, true for all that was written so far. Before the first subscription there is nothing to
    /// remember but how far polls have read.
    pub fn position(&mut self) -> Position {
        self.settle_live();
        let has_polled = || self.topic.is_none() && self.agenda.covering().is_some();
        if self.live.is_none() && !self.goes_on && !has_polled() {
            return Position::default();
        }
        Position {
            topic: self.topic.filter(|_| self.live.is_some()),
            checked: self.checked.filter(|_| self.topic.is_some()),
            replay: self.ledger.position(),
            live: self.live,
            swept: self.swept.filter(|_| self.topic.is_some()),
            listed: self.listed,
            refreshed: self.refreshed,
            fence: Some(self.freshness.newest()),
            reads: self.agenda.reads().to_vec(),
            fetch: self.fetches.by_pages(),
            written: self.agenda.written(),
        }
    }
}
