//! Whether what a session rests on still holds: looks at objects and topics, now and then, and at once when the org refuses something
//! that a change of them may explain.

use std::time::Duration;

use salesforce_client::Class;
use salesforce_streaming::{Channel, ReplayFrom};

use super::{Session, open_stream};
use crate::{
    capture::{
        clock::now,
        inspection::{Finding, Subject},
        lane::Lane,
        output::Output,
        plan::Turns,
        reads,
    },
    error::Error,
};

impl<O: Output> Session<O> {
    /// What to look at, and which of it is in doubt.
    pub(super) fn subjects(&self) -> (Vec<Subject>, Vec<usize>) {
        let subject = |(n, lane): (usize, &Lane)| Subject {
            lane: n,
            resource: lane.resource.clone(),
            feed: lane.feed.clone(),
            is_streamed: lane.channel.is_some(),
            awaits_topic: lane.awaits_topic(),
            is_doubted: lane.doubt.is_some(),
        };
        let subjects: Vec<_> = self.lanes.iter().enumerate().map(subject).collect();
        let doubted = subjects.iter().filter(|subject| subject.is_doubted).map(|subject| subject.lane).collect();
        (subjects, doubted)
    }

    /// A refusal ends the session, unless it passes with time, or the object may have changed since it was described.
    pub(super) fn refused(&mut self, n: usize, error: salesforce_client::Error) -> Result<(), Error> {
        if error.class() == Class::Wait {
            self.meter.refused(&error);
            return Ok(());
        }
        if error.is_too_long() {
            return self.too_long(&[n], error);
        }
        if !reads::may_be_outdated(&error) {
            return Err(error.into());
        }
        tracing::info!(
            stream = self.lanes[n].stream(),
            "describing the object anew, as the org refuses a read: {error}"
        );
        self.doubt(n, error.into());
        Ok(())
    }

    /// Looks at once into what may explain a refusal. If nothing does, it ends the session.
    pub(super) fn doubt(&mut self, n: usize, error: Error) {
        self.lanes[n].doubt = Some(error);
        self.inspection_due = self.inspection_due.map(|_| now());
    }

    pub(super) async fn take_findings(&mut self, doubted: &[usize], findings: Vec<Finding>) -> Result<(), Error> {
        let now = now();
        let mut touched = Vec::new();
        for Finding { lane: n, feed, topic } in findings {
            let lane = &mut self.lanes[n];
            touched.push(n);
            match topic {
                Some(topic) if lane.channel.is_none() => {
                    let turns = Turns::beside_a_stream(&lane.feed, self.options.sweeps);
                    let (channel, from) = lane.begin_streaming(&topic, self.plan.interval(&turns), now);
                    self.by_channel.insert(channel.name().to_owned(), n);
                    self.subscribe(channel, from);
                }
                Some(topic) => {
                    if let Some((channel, from)) = lane.topic_seen(&topic) {
                        lane.doubt = None;
                        self.subscribe(channel, from);
                    }
                }
                None => {}
            }
            let lane = &mut self.lanes[n];
            match feed {
                Some(feed) => {
                    tracing::info!(stream = lane.stream(), "{}", feed.difference(&lane.feed));
                    lane.fresh = Some(feed);
                }
                None if doubted.contains(&n) => {
                    // Nothing has changed: the refusal means what it says.
                    if let Some(error) = lane.doubt.take() {
                        return Err(error);
                    }
                }
                None => {}
            }
        }
        // Who came to be in doubt meanwhile is looked at again at once.
        let is_open = |lane: &Lane| lane.doubt.is_some() && lane.fresh.is_none();
        let pause = self.options.inspection.mul_f64(self.meter.slower());
        let wait = if self.lanes.iter().any(is_open) { Duration::ZERO } else { pause };
        self.inspection_due = Some(now + wait);
        self.commit(touched).await
    }

    /// Hears a channel from there on.
    fn subscribe(&mut self, channel: Channel, from: ReplayFrom) {
        match &mut self.stream {
            Some(stream) => stream.resubscribe(channel, from),
            None => self.stream = Some(open_stream(&self.org, vec![(channel, from)])),
        }
    }

    /// Exchanges the feeds of lanes that have nothing on its way any more.
    pub(super) fn renew(&mut self) {
        for lane in &mut self.lanes {
            if lane.renew() {
                self.output.sourced_schema(lane.index, &lane.feed.schema());
            }
        }
    }
}
