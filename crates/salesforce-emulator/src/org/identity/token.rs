//! What is given out: refresh tokens and sessions.

use jiff::Timestamp;

use crate::org::Id;

/// A session that was just opened.
pub(crate) struct Opened {
    pub(crate) user: Id,
    pub(crate) access_token: String,
    /// Only when the grant gives a new one.
    pub(crate) refresh_token: Option<String>,
    pub(crate) scope: String,
}

/// Why a session cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// Unknown, ended or revoked.
    Dead,
    /// Alive, and opened without the scope the API needs.
    WithoutApi,
    /// The user has lost "API Enabled".
    ApiOffForUser,
    /// The org's edition has no API.
    ApiOffForOrg,
}

/// A refresh token.
pub(super) struct Grant {
    pub(super) user: Id,
    /// Tokens that replaced one another share a chain.
    pub(super) chain: u64,
    /// What the user consented to; `None` is all the app may have.
    pub(super) scope: Option<String>,
    pub(super) state: GrantState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GrantState {
    Live,
    /// A refresh is being processed.
    Busy,
    /// Another token took its place.
    Replaced,
    Revoked,
}

/// Somebody is signed in.
pub(crate) struct Session {
    pub(crate) user: Id,
    pub(super) chain: Option<u64>,
    /// What it may be used for; `None` is everything, for sessions of SOAP, which belong to no app.
    pub(crate) scope: Option<String>,
    pub(crate) opened: Timestamp,
    pub(crate) expires: Timestamp,
}
