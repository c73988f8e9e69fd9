//! The ways in, and who one is then: OAuth, its page in the browser, SOAP's `login()`, userinfo and the identity URL.

pub(super) mod authorize;
pub(super) mod identity;
pub(super) mod oauth;
pub(super) mod soap;
