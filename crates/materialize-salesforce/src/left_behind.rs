//! Bulk jobs that a session before this one has left behind. Whoever began them was killed, and they go on in the org: what they write
//! must not come after what is written from now on.

use std::time::Duration;

use salesforce_client::{
    Org, RecordId, SObjectName,
    bulk::{IngestJob, IngestState, Poll},
};

use crate::error::Error;

/// The longest pause between two looks.
const LONGEST: Duration = Duration::from_secs(30);

/// Waits until no job of this user is under way that writes to one of the objects. One that waits for its rows never runs: the org
/// aborts it in time.
///
/// # Errors
/// As any call.
pub async fn wait(org: &Org, objects: &[&SObjectName]) -> Result<(), Error> {
    let user = org.token().await?.user_id();
    let mut poll = Poll::up_to(LONGEST);
    let mut told = false;
    while let Some(job) = first_of(org, user, objects).await? {
        if !told {
            flow_protocol::log::connector_status(&format!(
                "waiting for the Bulk job {} of an earlier session, which is writing to {}",
                job.id, job.object
            ));
            told = true;
        }
        tokio::time::sleep(poll.pause()).await;
    }
    Ok(())
}

async fn first_of(org: &Org, user: RecordId, objects: &[&SObjectName]) -> Result<Option<IngestJob>, Error> {
    let is_ours = |job: &IngestJob| {
        let is_under_way = job.state != IngestState::Open && !job.state.is_final();
        is_under_way && job.created_by_id == user && objects.iter().any(|object| job.object.same_as(object.as_str()))
    };
    let mut next = None;
    loop {
        let jobs = org.ingest_jobs(next.as_ref()).await?;
        if let Some(job) = jobs.jobs.into_iter().find(is_ours) {
            return Ok(Some(job));
        }
        match jobs.next {
            Some(more) => next = Some(more),
            None => return Ok(None),
        }
    }
}
