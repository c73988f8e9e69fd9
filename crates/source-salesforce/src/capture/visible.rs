//! Up to when changes are visible: a transaction stamps its rows when it writes them, and shows them when it is committed.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use salesforce_client::{Class, Error, Org, SObjectName};

use super::{lane::Bound, second::Second};
use crate::changes::Changes;

/// getUpdated is asked about this many seconds: its answer about ids is not wanted, only up to when it is complete.
const WINDOW: i64 = 600;

/// Questions on their way at a time.
const CALLS: usize = 8;

/// Up to when the changes of an object are visible, if the org says so. `now` is the org's latest known time.
///
/// # Errors
/// What passes with time.
pub(super) async fn visible(org: &Org, object: &SObjectName, now: Second) -> Result<Option<Second>, Error> {
    match org.updated(object, now.plus(-WINDOW).into(), now.into()).await {
        Ok(updated) => Ok(Some(Second::from(updated.covered))),
        // Not every object that says it is replicateable is.
        Err(error) if error.class() == Class::Fatal => {
            tracing::debug!(%object, %error, "the org does not say up to when changes are visible");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Asks it for the bindings whose history is to be read beside a stream, while nothing is subscribed yet.
///
/// # Errors
/// What passes with time.
pub async fn before_history(org: &Org, bound: &mut [Bound]) -> Result<(), Error> {
    let asked = bound.iter_mut().filter(|bound| bound.position.is_new() && bound.feed.is_replicateable);
    let asked = asked.filter_map(|bound| match &bound.changes {
        Changes::Announced(topic) => Some((topic.now.at, &bound.feed.object, &mut bound.visible)),
        Changes::Polled(_) => None,
    });
    let answers = asked.map(async |(now, object, answer)| {
        *answer = visible(org, object, now).await?;
        Ok(())
    });
    stream::iter(answers).buffer_unordered(CALLS).try_collect().await
}
