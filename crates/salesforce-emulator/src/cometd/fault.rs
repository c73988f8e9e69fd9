//! Scripted trouble: rules that strike at the n-th matching occasion, and nothing else. No chance is involved.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One piece of trouble and when it strikes. As JSON, for example:
///
/// ```json
/// {"fault": "drop_reply"}
/// {"fault": {"stall": {"bytes": 100, "millis": 5000}}, "on": "connect", "skip": 2}
/// {"fault": {"busy": {"disguise": "denied"}}, "on": "subscribe", "times": 3}
/// {"fault": {"refuse": {"error": "403::Restricted channel"}}, "on": "subscribe", "channel": "/topic/Accounts"}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct Rule {
    fault: Fault,
    on: Occasion,
    channel: Option<String>,
    skip: u32,
    times: u32,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// The session is forgotten as a matching message arrives: `403::Unknown client`.
    Forget,
    /// The server ends the session by an unsolicited `/meta/disconnect`, put before the reply.
    Disconnect,
    /// The whole request is answered by this HTTP status with an HTML page; the sessions never see it.
    Http {
        /// 500, 502, 503 and 504 have been seen.
        status: u16,
    },
    /// `503::Server is too busy.  Please try your request again later.`, told only by `ext.sfdc.failureReason`.
    Busy {
        /// What `error` says instead.
        disguise: Disguise,
    },
    /// The replay id of a subscription is refused, whatever it is.
    RefuseReplay,
    /// A matching message is refused with this text.
    Refuse {
        /// `CODE:args:text`.
        error: String,
    },
    /// The connection breaks before the reply, whose events are lost to this session.
    DropReply,
    /// The connection breaks after so many bytes of the reply's body.
    Truncate {
        /// Bytes that still arrive.
        bytes: usize,
    },
    /// The reply's body stops after so many bytes and goes on later.
    Stall {
        /// Bytes that arrive at once.
        bytes: usize,
        /// Length of the silence.
        millis: u32,
    },
    /// Events that are ready are held back, and with them all later ones of that session.
    Delay {
        /// For how long.
        millis: u32,
    },
    /// The events of a reply are delivered again by the next one.
    Duplicate,
    /// Each event of a reply stands in it twice.
    Twice,
    /// The connection breaks before the reply; its events come with the next one.
    Redeliver,
    /// Events that are ready are held back: the session is answered at once, without them.
    Hold {
        /// How many replies go without.
        replies: u32,
    },
    /// The org may deliver no more events today.
    OverLimit,
    /// All access tokens end as a connect begins to wait.
    Expire,
}

/// The `error` behind which a busy server hides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disguise {
    /// `403:denied_by_security_policy:subscribe_denied`; `403::Handshake denied` for a handshake.
    Denied,
    /// `401::Authentication invalid` with advice not to reconnect.
    AuthenticationInvalid,
}

/// Where a rule looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// Any message.
    Any,
    /// `/meta/handshake`.
    Handshake,
    /// `/meta/connect`.
    Connect,
    /// `/meta/subscribe`.
    Subscribe,
    /// A subscription that names a replay id.
    Replay,
    /// `/meta/unsubscribe`.
    Unsubscribe,
    /// `/meta/disconnect`.
    Disconnect,
    /// A reply that carries events.
    Delivery,
}

/// A rule that cannot strike.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a {fault:?} never happens on {on:?}: this fault strikes {strikes}")]
pub struct Impossible {
    fault: Fault,
    on: Occasion,
    strikes: &'static str,
}

impl Rule {
    /// A rule that strikes once, at the first occasion its fault belongs to: any message for `Forget`, `Disconnect`
    /// and `Http`, a subscribe for the refusals, a reply with events for the rest.
    pub fn new(fault: Fault) -> Self {
        let on = match fault {
            Fault::Forget | Fault::Disconnect | Fault::Http { .. } => Occasion::Any,
            Fault::Busy { .. } | Fault::RefuseReplay | Fault::Refuse { .. } => Occasion::Subscribe,
            Fault::OverLimit | Fault::Expire => Occasion::Connect,
            Fault::DropReply
            | Fault::Truncate { .. }
            | Fault::Stall { .. }
            | Fault::Delay { .. }
            | Fault::Duplicate
            | Fault::Twice
            | Fault::Redeliver
            | Fault::Hold { .. } => Occasion::Delivery,
        };
        Self { fault, on, channel: None, skip: 0, times: 1 }
    }

    /// Strikes on this occasion instead.
    pub fn on(self, on: Occasion) -> Result<Self, Impossible> {
        let (possible, strikes) = match self.fault {
            Fault::RefuseReplay => (matches!(on, Occasion::Subscribe | Occasion::Replay), "on subscribe"),
            Fault::Expire => (on == Occasion::Connect, "on connect"),
            Fault::OverLimit => (matches!(on, Occasion::Connect | Occasion::Subscribe), "on connect and subscribe"),
            Fault::Delay { .. } | Fault::Duplicate | Fault::Twice | Fault::Redeliver | Fault::Hold { .. } => {
                (on == Occasion::Delivery, "on delivery")
            }
            Fault::DropReply | Fault::Truncate { .. } | Fault::Stall { .. } => (on != Occasion::Replay, "anywhere"),
            _ => (!matches!(on, Occasion::Delivery | Occasion::Replay), "on messages"),
        };
        if possible { Ok(Self { on, ..self }) } else { Err(Impossible { fault: self.fault, on, strikes }) }
    }

    /// Only when this channel is subscribed, or among the events delivered.
    pub fn channel(self, channel: impl Into<String>) -> Self {
        Self { channel: Some(channel.into()), ..self }
    }

    /// Lets so many occasions pass first.
    pub fn skip(self, skip: u32) -> Self {
        Self { skip, ..self }
    }

    /// Strikes so many times, one occasion after the other.
    pub fn times(self, times: u32) -> Self {
        Self { times, ..self }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    fault: Fault,
    on: Option<Occasion>,
    channel: Option<String>,
    skip: Option<u32>,
    times: Option<u32>,
}

impl TryFrom<Written> for Rule {
    type Error = Impossible;

    fn try_from(written: Written) -> Result<Self, Impossible> {
        let rule = Self::new(written.fault);
        let rule = match written.on {
            Some(on) => rule.on(on)?,
            None => rule,
        };
        Ok(Self { channel: written.channel, ..rule }.skip(written.skip.unwrap_or(0)).times(written.times.unwrap_or(1)))
    }
}

/// Trouble that is planned elsewhere: asked once for each occasion, as it comes.
pub trait Planned: Send + Sync {
    /// What befalls this occasion.
    fn meet(&self, occasion: Occasion) -> Option<Fault>;
}

/// The rules still to strike.
#[derive(Default)]
pub(super) struct Faults {
    scripted: Vec<Rule>,
    planned: Vec<Rule>,
    plan: Option<Arc<dyn Planned>>,
}

/// What is happening, for the rules to look at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene<'a> {
    pub occasions: &'a [Occasion],
    pub channels: &'a [&'a str],
}

/// How a reply's bytes reach the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    Whole,
    Cut { bytes: usize },
    Stall { bytes: usize, silence: Duration },
}

/// What befalls a message before it is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Blow {
    Forget,
    Disconnect,
    Busy(Disguise),
    OverLimit,
    Refuse(String),
}

impl Faults {
    pub(super) fn add(&mut self, rule: Rule) {
        self.scripted.push(rule);
    }

    pub(super) fn clear(&mut self) {
        self.scripted.clear();
        self.planned.clear();
    }

    pub(super) fn rules(&self) -> &[Rule] {
        &self.scripted
    }

    /// From now on this plan is asked too.
    pub(super) fn follow(&mut self, plan: Arc<dyn Planned>) {
        self.plan = Some(plan);
    }

    /// An occasion comes: what is planned for it becomes a rule that strikes once.
    pub(super) fn meet(&mut self, occasion: Occasion) {
        let fault = self.plan.as_ref().and_then(|plan| plan.meet(occasion));
        self.planned.extend(fault.and_then(|fault| Rule::new(fault).on(occasion).ok()));
    }

    pub(super) fn http(&mut self, scene: Scene<'_>) -> Option<u16> {
        self.strike(scene, |fault| match fault {
            Fault::Http { status } => Some(*status),
            _ => None,
        })
    }

    pub(super) fn message(&mut self, scene: Scene<'_>) -> Option<Blow> {
        self.strike(scene, |fault| match fault {
            Fault::Forget => Some(Blow::Forget),
            Fault::Disconnect => Some(Blow::Disconnect),
            Fault::Busy { disguise } => Some(Blow::Busy(*disguise)),
            Fault::OverLimit => Some(Blow::OverLimit),
            Fault::Refuse { error } => Some(Blow::Refuse(error.clone())),
            _ => None,
        })
    }

    /// Is the replay value of a subscription refused? `named` if it is the id of an event.
    pub(super) fn replay(&mut self, channel: &str, named: bool) -> bool {
        let both = [Occasion::Subscribe, Occasion::Replay];
        let occasions = if named { &both[..] } else { &both[..1] };
        self.is_struck(Scene { occasions, channels: &[channel] }, &Fault::RefuseReplay)
    }

    /// Do the tokens end as a connect begins to wait?
    pub(super) fn expire(&mut self) -> bool {
        self.is_struck(Scene { occasions: &[Occasion::Connect], channels: &[] }, &Fault::Expire)
    }

    pub(super) fn delay(&mut self, channels: &[&str]) -> Option<Duration> {
        self.strike(Scene { occasions: &[Occasion::Delivery], channels }, |fault| match fault {
            Fault::Delay { millis } => Some(Duration::from_millis(u64::from(*millis))),
            _ => None,
        })
    }

    /// Does this befall events that are about to be delivered?
    pub(super) fn delivery(&mut self, fault: &Fault, channels: &[&str]) -> bool {
        self.is_struck(Scene { occasions: &[Occasion::Delivery], channels }, fault)
    }

    /// How many replies go without the events that are ready.
    pub(super) fn hold(&mut self, channels: &[&str]) -> Option<u32> {
        self.strike(Scene { occasions: &[Occasion::Delivery], channels }, |fault| match fault {
            Fault::Hold { replies } => Some(*replies),
            _ => None,
        })
    }

    pub(super) fn wire(&mut self, scene: Scene<'_>) -> Wire {
        let struck = self.strike(scene, |fault| match fault {
            Fault::DropReply => Some(Wire::Cut { bytes: 0 }),
            Fault::Truncate { bytes } => Some(Wire::Cut { bytes: *bytes }),
            Fault::Stall { bytes, millis } => {
                Some(Wire::Stall { bytes: *bytes, silence: Duration::from_millis(u64::from(*millis)) })
            }
            _ => None,
        });
        struck.unwrap_or(Wire::Whole)
    }

    fn is_struck(&mut self, scene: Scene<'_>, fault: &Fault) -> bool {
        self.strike(scene, |one| (one == fault).then_some(())).is_some()
    }

    fn strike<T>(&mut self, scene: Scene<'_>, pick: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        strike(&mut self.scripted, scene, &pick).or_else(|| strike(&mut self.planned, scene, &pick))
    }
}

/// The first rule of this kind whose occasion it is: counted down if it still skips, else struck.
fn strike<T>(rules: &mut Vec<Rule>, scene: Scene<'_>, pick: &impl Fn(&Fault) -> Option<T>) -> Option<T> {
    for (at, rule) in rules.iter_mut().enumerate() {
        let here = (rule.on == Occasion::Any || scene.occasions.contains(&rule.on))
            && rule.channel.as_deref().is_none_or(|channel| scene.channels.contains(&channel));
        let Some(found) = pick(&rule.fault).filter(|_| here && rule.times > 0) else { continue };
        if rule.skip > 0 {
            rule.skip -= 1;
            continue;
        }
        rule.times -= 1;
        if rule.times == 0 {
            rules.remove(at);
        }
        return Some(found);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(json: &str) -> Result<Rule, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn rules_are_written_as_json() {
        assert_eq!(rule(r#"{"fault":"drop_reply"}"#), Ok(Rule::new(Fault::DropReply)));
        assert_eq!(
            rule(r#"{"fault":{"http":{"status":503}},"on":"connect","skip":2,"times":3}"#),
            Ok(Rule::new(Fault::Http { status: 503 }).on(Occasion::Connect).unwrap().skip(2).times(3))
        );
        assert_eq!(
            rule(r#"{"fault":"refuse_replay","channel":"/topic/A"}"#),
            Ok(Rule::new(Fault::RefuseReplay).channel("/topic/A"))
        );
    }

    #[test]
    fn rules_that_cannot_strike_are_refused() {
        for (json, expect) in [
            (
                r#"{"fault":"forget","on":"delivery"}"#,
                "a Forget never happens on Delivery: this fault strikes on messages",
            ),
            (
                r#"{"fault":"refuse_replay","on":"connect"}"#,
                "a RefuseReplay never happens on Connect: this fault strikes on subscribe",
            ),
            (r#"{"fault":"duplicate","on":"any"}"#, "a Duplicate never happens on Any: this fault strikes on delivery"),
        ] {
            assert_eq!(rule(json), Err(expect.to_owned()));
        }
        assert!(rule(r#"{"fault":"earthquake"}"#).is_err());
        assert!(rule(r#"{"fault":"forget","when":"now"}"#).is_err());
    }

    #[test]
    fn a_rule_skips_then_strikes_then_is_gone() {
        let mut faults = Faults::default();
        faults.add(Rule::new(Fault::Http { status: 503 }).on(Occasion::Connect).unwrap().skip(1).times(2));
        let mut at = |occasion| faults.http(Scene { occasions: &[occasion], channels: &[] });
        let seen = [Occasion::Connect, Occasion::Subscribe, Occasion::Connect, Occasion::Connect, Occasion::Connect]
            .map(&mut at);
        assert_eq!(seen, [None, None, Some(503), Some(503), None]);
        assert!(faults.rules().is_empty());
    }
}
