//! What to do about a call that failed, in Salesforce's own terms, where the failure does not say it itself. Pure.

use http::StatusCode;

use crate::failure::{Failure, Fault, chain};

/// What to do; `None` where the message says it all, or nobody knows.
pub(crate) fn advice(failure: &Failure) -> Option<&'static str> {
    match failure {
        Failure::Unsent { cause, .. } => connection(&chain(cause.as_ref())),
        Failure::Refused(refusal) if refusal.status == StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            Some(PROXY_PASSWORD)
        }
        Failure::Refused(refusal) => refusal.faults.iter().find_map(refused),
        _ => None,
    }
}

fn refused(fault: &Fault) -> Option<&'static str> {
    let cure = match fault.code.as_str() {
        "INVALID_SESSION_ID" if fault.message.contains("not valid for use with the REST API") => {
            "add the scope Manage user data via APIs (api) to the app's OAuth settings and sign in anew; if it is there, give the \
             user the permission API Enabled"
        }
        "API_DISABLED_FOR_ORG" | "API_CURRENTLY_DISABLED" => {
            "give the user the permission API Enabled, in its profile or a permission set; if that is not on offer, the org's \
             edition comes without the API"
        }
        "REQUEST_LIMIT_EXCEEDED" if fault.message.starts_with("TotalRequests") => {
            "the org has used up its API requests of the last 24 hours (Setup, Company Information): wait, or ask Salesforce for \
             more"
        }
        _ => return None,
    };
    Some(cure)
}

const PROXY_PASSWORD: &str =
    "the proxy asks for a user name and password: put them into its URL, as http://USER:PASSWORD@HOST";

/// By the words of the libraries below; the tests meet them at work.
fn connection(cause: &str) -> Option<&'static str> {
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
