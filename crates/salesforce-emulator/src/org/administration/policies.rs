//! What the org's administrator does while it runs.

use crate::org::Org;
use crate::org::identity::{KeyError, Policies, PublicKey};

impl Org {
    /// The policies in force.
    pub fn policies(&self) -> Policies {
        self.0.identity().policies()
    }

    /// Changes policies, at once and for everybody: a user who is frozen or deactivated loses all sessions, an app that
    /// is blocked loses its own. Refresh tokens live on, and work when the policy is lifted.
    pub fn change_policies(&self, change: impl FnOnce(&mut Policies)) {
        let was = {
            let mut identity = self.0.identity();
            let mut policies = identity.policies();
            let was = policies.user.status;
            change(&mut policies);
            identity.enforce(policies);
            was
        };
        if let Err(refusal) = self.0.record_activity(self.0.administrator, was) {
            tracing::error!(%refusal, "the record of a user does not say whether they are active");
        }
    }

    /// Gives the user another password, which ends their sessions. The security token stays; Salesforce would send
    /// another.
    pub fn set_password(&self, password: impl Into<String>) {
        self.0.identity().set_password(self.1, password.into());
    }

    /// Gives the user another security token.
    pub fn set_security_token(&self, token: impl Into<String>) {
        self.0.identity().set_security_token(self.1, token.into());
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
}
