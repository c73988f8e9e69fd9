//! What a failure means, and what to do about it. Pure: the sender waits, this only decides.

use std::time::Duration;

use http::StatusCode;

use crate::{
    advice::barred,
    bulk::is_quota,
    failure::{Failure, Fault, Refusal},
};

/// What a failure means for the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It passes soon: the same request may be sent again after a short pause.
    Retry,
    /// An allocation is used up: the same request may work in minutes or hours.
    Wait,
    /// The token is no longer valid; a new one may cure it.
    Reauthenticate,
    /// A create whose reply was lost or cannot be read: it may have been carried out, so look before sending it again.
    Unclear,
    /// It will fail again until somebody changes something.
    Fatal,
}

/// Whether a request may be carried out twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A read, or a write that ends the same however often it is done.
    Repeatable,
    /// A create: doing it twice makes two records.
    Once,
}

/// How long to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The most the first pause may be; it doubles with each attempt.
    pub first_pause: Duration,
    /// The most any pause may be, unless the reply asks for more.
    pub longest_pause: Duration,
    /// No pause ends later than this after the first attempt began.
    pub patience: Duration,
    /// How often a request is sent at most.
    pub attempts: u32,
}

impl Default for Policy {
    /// Half a second at first, 30 s at most, 8 attempts within 3 minutes.
    fn default() -> Self {
        Policy {
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(30),
            patience: Duration::from_secs(180),
            attempts: 8,
        }
    }
}

impl Policy {
    /// A policy that gives up at the first failure.
    #[must_use]
    pub fn never() -> Policy {
        Policy { attempts: 1, ..Policy::default() }
    }

    /// Full jitter: anything between nothing and a ceiling that doubles with each attempt.
    fn pause(&self, attempt: &Attempt) -> Duration {
        let doublings = attempt.number.saturating_sub(1).min(31);
        let ceiling = self.first_pause.saturating_mul(1 << doublings).min(self.longest_pause);
        ceiling.mul_f64(attempt.roll.clamp(0.0, 1.0))
    }
}

/// How often the token is renewed for one request. The one that somebody else has got may have ended before it could be used, so
/// once is not enough; what new tokens do not cure, more of them do not either.
const RENEWALS: u32 = 3;

/// The attempt that failed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attempt {
    /// Which one it was, from 1.
    pub number: u32,
    /// How often the token was renewed for this request.
    pub renewals: u32,
    /// How long the reply asked to wait.
    pub retry_after: Option<Duration>,
    /// A random number from 0 to 1, for jitter.
    pub roll: f64,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Send the request again after a pause.
    Again(Duration),
    /// Get a new token, then send the request again.
    Renew,
    /// Hand the failure to the caller.
    Stop,
}

/// What to do about a failure of this class, `elapsed` after the first attempt began.
#[must_use]
pub fn decide(class: Class, attempt: &Attempt, elapsed: Duration, policy: &Policy) -> Decision {
    match class {
        Class::Reauthenticate if attempt.renewals < RENEWALS => Decision::Renew,
        Class::Retry if attempt.number < policy.attempts => {
            let pause = policy.pause(attempt).max(attempt.retry_after.unwrap_or_default());
            if elapsed.saturating_add(pause) <= policy.patience { Decision::Again(pause) } else { Decision::Stop }
        }
        Class::Retry | Class::Reauthenticate | Class::Wait | Class::Unclear | Class::Fatal => Decision::Stop,
    }
}

/// What a failure of a request with this effect means.
#[must_use]
pub fn classify(failure: &Failure, effect: Effect) -> Class {
    // What came of a create whose success cannot be read is as unclear as that of one whose reply was lost.
    let if_done = match effect {
        Effect::Repeatable => Class::Fatal,
        Effect::Once => Class::Unclear,
    };
    let unless_done = match effect {
        Effect::Repeatable => Class::Retry,
        Effect::Once => Class::Unclear,
    };
    match failure {
        Failure::Unsent { cause, .. } if barred(cause).is_some() => Class::Fatal,
        Failure::Unsent { .. } => Class::Retry,
        Failure::Lost { .. } | Failure::Garbled { .. } => unless_done,
        Failure::Unexpected { .. } | Failure::TooLong { .. } => if_done,
        Failure::Refused(refusal) => match refusal.faults.iter().find_map(classify_fault) {
            Some(class) => class,
            None => classify_status(refusal, unless_done),
        },
    }
}

/// What one of Salesforce's codes means, where the status does not say it.
pub(crate) fn classify_fault(fault: &Fault) -> Option<Class> {
    let class = match fault.code.as_str() {
        // The session lacks a scope or is of the wrong kind; a new one would be the same.
        "INVALID_SESSION_ID" if is_incurable(&fault.message) => Class::Fatal,
        "INVALID_SESSION_ID" => Class::Reauthenticate,
        // Too many slow calls at this moment, or too many calls in a day.
        "REQUEST_LIMIT_EXCEEDED" if fault.message.starts_with("ConcurrentRequests") => Class::Retry,
        "REQUEST_LIMIT_EXCEEDED" => Class::Wait,
        // Refused and rolled back, whatever the status, for a reason that passes.
        "UNABLE_TO_LOCK_ROW" | "SERVER_UNAVAILABLE" | "APEX_ERROR" => Class::Retry,
        _ if is_quota(fault) => Class::Wait,
        _ => return None,
    };
    Some(class)
}

fn is_incurable(message: &str) -> bool {
    message.contains("not valid for use with the REST API") || message.contains("not attached to Agent")
}

fn classify_status(refusal: &Refusal, unless_done: Class) -> Class {
    match refusal.status {
        // A 401 that gives no reason may be an expired session: one renewal finds out.
        StatusCode::UNAUTHORIZED if refusal.faults.is_empty() => Class::Reauthenticate,
        // Turned away before anything was done. 408 has not seen the whole request, 420 is the edge without a route, 406
        // has been seen to pass.
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS | StatusCode::NOT_ACCEPTABLE => Class::Retry,
        status if status.as_u16() == 420 => Class::Retry,
        status if status.is_server_error() => unless_done,
        _ => Class::Fatal,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(status: u16, code: &str, message: &str) -> Failure {
        let fault = Fault { code: code.to_owned(), message: message.to_owned(), fields: Vec::new() };
        let faults = if code.is_empty() { Vec::new() } else { vec![fault] };
        let status = StatusCode::from_u16(status).unwrap();
        Failure::Refused(Refusal { status, faults, page: None, request_id: None, retry_after: None })
    }

    /// Every code the reference lists, with what it means for a read and for a create.
    #[test]
    fn refusals() {
        use Class::{Fatal, Reauthenticate, Retry, Unclear, Wait};
        let both = |class| (class, class);
        for (codes, status, message, (read, create)) in [
            ("INVALID_SESSION_ID", 401, "Session expired or invalid", both(Reauthenticate)),
            ("INVALID_SESSION_ID", 401, "This session is not valid for use with the REST API", both(Fatal)),
            ("INVALID_SESSION_ID", 401, "Connected app is not attached to Agent", both(Fatal)),
            ("INVALID_AUTH_HEADER INVALID_LOGIN", 401, "INVALID_HEADER_TYPE", both(Fatal)),
            ("", 401, "", both(Reauthenticate)),
            ("REQUEST_LIMIT_EXCEEDED", 403, "TotalRequests Limit exceeded.", both(Wait)),
            (
                "REQUEST_LIMIT_EXCEEDED",
                403,
                "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
                both(Retry),
            ),
            (
                "API_DISABLED_FOR_ORG API_CURRENTLY_DISABLED FUNCTIONALITY_NOT_ENABLED INSUFFICIENT_ACCESS \
                 INSUFFICIENT_ACCESS_OR_READONLY CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY LIMIT_EXCEEDED STORAGE_LIMIT_EXCEEDED \
                 TXN_SECURITY_METERING_ERROR TXN_SECURITY_APEX_ERROR TXN_SECURITY_NO_ACCESS",
                403,
                "",
                both(Fatal),
            ),
            ("ExceededQuota EXCEEDEDQUOTA", 400, "", both(Wait)),
            ("SERVER_UNAVAILABLE", 503, "", both(Retry)),
            ("UNKNOWN_EXCEPTION", 500, "", (Retry, Unclear)),
            ("UNABLE_TO_LOCK_ROW APEX_ERROR", 400, "", both(Retry)),
            (
                "QUERY_TIMEOUT QUERY_TOO_COMPLICATED OPERATION_TOO_LARGE EXCEEDED_ID_LIMIT INVALID_QUERY_LOCATOR \
                 INVALID_QUERY_FILTER_OPERATOR MALFORMED_QUERY INVALID_FIELD INVALID_TYPE NUMBER_OUTSIDE_VALID_RANGE \
                 DUPLICATES_DETECTED DUPLICATE_VALUE DUPLICATE_EXTERNAL_ID REQUIRED_FIELD_MISSING STRING_TOO_LONG \
                 FIELD_CUSTOM_VALIDATION_EXCEPTION FIELD_INTEGRITY_EXCEPTION FIELD_FILTER_VALIDATION_EXCEPTION \
                 INVALID_EMAIL_ADDRESS INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST INVALID_FIELD_FOR_INSERT_UPDATE \
                 BAD_CUSTOM_ENTITY_PARENT_DOMAIN SELF_REFERENCE_FROM_TRIGGER DEPENDENCY_EXISTS DELETE_FAILED \
                 MALFORMED_ID INVALID_ID_FIELD INVALID_CROSS_REFERENCE_KEY JSON_PARSER_ERROR \
                 ALL_OR_NONE_OPERATION_ROLLED_BACK PROCESSING_HALTED CLIENT_NOT_ACCESSIBLE_FOR_USER \
                 ILLEGAL_QUERY_PARAMETER_VALUE INVALID_QUERY_SCOPE OBJECT_NOT_FOUND UNSUPPORTED_API_VERSION \
                 EXTERNAL_OBJECT_EXCEPTION",
                400,
                "",
                both(Fatal),
            ),
            ("NOT_FOUND ENTITY_IS_DELETED INVALID_TYPE", 404, "", both(Fatal)),
            ("METHOD_NOT_ALLOWED", 405, "", both(Fatal)),
            ("INVALID_CONTENT_TYPE UNSUPPORTED_MEDIA_TYPE", 415, "", both(Fatal)),
        ] {
            // A refusal without a code is one case too.
            let codes: Vec<&str> = if codes.is_empty() { vec![""] } else { codes.split_whitespace().collect() };
            for code in codes {
                let failure = refused(status, code, message);
                assert_eq!(classify(&failure, Effect::Repeatable), read, "{code} {message}");
                assert_eq!(classify(&failure, Effect::Once), create, "{code} {message}");
            }
        }
    }

    #[test]
    fn bare_statuses() {
        use Class::{Fatal, Retry, Unclear};
        for (status, read, create) in [
            (300, Fatal, Fatal),
            (302, Fatal, Fatal),
            (404, Fatal, Fatal),
            (406, Retry, Retry),
            (408, Retry, Retry),
            (410, Fatal, Fatal),
            (414, Fatal, Fatal),
            (420, Retry, Retry),
            (429, Retry, Retry),
            (431, Fatal, Fatal),
            (500, Retry, Unclear),
            (502, Retry, Unclear),
            (503, Retry, Unclear),
            (504, Retry, Unclear),
        ] {
            let failure = refused(status, "", "");
            assert_eq!(classify(&failure, Effect::Repeatable), read, "{status}");
            assert_eq!(classify(&failure, Effect::Once), create, "{status}");
        }
    }

    #[test]
    fn failures_without_an_answer() {
        use Class::{Fatal, Retry, Unclear};
        let (host, status) = (|| "acme.my.salesforce.com".to_owned(), StatusCode::OK);
        for (failure, read, create) in [
            (Failure::Unsent { host: host(), cause: "refused".into() }, Retry, Retry),
            (Failure::Unsent { host: host(), cause: "invalid peer certificate: UnknownIssuer".into() }, Fatal, Fatal),
            (Failure::Unsent { host: host(), cause: "proxy authorization required".into() }, Fatal, Fatal),
            (Failure::Lost { host: host(), cause: "reset".into() }, Retry, Unclear),
            (Failure::Garbled { status, why: String::new() }, Retry, Unclear),
            (Failure::Unexpected { status, why: String::new() }, Fatal, Unclear),
            (Failure::TooLong { host: host(), limit: 1 }, Fatal, Unclear),
        ] {
            assert_eq!(classify(&failure, Effect::Repeatable), read, "{failure}");
            assert_eq!(classify(&failure, Effect::Once), create, "{failure}");
        }
    }

    const FIRST: Attempt = Attempt { number: 1, renewals: 0, retry_after: None, roll: 1.0 };

    #[test]
    fn decisions() {
        let second = Duration::from_secs(1);
        let policy = Policy { first_pause: second, longest_pause: 8 * second, patience: 60 * second, attempts: 10 };
        let after = |seconds| Decision::Again(Duration::from_secs(seconds));
        for (class, attempt, elapsed, expect) in [
            (Class::Retry, FIRST, 0, after(1)),
            (Class::Retry, Attempt { roll: 0.0, ..FIRST }, 0, after(0)),
            (Class::Retry, Attempt { number: 3, ..FIRST }, 0, after(4)),
            (Class::Retry, Attempt { number: 3, roll: 0.5, ..FIRST }, 0, after(2)),
            (Class::Retry, Attempt { number: 9, ..FIRST }, 0, after(8)),
            (Class::Retry, Attempt { number: 9, ..FIRST }, 52, after(8)),
            (Class::Retry, Attempt { number: 9, ..FIRST }, 53, Decision::Stop),
            (Class::Retry, Attempt { number: 10, ..FIRST }, 0, Decision::Stop),
            (Class::Retry, Attempt { retry_after: Some(30 * second), ..FIRST }, 0, after(30)),
            (Class::Retry, Attempt { retry_after: Some(61 * second), ..FIRST }, 0, Decision::Stop),
            (Class::Retry, Attempt { retry_after: Some(Duration::MAX), ..FIRST }, 1, Decision::Stop),
            (Class::Reauthenticate, FIRST, 0, Decision::Renew),
            (Class::Reauthenticate, Attempt { renewals: RENEWALS - 1, ..FIRST }, 0, Decision::Renew),
            (Class::Reauthenticate, Attempt { renewals: RENEWALS, ..FIRST }, 0, Decision::Stop),
            (Class::Wait, FIRST, 0, Decision::Stop),
            (Class::Unclear, FIRST, 0, Decision::Stop),
            (Class::Fatal, FIRST, 0, Decision::Stop),
        ] {
            let elapsed = Duration::from_secs(elapsed);
            assert_eq!(decide(class, &attempt, elapsed, &policy), expect, "{class:?} {attempt:?}");
        }
        assert_eq!(decide(Class::Retry, &FIRST, Duration::ZERO, &Policy::never()), Decision::Stop);
    }

    proptest! {
        /// Whatever the dice say, attempts and time are bounded, and a reply's wish is a lower bound.
        #[test]
        fn trying_ends(rolls in proptest::collection::vec(0.0..1.0_f64, 64), wish in 0_u64..40) {
            let policy = Policy::default();
            let (mut elapsed, mut attempt) = (Duration::ZERO, FIRST);
            attempt.retry_after = Some(Duration::from_secs(wish));
            for roll in rolls {
                attempt.roll = roll;
                let Decision::Again(pause) = decide(Class::Retry, &attempt, elapsed, &policy) else { return Ok(()) };
                prop_assert!(pause >= Duration::from_secs(wish));
                elapsed += pause;
                attempt.number += 1;
                prop_assert!(attempt.number <= policy.attempts);
                prop_assert!(elapsed <= policy.patience);
            }
            prop_assert!(false, "it goes on");
        }
    }
}
