//! Signing in: credentials go to the login host, a token comes back.
//!
//! Each grant has its own file and its own variant of [`Credentials`]; what they share is the token endpoint, the reply
//! and the table of its refusals with their cures. SOAP `login()` has its own address and words, and ends in the same
//! token.

mod client_credentials;
mod cure;
mod endpoint;
mod jwt_bearer;
mod password;
mod private_key;
mod refresh_token;
mod refusal;
mod soap;
pub mod token;

use secrecy::SecretString;

pub use private_key::PrivateKey;
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
    /// An app that signs in as the user its policies name. Served by the org's My Domain only.
    ClientCredentials {
        /// The app's consumer key.
        client_id: String,
        /// The app's consumer secret.
        client_secret: SecretString,
    },
    /// An app that vouches for a user with the private key of its certificate.
    JwtBearer {
        /// The app's consumer key.
        client_id: String,
        /// Whom to sign in.
        username: String,
        /// The private key that the app's certificate belongs to.
        key: PrivateKey,
        /// The login host that is meant: `https://login.salesforce.com`, `https://test.salesforce.com` for sandboxes, or
        /// the org's My Domain.
        audience: String,
    },
    /// User name and password by OAuth, where the org still allows it.
    Password {
        /// The app's consumer key.
        client_id: String,
        /// The app's consumer secret.
        client_secret: SecretString,
        /// Whom to sign in.
        username: String,
        /// The user's password.
        password: SecretString,
        /// The user's security token; not needed from trusted IP ranges.
        security_token: Option<SecretString>,
    },
    /// User name and password by SOAP `login()`, without an app. Salesforce ends it with Summer '27.
    Soap {
        /// Whom to sign in.
        username: String,
        /// The user's password.
        password: SecretString,
        /// The user's security token; not needed from trusted IP ranges.
        security_token: Option<SecretString>,
    },
}

/// The ways to sign in; what a refusal means depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    RefreshToken,
    ClientCredentials,
    JwtBearer,
    Password,
    Soap,
}

impl Credentials {
    pub(crate) fn grant(&self) -> Grant {
        match self {
            Credentials::RefreshToken { .. } => Grant::RefreshToken,
            Credentials::ClientCredentials { .. } => Grant::ClientCredentials,
            Credentials::JwtBearer { .. } => Grant::JwtBearer,
            Credentials::Password { .. } => Grant::Password,
            Credentials::Soap { .. } => Grant::Soap,
        }
    }

    /// Presents the new refresh token from now on; the old one died when this was issued. No other grant has one.
    pub(crate) fn rotate(&mut self, rotated: &SecretString) {
        if let Credentials::RefreshToken { refresh_token, .. } = self {
            *refresh_token = rotated.clone();
        }
    }

    /// Asks for a token once.
    async fn exchange(&self, endpoint: &Endpoint<'_>) -> Result<Token, Error> {
        match self {
            Credentials::RefreshToken { client_id, client_secret, refresh_token } => {
                refresh_token::exchange(endpoint, client_id, client_secret, refresh_token).await
            }
            Credentials::ClientCredentials { client_id, client_secret } => {
                client_credentials::exchange(endpoint, client_id, client_secret).await
            }
            Credentials::JwtBearer { client_id, username, key, audience } => {
                jwt_bearer::exchange(endpoint, client_id, username, key, audience).await
            }
            Credentials::Password { client_id, client_secret, username, password, security_token } => {
                let password = password::with_token(password, security_token.as_ref());
                password::exchange(endpoint, client_id, client_secret, username, &password).await
            }
            Credentials::Soap { username, password, security_token } => {
                let password = password::with_token(password, security_token.as_ref());
                soap::exchange(endpoint, username, &password).await
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
    let endpoint = Endpoint::new(http, login, credentials.grant());
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
