//! What the session is told from outside, heard also while a commit waits for whoever reads the output.

use std::{collections::VecDeque, pin::pin, time::Duration};

use tokio::{sync::mpsc, time::timeout};

use super::{End, Signal};
use crate::error::Error;

/// How long a commit that is under way may still take once the session is told to end.
const GRACE: Duration = Duration::from_secs(5);

/// Signals, in the order in which they came.
pub(super) struct Signals {
    inbox: mpsc::UnboundedReceiver<Signal>,
    /// Those that came while something else was under way.
    held: VecDeque<Signal>,
}

impl Signals {
    pub(super) fn new(inbox: mpsc::UnboundedReceiver<Signal>) -> Self {
        Self { inbox, held: VecDeque::new() }
    }

    /// The next one. Cancel-safe.
    pub(super) async fn next(&mut self) -> Signal {
        match self.held.pop_front() {
            Some(signal) => signal,
            None => self.inbox.recv().await.unwrap_or(Signal::Stop),
        }
    }

    /// Does `work`, which may have to wait for a reader that reads no more. Once the session is told to end, it has a little time left;
    /// `None` where that was not enough.
    pub(super) async fn during<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        loop {
            let signal = tokio::select! {
                biased;
                done = &mut work => return Some(done),
                signal = self.inbox.recv() => signal.unwrap_or(Signal::Stop),
            };
            let is_end = !matches!(signal, Signal::Acknowledged(_));
            self.held.push_back(signal);
            if is_end {
                return timeout(GRACE, work).await.ok();
            }
        }
    }

    /// The end of a session whose work was given up.
    pub(super) fn end(&mut self) -> Result<End, Error> {
        match self.held.pop_back() {
            Some(Signal::Broken(error)) => Err(error),
            _ => Ok(End::Torn),
        }
    }
}
