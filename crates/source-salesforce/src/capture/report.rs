//! What a session says of itself: its status in one line, each binding in the log now and then, and what reads have come to.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    second::Second,
    tally::{REREAD, Repair, Told},
};
use crate::changes::{self, Polls};

/// Time between two lines of status that differ in nothing but how far all is complete.
const STATUS: Duration = Duration::from_secs(300);

/// Time between two lines of the log about each binding.
const BINDINGS: Duration = Duration::from_secs(3_600);

/// Bindings that one status names.
const NAMED: usize = 4;

/// Where a binding stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// What it does.
    pub phase: Phase,
    /// Rows of the read at hand so far.
    pub rows: u64,
    /// Every change before this time of the org is written, announced or not.
    pub complete: Option<Second>,
    /// Every change that was announced before this time of the org is written; `None` where changes are polled.
    pub announced: Option<Second>,
}

/// What a binding does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Its history is read.
    History,
    /// It reads what a gap may have cost.
    Repair,
    /// It follows changes.
    Live,
}

/// One binding, as the report sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Binding<'a> {
    pub(super) stream: &'a str,
    pub(super) polls: Option<Polls>,
    pub(super) standing: Standing,
}

/// What was said, and when more is due.
#[derive(Debug)]
pub(super) struct Report {
    said: Option<Shape>,
    status_due: Instant,
    bindings_due: Instant,
    repairs: Repairs,
}

/// All of a status but its times: as long as that is the same, there is no hurry to say it again.
#[derive(Debug, PartialEq, Eq)]
struct Shape {
    waits: Option<String>,
    history: usize,
    repairing: Vec<usize>,
    complete: usize,
    repairs: u64,
}

/// Gaps that were mended in this session.
#[derive(Debug, Default)]
struct Repairs {
    count: u64,
    last: Option<(String, Repair)>,
}

impl Report {
    pub(super) fn new(now: Instant) -> Self {
        Self { said: None, status_due: now, bindings_due: now + BINDINGS, repairs: Repairs::default() }
    }

    /// Says what there is to say. `waits`: why no calls are made.
    pub(super) fn tell<'a>(
        &mut self,
        waits: Option<String>,
        bindings: impl Iterator<Item = Binding<'a>> + Clone,
        now: Instant,
    ) {
        let shape = Shape::of(waits, bindings.clone(), self.repairs.count);
        if self.said.as_ref() != Some(&shape) || self.status_due <= now {
            let bindings: Vec<_> = bindings.clone().collect();
            flow_protocol::log::connector_status(&status(&shape, &bindings, &self.repairs));
            self.status_due = now + STATUS;
            self.said = Some(shape);
        }
        if self.bindings_due <= now {
            self.bindings_due = now + BINDINGS;
            bindings.for_each(log);
        }
    }

    /// A read of a binding is done, and all of it is committed.
    pub(super) fn read_done(&mut self, stream: &str, complete: Option<Second>, told: Told) {
        let complete_until = text(complete);
        match told {
            Told::History(tally) => {
                tracing::info!(
                    stream,
                    rows = tally.rows,
                    documents = tally.written(),
                    complete_until,
                    "history is read"
                );
            }
            Told::Poll(tally) => {
                tracing::debug!(stream, rows = tally.rows, documents = tally.written(), complete_until, "polled");
            }
            Told::Sweep(tally) => {
                let (rows, deleted, purged) = (tally.found + tally.purged, tally.deleted, tally.purged);
                if rows > 0 {
                    tracing::info!(
                        stream,
                        rows,
                        deleted,
                        purged,
                        complete_until,
                        "a sweep has found rows that nothing announced"
                    );
                }
                if tally.again > 0 {
                    let rows = tally.again;
                    tracing::info!(
                        stream,
                        rows,
                        complete_until,
                        "a sweep has written rows that may have been written before"
                    );
                }
            }
            Told::CaughtUp(tally) => {
                let (rows, documents) = (tally.rows, tally.written());
                tracing::info!(stream, rows, documents, complete_until, "all changes up to the subscription are read");
            }
            Told::Repaired(repair) => {
                let Repair { since, until, tally, misses_purged } = repair;
                let (since, until) = (text(since), text(until));
                tracing::info!(
                    stream,
                    since,
                    until,
                    rows = tally.rows,
                    documents = tally.written(),
                    deleted = tally.deleted,
                    purged = tally.purged,
                    "repaired: changes that may not have been heard are read"
                );
                if misses_purged {
                    tracing::warn!(
                        stream,
                        since,
                        until,
                        "records deleted and purged from the recycle bin meanwhile cannot be found out: {REREAD}"
                    );
                }
                self.repairs.count += 1;
                self.repairs.last = Some((stream.to_owned(), repair));
            }
        }
    }
}

impl Shape {
    fn of<'a>(waits: Option<String>, bindings: impl Iterator<Item = Binding<'a>>, repairs: u64) -> Self {
        let mut shape = Self { waits, history: 0, repairing: Vec::new(), complete: 0, repairs };
        for (n, Binding { standing, .. }) in bindings.enumerate() {
            match standing.phase {
                Phase::History => shape.history += 1,
                Phase::Repair => shape.repairing.push(n),
                Phase::Live => {}
            }
            shape.complete += usize::from(standing.complete.is_some());
        }
        shape
    }
}

/// The status: what the session does, how far all is complete, and what it has mended. Its length is bounded, whatever the number of
/// bindings.
fn status(shape: &Shape, bindings: &[Binding<'_>], repairs: &Repairs) -> String {
    let all = bindings.len();
    let mut status = match (&shape.waits, all, shape.history, shape.repairing.as_slice()) {
        (Some(why), ..) => why.clone(),
        (None, 0, ..) => return "No bindings are enabled".into(),
        (None, _, 0, []) => format!("Capturing changes of all {all} bindings: {}", summary(bindings)),
        (None, _, history, []) => format!("Backfilling {history} out of {all} bindings: {}", summary(bindings)),
        (None, _, history, repairing) => {
            let streams: Vec<_> = repairing.iter().filter_map(|n| Some(bindings.get(*n)?.stream)).collect();
            let backfilling = if history == 0 { String::new() } else { format!(", backfilling {history}") };
            let (count, named) = (streams.len(), changes::some_of(&streams, NAMED));
            format!("Repairing {count} ({named}){backfilling} out of {all} bindings: {}", summary(bindings))
        }
    };
    let known = bindings.iter().filter_map(|binding| Some((binding.standing.complete?, binding.stream)));
    if let Some((until, stream)) = known.min_by_key(|(until, _)| *until) {
        let whose = match (all, shape.complete) {
            (1, _) => String::new(),
            (all, complete) if complete < all => format!(" (the oldest of {complete}: {stream})"),
            _ => format!(" (the oldest: {stream})"),
        };
        status.push_str(&format!("; complete up to {until}{whose}"));
    }
    if let Some((stream, repair)) = &repairs.last {
        let count = if repairs.count == 1 { "repaired".into() } else { format!("{} repairs, the last", repairs.count) };
        status.push_str(&format!("; {count}: {stream}, {repair}"));
    }
    status
}

/// What is streamed, what is polled, and why.
fn summary(bindings: &[Binding<'_>]) -> String {
    changes::summary(bindings.iter().map(|binding| (binding.stream, binding.polls)))
}

fn log(Binding { stream, standing, .. }: Binding<'_>) {
    let Standing { complete, announced, .. } = standing;
    if complete.is_some() {
        let (complete_until, announced_until) = (text(complete), text(announced));
        tracing::info!(stream, complete_until, announced_until, "how far the stream is complete");
    }
}

fn text(at: Option<Second>) -> Option<String> {
    at.map(|at| at.to_string())
}
