//! `apply`: the topics of a capture are made, brought in step, and removed when no binding needs them.

use salesforce_client::Org;

use crate::{error::Error, resource::Resource, topics, validate};

/// Brings the org's PushTopics in step with the capture. May be repeated. Answers what was done, in words; nothing where
/// nothing was to be done.
///
/// # Errors
/// When a stream cannot be captured, or a topic cannot be made.
pub async fn apply(org: &Org, capture: &str, resources: &[Resource]) -> Result<String, Error> {
    let feeds = validate::feeds(org, resources).await?;
    let wanted: Vec<_> = resources.iter().zip(&feeds).collect();
    // First, as the org may have no topic left for the others.
    let mut deeds = topics::remove_orphans(org, capture, &wanted).await?;
    deeds.extend(topics::ensure(org, capture, &wanted).await?.1);
    Ok(deeds.join("\n"))
}
