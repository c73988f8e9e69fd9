//! What a session says of itself: its status in one line, each binding in the log now and then, and what reads have come to.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    second::Second,
    tally::{REREAD, Repair, Told},
};
use crate::{
    changes::{self, Polls},
    shard::Serving,
};

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
    serving: Serving,
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
    pub(super) fn new(serving: Serving, now: Instant) -> Self {
        Self { serving, said: None, status_due: now, bindings_due: now + BINDINGS, repairs: Repairs::default() }
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
            let status = status(&shape, &bindings, &self.repairs, self.serving);
            flow_protocol::log::connector_status(&status);
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
fn status(shape: &Shape, bindings: &[Binding<'_>], repairs: &Repairs, serving: Serving) -> String {
    let all = bindings.len();
    let mut status = match (&shape.waits, all, shape.history, shape.repairing.as_slice()) {
        (Some(why), ..) => why.clone(),
        (None, 0, ..) => return serving.of_shard(serving.idle()),
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
    serving.of_shard(status)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::tally::Tally;

    fn binding(stream: &str, phase: Phase, complete: Option<i64>) -> Binding<'_> {
        let complete = complete.map(Second::new);
        Binding { stream, polls: None, standing: Standing { phase, rows: 0, complete, announced: complete } }
    }

    fn repaired(times: u64) -> Repairs {
        let tally = Tally { rows: 120, found: 17, again: 3, fetched: 0, deleted: 2, purged: 1 };
        let (since, until) = (Some(Second::new(0)), Some(Second::new(3_600)));
        let last = Repair { since, until, tally, misses_purged: false };
        Repairs { count: times, last: (times > 0).then(|| ("Lead".into(), last)) }
    }

    #[test]
    fn one_line_says_what_goes_on_how_far_all_is_complete_and_what_was_mended() {
        use Phase::*;
        let [account, lead, case] = [("Account", 7), ("Lead", 3), ("Case", 5)];
        let live = |(stream, complete)| binding(stream, Live, Some(complete));
        let new = |(stream, _)| binding(stream, History, None);
        let torn = |(stream, complete)| binding(stream, Repair, Some(complete));
        let mended = "changes from 1970-01-01T00:00:00Z to 1970-01-01T01:00:00Z may not have been heard: 120 rows read, 21 documents \
                      written, 2 of them deletions found in the recycle bin and 1 by the list of deletions";
        for (waits, bindings, repairs, expect) in [
            (None, vec![], 0, "No bindings are enabled".to_owned()),
            (None, vec![new(account)], 0, "Backfilling 1 out of 1 bindings: streaming 1".into()),
            (
                None,
                vec![live(account)],
                0,
                "Capturing changes of all 1 bindings: streaming 1; complete up to 1970-01-01T00:00:07Z".into(),
            ),
            (
                None,
                vec![live(account), live(lead), live(case)],
                0,
                "Capturing changes of all 3 bindings: streaming 3; complete up to 1970-01-01T00:00:03Z (the oldest: Lead)"
                    .into(),
            ),
            (
                None,
                vec![new(lead), live(account), live(case)],
                0,
                "Backfilling 1 out of 3 bindings: streaming 3; complete up to 1970-01-01T00:00:05Z (the oldest of 2: Case)"
                    .into(),
            ),
            (
                None,
                vec![torn(lead), live(account), new(case)],
                0,
                "Repairing 1 (Lead), backfilling 1 out of 3 bindings: streaming 3; complete up to 1970-01-01T00:00:03Z (the oldest \
                 of 2: Lead)"
                    .into(),
            ),
            (
                Some("Making no API calls"),
                vec![live(account)],
                0,
                "Making no API calls; complete up to 1970-01-01T00:00:07Z".into(),
            ),
            (
                None,
                vec![live(account)],
                1,
                format!(
                    "Capturing changes of all 1 bindings: streaming 1; complete up to 1970-01-01T00:00:07Z; repaired: Lead, {mended}"
                ),
            ),
            (
                None,
                vec![live(account)],
                2,
                format!(
                    "Capturing changes of all 1 bindings: streaming 1; complete up to 1970-01-01T00:00:07Z; 2 repairs, the last: \
                     Lead, {mended}"
                ),
            ),
        ] {
            let shape = Shape::of(waits.map(str::to_owned), bindings.iter().copied(), repairs);
            let serving = Serving::everything(bindings.len());
            assert_eq!(status(&shape, &bindings, &repaired(repairs), serving), expect);
        }
    }

    #[test]
    fn hundreds_of_bindings_make_one_short_line() {
        let names: Vec<_> = (0..500).map(|n| format!("An_object_with_a_rather_long_name_{n}__c")).collect();
        for phase in [Phase::History, Phase::Repair, Phase::Live] {
            let bindings: Vec<_> = names.iter().map(|name| binding(name, phase, Some(1))).collect();
            let shape = Shape::of(None, bindings.iter().copied(), 9);
            let status = status(&shape, &bindings, &repaired(9), Serving::everything(500));
            assert!(status.len() < 1_000, "{status}");
        }
    }

    /// That all is complete a little further is no reason to say it again at once.
    #[test]
    fn times_alone_are_said_at_a_bounded_pace() {
        #[expect(clippy::disallowed_methods, reason = "any moment will do")]
        let start = Instant::now();
        let mut report = Report::new(Serving::everything(1), start);
        let mut said = Vec::new();
        for (seconds, complete, repairs) in [
            (0, None, 0),
            (1, Some(1), 0),
            (2, Some(2), 0),
            (250, Some(3), 0),
            (301, Some(3), 0),
            (302, Some(3), 1),
            (303, Some(4), 1),
        ] {
            let now = start + Duration::from_secs(seconds);
            let before = report.status_due;
            report.repairs.count = repairs;
            report.tell(None, [binding("Account", Phase::Live, complete)].into_iter(), now);
            if report.status_due != before {
                said.push(seconds);
            }
        }
        assert_eq!(said, [0, 1, 301, 302]);
    }
}
