//! What is committed together: documents, how far they bring their bindings, and what was counted on the way.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Session;
use crate::{
    capture::{clock::now, output::Output, position::VERSION},
    error::Error,
};

/// How long the last commit waits for room in the output. Its line is short enough for a pipe to take it whole or not at all.
const LAST_COMMIT: Duration = Duration::from_secs(5);

impl<O: Output> Session<O> {
    /// Hands over what was collected, with where these lanes stand now.
    pub(super) async fn commit(&mut self, lanes: impl IntoIterator<Item = usize>) -> Result<(), Error> {
        let mut touched = Vec::new();
        let mut bindings = Map::new();
        for n in lanes {
            let lane = &mut self.lanes[n];
            if let Some(patch) = lane.position_patch() {
                bindings.insert(lane.state_key.clone(), patch);
            }
            touched.push(n);
        }
        let mut patch = Map::new();
        if !self.introduced {
            patch.insert("version".into(), json!(VERSION));
            patch.insert("org".into(), json!(self.org_id));
            // With the calls, which are counted as this shard's from here on.
            if self.serving.shard != self.serving.before {
                patch.insert("shard".into(), json!(self.serving.is_split().then_some(self.serving.shard)));
            }
        }
        if !bindings.is_empty() {
            patch.insert("bindingStateV1".into(), bindings.into());
        }
        // For their own sake counts are not worth a commit.
        if !patch.is_empty() || self.output.collected() > 0 {
            patch.extend(self.meter.patch());
        }
        if self.output.collected() == 0 && patch.is_empty() {
            self.settle(&touched);
            return Ok(());
        }
        let patch = (!patch.is_empty()).then(|| Value::from(patch));
        self.output.commit(patch.as_ref()).await?;
        self.introduced = true;
        self.obsolete.committed(self.output.is_durable_at_once());
        self.settle(&touched);
        for n in &touched {
            let lane = &mut self.lanes[*n];
            self.obsolete.add(&lane.feed.object, lane.way.take_obsolete());
        }
        let Some(stream) = &mut self.stream else { return Ok(()) };
        for lane in touched.into_iter().map(|n| &self.lanes[n]) {
            if let (Some(channel), Some(replay)) = (&lane.channel, lane.machine.replay()) {
                stream.written(channel, replay);
            }
        }
        Ok(())
    }

    /// Commits what was counted since the last commit: there will be no other that takes it along. Nobody may read stdout any more, or
    /// it may be closed: the session ends all the same.
    pub(super) async fn keep_counts(&mut self) {
        self.meter.read(&self.org, now());
        let patch: Map<_, _> = self.meter.patch().collect();
        if patch.is_empty() {
            return;
        }
        match tokio::time::timeout(LAST_COMMIT, self.output.commit(Some(&patch.into()))).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the last API calls stay uncounted"),
            Err(_) => tracing::debug!("the last API calls stay uncounted, as nobody reads the output"),
        }
    }

    /// All that these lanes have written is committed.
    fn settle(&mut self, lanes: &[usize]) {
        for lane in lanes {
            let lane = &mut self.lanes[*lane];
            if let Some(told) = lane.committed() {
                self.report.read_done(lane.stream(), lane.complete, told);
            }
            self.output.stands(lane.index, lane.standing());
        }
    }
}
