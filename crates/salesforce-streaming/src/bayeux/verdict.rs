//! What a reply means for the session.

use super::{
    cause::Cause,
    codec::Body,
    message::{Advice, Meta, Reconnect, Reply},
    phase::Asked,
};
use crate::Channel;

/// Why a session is over after a farewell of the server.
pub(super) const ENDED: &str = "Salesforce ended the session";

/// What the reply to a connect means for the session.
pub(super) enum Verdict {
    Fine(Advice),
    Over(&'static str),
    Denied(Denial),
    Unanswered,
}

impl Verdict {
    pub(super) fn on_connect(body: &Body) -> Verdict {
        if body.messages().about(Meta::Disconnect).next().is_some() {
            return Verdict::Over(ENDED);
        }
        let Some(reply) = body.messages().about(Meta::Connect).next() else { return Verdict::Unanswered };
        if !reply.successful {
            return Verdict::Denied(Denial::of(reply));
        }
        let advice = reply.advice.clone().unwrap_or_default();
        match advice.reconnect {
            Some(Reconnect::Handshake | Reconnect::None) => Verdict::Over("Salesforce asks for a new session"),
            Some(Reconnect::Retry | Reconnect::Unheard) | None => Verdict::Fine(advice),
        }
    }
}

/// An unsuccessful reply.
pub(super) struct Denial {
    pub(super) cause: Cause,
    pub(super) words: String,
    pub(super) reconnect: Option<Reconnect>,
}

impl Denial {
    pub(super) fn of(reply: &Reply<'_>) -> Denial {
        let reconnect = reply.advice.as_ref().and_then(|advice| advice.reconnect);
        Denial { cause: Cause::of(reply), words: reply.words(), reconnect }
    }
}

/// Whether, of two replies that crossed, `held` has the older events of a channel that was asked for.
pub(super) fn precedes(held: &Body, answer: &Body, asked: &Asked) -> bool {
    let first = |body: &Body, channel: &Channel| {
        let events = body.messages().notifications.iter();
        events.filter(|event| event.channel == channel.name()).map(|event| event.replay_id).min()
    };
    asked.channels.iter().any(|(channel, _)| match (first(held, channel), first(answer, channel)) {
        (Some(held), Some(answer)) => held < answer,
        _ => false,
    })
}
