//! The lines of a pull below everything else that a terminal shows.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use console::Term;
use flow_protocol::log;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};
use tokio::{task::JoinHandle, time::interval};

use super::Progress;
use crate::pull::now;

/// Time between two pictures.
const PICTURES: Duration = Duration::from_millis(200);

/// Lines at the bottom of stderr, drawn again and again until it is dropped. Whatever else is written there goes above them.
#[derive(Debug)]
pub struct Terminal {
    lines: MultiProgress,
    /// `None` once nothing is to be drawn any more.
    picture: Arc<Mutex<Option<Picture>>>,
    painter: JoinHandle<()>,
}

impl Terminal {
    /// Shows how far it has come on stderr; lines of the log make room.
    pub fn show(progress: Arc<Mutex<Progress>>) -> Self {
        let lines = MultiProgress::with_draw_target(ProgressDrawTarget::term_like(Box::new(Screen(Term::stderr()))));
        let shared = lines.clone();
        log::share_terminal(Some(Arc::new(move |write| shared.suspend(write))));
        let picture = Arc::new(Mutex::new(Some(Picture { lines: lines.clone(), bars: Vec::new() })));
        let painted = Arc::clone(&picture);
        let painter = tokio::spawn(async move {
            let mut pictures = interval(PICTURES);
            loop {
                pictures.tick().await;
                let lines = progress.lock().unwrap_or_else(PoisonError::into_inner).lines(now());
                if let Some(picture) = &mut *painted.lock().unwrap_or_else(PoisonError::into_inner) {
                    picture.draw(&lines);
                }
            }
        });
        Self { lines, picture, painter }
    }

    /// Writes something else to the terminal, above the lines.
    pub fn above<T>(&self, write: impl FnOnce() -> T) -> T {
        self.lines.suspend(write)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.painter.abort();
        log::share_terminal(None);
        if let Some(picture) = self.picture.lock().unwrap_or_else(PoisonError::into_inner).take() {
            picture.clear();
        }
    }
}

/// What is drawn.
#[derive(Debug)]
struct Picture {
    lines: MultiProgress,
    /// One for each line; the last has the spinner.
    bars: Vec<ProgressBar>,
}

impl Picture {
    fn draw(&mut self, lines: &[String]) {
        while self.bars.len() < lines.len() {
            let template = if self.bars.is_empty() { "{spinner} {elapsed} {wide_msg}" } else { "  {wide_msg}" };
            let bar = ProgressBar::new_spinner().with_style(style(template));
            self.bars.insert(0, self.lines.insert(0, bar));
        }
        for (bar, line) in self.bars.iter().zip(lines) {
            bar.set_message(line.clone());
            bar.tick();
        }
    }

    fn clear(self) {
        // A terminal that went away needs no cleaning.
        let _ = self.lines.clear();
        self.lines.set_draw_target(ProgressDrawTarget::hidden());
    }
}

/// A terminal whose cursor rests at the beginning of the last line. At its end, where `indicatif` leaves it, a `^C` that the terminal
/// shows would begin another line, and the first would be left behind.
#[derive(Debug)]
struct Screen(Term);

impl TermLike for Screen {
    fn width(&self) -> u16 {
        TermLike::width(&self.0)
    }

    fn height(&self) -> u16 {
        TermLike::height(&self.0)
    }

    fn move_cursor_up(&self, lines: usize) -> io::Result<()> {
        self.0.move_cursor_up(lines)
    }

    fn move_cursor_down(&self, lines: usize) -> io::Result<()> {
        self.0.move_cursor_down(lines)
    }

    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        self.0.move_cursor_right(columns)
    }

    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        self.0.move_cursor_left(columns)
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.0.write_line(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.write_str(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.0.write_str("\r")?;
        self.0.flush()
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
