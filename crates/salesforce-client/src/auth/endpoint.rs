//! The token endpoint, which all grants share.

use futures::{FutureExt, future::BoxFuture};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use oauth2::{
    AsyncHttpClient, AuthType, ClientId, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, RequestTokenError,
    StandardRevocableToken, TokenUrl,
    basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse},
};
use secrecy::SecretString;
use url::{Url, form_urlencoded};

use super::{
    Grant,
    refusal::SignInFailure,
    token::{Token, TokenReply},
};
use crate::{
    Error, LoginUrl,
    failure::{Failure, Refusal},
    host::shown_host,
    http::{Http, Reply, unreadable},
};

/// The token endpoint of a login host, and what it is asked for.
pub(super) struct Endpoint<'a> {
    http: &'a Http,
    login: &'a LoginUrl,
    grant: Grant,
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
    pub(super) fn new(http: &'a Http, login: &'a LoginUrl, grant: Grant) -> Endpoint<'a> {
        Endpoint { http, login, grant }
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
        self.granted(&reply, presented)
    }

    /// The token for a form of a grant that the OAuth library does not know.
    pub(super) async fn extension(&self, form: &[(&str, &str)]) -> Result<Token, Error> {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded")),
            (header::ACCEPT, HeaderValue::from_static("application/json")),
        ];
        let outcome = self.post(self.login.token_endpoint(), headers, form).await;
        let outcome =
            outcome.and_then(|reply| if reply.status.is_success() { reply.json() } else { Err(refused(&reply)) });
        let reply = outcome.map_err(|failure| self.failed(failure))?;
        self.granted(&reply, None)
    }

    /// Sends a body that holds secrets to the login host.
    pub(super) async fn post(
        &self,
        url: Url,
        headers: [(HeaderName, HeaderValue); 2],
        body: String,
    ) -> Result<Reply, Failure> {
        let mut request = reqwest::Request::new(Method::POST, url);
        request.headers_mut().extend(headers);
        *request.body_mut() = Some(body.into());
        self.http.exchange(request).await
    }

    fn granted(&self, reply: &TokenReply, presented: Option<&SecretString>) -> Result<Token, Error> {
        let instance_url = self.login.admit(&reply.instance_url)?;
        Token::new(reply, instance_url, presented).map_err(|why| self.failed(unexpected(why)))
    }

    pub(super) fn login(&self) -> &LoginUrl {
        self.login
    }

    pub(super) fn failed(&self, failure: Failure) -> Error {
        SignInFailure::of(self.grant, failure).at(self.login)
    }
}

/// A reply of success that brings no usable token.
pub(super) fn unexpected(why: &str) -> Failure {
    Failure::Unexpected { status: StatusCode::OK, why: why.to_owned() }
}

fn refused(reply: &Reply) -> Failure {
    Failure::Refused(Refusal::read(reply))
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
                return Err(refused(&reply));
            }
            reply.text()?;
            Ok(HttpResponse::new(reply.body.to_vec()))
        }
        .boxed()
    }
}
