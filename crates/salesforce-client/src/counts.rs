//! About how many records objects have.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Action, Error, Org, SObjectName, call::Call};

/// Names in one call: they stand in its URL.
const NAMES: usize = 200;

#[derive(Deserialize)]
struct Counts {
    #[serde(rename = "sObjects")]
    objects: Vec<Count>,
}

#[derive(Deserialize)]
struct Count {
    name: String,
    count: u64,
}

impl Org {
    /// About how many records these objects have, as the org last counted: it does so now and then, and leaves deleted and archived
    /// records out. Objects that it has not counted are missing. One call for 200 of them.
    ///
    /// # Errors
    /// As any call.
    pub async fn record_counts(&self, objects: &[SObjectName]) -> Result<BTreeMap<String, u64>, Error> {
        let mut counts = BTreeMap::new();
        for names in objects.chunks(NAMES) {
            let names = names.iter().map(SObjectName::as_str).collect::<Vec<_>>().join(",");
            let path = self.data_path(format_args!("/limits/recordCount"));
            let call = Call::read(Action::RecordCounts).path(path).query(format!("sObjects={names}"));
            let found: Counts = self.send(&call, |reply| reply.json()).await?;
            counts.extend(found.objects.into_iter().map(|Count { name, count }| (name, count)));
        }
        Ok(counts)
    }
}
