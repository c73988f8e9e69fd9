//! Who may come in: one connected app, one user, refresh tokens and sessions. Pure: time is an argument, randomness a
//! counter hashed with the seed.

use std::collections::HashMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::id::Id;

/// Grants a user keeps per connected app; another one silently revokes the oldest.
const MOST_GRANTS: usize = 5;

/// What a client needs to sign in, drawn from the seed. Serialised as the line the binary prints.
#[derive(Clone, Serialize)]
#[expect(missing_docs, reason = "the names are those of OAuth and of Salesforce's user interface")]
pub struct Credentials {
    pub client_id: String,
    pub client_secret: String,
    pub refresh_token: String,
    pub username: String,
    pub password: String,
    pub security_token: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// A refusal of the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Denied {
    pub(crate) error: &'static str,
    pub(crate) description: &'static str,
}

const fn denied(error: &'static str, description: &'static str) -> Denied {
    Denied { error, description }
}

const EXPIRED: Denied = denied("invalid_grant", "expired access/refresh token");

/// A session that was just opened.
pub(crate) struct Opened {
    pub(crate) access_token: String,
    /// Only when the grant gives a new one.
    pub(crate) refresh_token: Option<String>,
}

pub(crate) struct Identity {
    pub(crate) credentials: Credentials,
    seed: u64,
    draws: u64,
    org_id: Id,
    grants: HashMap<String, Grant>,
    next_chain: u64,
    sessions: HashMap<String, Session>,
    timeout: SignedDuration,
    rotate: bool,
    single_flight: bool,
}

struct Grant {
    /// Tokens that replaced one another share a chain.
    chain: u64,
    state: GrantState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GrantState {
    Live,
    /// A refresh is being processed.
    Busy,
    /// Another token took its place.
    Replaced,
    Revoked,
}

struct Session {
    chain: Option<u64>,
    opened: Timestamp,
    expires: Timestamp,
}

impl Identity {
    pub(crate) fn new(seed: u64, org_id: Id, settings: &crate::Settings) -> Self {
        let text = |label: &str, length: usize| opaque(seed, label, 0, length);
        let credentials = Credentials {
            client_id: format!("3MVG9{}", text("client_id", 80)),
            client_secret: data_encoding::HEXUPPER.encode(&hash(seed, "client_secret", 0)),
            refresh_token: format!("5Aep861{}", text("refresh_token", 80)),
            username: format!("admin@{}.example.com", org_id.short().to_lowercase()),
            password: text("password", 16).replace(['.', '_'], "x"),
            security_token: text("security_token", 24).replace(['.', '_'], "x"),
        };
        let grants = HashMap::from([(credentials.refresh_token.clone(), Grant { chain: 0, state: GrantState::Live })]);
        Self {
            credentials,
            seed,
            draws: 0,
            org_id,
            grants,
            next_chain: 1,
            sessions: HashMap::new(),
            timeout: SignedDuration::try_from(settings.session_timeout).unwrap_or(SignedDuration::MAX),
            rotate: settings.rotate_refresh_tokens,
            single_flight: settings.single_flight_refresh,
        }
    }

    /// Checks the connected app's own credentials.
    pub(crate) fn check_client(&self, id: Option<&str>, secret: Option<&str>) -> Result<(), Denied> {
        if id != Some(self.credentials.client_id.as_str()) {
            return Err(denied("invalid_client_id", "client identifier invalid"));
        }
        if secret != Some(self.credentials.client_secret.as_str()) {
            return Err(denied("invalid_client", "invalid client credentials"));
        }
        Ok(())
    }

    /// Begins a refresh. The token stays busy until [`finish_refresh`](Self::finish_refresh).
    pub(crate) fn begin_refresh(&mut self, token: &str) -> Result<(), Denied> {
        let single_flight = self.single_flight;
        let grant = self.grants.get_mut(token).ok_or(EXPIRED)?;
        match grant.state {
            GrantState::Busy if single_flight => {
                Err(denied("invalid_grant", "token request is already being processed"))
            }
            GrantState::Live | GrantState::Busy => {
                grant.state = GrantState::Busy;
                Ok(())
            }
            GrantState::Revoked => Err(EXPIRED),
            GrantState::Replaced => {
                let chain = grant.chain;
                self.revoke_chain(chain);
                Err(EXPIRED)
            }
        }
    }

    /// Ends a refresh that was begun: a session, and with rotation a new refresh token.
    pub(crate) fn finish_refresh(&mut self, token: &str, now: Timestamp) -> Result<Opened, Denied> {
        let rotate = self.rotate;
        let grant = self.grants.get_mut(token).filter(|grant| grant.state == GrantState::Busy).ok_or(EXPIRED)?;
        grant.state = if rotate { GrantState::Replaced } else { GrantState::Live };
        let chain = grant.chain;
        let refresh_token = rotate.then(|| self.issue_grant(chain));
        Ok(Opened { access_token: self.open(Some(chain), now), refresh_token })
    }

    /// The username-password grant. The password is followed by the security token.
    pub(crate) fn sign_in(&mut self, username: &str, password: &str, now: Timestamp) -> Result<Opened, Denied> {
        let right = format!("{}{}", self.credentials.password, self.credentials.security_token);
        if !username.eq_ignore_ascii_case(&self.credentials.username) || password != right {
            return Err(denied("invalid_grant", "authentication failure"));
        }
        Ok(Opened { access_token: self.open(None, now), refresh_token: None })
    }

    /// The client-credentials grant, whose user is the app's "run as".
    pub(crate) fn run_as(&mut self, now: Timestamp) -> Opened {
        Opened { access_token: self.open(None, now), refresh_token: None }
    }

    /// Another grant of the same user and app, as an authorisation in a browser gives it. Only the latest five live.
    pub(crate) fn grant(&mut self) -> String {
        let mut chains: Vec<u64> = self
            .grants
            .values()
            .filter(|grant| matches!(grant.state, GrantState::Live | GrantState::Busy))
            .map(|grant| grant.chain)
            .collect();
        chains.sort_unstable();
        chains.dedup();
        let surplus = (chains.len() + 1).saturating_sub(MOST_GRANTS);
        for chain in &chains[..surplus] {
            self.revoke_chain(*chain);
        }
        self.next_chain += 1;
        self.issue_grant(self.next_chain - 1)
    }

    /// Is this a session? Using it puts off its end.
    pub(crate) fn authenticate(&mut self, token: &str, now: Timestamp) -> bool {
        let timeout = self.timeout;
        match self.sessions.get_mut(token) {
            Some(session) if now < session.expires => {
                session.expires = later(now, timeout);
                true
            }
            _ => false,
        }
    }

    /// Revokes an access token, or a refresh token together with its sessions. False if it is neither.
    pub(crate) fn revoke(&mut self, token: &str) -> bool {
        if self.sessions.remove(token).is_some() {
            return true;
        }
        let Some(chain) = self.grants.get(token).map(|grant| grant.chain) else { return false };
        self.revoke_chain(chain);
        true
    }

    /// Start and end of a live session.
    pub(crate) fn session(&self, token: &str, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
        self.sessions
            .get(token)
            .filter(|session| now < session.expires)
            .map(|session| (session.opened, session.expires))
    }

    /// Is this a refresh token that still works?
    pub(crate) fn is_live_grant(&self, token: &str) -> bool {
        self.grants.get(token).is_some_and(|grant| matches!(grant.state, GrantState::Live | GrantState::Busy))
    }

    /// Ends every session; refresh tokens live on.
    pub(crate) fn expire_sessions(&mut self) -> usize {
        let count = self.sessions.len();
        self.sessions.clear();
        count
    }

    /// Base64 of the HMAC-SHA256 of `message`, keyed with the client secret, as token replies carry it.
    pub(crate) fn sign(&self, message: &str) -> String {
        let mut key = [0_u8; 64];
        let secret = self.credentials.client_secret.as_bytes();
        key[..secret.len().min(64)].copy_from_slice(&secret[..secret.len().min(64)]);
        let inner = Sha256::new().chain_update(key.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
        STANDARD.encode(Sha256::new().chain_update(key.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize())
    }

    fn issue_grant(&mut self, chain: u64) -> String {
        self.draws += 1;
        let token = format!("5Aep861{}", opaque(self.seed, "grant", self.draws, 80));
        self.grants.insert(token.clone(), Grant { chain, state: GrantState::Live });
        token
    }

    fn open(&mut self, chain: Option<u64>, now: Timestamp) -> String {
        self.draws += 1;
        // Sessions of an earlier process must not live on, so the time is part of the draw.
        let nonce = self.draws.wrapping_add(now.as_nanosecond() as u64);
        let token = format!("{}!AR8AQ{}", self.org_id.short(), opaque(self.seed, "session", nonce, 91));
        self.sessions.insert(token.clone(), Session { chain, opened: now, expires: later(now, self.timeout) });
        token
    }

    fn revoke_chain(&mut self, chain: u64) {
        self.sessions.retain(|_, session| session.chain != Some(chain));
        for grant in self.grants.values_mut().filter(|grant| grant.chain == chain) {
            grant.state = GrantState::Revoked;
        }
    }
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.saturating_add(by).unwrap_or(Timestamp::MAX)
}

fn hash(seed: u64, label: &str, number: u64) -> [u8; 32] {
    Sha256::new()
        .chain_update(seed.to_be_bytes())
        .chain_update(label)
        .chain_update(number.to_be_bytes())
        .finalize()
        .into()
}

/// Text that looks like Salesforce's secrets: letters, digits, dots and underscores.
fn opaque(seed: u64, label: &str, number: u64, length: usize) -> String {
    let mut text = String::new();
    for round in 0.. {
        text.push_str(&STANDARD_NO_PAD.encode(hash(seed, &format!("{label}/{round}"), number)));
        if text.len() >= length {
            break;
        }
    }
    text.truncate(length);
    text.replace('+', ".").replace('/', "_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;

    fn identity(settings: &Settings) -> Identity {
        Identity::new(1, Id::parse("00D5f0000000001").unwrap(), settings)
    }

    fn refresh(identity: &mut Identity, token: &str) -> Result<Opened, &'static str> {
        identity.begin_refresh(token).map_err(|denied| denied.description)?;
        identity.finish_refresh(token, Timestamp::UNIX_EPOCH).map_err(|denied| denied.description)
    }

    /// RFC 4231, test case 2, with the key in place of the secret.
    #[test]
    fn signature() {
        let mut identity = identity(&Settings::default());
        identity.credentials.client_secret = "Jefe".to_owned();
        let expected = data_encoding::HEXLOWER
            .decode(b"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
            .unwrap();
        assert_eq!(identity.sign("what do ya want for nothing?"), STANDARD.encode(expected));
    }

    #[test]
    fn sessions_slide() {
        let mut identity = identity(&Settings::default());
        let at = |hours: i64| Timestamp::from_second(hours * 1800).unwrap();
        let token = identity.run_as(at(0)).access_token;
        assert!(identity.authenticate(&token, at(3)) && identity.authenticate(&token, at(6)));
        assert!(!identity.authenticate(&token, at(10)));
    }

    #[test]
    fn one_refresh_at_a_time() {
        let mut identity = identity(&Settings::default());
        let token = identity.credentials.refresh_token.clone();
        identity.begin_refresh(&token).unwrap();
        assert_eq!(identity.begin_refresh(&token).unwrap_err().description, "token request is already being processed");
        assert!(identity.finish_refresh(&token, Timestamp::UNIX_EPOCH).is_ok());
        assert!(refresh(&mut identity, &token).is_ok());
    }

    #[test]
    fn a_replaced_token_takes_its_descendants_along() {
        let mut identity = identity(&Settings { rotate_refresh_tokens: true, ..Settings::default() });
        let first = identity.credentials.refresh_token.clone();
        let opened = refresh(&mut identity, &first).ok().unwrap();
        let second = opened.refresh_token.unwrap();
        assert!(identity.authenticate(&opened.access_token, Timestamp::UNIX_EPOCH));
        assert_eq!(refresh(&mut identity, &first).err(), Some("expired access/refresh token"));
        assert_eq!(refresh(&mut identity, &second).err(), Some("expired access/refresh token"));
        assert!(!identity.authenticate(&opened.access_token, Timestamp::UNIX_EPOCH));
    }

    #[test]
    fn the_sixth_grant_revokes_the_first() {
        let mut identity = identity(&Settings::default());
        let first = identity.credentials.refresh_token.clone();
        let others: Vec<String> = (0..5).map(|_| identity.grant()).collect();
        assert!(!identity.is_live_grant(&first));
        assert!(others.iter().all(|token| identity.is_live_grant(token)));
    }
}
