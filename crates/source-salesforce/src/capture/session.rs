//! The loop of a capture session: one thing happens at a time, each is handed to the machine it concerns, and what the
//! machine says is done.

use std::{collections::HashMap, time::Duration};

use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use jiff::Timestamp;
use salesforce_client::{Org, Page, RecordId};
use salesforce_streaming::{Delivery, Event, ReplayFrom, Stream};
use serde_json::{Map, Value, json};
use tokio::{sync::mpsc, time::Instant};

use super::{
    lane::{Bound, GROUP, Lane, PAGE, answered},
    output::Output,
    position::VERSION,
    second::Second,
};
use crate::error::Error;

/// Pages on their way or in hand at a time, over all bindings: they bound the memory of a session.
const PAGES: usize = 2;

/// A position that only says "nothing happened" is written when the last one is this old, in seconds.
const HEARTBEAT: i64 = 300;

/// What the session is told from outside.
#[derive(Debug)]
pub enum Signal {
    /// So many commits are durable.
    Acknowledged(u32),
    /// End at the next opportunity.
    Stop,
    /// The other side broke the protocol.
    Broken(Error),
}

/// How a session is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// History of new bindings starts here.
    pub start_date: Option<Timestamp>,
    /// Least time between two fetches of one binding.
    pub coalescing: Duration,
    /// End once every binding is complete.
    pub until_caught_up: bool,
}

/// A running session.
pub struct Session<O> {
    org: Org,
    options: Options,
    output: O,
    org_id: RecordId,
    lanes: Vec<Lane>,
    by_channel: HashMap<String, usize>,
    stream: Stream,
    reads: FuturesUnordered<BoxFuture<'static, Done>>,
    pages: usize,
    introduced: bool,
    /// The newest time that the org has answered with: once a stream has brought events created since, it is caught up.
    org_time: Second,
    status: String,
}

/// A read that came back.
enum Done {
    Page { lane: usize, deleted: bool, result: Result<Page, salesforce_client::Error> },
    Fetch { lane: usize, result: Result<Page, salesforce_client::Error> },
}

/// All that can wake the session.
enum Input {
    Signal(Signal),
    Stream(Result<Event, salesforce_streaming::Error>),
    Read(Done),
    MorePage(usize),
    /// A fetch may be due, or a stream was quiet for long enough.
    Due,
}

impl<O: Output> Session<O> {
    /// Prepares a session; nothing is subscribed or read before [`Session::run`].
    pub fn new(org: Org, org_id: RecordId, bound: Vec<Bound>, output: O, options: Options) -> Self {
        let now = now();
        let start_date = options.start_date.map(Second::from);
        let mut subscriptions = Vec::new();
        let mut lanes = Vec::new();
        for bound in bound {
            let (lane, from) = Lane::new(bound, start_date, now);
            subscriptions.push((lane.channel.clone(), from));
            lanes.push(lane);
        }
        let by_channel =
            lanes.iter().enumerate().map(|(n, lane): (usize, &Lane)| (lane.channel.name().to_owned(), n)).collect();
        let stream = Stream::open(org.clone(), salesforce_streaming::Options::default(), subscriptions);
        Self {
            org,
            options,
            output,
            org_id,
            lanes,
            by_channel,
            stream,
            reads: FuturesUnordered::new(),
            pages: 0,
            introduced: false,
            org_time: Second::new(i64::MIN),
            status: String::new(),
        }
    }

    /// Runs until told to stop, or until caught up if that is asked for.
    ///
    /// # Errors
    /// Whatever only the user, or a fresh session, can mend.
    pub async fn run(mut self, mut signals: mpsc::UnboundedReceiver<Signal>) -> Result<O, Error> {
        let result = self.take_turns(&mut signals).await;
        // However it ended: a session without a farewell counts against the org's streaming clients for a while.
        self.stream.close().await;
        result.map(|()| self.output)
    }

    async fn take_turns(&mut self, signals: &mut mpsc::UnboundedReceiver<Signal>) -> Result<(), Error> {
        for lane in &self.lanes {
            self.output.sourced_schema(lane.index, &lane.feed.schema());
        }
        self.commit(0..self.lanes.len()).await?;
        loop {
            self.report();
            let now = now();
            if self.options.until_caught_up && self.lanes.iter().all(|lane| lane.is_caught_up(self.org_time, now)) {
                return Ok(());
            }
            self.send_reads(now);
            match self.next(signals).await {
                Input::Signal(Signal::Stop) => return Ok(()),
                Input::Signal(Signal::Broken(error)) => return Err(error),
                Input::Signal(Signal::Acknowledged(commits)) => self.output.acknowledged(commits),
                Input::Stream(event) => self.take_event(event?).await?,
                Input::Read(Done::Page { lane, deleted, result }) => {
                    let page = result?;
                    self.org_time = self.org_time.max(answered(&page));
                    self.lanes[lane].take_page(page, deleted);
                }
                Input::Read(Done::Fetch { lane, result }) => self.take_fetched(lane, &result?).await?,
                Input::MorePage(lane) => self.write_page(lane).await?,
                Input::Due => {}
            }
        }
    }

    /// Waits for the next thing to happen. Signals come first, then events: pages yield to both.
    async fn next(&mut self, signals: &mut mpsc::UnboundedReceiver<Signal>) -> Input {
        let takes_events = !self.output.is_congested() && !self.lanes.iter().any(|lane| lane.machine.is_full());
        let page = self.lanes.iter().position(Lane::has_page);
        let fetches = self.lanes.iter().filter(|lane| lane.wants_fetch()).map(|lane| lane.fetch_due);
        let quiet = self.lanes.iter().filter(|lane| self.options.until_caught_up && lane.machine.is_caught_up());
        let due = fetches.chain(quiet.map(Lane::quiet_at)).min();
        let due = async {
            match due {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            signal = signals.recv() => Input::Signal(signal.unwrap_or(Signal::Stop)),
            event = self.stream.next(), if takes_events => Input::Stream(event),
            Some(done) = self.reads.next() => Input::Read(done),
            () = due => Input::Due,
            () = std::future::ready(()), if page.is_some() && !self.output.is_congested() => {
                Input::MorePage(page.unwrap_or_default())
            }
        }
    }

    /// Sends the pages and fetches that are due.
    fn send_reads(&mut self, now: Instant) {
        if self.output.is_congested() {
            return;
        }
        for (n, lane) in self.lanes.iter_mut().enumerate() {
            let (org, object) = (self.org.clone(), lane.feed.object.clone());
            if lane.wants_fetch() && lane.fetch_due <= now {
                let soql = lane.send_fetch(now + self.options.coalescing);
                let (org, object) = (org.clone(), object.clone());
                self.reads
                    .push(async move { Done::Fetch { lane: n, result: org.query_all(&object, &soql).await } }.boxed());
            }
            if self.pages < PAGES
                && let Some(read) = lane.machine.next_page()
            {
                self.pages += 1;
                let soql = lane.feed.page(&read, PAGE);
                self.reads.push(
                    async move {
                        let result = match read.deleted {
                            true => org.query_all(&object, &soql).await,
                            false => org.query(&object, &soql).await,
                        };
                        Done::Page { lane: n, deleted: read.deleted, result }
                    }
                    .boxed(),
                );
            }
        }
    }

    async fn take_event(&mut self, event: Event) -> Result<(), Error> {
        match event {
            Event::Delivered(delivery) => self.take_delivery(&delivery).await,
            Event::Subscribed { channel, from, at } => {
                let Some(n) = self.lane_of(channel.name()) else { return Ok(()) };
                tracing::info!(stream = self.lanes[n].stream, %channel, "subscribed {from}");
                self.org_time = self.org_time.max(Second::from(at));
                self.lanes[n].machine.subscribed(from, Second::from(at));
                self.lanes[n].hear(now());
                self.commit(n..n + 1).await
            }
            Event::Alive { at } => {
                for lane in &mut self.lanes {
                    lane.machine.alive(Second::from(at));
                }
                self.heartbeat(Second::from(at)).await
            }
            Event::Gap { channel, why } => {
                let Some(n) = self.lane_of(channel.name()) else { return Ok(()) };
                let lane = &mut self.lanes[n];
                tracing::warn!(
                    stream = lane.stream,
                    why = %why,
                    "events may be missing: reading all changes since the stream was last complete; rows deleted and \
                     purged from the recycle bin since then cannot be found out"
                );
                lane.machine.gap();
                self.stream.resubscribe(channel, ReplayFrom::Tip);
                self.commit(n..n + 1).await
            }
            Event::Refused { channel, failure } => {
                let stream = self.lane_of(channel.name()).map(|n| self.lanes[n].stream.clone()).unwrap_or_default();
                match failure.retry_in {
                    Some(wait) => {
                        tracing::warn!(stream, %channel, seconds = wait.as_secs(), "Salesforce refuses the subscription for now: {failure}");
                        Ok(())
                    }
                    None => Err(Error::Refused { stream, channel: channel.to_string(), why: failure.to_string() }),
                }
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

    /// Writes the next part of a page.
    async fn write_page(&mut self, n: usize) -> Result<(), Error> {
        let lane = &mut self.lanes[n];
        if lane.gives_up_page() {
            tracing::info!(stream = lane.stream, "too much changed while a page was read: reading it again");
            self.pages -= 1;
            return Ok(());
        }
        if lane.write_page(&mut self.output)? {
            self.pages -= 1;
        }
        self.commit(n..n + 1).await
    }

    async fn take_fetched(&mut self, n: usize, page: &Page) -> Result<(), Error> {
        self.lanes[n].take_fetched(page, &mut self.output)?;
        self.commit(n..n + 1).await
    }

    /// Hands over what was collected, with where these lanes stand now.
    async fn commit(&mut self, lanes: impl IntoIterator<Item = usize>) -> Result<(), Error> {
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
        }
        if !bindings.is_empty() {
            patch.insert("bindingStateV1".into(), bindings.into());
        }
        if self.output.collected() == 0 && patch.is_empty() {
            return Ok(());
        }
        let patch = (!patch.is_empty()).then(|| Value::from(patch));
        self.output.commit(patch.as_ref()).await?;
        self.introduced = true;
        for n in touched {
            let lane = &self.lanes[n];
            if let Some(replay) = lane.machine.replay() {
                self.stream.written(&lane.channel, replay);
            }
        }
        Ok(())
    }

    /// Where nothing happens for long, the position must still follow, or it falls out of the org's retention.
    async fn heartbeat(&mut self, at: Second) -> Result<(), Error> {
        match self.lanes.iter().any(|lane| lane.lags(at) >= HEARTBEAT) {
            true => self.commit(0..self.lanes.len()).await,
            false => Ok(()),
        }
    }

    fn lane_of(&self, channel: &str) -> Option<usize> {
        self.by_channel.get(channel).copied()
    }

    /// Tells the user what the session is doing, whenever that changes.
    fn report(&mut self) {
        let all = self.lanes.len();
        let reading = self.lanes.iter().filter(|lane| lane.machine.is_reading()).count();
        let status = match (all, reading) {
            (0, _) => "No bindings are enabled".into(),
            (_, 0) => format!("Streaming change events (all {all} bindings are backfilled)"),
            _ => format!("Backfilling {reading} out of {all} bindings"),
        };
        if status != self.status {
            flow_protocol::log::connector_status(&status);
            self.status = status;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the shell of the session: its machines are given org time only")]
fn now() -> Instant {
    Instant::now()
}
