//! The traffic between this process and one org: how many calls are under way at once, whoever makes them, and the pause that all of them
//! keep when the org has no calls left.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{sync::Notify, time::Instant};

use crate::{
    pace::Pace,
    turns::{Caller, Ending, Grant, Pause, Turns},
};

/// What all sinks of one org share in a process. Make one for each org, and give it to every sink that writes there: together they have
/// no more calls under way than it allows, take turns where places are few, and wait together for an allocation that is used up. Clones
/// are the same traffic.
#[derive(Clone, Debug)]
pub struct Traffic {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    most: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    turns: Turns,
    /// By which each sink is called to look again.
    bells: BTreeMap<Caller, Arc<Notify>>,
    next: u64,
}

/// Calls at once, unless somebody knows better.
pub const MOST_CALLS: usize = 5;

impl Default for Traffic {
    fn default() -> Traffic {
        Traffic::new(MOST_CALLS)
    }
}

impl Traffic {
    /// At most so many calls at once, and at least one. It begins with fewer, and has fewer after calls that got into each other's way. A job
    /// of Bulk API 2.0 counts as a call until its results are read.
    #[must_use]
    pub fn new(calls: usize) -> Traffic {
        let most = calls.max(1);
        let state = State { turns: Turns::new(Pace::new(most)), bells: BTreeMap::new(), next: 0 };
        Traffic { shared: Arc::new(Shared { most, state: Mutex::new(state) }) }
    }

    /// Another sink takes part.
    pub(crate) fn join(&self) -> Entrance {
        let bell = Arc::new(Notify::new());
        let mut state = self.shared.lock();
        let caller = Caller(state.next);
        state.next += 1;
        state.bells.insert(caller, Arc::clone(&bell));
        drop(state);
        Entrance { shared: Arc::clone(&self.shared), caller, bell }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn ring(&self, callers: impl Iterator<Item = Caller>) {
        callers.filter_map(|caller| self.bells.get(&caller)).for_each(|bell| bell.notify_one());
    }
}

/// Where one sink enters the traffic.
#[derive(Debug)]
pub(crate) struct Entrance {
    shared: Arc<Shared>,
    caller: Caller,
    bell: Arc<Notify>,
}

impl Entrance {
    /// A place for a call, if there is one and it is this sink's turn. If not, the sink is [`called`](Entrance::called) when it is.
    pub(crate) fn enter(&self, now: Instant) -> Option<Place> {
        let grant = self.shared.lock().turns.ask(self.caller, now)?;
        Some(Place { shared: Arc::clone(&self.shared), grant: Some(grant) })
    }

    /// Nothing is to be sent any more: others need not wait for this sink.
    pub(crate) fn leave(&self) {
        let mut state = self.shared.lock();
        state.turns.leave(self.caller);
        state.ring(state.turns.called());
    }

    /// Waits until it is worth looking again: it is this sink's turn, or a pause has begun or ended.
    pub(crate) async fn called(&self) {
        self.bell.notified().await;
    }

    /// What all wait for, if the org has no calls left.
    pub(crate) fn pause(&self) -> Option<Pause> {
        self.shared.lock().turns.pause().cloned()
    }

    /// Until when to wait for another, which finds out if the pause is over.
    pub(crate) fn answer_by(&self) -> Option<Instant> {
        self.shared.lock().turns.answer_by()
    }

    /// The most calls that may be under way at once.
    pub(crate) fn most(&self) -> usize {
        self.shared.most
    }
}

impl Drop for Entrance {
    fn drop(&mut self) {
        self.leave();
        self.shared.lock().bells.remove(&self.caller);
    }
}

/// The place of a call that is under way. Dropped, it is free again.
#[derive(Debug)]
pub(crate) struct Place {
    shared: Arc<Shared>,
    grant: Option<Grant>,
}

impl Place {
    /// The call has ended.
    pub(crate) fn end(mut self, ending: Ending) {
        self.give_back(ending);
    }

    fn give_back(&mut self, ending: Ending) {
        let Some(grant) = self.grant.take() else { return };
        let mut state = self.shared.lock();
        if state.turns.end(grant, ending) {
            state.ring(state.bells.keys().copied());
        } else {
            state.ring(state.turns.called());
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.give_back(Ending::Nothing);
    }
}

#[cfg(test)]
mod tests;
