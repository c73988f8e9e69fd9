//! What to do about a call that failed, in Salesforce's own terms, where the failure does not say it itself. Pure.

use http::StatusCode;

use crate::failure::{Cause, Failure, Fault, chain};

/// What to do; `None` where the message says it all, or nobody knows.
pub(crate) fn advice(failure: &Failure) -> Option<&'static str> {
    match failure {
        Failure::Unsent { cause, .. } => barred(cause),
        Failure::Refused(refusal) if refusal.status == StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            Some(PROXY_PASSWORD)
        }
        Failure::Refused(refusal) => refusal.faults.iter().find_map(cure),
        _ => None,
    }
}

/// What to do about one of Salesforce's codes.
pub(crate) fn cure(fault: &Fault) -> Option<&'static str> {
    let cure = match fault.code.as_str() {
        "INVALID_SESSION_ID" if fault.message.contains("not valid for use with the REST API") => {
            "add the scope Manage user data via APIs (api) to the app's OAuth settings, and where a refresh token is used, authorise \
             the app again after that; if the scope is there, give the user the permission API Enabled"
        }
        "API_DISABLED_FOR_ORG" | "API_CURRENTLY_DISABLED" => {
            "give the user the permission API Enabled, in its profile or a permission set; if that is not on offer, the org's \
             edition comes without the API"
        }
        "REQUEST_LIMIT_EXCEEDED" if fault.message.starts_with("TotalRequests") => {
            "the org has used up its API requests of the last 24 hours (Setup, Company Information): wait, or ask Salesforce for \
             more"
        }
        "STORAGE_LIMIT_EXCEEDED" => {
            "the org's storage is full (Setup, Storage Usage): delete records and empty the recycle bin, or ask Salesforce for more"
        }
        code if code.starts_with("TXN_SECURITY_") => {
            "a transaction security policy stands in the way (Setup, Transaction Security Policies): leave the user out of it"
        }
        "DUPLICATES_DETECTED" => {
            "a duplicate rule found a record like it (Setup, Duplicate Rules): rules that only raise an alert can be passed by \
             configuration"
        }
        _ => return None,
    };
    Some(cure)
}

const PROXY_PASSWORD: &str =
    "the proxy asks for a user name and password: put them into its URL, as http://USER:PASSWORD@HOST";

/// What to do about a connection that cannot come about until somebody changes a setting; `None` if it may at the next
/// attempt. Told by the words of the libraries below: the tests meet them at work.
pub(crate) fn barred(cause: &Cause) -> Option<&'static str> {
    let cause = chain(cause.as_ref());
    if cause.contains("UnknownIssuer") {
        Some(
            "a proxy or firewall that inspects TLS shows a certificate of its own: add its root certificate to the configuration",
        )
    } else if cause.contains("proxy authorization required") {
        Some(PROXY_PASSWORD)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Refusal;

    #[test]
    fn refusals_and_lost_connections() {
        let refused = |status, faults| {
            let status = StatusCode::from_u16(status).unwrap();
            Failure::Refused(Refusal { status, faults, page: None, request_id: None, retry_after: None })
        };
        let fault = |code, message| vec![Fault::new(code, message)];
        for (failure, expect) in [
            (
                refused(401, fault("INVALID_SESSION_ID", "This session is not valid for use with the REST API")),
                "scope Manage user data via APIs (api)",
            ),
            (refused(401, fault("INVALID_SESSION_ID", "Session expired or invalid")), ""),
            (refused(403, fault("API_DISABLED_FOR_ORG", "The REST API is not enabled")), "API Enabled"),
            (refused(403, fault("API_CURRENTLY_DISABLED", "")), "API Enabled"),
            (refused(403, fault("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")), "last 24 hours"),
            (refused(403, fault("REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests Limit exceeded.")), ""),
            (refused(403, fault("STORAGE_LIMIT_EXCEEDED", "storage limit exceeded")), "Storage Usage"),
            (refused(403, fault("TXN_SECURITY_NO_ACCESS", "")), "Transaction Security Policies"),
            (refused(400, fault("DUPLICATES_DETECTED", "Use one of these records?")), "Duplicate Rules"),
            (refused(400, fault("INVALID_FIELD", "No such column")), ""),
            (refused(407, Vec::new()), "USER:PASSWORD@HOST"),
            (refused(502, Vec::new()), ""),
            (Failure::Unsent { host: String::new(), cause: "connection refused".into() }, ""),
        ] {
            let cure = advice(&failure);
            assert_eq!(cure.is_some(), !expect.is_empty(), "{failure}: {cure:?}");
            assert!(cure.unwrap_or_default().contains(expect), "{failure}: {cure:?}");
        }
    }
}
