//! The org: settings in, calls out.

use std::sync::Arc;

use crate::{
    ApiVersion, Credentials, Error, LoginUrl, Network, Token, Usage, http::Http, retry::Policy, session::Session,
};

/// How to reach an org.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to sign in.
    pub login_url: LoginUrl,
    /// With what.
    pub credentials: Credentials,
    /// Which version of the API to speak.
    pub api_version: ApiVersion,
    /// How the program calls itself in every request.
    pub user_agent: String,
    /// How to get there.
    pub network: Network,
    /// How long to go on when something passing is in the way.
    pub retry: Policy,
}

impl Settings {
    /// Settings with defaults for all but the two things that have none.
    #[must_use]
    pub fn new(login_url: LoginUrl, credentials: Credentials) -> Settings {
        Settings {
            login_url,
            credentials,
            api_version: ApiVersion::DEFAULT,
            user_agent: concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")).to_owned(),
            network: Network::default(),
            retry: Policy::default(),
        }
    }
}

/// A Salesforce org. Clones share the connection pool, the token and the counters.
#[derive(Clone, Debug)]
pub struct Org {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    http: Arc<Http>,
    session: Arc<Session>,
    api_version: ApiVersion,
    retry: Policy,
}

impl Org {
    /// An org to call; nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::Setup`] if the system offers no root certificates; [`Error::Invalid`] for a user agent that cannot
    /// stand in a header.
    pub fn new(settings: Settings) -> Result<Org, Error> {
        let Settings { login_url, credentials, api_version, user_agent, network, retry } = settings;
        let http = Arc::new(Http::new(&user_agent, &network)?);
        let session = Arc::new(Session::new(login_url, credentials, retry.clone(), Arc::clone(&http)));
        Ok(Org { shared: Arc::new(Shared { http, session, api_version, retry }) })
    }

    /// The same org, with another opinion of how long to go on when something passing is in the way of a call. It shares all that
    /// clones share; signing in keeps the policy of the settings.
    #[must_use]
    pub fn with_retry(&self, retry: Policy) -> Org {
        let Shared { http, session, api_version, .. } = &*self.shared;
        let (http, session) = (Arc::clone(http), Arc::clone(session));
        Org { shared: Arc::new(Shared { http, session, api_version: *api_version, retry }) }
    }

    /// The current token; signs in if there is none yet.
    ///
    /// # Errors
    /// [`Error::SignIn`], which names the cure, and [`Error::ForeignInstance`].
    pub async fn token(&self) -> Result<Arc<Token>, Error> {
        self.shared.session.token(None).await
    }

    /// A token that is not `stale`: the current one if somebody already renewed it, else a new one. However many ask
    /// at once, one request is sent.
    ///
    /// # Errors
    /// As [`Org::token`].
    pub async fn renew(&self, stale: &Token) -> Result<Arc<Token>, Error> {
        self.shared.session.token(Some(stale)).await
    }

    /// The org's daily API usage by its latest reply; `None` before the first.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.shared.http.usage()
    }

    /// How many calls this org and its clones have made that count against the allocation.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.shared.http.calls()
    }

    /// The HTTP client, for protocols beside REST. It follows no redirects: with a token on board, it must not.
    #[must_use]
    pub fn http(&self) -> &reqwest::Client {
        self.shared.http.client()
    }

    /// The version of the API that is spoken.
    #[must_use]
    pub fn api_version(&self) -> &ApiVersion {
        &self.shared.api_version
    }

    /// A path below `/services/data/vVV.V`.
    pub(crate) fn data_path(&self, rest: std::fmt::Arguments<'_>) -> String {
        format!("/services/data/v{}{rest}", self.shared.api_version)
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.shared.retry
    }

    pub(crate) fn sender(&self) -> &Http {
        &self.shared.http
    }
}
