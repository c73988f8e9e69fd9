//! A user, as far as signing in goes.

use jiff::{SignedDuration, Timestamp};

use super::credentials::opaque;
use super::policy::{Proof, UserPolicy, UserStatus};
use crate::org::Id;

/// Names and secrets of a user, and what the administrator did with them. It has no `Debug`: secrets do not print.
pub(super) struct Account {
    pub(super) username: String,
    pub(super) password: String,
    pub(super) security_token: String,
    pub(super) policy: UserPolicy,
    sign_ins: SignIns,
}

/// Sign-ins of an hour of virtual time, which begins with the first.
#[derive(Default)]
struct SignIns {
    began: Option<Timestamp>,
    count: u64,
}

impl Account {
    pub(super) fn new(username: &str, password: &str, security_token: &str) -> Self {
        Self {
            username: username.to_owned(),
            password: password.to_owned(),
            security_token: security_token.to_owned(),
            policy: UserPolicy::default(),
            sign_ins: SignIns::default(),
        }
    }

    /// One whose secrets are drawn from the seed and their id: they are the same whenever the org is opened.
    pub(super) fn drawn(seed: u64, id: Id, username: &str) -> Self {
        let number = id.short().bytes().skip(6).fold(0, |sum: u64, digit| sum << 7 | u64::from(digit));
        let text = |label: &str, length| opaque(seed, label, number, length).replace(['.', '_'], "x");
        Self::new(username, &text("password", 16), &text("security_token", 24))
    }

    /// What a password is worth, with the security token behind it or without.
    pub(super) fn proof(&self, password: &str) -> Proof {
        match password.strip_prefix(self.password.as_str()) {
            Some("") => Proof::PasswordAlone,
            Some(token) if token == self.security_token => Proof::PasswordAndToken,
            _ => Proof::Wrong,
        }
    }

    /// Sign-ins of this hour.
    pub(super) fn recent(&mut self, now: Timestamp) -> u64 {
        let over = |began: Timestamp| now.duration_since(began) >= SignedDuration::from_hours(1);
        if self.sign_ins.began.is_none_or(over) {
            self.sign_ins = SignIns { began: Some(now), count: 0 };
        }
        self.sign_ins.count
    }

    pub(super) fn count(&mut self) {
        self.sign_ins.count += 1;
    }

    pub(super) fn forget_sign_ins(&mut self) {
        self.sign_ins = SignIns::default();
    }

    /// May sessions of this user go on? Who is locked out keeps those they have.
    pub(super) fn is_let_in(&self) -> bool {
        matches!(self.policy.status, UserStatus::Active | UserStatus::LockedOut)
    }
}
