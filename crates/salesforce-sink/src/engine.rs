//! The shell around the machines: one task that takes changes in, keeps calls going, and hands receipts out. It alone reads the clock and
//! rolls the dice.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use salesforce_client::retry::Policy;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};

use crate::{
    Error, Operation, Outcome, Prepared, Receipt, Rejection, State,
    call::{self, Reply},
    delivery::{Delivery, Errand, Line, Terms},
    doors::Doors,
    fields::{Address, Fitted},
    halves::{Halves, Second, Written},
    job,
    journey::{Journey, Party},
    learned::Learned,
    orphans::{Orphan, Orphans, Turn},
    plan::{self, Batch, Route, Site, Sizes, Way},
    receipt::in_short,
    row::Row,
    settled::Settled,
    target::Deleted,
    traffic::{Entrance, Place},
    turns::{Ending, Pause},
    window::{Part, Run, TargetId, Window},
};

/// What comes in.
pub(crate) enum Input<O> {
    Change { target: TargetId, operation: Operation, fitted: Fitted, ticket: Ticket<O> },
    Flush(oneshot::Sender<()>),
}

/// What a change leaves with the window until its receipt.
pub(crate) struct Ticket<O> {
    pub(crate) origin: O,
    pub(crate) key: Option<Box<str>>,
    pub(crate) since: Instant,
    pub(crate) room: Room,
}

/// The room a change takes up until its receipt is taken.
pub(crate) struct Room {
    pub(crate) _rows: tokio::sync::OwnedSemaphorePermit,
    pub(crate) _bytes: tokio::sync::OwnedSemaphorePermit,
}

/// A receipt on its way out.
pub(crate) type Outgoing<O> = (Receipt<O>, Room);

/// What the engine is told once.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) sizes: Sizes,
    pub(crate) linger: Duration,
    pub(crate) policy: Policy,
    pub(crate) quota_pause: Duration,
}

type JourneyId = u64;

pub(crate) struct Engine<O> {
    doors: Arc<dyn Doors>,
    targets: Vec<Arc<Prepared>>,
    sites: Vec<Site>,
    settings: Settings,
    window: Window<Ticket<O>>,
    orphans: Orphans<Ticket<O>>,
    halves: Halves<Ticket<O>>,
    journeys: BTreeMap<JourneyId, Journey<Ticket<O>>>,
    next_journey: JourneyId,
    calls: FuturesUnordered<BoxFuture<'static, (JourneyId, Reply, Place)>>,
    entrance: Entrance,
    learned: Learned,
    flushes: Vec<(crate::window::Seq, oneshot::Sender<()>)>,
    receipts: mpsc::UnboundedSender<Outgoing<O>>,
    state: watch::Sender<State>,
}

/// How many batches there may be, for each call at once: those that wait for a lock must not keep the others waiting.
const BATCHES_PER_CALL: usize = 4;
/// How many changes are taken in before calls are looked after again.
const AT_ONCE: usize = 1_000;

impl<O: Send + 'static> Engine<O> {
    pub(crate) fn new(
        doors: Arc<dyn Doors>,
        entrance: Entrance,
        targets: Vec<Arc<Prepared>>,
        settings: Settings,
        receipts: mpsc::UnboundedSender<Outgoing<O>>,
        state: watch::Sender<State>,
    ) -> Engine<O> {
        Engine {
            doors,
            sites: plan::sites(&targets),
            targets,
            window: Window::new(),
            orphans: Orphans::new(),
            halves: Halves::new(),
            journeys: BTreeMap::new(),
            next_journey: 0,
            calls: FuturesUnordered::new(),
            entrance,
            settings,
            learned: Learned::default(),
            flushes: Vec::new(),
            receipts,
            state,
        }
    }

    /// Works until nobody submits any more and everything has its receipt, or nobody wants receipts, or the sink fails.
    pub(crate) async fn run(mut self, mut input: mpsc::Receiver<Input<O>>) {
        let mut open = true;
        let mut arrived = Vec::new();
        while open || self.window.len() > 0 {
            // Nobody adds to what waits any more, so waiting for more is in vain.
            let wake = self.start_calls(!open);
            tokio::select! {
                count = input.recv_many(&mut arrived, AT_ONCE), if open => {
                    open = count > 0;
                    arrived.drain(..).for_each(|input| self.take_in(input));
                }
                Some((id, reply, place)) = self.calls.next(), if !self.calls.is_empty() => {
                    if let Err(error) = self.hear(id, reply, place) {
                        // Whoever submits is told, and says it once.
                        tracing::debug!(%error, "the sink fails");
                        self.state.send_replace(State::Failed(error));
                        return;
                    }
                }
                () = self.entrance.called() => {}
                () = sleep_until(wake) => {}
                () = self.receipts.closed() => return,
            }
        }
    }

    fn take_in(&mut self, input: Input<O>) {
        match input {
            Input::Change { target, operation, fitted, ticket } => self.window.push(target, operation, fitted, ticket),
            Input::Flush(done) => {
                self.flushes.push((self.window.next_seq(), done));
                self.answer_flushes();
            }
        }
    }

    /// Answers those who wait until everything they submitted has its receipt.
    fn answer_flushes(&mut self) {
        let oldest = self.window.oldest();
        for (_, done) in self.flushes.extract_if(.., |(bound, _)| oldest.is_none_or(|oldest| oldest >= *bound)) {
            // Whoever asked may have gone.
            let _ = done.send(());
        }
    }

    /// Begins as many calls as may be under way; answers when to look again, if nothing happens before.
    fn start_calls(&mut self, closing: bool) -> Option<Instant> {
        let now = now();
        self.tell_state();
        if self.window.len() == 0 {
            self.entrance.leave();
            return None;
        }
        if let Some(Pause { until, .. }) = self.entrance.pause().filter(|pause| now < pause.until) {
            self.journeys.values_mut().filter(|it| !it.calling).for_each(|it| it.delivery.hold(now, until));
            return Some(until);
        }
        loop {
            let is_sent_away = loop {
                let Some(place) = self.entrance.enter(now) else { break true };
                let idle = self.journeys.iter().find(|(_, it)| !it.calling && it.delivery.wake <= now);
                match idle.map(|(id, _)| *id).or_else(|| self.begin(now, closing)) {
                    Some(id) => self.call(id, place),
                    None => break false,
                }
            };
            let pauses = self.journeys.values().filter(|it| !it.calling).map(|it| it.delivery.wake);
            let wakes = pauses.chain(self.lingering()).chain(self.entrance.answer_by());
            let wake = wakes.filter(|wake| *wake > now).min();
            let is_idle = !is_sent_away && self.journeys.is_empty() && wake.is_none();
            if !is_idle || !self.look_after_orphans(now) {
                return wake;
            }
        }
    }

    /// When the oldest changes that could go must wait no longer, those of each target and operation.
    fn lingering(&self) -> impl Iterator<Item = Instant> {
        let ids = (0..self.targets.len() as u32).map(TargetId);
        let kinds = ids.flat_map(|id| Operation::ALL.map(|operation| (id, operation)));
        let oldest = kinds.filter_map(|(id, operation)| self.window.oldest_ready(id, operation));
        oldest.map(|part| part.tag.since + self.settings.linger)
    }

    /// Makes a batch of what waits.
    fn begin(&mut self, now: Instant, closing: bool) -> Option<JourneyId> {
        if self.journeys.len() >= self.entrance.most() * BATCHES_PER_CALL {
            return None;
        }
        let (linger, flushed) = (self.settings.linger, self.flushes.iter().map(|(bound, _)| *bound).max());
        let due = |part: &Part<Ticket<O>>| {
            closing || flushed.is_some_and(|bound| part.seq < bound) || part.tag.since + linger <= now
        };
        let fits_csv = |part: &Part<Ticket<O>>| part.row.fits_csv();
        let batch = plan::next(&mut self.window, &self.sites, &self.settings.sizes, due, fits_csv)?;
        let Batch { target, operation, way, runs } = batch;
        let prepared = self.prepared(target);
        let terms = self.terms(target, operation, way);
        let line = |run: &Run<Ticket<O>>| {
            let mut row = run.row();
            self.learned.leave_out(target, operation, &mut row);
            let name = prepared.matched.as_ref().and_then(|field| row.get(field.name.as_str()).cloned());
            Line::new(run.first().address.clone(), name, row)
        };
        let lines = runs.iter().map(line).collect();
        Some(self.set_out(target, (terms, lines, runs), now))
    }

    fn terms(&self, target: TargetId, operation: Operation, way: Way) -> Terms {
        let prepared = &self.targets[target.0 as usize];
        Terms {
            operation,
            way,
            missing: prepared.target.missing,
            restores: prepared.target.deleted == Deleted::Restore
                && matches!(operation, Operation::Upsert | Operation::Update),
            unique: prepared.matched.as_ref().is_some_and(|field| field.unique),
            quota_pause: self.settings.quota_pause,
        }
    }

    fn set_out(&mut self, target: TargetId, (terms, lines, runs): Party<Ticket<O>>, now: Instant) -> JourneyId {
        let delivery = Delivery::new(terms, lines, now);
        let id = self.next_journey;
        self.next_journey += 1;
        let runs = runs.into_iter().map(Some).collect();
        self.journeys.insert(id, Journey { target, delivery, runs, calling: false });
        id
    }

    fn prepared(&self, target: TargetId) -> Arc<Prepared> {
        Arc::clone(&self.targets[target.0 as usize])
    }

    /// Begins the next call of a batch.
    fn call(&mut self, id: JourneyId, place: Place) {
        let Some(journey) = self.journeys.get_mut(&id) else { return };
        let Some(errand) = journey.delivery.next() else { return };
        journey.calling = true;
        let prepared = &self.targets[journey.target.0 as usize];
        let call = call::begin(&*self.doors, prepared, &journey.delivery, errand);
        self.calls.push(Box::pin(async move { (id, call.await, place) }));
    }

    /// Takes the reply to a call.
    fn hear(&mut self, id: JourneyId, reply: Reply, place: Place) -> Result<(), Error> {
        let Some(journey) = self.journeys.get_mut(&id) else { return Ok(()) };
        journey.calling = false;
        let (delivery, policy, now, roll) = (&mut journey.delivery, &self.settings.policy, now(), rand::random());
        let answered = !matches!(reply, Reply::Failed(..));
        let effects = match reply {
            Reply::Written(lines, answers) => delivery.written(&lines, answers, policy, now, roll),
            Reply::Restored(lines, outcomes) => delivery.restored(lines, outcomes),
            Reply::Resolved(lines, ids) => delivery.resolved(lines, ids),
            Reply::Looked(lines, ids) => {
                let effects = delivery.looked(lines, ids);
                if !effects.settled.is_empty() {
                    let (object, records) =
                        (&self.targets[journey.target.0 as usize].target.object, effects.settled.len());
                    tracing::warn!(%object, records, "the reply to creates was lost; records with their keys are there and are taken for them");
                }
                effects
            }
            Reply::Failed(errand, stuck) => {
                tracing::warn!(error = %stuck.error, "a call failed");
                let is_job = delivery.terms.way == Way::Bulk && matches!(errand, Errand::Write(_));
                if is_job && job::is_closed(&stuck.error) {
                    self.sites[journey.target.0 as usize].bulk.clear();
                }
                delivery.failed(errand, *stuck, policy, now, roll)?
            }
        };
        place.end(match effects.exhausted {
            Some(why) => {
                tracing::warn!(%why, "an allocation of the org is used up; everything that writes to it pauses");
                Ending::Exhausted(Pause { until: delivery.wake, why })
            }
            None if effects.congested => Ending::Congested,
            None if answered => Ending::Well,
            None => Ending::Nothing,
        });
        let (target, parties) = (journey.target, journey.divide(effects.found, &self.settings.sizes));
        for party in parties {
            self.set_out(target, party, now);
        }
        self.tell_state();
        self.learn(id, &effects.learned);
        for (line, settled) in effects.settled {
            self.settle(id, line, settled);
        }
        if self.journeys.get(&id).is_some_and(|journey| journey.delivery.is_done()) {
            self.journeys.remove(&id);
        }
        self.answer_flushes();
        Ok(())
    }

    /// Says whether the sink is held up: it has something to send, and the org has no calls left.
    fn tell_state(&self) {
        let pause = self.entrance.pause().filter(|_| self.window.len() > 0);
        self.state.send_if_modified(|state| match (&state, pause) {
            (State::Running, Some(Pause { why, .. })) => {
                *state = State::Paused { why };
                true
            }
            (State::Paused { .. }, None) => {
                *state = State::Running;
                true
            }
            _ => false,
        });
    }

    /// Remembers fields that an operation cannot write.
    fn learn(&mut self, id: JourneyId, fields: &[String]) {
        let Some(journey) = self.journeys.get(&id) else { return };
        let (target, operation) = (journey.target, journey.delivery.terms.operation);
        let prepared = &self.targets[target.0 as usize];
        for field in fields {
            if self.learned.learn(target, prepared, operation, field) {
                let object = &prepared.target.object;
                tracing::warn!(%object, %operation, field, "the org refuses to write a field that its describe calls writable; it is left out");
            }
        }
    }

    /// What became of a row. One of several changes that was refused is taken apart: the reason may lie in one of them.
    fn settle(&mut self, id: JourneyId, line: usize, settled: Settled) {
        let Some(journey) = self.journeys.get_mut(&id) else { return };
        let Some(mut run) = journey.runs[line].take() else { return };
        let (target, row) = (journey.target, Arc::clone(&journey.delivery.lines[line].row));
        self.window.park(&mut run);
        if matches!(settled, Settled::Applied { .. }) {
            self.orphans.hope();
        }
        let Some(written) = self.halves.settled(Written { target, run, row, settled }) else { return };
        let Written { target, run, row, settled } = written;
        match settled {
            Settled::Applied { .. } => self.close(target, run, &row, &settled),
            Settled::Rejected { .. } | Settled::Orphaned { .. } if run.parts.len() > 1 => self.window.take_apart(run),
            Settled::Orphaned { .. } => self.orphans.park(Orphan { target, run, row, refusal: settled }),
            Settled::Rejected { .. } => self.close(target, run, &row, &settled),
        }
    }

    /// Sends rows again that wait for others, or hands out their receipts if that is in vain. Answers whether there were any.
    fn look_after_orphans(&mut self, now: Instant) -> bool {
        match self.orphans.turn(&self.targets) {
            None => return self.send_second_halves(now),
            Some(Turn::Again(orphans)) => orphans.into_iter().for_each(|orphan| self.window.take_apart(orphan.run)),
            Some(Turn::Open(orphans)) => {
                for (mut orphan, without) in orphans {
                    self.halves.tear(&mut orphan.run, &without);
                    self.window.take_apart(orphan.run);
                }
            }
            Some(Turn::InVain(orphans)) => {
                for Orphan { target, run, row, refusal } in orphans {
                    self.close(target, run, &row, &refusal);
                }
                self.answer_flushes();
            }
        }
        true
    }

    /// Sends what was held back of rows, as updates by Id. Answers whether there was anything.
    fn send_second_halves(&mut self, now: Instant) -> bool {
        let (way, most) = match self.settings.sizes.route {
            Route::Single => (Way::Single, 1),
            Route::Auto | Route::Collections | Route::Bulk => (Way::Collection, self.settings.sizes.rows),
        };
        let mut seconds = self.halves.take();
        seconds.sort_by_key(|second| second.target);
        let any = !seconds.is_empty();
        let mut seconds = seconds.into_iter().peekable();
        while let Some(target) = seconds.peek().map(|second| second.target) {
            let of_target = std::iter::from_fn(|| seconds.next_if(|second| second.target == target)).take(most);
            let halves = of_target.map(|Second { run, id, row, .. }| (Line::new(Address::Id(id), None, row), run));
            let (lines, runs) = halves.unzip();
            // They have just been written: no recycle bin has them.
            let terms = Terms { restores: false, ..self.terms(target, Operation::Update, way) };
            self.set_out(target, (terms, lines, runs), now);
        }
        any
    }

    /// Hands out the receipts of a row.
    fn close(&mut self, target: TargetId, run: Run<Ticket<O>>, row: &Row, settled: &Settled) {
        let prepared = &self.targets[target.0 as usize];
        let operations: Vec<Operation> = run.parts.iter().map(|part| part.operation).collect();
        let address = run.first().address.clone();
        let rejected = |operation, key, code: &str, message: &str, fields: &[String]| {
            Outcome::Rejected(Box::new(Rejection {
                object: prepared.target.object.clone(),
                operation,
                key,
                code: code.into(),
                message: in_short(message).into(),
                fields: fields.iter().map(|field| field.as_str().into()).collect(),
                sent: prepared.shown(&address, row),
            }))
        };
        for (nth, (ticket, operation)) in self.window.settle(run).into_iter().zip(operations).enumerate() {
            let outcome = match settled {
                Settled::Applied { id, created } => Outcome::Applied { id: *id, created: *created && nth == 0 },
                Settled::Rejected { code, message, fields } | Settled::Orphaned { code, message, fields } => {
                    rejected(operation, ticket.key, code, message, fields)
                }
            };
            // Nobody may want it any more; the loop then ends.
            let _ = self.receipts.send((Receipt { origin: ticket.origin, outcome }, ticket.room));
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the engine is the shell that knows what time it is")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(wake).await,
        None => std::future::pending().await,
    }
}
