//! A sign-in that failed, and what that means.

use std::{fmt, sync::Arc};

use super::{Grant, cure::judge};
use crate::{
    Error, LoginUrl,
    advice::advice,
    failure::{Cause, Failure},
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
    pub(crate) fn of(grant: Grant, failure: Failure) -> SignInFailure {
        let fault = failure.refusal().and_then(|refusal| refusal.faults.first());
        let (class, cure) = match fault.and_then(|fault| judge(grant, fault)) {
            Some((class, cure)) => (class, Some(cure)),
            // A fault that is not known is no reason to try a password again: the user would be locked out.
            None if grant == Grant::Soap && fault.is_some() => (Class::Fatal, advice(&failure)),
            // Asking for a token again is harmless.
            None => (classify(&failure, Effect::Repeatable), advice(&failure)),
        };
        SignInFailure { failure, class, cure }
    }

    /// The task that signed in ended without an outcome.
    pub(crate) fn cut_short(grant: Grant, login: &LoginUrl, cause: Cause) -> Error {
        SignInFailure::of(grant, Failure::Lost { host: login.host(), cause }).at(login)
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
