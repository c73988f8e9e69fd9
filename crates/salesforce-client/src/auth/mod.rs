//! Signing in: credentials go to the token endpoint, a token comes back.
//!
//! Each grant has its own file and its own variant of [`Credentials`]; what they share is the endpoint, the reply
//! and the meaning of its refusals.

mod endpoint;
mod refresh_token;
mod refusal;
pub mod token;

use secrecy::SecretString;

pub use refusal::SignInFailure;
use token::Token;

use self::endpoint::Endpoint;
use crate::{
    Error, LoginUrl,
    call::Tries,
    http::Http,
    retry::{Decision, Policy},
};

/// What to sign in with: one variant for each grant.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// A refresh token that a user granted to a connected app.
    RefreshToken {
        /// The app's consumer key.
        client_id: String,
        /// The app's consumer secret.
        client_secret: SecretString,
        /// The refresh token.
        refresh_token: SecretString,
    },
}

impl Credentials {
    /// Presents the new refresh token from now on; the old one died when this was issued.
    pub(crate) fn rotate(&mut self, rotated: &SecretString) {
        match self {
            Credentials::RefreshToken { refresh_token, .. } => *refresh_token = rotated.clone(),
        }
    }

    /// Asks for a token once.
    async fn exchange(&self, endpoint: &Endpoint<'_>) -> Result<Token, Error> {
        match self {
            Credentials::RefreshToken { client_id, client_secret, refresh_token } => {
                refresh_token::exchange(endpoint, client_id, client_secret, refresh_token).await
            }
        }
    }
}

/// Asks for a token until there is one or the policy gives up.
pub(crate) async fn sign_in(
    http: &Http,
    login: &LoginUrl,
    credentials: &Credentials,
    policy: &Policy,
) -> Result<Token, Error> {
    let endpoint = Endpoint::new(http, login);
    let mut tries = Tries::begin(policy);
    loop {
        let error = match credentials.exchange(&endpoint).await {
            Ok(token) => {
                tracing::debug!(login = login.host(), instance = %token.instance_url(), "signed in");
                return Ok(token);
            }
            Err(error) => error,
        };
        match tries.decide(error.class(), error.failure()) {
            Decision::Again(pause) => {
                tracing::warn!(?pause, %error, "signing in failed and will be repeated");
                tokio::time::sleep(pause).await;
            }
            Decision::Renew | Decision::Stop => return Err(error),
        }
    }
}
