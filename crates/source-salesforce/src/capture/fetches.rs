//! Records to be fetched by id: in the order they were asked for, each at most once on its way.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use salesforce_client::RecordId;
use salesforce_streaming::Kind;

use super::ledger::Ticket;
use crate::document::Op;

/// A record that an event has announced and that a fetch does not find may not be visible yet: it is asked for this many
/// times before it counts as deleted.
const TRIES: u8 = 3;

/// Records that may wait while pages add to them: it bounds how many ids the state may have to hold.
const LONG: usize = 1_000;

/// Records to be fetched together.
#[derive(Debug, PartialEq, Eq)]
pub struct Fetch {
    /// Which.
    pub ids: Vec<RecordId>,
    /// How.
    pub door: Door,
}

/// How records are fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// By their ids, thousands in one call. Records that are deleted are not found.
    Retrieve,
    /// By a query over deleted rows too, which tells those from records that are purged, hidden or not there yet.
    Query,
}

/// Why a record is fetched, and what waits for it.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The operation of the document to write.
    pub op: Op,
    /// Events that are settled by it.
    pub tickets: Vec<Ticket>,
    by_page: bool,
    tries: u8,
    /// It was asked for and not found, or is known to be deleted.
    doubted: bool,
}

impl Wanted {
    /// An event announced it.
    pub fn by_event(kind: Kind, ticket: Ticket) -> Self {
        let (op, tries) = match kind {
            Kind::Created | Kind::Undeleted => (Op::Create, TRIES),
            Kind::Updated => (Op::Update, TRIES),
            // Not found is what is expected of a deleted record.
            Kind::Deleted => (Op::Update, 1),
        };
        Self { op, tickets: vec![ticket], by_page: false, tries, doubted: false }
    }

    /// Its deletion is announced or listed, and its last values are wanted: only a query shows them, and what it does not show
    /// is purged.
    pub fn with_last_values(self) -> Self {
        Self { tries: 1, doubted: true, ..self }
    }

    /// A page holds a row of it that may be older or newer than the one an event brought.
    pub fn by_page() -> Self {
        Self { op: Op::Update, tickets: Vec::new(), by_page: true, tries: TRIES, doubted: false }
    }

    /// The org lists it as deleted, and no page of deleted rows held it: it is purged, unless somebody has restored it.
    pub fn by_list() -> Self {
        Self { tries: 1, ..Self::by_page() }
    }

    fn join(&mut self, other: Self) {
        if other.op == Op::Create {
            self.op = Op::Create;
        }
        self.tickets.extend(other.tickets);
        self.by_page |= other.by_page;
        self.doubted |= other.doubted;
        self.tries = other.tries;
    }

    fn door(&self) -> Door {
        if self.doubted { Door::Query } else { Door::Retrieve }
    }
}

/// The queue of one binding.
#[derive(Debug, Clone, Default)]
pub struct Fetches {
    order: VecDeque<RecordId>,
    waiting: BTreeMap<RecordId, Wanted>,
    flying: BTreeMap<RecordId, Wanted>,
}

impl Fetches {
    /// Asks for a record. While it waits, one fetch serves all who ask; one that is on its way may have read the record
    /// before this wish, so it is fetched once more.
    pub fn want(&mut self, id: RecordId, wanted: Wanted) {
        match self.waiting.get_mut(&id) {
            Some(known) => known.join(wanted),
            None => {
                self.order.push_back(id);
                self.waiting.insert(id, wanted);
            }
        }
    }

    /// Whether the record waits or is on its way.
    pub fn concerns(&self, id: RecordId) -> bool {
        self.waiting.contains_key(&id) || self.flying.contains_key(&id)
    }

    /// Whether a fetch can be sent.
    pub fn is_ready(&self) -> bool {
        self.flying.is_empty() && !self.order.is_empty()
    }

    /// Whether so many wait that no further pages should be read.
    pub fn is_long(&self) -> bool {
        self.order.len() >= LONG
    }

    /// Whether nothing waits and nothing is on its way.
    pub fn is_empty(&self) -> bool {
        self.flying.is_empty() && self.order.is_empty()
    }

    /// The next records that go by one door, at most as many as `most` says it takes; `None` while others are on their way.
    pub fn send(&mut self, most: impl Fn(Door) -> usize) -> Option<Fetch> {
        if !self.is_ready() {
            return None;
        }
        let door = self.waiting.get(self.order.front()?)?.door();
        let goes = |id: &&RecordId| self.waiting.get(*id).is_some_and(|wanted| wanted.door() == door);
        let count = self.order.iter().take(most(door).max(1)).take_while(goes).count();
        let ids: Vec<_> = self.order.drain(..count).collect();
        self.flying = ids.iter().filter_map(|id| self.waiting.remove_entry(id)).collect();
        Some(Fetch { ids, door })
    }

    /// The fetch on its way failed before it read anything: its records are asked for again.
    pub fn lost(&mut self) {
        for (id, wanted) in std::mem::take(&mut self.flying) {
            self.want(id, wanted);
        }
    }

    /// The record was found.
    pub fn arrived(&mut self, id: RecordId) -> Option<Wanted> {
        self.flying.remove(&id)
    }

    /// The fetch is done. Answers the records that count as deleted; the others that it did not find wait again.
    pub fn missing(&mut self) -> Vec<(RecordId, Wanted)> {
        let mut gone = Vec::new();
        for (id, mut wanted) in std::mem::take(&mut self.flying) {
            wanted.tries -= 1;
            wanted.doubted = true;
            if wanted.tries == 0 && !self.waiting.contains_key(&id) {
                gone.push((id, wanted));
            } else {
                wanted.tries = wanted.tries.max(1);
                self.want(id, wanted);
            }
        }
        gone
    }

    /// Events asked for so far have no place in the channel any more. Their records are fetched all the same.
    pub fn forget_tickets(&mut self) {
        self.waiting.values_mut().chain(self.flying.values_mut()).for_each(|wanted| wanted.tickets.clear());
    }

    /// Whether records asked for by pages are still to be fetched.
    pub fn has_of_pages(&self) -> bool {
        self.waiting.values().chain(self.flying.values()).any(|wanted| wanted.by_page)
    }

    /// Records asked for by pages, in order: no event will ask for them again after a restart.
    pub fn by_pages(&self) -> Vec<RecordId> {
        let wanted = self.waiting.iter().chain(&self.flying).filter(|(_, wanted)| wanted.by_page);
        let ids: BTreeSet<_> = wanted.map(|(id, _)| *id).collect();
        ids.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::ledger::Ledger;
    use salesforce_streaming::ReplayId;

    fn id(n: u8) -> RecordId {
        format!("0015f000000000{}", char::from(b'A' + n)).parse().unwrap()
    }

    #[test]
    fn one_fetch_serves_all_who_ask_before_it_is_sent() {
        let mut ledger = Ledger::default();
        let mut ticket = |n| ledger.receive(ReplayId::new(n).unwrap());
        let mut fetches = Fetches::default();
        fetches.want(id(1), Wanted::by_event(Kind::Created, ticket(1)));
        fetches.want(id(1), Wanted::by_event(Kind::Updated, ticket(2)));
        fetches.want(id(2), Wanted::by_page());
        assert_eq!(fetches.send(|_| 10), Some(Fetch { ids: vec![id(1), id(2)], door: Door::Retrieve }));
        assert_eq!(fetches.send(|_| 10), None, "one fetch at a time");

        fetches.want(id(1), Wanted::by_event(Kind::Updated, ticket(3)));
        let wanted = fetches.arrived(id(1)).unwrap();
        assert_eq!((wanted.op, wanted.tickets.len()), (Op::Create, 2));
        assert_eq!(fetches.by_pages(), [id(2)]);
        assert!(fetches.missing().is_empty(), "not visible yet: asked for again");
        assert_eq!(fetches.send(|_| 10), Some(Fetch { ids: vec![id(1)], door: Door::Retrieve }), "asked for anew");
        assert!(fetches.arrived(id(1)).is_some() && fetches.missing().is_empty());
        let not_found = Some(Fetch { ids: vec![id(2)], door: Door::Query });
        assert_eq!(fetches.send(|_| 10), not_found, "a query tells deleted rows from those not there yet");
        fetches.lost();
        assert_eq!(fetches.send(|_| 10), not_found, "a call that failed counts for nothing");
    }

    #[test]
    fn last_values_are_queried_for_once() {
        let mut ledger = Ledger::default();
        let mut fetches = Fetches::default();
        let deleted = Wanted::by_event(Kind::Deleted, ledger.receive(ReplayId::new(1).unwrap()));
        fetches.want(id(1), deleted.with_last_values());
        fetches.want(id(2), Wanted::by_list().with_last_values());
        assert_eq!(fetches.send(|_| 10), Some(Fetch { ids: vec![id(1), id(2)], door: Door::Query }));
        assert!(fetches.arrived(id(1)).is_some_and(|wanted| wanted.tickets.len() == 1));
        let gone: Vec<_> = fetches.missing().into_iter().map(|(id, _)| id).collect();
        assert_eq!(gone, [id(2)], "what no query shows is purged");
    }

    #[test]
    fn a_record_never_found_counts_as_deleted() {
        let mut ledger = Ledger::default();
        let mut fetches = Fetches::default();
        fetches.want(id(1), Wanted::by_event(Kind::Updated, ledger.receive(ReplayId::new(1).unwrap())));
        for _ in 1..TRIES {
            fetches.send(|_| 10);
            assert!(fetches.missing().is_empty());
        }
        fetches.send(|_| 10);
        assert_eq!(fetches.missing().len(), 1);
        assert!(fetches.is_empty());

        fetches.want(id(1), Wanted::by_event(Kind::Deleted, ledger.receive(ReplayId::new(2).unwrap())));
        fetches.send(|_| 10);
        assert_eq!(fetches.missing().len(), 1, "a deleted one at once");
    }
}
