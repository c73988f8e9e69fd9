//! Why somebody is not let in, and how the token endpoint and SOAP say so.

/// A refusal to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denied {
    UnknownGrant,
    /// A parameter is not there; the description says which.
    Missing(&'static str),
    UnknownClient,
    WrongSecret,
    AppBlocked,
    NotApprovedByUser,
    NotApprovedByAdmin,
    NoRunAs,
    OrgInactive,
    /// The grant exists on My Domain only.
    WrongDomain,
    /// My Domain's policy closes the login host.
    LoginHostClosed,
    PasswordGrantOff,
    SoapLoginOff,
    ApiOffForOrg,
    ApiOffForUser,
    TooManyLogins,
    UserInactive,
    UserLockedOut,
    WrongPassword,
    NoSecurityToken,
    IpRestricted,
    OutsideLoginHours,
    DeadToken,
    /// Another request with the same refresh token is being processed.
    Busy,
    BadAssertion,
    WrongAudience,
    StaleAssertion,
    UnknownCode,
    StaleCode,
    WrongRedirect,
    WrongVerifier,
    UnknownResponseType,
    UnknownScope,
    /// The user said no.
    Refused,
}

/// SOAP's words for nearly everything that is wrong with a user.
const INVALID_LOGIN: (&str, &str) =
    ("INVALID_LOGIN", "Invalid username, password, security token; or user locked out.");

/// As the API answers since 2016; the apostrophe is typographic.
const NO_SECURITY_TOKEN: &str = "Invalid username, password, security token; or user locked out. Are you at a new \
location? When accessing Salesforce--either via a desktop client or the API--from outside of your company\u{2019}s \
trusted networks, you must add a security token to your password to log in. To get your new security token, log in to \
Salesforce. From your personal settings, enter Reset My Security Token in the Quick Find box, then select Reset My \
Security Token.";

impl Denied {
    /// `error` and `error_description` of the token endpoint.
    pub(crate) fn oauth(self) -> (&'static str, &'static str) {
        let grant = |description| ("invalid_grant", description);
        match self {
            Self::UnknownGrant => ("unsupported_grant_type", "grant type not supported"),
            Self::Missing(what) => ("invalid_request", what),
            Self::UnknownClient => ("invalid_client_id", "client identifier invalid"),
            Self::WrongSecret => ("invalid_client", "invalid client credentials"),
            Self::AppBlocked => ("OAUTH_APP_BLOCKED", "this app is blocked by admin"),
            Self::NotApprovedByUser => grant("user hasn't approved this consumer"),
            Self::NotApprovedByAdmin => ("invalid_app_access", "user is not admin approved to access this app"),
            Self::NoRunAs => grant("no client credentials user enabled"),
            Self::OrgInactive => ("inactive_org", "organization is inactive"),
            Self::WrongDomain => grant("request not supported on this domain"),
            Self::UserInactive => ("inactive_user", "user is inactive"),
            Self::TooManyLogins => ("rate_limit_exceeded", "login rate exceeded"),
            Self::IpRestricted => grant("ip restricted"),
            Self::OutsideLoginHours => grant("invalid login hours"),
            Self::LoginHostClosed
            | Self::PasswordGrantOff
            | Self::SoapLoginOff
            | Self::ApiOffForOrg
            | Self::ApiOffForUser
            | Self::UserLockedOut
            | Self::WrongPassword
            | Self::NoSecurityToken => grant("authentication failure"),
            Self::DeadToken => grant("expired access/refresh token"),
            Self::Busy => grant("token request is already being processed"),
            Self::BadAssertion => grant("invalid assertion"),
            Self::WrongAudience => grant("Audience validation failed"),
            // The same words for an assertion as for a code: seen in simple-salesforce#371 and #491.
            Self::StaleAssertion | Self::StaleCode => grant("expired authorization code"),
            Self::UnknownCode => grant("invalid authorization code"),
            Self::WrongRedirect => ("redirect_uri_mismatch", "redirect_uri must match configuration"),
            Self::WrongVerifier => grant("invalid code verifier"),
            Self::UnknownResponseType => ("unsupported_response_type", "response type not supported"),
            Self::UnknownScope => ("invalid_scope", "the requested scope is not allowed"),
            Self::Refused => ("access_denied", "end-user denied authorization"),
        }
    }

    /// `exceptionCode` and `exceptionMessage` of SOAP `login()`.
    pub(crate) fn soap(self) -> (&'static str, &'static str) {
        match self {
            Self::NoSecurityToken => ("LOGIN_MUST_USE_SECURITY_TOKEN", NO_SECURITY_TOKEN),
            Self::SoapLoginOff => (
                "INVALID_OPERATION",
                "SOAP API login() is disabled by default in this org. Contact the org administrator to enable SOAP \
                 API login().",
            ),
            Self::ApiOffForOrg => ("API_DISABLED_FOR_ORG", "API is not enabled for this Organization or Partner"),
            Self::ApiOffForUser => ("API_CURRENTLY_DISABLED", "API is disabled for this User"),
            Self::UserLockedOut => (
                "PASSWORD_LOCKOUT",
                "The user has exceeded the allowed number of login attempts. The user must contact an administrator.",
            ),
            Self::OrgInactive => ("ORG_LOCKED", "The organization has been locked"),
            Self::TooManyLogins => ("LOGIN_RATE_EXCEEDED", "login rate exceeded"),
            Self::IpRestricted => ("LOGIN_DURING_RESTRICTED_DOMAIN", "cannot log in from current domain"),
            Self::OutsideLoginHours => ("LOGIN_DURING_RESTRICTED_TIME", "cannot log in at this time"),
            _ => INVALID_LOGIN,
        }
    }
}
