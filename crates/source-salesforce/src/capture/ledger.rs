//! Which events of a channel are settled, and so how far its position may move.

use std::collections::VecDeque;

use salesforce_streaming::ReplayId;

/// The events of one channel that were received and whose rows are not all written yet.
///
/// Events settle out of order: one whose record must be fetched waits while later ones are written. The position is the
/// last event of the settled prefix, and resuming after it delivers every unsettled event again.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    received: VecDeque<Entry>,
    first: u64,
    open: usize,
    position: Option<ReplayId>,
}

/// Stands for one received event until its row is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

#[derive(Debug, Clone)]
struct Entry {
    replay: ReplayId,
    settled: bool,
}

impl Ledger {
    /// Begins after `position`, or before any event.
    pub fn resuming_after(position: Option<ReplayId>) -> Self {
        Self { position, ..Self::default() }
    }

    /// An event was received. It holds the position back until it is settled.
    pub fn receive(&mut self, replay: ReplayId) -> Ticket {
        self.received.push_back(Entry { replay, settled: false });
        self.open += 1;
        Ticket(self.first + self.received.len() as u64 - 1)
    }

    /// The event's row is written, or nothing needs writing. Settling twice, or a ticket from before [`Ledger::forget`],
    /// changes nothing.
    pub fn settle(&mut self, ticket: Ticket) {
        let Some(entry) = ticket.0.checked_sub(self.first).and_then(|n| self.received.get_mut(n as usize)) else {
            return;
        };
        if std::mem::replace(&mut entry.settled, true) {
            return;
        }
        self.open -= 1;
        while self.received.front().is_some_and(|entry| entry.settled) {
            let Some(entry) = self.received.pop_front() else { break };
            self.first += 1;
            // An event delivered again after a reconnection has a lower id than those before it.
            self.position = self.position.max(Some(entry.replay));
        }
    }

    /// The last event of the settled prefix; `None` before the first.
    pub fn position(&self) -> Option<ReplayId> {
        self.position
    }

    /// Events that hold the position back.
    pub fn open(&self) -> usize {
        self.open
    }

    /// The channel's numbering began anew: no event received so far has a place in it.
    pub fn forget(&mut self) {
        self.first += self.received.len() as u64;
        self.received.clear();
        self.open = 0;
        self.position = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replay(id: i64) -> ReplayId {
        ReplayId::new(id).unwrap()
    }

    #[test]
    fn only_the_settled_prefix_moves_the_position() {
        let mut ledger = Ledger::resuming_after(Some(replay(10)));
        let tickets: Vec<_> = [11, 14, 15].map(|id| ledger.receive(replay(id))).into();
        ledger.settle(tickets[1]);
        assert_eq!((ledger.position(), ledger.open()), (Some(replay(10)), 2));
        ledger.settle(tickets[0]);
        assert_eq!((ledger.position(), ledger.open()), (Some(replay(14)), 1));
        ledger.settle(tickets[0]);
        ledger.settle(tickets[2]);
        assert_eq!((ledger.position(), ledger.open()), (Some(replay(15)), 0));
    }

    #[test]
    fn events_delivered_again_do_not_move_it_back() {
        let mut ledger = Ledger::default();
        let first: Vec<_> = [1, 2].map(|id| ledger.receive(replay(id))).into();
        let again: Vec<_> = [1, 2].map(|id| ledger.receive(replay(id))).into();
        first.iter().for_each(|t| ledger.settle(*t));
        assert_eq!(ledger.position(), Some(replay(2)));
        ledger.settle(again[0]);
        assert_eq!(ledger.position(), Some(replay(2)));
    }

    #[test]
    fn tickets_from_another_numbering_are_void() {
        let mut ledger = Ledger::default();
        let old = ledger.receive(replay(900));
        ledger.forget();
        let new = ledger.receive(replay(1));
        ledger.settle(old);
        assert_eq!((ledger.position(), ledger.open()), (None, 1));
        ledger.settle(new);
        assert_eq!(ledger.position(), Some(replay(1)));
    }
}
