//! What became of the rows of an ingest job.

use std::fmt;

use crate::{
    Action, Error, Fault, Org, RowRefusal, SObjectName, Saved,
    bulk::{
        Column, IngestStep, JobId,
        csv::Row,
        stream::{Shape, Streamed, Wanted},
    },
    call::Call,
};

/// Which rows of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ingested {
    /// Those that were written.
    Saved,
    /// Those that were refused.
    Refused,
    /// Those that the org did not come to, because the job failed or was aborted.
    Unprocessed,
}

impl Ingested {
    fn resource(self) -> &'static str {
        match self {
            Ingested::Saved => "successfulResults",
            Ingested::Refused => "failedResults",
            Ingested::Unprocessed => "unprocessedrecords",
        }
    }

    /// The columns that the org puts before those of the rows.
    fn own_columns(self) -> &'static [&'static str] {
        match self {
            Ingested::Saved => &["sf__Id", "sf__Created"],
            Ingested::Refused => &["sf__Id", "sf__Error"],
            Ingested::Unprocessed => &[],
        }
    }
}

/// Rows of an ingest job to be read.
#[derive(Clone, Copy, Debug)]
pub struct IngestResults<'a> {
    /// What the job writes.
    pub object: &'a SObjectName,
    /// The job. Only one that has ended has results, for seven days.
    pub job: JobId,
    /// Which of its rows.
    pub which: Ingested,
    /// The columns that were uploaded, in the order in which rows shall have them.
    pub columns: &'a [Column],
}

/// Rows of an ingest job as they arrive, in no order; each has the cells it was uploaded with, though numbers may be
/// spelled anew. What has not been looked at waits at the org.
///
/// A connection that breaks or falls silent, and a body that is cut off, are got over as in any call: the rows are asked
/// for again, and those that were handed out are passed over.
pub struct IngestRows {
    rows: Streamed,
    which: Ingested,
}

impl IngestRows {
    /// The next row; `None` after the last. It may wait for the org, and nothing is lost when that wait is given up.
    ///
    /// The org does not say how many rows there are, and rows beyond its daily limits are in none of the results: who
    /// must know of every row counts them.
    ///
    /// # Errors
    /// An `Unexpected` failure names the row, and the column where it can, of what cannot be read. Otherwise as any
    /// call.
    pub async fn next_row(&mut self) -> Result<Option<IngestRow<'_>>, Error> {
        let which = self.which;
        Ok(self.rows.next_row().await?.map(|row| IngestRow { row, which }))
    }
}

impl fmt::Debug for IngestRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IngestRows {{ {:?}, {} rows handled }}", self.which, self.rows.handled())
    }
}

/// A row that was uploaded, and what became of it.
#[derive(Clone, Copy, Debug)]
pub struct IngestRow<'a> {
    row: Row<'a>,
    which: Ingested,
}

impl<'a> IngestRow<'a> {
    /// What became of it; `None` if the org did not come to it.
    ///
    /// That a row to be deleted is gone already is a refusal here, `ENTITY_IS_DELETED`.
    #[must_use]
    pub fn outcome(&self) -> Option<Result<Saved, RowRefusal>> {
        let mut own = self.row.cells();
        let (id, told) = (own.next()?, own.next()?);
        match self.which {
            Ingested::Saved => Some(Ok(Saved { id: id.parse().ok(), created: told.eq_ignore_ascii_case("true") })),
            Ingested::Refused => Some(Err(RowRefusal { faults: vec![fault(told)] })),
            Ingested::Unprocessed => None,
        }
    }

    /// The cells it was uploaded with, in the order in which the columns were asked for.
    pub fn cells(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.row.cells().skip(self.which.own_columns().len())
    }

    /// The cell of a column; `None` if the column was not asked for.
    #[must_use]
    pub fn get(&self, column: &str) -> Option<&'a str> {
        self.row.get(column)
    }
}

/// `CODE:message:field other --`: the message may have colons too, and without fields nothing stands between the last
/// one and the dashes.
fn fault(told: &str) -> Fault {
    let told = told.trim();
    let (told, fields) = match told.strip_suffix("--").and_then(|told| told.trim_end().rsplit_once(':')) {
        Some((told, fields)) => (told, fields),
        None => (told, ""),
    };
    let is_code = |code: &str| !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let (code, message) = told.split_once(':').filter(|(code, _)| is_code(code)).unwrap_or(("", told));
    let fields = fields.split([',', ' ']).map(str::trim).filter(|field| !field.is_empty());
    Fault { fields: fields.map(str::to_owned).collect(), ..Fault::new(code, message) }
}

impl Org {
    /// Begins to read what became of a job's rows. It costs one call, and one for each time its reply is lost.
    ///
    /// # Errors
    /// [`Obstacle::State`](crate::bulk::Obstacle::State) if the job has not ended, [`Obstacle::is_job_lost`] if it is
    /// gone. A header with other columns than these is `Unexpected`. Otherwise as any call.
    ///
    /// [`Obstacle::is_job_lost`]: crate::bulk::Obstacle::is_job_lost
    pub async fn ingest_results(&self, wanted: &IngestResults<'_>) -> Result<IngestRows, Error> {
        let IngestResults { object, job, which, columns } = *wanted;
        let action = Action::IngestJob(IngestStep::Results, object.clone(), job);
        let path = self.data_path(format_args!("/jobs/ingest/{job}/{}", which.resource()));
        let own = which.own_columns().iter().map(|name| name.parse());
        let columns = own.chain(columns.iter().cloned().map(Ok)).collect::<Result<_, Error>>()?;
        let wanted = Wanted { call: Call::read(action).csv().path(path), columns, shape: Shape::Whole };
        Ok(IngestRows { rows: Streamed::begin(self, wanted, 0).await?, which })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the vendor's guide and users of the API show them.
    #[test]
    fn refusals_of_rows() {
        for (told, code, message, fields) in [
            (
                "REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --",
                "REQUIRED_FIELD_MISSING",
                "Required fields are missing: [Name]",
                &["Name"][..],
            ),
            (
                "DUPLICATE_VALUE:duplicate value found: Ext__c duplicates value on record with id: 001D000000IRFma:--",
                "DUPLICATE_VALUE",
                "duplicate value found: Ext__c duplicates value on record with id: 001D000000IRFma",
                &[],
            ),
            ("ENTITY_IS_DELETED:entity is deleted:--", "ENTITY_IS_DELETED", "entity is deleted", &[]),
            (
                "INVALID_FIELD_FOR_INSERT_UPDATE:Unable to create/update fields: A, B:A B --",
                "INVALID_FIELD_FOR_INSERT_UPDATE",
                "Unable to create/update fields: A, B",
                &["A", "B"],
            ),
            ("STRING_TOO_LONG:too long:A,B --", "STRING_TOO_LONG", "too long", &["A", "B"]),
            ("UNKNOWN_EXCEPTION", "", "UNKNOWN_EXCEPTION", &[]),
            ("Something else: broke", "", "Something else: broke", &[]),
            ("", "", "", &[]),
            ("--", "", "--", &[]),
        ] {
            let fault = fault(told);
            assert_eq!((fault.code.as_str(), fault.message.as_str()), (code, message), "{told}");
            assert_eq!(fault.fields, fields, "{told}");
        }
    }
}
