//! Up to when changes are visible: a transaction stamps its rows when it writes them, and shows them when it is committed.

use salesforce_client::{Class, Error, Org, SObjectName};

use super::{lane::Bound, second::Second};
use crate::changes::Changes;

/// getUpdated is asked about this many seconds: its answer about ids is not wanted, only up to when it is complete.
const WINDOW: i64 = 600;

/// Up to when the changes of these objects are visible, of each if the org says so; in as few calls as there can be. `now` is the
/// org's latest known time.
///
/// # Errors
/// Of a call as a whole; of one object, what passes with time.
pub(super) async fn visible(
    org: &Org,
    objects: &[SObjectName],
    now: Second,
) -> Result<Vec<Result<Option<Second>, Error>>, Error> {
    let updated = org.updated_many(objects, now.plus(-WINDOW).into(), now.into()).await?;
    let covers = objects.iter().zip(updated).map(|(object, updated)| match updated {
        Ok(updated) => Ok(Some(Second::from(updated.covered))),
        // Not every object that says it is replicateable is.
        Err(error) if error.class() == Class::Fatal => {
            tracing::debug!(%object, %error, "the org does not say up to when changes are visible");
            Ok(None)
        }
        Err(error) => Err(error),
    });
    Ok(covers.collect())
}

/// Asks it for the bindings whose history is to be read beside a stream, while nothing is subscribed yet.
///
/// # Errors
/// What passes with time.
pub async fn before_history(org: &Org, bound: &mut [Bound]) -> Result<(), Error> {
    let new = bound.iter_mut().filter(|bound| bound.position.is_new() && bound.feed.is_replicateable);
    let mut asking: Vec<_> = new.filter_map(|bound| Some((looked_at(&bound.changes)?, bound))).collect();
    let Some(now) = asking.iter().map(|(at, _)| *at).min() else { return Ok(()) };
    let objects: Vec<_> = asking.iter().map(|(_, bound)| bound.feed.object.clone()).collect();
    for ((_, bound), visible) in asking.iter_mut().zip(visible(org, &objects, now).await?) {
        bound.visible = visible?;
    }
    Ok(())
}

/// The org's time when the binding's topic was looked at, if it has one.
fn looked_at(changes: &Changes) -> Option<Second> {
    match changes {
        Changes::Announced(topic) => Some(topic.now.at),
        Changes::Polled(_) => None,
    }
}
