//! Who may come in: one connected app, one user, refresh tokens and sessions. Pure: time is an argument, randomness a
//! counter hashed with the seed.

mod assertion;
mod code;
mod denied;
mod key;
mod policy;

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::id::Id;
pub(crate) use assertion::Assertion;
pub(crate) use code::Code;
pub(crate) use denied::Denied;
pub use key::KeyError;
pub(crate) use key::PublicKey;
pub use policy::{AppPolicy, Approval, LoginHours, Network, OrgPolicy, Policies, UserPolicy, UserStatus};
pub(crate) use policy::{Attempt, Face, Proof, Way, judge};

/// Grants a user keeps per connected app; another one silently revokes the oldest.
const MOST_GRANTS: usize = 5;

/// The key pair of the app as the org starts; `keys/ORIGIN.md` tells where it comes from.
const PRIVATE_KEY: &str = include_str!("../../../keys/private_key.pem");
const CERTIFICATE: &str = include_str!("../../../keys/certificate.pem");

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
    /// PKCS #8, as PEM text: signs assertions of the JWT bearer grant. The same in every org; it protects nothing.
    pub private_key: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// A session that was just opened.
pub(crate) struct Opened {
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

pub(crate) struct Identity {
    pub(crate) credentials: Credentials,
    policies: Policies,
    app_key: Option<PublicKey>,
    seed: u64,
    draws: u64,
    org_id: Id,
    grants: HashMap<String, Grant>,
    next_chain: u64,
    codes: HashMap<String, Code>,
    sessions: HashMap<String, Session>,
    sign_ins: SignIns,
    timeout: SignedDuration,
    longest_assertion: Duration,
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
    /// `None` for a session of SOAP, which no app stands between.
    scope: Option<String>,
    opened: Timestamp,
    expires: Timestamp,
}

/// Sign-ins of an hour of virtual time, which begins with the first.
#[derive(Default)]
struct SignIns {
    began: Option<Timestamp>,
    count: u64,
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
            private_key: PRIVATE_KEY.to_owned(),
        };
        let grants = HashMap::from([(credentials.refresh_token.clone(), Grant { chain: 0, state: GrantState::Live })]);
        Self {
            credentials,
            policies: starting_policies(settings),
            app_key: PublicKey::from_pem(CERTIFICATE).ok(),
            seed,
            draws: 0,
            org_id,
            grants,
            next_chain: 1,
            codes: HashMap::new(),
            sessions: HashMap::new(),
            sign_ins: SignIns::default(),
            timeout: SignedDuration::try_from(settings.session_timeout).unwrap_or(SignedDuration::MAX),
            longest_assertion: settings.longest_assertion,
            single_flight: settings.single_flight_refresh,
        }
    }

    /// What the administrator allows.
    pub(crate) fn policies(&self) -> &Policies {
        &self.policies
    }

    /// Puts other policies in force. A user who may not be there any more loses all sessions, a blocked app its own.
    pub(crate) fn enforce(&mut self, policies: Policies) {
        self.policies = policies;
        if !matches!(self.policies.user.status, UserStatus::Active | UserStatus::LockedOut) {
            self.sessions.clear();
        }
        if self.policies.app.blocked {
            self.sessions.retain(|_, session| session.scope.is_none());
        }
    }

    /// Back to the policies and the key of the start. Credentials and tokens stay.
    pub(crate) fn reset(&mut self, settings: &crate::Settings) {
        self.policies = starting_policies(settings);
        self.app_key = PublicKey::from_pem(CERTIFICATE).ok();
        self.sign_ins = SignIns::default();
    }

    /// Gives the user another password, which ends their sessions.
    pub(crate) fn set_password(&mut self, password: String) {
        self.credentials.password = password;
        self.sessions.clear();
    }

    /// The app's other key, with which assertions must be signed from now on.
    pub(crate) fn register(&mut self, key: PublicKey) {
        self.app_key = Some(key);
    }

    /// Checks the connected app's name.
    pub(crate) fn check_client_id(&self, id: Option<&str>) -> Result<(), Denied> {
        if id == Some(self.credentials.client_id.as_str()) { Ok(()) } else { Err(Denied::UnknownClient) }
    }

    /// Checks the connected app's own credentials. A secret that is `optional` may be left out, but not be wrong.
    pub(crate) fn check_client(&self, id: Option<&str>, secret: Option<&str>, optional: bool) -> Result<(), Denied> {
        self.check_client_id(id)?;
        let left_out = secret.is_none() && optional;
        let right = secret == Some(self.credentials.client_secret.as_str());
        if left_out || right { Ok(()) } else { Err(Denied::WrongSecret) }
    }

    /// Begins a refresh. The token stays busy until [`finish_refresh`](Self::finish_refresh).
    pub(crate) fn begin_refresh(&mut self, token: &str, face: Face, now: Timestamp) -> Result<(), Denied> {
        let single_flight = self.single_flight;
        let grant = self.grants.get(token).ok_or(Denied::DeadToken)?;
        match grant.state {
            GrantState::Busy if single_flight => return Err(Denied::Busy),
            GrantState::Live | GrantState::Busy => {}
            GrantState::Revoked => return Err(Denied::DeadToken),
            GrantState::Replaced => {
                let chain = grant.chain;
                self.revoke_chain(chain);
                return Err(Denied::DeadToken);
            }
        }
        self.admit(Way::RefreshToken, face, now)?;
        self.grants.entry(token.to_owned()).and_modify(|grant| grant.state = GrantState::Busy);
        Ok(())
    }

    /// Ends a refresh that was begun: a session, and with rotation a new refresh token.
    pub(crate) fn finish_refresh(&mut self, token: &str, now: Timestamp) -> Result<Opened, Denied> {
        let rotate = self.policies.app.rotate_refresh_tokens;
        let grant =
            self.grants.get_mut(token).filter(|grant| grant.state == GrantState::Busy).ok_or(Denied::DeadToken)?;
        grant.state = if rotate { GrantState::Replaced } else { GrantState::Live };
        let chain = grant.chain;
        let refresh_token = rotate.then(|| self.issue_grant(chain));
        let opened = self.open(Some(chain), Some(self.scope()), now);
        Ok(Opened { refresh_token, ..opened })
    }

    /// The username-password grant. The password is followed by the security token.
    pub(crate) fn password_grant(
        &mut self,
        username: &str,
        password: &str,
        face: Face,
        now: Timestamp,
    ) -> Result<Opened, Denied> {
        self.admit(Way::Password(self.proof(username, password)), face, now)?;
        Ok(self.open(None, Some(self.scope()), now))
    }

    /// SOAP `login()`, where no app is involved.
    pub(crate) fn soap_login(
        &mut self,
        username: &str,
        password: &str,
        face: Face,
        now: Timestamp,
    ) -> Result<Opened, Denied> {
        self.admit(Way::SoapLogin(self.proof(username, password)), face, now)?;
        Ok(self.open(None, None, now))
    }

    /// The client-credentials grant, whose user is the app's "run as".
    pub(crate) fn run_as(&mut self, face: Face, now: Timestamp) -> Result<Opened, Denied> {
        self.admit(Way::ClientCredentials, face, now)?;
        Ok(self.open(None, Some(self.scope()), now))
    }

    /// The JWT bearer grant. The assertion must be made for one of `audiences`.
    pub(crate) fn bearer(
        &mut self,
        assertion: &Assertion<'_>,
        audiences: &[String],
        face: Face,
        now: Timestamp,
    ) -> Result<Opened, Denied> {
        self.check_client_id(Some(assertion.issuer()))?;
        let key = self.app_key.as_ref().ok_or(Denied::BadAssertion)?;
        assertion.check(key, audiences, now, self.longest_assertion)?;
        if !assertion.username().eq_ignore_ascii_case(&self.credentials.username) {
            return Err(Denied::NotApprovedByUser);
        }
        self.admit(Way::Jwt, face, now)?;
        Ok(self.open(None, Some(self.scope()), now))
    }

    /// The user consents to the app in a browser: a code. An empty `scope` asks for all the app may have.
    pub(crate) fn authorize(&mut self, asked: Code, face: Face) -> Result<String, Denied> {
        let AppPolicy { scopes, consent, redirect_uris, .. } = &self.policies.app;
        if !redirect_uris.is_empty() && !redirect_uris.contains(&asked.redirect_uri) {
            return Err(Denied::WrongRedirect);
        }
        let known = |scope: &str| scopes.iter().any(|allowed| same_scope(allowed, scope));
        if !asked.scope.split_whitespace().all(known) {
            return Err(Denied::UnknownScope);
        }
        if !consent {
            return Err(Denied::Refused);
        }
        self.judge(Way::Code, face, asked.issued)?;
        let scope = if asked.scope.is_empty() { self.scope() } else { asked.scope };
        self.draws += 1;
        let code = format!("aPrx{}==", opaque(self.seed, "code", self.draws, 82));
        self.codes.insert(code.clone(), Code { scope, ..asked });
        Ok(code)
    }

    /// Exchanges a code, which works once, whatever comes of it.
    pub(crate) fn redeem(
        &mut self,
        code: &str,
        redirect_uri: &str,
        verifier: Option<&str>,
        face: Face,
        now: Timestamp,
    ) -> Result<Opened, Denied> {
        let code = self.codes.remove(code).ok_or(Denied::UnknownCode)?;
        code.check(redirect_uri, verifier, now)?;
        self.admit(Way::Code, face, now)?;
        if !code.scope.split_whitespace().any(|scope| same_scope(scope, "refresh_token")) {
            return Ok(self.open(None, Some(code.scope), now));
        }
        let refresh_token = self.grant();
        let chain = self.grants.get(&refresh_token).map(|grant| grant.chain);
        Ok(Opened { refresh_token: Some(refresh_token), ..self.open(chain, Some(code.scope), now) })
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

    /// Is this a session the API takes? Using it puts off its end.
    pub(crate) fn authenticate(&mut self, token: &str, now: Timestamp) -> Result<(), Unfit> {
        let timeout = self.timeout;
        let session = self.sessions.get_mut(token).filter(|session| now < session.expires).ok_or(Unfit::Dead)?;
        session.expires = later(now, timeout);
        let covers = |scope: &String| scope.split_whitespace().any(|scope| scope == "api" || scope == "full");
        if !session.scope.as_ref().is_none_or(covers) {
            return Err(Unfit::WithoutApi);
        }
        if !self.policies.org.api {
            return Err(Unfit::ApiOffForOrg);
        }
        if self.policies.user.api_enabled { Ok(()) } else { Err(Unfit::ApiOffForUser) }
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

    /// The scopes of the app, as token replies list them.
    pub(crate) fn scope(&self) -> String {
        self.policies.app.scopes.join(" ")
    }

    /// Base64 of the HMAC-SHA256 of `message`, keyed with the client secret, as token replies carry it.
    pub(crate) fn sign(&self, message: &str) -> String {
        let mut key = [0_u8; 64];
        let secret = self.credentials.client_secret.as_bytes();
        key[..secret.len().min(64)].copy_from_slice(&secret[..secret.len().min(64)]);
        let inner = Sha256::new().chain_update(key.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
        STANDARD.encode(Sha256::new().chain_update(key.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize())
    }

    /// Judges a sign-in, and counts it if it is one.
    fn admit(&mut self, way: Way, face: Face, now: Timestamp) -> Result<(), Denied> {
        self.judge(way, face, now)?;
        self.sign_ins.count += 1;
        Ok(())
    }

    fn judge(&mut self, way: Way, face: Face, now: Timestamp) -> Result<(), Denied> {
        let over = |began: Timestamp| now.duration_since(began) >= SignedDuration::from_hours(1);
        if self.sign_ins.began.is_none_or(over) {
            self.sign_ins = SignIns { began: Some(now), count: 0 };
        }
        judge(&self.policies, &Attempt { way, face, at: now, recent: self.sign_ins.count })
    }

    fn proof(&self, username: &str, password: &str) -> Proof {
        let right = username.eq_ignore_ascii_case(&self.credentials.username);
        match password.strip_prefix(self.credentials.password.as_str()) {
            Some("") if right => Proof::PasswordAlone,
            Some(token) if right && token == self.credentials.security_token => Proof::PasswordAndToken,
            _ => Proof::Wrong,
        }
    }

    fn issue_grant(&mut self, chain: u64) -> String {
        self.draws += 1;
        let token = format!("5Aep861{}", opaque(self.seed, "grant", self.draws, 80));
        self.grants.insert(token.clone(), Grant { chain, state: GrantState::Live });
        token
    }

    fn open(&mut self, chain: Option<u64>, scope: Option<String>, now: Timestamp) -> Opened {
        self.draws += 1;
        // Sessions of an earlier process must not live on, so the time is part of the draw.
        let nonce = self.draws.wrapping_add(now.as_nanosecond() as u64);
        let access_token = format!("{}!AR8AQ{}", self.org_id.short(), opaque(self.seed, "session", nonce, 91));
        let session = Session { chain, scope: scope.clone(), opened: now, expires: later(now, self.timeout) };
        self.sessions.insert(access_token.clone(), session);
        Opened { access_token, refresh_token: None, scope: scope.unwrap_or_default() }
    }

    fn revoke_chain(&mut self, chain: u64) {
        self.sessions.retain(|_, session| session.chain != Some(chain));
        for grant in self.grants.values_mut().filter(|grant| grant.chain == chain) {
            grant.state = GrantState::Revoked;
        }
    }
}

fn starting_policies(settings: &crate::Settings) -> Policies {
    let mut policies = Policies::default();
    policies.app.rotate_refresh_tokens = settings.rotate_refresh_tokens;
    policies
}

/// `offline_access` is OpenID's name for `refresh_token`.
fn same_scope(one: &str, other: &str) -> bool {
    let known = |scope| if scope == "offline_access" { "refresh_token" } else { scope };
    known(one) == known(other)
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

    fn refresh(identity: &mut Identity, token: &str) -> Result<Opened, Denied> {
        identity.begin_refresh(token, Face::MyDomain, Timestamp::UNIX_EPOCH)?;
        identity.finish_refresh(token, Timestamp::UNIX_EPOCH)
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
        let token = identity.run_as(Face::MyDomain, at(0)).ok().unwrap().access_token;
        assert_eq!([3, 6, 10].map(|hour| identity.authenticate(&token, at(hour))), [Ok(()), Ok(()), Err(Unfit::Dead)]);
    }

    #[test]
    fn one_refresh_at_a_time() {
        let mut identity = identity(&Settings::default());
        let token = identity.credentials.refresh_token.clone();
        let begin = |identity: &mut Identity| identity.begin_refresh(&token, Face::MyDomain, Timestamp::UNIX_EPOCH);
        begin(&mut identity).unwrap();
        assert_eq!(begin(&mut identity), Err(Denied::Busy));
        assert!(identity.finish_refresh(&token, Timestamp::UNIX_EPOCH).is_ok());
        assert!(refresh(&mut identity, &token).is_ok());
    }

    #[test]
    fn a_replaced_token_takes_its_descendants_along() {
        let mut identity = identity(&Settings { rotate_refresh_tokens: true, ..Settings::default() });
        let first = identity.credentials.refresh_token.clone();
        let opened = refresh(&mut identity, &first).ok().unwrap();
        let second = opened.refresh_token.unwrap();
        assert_eq!(identity.authenticate(&opened.access_token, Timestamp::UNIX_EPOCH), Ok(()));
        assert_eq!(refresh(&mut identity, &first).err(), Some(Denied::DeadToken));
        assert_eq!(refresh(&mut identity, &second).err(), Some(Denied::DeadToken));
        assert_eq!(identity.authenticate(&opened.access_token, Timestamp::UNIX_EPOCH), Err(Unfit::Dead));
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
