//! The channels a session is to have, and where each of them stands.

use std::time::Duration;

use super::waiting::Setback;
use crate::{Channel, FailureKind, ReplayFrom, ReplayId};

/// All channels of a stream. They outlive the sessions that subscribe to them.
#[derive(Debug)]
pub(crate) struct Channels(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    channel: Channel,
    /// Where the consumer wished to start.
    start: ReplayFrom,
    /// The last event the consumer has written.
    written: Option<ReplayId>,
    /// Whether it has been subscribed since the consumer said where to start.
    started: bool,
    /// Refusals in a row.
    refusals: u32,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// To be asked for.
    Wanted,
    /// Asked for, from there; the answer is outstanding.
    Asked(ReplayFrom),
    /// Subscribed on the server.
    Live,
    /// Refused for now: to be asked for at that time.
    Later(Duration),
    /// Resting until the consumer subscribes again.
    Resting,
}

/// As many channels as are asked for at once, to keep a request far below the limit of 32,768 bytes.
const BATCH: usize = 10;
/// As many bytes of channel names, which stand in a request twice.
const BATCH_BYTES: usize = 8_000;

impl Channels {
    pub(crate) fn new(subscriptions: Vec<(Channel, ReplayFrom)>) -> Channels {
        let mut channels = Channels(Vec::with_capacity(subscriptions.len()));
        for (channel, from) in subscriptions {
            channels.subscribe(channel, from);
        }
        channels
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Asks for a channel from a place, whatever was before; a channel that is not there yet is added.
    pub(crate) fn subscribe(&mut self, channel: Channel, from: ReplayFrom) {
        let fresh = Entry { channel, start: from, written: None, started: false, refusals: 0, state: State::Wanted };
        match self.find(fresh.channel.as_str()) {
            Some(entry) => *entry = fresh,
            None => self.0.push(fresh),
        }
    }

    /// Notes that everything up to an id is written.
    pub(crate) fn written(&mut self, channel: &Channel, id: ReplayId) {
        if let Some(entry) = self.find(channel.as_str()) {
            entry.written = entry.written.max(Some(id));
        }
    }

    /// The server has forgotten everything.
    pub(crate) fn forget(&mut self) {
        for entry in &mut self.0 {
            if matches!(entry.state, State::Asked(_) | State::Live) {
                entry.state = State::Wanted;
            }
        }
    }

    /// The next channels to ask for; none if there is nothing to do.
    pub(crate) fn ask(&mut self, now: Duration) -> Vec<(Channel, ReplayFrom)> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        for entry in self.0.iter_mut().filter(|entry| entry.is_due(now)) {
            bytes += entry.channel.as_str().len();
            if !batch.is_empty() && bytes > BATCH_BYTES {
                break;
            }
            let from = entry.resume();
            entry.state = State::Asked(from);
            batch.push((entry.channel.clone(), from));
            if batch.len() == BATCH {
                break;
            }
        }
        batch
    }

    /// When the next channel is to be asked for again.
    pub(crate) fn due(&self) -> Option<Duration> {
        let later = |entry: &Entry| match entry.state {
            State::Wanted => Some(Duration::ZERO),
            State::Later(at) => Some(at),
            State::Asked(_) | State::Live | State::Resting => None,
        };
        self.0.iter().filter_map(later).min()
    }

    /// The server accepted a subscription; `None` if it was not asked for, or not any more.
    pub(crate) fn accepted(&mut self, channel: &Channel) -> Option<ReplayFrom> {
        let entry = self.asked(channel)?;
        let State::Asked(from) = entry.state else { return None };
        (entry.state, entry.started, entry.refusals) = (State::Live, true, 0);
        Some(from)
    }

    /// The server refused a subscription; answers how long to wait until it is asked for again, or for ever.
    pub(crate) fn refused(&mut self, channel: &Channel, kind: FailureKind, now: Duration) -> Option<Option<Duration>> {
        let setback = match kind {
            FailureKind::Busy => Some(Setback::Busy),
            FailureKind::DailyLimit => Some(Setback::DailyLimit),
            FailureKind::TooManyClients | FailureKind::TooManySubscribers => Some(Setback::TooManyClients),
            FailureKind::NoSuchChannel
            | FailureKind::NoAccess
            | FailureKind::NotEnabled
            | FailureKind::BadChannel
            | FailureKind::ApiVersion
            | FailureKind::Other => None,
        };
        let entry = self.asked(channel)?;
        let wait = setback.map(|setback| setback.wait(entry.refusals));
        entry.refusals += 1;
        entry.state = wait.map_or(State::Resting, |wait| State::Later(now + wait));
        Some(wait)
    }

    /// The channel has a gap: it rests. Answers its full name, or `None` if it is not asked for or subscribed.
    pub(crate) fn rest(&mut self, name: &str) -> Option<Channel> {
        let entry = self.0.iter_mut().find(|entry| entry.channel.name() == name)?;
        matches!(entry.state, State::Asked(_) | State::Live).then(|| {
            entry.state = State::Resting;
            entry.channel.clone()
        })
    }

    fn asked(&mut self, channel: &Channel) -> Option<&mut Entry> {
        self.find(channel.as_str()).filter(|entry| matches!(entry.state, State::Asked(_)))
    }

    fn find(&mut self, channel: &str) -> Option<&mut Entry> {
        self.0.iter_mut().find(|entry| entry.channel.as_str() == channel)
    }
}

impl Entry {
    /// Where to read on.
    ///
    /// A channel that was to start at the tip, has been subscribed and has nothing written yet starts at the earliest
    /// event kept: at the tip of today it would miss what came in between, and there is no id to name. The consumer
    /// passes over what it has, as it must after any lost session.
    fn resume(&self) -> ReplayFrom {
        match (self.written, self.start) {
            (Some(id), _) => ReplayFrom::After(id),
            (None, ReplayFrom::Tip) if self.started => ReplayFrom::Earliest,
            (None, start) => start,
        }
    }

    fn is_due(&self, now: Duration) -> bool {
        match self.state {
            State::Wanted => true,
            State::Later(at) => at <= now,
            State::Asked(_) | State::Live | State::Resting => false,
        }
    }
}
