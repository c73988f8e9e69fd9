//! What a stream says, and what the session makes of it.

use salesforce_streaming::{Delivery, Event, ReplayFrom};

use super::Session;
use crate::{
    capture::{
        clock::now,
        output::{GROUP, Output},
        second::Second,
    },
    error::Error,
};

/// A position that only says "nothing happened" is written when the last one is this old, in seconds.
const HEARTBEAT: i64 = 300;

impl<O: Output> Session<O> {
    pub(super) async fn take_event(&mut self, event: Event) -> Result<(), Error> {
        match event {
            Event::Delivered(delivery) => self.take_delivery(&delivery).await,
            Event::Subscribed { channel, from, at } => {
                let Some(n) = self.lane_of(channel.name()) else { return Ok(()) };
                tracing::info!(stream = self.lanes[n].stream(), %channel, "subscribed {from}");
                self.hear(Some(at));
                self.lanes[n].subscribed(from, Second::from(at), now());
                self.commit(n..n + 1).await
            }
            Event::Alive { at } => {
                for lane in self.lanes.iter_mut().filter(|lane| lane.channel.is_some()) {
                    lane.machine.alive(Second::from(at));
                }
                self.heartbeat(Second::from(at)).await
            }
            Event::Gap { channel, why } => {
                let Some(n) = self.lane_of(channel.name()) else { return Ok(()) };
                let lane = &mut self.lanes[n];
                lane.machine.gap();
                let since = lane.machine.agenda().lost_since();
                lane.counter.lost(since);
                tracing::warn!(
                    stream = lane.stream(),
                    why = %why,
                    since = since.map(|since| since.to_string()),
                    "events may be missing: reading all changes since the stream was last complete"
                );
                if let Some(stream) = &mut self.stream {
                    stream.resubscribe(channel, ReplayFrom::Tip);
                }
                self.commit(n..n + 1).await
            }
            Event::Refused { channel, failure } => {
                let Some(n) = self.lane_of(channel.name()) else { return Ok(()) };
                let stream = self.lanes[n].stream().to_owned();
                match failure.retry_in {
                    Some(wait) => {
                        tracing::warn!(stream, %channel, seconds = wait.as_secs(), "Salesforce refuses the subscription for now: {failure}");
                    }
                    None => {
                        tracing::warn!(stream, %channel, "looking after the PushTopic, as Salesforce refuses its subscription: {failure}");
                        self.doubt(
                            n,
                            Error::Refused { stream, channel: channel.to_string(), why: failure.to_string() },
                        );
                    }
                }
                Ok(())
            }
            Event::Lost { why } => {
                tracing::warn!("the streaming session is lost: {why}");
                Ok(())
            }
            Event::Connected => {
                tracing::info!("a streaming session is established");
                Ok(())
            }
        }
    }

    async fn take_delivery(&mut self, delivery: &Delivery) -> Result<(), Error> {
        let now = now();
        let mut touched = Vec::new();
        self.meter.delivered(delivery.notifications().len());
        for notification in delivery.notifications() {
            let Some(n) = self.lane_of(&notification.channel) else { continue };
            let lane = &mut self.lanes[n];
            lane.hear(now);
            lane.take_notification(notification, &mut self.output)?;
            if !touched.contains(&n) {
                touched.push(n);
            }
            if self.output.collected() >= GROUP {
                self.commit(touched.drain(..)).await?;
            }
        }
        self.commit(touched).await
    }

    /// Where nothing happens for long, the position must still follow, or it falls out of the org's retention.
    async fn heartbeat(&mut self, at: Second) -> Result<(), Error> {
        match self.lanes.iter().any(|lane| lane.lags(at) >= HEARTBEAT) {
            true => self.commit(0..self.lanes.len()).await,
            false => Ok(()),
        }
    }
}
