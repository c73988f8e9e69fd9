//! One request: its messages in their order, each with its reply.

use std::time::Instant;

use http::StatusCode;

use super::super::cookie::Cookies;
use super::super::fault::{Blow, Scene};
use super::super::message::{Call, Message};
use super::super::reply::{Advice, Reply};
use super::super::{Bus, Disguise, Refusal, Unavailable};
use super::waiting::{Gathered, over_limit};
use super::{Caller, Done, Held, Outcome, Release, Sessions};

/// The true reason behind many an error.
pub(super) const BUSY: &str = "503::Server is too busy.  Please try your request again later.";

/// What becomes of a request, and the cookies its reply sets.
#[derive(Debug)]
pub(in crate::cometd) struct Exchange {
    pub outcome: Outcome,
    pub cookies: Cookies,
}

impl Sessions {
    /// Answers the messages of one request, in their order.
    pub(in crate::cometd) fn exchange(
        &mut self,
        messages: &[Message],
        caller: &Caller,
        now: Instant,
        bus: &dyn Bus,
    ) -> Exchange {
        self.sweep(now);
        let cookies = self.issue(caller, messages);
        let outcome = self.outcome(messages, caller, &cookies, now, bus);
        Exchange { outcome, cookies }
    }

    fn outcome(
        &mut self,
        messages: &[Message],
        caller: &Caller,
        cookies: &Cookies,
        now: Instant,
        bus: &dyn Bus,
    ) -> Outcome {
        let reject = |status| Outcome::Done(Done::Reject(status));
        if self.closed {
            return reject(StatusCode::SERVICE_UNAVAILABLE);
        }
        let occasions: Vec<_> = messages.iter().map(Message::occasion).collect();
        let channels: Vec<_> = messages.iter().flat_map(Message::channels).collect();
        if let Some(status) = self.faults.http(Scene { occasions: &occasions, channels: &channels }) {
            return reject(StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE));
        }
        let alone = messages.len() == 1;
        let mut replies = Vec::with_capacity(messages.len());
        let mut hearer = None;
        for message in messages {
            match self.reply(message, alone, caller, cookies, now, bus) {
                Said::Reply(reply) => replies.push(*reply),
                Said::Hearing(client, reply) => {
                    replies.push(*reply);
                    hearer = Some(client);
                }
                Said::Held(held) if alone => return Outcome::Hold(held),
                Said::Held(held) => {
                    self.settle(&held, now);
                    replies.push(*held.reply);
                    hearer = Some(held.client);
                }
            }
        }
        match hearer.map(|client| self.gather(&client, now, bus)) {
            None => Outcome::Done(Done::Answer(self.answer(Gathered::default(), replies, occasions))),
            Some(Ok(gathered)) => Outcome::Done(Done::Answer(self.answer(gathered, replies, occasions))),
            Some(Err(unavailable)) => reject(broken(&unavailable)),
        }
    }

    fn reply(
        &mut self,
        message: &Message,
        alone: bool,
        caller: &Caller,
        cookies: &Cookies,
        now: Instant,
        bus: &dyn Bus,
    ) -> Said {
        if let Some(reply) = self.befall(message) {
            return Said::Reply(Box::new(reply));
        }
        if let Call::Handshake { connection_types } = &message.call {
            return Said::Reply(Box::new(self.handshake(message, connection_types.as_deref(), caller, cookies, now)));
        }
        let client = match self.recognise(message, caller) {
            Ok(client) => client,
            Err(stranger) => return Said::Reply(Box::new(self.turn_away(message, stranger))),
        };
        let reply = match &message.call {
            Call::Connect(asks) => {
                return self.connect(client, message, asks, alone, now, bus).map_or_else(Said::Reply, Said::Held);
            }
            Call::Subscribe { subscription, replay } => {
                self.touch(&client, now);
                let reply = self.subscribe(&client, message, subscription.as_ref(), replay, bus);
                if reply.successful && self.settings.events_with_subscribe {
                    return Said::Hearing(client, Box::new(reply));
                }
                reply
            }
            Call::Unsubscribe { subscription } => {
                self.touch(&client, now);
                self.unsubscribe(&client, message, subscription.as_ref())
            }
            Call::Disconnect => {
                self.remove(&client, Release::Disconnected);
                Reply::to(message).client(&client)
            }
            // A publication or an unknown meta channel: CometD's policy refuses to create the channel.
            Call::Handshake { .. } | Call::Other => {
                let error = match message.channel {
                    Some(_) => "403:denied_by_security_policy:create_denied",
                    None => "400::channel_missing",
                };
                Reply::to(message).client(&client).failed(error)
            }
        };
        Said::Reply(Box::new(reply))
    }

    /// A scripted fault that strikes this message; some prevent its own answer.
    fn befall(&mut self, message: &Message) -> Option<Reply> {
        self.faults.meet(message.occasion());
        let scene = Scene { occasions: &[message.occasion()], channels: &message.channels() };
        let blow = self.faults.message(scene)?;
        let reply = self.addressed(message);
        let reply = match &message.call {
            Call::Subscribe { subscription, .. } | Call::Unsubscribe { subscription } => {
                Reply { subscription: subscription.clone(), ..reply }
            }
            _ => reply,
        };
        match blow {
            Blow::Forget => message.client.iter().for_each(|client| self.forget(Some(client))),
            Blow::Disconnect => message.client.iter().for_each(|client| self.disconnect(Some(client))),
            Blow::OverLimit if matches!(message.call, Call::Connect(_)) => return Some(over_limit(reply)),
            Blow::OverLimit => return Some(reply.failed(Refusal::DailyLimit.text(""))),
            Blow::Refuse(error) => return Some(reply.failed(error)),
            Blow::Busy(disguise) => return Some(busy(reply, disguise, &message.call)),
        }
        None
    }
}

/// What one message comes to.
enum Said {
    Reply(Box<Reply>),
    /// A reply that events of this client may accompany.
    Hearing(String, Box<Reply>),
    Held(Held),
}

fn busy(reply: Reply, disguise: Disguise, call: &Call) -> Reply {
    let reply = reply.reason(BUSY);
    match (disguise, call) {
        (Disguise::AuthenticationInvalid, _) => reply.advice(Advice::stop()).failed("401::Authentication invalid"),
        (Disguise::Denied, Call::Handshake { .. }) => reply.advice(Advice::denied()).failed("403::Handshake denied"),
        (Disguise::Denied, Call::Subscribe { .. }) => {
            reply.advice(Advice::denied()).failed("403:denied_by_security_policy:subscribe_denied")
        }
        // Nothing else is denied by policy; the error then says it itself.
        (Disguise::Denied, _) => reply.advice(Advice::denied()).failed(BUSY),
    }
}

/// The answer when the event log cannot be read.
pub(super) fn broken(unavailable: &Unavailable) -> StatusCode {
    tracing::error!(error = unavailable as &dyn std::error::Error, "cannot deliver events");
    StatusCode::INTERNAL_SERVER_ERROR
}
