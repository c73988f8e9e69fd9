//! The users among whom sessions and tokens are told apart, and what the administrator does with them.

use super::account::Account;
use super::policy::{Policies, UserPolicy, UserStatus};
use super::{Identity, starting_policies};
use crate::org::Id;

impl Identity {
    /// The policies of the org, of the app and of the first user.
    pub(crate) fn policies(&self) -> Policies {
        let user = self.policy(self.first).cloned().unwrap_or_default();
        Policies { org: self.org.clone(), app: self.app.clone(), user }
    }

    /// Puts other policies in force. A user who may not be there any more loses all sessions, a blocked app its own.
    pub(crate) fn enforce(&mut self, Policies { org, app, user }: Policies) {
        (self.org, self.app) = (org, app);
        self.set_policy(self.first, user);
        if self.app.blocked {
            self.sessions.retain(|_, session| session.scope.is_none());
        }
    }

    /// Back to the policies and the key of the start, and to the first user. Their credentials and tokens stay.
    pub(crate) fn reset(&mut self, settings: &crate::Settings) {
        let Policies { org, app, user } = starting_policies(settings);
        (self.org, self.app) = (org, app);
        self.set_policy(self.first, user);
        self.app_key = super::starting_key();
        let first = self.first;
        self.accounts.retain(|id, _| *id == first);
        self.accounts.values_mut().for_each(Account::forget_sign_ins);
        self.sessions.retain(|_, session| session.user == first);
        self.grants.retain(|_, grant| grant.user == first);
        self.codes.clear();
    }

    /// A user is there, under this name; whether they are active is said by their record.
    pub(crate) fn seat(&mut self, id: Id, username: &str, active: bool) {
        let seed = self.seed;
        let account = self.accounts.entry(id).or_insert_with(|| Account::drawn(seed, id, username));
        username.clone_into(&mut account.username);
        account.policy.status = match (active, account.policy.status) {
            (false, _) => UserStatus::Inactive,
            (true, UserStatus::Inactive) => UserStatus::Active,
            (true, status) => status,
        };
        self.turn_out(id);
    }

    /// The user of that name, in any case.
    pub(crate) fn named(&self, username: &str) -> Option<Id> {
        let found = self.accounts.iter().find(|(_, account)| account.username.eq_ignore_ascii_case(username));
        found.map(|(id, _)| *id)
    }

    pub(crate) fn username(&self, id: Id) -> Option<&str> {
        self.accounts.get(&id).map(|account| account.username.as_str())
    }

    /// All users, in the order of their ids.
    pub(crate) fn users(&self) -> impl Iterator<Item = (Id, &str, &UserPolicy)> {
        self.accounts.iter().map(|(id, account)| (*id, account.username.as_str(), &account.policy))
    }

    pub(crate) fn policy(&self, id: Id) -> Option<&UserPolicy> {
        self.accounts.get(&id).map(|account| &account.policy)
    }

    /// A user is treated so from now on; who may not be there any more loses all sessions.
    pub(crate) fn set_policy(&mut self, id: Id, policy: UserPolicy) {
        if let Some(account) = self.accounts.get_mut(&id) {
            account.policy = policy;
            self.turn_out(id);
        }
    }

    /// Gives a user another password, which ends their sessions.
    pub(crate) fn set_password(&mut self, id: Id, password: String) {
        if let Some(account) = self.accounts.get_mut(&id) {
            account.password = password;
            self.sessions.retain(|_, session| session.user != id);
        }
    }

    pub(crate) fn set_security_token(&mut self, id: Id, token: String) {
        if let Some(account) = self.accounts.get_mut(&id) {
            account.security_token = token;
        }
    }

    /// Password and security token, for whoever makes a user and must tell them.
    pub(crate) fn secrets(&self, id: Id) -> Option<(String, String)> {
        self.accounts.get(&id).map(|account| (account.password.clone(), account.security_token.clone()))
    }

    fn turn_out(&mut self, id: Id) {
        if self.accounts.get(&id).is_some_and(|account| !account.is_let_in()) {
            self.sessions.retain(|_, session| session.user != id);
        }
    }
}
