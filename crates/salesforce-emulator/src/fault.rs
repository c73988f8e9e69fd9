//! Scripted trouble: which requests it strikes, and what then happens. Pure; `api` carries it out.

use serde::{Deserialize, Serialize};

/// Trouble for some requests.
///
/// ```json
/// {"kind": "query", "nth": 3, "action": {"reply": {"status": 503, "body": [{"message": "busy", "errorCode": "SERVER_UNAVAILABLE"}]}}}
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// HTTP method; any if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Beginning of the path; any if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Kind of request, as `/__emulator/calls` names them; any if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The first matching request that is struck, counting from 1.
    #[serde(default = "one")]
    pub nth: u64,
    /// How many matching requests are struck from there on; `null` strikes all of them.
    #[serde(default = "once")]
    pub count: Option<u64>,
    /// What happens.
    pub action: FaultAction,
}

fn one() -> u64 {
    1
}

fn once() -> Option<u64> {
    Some(1)
}

/// What happens to a struck request. As JSON: `"drop"`, `{"delay": {"ms": 200}}`, …
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultAction {
    /// It is not handled; this is the answer.
    Reply {
        /// HTTP status.
        status: u16,
        /// JSON body; none if absent.
        #[serde(default)]
        body: Option<serde_json::Value>,
    },
    /// It is not handled; the answer is a 503 with an HTML page, as the edge sends during maintenance.
    Html503,
    /// It is not handled; the connection is cut.
    Drop,
    /// It is handled, and the connection is cut before the answer: the client cannot know.
    DropReply,
    /// It is handled; of the answer's body only this much arrives before the connection is cut.
    Truncate {
        /// Bytes that arrive.
        bytes: usize,
    },
    /// It is not handled; no answer comes for as long as the client waits.
    Stall,
    /// It is handled after this much real time.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
    /// All sessions end first; the request then meets the consequences.
    ExpireSession,
    /// It is not handled; the org or something before it is out of order.
    Outage(Outage),
    /// It is handled; of the answer's body, as it goes over the wire, only so much arrives before the connection is cut.
    Cut {
        /// Part of the body that arrives, in percent; at most 99.
        percent: u8,
        /// Leave out `Content-Length`, so that nothing tells beforehand how much there would have been.
        #[serde(default)]
        chunked: bool,
    },
    /// It is handled; a part of the answer's body arrives, then nothing more.
    StallBody {
        /// Part of the body that arrives, in percent; at most 99.
        percent: u8,
        /// Milliseconds after which the connection is cut; as long as the client waits if absent.
        #[serde(default)]
        ms: Option<u64>,
    },
    /// It is handled; the answer's body arrives in pieces.
    Drip {
        /// How many.
        pieces: u32,
        /// Milliseconds from the first to the last.
        ms: u64,
    },
    /// It is handled; wherever a text stands in the answer's body, another stands instead. The answer is not compressed.
    Respell {
        /// The text; it is not empty.
        text: String,
        /// What stands instead.
        into: String,
        /// Write that in ISO 8859-1, which is no UTF-8 but for ASCII.
        #[serde(default)]
        latin1: bool,
    },
    /// The day's API calls are used up: this request and others are refused with `REQUEST_LIMIT_EXCEEDED`.
    ExhaustCalls {
        /// How many requests are refused, this one included; those of the rest of the day (UTC, in virtual time) if absent.
        #[serde(default)]
        refusals: Option<u64>,
    },
    /// It is refused because too many long requests are at work.
    ConcurrentLimit,
    /// Records are locked by somebody else: `UNABLE_TO_LOCK_ROW` for a request that writes one, for some of the rows of a
    /// collection. Requests that write nothing are handled as ever.
    LockRows {
        /// Each so-manieth row is locked, counting from the first.
        every: u64,
    },
    /// The token endpoint refuses for a reason that passes.
    DenyToken(TokenTrouble),
}

/// The disguises in which Salesforce is out of order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outage {
    /// 503 `SERVER_UNAVAILABLE`, as JSON.
    Json,
    /// 503 with a page for people.
    Page,
    /// 503 with no body.
    Empty,
    /// 500 `UNKNOWN_EXCEPTION`, as JSON.
    UnknownException,
    /// 502 of the edge, a page.
    BadGateway,
    /// 504 of the edge, a page.
    GatewayTimeout,
    /// 200 with a page for people.
    PageWith200,
}

impl Outage {
    /// All of them.
    pub(crate) const ALL: [Self; 7] = [
        Self::Json,
        Self::Page,
        Self::Empty,
        Self::UnknownException,
        Self::BadGateway,
        Self::GatewayTimeout,
        Self::PageWith200,
    ];
}

/// Why the token endpoint refuses for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenTrouble {
    /// `invalid_grant`, "token request is already being processed".
    BeingProcessed,
    /// `rate_limit_exceeded`, "login rate exceeded".
    RateExceeded,
}

/// The rules in force.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: Vec<Armed>,
}

#[derive(Debug)]
struct Armed {
    rule: FaultRule,
    seen: u64,
}

impl Faults {
    /// Adds a rule. Rules are asked in the order they were added; the first that strikes settles the request's fate.
    pub(crate) fn add(&mut self, rule: FaultRule) {
        self.rules.push(Armed { rule, seen: 0 });
    }

    /// Removes all rules.
    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    /// The rules that may still strike.
    pub(crate) fn rules(&self) -> impl Iterator<Item = &FaultRule> {
        self.rules.iter().map(|armed| &armed.rule)
    }

    /// A request arrives: is it struck? Every rule that matches counts it, whichever strikes.
    pub(crate) fn strike(&mut self, method: &str, path: &str, kind: &str) -> Option<FaultAction> {
        let mut struck = None;
        self.rules.retain_mut(|armed| {
            let Armed { rule, seen } = armed;
            let matches = rule.method.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
                && rule.path.as_deref().is_none_or(|wanted| path.starts_with(wanted))
                && rule.kind.as_deref().is_none_or(|wanted| wanted == kind);
            if !matches {
                return true;
            }
            *seen += 1;
            let last = rule.count.map(|count| rule.nth.saturating_add(count).saturating_sub(1));
            if struck.is_none() && *seen >= rule.nth && last.is_none_or(|last| *seen <= last) {
                struck = Some(rule.action.clone());
            }
            last.is_none_or(|last| *seen < last)
        });
        struck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(rules: &[&str]) -> Faults {
        let mut faults = Faults::default();
        for rule in rules {
            faults.add(serde_json::from_str(rule).unwrap());
        }
        faults
    }

    #[test]
    fn counts_from_the_nth() {
        let mut faults = faults(&[r#"{"kind":"query","nth":2,"count":2,"action":"drop"}"#]);
        let struck: Vec<bool> = (0..5).map(|_| faults.strike("GET", "/x", "query").is_some()).collect();
        assert_eq!(struck, [false, true, true, false, false]);
        assert_eq!(faults.rules().count(), 0, "a spent rule is gone");
    }

    #[test]
    fn matches_what_it_names() {
        let mut faults = faults(&[r#"{"method":"get","path":"/services/data/","count":null,"action":"stall"}"#]);
        assert_eq!(faults.strike("POST", "/services/data/v62.0/query", "query"), None);
        assert_eq!(faults.strike("GET", "/services/oauth2/token", "token"), None);
        assert_eq!(faults.strike("GET", "/services/data/v62.0/query", "query"), Some(FaultAction::Stall));
    }
}
