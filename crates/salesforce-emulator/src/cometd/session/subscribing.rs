//! Subscriptions granted and refused.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::super::bus::invalid_replay_id;
use super::super::delivery::Subscription;
use super::super::fault::Faults;
use super::super::message::{self, Message};
use super::super::reply::{Advice, Reply};
use super::super::{Bus, Occasion, Principal, Refusal, Replay, SubscribeRequest, filter};
use super::Sessions;
use super::admission::unknown_client;
use super::exchange::BUSY;

impl Sessions {
    /// Subscribes the channels one by one; the first refusal ends it, and what was granted before stays granted.
    pub(super) fn subscribe(
        &mut self,
        client: &str,
        message: &Message,
        subscription: Option<&Value>,
        replay: &Map<String, Value>,
        bus: &dyn Bus,
    ) -> Reply {
        let reply = Reply { subscription: subscription.cloned(), ..Reply::to(message).client(client) };
        if let Some(error) = malformed(subscription) {
            return reply.failed(error);
        }
        if bus.deliveries_left() == 0 {
            return reply.failed(Refusal::DailyLimit.text(""));
        }
        for channel in message.channels() {
            let Some(session) = self.table.get_mut(client) else { return unknown_client(reply) };
            match granted(channel, replay, &session.who, &mut self.faults, bus) {
                Ok(subscription) => {
                    // A channel subscribed again starts again where the new request says.
                    session.subscriptions.retain(|one| *one.channel != *channel);
                    session.subscriptions.push(subscription);
                }
                Err(No { error, busy: false }) => return reply.failed(error),
                Err(No { error, busy: true }) => return reply.reason(BUSY).advice(Advice::denied()).failed(error),
            }
        }
        self.disturbed = true;
        reply
    }

    /// Unsubscribes the channels, subscribed or not.
    pub(super) fn unsubscribe(&mut self, client: &str, message: &Message, subscription: Option<&Value>) -> Reply {
        let reply = Reply { subscription: subscription.cloned(), ..Reply::to(message).client(client) };
        if let Some(error) = malformed(subscription) {
            return reply.failed(error);
        }
        if let Some(session) = self.table.get_mut(client) {
            let channels = message.channels();
            session.subscriptions.retain(|one| !channels.contains(&&*one.channel));
        }
        reply
    }
}

/// Why a `subscription` names no channels.
fn malformed(subscription: Option<&Value>) -> Option<&'static str> {
    match subscription {
        None => Some("400::Channel name not specified"),
        Some(Value::String(_)) => None,
        Some(Value::Array(channels)) if channels.is_empty() => Some("400::Channel name not specified"),
        Some(Value::Array(channels)) if channels.iter().all(Value::is_string) => None,
        Some(_) => Some("403::subscription_invalid"),
    }
}

/// A refused subscription.
struct No {
    error: String,
    busy: bool,
}

fn granted(
    channel: &str,
    replay: &Map<String, Value>,
    who: &Principal,
    faults: &mut Faults,
    bus: &dyn Bus,
) -> Result<Subscription, No> {
    let no = |error: String| No { error, busy: false };
    if channel.is_empty() {
        return Err(no("400::Channel name not specified".to_owned()));
    }
    if !channel.starts_with('/') {
        return Err(no("400::Channel subscriptions must start with a leading '/'".to_owned()));
    }
    if channel.starts_with("/meta/") || channel.starts_with("/service/") {
        return Err(no(Refusal::Restricted.text(channel)));
    }
    let (name, filter) = filter::split(channel);
    let replay = message::replay(replay, name).map_err(|written| no(invalid_replay_id(written)))?;
    let named = matches!(replay, Replay::After(_));
    if named {
        faults.meet(Occasion::Replay);
    }
    if faults.replay(channel, named) {
        let written = match replay {
            Replay::Tip => -1,
            Replay::Earliest => -2,
            Replay::After(id) => id,
        };
        return Err(no(invalid_replay_id(written)));
    }
    let filter_fields = filter.as_ref().map_or_else(Vec::new, filter::Filter::fields);
    let request = SubscribeRequest { channel: name, filter_fields: &filter_fields, replay };
    let start = bus
        .subscribe(who, &request)
        .map_err(|refusal| No { error: refusal.text(name), busy: refusal == Refusal::Busy })?;
    Ok(Subscription { channel: Arc::from(channel), filter, stream: start.stream, after: start.after })
}
