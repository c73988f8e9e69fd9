//! What stands in the way of a job, told by codes and texts. Pure.

use http::StatusCode;

use crate::{
    Action, Error,
    failure::{Fault, Refusal},
};

/// Why Bulk does not do what was asked, where there is another way to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Bulk cannot do this with the object or one of the fields, now or ever: read by [`Org::query`](crate::Org::query),
    /// write by [`Org::write_rows`](crate::Org::write_rows).
    Unsupported,
    /// The org has used up its jobs, its bytes of results, or its batches of rows to be written, of the last 24 hours.
    Quota,
    /// There is no such job: it was deleted, or made more than seven days ago.
    Gone,
    /// The job was made with another version of the API than the one that is spoken now.
    OtherVersion,
    /// The job is not in the state for it: results are asked of one that has none, a running one is deleted, or one that
    /// has its rows is given others.
    State,
}

impl Obstacle {
    /// Whether the job's results are out of reach for good: a query must be run again, and what became of rows that
    /// were to be written is to be looked up.
    #[must_use]
    pub fn is_job_lost(self) -> bool {
        matches!(self, Obstacle::Gone | Obstacle::OtherVersion)
    }

    /// What the reason of a failed job or a refusal comes to. The texts were collected by users of the API.
    pub(crate) fn told_by(message: &str) -> Option<Obstacle> {
        let says_any = |texts: &[&str]| texts.iter().any(|text| message.contains(text));
        // A failed job puts the code in front.
        if says_any(&["ExceededQuota", "EXCEEDEDQUOTA"]) {
            Some(Obstacle::Quota)
        } else if says_any(&[
            "FeatureNotEnabled",
            "Selecting compound data not supported in Bulk Query",
            "is not supported by the Bulk API",
            "does not support query",
        ]) {
            Some(Obstacle::Unsupported)
        } else if says_any(&["Max bulk v2 query jobs", "Max bulk v2 query result size"]) {
            Some(Obstacle::Quota)
        } else {
            None
        }
    }

    fn of_fault(fault: &Fault) -> Option<Obstacle> {
        // Both `ExceededQuota` and `EXCEEDEDQUOTA` are in use.
        let is = |code: &str| fault.code.eq_ignore_ascii_case(code);
        if is("ExceededQuota") {
            Some(Obstacle::Quota)
        } else if is("FeatureNotEnabled") {
            Some(Obstacle::Unsupported)
        } else if is("InvalidJob") {
            Some(Obstacle::Gone)
        } else if is("InvalidJobState")
            || is("JOB_NOT_COMPLETE")
            || fault.message.contains("Found multiple contents for job")
            || fault.message.contains("job is not terminated")
        {
            Some(Obstacle::State)
        } else {
            Obstacle::told_by(&fault.message)
        }
    }
}

/// Whether a fault says that an allocation of Bulk is used up.
pub(crate) fn is_quota(fault: &Fault) -> bool {
    Obstacle::of_fault(fault) == Some(Obstacle::Quota)
}

fn obstacle(action: &Action, refusal: &Refusal) -> Option<Obstacle> {
    let creates = match action {
        Action::CreateQueryJob(_) | Action::CreateIngestJob(_) => true,
        Action::QueryJob(..)
        | Action::AbortQueryJob(..)
        | Action::DeleteQueryJob(..)
        | Action::QueryResults(..)
        | Action::IngestJob(..) => false,
        _ => return None,
    };
    // An answer without a fault came from the edge, which knows of no jobs.
    refusal.faults.first()?;
    refusal.faults.iter().find_map(Obstacle::of_fault).or(match refusal.status {
        // Where jobs are made, there is nothing: the org or the version has no Bulk API.
        StatusCode::NOT_FOUND if creates => Some(Obstacle::Unsupported),
        StatusCode::NOT_FOUND => Some(Obstacle::Gone),
        StatusCode::CONFLICT => Some(Obstacle::OtherVersion),
        StatusCode::PRECONDITION_FAILED => Some(Obstacle::State),
        _ => None,
    })
}

impl Error {
    /// What stood in the way of a job, if that is known by name.
    #[must_use]
    pub fn obstacle(&self) -> Option<Obstacle> {
        match self {
            Error::Call { action, failure, .. } => obstacle(action, failure.refusal()?),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Class,
        failure::Failure,
        retry::{Effect, classify},
    };

    /// Codes and texts of the vendor's guide and of other clients.
    #[test]
    fn refusals() {
        use Obstacle::{Gone, OtherVersion, Quota, State, Unsupported};
        let account = || "Account".parse().unwrap();
        let id = "750R0000000zxikIAA".parse().unwrap();
        let create = || Action::CreateQueryJob(account());
        let results = || Action::QueryResults(account(), id);
        let delete = || Action::DeleteQueryJob(account(), id);
        for (action, status, code, message, expect) in [
            (create(), 400, "API_ERROR", "Selecting compound data not supported in Bulk Query", Some(Unsupported)),
            (
                create(),
                400,
                "INVALIDENTITY",
                "Entity 'TaskStatus' is not supported by the Bulk API.",
                Some(Unsupported),
            ),
            (create(), 400, "INVALID_TYPE_FOR_OPERATION", "entity type X does not support query", Some(Unsupported)),
            (create(), 400, "FeatureNotEnabled", "", Some(Unsupported)),
            (create(), 404, "NOT_FOUND", "The requested resource does not exist", Some(Unsupported)),
            (create(), 404, "", "", None),
            (
                create(),
                400,
                "LIMIT_EXCEEDED",
                "Max bulk v2 query jobs (10000) per 24 hrs has been reached",
                Some(Quota),
            ),
            (
                create(),
                400,
                "API_ERROR",
                "Max bulk v2 query result size stored (1000000000) kb per 24 hrs has been exceeded",
                Some(Quota),
            ),
            (create(), 400, "EXCEEDEDQUOTA", "", Some(Quota)),
            (create(), 400, "INVALID_FIELD", "No such column 'X' on entity 'Account'", None),
            (create(), 400, "API_ERROR", "Implementation restriction: a filter is required", None),
            (results(), 404, "NOT_FOUND", "The requested resource does not exist", Some(Gone)),
            (results(), 400, "InvalidJob", "", Some(Gone)),
            (results(), 404, "", "", None),
            (results(), 409, "INVALIDVERSION", "", Some(OtherVersion)),
            (
                results(),
                412,
                "JOB_NOT_COMPLETE",
                "can only download query results of successfully completed bulk job",
                Some(State),
            ),
            (results(), 400, "INVALIDJOBSTATE", "", Some(State)),
            (
                delete(),
                400,
                "API_ERROR",
                "Error encountered when deleting the job because the job is not terminated",
                Some(State),
            ),
            (results(), 503, "SERVER_UNAVAILABLE", "", None),
            (Action::Query(account()), 404, "NOT_FOUND", "", None),
        ] {
            let faults = if code.is_empty() { Vec::new() } else { vec![Fault::new(code, message)] };
            let status = StatusCode::from_u16(status).unwrap();
            let refusal = Refusal { status, faults, page: None, request_id: None, retry_after: None };
            assert_eq!(obstacle(&action, &refusal), expect, "{action}: {refusal}");
            let class = classify(&Failure::Refused(refusal), Effect::Once);
            assert_eq!(class == Class::Wait, expect == Some(Quota), "{action}: {code} {message}");
        }
    }

    #[test]
    fn a_lost_job_is_run_again() {
        use Obstacle::{Gone, OtherVersion, Quota, State, Unsupported};
        let lost = [Unsupported, Quota, Gone, OtherVersion, State].map(Obstacle::is_job_lost);
        assert_eq!(lost, [false, false, true, true, false]);
    }
}
