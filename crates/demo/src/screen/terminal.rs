//! Live numbers below the lines.

use std::{collections::BTreeMap, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::words;
use crate::statistics::Statistics;

/// A terminal with one line of numbers per stream, and one of what goes on.
#[derive(Debug)]
pub(crate) struct Terminal {
    lines: MultiProgress,
    streams: BTreeMap<String, ProgressBar>,
    /// From the first numbers on.
    phase: Option<ProgressBar>,
}

impl Terminal {
    pub(super) fn new() -> Self {
        let lines = MultiProgress::with_draw_target(ProgressDrawTarget::stdout());
        Self { lines, streams: BTreeMap::new(), phase: None }
    }

    /// Prints a line above the numbers.
    pub(super) fn line(&self, text: &str) {
        // A terminal that went away takes the numbers with it; the verdict still counts.
        let _ = self.lines.println(text);
    }

    pub(super) fn numbers(&mut self, statistics: &Statistics, phase: &str) {
        let last = self.phase.get_or_insert_with(|| {
            let last = self.lines.add(ProgressBar::new_spinner().with_style(style("{spinner} {elapsed}  {msg}")));
            last.enable_steady_tick(Duration::from_millis(100));
            last
        });
        last.set_message(phase.to_owned());
        for (name, numbers) in statistics.streams() {
            let line = self.streams.entry(name.to_owned()).or_insert_with(|| {
                let bar = ProgressBar::new_spinner().with_style(style("  {msg}"));
                self.lines.insert_before(last, bar)
            });
            line.set_message(words::live(name, numbers));
        }
    }

    /// Takes the numbers away, for the last lines.
    pub(super) fn clear(&mut self) {
        for line in self.streams.values().chain(&self.phase) {
            line.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
