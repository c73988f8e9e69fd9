//! The lines of a pull below everything else that a terminal shows.

use std::{sync::Arc, time::Duration};

use flow_protocol::log;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Time between two turns of the spinner, which says that the program lives.
const TICK: Duration = Duration::from_millis(120);

/// Lines at the bottom of stderr, until it is dropped. Whatever else is written there goes above them.
#[derive(Debug)]
pub struct Terminal {
    lines: MultiProgress,
    /// One for each line; the last turns.
    bars: Vec<ProgressBar>,
}

impl Terminal {
    /// Lines on stderr; lines of the log make room for them.
    pub fn stderr() -> Self {
        Self::on(ProgressDrawTarget::stderr())
    }

    fn on(target: ProgressDrawTarget) -> Self {
        let lines = MultiProgress::with_draw_target(target);
        let shared = lines.clone();
        log::share_terminal(Some(Arc::new(move |write| shared.suspend(write))));
        Self { lines, bars: Vec::new() }
    }

    /// Shows these lines instead of those before.
    pub fn show(&mut self, lines: &[String]) {
        while self.bars.len() > lines.len() {
            if let Some(bar) = self.bars.first().cloned() {
                self.lines.remove(&bar);
                self.bars.remove(0);
            }
        }
        while self.bars.len() < lines.len() {
            let bar = match self.bars.is_empty() {
                true => {
                    let last = self.lines.add(ProgressBar::new_spinner().with_style(style("{spinner} {elapsed} {wide_msg}")));
                    last.enable_steady_tick(TICK);
                    last
                }
                false => self.lines.insert(0, ProgressBar::new_spinner().with_style(style("  {wide_msg}"))),
            };
            self.bars.insert(0, bar);
        }
        for (bar, line) in self.bars.iter().zip(lines) {
            bar.set_message(line.clone());
        }
    }

    /// Writes something else to the terminal, above the lines.
    pub fn above<T>(&self, write: impl FnOnce() -> T) -> T {
        self.lines.suspend(write)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        log::share_terminal(None);
        self.bars.iter().for_each(ProgressBar::finish_and_clear);
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
