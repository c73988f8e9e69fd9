//! The current token, shared by all clones of an org: one sign-in at a time, and nobody waits for a stale one.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};

use crate::{
    Credentials, Error, LoginUrl, Token,
    auth::{SignInFailure, sign_in},
    http::Http,
    retry::Policy,
};

/// The signed-in state of an org.
#[derive(Debug)]
pub(crate) struct Session {
    login: LoginUrl,
    policy: Policy,
    http: Arc<Http>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// What the next sign-in presents: a rotated refresh token takes the place of the configured one.
    credentials: Credentials,
    phase: Phase,
}

enum Phase {
    SignedOut,
    /// A sign-in is under way, and everybody who needs a token waits for it.
    SigningIn(Flight),
    SignedIn(Arc<Token>),
}

type Flight = Shared<BoxFuture<'static, Result<Arc<Token>, Error>>>;

impl Session {
    pub(crate) fn new(login: LoginUrl, credentials: Credentials, policy: Policy, http: Arc<Http>) -> Session {
        Session { login, policy, http, state: Mutex::new(State { credentials, phase: Phase::SignedOut }) }
    }

    /// The current token, unless it is `stale`: then a new one.
    pub(crate) async fn token(&self, stale: Option<&Token>) -> Result<Arc<Token>, Error> {
        let flight = {
            let mut state = self.lock();
            match &state.phase {
                Phase::SignedIn(token) if !stale.is_some_and(|stale| stale.is_same_as(token)) => {
                    return Ok(Arc::clone(token));
                }
                Phase::SigningIn(flight) => flight.clone(),
                Phase::SignedIn(_) | Phase::SignedOut => {
                    let flight = self.take_off(state.credentials.clone());
                    state.phase = Phase::SigningIn(flight.clone());
                    flight
                }
            }
        };
        let outcome = flight.clone().await;
        self.land(&flight, &outcome);
        outcome
    }

    /// Starts a sign-in as a task of its own: a caller that stops waiting must not lose a rotated refresh token.
    fn take_off(&self, credentials: Credentials) -> Flight {
        let (login, policy, http) = (self.login.clone(), self.policy.clone(), Arc::clone(&self.http));
        let (asked, grant) = (login.clone(), credentials.grant());
        let task = tokio::spawn(async move { sign_in(&http, &login, &credentials, &policy).await.map(Arc::new) });
        async move { task.await.unwrap_or_else(|cut| Err(SignInFailure::cut_short(grant, &asked, cut.into()))) }
            .boxed()
            .shared()
    }

    /// Whoever sees the sign-in end first writes the outcome down; for the others it is there already.
    fn land(&self, flight: &Flight, outcome: &Result<Arc<Token>, Error>) {
        let mut state = self.lock();
        match &state.phase {
            Phase::SigningIn(current) if current.ptr_eq(flight) => {}
            _ => return,
        }
        state.phase = match outcome {
            Ok(token) => {
                if let Some(rotated) = token.rotated() {
                    state.credentials.rotate(rotated);
                }
                Phase::SignedIn(Arc::clone(token))
            }
            Err(_) => Phase::SignedOut,
        };
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::SignedOut => "SignedOut",
            Phase::SigningIn(_) => "SigningIn",
            Phase::SignedIn(_) => "SignedIn",
        })
    }
}
