//! The life of a connect: it arrives, waits, looks again, and is answered with whatever is ready.

use std::time::Instant;

use http::StatusCode;

use super::super::delivery::{self, Delivered};
use super::super::fault::{Scene, Wire};
use super::super::message::{Connect, Message};
use super::super::reply::{Advice, Reply};
use super::super::{AuthFailure, Bus, Fault, Limit, Occasion, Principal, Refusal, Unavailable};
use super::admission::{invalid_connection_type, unknown_client};
use super::exchange::broken;
use super::{Anonymous, Answer, Done, Line, Release, Sessions};

/// A connect that waits for events, or for its time to run out.
#[derive(Debug)]
pub(in crate::cometd) struct Held {
    pub(super) client: String,
    pub(super) turn: u64,
    until: Instant,
    pub(super) reply: Box<Reply>,
}

/// What a waiting connect finds when it looks again.
#[derive(Debug)]
pub(in crate::cometd) enum Resumed {
    Wait { until: Instant },
    Done(Done),
}

/// What a session is to be told now.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) events: Vec<Delivered>,
    /// There would be events, but the reply goes without them.
    withheld: bool,
    /// The connection breaks before the reply.
    lost: bool,
}

impl Sessions {
    /// Receives a connect. It may wait if it is `alone` in its request; otherwise it is to be answered now.
    pub(super) fn connect(
        &mut self,
        client: String,
        message: &Message,
        asks: &Connect,
        alone: bool,
        now: Instant,
        bus: &dyn Bus,
    ) -> Result<Held, Box<Reply>> {
        let mut reply = Reply::to(message).client(&client);
        if let Some(kind) = asks.connection_type.as_deref().filter(|kind| *kind != "long-polling") {
            return Err(Box::new(reply.failed(invalid_connection_type(kind))));
        }
        if bus.deliveries_left() == 0 {
            self.touch(&client, now);
            return Err(Box::new(over_limit(reply)));
        }
        let long_poll = self.settings.long_poll;
        let crowded = alone && self.crowded(&client);
        let turn = self.turns;
        self.turns += 1;
        let before = match self.table.get_mut(&client) {
            Some(session) => std::mem::replace(&mut session.line, Line::Held(turn)),
            None => Line::Handshaken,
        };
        if let Line::Held(older) = before {
            self.released.insert(older, Release::Superseded);
            self.disturbed = true;
        }
        if crowded {
            reply = reply.advice(Advice::many_clients());
        } else if before == Line::Handshaken || asks.advice.is_some() {
            reply = reply.advice(Advice::retry(long_poll));
        }
        let wait = asks.advice.and_then(|advice| advice.timeout).map_or(long_poll, |asked| asked.min(long_poll));
        let waits = alone && !crowded && before != Line::Handshaken;
        Ok(Held { client, turn, until: if waits { now + wait } else { now }, reply: Box::new(reply) })
    }

    /// Looks again at a connect that waits: at its arrival, whenever something happened, and when its time is up.
    ///
    /// `who` is what its token is worth by now: Salesforce keeps validating it while a client is connected.
    pub(in crate::cometd) fn resume(
        &mut self,
        held: &Held,
        who: &Result<Principal, Anonymous>,
        now: Instant,
        bus: &dyn Bus,
    ) -> Resumed {
        if self.closed {
            return Resumed::Done(Done::Reject(StatusCode::SERVICE_UNAVAILABLE));
        }
        let reply = (*held.reply).clone();
        match self.released.remove(&held.turn) {
            None => {}
            // CometD 3 ends the older of two connects by a request timeout.
            Some(Release::Superseded) => return Resumed::Done(Done::Reject(StatusCode::REQUEST_TIMEOUT)),
            Some(Release::Disconnected) => {
                return self.done(Gathered::default(), vec![reply.advice(Advice::denied())]);
            }
            Some(Release::Forgotten) => return self.done(Gathered::default(), vec![unknown_client(reply)]),
        }
        if let Err(anonymous) = who {
            self.settle(held, now);
            return self.done(Gathered::default(), vec![reply.advice(Advice::stop()).failed(anonymous.text())]);
        }
        if bus.deliveries_left() == 0 {
            self.settle(held, now);
            return self.done(Gathered::default(), vec![over_limit(reply)]);
        }
        let gathered = match self.gather(&held.client, now, bus) {
            Ok(gathered) => gathered,
            Err(unavailable) => {
                self.settle(held, now);
                return Resumed::Done(Done::Reject(broken(&unavailable)));
            }
        };
        if self.table.get(&held.client).is_some_and(|session| session.ending) {
            self.table.remove(&held.client);
            return self.done(gathered, vec![Reply::farewell(), reply.advice(Advice::denied())]);
        }
        if gathered.events.is_empty() && !gathered.withheld && now < held.until {
            if self.faults.expire() {
                bus.expire_sessions();
                self.disturbed = true;
                self.settle(held, now);
                let text = Anonymous::Refused(AuthFailure::Invalid).text();
                return self.done(Gathered::default(), vec![reply.advice(Advice::stop()).failed(text)]);
            }
            let quiet = self.table.get(&held.client).and_then(|session| session.quiet_until);
            return Resumed::Wait { until: quiet.map_or(held.until, |quiet| quiet.min(held.until)) };
        }
        self.settle(held, now);
        self.done(gathered, vec![reply])
    }

    /// The connection of a waiting connect is gone. Does nothing when the connect was answered.
    pub(in crate::cometd) fn leave(&mut self, held: &Held, now: Instant) {
        self.released.remove(&held.turn);
        self.settle(held, now);
    }

    /// Takes the events that are ready for a session.
    pub(super) fn gather(&mut self, client: &str, now: Instant, bus: &dyn Bus) -> Result<Gathered, Unavailable> {
        let Some(session) = self.table.get_mut(client) else { return Ok(Gathered::default()) };
        if session.quiet_until.is_some_and(|until| now < until) {
            return Ok(Gathered::default());
        }
        let withheld = Gathered { withheld: true, ..Gathered::default() };
        if session.withheld > 0 {
            session.withheld -= 1;
            return Ok(withheld);
        }
        let was_quiet = session.quiet_until.take().is_some();
        let left = usize::try_from(bus.deliveries_left()).unwrap_or(usize::MAX);
        let limit =
            Limit { events: self.settings.max_reply_events.min(left), bytes: self.settings.max_reply_bytes.max(1) };
        let mut ahead = session.subscriptions.clone();
        let mut events = delivery::take(bus, &session.who, &mut ahead, limit)?;
        if events.is_empty() {
            session.subscriptions = ahead;
            return Ok(Gathered::default());
        }
        let channels = channels_of(&events);
        if !was_quiet {
            self.faults.meet(Occasion::Delivery);
            if let Some(delay) = self.faults.delay(&channels) {
                session.quiet_until = Some(now + delay);
                return Ok(Gathered::default());
            }
            if let Some(replies) = self.faults.hold(&channels).filter(|replies| *replies > 0) {
                session.withheld = replies - 1;
                return Ok(withheld);
            }
        }
        let lost = self.faults.delivery(&Fault::Redeliver, &channels);
        if !lost && !self.faults.delivery(&Fault::Duplicate, &channels) {
            session.subscriptions = ahead;
        }
        if self.faults.delivery(&Fault::Twice, &channels) {
            events = events.iter().flat_map(|event| [event.clone(), event.clone()]).collect();
        }
        bus.delivered(&session.who, events.len() as u64);
        Ok(Gathered { events, lost, withheld: false })
    }

    /// Completes a reply; here a scripted fault may spoil its way to the client.
    pub(super) fn answer(&mut self, gathered: Gathered, replies: Vec<Reply>, mut occasions: Vec<Occasion>) -> Answer {
        let Gathered { events, lost, .. } = gathered;
        if !events.is_empty() {
            occasions.push(Occasion::Delivery);
        }
        let channels = channels_of(&events);
        let wire = match lost {
            true => Wire::Cut { bytes: 0 },
            false => self.faults.wire(Scene { occasions: &occasions, channels: &channels }),
        };
        Answer { events, replies, wire }
    }

    fn done(&mut self, gathered: Gathered, replies: Vec<Reply>) -> Resumed {
        Resumed::Done(Done::Answer(self.answer(gathered, replies, vec![Occasion::Connect])))
    }

    /// Whether as many other sessions of the same browser wait as may.
    fn crowded(&self, client: &str) -> bool {
        let browser = self.table.get(client).map(|session| &session.browser);
        let held = self.table.iter().filter(|(other, session)| {
            *other != client && Some(&session.browser) == browser && matches!(session.line, Line::Held(_))
        });
        held.count() >= self.settings.held_per_browser
    }
}

pub(super) fn over_limit(reply: Reply) -> Reply {
    reply.advice(Advice::stop()).failed(Refusal::DailyLimit.text(""))
}

fn channels_of(events: &[Delivered]) -> Vec<&str> {
    let mut channels: Vec<&str> = Vec::new();
    for event in events {
        if !channels.contains(&&*event.channel) {
            channels.push(&event.channel);
        }
    }
    channels
}
