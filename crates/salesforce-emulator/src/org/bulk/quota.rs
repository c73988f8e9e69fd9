//! What of the day's allocations was used.

use jiff::{SignedDuration, Timestamp};

use super::settings::BulkSettings;
use crate::org::Refusal;

/// Rows of an ingest job that count as one batch.
pub(super) const BATCH: u64 = 10_000;

/// Counters of 24 hours of virtual time, which begin with the first use.
#[derive(Debug, Default)]
pub(super) struct Used {
    began: Option<Timestamp>,
    count: Count,
}

/// So much of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) query_jobs: u64,
    /// Bytes of query results.
    pub(crate) stored: u64,
    pub(crate) batches: u64,
    pub(crate) records: u64,
}

impl Used {
    /// What was used today.
    pub(super) fn count(&mut self, now: Timestamp) -> Count {
        *self.today(now)
    }

    /// Another query job.
    ///
    /// # Errors
    /// If the day has had as many as it may, or as many results.
    pub(super) fn query_job(&mut self, settings: &BulkSettings, now: Timestamp) -> Result<(), Refusal> {
        let today = self.today(now);
        let (jobs, kilobytes) = (settings.query_jobs, settings.query_results_kb);
        if today.query_jobs >= jobs {
            let next = today.query_jobs + 1;
            let message = format!("Max bulk v2 query jobs ({jobs}) per 24 hrs has been reached ({next})");
            return Err(Refusal::bad("LIMIT_EXCEEDED", message));
        }
        if today.stored / 1000 >= kilobytes {
            let message = format!("Max bulk v2 query result size stored ({kilobytes}) kb per 24 hrs has been exceeded");
            return Err(Refusal::bad("LIMIT_EXCEEDED", message));
        }
        today.query_jobs += 1;
        Ok(())
    }

    /// More query results.
    pub(super) fn store(&mut self, bytes: u64, now: Timestamp) {
        self.today(now).stored += bytes;
    }

    /// May another batch be begun?
    pub(super) fn another_batch(&mut self, settings: &BulkSettings, now: Timestamp) -> bool {
        let today = self.today(now);
        today.batches < settings.ingest_batches && today.records < settings.ingest_records
    }

    /// Rows of an ingest job that had `before` already.
    pub(super) fn ingest(&mut self, before: u64, rows: u64, now: Timestamp) {
        let today = self.today(now);
        today.batches += (before + rows).div_ceil(BATCH) - before.div_ceil(BATCH);
        today.records += rows;
    }

    fn today(&mut self, now: Timestamp) -> &mut Count {
        let over = |began: Timestamp| now.duration_since(began) >= SignedDuration::from_hours(24);
        if self.began.is_none_or(over) {
            (self.began, self.count) = (Some(now), Count::default());
        }
        &mut self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day() {
        let settings =
            BulkSettings { query_jobs: 2, query_results_kb: 3, ingest_batches: 2, ..BulkSettings::default() };
        let mut used = Used::default();
        let at = |hours| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours);
        used.query_job(&settings, at(0)).unwrap();
        used.store(2999, at(0));
        used.query_job(&settings, at(1)).unwrap();
        let refused = used.query_job(&settings, at(23)).unwrap_err();
        assert_eq!(refused.message, "Max bulk v2 query jobs (2) per 24 hrs has been reached (3)");
        used.query_job(&settings, at(24)).unwrap();
        used.store(3000, at(24));
        let refused = used.query_job(&settings, at(25)).unwrap_err();
        assert_eq!(refused.message, "Max bulk v2 query result size stored (3) kb per 24 hrs has been exceeded");

        for (before, rows, batches) in [(0, 200, 1), (200, 200, 1), (9_800, 200, 1), (10_000, 200, 2), (0, 0, 2)] {
            used.ingest(before, rows, at(26));
            assert_eq!(used.count(at(26)).batches, batches, "{before} {rows}");
        }
        assert!(!used.another_batch(&settings, at(26)));
        assert!(used.another_batch(&settings, at(48)));
    }
}
