//! The ways to sign in, as the user writes them and as the form shows them.
//!
//! They are told apart by `credentials_title`, or by their keys where it is missing: the published connector's configuration has
//! no discriminator.

use salesforce_client::{Credentials, PrivateKey};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::SecretString;
use serde::Deserialize;

use crate::{error::Error, setting};

/// What the user writes below `credentials`, whichever way to sign in it means.
#[derive(Deserialize)]
pub struct RawCredentials {
    #[serde(default, deserialize_with = "setting::blank_is_absent")]
    credentials_title: Option<String>,
    #[serde(default, deserialize_with = "setting::blank_is_absent")]
    client_id: Option<String>,
    #[serde(default, deserialize_with = "setting::blank_is_absent")]
    client_secret: Option<String>,
    /// Not even a blank one is absent: a form that was meant for it must not become another way to sign in.
    #[serde(default)]
    refresh_token: Option<String>,
    #[serde(default, deserialize_with = "setting::blank_is_absent")]
    username: Option<String>,
    #[serde(default, deserialize_with = "setting::password")]
    password: Option<String>,
    #[serde(default, deserialize_with = "setting::blank_is_absent")]
    security_token: Option<String>,
    #[serde(default, deserialize_with = "setting::blank_is_absent")]
    private_key: Option<String>,
    #[serde(default, deserialize_with = "setting::password")]
    passphrase: Option<String>,
}

/// A way to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    RefreshToken,
    ClientCredentials,
    JwtBearer,
    Password,
}

impl Way {
    const ALL: [Self; 4] = [Self::RefreshToken, Self::ClientCredentials, Self::JwtBearer, Self::Password];

    /// Its `credentials_title`.
    const fn title(self) -> &'static str {
        match self {
            Self::RefreshToken => "OAuth Credentials",
            Self::ClientCredentials => "Client Credentials",
            Self::JwtBearer => "JWT Bearer",
            Self::Password => "Username and Password",
        }
    }
}

/// OAuth with a refresh token.
#[derive(JsonSchema)]
#[schemars(title = "OAuth", description = "Sign in with a refresh token.", extend("x-oauth2-provider" = "salesforce"))]
#[expect(dead_code, reason = "only its schema is used: values are read as RawCredentials")]
struct RefreshTokenForm {
    #[schemars(extend("const" = Way::RefreshToken.title(), "order" = 0))]
    credentials_title: String,
    /// The consumer key of the external client app or connected app.
    #[schemars(title = "Client ID", extend("secret" = true, "order" = 1))]
    client_id: String,
    /// The consumer secret of the external client app or connected app.
    #[schemars(title = "Client Secret", extend("secret" = true, "order" = 2))]
    client_secret: String,
    /// The refresh token that Salesforce issued to the app for a user. The app must not rotate refresh tokens.
    #[schemars(title = "Refresh Token", extend("secret" = true, "order" = 3))]
    refresh_token: String,
}

/// Client credentials.
#[derive(JsonSchema)]
#[schemars(
    title = "Client Credentials",
    description = "Sign in as the run-as user of an external client app. Needs the org's My Domain."
)]
#[expect(dead_code, reason = "only its schema is used: values are read as RawCredentials")]
struct ClientCredentialsForm {
    #[schemars(extend("const" = Way::ClientCredentials.title(), "order" = 0))]
    credentials_title: String,
    /// The consumer key of the external client app, whose client credentials flow is enabled.
    #[schemars(title = "Client ID", extend("secret" = true, "order" = 1))]
    client_id: String,
    /// The consumer secret of the external client app.
    #[schemars(title = "Client Secret", extend("secret" = true, "order" = 2))]
    client_secret: String,
}

/// A signed assertion.
#[derive(JsonSchema)]
#[schemars(
    title = "JWT Bearer",
    description = "Sign in with the private key of a certificate that was uploaded to an external client app."
)]
#[expect(dead_code, reason = "only its schema is used: values are read as RawCredentials")]
struct JwtBearerForm {
    #[schemars(extend("const" = Way::JwtBearer.title(), "order" = 0))]
    credentials_title: String,
    /// The consumer key of the external client app.
    #[schemars(title = "Client ID", extend("secret" = true, "order" = 1))]
    client_id: String,
    /// The user to sign in as. The app's policies must pre-authorise it.
    #[schemars(title = "Username", extend("order" = 2))]
    username: String,
    /// The RSA private key of the certificate: PEM text, or a PKCS#12 file in Base64.
    #[schemars(title = "Private Key", extend("secret" = true, "multiline" = true, "order" = 3))]
    private_key: String,
    /// The passphrase of the PKCS#12 file.
    #[serde(default)]
    #[schemars(title = "Passphrase", extend("secret" = true, "order" = 4))]
    passphrase: Option<String>,
}

/// A user's own name and password.
#[derive(JsonSchema)]
#[schemars(
    title = "Username and Password",
    description = "Sign in with a user's password. Salesforce is ending this: with an app (client ID) on 20 February 2027, without one in Summer '27. Prefer client credentials or JWT bearer."
)]
#[expect(dead_code, reason = "only its schema is used: values are read as RawCredentials")]
struct PasswordForm {
    #[schemars(extend("const" = Way::Password.title(), "order" = 0))]
    credentials_title: String,
    /// The user to sign in as.
    #[schemars(title = "Username", extend("order" = 1))]
    username: String,
    /// The user's password.
    #[schemars(title = "Password", extend("secret" = true, "order" = 2))]
    password: String,
    /// The user's security token, which Salesforce has mailed. Not needed from trusted IP ranges.
    #[serde(default)]
    #[schemars(title = "Security Token", extend("secret" = true, "order" = 3))]
    security_token: Option<String>,
    /// The consumer key of a connected app. Without one, SOAP login is used.
    #[serde(default)]
    #[schemars(title = "Client ID", extend("secret" = true, "order" = 4))]
    client_id: Option<String>,
    /// The consumer secret of the connected app.
    #[serde(default)]
    #[schemars(title = "Client Secret", extend("secret" = true, "order" = 5))]
    client_secret: Option<String>,
}

impl JsonSchema for RawCredentials {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Credentials".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "oneOf": [
            RefreshTokenForm::json_schema(generator),
            ClientCredentialsForm::json_schema(generator),
            JwtBearerForm::json_schema(generator),
            PasswordForm::json_schema(generator),
        ] })
    }
}

/// What is known of the org while its credentials are read.
pub(crate) struct Surroundings {
    /// The host that assertions are made out to.
    pub(crate) audience: String,
    /// Whether signing in goes to Salesforce's common login hosts.
    pub(crate) is_common_host: bool,
}

impl RawCredentials {
    /// What they mean.
    ///
    /// # Errors
    /// The key that is missing or wrong, and what is expected there.
    pub(crate) fn read(self, surroundings: &Surroundings) -> Result<Credentials, Error> {
        let way = self.way()?;
        let needed = |key: &'static str, value: Option<String>| {
            value.ok_or_else(|| Error::bad(key, format!("it is missing or empty, and \"{}\" needs it", way.title())))
        };
        let secret = |key: &'static str, value: Option<String>| needed(key, value).map(SecretString::from);
        match way {
            Way::RefreshToken => Ok(Credentials::RefreshToken {
                client_id: needed("credentials.client_id", self.client_id)?,
                client_secret: secret("credentials.client_secret", self.client_secret)?,
                refresh_token: secret(
                    "credentials.refresh_token",
                    self.refresh_token.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty()),
                )?,
            }),
            Way::ClientCredentials if surroundings.is_common_host => Err(Error::bad(
                "my_domain",
                "it is missing: client credentials are served at the org's My Domain only (Setup, My Domain shows it); if a \
                 refresh token was meant, credentials.refresh_token is missing",
            )),
            Way::ClientCredentials => Ok(Credentials::ClientCredentials {
                client_id: needed("credentials.client_id", self.client_id)?,
                client_secret: secret("credentials.client_secret", self.client_secret)?,
            }),
            Way::JwtBearer => Ok(Credentials::JwtBearer {
                client_id: needed("credentials.client_id", self.client_id)?,
                username: needed("credentials.username", self.username)?,
                key: private_key(&secret("credentials.private_key", self.private_key)?, self.passphrase)?,
                audience: surroundings.audience.clone(),
            }),
            Way::Password => {
                let username = needed("credentials.username", self.username)?;
                let password = secret("credentials.password", self.password)?;
                let security_token = self.security_token.map(SecretString::from);
                match (self.client_id, self.client_secret) {
                    (None, None) => Ok(Credentials::Soap { username, password, security_token }),
                    (client_id, client_secret) => Ok(Credentials::Password {
                        client_id: needed("credentials.client_id", client_id)?,
                        client_secret: secret("credentials.client_secret", client_secret)?,
                        username,
                        password,
                        security_token,
                    }),
                }
            }
        }
    }

    fn way(&self) -> Result<Way, Error> {
        let Some(title) = self.credentials_title.as_deref() else {
            return Ok(match self {
                Self { private_key: Some(_), .. } => Way::JwtBearer,
                Self { refresh_token: Some(_), .. } => Way::RefreshToken,
                Self { username: Some(_), .. } | Self { password: Some(_), .. } => Way::Password,
                Self { client_id: Some(_), client_secret: Some(_), .. } => Way::ClientCredentials,
                _ => Way::RefreshToken,
            });
        };
        Way::ALL.into_iter().find(|way| way.title() == title).ok_or_else(|| {
            let titles: Vec<_> = Way::ALL.iter().map(|way| format!("\"{}\"", way.title())).collect();
            Error::bad("credentials.credentials_title", format!("it is one of {}", titles.join(", ")))
        })
    }
}

/// When Salesforce ends this way to sign in, and what to change to; nothing of the ways that stay.
pub(crate) fn end_of(credentials: &Credentials) -> Option<&'static str> {
    match credentials {
        Credentials::RefreshToken { .. } | Credentials::ClientCredentials { .. } | Credentials::JwtBearer { .. } => {
            None
        }
        Credentials::Password { .. } => Some(
            "signing in with a user's password and an app ends on 20 February 2027, when Salesforce stops the OAuth username-password \
             flow: change to client credentials or JWT bearer before that day",
        ),
        Credentials::Soap { .. } => Some(
            "signing in with a user's password and no app ends in June 2027, when Salesforce removes SOAP login() with the release \
             Summer '27: change to client credentials or JWT bearer before that",
        ),
    }
}

/// A PEM text says of itself what it is; everything else is taken for a PKCS#12 file.
fn private_key(text: &SecretString, passphrase: Option<String>) -> Result<PrivateKey, Error> {
    use secrecy::ExposeSecret as _;
    let text = text.expose_secret();
    let key = match text.contains("-----BEGIN") {
        true => PrivateKey::from_pem(text),
        false => PrivateKey::from_pkcs12(text, &passphrase.unwrap_or_default().into()),
    };
    key.map_err(|source| Error::setting("credentials.private_key", source))
}
