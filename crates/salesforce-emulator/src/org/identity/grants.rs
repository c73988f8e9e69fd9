//! The ways in: each grant of OAuth, and SOAP's `login()`. Each names a user, is judged by the policies, and opens a session.

use jiff::Timestamp;

use super::assertion::Assertion;
use super::code::Code;
use super::credentials::opaque;
use super::denied::Denied;
use super::policy::{AppPolicy, Attempt, Face, Policies, Proof, Way, judge};
use super::token::{Grant, GrantState, Opened};
use super::{Given, Identity};
use crate::org::Id;

impl Identity {
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
        let user = grant.user;
        self.admit(Some(user), Way::RefreshToken, face, now)?;
        self.grants.entry(token.to_owned()).and_modify(|grant| grant.state = GrantState::Busy);
        Ok(())
    }

    /// Ends a refresh that was begun: a session, and with rotation a new refresh token.
    pub(crate) fn finish_refresh(&mut self, token: &str, now: Timestamp) -> Result<Opened, Denied> {
        let rotate = self.app.rotate_refresh_tokens;
        // Live again where several refreshes may overlap, and another one of them is finished.
        let is_good = |grant: &&mut Grant| matches!(grant.state, GrantState::Busy | GrantState::Live);
        let grant = self.grants.get_mut(token).filter(is_good).ok_or(Denied::DeadToken)?;
        grant.state = if rotate { GrantState::Replaced } else { GrantState::Live };
        let (user, chain, consented) = (grant.user, grant.chain, grant.scope.clone());
        let scope = consented.as_deref().map_or_else(|| self.scope(), |scope| self.allowed(scope));
        let refresh_token = rotate.then(|| self.issue_grant(user, chain, consented));
        Ok(Opened { refresh_token, ..self.open(user, Some(chain), Some(scope), now) })
    }

    /// Whoever began the refresh has gone: if it is not finished, the token is as it was.
    pub(crate) fn abandon_refresh(&mut self, token: &str) {
        if let Some(grant) = self.grants.get_mut(token).filter(|grant| grant.state == GrantState::Busy) {
            grant.state = GrantState::Live;
        }
    }

    /// The username-password grant. The password is followed by the security token.
    pub(crate) fn password_grant(
        &mut self,
        username: &str,
        password: &str,
        face: Face,
        now: Timestamp,
    ) -> Result<Opened, Denied> {
        let (user, proof) = self.proof(username, password);
        let user = self.admit(user, Way::Password(proof), face, now)?;
        Ok(self.open(user, None, Some(self.scope()), now))
    }

    /// SOAP `login()`, where no app is involved.
    pub(crate) fn soap_login(
        &mut self,
        username: &str,
        password: &str,
        face: Face,
        now: Timestamp,
    ) -> Result<Opened, Denied> {
        let (user, proof) = self.proof(username, password);
        let user = self.admit(user, Way::SoapLogin(proof), face, now)?;
        Ok(self.open(user, None, None, now))
    }

    /// The client-credentials grant, whose user is the app's "run as".
    pub(crate) fn run_as(&mut self, face: Face, now: Timestamp) -> Result<Opened, Denied> {
        let user = match &self.app.run_as_user {
            Some(username) => Some(self.named(username).ok_or(Denied::NoRunAs)?),
            None => Some(self.first),
        };
        let user = self.admit(user, Way::ClientCredentials, face, now)?;
        Ok(self.open(user, None, Some(self.scope()), now))
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
        let user = self.named(assertion.username()).ok_or(Denied::NotApprovedByUser)?;
        let user = self.admit(Some(user), Way::Jwt, face, now)?;
        Ok(self.open(user, None, Some(self.scope()), now))
    }

    /// A user consents to the app in a browser: a code. An empty `scope` asks for all the app may have. The user is the one
    /// that the app hints at, or else the one that is signed in.
    pub(crate) fn authorize(&mut self, asked: Code, hint: Option<&str>, face: Face) -> Result<String, Denied> {
        let AppPolicy { consent, redirect_uris, signed_in, .. } = &self.app;
        let named = |username: &str| self.named(username);
        let user = hint.and_then(named).or(signed_in.as_deref().and_then(named)).unwrap_or(self.first);
        if !redirect_uris.is_empty() && !redirect_uris.contains(&asked.redirect_uri) {
            return Err(Denied::WrongRedirect);
        }
        if self.allowed(&asked.scope).split_whitespace().count() < asked.scope.split_whitespace().count() {
            return Err(Denied::UnknownScope);
        }
        if !consent {
            return Err(Denied::Refused);
        }
        self.judge(Some(user), Way::Code, face, asked.issued)?;
        let scope = if asked.scope.is_empty() { self.scope() } else { asked.scope };
        self.draws += 1;
        let code = format!("aPrx{}==", opaque(self.seed, "code", self.draws, 82));
        self.codes.insert(code.clone(), Given { user, code: Code { scope, ..asked } });
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
        let Given { user, code } = self.codes.remove(code).ok_or(Denied::UnknownCode)?;
        code.check(redirect_uri, verifier, now)?;
        self.admit(Some(user), Way::Code, face, now)?;
        if !code.scope.split_whitespace().any(|scope| same_scope(scope, "refresh_token")) {
            return Ok(self.open(user, None, Some(code.scope), now));
        }
        let (chain, refresh_token) = self.consent(user, Some(code.scope.clone()));
        Ok(Opened { refresh_token: Some(refresh_token), ..self.open(user, Some(chain), Some(code.scope), now) })
    }

    /// Those of some scopes that the app may have.
    fn allowed(&self, scope: &str) -> String {
        let known = |scope: &&str| self.app.scopes.iter().any(|allowed| same_scope(allowed, scope));
        scope.split_whitespace().filter(known).collect::<Vec<_>>().join(" ")
    }

    /// The user of that name, and what the password is worth.
    fn proof(&self, username: &str, password: &str) -> (Option<Id>, Proof) {
        let user = self.named(username);
        let account = user.and_then(|user| self.accounts.get(&user));
        (user, account.map_or(Proof::Wrong, |account| account.proof(password)))
    }

    /// Judges a sign-in, and counts it if it is one.
    fn admit(&mut self, user: Option<Id>, way: Way, face: Face, now: Timestamp) -> Result<Id, Denied> {
        self.judge(user, way, face, now)?;
        let account = user.and_then(|user| self.accounts.get_mut(&user)).ok_or(Denied::WrongPassword)?;
        account.count();
        user.ok_or(Denied::WrongPassword)
    }

    /// Nobody is judged as a user of whom nothing is known.
    fn judge(&mut self, user: Option<Id>, way: Way, face: Face, now: Timestamp) -> Result<(), Denied> {
        let account = user.and_then(|user| self.accounts.get_mut(&user));
        let (recent, user) = account.map(|account| (account.recent(now), account.policy.clone())).unwrap_or_default();
        let policies = Policies { org: self.org.clone(), app: self.app.clone(), user };
        judge(&policies, &Attempt { way, face, at: now, recent })
    }
}

/// `offline_access` is OpenID's name for `refresh_token`.
fn same_scope(one: &str, other: &str) -> bool {
    let known = |scope| if scope == "offline_access" { "refresh_token" } else { scope };
    known(one) == known(other)
}
