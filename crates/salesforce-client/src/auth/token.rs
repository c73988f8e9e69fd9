//! The token: what it opens, where, and for whom.

use std::time::Duration;

use http::HeaderValue;
use jiff::Timestamp;
use oauth2::{AccessToken, RefreshToken, Scope, TokenResponse, basic::BasicTokenType, helpers};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::RecordId;

/// An access token and what its reply said about it. Salesforce's opaque tokens have no stated end: they live as
/// long as the session is used.
#[derive(Clone, Debug)]
pub struct Token {
    access: SecretString,
    bearer: HeaderValue,
    instance_url: Url,
    org_id: RecordId,
    user_id: RecordId,
    issued_at: Option<Timestamp>,
    scopes: Vec<String>,
    rotated: Option<SecretString>,
}

impl Token {
    /// The access token itself.
    #[must_use]
    pub fn access(&self) -> &SecretString {
        &self.access
    }

    /// The instance to send requests to, as scheme and host with the path `/`. It may differ from token to token:
    /// orgs move.
    #[must_use]
    pub fn instance_url(&self) -> &Url {
        &self.instance_url
    }

    /// The org signed in to.
    #[must_use]
    pub fn org_id(&self) -> RecordId {
        self.org_id
    }

    /// The user signed in as.
    #[must_use]
    pub fn user_id(&self) -> RecordId {
        self.user_id
    }

    /// When the token was issued, by the clock of the login host; some grants do not say.
    #[must_use]
    pub fn issued_at(&self) -> Option<Timestamp> {
        self.issued_at
    }

    /// What the token is good for, such as `api`, as far as its reply says: some grants do not, and then there is none.
    /// Without `api` or `full`, Salesforce refuses REST and streaming; its own refusal is the judge of that.
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        &self.scopes
    }

    /// The refresh token that replaces the one presented, if the app rotates them: the old one is dead, and the next
    /// sign-in of this process presents the new one.
    #[must_use]
    pub fn rotated(&self) -> Option<&SecretString> {
        self.rotated.as_ref()
    }

    /// The value of the `Authorization` header, marked as sensitive.
    #[must_use]
    pub fn bearer(&self) -> HeaderValue {
        self.bearer.clone()
    }

    /// Whether both are the same access token.
    #[must_use]
    pub fn is_same_as(&self, other: &Token) -> bool {
        self.access.expose_secret() == other.access.expose_secret()
    }

    /// Reads a token reply; `presented` is the refresh token it answers, if any.
    pub(super) fn new(
        reply: &TokenReply,
        instance_url: Url,
        presented: Option<&SecretString>,
    ) -> Result<Token, &'static str> {
        let access = SecretString::from(reply.access_token.secret().as_str());
        let bearer = bearer(&access).ok_or("its access token cannot stand in a header")?;
        let (org_id, user_id) = identity(&reply.id).ok_or("its member id is no identity URL, …/id/ORG/USER")?;
        let rotated = reply.refresh_token.as_ref().map(|token| token.secret().as_str());
        let rotated = rotated.filter(|new| presented.is_some_and(|old| old.expose_secret() != *new));
        Ok(Token {
            access,
            bearer,
            instance_url,
            org_id,
            user_id,
            issued_at: reply.issued_at.as_deref().and_then(epoch_milliseconds),
            scopes: reply
                .scopes()
                .into_iter()
                .flatten()
                .map(|scope| scope.to_string())
                .filter(|scope| !scope.is_empty())
                .collect(),
            rotated: rotated.map(SecretString::from),
        })
    }

    /// The session that SOAP `login()` opened.
    pub(super) fn of_session(
        session: SecretString,
        instance_url: Url,
        org_id: &str,
        user_id: &str,
    ) -> Result<Token, &'static str> {
        let bearer = bearer(&session).ok_or("its session id cannot stand in a header")?;
        let (Ok(org_id), Ok(user_id)) = (org_id.parse(), user_id.parse()) else {
            return Err("its organizationId or userId is no id");
        };
        Ok(Token {
            access: session,
            bearer,
            instance_url,
            org_id,
            user_id,
            issued_at: None,
            scopes: Vec::new(),
            rotated: None,
        })
    }
}

fn bearer(access: &SecretString) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", access.expose_secret())).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Org and user of an identity URL: `https://login.salesforce.com/id/00D…/005…`.
fn identity(url: &str) -> Option<(RecordId, RecordId)> {
    let url = Url::parse(url).ok()?;
    let mut segments = url.path_segments()?.rev().filter(|segment| !segment.is_empty());
    let (user, org) = (segments.next()?, segments.next()?);
    Some((org.parse().ok()?, user.parse().ok()?))
}

fn epoch_milliseconds(text: &str) -> Option<Timestamp> {
    Timestamp::from_millisecond(text.parse().ok()?).ok()
}

/// The reply of the token endpoint. `token_type` is not asked for: it is always Bearer, and old instances omit it.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct TokenReply {
    access_token: AccessToken,
    #[serde(default)]
    refresh_token: Option<RefreshToken>,
    pub(super) instance_url: String,
    id: String,
    /// Milliseconds since 1970, as a string.
    #[serde(default)]
    issued_at: Option<String>,
    /// Parted by spaces.
    #[serde(
        default,
        deserialize_with = "helpers::deserialize_space_delimited_vec",
        serialize_with = "helpers::serialize_space_delimited_vec"
    )]
    scope: Option<Vec<Scope>>,
}

impl TokenResponse for TokenReply {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &BasicTokenType::Bearer
    }

    fn expires_in(&self) -> Option<Duration> {
        None
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        self.scope.as_ref()
    }
}
