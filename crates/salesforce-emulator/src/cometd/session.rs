//! The sessions of the server: who is known, what a message is answered, which connect waits. Neither a socket nor a
//! clock is known here; the shell hands in `now` and holds what [`Outcome::Hold`] tells it to hold.
//!
//! `exchange` goes through the messages of a request, `admission` decides who may speak, `subscribing` grants channels,
//! `waiting` is the life of a connect from its arrival to its answer.

mod admission;
mod exchange;
mod subscribing;
mod waiting;

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use http::StatusCode;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::delivery::{Delivered, Subscription};
use super::fault::{Faults, Wire};
use super::reply::Reply;
use super::{Principal, SessionView, Settings};

pub(super) use admission::{Anonymous, BadUri, Caller};
pub(super) use waiting::{Held, Resumed};

/// All sessions of the org.
pub(super) struct Sessions {
    settings: Settings,
    table: BTreeMap<String, Session>,
    /// Connects that must end although they still wait, by turn.
    released: HashMap<u64, Release>,
    turns: u64,
    faults: Faults,
    rng: StdRng,
    closed: bool,
    disturbed: bool,
}

struct Session {
    who: Principal,
    /// Value of its `BAYEUX_BROWSER` cookie.
    browser: String,
    /// Value of its `sfdc-stream` cookie.
    node: String,
    subscriptions: Vec<Subscription>,
    line: Line,
    /// When it last was sent a reply.
    seen: Instant,
    /// Ended by the server; the client is yet to be told.
    ending: bool,
    /// Events are held back until then by a scripted delay.
    quiet_until: Option<Instant>,
    /// Replies that still go without events.
    withheld: u32,
}

/// Where a session stands between its connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// It never connected.
    Handshaken,
    /// It owes the next connect.
    Idle,
    /// A connect waits, known by its turn.
    Held(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Release {
    /// Another connect of the same client came.
    Superseded,
    /// The client said goodbye.
    Disconnected,
    /// The session is gone without its doing.
    Forgotten,
}

#[derive(Debug)]
pub(super) enum Outcome {
    Done(Done),
    Hold(Held),
}

#[derive(Debug)]
pub(super) enum Done {
    Answer(Answer),
    Reject(StatusCode),
}

/// A complete reply.
#[derive(Debug)]
pub(super) struct Answer {
    pub events: Vec<Delivered>,
    pub replies: Vec<Reply>,
    pub wire: Wire,
}

impl Sessions {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            rng: StdRng::seed_from_u64(settings.seed),
            settings,
            table: BTreeMap::new(),
            released: HashMap::new(),
            turns: 0,
            faults: Faults::default(),
            closed: false,
            disturbed: false,
        }
    }

    /// Forgets a session as if its node had died; `None` means all.
    pub(super) fn forget(&mut self, client: Option<&str>) {
        for client in self.named(client) {
            self.remove(&client, Release::Forgotten);
        }
    }

    /// Ends a session by a `/meta/disconnect` of the server; `None` means all.
    pub(super) fn disconnect(&mut self, client: Option<&str>) {
        for client in self.named(client) {
            if let Some(session) = self.table.get_mut(&client) {
                session.ending = true;
                self.disturbed = true;
            }
        }
    }

    pub(super) fn faults(&mut self) -> &mut Faults {
        &mut self.faults
    }

    /// From now on every request, waiting or new, is answered by HTTP 503.
    pub(super) fn close(&mut self) {
        self.closed = true;
        self.disturbed = true;
    }

    /// The sessions alive at `now`, in the order of their client ids.
    pub(super) fn view(&mut self, now: Instant) -> Vec<SessionView> {
        self.sweep(now);
        let view = |(client, session): (&String, &Session)| SessionView {
            client_id: client.clone(),
            user_id: session.who.user_id.clone(),
            held: matches!(session.line, Line::Held(_)),
            positions: session.subscriptions.iter().map(|one| (one.channel.to_string(), one.after)).collect(),
        };
        self.table.iter().map(view).collect()
    }

    /// Bytes that the sessions alive at `now` take.
    pub(super) fn weight(&mut self, now: Instant) -> usize {
        self.sweep(now);
        let subscribed = |one: &Subscription| {
            // A filter is its conditions, which are parts of the channel's text.
            let filter = if one.filter.is_some() { one.channel.len() } else { 0 };
            size_of::<Subscription>() + one.channel.len() + filter
        };
        let weight = |(client, session): (&String, &Session)| {
            let names = client.len() + session.browser.len() + session.node.len();
            let subscriptions: usize = session.subscriptions.iter().map(subscribed).sum();
            size_of::<Session>() + names + subscriptions
        };
        self.table.iter().map(weight).sum()
    }

    /// Whether something happened that a waiting connect should look at.
    pub(super) fn take_disturbed(&mut self) -> bool {
        std::mem::take(&mut self.disturbed)
    }

    fn settle(&mut self, held: &Held, now: Instant) {
        if let Some(session) = self.table.get_mut(&held.client)
            && session.line == Line::Held(held.turn)
        {
            session.line = Line::Idle;
            session.seen = now;
        }
    }

    fn touch(&mut self, client: &str, now: Instant) {
        if let Some(session) = self.table.get_mut(client) {
            session.seen = now;
        }
    }

    /// Drops the sessions that owe a connect for too long, with their subscriptions.
    fn sweep(&mut self, now: Instant) {
        let gap = self.settings.connect_gap;
        self.table.retain(|_, session| {
            matches!(session.line, Line::Held(_)) || now.saturating_duration_since(session.seen) < gap
        });
    }

    fn remove(&mut self, client: &str, release: Release) {
        if let Some(Session { line: Line::Held(turn), .. }) = self.table.remove(client) {
            self.released.insert(turn, release);
            self.disturbed = true;
        }
    }

    fn named(&self, client: Option<&str>) -> Vec<String> {
        self.table.keys().filter(|known| client.is_none_or(|client| client == **known)).cloned().collect()
    }
}
