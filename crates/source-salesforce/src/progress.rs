//! How far a pull has come, in words: lines for a terminal, numbers for the log. Pure: time is passed in.

pub mod terminal;

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::capture::report::{Phase, Standing};

/// Streams that a terminal shows at a time: with the sum below them they leave room in a small window.
const SHOWN: usize = 8;

/// Streams that the log names at a time.
const LOGGED: usize = 10;

/// A rate is that of the last one or two such spans.
const SPAN: Duration = Duration::from_secs(10);

/// Cells of a bar.
const CELLS: u64 = 24;

/// What is known of all streams of a pull.
#[derive(Debug)]
pub struct Progress {
    streams: Vec<Stream>,
    pace: Pace,
}

/// One stream.
#[derive(Debug)]
pub struct Stream {
    /// Its name.
    pub name: String,
    /// Its documents so far.
    pub documents: u64,
    /// Where it stands; `None` before it has begun.
    pub standing: Option<Standing>,
    /// About how many rows its history has, if that is known.
    total: Option<u64>,
    pace: Pace,
    /// Its documents when the log told of it last.
    logged: u64,
}

/// What the log tells of a stream that moved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moved<'a> {
    /// The stream.
    pub stream: &'a str,
    /// Its documents so far.
    pub documents: u64,
    /// Documents a second.
    pub per_second: u64,
    /// About how many rows its history has, while that is read and if it is known.
    pub of_about: Option<u64>,
}

/// How fast a count grows.
#[derive(Debug, Clone, Copy)]
struct Pace {
    from: (Instant, u64),
    mark: (Instant, u64),
}

impl Pace {
    fn new(now: Instant) -> Self {
        Self { from: (now, 0), mark: (now, 0) }
    }

    /// The count is that now. Answers by how much it grows in a second.
    fn note(&mut self, count: u64, now: Instant) -> u64 {
        if self.mark.1 == 0 && count == 0 || count < self.mark.1 {
            *self = Self { from: (now, count), mark: (now, count) };
        }
        if now.duration_since(self.mark.0) >= SPAN {
            (self.from, self.mark) = (self.mark, (now, count));
        }
        let (at, before) = self.from;
        let millis = u64::try_from(now.duration_since(at).as_millis()).unwrap_or(u64::MAX);
        (count - before).saturating_mul(1_000).checked_div(millis).unwrap_or(0)
    }
}

impl Progress {
    /// Streams that have not begun.
    pub fn new(names: Vec<String>, now: Instant) -> Self {
        let stream = |name| Stream { name, documents: 0, standing: None, total: None, pace: Pace::new(now), logged: 0 };
        let streams = names.into_iter().map(stream).collect();
        Self { streams, pace: Pace::new(now) }
    }

    /// The history of a stream has about so many rows.
    pub fn expects(&mut self, stream: usize, rows: u64) {
        if let Some(stream) = self.streams.get_mut(stream) {
            stream.total = Some(rows);
        }
    }

    /// A stream has one document more.
    pub fn wrote(&mut self, stream: usize) {
        if let Some(stream) = self.streams.get_mut(stream) {
            stream.documents += 1;
        }
    }

    /// Where a stream stands now.
    pub fn stands(&mut self, stream: usize, standing: Standing) {
        if let Some(stream) = self.streams.get_mut(stream) {
            stream.standing = Some(standing);
        }
    }

    /// All streams.
    pub fn streams(&self) -> &[Stream] {
        &self.streams
    }

    /// For a terminal: a line for each stream that reads, then for others as long as there is room, and last the sum.
    pub fn lines(&mut self, now: Instant) -> Vec<String> {
        let mut order: Vec<usize> = (0..self.streams.len()).collect();
        order.sort_by_key(|n| self.streams[*n].rank());
        let shown = &order[..order.len().min(SHOWN)];
        let width = shown.iter().map(|n| self.streams[*n].name.chars().count()).max().unwrap_or(0);
        let mut lines: Vec<_> = shown.iter().map(|n| self.streams[*n].line(width, now)).collect();
        lines.push(self.sum(order.len() - shown.len(), now));
        lines
    }

    fn sum(&mut self, others: usize, now: Instant) -> String {
        let count = |phase| self.streams.iter().filter(|stream| stream.phase() == Some(phase)).count();
        let documents = self.documents();
        let per_second = self.pace.note(documents, now);
        let mut sum = format!("{} documents, {}/s", grouped(documents), grouped(per_second));
        for (phase, what) in [(Phase::History, "reading"), (Phase::Repair, "repairing"), (Phase::Live, "live")] {
            match count(phase) {
                0 => {}
                streams => sum.push_str(&format!(", {streams} {what}")),
            }
        }
        if others > 0 {
            sum.push_str(&format!(", {others} not shown"));
        }
        sum
    }

    /// For the log: the streams that moved since it was asked last, those that moved most if there are many.
    pub fn moved(&mut self, now: Instant) -> Vec<Moved<'_>> {
        let mut moved: Vec<_> = self.streams.iter_mut().filter(|stream| stream.documents > stream.logged).collect();
        moved.sort_by_key(|stream| std::cmp::Reverse(stream.documents - stream.logged));
        moved.truncate(LOGGED);
        moved.into_iter().map(|stream| stream.moved(now)).collect()
    }

    /// All documents so far.
    pub fn documents(&self) -> u64 {
        self.streams.iter().map(|stream| stream.documents).sum()
    }
}

impl Stream {
    fn phase(&self) -> Option<Phase> {
        Some(self.standing?.phase)
    }

    /// Up to here the stream is complete.
    pub fn complete(&self) -> Option<Timestamp> {
        self.standing?.complete.map(Timestamp::from)
    }

    /// Who reads comes first, who has not begun comes last.
    fn rank(&self) -> u8 {
        match self.standing {
            Some(Standing { phase: Phase::History | Phase::Repair, rows, .. }) if rows > 0 => 0,
            Some(Standing { phase: Phase::Live, .. }) => 1,
            _ => 2,
        }
    }

    fn line(&mut self, width: usize, now: Instant) -> String {
        let name = format!("{:width$}", self.name);
        let (rows, per_second) = match self.standing {
            Some(Standing { rows, phase: Phase::History | Phase::Repair, .. }) => (rows, self.pace.note(rows, now)),
            _ => (0, 0),
        };
        let rate = if per_second > 0 { format!(", {}/s", grouped(per_second)) } else { String::new() };
        match (self.phase(), self.total) {
            (Some(Phase::History), Some(total)) if total > 0 => {
                let left = match total.saturating_sub(rows).checked_div(per_second) {
                    Some(seconds) => format!(", about {} left", span(seconds)),
                    None => String::new(),
                };
                format!("{name}  {}  {} of ~{} rows{rate}{left}", bar(rows, total), grouped(rows), grouped(total))
            }
            (Some(Phase::History), _) if rows == 0 => format!("{name}  waiting"),
            (Some(Phase::History), _) => format!("{name}  {} rows{rate}", grouped(rows)),
            (Some(Phase::Repair), _) => format!("{name}  repairing, {} rows{rate}", grouped(rows)),
            (Some(Phase::Live), _) => {
                let complete = self.complete().map(|until| format!(", complete up to {until}")).unwrap_or_default();
                format!("{name}  {} documents{complete}", grouped(self.documents))
            }
            (None, _) => format!("{name}  waiting"),
        }
    }

    fn moved(&mut self, now: Instant) -> Moved<'_> {
        let per_second = self.pace.note(self.documents, now);
        let of_about = self.total.filter(|_| self.phase() == Some(Phase::History));
        self.logged = self.documents;
        Moved { stream: &self.name, documents: self.documents, per_second, of_about }
    }
}

fn bar(rows: u64, total: u64) -> String {
    let full = (rows.min(total) * CELLS).checked_div(total).unwrap_or(0);
    (0..CELLS).map(|cell| if cell < full { '━' } else { '─' }).collect()
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let groups =
        std::iter::once(&digits[..first]).chain((first..digits.len()).step_by(3).map(|at| &digits[at..at + 3]));
    groups.filter(|group| !group.is_empty()).collect::<Vec<_>>().join(",")
}

/// Seconds as people say them.
fn span(seconds: u64) -> String {
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::second::Second;

    fn start() -> Instant {
        #[expect(clippy::disallowed_methods, reason = "any moment will do")]
        Instant::now()
    }

    fn standing(phase: Phase, rows: u64) -> Standing {
        let complete = (phase == Phase::Live).then(|| Second::new(1_800_000_000));
        Standing { phase, rows, complete, announced: None }
    }

    #[test]
    fn a_terminal_shows_who_reads_first_and_all_as_a_sum() {
        let start = start();
        let at = |seconds| start + Duration::from_secs(seconds);
        let names = ["Case", "Lead", "Account", "Contact", "Task"].map(str::to_owned);
        let mut progress = Progress::new(names.into(), start);
        progress.expects(1, 30_000);
        progress.stands(0, standing(Phase::Live, 0));
        for (stream, documents) in [(0, 1_234), (1, 10_000), (2, 500)] {
            (0..documents).for_each(|_| progress.wrote(stream));
        }
        progress.stands(1, standing(Phase::History, 10_000));
        progress.stands(2, standing(Phase::History, 500));
        progress.stands(3, standing(Phase::Repair, 40));
        assert_eq!(
            progress.lines(at(5)),
            [
                "Lead     ━━━━━━━━────────────────  10,000 of ~30,000 rows, 2,000/s, about 10 s left",
                "Account  500 rows, 100/s",
                "Contact  repairing, 40 rows, 8/s",
                "Case     1,234 documents, complete up to 2027-01-15T08:00:00Z",
                "Task     waiting",
                "11,734 documents, 2,346/s, 2 reading, 1 repairing, 1 live",
            ]
        );

        // There are more rows than were counted; then the stream is live.
        progress.stands(1, standing(Phase::History, 31_000));
        assert_eq!(
            progress.lines(at(6))[0],
            "Lead     ━━━━━━━━━━━━━━━━━━━━━━━━  31,000 of ~30,000 rows, 5,166/s, about 0 s left"
        );
        progress.stands(1, standing(Phase::Live, 0));
        assert_eq!(progress.lines(at(3_700))[3], "Lead     10,000 documents, complete up to 2027-01-15T08:00:00Z");
        (2..5).for_each(|stream| progress.stands(stream, standing(Phase::Live, 0)));
        assert_eq!(progress.lines(at(3_720))[5], "11,734 documents, 0/s, 5 live");
    }

    #[test]
    fn hundreds_of_streams_leave_room_in_a_small_window() {
        let mut progress = Progress::new((0..300).map(|n| format!("X{n}__c")).collect(), start());
        for stream in [120, 299] {
            progress.stands(stream, standing(Phase::History, 7));
        }
        let lines = progress.lines(start());
        assert_eq!(lines.len(), SHOWN + 1);
        assert!(lines[0].starts_with("X120__c") && lines[1].starts_with("X299__c"), "{lines:#?}");
        assert!(lines[SHOWN].contains("2 reading, 292 not shown"), "{lines:#?}");
    }

    #[test]
    fn the_log_names_those_that_moved_most() {
        let start = start();
        let mut progress = Progress::new((0..20).map(|n| format!("X{n}__c")).collect(), start);
        progress.expects(19, 1_000);
        for stream in 0..20 {
            (0..stream * 10).for_each(|_| progress.wrote(stream));
            progress.stands(stream, standing(Phase::History, 1));
        }
        let moved = progress.moved(start + Duration::from_secs(10));
        let first = Moved { stream: "X19__c", documents: 190, per_second: 19, of_about: Some(1_000) };
        assert_eq!((moved.len(), moved[0], moved[9].stream), (LOGGED, first, "X10__c"));
        let moved: Vec<_> = progress.moved(start + Duration::from_secs(20)).iter().map(|moved| moved.stream).collect();
        assert_eq!(moved[0], "X9__c", "those that were not named are next");
        assert_eq!(progress.moved(start + Duration::from_secs(30)), [], "who rests is not named");
    }

    #[test]
    fn a_rate_is_that_of_the_last_seconds() {
        let start = start();
        let mut pace = Pace::new(start);
        let rates =
            [(0, 0), (50, 0), (51, 10), (60, 100), (61, 200), (70, 200), (75, 200), (81, 200), (92, 200), (93, 5)];
        let rates = rates.map(|(seconds, count)| pace.note(count, start + Duration::from_secs(seconds)));
        assert_eq!(rates, [0, 0, 10, 10, 18, 10, 6, 0, 0, 0]);
    }

    #[test]
    fn numbers_and_spans() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
        for (seconds, text) in [(0, "0 s"), (61, "1 min 1 s"), (3_600, "1 h 0 min"), (90_061, "25 h 1 min")] {
            assert_eq!(span(seconds), text);
        }
    }
}
