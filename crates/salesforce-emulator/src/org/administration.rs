//! What the org's administrator does while it runs.

use super::identity::{KeyError, Policies, PublicKey};
use super::{Id, Org};

impl Org {
    /// The policies in force.
    pub fn policies(&self) -> Policies {
        self.0.identity().policies().clone()
    }

    /// Changes policies, at once and for everybody: a user who is frozen or deactivated loses all sessions, an app that
    /// is blocked loses its own. Refresh tokens live on, and work when the policy is lifted.
    pub fn change_policies(&self, change: impl FnOnce(&mut Policies)) {
        let mut identity = self.0.identity();
        let mut policies = identity.policies().clone();
        change(&mut policies);
        identity.enforce(policies);
    }

    /// Gives the user another password, which ends their sessions. The security token stays; Salesforce would send
    /// another.
    pub fn set_password(&self, password: impl Into<String>) {
        self.0.identity().set_password(password.into());
    }

    /// Gives the user another security token.
    pub fn set_security_token(&self, token: impl Into<String>) {
        self.0.identity().credentials.security_token = token.into();
    }

    /// Registers another certificate (or public key) for the app, as PEM text: from now on it alone checks the
    /// assertions of the JWT bearer grant.
    ///
    /// # Errors
    /// If the text is not that of an RSA key of 2048 to 8192 bits.
    pub fn register_certificate(&self, pem: &str) -> Result<(), KeyError> {
        let key = PublicKey::from_pem(pem)?;
        self.0.identity().register(key);
        Ok(())
    }

    /// The audience that assertions for orgs of this kind name: the login host of the real thing.
    pub fn audience(&self) -> &'static str {
        if self.0.settings.sandbox { "https://test.salesforce.com" } else { "https://login.salesforce.com" }
    }

    /// Id of the user's profile.
    pub(crate) fn profile_id(&self) -> Id {
        Id::new("00e", self.0.pod, 1)
    }
}
