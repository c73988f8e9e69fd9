//! Who may come in: one connected app, users, refresh tokens and sessions. Pure: time is an argument, randomness a
//! counter hashed with the seed.

mod account;
mod assertion;
mod code;
mod credentials;
mod denied;
mod grants;
mod key;
mod people;
mod policy;
mod token;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::id::Id;
use account::Account;
pub(crate) use assertion::Assertion;
pub(crate) use code::Code;
pub use credentials::Credentials;
use credentials::{CERTIFICATE, opaque};
pub(crate) use denied::Denied;
pub use key::KeyError;
pub(crate) use key::PublicKey;
pub(crate) use policy::Face;
pub use policy::{AppPolicy, Approval, LoginHours, Network, OrgPolicy, Policies, UserPolicy, UserStatus};
use token::{Grant, GrantState};
pub(crate) use token::{Opened, Session, Unfit};

/// Grants a user keeps per connected app; another one silently revokes the oldest.
const MOST_GRANTS: usize = 5;

pub(crate) struct Identity {
    pub(crate) credentials: Credentials,
    org: OrgPolicy,
    app: AppPolicy,
    /// By the ids of the users.
    accounts: BTreeMap<Id, Account>,
    /// The first user, whose credentials are told when the org starts.
    first: Id,
    app_key: Option<PublicKey>,
    seed: u64,
    draws: u64,
    org_id: Id,
    grants: HashMap<String, Grant>,
    next_chain: u64,
    codes: HashMap<String, Given>,
    sessions: HashMap<String, Session>,
    timeout: SignedDuration,
    longest_assertion: Duration,
    single_flight: bool,
}

/// A code, and who consented.
struct Given {
    user: Id,
    code: Code,
}

impl Identity {
    pub(crate) fn new(seed: u64, org_id: Id, first: Id, settings: &crate::Settings) -> Self {
        let credentials = Credentials::drawn(seed, org_id);
        let Credentials { username, password, security_token, .. } = &credentials;
        let accounts = BTreeMap::from([(first, Account::new(username, password, security_token))]);
        let Policies { org, app, .. } = starting_policies(settings);
        let grants = HashMap::from([(
            credentials.refresh_token.clone(),
            Grant { user: first, chain: 0, scope: None, state: GrantState::Live },
        )]);
        Self {
            credentials,
            org,
            app,
            accounts,
            first,
            app_key: starting_key(),
            seed,
            draws: 0,
            org_id,
            grants,
            next_chain: 1,
            codes: HashMap::new(),
            sessions: HashMap::new(),
            timeout: SignedDuration::try_from(settings.session_timeout).unwrap_or(SignedDuration::MAX),
            longest_assertion: settings.longest_assertion,
            single_flight: settings.single_flight_refresh,
        }
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

    /// Another refresh token for a user, as an authorisation in a browser gives it.
    pub(crate) fn grant(&mut self, user: Id) -> String {
        self.consent(user, None).1
    }

    /// Whose session is this, and does the API take it? Using it puts off its end.
    pub(crate) fn authenticate(&mut self, token: &str, now: Timestamp) -> Result<Id, Unfit> {
        let timeout = self.timeout;
        let session = self.sessions.get_mut(token).filter(|session| now < session.expires).ok_or(Unfit::Dead)?;
        session.expires = later(now, timeout);
        let covers = |scope: &String| scope.split_whitespace().any(|scope| scope == "api" || scope == "full");
        if !session.scope.as_ref().is_none_or(covers) {
            return Err(Unfit::WithoutApi);
        }
        let user = session.user;
        if !self.org.api {
            return Err(Unfit::ApiOffForOrg);
        }
        if self.policy(user).is_some_and(|policy| policy.api_enabled) { Ok(user) } else { Err(Unfit::ApiOffForUser) }
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

    /// The session of a token, if it lives.
    pub(crate) fn session(&self, token: &str, now: Timestamp) -> Option<&Session> {
        self.sessions.get(token).filter(|session| now < session.expires)
    }

    /// Whose refresh token this is, if it still works.
    pub(crate) fn live_grant(&self, token: &str) -> Option<Id> {
        let live = |grant: &&Grant| matches!(grant.state, GrantState::Live | GrantState::Busy);
        self.grants.get(token).filter(live).map(|grant| grant.user)
    }

    /// Ends every session; refresh tokens live on.
    pub(crate) fn expire_sessions(&mut self) -> usize {
        let count = self.sessions.len();
        self.sessions.clear();
        count
    }

    /// The scopes of the app, as token replies list them.
    pub(crate) fn scope(&self) -> String {
        self.app.scopes.join(" ")
    }

    /// Begins a chain of refresh tokens. Of each user, only the latest five live.
    fn consent(&mut self, user: Id, scope: Option<String>) -> (u64, String) {
        let mut chains: Vec<u64> = self
            .grants
            .values()
            .filter(|grant| grant.user == user && matches!(grant.state, GrantState::Live | GrantState::Busy))
            .map(|grant| grant.chain)
            .collect();
        chains.sort_unstable();
        chains.dedup();
        let surplus = (chains.len() + 1).saturating_sub(MOST_GRANTS);
        for chain in &chains[..surplus] {
            self.revoke_chain(*chain);
        }
        let chain = self.next_chain;
        self.next_chain += 1;
        (chain, self.issue_grant(user, chain, scope))
    }

    fn issue_grant(&mut self, user: Id, chain: u64, scope: Option<String>) -> String {
        self.draws += 1;
        let token = format!("5Aep861{}", opaque(self.seed, "grant", self.draws, 80));
        self.grants.insert(token.clone(), Grant { user, chain, scope, state: GrantState::Live });
        token
    }

    fn open(&mut self, user: Id, chain: Option<u64>, scope: Option<String>, now: Timestamp) -> Opened {
        self.draws += 1;
        // Sessions of an earlier process must not live on, so the time is part of the draw.
        let nonce = self.draws.wrapping_add(now.as_nanosecond() as u64);
        let access_token = format!("{}!AR8AQ{}", self.org_id.short(), opaque(self.seed, "session", nonce, 91));
        let session = Session { user, chain, scope: scope.clone(), opened: now, expires: later(now, self.timeout) };
        self.sessions.insert(access_token.clone(), session);
        Opened { user, access_token, refresh_token: None, scope: scope.unwrap_or_default() }
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

fn starting_key() -> Option<PublicKey> {
    PublicKey::from_pem(CERTIFICATE).ok()
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.saturating_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;

    fn ada() -> Id {
        Id::new("005", *b"5f", 1)
    }

    fn identity(settings: &Settings) -> Identity {
        Identity::new(1, Id::parse("00D5f0000000001").unwrap(), ada(), settings)
    }

    fn refresh(identity: &mut Identity, token: &str) -> Result<Opened, Denied> {
        identity.begin_refresh(token, Face::MyDomain, Timestamp::UNIX_EPOCH)?;
        identity.finish_refresh(token, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn sessions_slide() {
        let mut identity = identity(&Settings::default());
        let at = |hours: i64| Timestamp::from_second(hours * 1800).unwrap();
        let token = identity.run_as(Face::MyDomain, at(0)).ok().unwrap().access_token;
        assert_eq!(
            [3, 6, 10].map(|hour| identity.authenticate(&token, at(hour))),
            [Ok(ada()), Ok(ada()), Err(Unfit::Dead)]
        );
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
        assert_eq!(identity.authenticate(&opened.access_token, Timestamp::UNIX_EPOCH), Ok(ada()));
        assert_eq!(refresh(&mut identity, &first).err(), Some(Denied::DeadToken));
        assert_eq!(refresh(&mut identity, &second).err(), Some(Denied::DeadToken));
        assert_eq!(identity.authenticate(&opened.access_token, Timestamp::UNIX_EPOCH), Err(Unfit::Dead));
    }

    #[test]
    fn the_sixth_grant_revokes_the_first() {
        let mut identity = identity(&Settings::default());
        let first = identity.credentials.refresh_token.clone();
        let other = Id::new("005", *b"5f", 2);
        identity.seat(other, "other@example.com", true);
        let theirs = identity.grant(other);
        let others: Vec<String> = (0..5).map(|_| identity.grant(ada())).collect();
        assert_eq!(identity.live_grant(&first), None);
        assert!(others.iter().all(|token| identity.live_grant(token).is_some()));
        assert_eq!(identity.live_grant(&theirs), Some(other), "each user has five");
    }

    /// What happens to one user happens to nobody else.
    #[test]
    fn users_are_told_apart() {
        let mut identity = identity(&Settings::default());
        let other = Id::new("005", *b"5f", 2);
        identity.seat(other, "Other@example.com", true);
        let (password, token) = identity.secrets(other).unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let open = |identity: &mut Identity| {
            let password = format!("{password}{token}");
            identity
                .password_grant("other@EXAMPLE.com", &password, Face::MyDomain, now)
                .map(|opened| opened.access_token)
        };
        let (mine, theirs) =
            (identity.run_as(Face::MyDomain, now).ok().unwrap().access_token, open(&mut identity).unwrap());
        assert_eq!([&mine, &theirs].map(|token| identity.authenticate(token, now)), [Ok(ada()), Ok(other)]);
        identity.seat(other, "other@example.com", false);
        assert_eq!([&mine, &theirs].map(|token| identity.authenticate(token, now)), [Ok(ada()), Err(Unfit::Dead)]);
        assert_eq!(open(&mut identity).err(), Some(Denied::UserInactive));
        identity.seat(other, "other@example.com", true);
        assert!(open(&mut identity).is_ok());
        let wrong = identity.password_grant("nobody@example.com", &password, Face::MyDomain, now);
        assert_eq!(wrong.err(), Some(Denied::WrongPassword));
    }
}
