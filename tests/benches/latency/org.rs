//! The emulated org whose records change one after the other.

use std::time::{Duration, Instant};

use e2e::measure::now;
use salesforce_emulator::{Config, Emulator, Org as Records, Settings, org::Id};
use serde_json::{Map, Value};
use tokio::task::{JoinHandle, block_in_place};

use crate::{Result, door};

pub(crate) struct Org {
    emulator: Emulator,
    object: String,
    ids: Vec<Id>,
}

impl Org {
    /// An org with so many records of one object.
    pub(crate) async fn start(object: &str, rows: usize) -> Result<Self> {
        let settings = Settings { daily_deliveries: u64::MAX, ..Settings::default() };
        let rows = vec![(object.to_owned(), rows as u64)];
        let emulator = Emulator::start(Config { rows, settings, ..Config::default() }).await?;
        let ids = block_in_place(|| emulator.org().ids(object, false))?;
        Ok(Self { emulator, object: object.to_owned(), ids })
    }

    /// The connector's configuration for it.
    pub(crate) fn config(&self) -> Value {
        door::config(&self.emulator)
    }

    /// Lets a minute pass: what is changed from now on is newer beyond doubt than all history.
    pub(crate) fn pass_time(&self) -> Result<()> {
        Ok(block_in_place(|| self.emulator.org().advance(Duration::from_secs(60)))?)
    }

    /// Changes of a text field of its records.
    pub(crate) fn changes(&self, field: &'static str) -> Changes {
        let (org, object) = (self.emulator.org().clone(), self.object.clone());
        Changes { org, object, field, ids: self.ids.clone().into_iter(), made: Vec::new() }
    }

    pub(crate) async fn shutdown(self) {
        self.emulator.shutdown().await;
    }
}

/// Changes of one record after the other, numbered from 0.
pub(crate) struct Changes {
    org: Records,
    object: String,
    field: &'static str,
    ids: std::vec::IntoIter<Id>,
    /// When each was made.
    made: Vec<Instant>,
}

/// What stands before the number of a change.
const MARK: &str = "change no. ";

impl Changes {
    /// The number of the change that a document shows.
    pub(crate) fn number_in(line: &str) -> Option<usize> {
        let (_, rest) = line.split_once(MARK)?;
        rest.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
    }

    /// Makes so many changes.
    pub(crate) fn make(&mut self, count: usize) -> Result<()> {
        for id in self.ids.by_ref().take(count) {
            let value = format!("{MARK}{} – renewal pending", self.made.len());
            self.made.push(now());
            let body = Map::from_iter([(self.field.to_owned(), value.into())]);
            block_in_place(|| self.org.update(&self.object, id, &body))?;
        }
        Ok(())
    }

    /// Makes so many more, one each `pace`. Answers when each of all was made.
    pub(crate) fn make_steadily(mut self, count: usize, pace: Duration) -> JoinHandle<Result<Vec<Instant>>> {
        tokio::task::spawn_blocking(move || {
            let mut due = now();
            for _ in 0..count {
                std::thread::sleep(due.saturating_duration_since(now()));
                self.make(1)?;
                due += pace;
            }
            Ok(self.made)
        })
    }
}
