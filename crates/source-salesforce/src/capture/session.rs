//! The loop of a capture session: one thing happens at a time, each is handed to the machine it concerns, and what the
//! machine says is done.

mod events;

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use futures::{StreamExt as _, stream::FuturesUnordered};
use jiff::Timestamp;
use salesforce_client::{Class, Org, RecordId, SObjectName, bulk::JobId, retrieve::Retrieved};
use salesforce_streaming::{Event, Stream};
use serde_json::{Map, Value, json};
use tokio::{sync::mpsc, time::Instant};

use super::{
    budget::{Budget, Calls, Share},
    inspection::{Finding, Subject},
    jobs::Way,
    lane::{Bound, GROUP, Lane, answered},
    meter::Meter,
    output::Output,
    position::VERSION,
    reads::{self, Call, Done},
    second::Second,
};
use crate::{changes, config::Config, error::Error};

/// Pages on their way or in hand at a time, over all bindings: they bound the memory of a session.
const PAGES: usize = 2;

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
    /// Time between two sweeps beside a stream.
    pub sweeps: Duration,
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
    lanes: Vec<Lane>,
    by_channel: HashMap<String, usize>,
    /// Where changes are announced; `None` where all are polled.
    stream: Option<Stream>,
    calls: FuturesUnordered<Call>,
    meter: Meter,
    pages: usize,
    /// The lane whose turn it is to read a page: a small object does not wait for the history of large ones.
    turn: usize,
    /// Commits so far, and how many of them are durable.
    commits: u64,
    durable: u64,
    /// Jobs to be deleted once so many commits are durable.
    obsolete: VecDeque<(u64, SObjectName, JobId)>,
    /// Deletions under way.
    deletions: usize,
    /// When records may be fetched again.
    fetch_due: Instant,
    /// When the next look at the objects and topics is due; `None` while one is under way.
    inspection_due: Option<Instant>,
    introduced: bool,
    /// The newest time that the org has answered with: once a stream has brought events created since, it is caught up.
    org_time: Option<Second>,
    status: String,
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
        for bound in prepared.bound {
            let (lane, subscription) =
                Lane::new(bound, start_date, options.sweeps, Way::new(options.bulk_threshold), now);
            subscriptions.extend(subscription);
            lanes.push(lane);
        }
        let named = lanes
            .iter()
            .enumerate()
            .filter_map(|(n, lane): (usize, &Lane)| Some((lane.channel.as_ref()?.name().to_owned(), n)));
        let by_channel: HashMap<_, _> = named.collect();
        let stream = (!subscriptions.is_empty())
            .then(|| Stream::open(org.clone(), salesforce_streaming::Options::default(), subscriptions));
        Self {
            org,
            capture: capture.to_owned(),
            output,
            org_id: prepared.org_id,
            lanes,
            by_channel,
            stream,
            calls: FuturesUnordered::new(),
            meter: Meter::new(Budget::new(options.share, prepared.calls), now),
            pages: 0,
            turn: 0,
            commits: 0,
            durable: 0,
            obsolete: VecDeque::new(),
            deletions: 0,
            fetch_due: now,
            inspection_due: Some(now + options.inspection),
            options,
            introduced: false,
            org_time: None,
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
        if let Some(stream) = self.stream {
            stream.close().await;
        }
        result.map(|()| self.output)
    }

    async fn take_turns(&mut self, signals: &mut mpsc::UnboundedReceiver<Signal>) -> Result<(), Error> {
        for lane in &self.lanes {
            self.output.sourced_schema(lane.index, &lane.feed.schema());
        }
        self.commit(0..self.lanes.len()).await?;
        loop {
            self.renew();
            let now = now();
            self.meter.read(&self.org, now);
            self.report();
            let is_tidy = self.obsolete.is_empty() && self.deletions == 0;
            if self.options.until_caught_up
                && is_tidy
                && self.lanes.iter().all(|lane| lane.is_caught_up(self.org_time, now))
            {
                return Ok(());
            }
            self.send(now);
            match self.next(signals, now).await {
                Input::Signal(Signal::Stop) => return Ok(()),
                Input::Signal(Signal::Broken(error)) => return Err(error),
                Input::Signal(Signal::Acknowledged(commits)) => {
                    self.output.acknowledged(commits);
                    self.durable += u64::from(commits);
                }
                Input::Stream(event) => self.take_event(event?).await?,
                Input::Done(done) => self.take(done).await?,
                Input::MorePage(lane) => self.write_page(lane).await?,
                Input::Due => {}
            }
        }
    }

    /// Waits for the next thing to happen. Signals come first, then events: pages yield to both.
    async fn next(&mut self, signals: &mut mpsc::UnboundedReceiver<Signal>, now: Instant) -> Input {
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
            signal = signals.recv() => Input::Signal(signal.unwrap_or(Signal::Stop)),
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
        let quiet = self.lanes.iter().filter(|lane| self.options.until_caught_up && lane.machine.is_caught_up());
        let quiet = quiet.map(Lane::quiet_at).filter(|at| *at > now);
        if self.output.is_congested() {
            return quiet.min();
        }
        if let Some(until) = self.meter.waits_until(now) {
            return quiet.chain([until]).min();
        }
        let fetch = self.lanes.iter().any(Lane::wants_fetch).then_some(self.fetch_due);
        let sweeps = self.lanes.iter().filter(|lane| lane.awaits_sweep()).map(|lane| lane.sweep_due);
        let jobs = self.lanes.iter().filter(|lane| lane.doubt.is_none()).filter_map(|lane| lane.way.due());
        quiet.chain(fetch).chain(sweeps).chain(jobs).chain(self.inspection_due).min()
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
        let mut jobs = self.lanes.iter().filter(|lane| lane.way.has_job()).count();
        let (first, all) = (self.turn, self.lanes.len());
        for n in (first..all).chain(0..first) {
            let lane = &mut self.lanes[n];
            if lane.awaits_sweep() && lane.sweep_due <= now {
                lane.begin_sweep(now, slower);
                if lane.feed.is_replicateable {
                    // Before the org's first answer our own clock serves: a first poll too is to cover no more than is visible.
                    let time = self.org_time.unwrap_or_else(|| answered(None));
                    self.calls.push(reads::covered(&self.org, n, lane, time));
                } else {
                    lane.sweep(None);
                }
            }
            if let Some(from) = lane.next_list(self.org_time) {
                let now = self.org_time.unwrap_or(from);
                self.calls.push(reads::deletions(&self.org, n, lane, from, now));
            }
            let by_job = lane.goes_by_job();
            let has_room = if by_job { jobs < JOBS } else { self.pages < PAGES };
            if has_room && let Some(read) = lane.next_page() {
                if by_job {
                    jobs += 1;
                    self.calls.extend(lane.begin_job(&self.org, n, &read));
                } else {
                    self.turn = (n + 1) % all;
                    self.pages += 1;
                    self.calls.push(reads::page(&self.org, n, lane, &read));
                }
            }
            self.calls.extend(lane.next_of_job(&self.org, n, now));
        }
        while self.obsolete.front().is_some_and(|(commits, ..)| *commits <= self.durable)
            && let Some((_, object, job)) = self.obsolete.pop_front()
        {
            self.deletions += 1;
            self.calls.push(reads::delete_job(&self.org, object, job));
        }
        if self.inspection_due.is_some_and(|due| due <= now) {
            self.inspection_due = None;
            let (subjects, doubted) = self.subjects();
            self.calls.push(reads::inspection(&self.org, &self.capture, subjects, doubted));
        }
    }

    /// What to look at, and which of it is in doubt.
    fn subjects(&self) -> (Vec<Subject>, Vec<usize>) {
        let subject = |(n, lane): (usize, &Lane)| Subject {
            lane: n,
            resource: lane.resource.clone(),
            feed: lane.feed.clone(),
            is_streamed: lane.channel.is_some(),
            is_doubted: lane.doubt.is_some(),
        };
        let subjects: Vec<_> = self.lanes.iter().enumerate().map(subject).collect();
        let doubted = subjects.iter().filter(|subject| subject.is_doubted).map(|subject| subject.lane).collect();
        (subjects, doubted)
    }

    async fn take(&mut self, done: Done) -> Result<(), Error> {
        match done {
            Done::Page { lane: n, result: Err(error), .. } => {
                self.pages -= 1;
                self.lanes[n].lost_page();
                self.refused(n, error)
            }
            Done::Page { lane, deleted, result: Ok(page) } => {
                self.hear(page.answered());
                self.lanes[lane].take_page(page, deleted);
                Ok(())
            }
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
                self.deletions -= 1;
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
            Done::Retrieved { lanes, result } => self.take_retrieved(lanes, result?).await,
            Done::Covered { lane: n, result: Err(error) } => {
                self.lanes[n].lost_time(now());
                self.refused(n, error)
            }
            Done::Covered { lane, result: Ok(covers) } => {
                self.lanes[lane].sweep(covers);
                Ok(())
            }
            Done::Listed { lane: n, from, result: Err(error) } if error.class() == Class::Wait => {
                self.lanes[n].lost_list(from);
                self.refused(n, error)
            }
            Done::Listed { lane, from, result } => {
                self.pages -= usize::from(self.lanes[lane].take_list(from, result)?);
                self.commit([lane]).await
            }
            Done::Inspected { result: Err(error), .. } if error.passes_with_time() => {
                self.inspection_due = Some(now());
                self.meter.refused(&error);
                Ok(())
            }
            Done::Inspected { doubted, result } => self.take_findings(&doubted, result?).await,
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

    /// A refusal ends the session, unless it passes with time, or the object may have changed since it was described.
    fn refused(&mut self, n: usize, error: salesforce_client::Error) -> Result<(), Error> {
        if error.class() == Class::Wait {
            self.meter.refused(&error);
            return Ok(());
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
    fn doubt(&mut self, n: usize, error: Error) {
        self.lanes[n].doubt = Some(error);
        self.inspection_due = self.inspection_due.map(|_| now());
    }

    async fn take_findings(&mut self, doubted: &[usize], findings: Vec<Finding>) -> Result<(), Error> {
        let now = now();
        let mut touched = Vec::new();
        for Finding { lane: n, feed, topic } in findings {
            let lane = &mut self.lanes[n];
            touched.push(n);
            if let Some((channel, from)) = topic.and_then(|topic| lane.topic_seen(&topic))
                && let Some(stream) = &mut self.stream
            {
                stream.resubscribe(channel, from);
                lane.doubt = None;
            }
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

    /// Exchanges the feeds of lanes that have nothing on its way any more.
    fn renew(&mut self) {
        for lane in &mut self.lanes {
            if lane.renew() {
                self.output.sourced_schema(lane.index, &lane.feed.schema());
            }
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
            self.pages -= 1;
            return Ok(());
        }
        if lane.write_page(&mut self.output)? {
            self.pages -= 1;
        }
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
        // For its own sake it is not worth a commit.
        if let Some(calls) = self.meter.patch().filter(|_| !patch.is_empty() || self.output.collected() > 0) {
            patch.insert("calls".into(), calls);
        }
        if self.output.collected() == 0 && patch.is_empty() {
            return Ok(());
        }
        let patch = (!patch.is_empty()).then(|| Value::from(patch));
        self.output.commit(patch.as_ref()).await?;
        self.introduced = true;
        self.commits += 1;
        if self.output.is_durable_at_once() {
            self.durable = self.commits;
        }
        for n in &touched {
            let lane = &mut self.lanes[*n];
            let obsolete = lane.way.take_obsolete().into_iter();
            self.obsolete.extend(obsolete.map(|job| (self.commits, lane.feed.object.clone(), job)));
        }
        let Some(stream) = &mut self.stream else { return Ok(()) };
        for lane in touched.into_iter().map(|n| &self.lanes[n]) {
            if let (Some(channel), Some(replay)) = (&lane.channel, lane.machine.replay()) {
                stream.written(channel, replay);
            }
        }
        Ok(())
    }

    fn lane_of(&self, channel: &str) -> Option<usize> {
        self.by_channel.get(channel).copied()
    }

    /// Tells the user what the session is doing, whenever that changes.
    fn report(&mut self) {
        let all = self.lanes.len();
        let reading = self.lanes.iter().filter(|lane| lane.is_backfilling()).count();
        let status = match (all, reading) {
            _ if self.meter.why().is_some() => self.meter.why().unwrap_or_default(),
            (0, _) => "No bindings are enabled".into(),
            (_, 0) => format!("Capturing changes of all {all} bindings: {}", self.summary()),
            _ => format!("Backfilling {reading} out of {all} bindings: {}", self.summary()),
        };
        if status != self.status {
            flow_protocol::log::connector_status(&status);
            self.status = status;
        }
    }

    /// What is streamed, what is polled, and why.
    fn summary(&self) -> String {
        changes::summary(self.lanes.iter().map(|lane| (lane.stream(), lane.polls)))
    }
}

#[expect(clippy::disallowed_methods, reason = "the shell of the session: its machines are given org time only")]
fn now() -> Instant {
    Instant::now()
}
