//! The refresh-token grant: a user authorised a connected app once, and the app comes back with what it was given.

use oauth2::{ClientSecret, RefreshToken};
use secrecy::{ExposeSecret, SecretString};

use super::{endpoint::Endpoint, token::Token};
use crate::Error;

/// `grant_type=refresh_token`. At most one request per refresh token may be in flight; the session sees to it.
pub(super) async fn exchange(
    endpoint: &Endpoint<'_>,
    client_id: &str,
    client_secret: &SecretString,
    refresh_token: &SecretString,
) -> Result<Token, Error> {
    let client = endpoint.client(client_id).set_client_secret(ClientSecret::new(client_secret.expose_secret().into()));
    let presented = RefreshToken::new(refresh_token.expose_secret().into());
    let reply = client.exchange_refresh_token(&presented).request_async(endpoint).await;
    endpoint.token(reply, Some(refresh_token))
}
