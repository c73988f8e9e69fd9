//! The username-password grant. Newer orgs block it, and it is closed to External Client Apps and to users who must
//! sign in with a second factor.

use oauth2::{ClientSecret, ResourceOwnerPassword, ResourceOwnerUsername};
use secrecy::{ExposeSecret, SecretString};

use super::{endpoint::Endpoint, token::Token};
use crate::Error;

/// `grant_type=password`.
pub(super) async fn exchange(
    endpoint: &Endpoint<'_>,
    client_id: &str,
    client_secret: &SecretString,
    username: &str,
    password: &SecretString,
) -> Result<Token, Error> {
    let client = endpoint.client(client_id).set_client_secret(ClientSecret::new(client_secret.expose_secret().into()));
    let username = ResourceOwnerUsername::new(username.to_owned());
    let password = ResourceOwnerPassword::new(password.expose_secret().into());
    let reply = client.exchange_password(&username, &password).request_async(endpoint).await;
    endpoint.token(reply, None)
}

/// What Salesforce takes for a password: the security token follows it at once. From trusted IP ranges none is needed.
pub(super) fn with_token(password: &SecretString, security_token: Option<&SecretString>) -> SecretString {
    let token = security_token.map_or("", |token| token.expose_secret());
    format!("{}{token}", password.expose_secret()).into()
}
