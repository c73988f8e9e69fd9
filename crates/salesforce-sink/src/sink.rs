//! The sink as its users see it: changes go in at one end, receipts come out at the other.

use std::{collections::HashSet, sync::Arc, sync::Mutex, sync::PoisonError, time::Duration};

use salesforce_client::{Org, retry::Policy};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use crate::{
    Change, Error, Operation, Outcome, Prepared, Receipt, Route, Traffic,
    doors::{Doors, RealDoors},
    engine::{Engine, Input, Outgoing, Room, Settings, Ticket, now},
    plan::Sizes,
    window::TargetId,
};

/// How the sink works. The defaults are good for all but those who know better.
#[derive(Clone, Debug)]
pub struct Options {
    /// How rows travel.
    pub route: Route,
    /// The most rows of a call: 200 at most, which is Salesforce's limit.
    pub batch_rows: usize,
    /// With so many rows waiting, a job is cheaper than calls.
    pub bulk_threshold: usize,
    /// How long a change waits for others to travel with it.
    pub linger: Duration,
    /// How long one batch is tried in spite of failures that pass. Time during which the org has no calls left does not count.
    pub patience: Duration,
    /// The most the first pause after a failure may be; it doubles with each attempt, up to a minute.
    pub first_pause: Duration,
    /// How long to wait before the org is asked again when it has no calls left: it counts over 24 hours.
    pub quota_pause: Duration,
    /// The most changes without a receipt that was taken.
    pub window_rows: usize,
    /// About the most bytes that these may have.
    pub window_bytes: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            route: Route::Auto,
            batch_rows: salesforce_client::write::MOST_ROWS,
            bulk_threshold: 2_000,
            linger: Duration::from_millis(250),
            patience: Duration::from_secs(15 * 60),
            first_pause: Duration::from_secs(1),
            quota_pause: Duration::from_secs(60),
            window_rows: 50_000,
            window_bytes: 64 << 20,
        }
    }
}

/// After so many bytes a call gets no more rows.
const CALL_BYTES: usize = 1 << 20;
/// After so many bytes a job gets no more rows: Salesforce takes 150 MB in base64, which is 100 MB.
const JOB_BYTES: usize = 90 << 20;
/// Rows of a job: ten of the batches that Salesforce makes of it.
const JOB_ROWS: usize = 100_000;
/// The longest pause between two attempts, unless the org asks for more.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Options {
    fn settings(&self) -> Settings {
        let rows = self.batch_rows.clamp(1, salesforce_client::write::MOST_ROWS);
        Settings {
            sizes: Sizes {
                route: self.route,
                rows,
                bytes: CALL_BYTES,
                bulk_from: self.bulk_threshold,
                bulk_rows: JOB_ROWS,
                bulk_bytes: JOB_BYTES,
                lookup_rows: salesforce_client::MOST_VALUES / rows * rows,
            },
            linger: self.linger,
            quota_pause: self.quota_pause,
            policy: Policy {
                first_pause: self.first_pause,
                longest_pause: LONGEST_PAUSE,
                patience: self.patience,
                attempts: u32::MAX,
            },
        }
    }
}

/// The targets of a sink.
#[derive(Clone, Debug, Default)]
pub struct Targets(Vec<Arc<Prepared>>);

/// One of the targets of a sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TargetKey(TargetId);

impl Targets {
    /// None yet.
    #[must_use]
    pub fn new() -> Targets {
        Targets::default()
    }

    /// Adds a target, and says what to call it.
    pub fn add(&mut self, target: Prepared) -> TargetKey {
        let id = TargetId(u32::try_from(self.0.len()).unwrap_or(u32::MAX));
        self.0.push(Arc::new(target));
        TargetKey(id)
    }
}

/// How the sink is doing.
#[derive(Clone, Debug)]
pub enum State {
    /// It works.
    Running,
    /// An allocation of the org is used up. It goes on when the org lets it.
    Paused {
        /// In Salesforce's words.
        why: String,
    },
    /// It cannot go on.
    Failed(Error),
}

/// Where changes go in. Clones go to the same place. When the last one is dropped, what was submitted is still written.
pub struct Sink<O> {
    shared: Arc<Shared<O>>,
}

struct Shared<O> {
    targets: Targets,
    rows: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    most_bytes: u32,
    input: mpsc::Sender<Input<O>>,
    receipts: mpsc::UnboundedSender<Outgoing<O>>,
    state: watch::Receiver<State>,
    reported: Mutex<HashSet<(TargetId, Box<str>)>>,
}

/// Where receipts come out, in the order in which changes are settled.
pub struct Receipts<O> {
    receipts: mpsc::UnboundedReceiver<Outgoing<O>>,
    state: watch::Receiver<State>,
}

impl<O> Receipts<O> {
    /// The next receipt; `None` when there will be none any more: every sink is dropped and everything is settled, or the sink failed.
    pub async fn next(&mut self) -> Option<Receipt<O>> {
        let received = tokio::select! {
            biased;
            received = self.receipts.recv() => received,
            // What was settled before the end is already there.
            _ = self.state.wait_for(|state| matches!(state, State::Failed(_))) => self.receipts.try_recv().ok(),
        };
        received.map(|(receipt, _)| receipt)
    }

    /// The next receipt, if there is one already.
    pub fn ready(&mut self) -> Option<Receipt<O>> {
        self.receipts.try_recv().ok().map(|(receipt, _)| receipt)
    }
}

impl<O> Clone for Sink<O> {
    fn clone(&self) -> Sink<O> {
        Sink { shared: Arc::clone(&self.shared) }
    }
}

impl<O: Send + 'static> Sink<O> {
    /// Starts a sink; it works in a task of its own. All that write to the same org share its `traffic`.
    ///
    /// The engine decides itself what is tried again and when, so it calls the org with no patience of its own but for a new token.
    #[must_use]
    pub fn start(org: &Org, traffic: &Traffic, targets: Targets, options: &Options) -> (Sink<O>, Receipts<O>) {
        Sink::with_doors(Arc::new(RealDoors::new(org)), traffic, targets, options)
    }

    pub(crate) fn with_doors(
        doors: Arc<dyn Doors>,
        traffic: &Traffic,
        targets: Targets,
        options: &Options,
    ) -> (Sink<O>, Receipts<O>) {
        const WAITING_ROOM: usize = 1_000;
        let (receipts_in, receipts) = mpsc::unbounded_channel();
        let (input, inputs) = mpsc::channel(WAITING_ROOM);
        let (state_in, state) = watch::channel(State::Running);
        let most_bytes = u32::try_from(options.window_bytes.max(1)).unwrap_or(u32::MAX);
        let (rows, bytes) = (Semaphore::new(options.window_rows.max(1)), Semaphore::new(most_bytes as usize));
        let (rows, bytes) = (Arc::new(rows), Arc::new(bytes));
        // What waits for room is told when the engine ends, however it ends.
        let closing = Closing(Arc::clone(&rows), Arc::clone(&bytes));
        // The engine must not keep the end that it listens to open.
        let targets_in = targets.0.clone();
        let engine = Engine::new(doors, traffic.join(), targets_in, options.settings(), receipts_in.clone(), state_in);
        tokio::spawn(async move {
            let _closing = closing;
            engine.run(inputs).await;
        });
        let (reported, watched) = (Mutex::default(), state.clone());
        let shared = Shared { targets, rows, bytes, most_bytes, input, receipts: receipts_in, state, reported };
        (Sink { shared: Arc::new(shared) }, Receipts { receipts, state: watched })
    }

    /// Submits a change. Waits while the window is full: until receipts are *taken*, so somebody must be taking them.
    ///
    /// # Errors
    /// Why the sink failed.
    pub async fn submit(&self, target: TargetKey, change: Change<O>) -> Result<(), Error> {
        let room = self.room(&change).await?;
        let prepared = &self.shared.targets.0[target.0.0 as usize];
        let fitted = match prepared.fit(&change) {
            Ok(fitted) => fitted,
            Err(rejection) => return self.answer(change.origin, Outcome::Rejected(rejection), room),
        };
        self.report_unknown(target.0, prepared, &fitted.unknown);
        if change.operation == Operation::Update && fitted.row.is_empty() {
            return self.answer(change.origin, Outcome::Unchanged, room);
        }
        let ticket = Ticket { origin: change.origin, key: change.key, since: now(), room };
        let input = Input::Change { target: target.0, operation: change.operation, fitted, ticket };
        self.shared.input.send(input).await.map_err(|_| self.failure())
    }

    /// Waits until everything that was submitted before has its receipt. Receipts need not be taken meanwhile.
    ///
    /// # Errors
    /// Why the sink failed.
    pub async fn flush(&self) -> Result<(), Error> {
        let (done, is_done) = oneshot::channel();
        self.shared.input.send(Input::Flush(done)).await.map_err(|_| self.failure())?;
        is_done.await.map_err(|_| self.failure())
    }

    /// How the sink is doing, from now on.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<State> {
        self.shared.state.clone()
    }

    /// Waits until there is room for a change. One that is larger than the window has it for itself.
    async fn room(&self, change: &Change<O>) -> Result<Room, Error> {
        const AROUND: usize = 256;
        let fields = change.fields.iter().map(|(name, value)| name.len() + value.get().len());
        let size = AROUND + fields.sum::<usize>();
        let size = u32::try_from(size).unwrap_or(u32::MAX).min(self.shared.most_bytes);
        let closed = |_| self.failure();
        let _rows = Arc::clone(&self.shared.rows).acquire_owned().await.map_err(closed)?;
        let _bytes = Arc::clone(&self.shared.bytes).acquire_many_owned(size).await.map_err(closed)?;
        Ok(Room { _rows, _bytes })
    }

    fn answer(&self, origin: O, outcome: Outcome, room: Room) -> Result<(), Error> {
        self.shared.receipts.send((Receipt { origin, outcome }, room)).map_err(|_| self.failure())
    }

    fn failure(&self) -> Error {
        match &*self.shared.state.borrow() {
            State::Failed(error) => error.clone(),
            State::Running | State::Paused { .. } => Error::Closed,
        }
    }

    /// Says once of each member that it names no field.
    fn report_unknown(&self, target: TargetId, prepared: &Prepared, unknown: &[Box<str>]) {
        if unknown.is_empty() {
            return;
        }
        let mut reported = self.shared.reported.lock().unwrap_or_else(PoisonError::into_inner);
        for member in unknown {
            if reported.insert((target, member.clone())) {
                let object = &prepared.target.object;
                tracing::warn!(%object, %member, "a member is dropped: the object has no such field, or the user may not see it");
            }
        }
    }
}

/// Closes the window when the engine ends.
struct Closing(Arc<Semaphore>, Arc<Semaphore>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
        self.1.close();
    }
}
