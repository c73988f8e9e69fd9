//! What an administrator of the emulated org may choose about Bulk API 2.0.

use std::time::Duration;

/// Pace, limits and switches of Bulk API 2.0. Limits default to those the vendor publishes.
#[derive(Debug, Clone)]
pub struct BulkSettings {
    /// Rows that a query job reads at one moment. Between two such chunks others may change rows.
    pub query_chunk: usize,
    /// How long a job stays in the queue, in virtual time.
    pub queue_time: Duration,
    /// Virtual time between two chunks of a job, and between its last one and its end. An ingest job writes 200 rows in
    /// each.
    pub chunk_time: Duration,
    /// How cells spell datetimes. Both were seen.
    pub datetimes: BulkDatetimes,
    /// Rows on a page of results when the client does not say how many it wants.
    pub page: u64,
    /// Bytes on a page of results, whatever the client wants.
    pub largest_page: u64,
    /// Jobs on a page of a list.
    pub list_page: usize,
    /// Query jobs in 24 hours of virtual time.
    pub query_jobs: u64,
    /// Kilobytes of query results in 24 hours of virtual time.
    pub query_results_kb: u64,
    /// Batches of ingest jobs in 24 hours of virtual time; every 10,000 rows are one.
    pub ingest_batches: u64,
    /// Rows of ingest jobs in 24 hours of virtual time.
    pub ingest_records: u64,
    /// Bytes of a job's data after Salesforce has encoded them as base64, which makes four of three.
    pub largest_upload: u64,
    /// How long a job may stay open, in virtual time; then it is aborted.
    pub open: Duration,
    /// How long a job and its results are kept after its end, in virtual time.
    pub kept: Duration,
    /// Users with the permission "Bulk API Hard Delete" may delete for good. The first user has it, where Salesforce's
    /// administrators have to give it to themselves; without this nobody may.
    pub hard_delete: bool,
    /// Objects of which Bulk will have nothing, by their canonical names. Big objects and external objects are such anyway.
    pub unsupported: Vec<String>,
}

/// How cells spell datetimes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BulkDatetimes {
    /// `2024-01-02T03:04:05.000Z`
    #[default]
    Zulu,
    /// `2024-01-02T03:04:05.000+0000`, as REST does.
    Offset,
}

impl Default for BulkSettings {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            query_chunk: 10_000,
            queue_time: Duration::ZERO,
            chunk_time: Duration::ZERO,
            datetimes: BulkDatetimes::default(),
            page: 50_000,
            largest_page: 1_000_000_000,
            list_page: 1_000,
            query_jobs: 10_000,
            query_results_kb: 1_000_000_000,
            ingest_batches: 15_000,
            ingest_records: 150_000_000,
            largest_upload: 150_000_000,
            open: DAY,
            kept: 7 * DAY,
            hard_delete: true,
            unsupported: super::unsupported::OBJECTS.map(str::to_owned).to_vec(),
        }
    }
}
