//! A batch as a job of Bulk API 2.0: created, uploaded, closed, waited for, and its results brought back to the rows.
//!
//! Until it is closed, a job writes nothing and may be given up. From then on it runs whether or not anybody asks, so its rows are not sent
//! again before it has ended: an old row would follow a newer one. Finished jobs are left to expire.

use std::time::Duration;

use salesforce_client::{
    Class, Error, Fault, FieldName, Org,
    bulk::{Ingest, IngestResults, IngestState, Ingested, JobId, JobState, Obstacle, Poll},
};

use crate::{
    Operation, codes,
    doors::{Answers, Request, Stuck},
    sheet::Sheet,
};

/// How often a job is made anew because its rows may or may not have arrived.
const UPLOADS: u32 = 3;
/// How long to wait before an org without calls is asked again.
const WITHOUT_CALLS: Duration = Duration::from_secs(60);

/// Writes rows by a job.
pub(crate) async fn write(org: &Org, request: &Request) -> Result<Answers, Stuck> {
    let id: FieldName = "Id".parse().map_err(Stuck::before)?;
    let (ingest, name) = match (request.operation, &request.by) {
        (Operation::Update, _) => (Ingest::Update, Some(&id)),
        (Operation::Delete, _) => (Ingest::Delete, Some(&id)),
        (Operation::Insert | Operation::Upsert, Some(by)) => (Ingest::Upsert(by), Some(by)),
        (Operation::Insert | Operation::Upsert, None) => (Ingest::Insert, None),
    };
    let rows = request.lines.iter().map(|(address, row)| (address, &**row));
    let mut sheet = Sheet::new(name, rows).map_err(Stuck::before)?;
    let job = upload(org, request, ingest, std::mem::take(&mut sheet.csv)).await.map_err(Stuck::before)?;
    // Whether it was closed is not known if this fails: it may run.
    close(org, request, job).await.map_err(Stuck::begun)?;
    let state = end(org, request, job).await.map_err(Stuck::begun)?;
    tracing::debug!(object = %request.object, %job, ?state, rows = request.lines.len(), "a job has ended");
    results(org, request, job, state, sheet).await.map_err(Stuck::begun)
}

/// Makes a job and gives it its rows.
async fn upload(org: &Org, request: &Request, ingest: Ingest<'_>, csv: String) -> Result<JobId, Error> {
    let csv = bytes::Bytes::from(csv);
    let mut attempt = 1;
    loop {
        let job = match org.create_ingest_job(&request.object, ingest).await {
            // A job without rows is harmless.
            Err(error) if error.class() == Class::Unclear && attempt < UPLOADS => {
                attempt += 1;
                continue;
            }
            outcome => outcome?.id,
        };
        match org.upload_rows(&request.object, job, csv.clone()).await {
            Ok(()) => return Ok(job),
            Err(error) => {
                // It would end by itself; that it cannot be aborted now is no reason to fail.
                let _ = org.abort_ingest_job(&request.object, job).await;
                if error.class() != Class::Unclear || attempt >= UPLOADS {
                    return Err(error);
                }
                attempt += 1;
            }
        }
    }
}

/// Has a job begin.
async fn close(org: &Org, request: &Request, job: JobId) -> Result<(), Error> {
    loop {
        if let Some(closed) = unless_without_calls(org.close_ingest_job(&request.object, job).await).await {
            return closed.map(drop);
        }
    }
}

/// Waits until a job has ended.
async fn end(org: &Org, request: &Request, job: JobId) -> Result<JobState, Error> {
    let mut poll = Poll::default();
    loop {
        tokio::time::sleep(poll.pause()).await;
        let Some(asked) = unless_without_calls(org.ingest_job(&request.object, job).await).await else { continue };
        match asked?.state {
            IngestState::Closed(state) if state.is_final() => return Ok(state),
            IngestState::Open | IngestState::Closed(_) => {}
        }
    }
}

/// Brings results back to the rows, each in its place.
async fn results(
    org: &Org,
    request: &Request,
    job: JobId,
    state: JobState,
    mut sheet: Sheet,
) -> Result<Answers, Error> {
    let mut answers: Vec<_> = request.lines.iter().map(|_| None).collect();
    let mut strangers = 0;
    for which in [Ingested::Saved, Ingested::Refused] {
        let wanted = IngestResults { object: &request.object, job, which, columns: &sheet.columns.clone() };
        let mut rows = loop {
            if let Some(rows) = unless_without_calls(org.ingest_results(&wanted).await).await {
                break rows?;
            }
        };
        while let Some(row) = rows.next_row().await? {
            match (sheet.find(row.cells()), row.outcome()) {
                (Some(nth), Some(outcome)) => answers[nth] = Some(outcome.map_err(|refusal| refusal.faults)),
                _ => strangers += 1,
            }
        }
    }
    let fault = |code: &str, message: String| vec![Fault { code: code.to_owned(), message, fields: Vec::new() }];
    let unanswered = || match (request.operation, strangers) {
        // It may be one of those that cannot be told apart, and then it is made.
        (Operation::Insert, 1..) if request.by.is_none() => {
            let why = format!(
                "job {job} has results that belong to no row that was sent: look for the record before it is sent again"
            );
            fault(codes::UNCLEAR, why)
        }
        _ => fault("PROCESSING_HALTED", format!("job {job} ended as {state:?} before it came to the row")),
    };
    Ok(answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(unanswered()))).collect())
}

/// The outcome of a call; nothing, after a pause, if the org had no calls left for it.
async fn unless_without_calls<T>(outcome: Result<T, Error>) -> Option<Result<T, Error>> {
    match outcome {
        Err(error) if error.class() == Class::Wait => {
            tracing::warn!(%error, "a job waits until the org has calls again");
            tokio::time::sleep(WITHOUT_CALLS).await;
            None
        }
        outcome => Some(outcome),
    }
}

/// Whether rows of this kind have to go another way: Bulk does not know the object, or its allocation is used up.
pub(crate) fn is_closed(error: &Error) -> bool {
    matches!(error.obstacle(), Some(Obstacle::Unsupported | Obstacle::Quota))
}
