//! What a refusal is really about.
//!
//! Salesforce says it in two places: `error`, which may be quite misleading, and `ext.sfdc.failureReason`, which is
//! the real cause. Both read `CODE:args:text`, mostly with empty args. The words are those of the developer guide's
//! list of streaming error codes and of replies seen in the wild.

use super::message::Reply;
use crate::FailureKind;

/// What a refusal means for the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The access token is not, or no longer, accepted.
    Unauthenticated,
    /// The server has forgotten the session.
    UnknownClient,
    /// The cookies belong to another session.
    ForeignCookies,
    /// The position asked for is not accepted.
    Replay,
    /// The request itself is refused.
    Refused(FailureKind),
}

impl Cause {
    /// The cause of an unsuccessful reply: the reason given for it where that says something, else its error.
    pub(crate) fn of(reply: &Reply<'_>) -> Cause {
        let texts = [&reply.reason, &reply.error];
        let mut causes = texts.into_iter().flatten().map(|text| Cause::of_text(text));
        causes.find(|cause| *cause != Cause::OTHER).unwrap_or(Cause::OTHER)
    }

    const OTHER: Cause = Cause::Refused(FailureKind::Other);

    fn of_text(text: &str) -> Cause {
        let lower = text.to_ascii_lowercase();
        if let Some((_, cause)) = PHRASES.iter().find(|(phrase, _)| lower.contains(phrase)) {
            return *cause;
        }
        match lower.split(':').next().and_then(|code| code.trim().parse::<u16>().ok()) {
            Some(401) => Cause::Unauthenticated,
            Some(500..=599) => Cause::Refused(FailureKind::Busy),
            _ => Cause::OTHER,
        }
    }
}

/// The first phrase found decides. Lower case.
const PHRASES: &[(&str, Cause)] = &[
    ("unknown client", Cause::UnknownClient),
    ("session_unknown", Cause::UnknownClient),
    ("has not completed handshake", Cause::UnknownClient),
    ("server is too busy", Cause::Refused(FailureKind::Busy)),
    ("cookie present", Cause::ForeignCookies),
    ("user id does not match the session", Cause::ForeignCookies),
    ("replayid", Cause::Replay),
    ("concurrent user limit", Cause::Refused(FailureKind::TooManyClients)),
    ("limit the number of simultaneous connections", Cause::Refused(FailureKind::TooManyClients)),
    ("daily limit exceeded", Cause::Refused(FailureKind::DailyLimit)),
    ("subscription limit exceeded", Cause::Refused(FailureKind::TooManySubscribers)),
    ("channel you requested to subscribe to do", Cause::Refused(FailureKind::NoSuchChannel)),
    ("unknown channel", Cause::Refused(FailureKind::NoSuchChannel)),
    ("not enabled for streaming", Cause::Refused(FailureKind::NotEnabled)),
    ("api version", Cause::Refused(FailureKind::ApiVersion)),
    ("query fields", Cause::Refused(FailureKind::BadChannel)),
    ("channel name", Cause::Refused(FailureKind::BadChannel)),
    ("channel subscriptions must start", Cause::Refused(FailureKind::BadChannel)),
    ("maximum channel limit", Cause::Refused(FailureKind::BadChannel)),
    ("subscriber does not have access", Cause::Refused(FailureKind::NoAccess)),
    ("restricted channel", Cause::Refused(FailureKind::NoAccess)),
    ("cannot create channel", Cause::Refused(FailureKind::NoAccess)),
    ("no access on channel", Cause::Refused(FailureKind::NoAccess)),
    ("user not allowed to subscribe", Cause::Refused(FailureKind::NoAccess)),
    ("denied_by_security_policy", Cause::Refused(FailureKind::NoAccess)),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FailureKind::*, bayeux::Body};

    fn cause(error: &str, reason: Option<&str>) -> Cause {
        let ext = reason.map(|reason| serde_json::json!({"replay": true, "sfdc": {"failureReason": reason}}));
        let reply =
            serde_json::json!([{"channel": "/meta/subscribe", "successful": false, "error": error, "ext": ext}]);
        let body = Body::parse(reply.to_string().into()).expect("a body");
        Cause::of(&body.messages().replies[0])
    }

    #[test]
    fn every_known_error_has_its_meaning() {
        for (error, expect) in [
            ("401::Authentication invalid", Cause::Unauthenticated),
            ("401::Request requires authentication", Cause::Unauthenticated),
            ("403::Unknown client", Cause::UnknownClient),
            ("402::Unknown client", Cause::UnknownClient),
            ("402::session_unknown", Cause::UnknownClient),
            ("401:1xj1529zd8mx3ol01sl8hlzm5ewwj:Unknown client", Cause::UnknownClient),
            ("403::Client has not completed handshake", Cause::UnknownClient),
            ("403::Organization concurrent user limit exceeded", Cause::Refused(TooManyClients)),
            (
                "403::To protect all customers from excessive use and Denial of Service attacks, we limit the number of \
                 simultaneous connections per server.",
                Cause::Refused(TooManyClients),
            ),
            (
                "400::API version in the URI is mandatory. URI format: '/cometd/67.0'",
                Cause::Refused(FailureKind::ApiVersion),
            ),
            (
                "400::Unsupported API version. Only API versions '37.0' and later are supported.",
                Cause::Refused(FailureKind::ApiVersion),
            ),
            ("400::The channel you requested to subscribe to does not exist {/topic/X}", Cause::Refused(NoSuchChannel)),
            ("400::The channel you requested to subscribe to doesn't exist {/topic/X}", Cause::Refused(NoSuchChannel)),
            ("404::Unknown channel", Cause::Refused(NoSuchChannel)),
            ("400::Channel name not specified", Cause::Refused(BadChannel)),
            ("400::Channel subscriptions must start with a leading '/'", Cause::Refused(BadChannel)),
            ("404::channel names may not vary only by case", Cause::Refused(BadChannel)),
            (
                "403::Unable to create channel dynamically, maximum channel limit has been exceeded",
                Cause::Refused(BadChannel),
            ),
            ("400::Query fields {Colour__c} do not exist on the topic entity", Cause::Refused(BadChannel)),
            (
                "400::The replayId {1553783} you provided was invalid.  Please provide a valid ID, -2 to replay all \
                 events, or -1 to replay only new events.",
                Cause::Replay,
            ),
            ("403::Subscriber does not have access to the entity in this topic", Cause::Refused(NoAccess)),
            (
                "403::Subscriber does not have access to all fields referenced in the where clause of the PushTopic",
                Cause::Refused(NoAccess),
            ),
            ("403::User not enabled for streaming", Cause::Refused(NotEnabled)),
            ("403::Restricted channel", Cause::Refused(NoAccess)),
            ("403::Cannot create channel /u/x", Cause::Refused(NoAccess)),
            ("403::No access on channel", Cause::Refused(NoAccess)),
            ("403::User not allowed to subscribe CDC without View All Data permissions", Cause::Refused(NoAccess)),
            ("403::Subscription limit exceeded for this topic", Cause::Refused(TooManySubscribers)),
            ("403:denied_by_security_policy:create_denied", Cause::Refused(NoAccess)),
            ("403:denied_by_security_policy:subscribe_denied", Cause::Refused(NoAccess)),
            ("403::Organization total events daily limit exceeded", Cause::Refused(DailyLimit)),
            ("503::Server is too busy.  Please try your request again later.", Cause::Refused(Busy)),
            ("500::Internal error", Cause::Refused(Busy)),
            ("400::Client x has established a session, but no BAYEUX_BROWSER cookie present", Cause::ForeignCookies),
            ("400::Authenticated user id does not match the session's user id", Cause::ForeignCookies),
            ("403::Handshake denied", Cause::Refused(Other)),
            ("", Cause::Refused(Other)),
        ] {
            assert_eq!(cause(error, None), expect, "{error}");
            assert_eq!(cause("403::Handshake denied", Some(error)), expect, "{error} as a reason");
        }
    }

    #[test]
    fn the_reason_outweighs_the_error_where_it_says_something() {
        const BUSY: &str = "503::Server is too busy.  Please try your request again later.";
        for (error, reason, expect) in [
            ("403:denied_by_security_policy:subscribe_denied", BUSY, Cause::Refused(Busy)),
            ("401::Authentication invalid", BUSY, Cause::Refused(Busy)),
            ("403::Unknown client", BUSY, Cause::Refused(Busy)),
            ("403::Handshake denied", "401::Authentication invalid", Cause::Unauthenticated),
            ("403::Unknown client", "403::Something new", Cause::UnknownClient),
        ] {
            assert_eq!(cause(error, Some(reason)), expect, "{error} because of {reason}");
        }
    }
}
