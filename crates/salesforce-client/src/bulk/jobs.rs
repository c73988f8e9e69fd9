//! Lists of jobs, of either family.

use serde::{Deserialize, de::DeserializeOwned};

use crate::{Action, Error, Org, call::Call, failure::Failure, http::Reply, query::Locator};

/// Some of the org's jobs: [`QueryJob`](crate::bulk::QueryJob)s or [`IngestJob`](crate::bulk::IngestJob)s.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jobs<J> {
    /// The jobs, in no order.
    pub jobs: Vec<J>,
    /// Where the next ones are.
    pub next: Option<Locator>,
}

impl<J: DeserializeOwned> Jobs<J> {
    fn read(reply: &Reply) -> Result<Self, Failure> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Wire<J> {
            done: bool,
            records: Vec<J>,
            #[serde(default)]
            next_records_url: Option<String>,
        }

        let Wire { done, records: jobs, next_records_url } = reply.json()?;
        let elsewhere = || Failure::unexpected(reply, "the next jobs are not below /services/data/");
        let next = next_records_url.filter(|_| !done);
        let next = next.map(|path| Locator::on_instance(&path).ok_or_else(elsewhere)).transpose()?;
        if next.is_none() && !done {
            return Err(Failure::unexpected(reply, "it says there is more but not where"));
        }
        Ok(Jobs { jobs, next })
    }
}

impl Org {
    /// The first jobs of a family, which `first` asks for below `/jobs/`, or those where the ones before said.
    pub(super) async fn jobs<J: DeserializeOwned>(
        &self,
        action: Action,
        first: &str,
        next: Option<&Locator>,
    ) -> Result<Jobs<J>, Error> {
        let first = self.data_path(format_args!("/jobs/{first}"));
        let url = next.map_or(first.as_str(), Locator::as_str);
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        self.send(&Call::read(action).path(path).query(query.to_owned()), Jobs::read).await
    }
}
