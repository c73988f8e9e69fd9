//! The client-credentials grant: an app signs in as the user its policies name. Served by My Domain hosts only.

use oauth2::ClientSecret;
use secrecy::{ExposeSecret, SecretString};

use super::{endpoint::Endpoint, token::Token};
use crate::Error;

/// `grant_type=client_credentials`.
pub(super) async fn exchange(
    endpoint: &Endpoint<'_>,
    client_id: &str,
    client_secret: &SecretString,
) -> Result<Token, Error> {
    let client = endpoint.client(client_id).set_client_secret(ClientSecret::new(client_secret.expose_secret().into()));
    let reply = client.exchange_client_credentials().request_async(endpoint).await;
    endpoint.token(reply, None)
}
