//! What the token endpoint and `login()` mean by their refusals, and how to cure them in Salesforce's own terms.

use super::Grant;
use crate::{failure::Fault, retry::Class};

/// Class and cure of a refusal; `None` where its code and text say nothing that is known.
pub(super) fn judge(grant: Grant, fault: &Fault) -> Option<(Class, &'static str)> {
    let says = |text: &str| fault.message.to_ascii_lowercase().contains(text);
    if grant == Grant::Soap { login_fault(&fault.code, says) } else { oauth_error(grant, &fault.code, says) }
}

fn oauth_error(grant: Grant, code: &str, says: impl Fn(&str) -> bool) -> Option<(Class, &'static str)> {
    let cure = match code {
        "invalid_grant" => return Some(invalid_grant(grant, says)),
        "invalid_client_id" => {
            "check the client id (the app's consumer key); a new app takes up to ten minutes to be known everywhere"
        }
        "invalid_client" | "invalid_client_credentials" => client_secret(grant),
        "inactive_user" => "the user is deactivated or frozen: an administrator must activate it",
        "inactive_org" => "the org is inactive or locked: ask Salesforce support",
        "rate_limit_exceeded" => {
            return Some((Class::Retry, "the user signs in too often: 3,600 times an hour are allowed"));
        }
        "unsupported_grant_type" => match grant {
            Grant::Password => {
                "the org blocks the username-password flow, and external client apps do not have it: use client credentials or JWT \
                 bearer"
            }
            Grant::ClientCredentials => {
                "turn on Enable Client Credentials Flow in the app's OAuth settings, and use the org's My Domain as the login host"
            }
            _ => "this org does not allow the grant: choose another kind of credentials",
        },
        "invalid_scope" => API_SCOPE,
        "redirect_uri_mismatch" => "the callback URL must be one of the app's, byte for byte",
        "invalid_app_access" => match grant {
            Grant::JwtBearer => PRE_AUTHORISE,
            _ => APP_ACCESS,
        },
        "app_not_found" => APP_ACCESS,
        // Blocked, denied, not installed: Salesforce adds to these.
        code if code.starts_with("OAUTH_") => APP_ACCESS,
        _ => return None,
    };
    Some((Class::Fatal, cure))
}

fn invalid_grant(grant: Grant, says: impl Fn(&str) -> bool) -> (Class, &'static str) {
    // Another request with this refresh token is under way; in a moment it is not.
    if says("already being processed") {
        return (Class::Retry, "another program is using the same refresh token at this moment");
    }
    let cure = if says("expired") && grant == Grant::JwtBearer {
        "the assertion's time is refused: set the clock of this machine"
    } else if says("expired access/refresh token") {
        "the refresh token was revoked or has expired: authorise the app again (an app keeps only the five latest \
         authorisations of a user)"
    } else if says("authorization code") {
        "the authorisation code was used before or is too old: start the authorisation again"
    } else if says("ip restricted") {
        "an administrator must allow this IP address in the profile's login ranges or relax the app's IP policy"
    } else if says("login hours") {
        LOGIN_HOURS
    } else if says("not supported on this domain") {
        "use the org's My Domain (https://NAME.my.salesforce.com) as the login host: this grant is not served here"
    } else if says("hasn't approved") || says("not admin approved") {
        PRE_AUTHORISE
    } else if says("no client credentials user") {
        "set a run-as user in the app's policies, under Client Credentials Flow"
    } else if says("audience") {
        "the assertion's audience must be https://login.salesforce.com, https://test.salesforce.com for a sandbox, or the org's \
         My Domain, and belong to the login host"
    } else if says("assertion") {
        "the assertion is refused: the app must hold the certificate of this private key (Use digital signatures), and the \
         client id must be that app's"
    } else if says("client credentials") || says("client secret") {
        client_secret(grant)
    } else if says("authentication failure") {
        authentication_failure(grant)
    } else {
        match grant {
            Grant::RefreshToken => "authorise the app again, on the login host that is configured",
            Grant::ClientCredentials => {
                "check that the app's client credentials flow is on and its run-as user is active and may use the API"
            }
            Grant::JwtBearer => {
                "check the app's certificate, that the user is pre-authorised for the app, and the login host"
            }
            Grant::Password | Grant::Soap => authentication_failure(grant),
        }
    };
    (Class::Fatal, cure)
}

fn authentication_failure(grant: Grant) -> &'static str {
    match grant {
        Grant::RefreshToken => {
            "check the credentials, and that the login host is the one they were issued for (login.salesforce.com, \
             test.salesforce.com for sandboxes, or the org's My Domain)"
        }
        Grant::ClientCredentials => {
            "check the client secret, that the run-as user is active and may use the API, and that the login host is the org's \
             My Domain"
        }
        Grant::JwtBearer => {
            "check the user name (in a sandbox it ends in the sandbox's name), that the user is active, and the login host \
             (test.salesforce.com for sandboxes)"
        }
        Grant::Password => {
            "check user name, password, security token (it changes with the password) and login host (test.salesforce.com for \
             sandboxes); an administrator must turn on Allow OAuth Username-Password Flows (Setup, OAuth and OpenID Connect \
             Settings), and users who must sign in by MFA or single sign-on cannot use it"
        }
        Grant::Soap => {
            "check user name, password, security token (it changes with the password) and login host (test.salesforce.com for \
             sandboxes), and in the user's login history whether it is locked out or inactive"
        }
    }
}

fn client_secret(grant: Grant) -> &'static str {
    match grant {
        Grant::JwtBearer => "check the client id, and that this app holds the certificate of the private key",
        _ => "check the client secret (the app's consumer secret) and that it belongs to the client id",
    }
}

const API_SCOPE: &str = "give the app the scope Manage user data via APIs (api) in its OAuth settings";

const APP_ACCESS: &str = "an administrator must install or unblock the app and admit the user to it (profiles or permission sets in its policies)";

const PRE_AUTHORISE: &str = "pre-authorise the user: in the app's policies, let Permitted Users be those who are admin-approved \
                             and add the user's profile or permission set";

const LOGIN_HOURS: &str =
    "the user's profile does not allow signing in at this hour: an administrator sets its login hours";

/// The exception codes of `login()`.
fn login_fault(code: &str, says: impl Fn(&str) -> bool) -> Option<(Class, &'static str)> {
    let cure = match code {
        "INVALID_LOGIN" => authentication_failure(Grant::Soap),
        "LOGIN_MUST_USE_SECURITY_TOKEN" => {
            "give the user's security token (the user's settings send it by email: Reset My Security Token), or let an \
             administrator add this IP address to the trusted ranges (Setup, Network Access)"
        }
        "LOGIN_CHALLENGE_ISSUED" | "LOGIN_CHALLENGE_PENDING" => {
            "Salesforce wants to verify this device: give the user's security token, or let an administrator add this IP address \
             to the trusted ranges (Setup, Network Access)"
        }
        "LOGIN_DURING_RESTRICTED_TIME" => LOGIN_HOURS,
        "LOGIN_DURING_RESTRICTED_DOMAIN" => {
            "an administrator must allow this IP address in the login ranges of the user's profile"
        }
        "PASSWORD_LOCKOUT" => {
            "the user is locked out after too many wrong passwords: wait for the end of the lockout, or let an administrator \
             unlock the user"
        }
        "INACTIVE_USER" | "INACTIVE_OWNER_OR_USER" => {
            "the user is deactivated or frozen: an administrator must activate it"
        }
        "TRIAL_EXPIRED" => "the org's trial has expired: ask Salesforce to extend it",
        "ORG_LOCKED" | "INACTIVE_ORG" => "the org is inactive or locked: ask Salesforce support",
        "INSUFFICIENT_ACCESS" => {
            "give the user the permission Use Any API Auth, which newer orgs ask for, or use client credentials or JWT bearer"
        }
        "INVALID_OPERATION" if says("login()") => {
            "an administrator must enable SOAP API login() in this org; it ends with Summer '27, so better use client credentials \
             or JWT bearer"
        }
        "UNSUPPORTED_API_VERSION" => {
            "Salesforce has removed login() from this org: use client credentials or JWT bearer"
        }
        "SERVER_UNAVAILABLE" | "ORG_IN_MAINTENANCE" => {
            return Some((Class::Retry, "the org is being maintained: it will be back"));
        }
        _ => return None,
    };
    Some((Class::Fatal, cure))
}
