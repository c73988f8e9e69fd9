//! What the token endpoint means by its refusals, and how to cure them.

use std::{fmt, sync::Arc};

use crate::{
    Error, LoginUrl,
    failure::{Cause, Failure, Fault},
    retry::{Class, Effect, classify},
};

/// A sign-in that failed, what that means, and what to do about it.
#[derive(Debug)]
pub struct SignInFailure {
    /// What came back.
    pub failure: Failure,
    /// What it means.
    pub class: Class,
    /// What to do about it, in Salesforce's own terms; `None` where waiting is all there is.
    pub cure: Option<&'static str>,
}

impl SignInFailure {
    pub(crate) fn of(failure: Failure) -> SignInFailure {
        let verdict = failure.refusal().and_then(|refusal| refusal.faults.first()).and_then(judge);
        let (class, cure) = match verdict {
            Some((class, cure)) => (class, Some(cure)),
            // Asking for a token again is harmless.
            None => (classify(&failure, Effect::Repeatable), None),
        };
        SignInFailure { failure, class, cure }
    }

    /// The task that signed in ended without an outcome.
    pub(crate) fn cut_short(login: &LoginUrl, cause: Cause) -> Error {
        SignInFailure::of(Failure::Lost { host: login.host(), cause }).at(login)
    }

    /// The error of a sign-in at this host.
    pub(crate) fn at(self, login: &LoginUrl) -> Error {
        Error::SignIn { login: login.host(), failure: Arc::new(self) }
    }
}

impl fmt::Display for SignInFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.failure.fmt(f)?;
        self.cure.map_or(Ok(()), |cure| write!(f, "; {cure}"))
    }
}

impl std::error::Error for SignInFailure {}

/// Class and cure of an OAuth error.
fn judge(fault: &Fault) -> Option<(Class, &'static str)> {
    let says = |text: &str| fault.message.to_ascii_lowercase().contains(text);
    let fatal = |cure| Some((Class::Fatal, cure));
    match fault.code.as_str() {
        // Another request with this refresh token is under way; in a moment it is not.
        "invalid_grant" if says("already being processed") => {
            Some((Class::Retry, "another program is using the same refresh token at this moment"))
        }
        "invalid_grant" if says("expired access/refresh token") => fatal(
            "the refresh token was revoked or has expired: authorise the app again (an app keeps only the five latest \
             authorisations of a user)",
        ),
        "invalid_grant" if says("authorization code") => {
            fatal("the authorisation code was used before or is too old: start the authorisation again")
        }
        "invalid_grant" if says("ip restricted") => fatal(
            "an administrator must allow this IP address in the profile's login ranges or relax the app's IP policy",
        ),
        "invalid_grant" if says("login hours") => {
            fatal("the user's profile does not allow signing in at this hour: an administrator sets its login hours")
        }
        "invalid_grant" if says("not supported on this domain") => fatal(
            "use the org's My Domain (https://NAME.my.salesforce.com) as the login host: this grant is not served here",
        ),
        "invalid_grant" if says("hasn't approved") => {
            fatal("pre-authorise the user for the app, in the app's policies, or approve it once in a browser")
        }
        "invalid_grant" if says("no client credentials user") => {
            fatal("set a run-as user in the app's client credentials flow")
        }
        "invalid_grant" if says("audience") => {
            fatal("the login host does not belong to this org: use login, test or the org's My Domain")
        }
        "invalid_grant" if says("authentication failure") => fatal(
            "check the credentials, and that the login host is the one they were issued for (login.salesforce.com, \
             test.salesforce.com for sandboxes, or the org's My Domain)",
        ),
        "invalid_grant" => fatal("authorise the app again, on the login host that is configured"),
        "invalid_client_id" => fatal(
            "check the client id (the app's consumer key); a new app takes up to ten minutes to be known everywhere",
        ),
        "invalid_client" | "invalid_client_credentials" => {
            fatal("check the client secret (the app's consumer secret) and that it belongs to the client id")
        }
        "inactive_user" => fatal("the user is deactivated or frozen: an administrator must activate it"),
        "inactive_org" => fatal("the org is inactive or locked: ask Salesforce support"),
        "rate_limit_exceeded" => Some((Class::Retry, "the user signs in too often: 3,600 times an hour are allowed")),
        "unsupported_grant_type" => fatal("this org does not allow the grant: choose another kind of credentials"),
        "invalid_app_access" | "app_not_found" | "OAUTH_APP_BLOCKED" | "OAUTH_APP_ACCESS_DENIED" => {
            fatal("an administrator must install or unblock the connected app and admit the user to it")
        }
        _ => None,
    }
}
