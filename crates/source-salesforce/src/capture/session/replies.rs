//! Calls that came back, and what the session makes of each.

use salesforce_client::{Class, retrieve::Retrieved};

use super::Session;
use crate::{
    capture::{clock::now, output::Output, reads::Done},
    error::Error,
};

impl<O: Output> Session<O> {
    pub(super) async fn take(&mut self, done: Done) -> Result<(), Error> {
        match done {
            Done::Page { lane, deleted, result } => self.take_page(lane, deleted, self.lanes[lane].most(), result),
            Done::FirstPages { pages, result } => self.take_pages(pages, result),
            Done::Job { lane: n, result } => {
                if let Err(error) = self.lanes[n].take_job(result, now()) {
                    self.refused(n, error)?;
                }
                self.commit([n]).await
            }
            Done::Rows { lane: n, result } => match self.lanes[n].take_rows(result) {
                Err(Error::Salesforce(error)) => self.refused(n, *error),
                outcome => outcome,
            },
            Done::JobDeleted(result) => {
                self.obsolete.deleted();
                if let Err(error) = result {
                    tracing::debug!(%error, "a Bulk job is left to expire");
                }
                Ok(())
            }
            Done::Queried { lane: n, result: Err(error) } => {
                self.lanes[n].lost_fetch();
                self.refused(n, error)
            }
            Done::Queried { lane, result: Ok(page) } => {
                self.lanes[lane].take_fetched(page.rows().iter(), page.answered(), page.size(), &mut self.output)?;
                self.commit([lane]).await
            }
            Done::Retrieved { lanes, result: Err(error) } if error.class() == Class::Wait => {
                lanes.iter().for_each(|n| self.lanes[*n].lost_fetch());
                self.meter.refused(&error);
                Ok(())
            }
            Done::Retrieved { lanes, result: Err(error) } if error.is_too_long() => {
                lanes.iter().for_each(|n| self.lanes[*n].lost_fetch());
                self.too_long(&lanes, error)
            }
            Done::Retrieved { lanes, result } => self.take_retrieved(lanes, result?).await,
            Done::Covered { lanes, result } => self.take_covered(lanes, result),
            Done::Listed { asked, result } => self.take_lists(asked, result).await,
            Done::Limits(result) => {
                self.meter.take_limits(result);
                Ok(())
            }
            Done::Inspected { result: Err(error), .. } if error.passes_with_time() => {
                self.inspection_due = Some(now());
                self.meter.refused(&error);
                Ok(())
            }
            Done::Inspected { doubted, result } => {
                let (findings, outlook) = result?;
                self.outlook = outlook;
                self.take_findings(&doubted, findings).await
            }
        }
    }

    async fn take_retrieved(
        &mut self,
        lanes: Vec<usize>,
        results: Vec<Result<Retrieved, salesforce_client::Error>>,
    ) -> Result<(), Error> {
        for (n, result) in lanes.iter().zip(results) {
            let lane = &mut self.lanes[*n];
            match result {
                Ok(rows) => {
                    let found = rows.rows().iter().flatten();
                    lane.take_fetched(found, rows.answered(), rows.size(), &mut self.output)?;
                }
                Err(error) => {
                    lane.lost_fetch();
                    self.refused(*n, error)?;
                }
            }
        }
        self.commit(lanes).await
    }
}
