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
        "invalid_client_id" => match grant {
            Grant::ClientCredentials => {
                "check the client id (the app's consumer key), and that My Domain is that of the app's org; a new app takes up to \
                 ten minutes to be known everywhere"
            }
            _ => {
                "check the client id (the app's consumer key), and that the login host is that of the app's org \
                 (test.salesforce.com for sandboxes); a new app takes up to ten minutes to be known everywhere"
            }
        },
        "invalid_client" | "invalid_client_credentials" => client_secret(grant),
        "inactive_user" => inactive_user(grant),
        "inactive_org" => "the org is inactive or locked: ask Salesforce support",
        "rate_limit_exceeded" => return Some((Class::Retry, TOO_OFTEN)),
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
            Grant::ClientCredentials => {
                "the app admits only users whom an administrator approved: in its policies, add the profile or a permission set of \
                 the run-as user"
            }
            _ => {
                "the app admits only users whom an administrator approved: in its policies, add the user's profile or a permission \
                 set of theirs"
            }
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
        "the refresh token was issued at another login host (test.salesforce.com for sandboxes), was revoked or has expired: \
         change the host, or authorise the app again (an app keeps only the five latest authorisations of a user)"
    } else if says("authorization code") {
        "the authorisation code was used before or is too old: start the authorisation again"
    } else if says("ip restricted") {
        ip_restricted(grant)
    } else if says("login hours") {
        LOGIN_HOURS
    } else if says("not supported on this domain") {
        "sign in at the org's My Domain (Setup, My Domain), such as acme.my.salesforce.com: this grant is not served here"
    } else if says("hasn't approved") || says("not admin approved") {
        PRE_AUTHORISE
    } else if says("no client credentials user") {
        "in the app's policies, enable the Client Credentials Flow and name its run-as user"
    } else if says("audience") {
        "the assertion names a login host that is not the org's: a sandbox or scratch org signs in at test.salesforce.com, every \
         other at login.salesforce.com, and each at its My Domain"
    } else if says("assertion") {
        "upload the certificate of this private key to the app (in its OAuth settings, under Enable JWT Bearer Flow; in a \
         connected app, Use digital signatures), and check that the client id is that app's"
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
            "use the login host where the refresh token was issued: login.salesforce.com, test.salesforce.com for sandboxes, or the \
             org's My Domain, which an org may insist on; Setup, Login History tells the reason"
        }
        Grant::ClientCredentials => {
            "check the client secret, that the run-as user is active and may use the API, and that the login host is the org's \
             My Domain; Setup, Login History tells the reason"
        }
        Grant::JwtBearer => {
            "check the user name (in a sandbox it ends in the sandbox's name), that the user is active, and the login host \
             (test.salesforce.com for sandboxes, or the org's My Domain, which an org may insist on); Setup, Login History tells the \
             reason"
        }
        Grant::Password => {
            "check user name, password, security token (it changes with the password) and login host (test.salesforce.com for \
             sandboxes, or the org's My Domain, which an org may insist on); if they are right, the org blocks this flow (Setup, OAuth \
             and OpenID Connect Settings, Allow OAuth Username-Password Flows), or the user is locked out or must use MFA or single \
             sign-on: Setup, Login History tells the reason"
        }
        Grant::Soap => {
            "check user name, password, security token (it changes with the password) and login host (test.salesforce.com for \
             sandboxes, or the org's My Domain, which an org may insist on); if they are right, the user is frozen, deactivated or \
             locked out: Setup, Login History tells the reason"
        }
    }
}

fn inactive_user(grant: Grant) -> &'static str {
    match grant {
        Grant::RefreshToken => {
            "the user who authorised the app is frozen or deactivated: an administrator must unfreeze or activate the user (Setup, \
             Users), or another one authorises the app"
        }
        Grant::ClientCredentials => {
            "the app's run-as user is frozen or deactivated: an administrator must unfreeze or activate the user (Setup, Users), or \
             name another one in the app's policies"
        }
        Grant::JwtBearer | Grant::Password | Grant::Soap => {
            "the user is frozen or deactivated: an administrator must unfreeze or activate the user (Setup, Users)"
        }
    }
}

fn ip_restricted(grant: Grant) -> &'static str {
    match grant {
        Grant::ClientCredentials => {
            "this machine's address is outside the Login IP Ranges of the run-as user's profile: an administrator adds it there, or \
             relaxes the IP restrictions in the app's policies (IP Relaxation)"
        }
        _ => {
            "this machine's address is outside the Login IP Ranges of the user's profile: an administrator adds it there, or relaxes \
             the IP restrictions in the app's policies (IP Relaxation)"
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

const APP_ACCESS: &str = "an administrator must install or unblock the app (Setup, Connected Apps OAuth Usage) and admit the \
                          user to it (profiles or permission sets in the app's policies)";

const PRE_AUTHORISE: &str = "check the user name, and pre-authorise the user: in the app's policies, set Permitted Users to Admin \
                             approved users are pre-authorized, and add the user's profile or a permission set of theirs";

const TOO_OFTEN: &str = "the user signs in too often: 3,600 times an hour are allowed";

const LOGIN_HOURS: &str =
    "the profile of the user does not allow signing in at this hour: an administrator sets its Login Hours";

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
            "this machine's address is outside the Login IP Ranges of the user's profile: an administrator adds it there"
        }
        "PASSWORD_LOCKOUT" => {
            "the user is locked out after too many wrong passwords: wait for the end of the lockout, or let an administrator \
             unlock the user (Setup, Users)"
        }
        "INACTIVE_USER" | "INACTIVE_OWNER_OR_USER" => inactive_user(Grant::Soap),
        "TRIAL_EXPIRED" => "the org's trial has expired: ask Salesforce to extend it",
        "ORG_LOCKED" | "INACTIVE_ORG" => "the org is inactive or locked: ask Salesforce support",
        "INSUFFICIENT_ACCESS" => {
            "give the user the permission Use Any API Auth, which newer orgs ask for, or use client credentials or JWT bearer"
        }
        "INVALID_OPERATION" if says("login()") => {
            "use client credentials or JWT bearer; until it ends with Summer '27, an administrator can also switch on Enable SOAP API \
             login() in Setup"
        }
        "UNSUPPORTED_API_VERSION" => {
            "Salesforce has removed login() from this org: use client credentials or JWT bearer"
        }
        "LOGIN_RATE_EXCEEDED" => return Some((Class::Retry, TOO_OFTEN)),
        "SERVER_UNAVAILABLE" | "ORG_IN_MAINTENANCE" => {
            return Some((Class::Retry, "the org is being maintained: it will be back"));
        }
        _ => return None,
    };
    Some((Class::Fatal, cure))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Grant; 4] = [Grant::RefreshToken, Grant::ClientCredentials, Grant::JwtBearer, Grant::Password];

    /// Every refusal the reference lists, for each grant it may come with: class and cure.
    #[test]
    fn refusals_of_the_token_endpoint() {
        let mut lines = String::new();
        for (grants, error, description) in [
            (&ALL[..1], "invalid_grant", "expired access/refresh token"),
            (&ALL[..1], "invalid_grant", "token request is already being processed"),
            (&ALL[..1], "invalid_grant", "expired authorization code"),
            (&ALL[2..3], "invalid_grant", "expired authorization code"),
            (&ALL[..], "invalid_grant", "authentication failure"),
            (&ALL[3..], "invalid_grant", "authentication failure - Invalid Password"),
            (&ALL[1..2], "invalid_grant", "authentication failure - invalid client credentials"),
            (&ALL[..2], "invalid_grant", "ip restricted"),
            (&ALL[..1], "invalid_grant", "invalid login hours"),
            (&ALL[2..3], "invalid_grant", "user hasn't approved this consumer"),
            (&ALL[1..2], "invalid_grant", "request not supported on this domain"),
            (&ALL[1..2], "invalid_grant", "no client credentials user enabled"),
            (&ALL[2..3], "invalid_grant", "Audience validation failed"),
            (&ALL[2..3], "invalid_grant", "audience is invalid"),
            (&ALL[2..3], "invalid_grant", "invalid assertion"),
            (&ALL[..], "invalid_grant", "something new"),
            (&ALL[..2], "invalid_client_id", "client identifier invalid"),
            (&ALL[1..3], "invalid_client", "invalid client credentials"),
            (&ALL[..1], "invalid_client_credentials", "client secret invalid"),
            (&ALL[..], "inactive_user", "user is inactive"),
            (&ALL[..1], "inactive_org", "organization is inactive / locked"),
            (&ALL[..1], "rate_limit_exceeded", "login rate exceeded"),
            (&ALL[..], "unsupported_grant_type", "grant type not supported"),
            (&ALL[..1], "invalid_scope", "the requested scope is not allowed"),
            (&ALL[..1], "redirect_uri_mismatch", "redirect_uri must match configuration"),
            (&ALL[..2], "invalid_app_access", "user is not admin approved to access this app"),
            (&ALL[2..3], "invalid_app_access", "user is not admin approved to access this app"),
            (&ALL[..1], "app_not_found", "app not found"),
            (&ALL[..1], "OAUTH_APP_BLOCKED", "this app is blocked by admin"),
            (&ALL[..1], "invalid_request", "must use HTTP POST"),
            (&ALL[..1], "unsupported_response_type", "response type not supported"),
        ] {
            for &grant in grants {
                lines += &line(grant, error, description);
            }
        }
        insta::assert_snapshot!(lines);
    }

    #[test]
    fn refusals_of_soap_login() {
        let mut lines = String::new();
        for (code, message) in [
            ("INVALID_LOGIN", "Invalid username, password, security token; or user locked out."),
            ("LOGIN_MUST_USE_SECURITY_TOKEN", "…When accessing Salesforce … you must use a security token…"),
            ("LOGIN_CHALLENGE_ISSUED", ""),
            ("LOGIN_DURING_RESTRICTED_TIME", ""),
            ("LOGIN_DURING_RESTRICTED_DOMAIN", ""),
            ("PASSWORD_LOCKOUT", ""),
            ("INACTIVE_USER", ""),
            ("TRIAL_EXPIRED", ""),
            ("ORG_LOCKED", ""),
            ("INSUFFICIENT_ACCESS", ""),
            ("INVALID_OPERATION", "SOAP API login() is disabled by default in this org."),
            ("INVALID_OPERATION", "something else"),
            ("UNSUPPORTED_API_VERSION", ""),
            ("LOGIN_RATE_EXCEEDED", "login rate exceeded"),
            ("SERVER_UNAVAILABLE", ""),
            ("UNKNOWN_EXCEPTION", ""),
        ] {
            lines += &line(Grant::Soap, code, message);
        }
        insta::assert_snapshot!(lines);
    }

    fn line(grant: Grant, code: &str, message: &str) -> String {
        let verdict = judge(grant, &Fault::new(code, message));
        let (class, cure) = verdict.map_or(("-".to_owned(), "-"), |(class, cure)| (format!("{class:?}"), cure));
        format!("{grant:?} {code}: {message}\n    {class}: {cure}\n")
    }
}
