//! What benchmarks measure, and how it is printed. Linux only: `/proc` is asked for CPU time and memory.

use std::{
    fs,
    io::{self, Error, PipeWriter, Read as _, Write},
    thread,
    time::{Duration, Instant},
};

/// How much a benchmark is asked to measure: `cargo bench … -- [short] [NUMBER]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// A glance, in place of figures that last.
    pub is_short: bool,
    /// As much of it as this.
    pub number: Option<usize>,
}

impl Wanted {
    /// What the command line says; `None` if it comes from `cargo test --all-targets`, which starts benchmarks too, and does not want
    /// minutes of it.
    #[must_use]
    pub fn here() -> Option<Self> {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        arguments.iter().any(|argument| argument == "--bench").then(|| Self {
            is_short: arguments.iter().any(|argument| argument == "short"),
            number: arguments.iter().find_map(|argument| argument.parse().ok()),
        })
    }

    /// The number that was asked for, or the usual one, or in short a part of it.
    #[must_use]
    pub fn number_or(self, usual: usize, part: usize) -> usize {
        self.number.unwrap_or(if self.is_short { usual / part } else { usual })
    }
}

/// A second in the unit of `/proc/PID/stat`: 100 ticks on every Linux that tells it to programs.
const TICKS: u64 = 100;

/// What a process has used so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// CPU time, of user and system.
    pub cpu: Duration,
    /// The most memory that was ever resident, in KiB.
    pub peak: u64,
}

impl Usage {
    /// Of a running process.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn of(pid: u32) -> io::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // `utime` and `stime` are the 14th and 15th field; the second one is a name in parentheses.
        let (_, fields) = stat.rsplit_once(')').ok_or_else(|| Error::other("/proc/PID/stat has no name"))?;
        let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>();
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|peak| peak.trim_end_matches("kB").trim().parse().ok());
        Ok(Self {
            cpu: Duration::from_millis(ticks.map_err(Error::other)? * 1_000 / TICKS),
            peak: peak.ok_or_else(|| Error::other("/proc/PID/status has no VmHWM"))?,
        })
    }
}

/// CPU time of this thread: nanoseconds, the first field of its `schedstat`.
///
/// # Errors
/// When the kernel does not tell.
pub fn cpu_of_this_thread() -> io::Result<Duration> {
    let stat = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = stat.split_whitespace().next().unwrap_or_default().parse().map_err(Error::other)?;
    Ok(Duration::from_nanos(nanoseconds))
}

/// Does work that writes into a pipe, in a thread of its own, while another plays the runtime's part at the other end.
///
/// # Errors
/// When there is no pipe.
pub fn with_pipe<T: Send>(work: impl FnOnce(PipeWriter) -> T + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let (mut reader, writer) = io::pipe()?;
        scope.spawn(move || {
            let mut buffer = vec![0; 64 << 10];
            while reader.read(&mut buffer).is_ok_and(|read| read > 0) {}
        });
        scope.spawn(|| work(writer)).join().map_err(|_| Error::other("the work panicked"))
    })
}

/// The time by which durations are measured.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
pub fn now() -> Instant {
    Instant::now()
}

/// CPU time of each of so many, in µs.
#[must_use]
pub fn micros(cpu: Duration, of: usize) -> f64 {
    cpu.as_secs_f64() * 1e6 / of as f64
}

/// A percentile of sorted durations, in ms.
#[must_use]
pub fn millis(sorted: &[Duration], percent: usize) -> f64 {
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).map_or(0.0, |duration| duration.as_secs_f64() * 1e3)
}

/// A figure of a run: its name, how many decimals matter, and where it comes from.
pub type Figure<Run> = (&'static str, usize, fn(&Run) -> f64);

/// Prints the figures of several runs, each with its median.
///
/// # Errors
/// When it cannot be written.
pub fn write_table<Run>(out: &mut impl Write, figures: &[Figure<Run>], runs: &[Run]) -> io::Result<()> {
    write!(out, "{:<38}{:>10}", "", "median")?;
    (1..=runs.len()).try_for_each(|n| write!(out, "{:>10}", format!("run {n}")))?;
    writeln!(out)?;
    for (name, decimals, figure) in figures {
        let values: Vec<f64> = runs.iter().map(figure).collect();
        let mut sorted = values.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        write!(out, "{name:<38}{:>10.decimals$}", sorted.get(sorted.len() / 2).copied().unwrap_or_default())?;
        values.iter().try_for_each(|value| write!(out, "{value:>10.decimals$}"))?;
        writeln!(out)?;
    }
    writeln!(out)
}
