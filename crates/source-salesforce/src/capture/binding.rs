//! The machine of one binding: what to do with each event and row, what to read next, and where the binding stands.
//!
//! Pure: it never reads a clock, a socket or a document. The session tells it what arrived and was written, and does what it
//! answers. The order of a binding's life:
//!
//! 1. *Subscribing*: the channel is asked for first, so that no change falls between history and stream.
//! 2. *Reading* while streaming: pages of history in the order of ids; [`super::freshness`] decides between a page row and an
//!    event of the same record, and a fetch by id settles what cannot be decided.
//! 3. *Streaming*: no reads are left.
//! 4. A *gap* (Salesforce no longer has the events after our position, or the topic is another one) adds a read of
//!    all that changed since the stream was last known to be complete, deleted rows included, and goes on with 2.

use salesforce_client::RecordId;
use salesforce_streaming::{Kind, ReplayFrom, ReplayId};

use super::{
    fetches::{Fetches, Wanted},
    freshness::{EVALUATION_LAG, Freshness, PageRead, Verdict},
    ledger::Ledger,
    position::{Position, Read},
    second::Second,
};
use crate::document::Op;

/// A read after a gap begins this many seconds before the stream was last known to be complete: rows of long transactions
/// become visible minutes after the time they are stamped with.
const REPAIR_OVERLAP: i64 = 300;

/// Before the first event there is no position; the stream then resumes with everything retained. Events created this many
/// seconds before we subscribed are older than all reads and are passed over.
const BEFORE_SUBSCRIPTION: i64 = 60;

/// Events that may wait for their records before no further ones are taken in.
const OPEN_EVENTS: usize = 5_000;

/// Where one binding stands and what is on its way for it.
#[derive(Debug)]
pub struct Binding {
    topic: RecordId,
    live: Option<Second>,
    heard: Option<Second>,
    reads: Vec<Read>,
    subscribed: bool,
    passes_over: Option<Second>,
    freshness: Freshness,
    ledger: Ledger,
    fetches: Fetches,
    page: Option<PageRead>,
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
    /// Where to subscribe.
    pub from: ReplayFrom,
    /// The topic is not the one that the position belongs to.
    pub topic_replaced: bool,
}

impl Binding {
    /// Takes up where `position` stands, with the topic that exists now. `start` bounds the history of a new binding.
    pub fn resume(position: Position, topic: RecordId, start: Option<Second>) -> (Self, Start) {
        let known = position.topic == Some(topic);
        let floor = position.fence.unwrap_or(Second::new(i64::MIN));
        let mut binding = Self {
            topic,
            live: position.live,
            heard: None,
            reads: position.reads,
            subscribed: false,
            passes_over: None,
            freshness: Freshness::new(floor),
            ledger: Ledger::resuming_after(position.replay.filter(|_| known)),
            fetches: Fetches::default(),
            page: None,
        };
        let from = match (position.topic, binding.ledger.position()) {
            (None, _) => {
                binding.reads = vec![Read { since: start, ..Read::default() }];
                ReplayFrom::Tip
            }
            (Some(_), Some(replay)) => ReplayFrom::After(replay),
            (Some(_), None) => ReplayFrom::Earliest,
        };
        for id in position.fetch {
            binding.fetches.want(id, Wanted::by_page());
        }
        let topic_replaced = position.topic.is_some() && !known;
        if topic_replaced {
            // All events of the new topic count, whenever they were created.
            binding.repair();
            binding.passes_over = Some(Second::new(i64::MIN));
        }
        (binding, Start { from, topic_replaced })
    }

    /// The channel is subscribed since `at`, starting `from`.
    pub fn subscribed(&mut self, from: ReplayFrom, at: Second) {
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

    /// The topic was made anew in mid-session.
    pub fn topic_replaced(&mut self, topic: RecordId) {
        self.topic = topic;
        self.gap();
    }

    fn repair(&mut self) {
        let since = self.live.map(|live| live.plus(-REPAIR_OVERLAP));
        let read = Read { after: None, since, deleted: true };
        // A repair that has not begun covers this one too. One whose page is on its way has begun.
        let begun = usize::from(self.page.is_some());
        if self.reads.iter().skip(begun).next_back() != Some(&read) {
            self.reads.push(read);
        }
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
        if !newer || self.fetches.concerns(event.id) {
            self.fetches.want(event.id, Wanted::by_event(event.kind, ticket));
            return Verdict::Fetch;
        }
        let second = event.whole.unwrap_or(event.created);
        self.freshness.wrote_event(event.id, second);
        if let Some(page) = &mut self.page {
            page.wrote(event.id, second);
        }
        self.ledger.settle(ticket);
        Verdict::Write
    }

    /// The next page to read, if one is due and none is on its way. It counts as sent.
    pub fn next_page(&mut self) -> Option<Read> {
        if !self.subscribed || self.page.is_some() || self.fetches.is_long() {
            return None;
        }
        let read = self.reads.first()?.clone();
        if read.after.is_none() {
            self.freshness.read_begins();
        }
        self.page = Some(PageRead::default());
        Some(read)
    }

    /// What to do with a row of the page, in the order of ids. Rows to be fetched are noted here.
    pub fn page_row(&mut self, id: RecordId, stamp: Option<Second>) -> Verdict {
        let Some(page) = &self.page else { return Verdict::Drop };
        let verdict = if self.fetches.concerns(id) { Verdict::Fetch } else { page.judge(id, stamp) };
        if verdict == Verdict::Fetch {
            self.fetches.want(id, Wanted::by_page());
        }
        verdict
    }

    /// Rows of the page up to `upper` are written or noted.
    pub fn page_written(&mut self, upper: RecordId, answered: Second) {
        if let Some(read) = self.reads.first_mut() {
            read.after = Some(upper);
        }
        self.freshness.wrote_page(upper, answered);
    }

    /// The page is done; without `more`, so is the read through the object.
    pub fn page_done(&mut self, more: bool) {
        self.page = None;
        if !more && !self.reads.is_empty() {
            self.reads.remove(0);
        }
    }

    /// Whether too much changed while the page was on its way; it is then given up, to be read again from the last row written.
    pub fn gives_up_page(&mut self) -> bool {
        let overrun = self.page.as_ref().is_some_and(PageRead::is_overrun);
        if overrun {
            self.page = None;
        }
        overrun
    }

    /// Ids to fetch now, at most `limit`; none while a fetch is on its way. They count as sent.
    pub fn next_fetch(&mut self, limit: usize) -> Vec<RecordId> {
        self.fetches.send(limit)
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
            self.settle_fetched(id, answered, answered, &wanted);
            gone.push(id);
        }
        gone
    }

    fn settle_fetched(&mut self, id: RecordId, stamp: Second, answered: Second, wanted: &Wanted) {
        self.freshness.wrote_fetched(id, answered);
        if let Some(page) = &mut self.page {
            page.wrote(id, stamp);
        }
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

    /// Whether history is complete and nothing waits.
    pub fn is_caught_up(&self) -> bool {
        self.subscribed && self.reads.is_empty() && self.fetches.is_empty() && self.ledger.open() == 0
    }

    /// Up to here every change has been announced and written.
    pub fn live(&self) -> Option<Second> {
        self.live
    }

    /// Whether reads through the object are left.
    pub fn is_reading(&self) -> bool {
        !self.reads.is_empty()
    }

    /// The last event written, with all before it.
    pub fn replay(&self) -> Option<ReplayId> {
        self.ledger.position()
    }

    /// Where the binding stands, true for all that was written so far. Before the first subscription there is nothing
    /// to remember.
    pub fn position(&mut self) -> Position {
        self.settle_live();
        if self.live.is_none() {
            return Position::default();
        }
        Position {
            topic: Some(self.topic),
            replay: self.ledger.position(),
            live: self.live,
            fence: Some(self.freshness.newest()),
            reads: self.reads.clone(),
            fetch: self.fetches.by_pages(),
        }
    }
}
