//! How the sink as a whole fails.

use std::sync::Arc;

/// The sink cannot go on: it is not the fault of one row. Changes without a receipt may or may not be in the org; to submit them
/// again is right, as after a crash.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// A call failed in a way that would fail every row alike.
    #[error("cannot write to {object}: {source}")]
    Call {
        /// The object.
        object: String,
        /// What came back.
        source: Arc<salesforce_client::Error>,
    },
    /// A call failed again and again, for as long as the budget allows.
    #[error("gave up writing to {object} after {seconds} s and {attempts} attempts: {source}")]
    GaveUp {
        /// The object.
        object: String,
        /// How long it was tried, in seconds.
        seconds: u64,
        /// How often.
        attempts: u32,
        /// What came back the last time.
        source: Arc<salesforce_client::Error>,
    },
    /// The sink was closed, or failed before.
    #[error("the sink is closed")]
    Closed,
}
