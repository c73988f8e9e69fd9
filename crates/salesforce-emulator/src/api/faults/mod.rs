//! What a request or its reply suffers when a fault strikes it. Which fault that is, `fault` and `trouble` say.

pub(super) mod broken_body;
pub(super) mod locked;
pub(super) mod outage;
