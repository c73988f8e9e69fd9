//! The emulated org, within this process: the connector's CPU time and memory are its own all the same.

use std::time::Duration;

use salesforce_emulator::{Config, Emulator, Settings, org::Id};
use serde_json::{Map, Value};
use tokio::task::block_in_place;

use crate::{Result, door};

/// Records of the object. Each is changed at most once in a second, which is all that stamps can tell apart: an event of a
/// record that was written with the same stamp is answered by a fetch.
const RECORDS: usize = 5_000;

/// Records changed in one transaction.
const BATCH: usize = 200;

pub(crate) struct Org {
    emulator: Emulator,
    object: String,
    ids: Vec<Id>,
}

impl Org {
    /// An org with records of one object, in which events may be delivered without end.
    pub(crate) async fn start(object: &str) -> Result<Self> {
        let settings = Settings { daily_deliveries: u64::MAX, ..Settings::default() };
        let rows = vec![(object.to_owned(), RECORDS as u64)];
        let emulator = Emulator::start(Config { rows, settings, ..Config::default() }).await?;
        let ids = block_in_place(|| emulator.org().ids(object, false))?;
        Ok(Self { emulator, object: object.to_owned(), ids })
    }

    /// The connector's configuration for it.
    pub(crate) fn config(&self) -> Value {
        door::config(&self.emulator)
    }

    pub(crate) fn emulator(&self) -> &Emulator {
        &self.emulator
    }

    /// The channel of the org's only PushTopic.
    pub(crate) fn channel(&self) -> Result<String> {
        let topics: Value =
            serde_json::from_slice(&block_in_place(|| self.emulator.org().records("PushTopic", false))?)?;
        Ok(format!("/topic/{}", topics[0]["Name"].as_str().ok_or("the capture has no PushTopic")?))
    }

    /// Makes so many update events, with time passing as it must.
    pub(crate) fn make_events(&self, count: usize) -> Result<()> {
        let org = self.emulator.org();
        block_in_place(|| {
            // Beyond doubt after the history was read.
            org.advance(Duration::from_secs(60))?;
            let mut changes = self.changes().take(count);
            for _ in 0..count.div_ceil(RECORDS) {
                let round: Vec<_> = changes.by_ref().take(RECORDS).collect();
                for batch in round.chunks(BATCH) {
                    org.transaction(|all| batch.iter().try_for_each(|(id, body)| all.update(&self.object, *id, body)))?;
                }
                org.advance(Duration::from_secs(2))?;
            }
            Ok(())
        })
    }

    /// Changes of one record after the other, round and round. No two are the same: a change of nothing is no event.
    fn changes(&self) -> impl Iterator<Item = (Id, Map<String, Value>)> {
        self.ids.iter().cycle().enumerate().map(move |(n, id)| {
            let text = format!("Backlog no. {n} – renewal pending, “priority” given to the follow-up in the warehouse");
            (*id, Map::from_iter([("Description".to_owned(), text.into())]))
        })
    }

    pub(crate) async fn shutdown(self) {
        self.emulator.shutdown().await;
    }
}
