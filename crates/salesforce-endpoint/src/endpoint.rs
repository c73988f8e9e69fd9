//! From the parts of a config to an org.

use std::str::FromStr;

use salesforce_client::{ApiVersion, Credentials, LoginUrl, Network, Org, Settings};

use crate::{
    credentials::{self, RawCredentials, Surroundings},
    error::Error,
};

/// The parts of a config that lead to the org, as the user writes them. A blank value is an absent one.
pub struct Parts {
    /// `credentials`: how to sign in.
    pub credentials: RawCredentials,
    /// `is_sandbox`: whether to sign in at test.salesforce.com.
    pub is_sandbox: bool,
    /// `my_domain`: the org's own host.
    pub my_domain: Option<String>,
    /// `advanced.login_url`: where to sign in instead.
    pub login_url: Option<String>,
    /// `advanced.api_version`.
    pub api_version: Option<String>,
    /// `advanced.proxy`: on the way to Salesforce.
    pub proxy: Option<String>,
    /// `advanced.root_certificates`: to trust beside those of the system, as PEM text.
    pub root_certificates: Option<String>,
}

/// Which org, how to sign in, how to get there.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Where to sign in.
    pub login_url: LoginUrl,
    /// The API version to speak.
    pub api_version: ApiVersion,
    /// What to sign in with.
    pub credentials: Credentials,
    /// How Salesforce is reached.
    pub network: Network,
}

/// An empty field, or a host below `my.salesforce.com` (or its counterparts), without a scheme: for the forms.
pub const MY_DOMAIN_PATTERN: &str =
    "^$|^[A-Za-z0-9][A-Za-z0-9.-]*\\.my\\.(salesforce\\.com|salesforce\\.mil|sfcrmproducts\\.cn)$";

impl Parts {
    /// What they mean.
    ///
    /// # Errors
    /// The key that is missing or wrong, and what is expected there; never a value, which may be a secret.
    pub fn read(self) -> Result<Endpoint, Error> {
        let login_url = match (&self.login_url, &self.my_domain) {
            (Some(url), _) => url.parse().map_err(|source| Error::setting("advanced.login_url", source))?,
            (None, Some(domain)) => my_domain(domain)?,
            (None, None) if self.is_sandbox => fixed(LoginUrl::SANDBOX)?,
            (None, None) => fixed(LoginUrl::PRODUCTION)?,
        };
        let network = Network {
            proxy: parsed("advanced.proxy", self.proxy)?,
            root_certificates: parsed("advanced.root_certificates", self.root_certificates)?.into_iter().collect(),
        };
        let surroundings = Surroundings {
            audience: match (self.my_domain, self.is_sandbox) {
                (Some(domain), _) => format!("https://{domain}"),
                (None, true) => LoginUrl::SANDBOX.into(),
                (None, false) => LoginUrl::PRODUCTION.into(),
            },
            is_common_host: [LoginUrl::PRODUCTION, LoginUrl::SANDBOX].contains(&login_url.to_string().as_str()),
        };
        Ok(Endpoint {
            login_url,
            api_version: parsed("advanced.api_version", self.api_version)?.unwrap_or(ApiVersion::DEFAULT),
            credentials: self.credentials.read(&surroundings)?,
            network,
        })
    }
}

impl Endpoint {
    /// The org. Nothing is sent yet. Warns of a way to sign in that Salesforce is ending. `user_agent` is how the program
    /// calls itself.
    ///
    /// # Errors
    /// When the system has no root certificates.
    pub fn org(&self, user_agent: &str) -> Result<Org, salesforce_client::Error> {
        if let Some(end) = credentials::end_of(&self.credentials) {
            tracing::warn!("{end}");
        }
        let settings = Settings::new(self.login_url.clone(), self.credentials.clone());
        Org::new(Settings {
            network: self.network.clone(),
            api_version: self.api_version,
            user_agent: user_agent.to_owned(),
            ..settings
        })
    }
}

fn parsed<T: FromStr<Err = salesforce_client::Error>>(
    key: &'static str,
    text: Option<String>,
) -> Result<Option<T>, Error> {
    text.map(|text| text.parse()).transpose().map_err(|source| Error::setting(key, source))
}

fn fixed(url: &str) -> Result<LoginUrl, Error> {
    url.parse().map_err(|source| Error::setting("is_sandbox", source))
}

/// A My Domain is a host; people paste it with a scheme, or paste the Lightning host.
fn my_domain(domain: &str) -> Result<LoginUrl, Error> {
    let problem = |problem| Error::bad("my_domain", problem);
    if domain.contains("://") {
        return Err(problem("give the host alone, such as acme.my.salesforce.com, without https://"));
    }
    if domain.ends_with(".lightning.force.com") {
        return Err(problem(
            "a lightning.force.com host serves pages only; use the one that ends in my.salesforce.com",
        ));
    }
    let is_host = domain.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    let is_salesforce = [".my.salesforce.com", ".my.salesforce.mil", ".my.sfcrmproducts.cn"];
    if !is_host || !is_salesforce.iter().any(|suffix| domain.ends_with(suffix)) {
        return Err(problem("it is a host that ends in my.salesforce.com (Setup, My Domain shows it)"));
    }
    format!("https://{domain}").parse().map_err(|source| Error::setting("my_domain", source))
}
