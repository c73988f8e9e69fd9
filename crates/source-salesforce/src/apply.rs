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
    let (_, mut deeds) = topics::ensure(org, capture, &feeds).await?;
    deeds.extend(topics::remove_orphans(org, capture, &feeds).await?);
    Ok(deeds.join("\n"))
}
