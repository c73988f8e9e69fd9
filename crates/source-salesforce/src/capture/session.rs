//! The loop of a capture session: one thing happens at a time, each is handed to the machine it concerns, and what the
//! machine says is done.
//!
//! Here are the loop, what it waits for, and what it sends for. In the rooms behind it: what a stream says (`events`), what calls bring
//! (`replies`), those that several bindings share (`together`), looks at what the session rests on (`doubts`), what is committed
//! (`commits`), and what it is told from outside (`signals`).

mod commits;
mod doubts;
mod events;
mod replies;
mod signals;
mod together;

use std::{collections::HashMap, time::Duration};

use futures::{StreamExt as _, stream::FuturesUnordered};
use jiff::Timestamp;
use salesforce_client::{Org, RecordId};
use salesforce_streaming::{Channel, Event, ReplayFrom, Stream};
use tokio::{sync::mpsc, time::Instant};

use self::signals::Signals;
use super::{
    budget::{Budget, Calls, Share},
    clock::{self, answered, now},
    deliveries::Deliveries,
    jobs::Way,
    lane::{Bound, Lane},
    meter::Meter,
    obsolete::Obsolete,
    outlook::Outlook,
    output::Output,
    plan::{Plan, Turns},
    reads::{self, Call, Done},
    report::{self, Report},
    second::Second,
};
use crate::{config::Config, error::Error, shard::Serving};

/// Bulk jobs at hand at a time, over all bindings.
const JOBS: usize = 4;

/// Bytes that the records fetched by id at one time should have in all, as far as rows have shown their size: it bounds how many wide
/// records are fetched together.
const FETCHED: usize = 8 << 20;

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

/// What a session begins with.
pub struct Prepared {
    /// The org that it captures.
    pub org_id: RecordId,
    /// Its bindings.
    pub bound: Vec<Bound>,
    /// The API calls made by sessions before.
    pub calls: Calls,
    /// The events delivered to sessions before.
    pub deliveries: Calls,
    /// What this process serves of the capture.
    pub serving: Serving,
}

/// How a session is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// History of new bindings starts here.
    pub start_date: Option<Timestamp>,
    /// Least time between two fetches of records by id.
    pub coalescing: Duration,
    /// Time between two looks at the objects and topics.
    pub inspection: Duration,
    /// Time between two sweeps beside a stream, if the user has chosen one.
    pub sweeps: Option<Duration>,
    /// Rows of a read after which it goes on by Bulk API 2.0.
    pub bulk_threshold: u64,
    /// Which part of the org's API calls may be used.
    pub share: Share,
    /// End once every binding is complete.
    pub until_caught_up: bool,
}

impl Options {
    /// As the endpoint config says, without an end.
    pub fn of(config: &Config) -> Self {
        Self {
            start_date: config.start_date,
            coalescing: config.coalescing,
            inspection: config.inspection,
            sweeps: config.sweeps,
            bulk_threshold: config.bulk_threshold,
            share: config.share,
            until_caught_up: false,
        }
    }
}

/// A running session.
pub struct Session<O> {
    org: Org,
    capture: String,
    options: Options,
    output: O,
    org_id: RecordId,
    serving: Serving,
    lanes: Vec<Lane>,
    by_channel: HashMap<String, usize>,
    /// Where changes are announced; `None` where all are polled.
    stream: Option<Stream>,
    calls: FuturesUnordered<Call>,
    meter: Meter,
    /// The room that pages take.
    pages: usize,
    /// The lane whose turn it is to read a page: a small object does not wait for the history of large ones.
    turn: usize,
    /// Jobs that are to be deleted.
    obsolete: Obsolete,
    /// How often polls and sweeps come.
    plan: Plan,
    /// When records may be fetched again.
    fetch_due: Instant,
    /// When the next look at the objects and topics is due; `None` while one is under way.
    inspection_due: Option<Instant>,
    /// What the latest one has shown of the org's objects as a whole.
    outlook: Outlook,
    introduced: bool,
    /// The newest time that the org has answered with.
    org_time: Option<Second>,
    report: Report,
}

/// How a session has ended that nothing is wrong with.
enum End {
    /// All that it has written is committed.
    Clean,
    /// Nobody read a commit to its end: nothing may be written behind half a line.
    Torn,
}

/// All that can wake the session.
enum Input {
    Signal(Signal),
    Stream(Result<Event, salesforce_streaming::Error>),
    Done(Done),
    MorePage(usize),
    /// The time of something has come.
    Due,
}

impl<O: Output> Session<O> {
    /// Prepares a session of a capture; nothing is subscribed or read before [`Session::run`].
    pub fn new(org: Org, capture: &str, prepared: Prepared, output: O, options: Options) -> Self {
        let now = now();
        let start_date = options.start_date.map(Second::from);
        let mut subscriptions = Vec::new();
        let mut lanes = Vec::new();
        let turns: Vec<_> = prepared.bound.iter().map(|bound| Turns::of(bound, options.sweeps)).collect();
        let share = options.share.part(prepared.serving.part());
        let allowed = org.usage().map(|usage| share.of(usage.limit));
        let plan = Plan::of(&turns, options.inspection, allowed);
        plan.tell();
        for (bound, turns) in prepared.bound.into_iter().zip(&turns) {
            let (interval, way) = (plan.interval(turns), Way::new(options.bulk_threshold));
            let (lane, subscription) = Lane::new(bound, start_date, interval, way, options.until_caught_up, now);
            subscriptions.extend(subscription);
            lanes.push(lane);
        }
        let named = lanes
            .iter()
            .enumerate()
            .filter_map(|(n, lane): (usize, &Lane)| Some((lane.channel.as_ref()?.name().to_owned(), n)));
        let by_channel: HashMap<_, _> = named.collect();
        let stream = (!subscriptions.is_empty()).then(|| open_stream(&org, subscriptions));
        let serving = prepared.serving;
        let budget = Budget::new(options.share.part(serving.part()), prepared.calls.part(serving.heritage()));
        Self {
            org,
            capture: capture.to_owned(),
            output,
            org_id: prepared.org_id,
            lanes,
            by_channel,
            stream,
            calls: FuturesUnordered::new(),
            meter: Meter::new(budget, &prepared.calls, Deliveries::new(prepared.deliveries, now), now),
            serving,
            pages: 0,
            turn: 0,
            obsolete: Obsolete::default(),
            plan,
            fetch_due: now,
            inspection_due: Some(now + options.inspection),
            outlook: Outlook::default(),
            options,
            introduced: false,
            org_time: None,
            report: Report::new(serving, now),
        }
    }

    /// Runs until told to stop, or until caught up if that is asked for.
    ///
    /// # Errors
    /// Whatever only the user, or a fresh session, can mend.
    pub async fn run(mut self, signals: mpsc::UnboundedReceiver<Signal>) -> Result<O, Error> {
        let result = self.take_turns(&mut Signals::new(signals)).await;
        let stream = self.stream.take();
        let counts = async {
            if let Ok(End::Clean) = result {
                self.keep_counts().await;
            }
        };
        // However it ended: a session without a farewell counts against the org's streaming clients for a while.
        let farewell = async {
            if let Some(stream) = stream {
                stream.close().await;
            }
        };
        tokio::join!(counts, farewell);
        result.map(|_| self.output)
    }

    async fn take_turns(&mut self, signals: &mut Signals) -> Result<End, Error> {
        for lane in &self.lanes {
            self.output.sourced_schema(lane.index, &lane.feed.schema());
        }
        let mut done = signals.during(self.commit(0..self.lanes.len())).await;
        loop {
            match done {
                Some(outcome) => outcome?,
                None => return signals.end(),
            }
            self.renew();
            let now = now();
            self.meter.read(&self.org, now);
            self.report(now);
            if self.options.until_caught_up
                && self.obsolete.is_tidy()
                && self.lanes.iter().all(|lane| lane.is_caught_up(now))
            {
                return Ok(End::Clean);
            }
            self.send(now);
            done = match self.next(signals, now).await {
                Input::Signal(Signal::Stop) => return Ok(End::Clean),
                Input::Signal(Signal::Broken(error)) => return Err(error),
                Input::Signal(Signal::Acknowledged(commits)) => {
                    self.output.acknowledged(commits);
                    self.obsolete.durable(commits);
                    Some(Ok(()))
                }
                Input::Stream(event) => signals.during(self.take_event(event?)).await,
                Input::Done(done) => signals.during(self.take(done)).await,
                Input::MorePage(lane) => signals.during(self.write_page(lane)).await,
                Input::Due => Some(Ok(())),
            };
        }
    }

    /// Waits for the next thing to happen. Signals come first, then events: pages yield to both.
    async fn next(&mut self, signals: &mut Signals, now: Instant) -> Input {
        let takes_events = !self.output.is_congested() && !self.lanes.iter().any(|lane| lane.machine.is_full());
        let page = self.lanes.iter().position(Lane::has_page);
        let due = self.due(now);
        let due = async {
            match due {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        let event = async {
            match &mut self.stream {
                Some(stream) if takes_events => stream.next().await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            signal = signals.next() => Input::Signal(signal),
            event = event => Input::Stream(event),
            Some(done) = self.calls.next() => Input::Done(done),
            () = due => Input::Due,
            () = std::future::ready(()), if page.is_some() && !self.output.is_congested() => {
                Input::MorePage(page.unwrap_or_default())
            }
        }
    }

    /// When something is due, if nothing happens before. What a full output holds back is not: it is due when there is room.
    fn due(&self, now: Instant) -> Option<Instant> {
        let quiet = self.lanes.iter().filter(|_| self.options.until_caught_up);
        let quiet = quiet.filter_map(Lane::quiet_at).filter(|at| *at > now);
        if self.output.is_congested() {
            return quiet.min();
        }
        if let Some(until) = self.meter.waits_until(now) {
            return quiet.chain([until]).min();
        }
        let fetch = self.lanes.iter().any(Lane::wants_fetch).then_some(self.fetch_due);
        let sweeps = self.lanes.iter().filter(|lane| lane.awaits_sweep()).map(|lane| lane.sweep_due(now));
        let jobs = self.lanes.iter().filter(|lane| lane.doubt.is_none()).filter_map(|lane| lane.way.due());
        let time = self.time();
        let refreshes = self.lanes.iter().filter_map(|lane| lane.refresh_due(time, now));
        let told = Some(self.meter.tell_due());
        quiet.chain(fetch).chain(sweeps).chain(refreshes).chain(jobs).chain(self.inspection_due).chain(told).min()
    }

    /// The org's time, as far as it is known: no earlier than ours.
    fn time(&self) -> Second {
        let ours = clock::ours();
        self.org_time.map_or(ours, |time| time.max(ours))
    }

    /// Sends for what is due.
    fn send(&mut self, now: Instant) {
        if self.output.is_congested() || self.meter.waits_until(now).is_some() {
            return;
        }
        let slower = self.meter.slower();
        if self.fetch_due <= now {
            let wanting = self.lanes.iter().filter(|lane| lane.wants_fetch()).count();
            let share = FETCHED / wanting.max(1);
            let wanted = self.lanes.iter_mut().enumerate().filter(|(_, lane)| lane.wants_fetch());
            let wanted: Vec<_> = wanted.filter_map(|(n, lane)| Some((n, lane.next_fetch(share)?))).collect();
            if !wanted.is_empty() {
                self.fetch_due = now + self.options.coalescing.mul_f64(slower);
                self.calls.extend(reads::fetches(&self.org, &self.lanes, wanted));
            }
        }
        self.begin_sweeps(now, slower);
        self.send_lists();
        self.send_pages();
        let mut jobs = self.lanes.iter().filter(|lane| lane.way.has_job()).count();
        let time = self.time();
        for (n, lane) in self.lanes.iter_mut().enumerate() {
            lane.keep_fresh(time);
            if lane.goes_by_job()
                && jobs < JOBS
                && let Some(read) = lane.next_page()
            {
                jobs += 1;
                self.calls.extend(lane.begin_job(&self.org, n, &read));
            }
            self.calls.extend(lane.next_of_job(&self.org, n, now));
        }
        while let Some((object, job)) = self.obsolete.next() {
            self.calls.push(reads::delete_job(&self.org, object, job));
        }
        if self.meter.deliveries.asks(now) {
            self.calls.push(reads::limits(&self.org));
        }
        if self.inspection_due.is_some_and(|due| due <= now) {
            self.inspection_due = None;
            let (subjects, doubted) = self.subjects();
            let outlook = self.outlook.clone();
            self.calls.push(reads::inspection(&self.org, &self.capture, subjects, doubted, outlook));
        }
    }

    /// The org told its time.
    fn hear(&mut self, at: Option<Timestamp>) {
        self.org_time = self.org_time.max(Some(answered(at)));
    }

    /// Writes the next part of a page.
    async fn write_page(&mut self, n: usize) -> Result<(), Error> {
        let lane = &mut self.lanes[n];
        if lane.way.has_rows() {
            lane.write_job(&mut self.output)?;
            return self.commit([n]).await;
        }
        if lane.gives_up_page() {
            tracing::info!(stream = lane.stream(), "too much changed while a page was read: reading it again");
            self.page_over(n);
            return Ok(());
        }
        if lane.write_page(&mut self.output)? {
            self.page_over(n);
        }
        self.commit(n..n + 1).await
    }

    fn lane_of(&self, channel: &str) -> Option<usize> {
        self.by_channel.get(channel).copied()
    }

    /// Tells the user what the session is doing.
    fn report(&mut self, now: Instant) {
        let binding =
            |lane| report::Binding { stream: Lane::stream(lane), polls: lane.polls, standing: lane.standing() };
        self.report.tell(self.meter.why(), self.lanes.iter().map(binding), now);
    }
}

/// Begins to hear these channels.
fn open_stream(org: &Org, subscriptions: Vec<(Channel, ReplayFrom)>) -> Stream {
    Stream::open(org.clone(), salesforce_streaming::Options::default(), subscriptions)
}
