//! The token endpoint, which all grants share.

use futures::{FutureExt, future::BoxFuture};
use http::StatusCode;
use oauth2::{
    AsyncHttpClient, AuthType, ClientId, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, RequestTokenError,
    StandardRevocableToken, TokenUrl,
    basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse},
};
use secrecy::SecretString;

use super::{
    refusal::SignInFailure,
    token::{Token, TokenReply},
};
use crate::{
    Error, LoginUrl,
    failure::{Failure, Refusal},
    host::shown_host,
    http::{Http, unreadable},
};

/// The token endpoint of a login host.
pub(super) struct Endpoint<'a> {
    http: &'a Http,
    login: &'a LoginUrl,
}

/// The OAuth client of one app, with the token endpoint set.
pub(super) type Client = oauth2::Client<
    BasicErrorResponse,
    TokenReply,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

impl<'a> Endpoint<'a> {
    pub(super) fn new(http: &'a Http, login: &'a LoginUrl) -> Endpoint<'a> {
        Endpoint { http, login }
    }

    /// A client that identifies itself in the body, which every Salesforce login host accepts.
    pub(super) fn client(&self, client_id: &str) -> Client {
        oauth2::Client::new(ClientId::new(client_id.to_owned()))
            .set_token_uri(TokenUrl::from_url(self.login.token_endpoint()))
            .set_auth_type(AuthType::RequestBody)
    }

    /// The token in the outcome of a grant; `presented` is the refresh token that was sent, if one was.
    pub(super) fn token(
        &self,
        outcome: Result<TokenReply, RequestTokenError<Failure, BasicErrorResponse>>,
        presented: Option<&SecretString>,
    ) -> Result<Token, Error> {
        let reply = outcome.map_err(|error| {
            self.failed(match error {
                RequestTokenError::Request(failure) => failure,
                RequestTokenError::Parse(error, _) => {
                    unreadable(StatusCode::OK, error.inner(), &error.path().to_string())
                }
                RequestTokenError::ServerResponse(_) | RequestTokenError::Other(_) => {
                    unexpected("it is no token reply")
                }
            })
        })?;
        let instance_url = self.login.admit(&reply.instance_url)?;
        Token::new(&reply, instance_url, presented).map_err(|why| self.failed(unexpected(why)))
    }

    fn failed(&self, failure: Failure) -> Error {
        SignInFailure::of(failure).at(self.login)
    }
}

/// A reply of success that brings no usable token.
fn unexpected(why: &str) -> Failure {
    Failure::Unexpected { status: StatusCode::OK, why: why.to_owned() }
}

/// Only replies of success reach the OAuth library: what a refusal says is ours to read.
impl<'c> AsyncHttpClient<'c> for Endpoint<'_> {
    type Error = Failure;
    type Future = BoxFuture<'c, Result<HttpResponse, Failure>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        let host = shown_host(self.login.url());
        async move {
            let request = reqwest::Request::try_from(request)
                .map_err(|error| Failure::Unsent { host, cause: error.without_url().into() })?;
            let reply = self.http.exchange(request).await?;
            if !reply.status.is_success() {
                return Err(Failure::Refused(Refusal::read(&reply)));
            }
            reply.text()?;
            Ok(HttpResponse::new(reply.body.to_vec()))
        }
        .boxed()
    }
}
