//! The reading of the bus for one session: all its channels, merged by the order of commits, up to a reply's size.

use std::sync::Arc;

use bytes::Bytes;

use super::filter::Filter;
use super::{Bus, Event, Limit, Principal, Stream, Unavailable};

/// Events read from one stream at a time: a busy channel is read on while the others wait with what they have.
const PAGE: usize = 256;

/// A channel a session hears.
#[derive(Debug, Clone)]
pub(super) struct Subscription {
    /// As the client wrote it, filter included.
    pub channel: Arc<str>,
    pub filter: Option<Filter>,
    pub stream: Stream,
    /// Replay id of the last event handed out.
    pub after: i64,
}

/// An event on its way to a client.
#[derive(Debug, Clone)]
pub(super) struct Delivered {
    pub channel: Arc<str>,
    pub data: Bytes,
}

/// Takes the next events of all subscriptions and moves their positions. Each channel keeps its order; between channels
/// the order of commits holds.
pub(super) fn take(
    bus: &dyn Bus,
    who: &Principal,
    subscriptions: &mut [Subscription],
    limit: Limit,
) -> Result<Vec<Delivered>, Unavailable> {
    let mut sources: Vec<_> = subscriptions.iter_mut().map(|subscription| Source::new(subscription, limit)).collect();
    let mut taken = Vec::new();
    let mut bytes = 0;
    while taken.len() < limit.events && bytes < limit.bytes {
        let mut first: Option<(u64, &mut Source<'_>)> = None;
        for source in &mut sources {
            if let Some(order) = source.peek(bus, who)?
                && first.as_ref().is_none_or(|(least, _)| order < *least)
            {
                first = Some((order, source));
            }
        }
        let Some((_, source)) = first else { break };
        if let Some(event) = source.next() {
            if !taken.is_empty() && bytes + event.data.len() > limit.bytes {
                break;
            }
            source.subscription.after = event.replay_id;
            if event.data.is_empty() {
                continue;
            }
            if source.subscription.filter.as_ref().is_none_or(|filter| filter.admits(&event.data)) {
                bytes += event.data.len();
                taken.push(Delivered { channel: source.subscription.channel.clone(), data: event.data });
            }
        }
    }
    Ok(taken)
}

/// One subscription with the page of it that was read ahead.
struct Source<'a> {
    subscription: &'a mut Subscription,
    page: std::iter::Peekable<std::vec::IntoIter<Event>>,
    /// Replay id of the last event read ahead.
    read: i64,
    limit: Limit,
    dry: bool,
}

impl<'a> Source<'a> {
    fn new(subscription: &'a mut Subscription, limit: Limit) -> Self {
        let read = subscription.after;
        let limit = Limit { events: limit.events.min(PAGE), bytes: limit.bytes };
        Self { subscription, page: Vec::new().into_iter().peekable(), read, limit, dry: false }
    }

    /// Place of the next event in the order of commits.
    fn peek(&mut self, bus: &dyn Bus, who: &Principal) -> Result<Option<u64>, Unavailable> {
        if self.page.peek().is_none() && !self.dry {
            let events = bus.read(who, self.subscription.stream, self.read, self.limit)?;
            self.dry = events.is_empty();
            self.read = events.last().map_or(self.read, |event| event.replay_id);
            self.page = events.into_iter().peekable();
        }
        Ok(self.page.peek().map(|event| event.order))
    }

    fn next(&mut self) -> Option<Event> {
        self.page.next()
    }
}
