//! What the demo shows, in three ways: at a terminal with live numbers, as plain lines, as JSON lines.

use std::{
    error::Error,
    io::{self, Write as _},
};

use jiff::Timestamp;
use serde_json::{Value, json};

use self::{terminal::Terminal, throttle::Throttle};
use crate::{show::Agreement, statistics::Statistics};

mod terminal;
mod throttle;
mod words;

/// Where the demo shows itself.
#[derive(Debug)]
pub(crate) enum Screen {
    /// JSON lines, documents in full.
    Json,
    /// Lines for people, as many as can be read.
    Plain(Throttle),
    /// Lines for people, and live numbers below them.
    Terminal(Throttle, Terminal),
}

/// A document just committed.
#[derive(Debug)]
pub(crate) struct Arrival<'a> {
    /// Name of its stream.
    pub(crate) stream: &'a str,
    /// The document.
    pub(crate) document: &'a Value,
    /// When it arrived.
    pub(crate) at: Timestamp,
    /// When the org sent the event behind it, if one was.
    pub(crate) event: Option<Timestamp>,
}

impl Screen {
    /// JSON lines on stdout.
    pub(crate) fn json() -> Self {
        Self::Json
    }

    /// Lines on stdout.
    pub(crate) fn plain() -> Self {
        Self::Plain(Throttle::default())
    }

    /// Lines and live numbers at the terminal that stdout is.
    pub(crate) fn terminal() -> Self {
        Self::Terminal(Throttle::default(), Terminal::new())
    }

    /// Something was done.
    pub(crate) fn step(&self, step: &str, what: &str) {
        match self {
            Self::Json => json_line(&json!({ "event": "step", "step": step, "what": what })),
            Self::Plain(_) | Self::Terminal(..) => self.line(&words::step(step, what)),
        }
    }

    /// A document arrived.
    pub(crate) fn document(&mut self, arrival: &Arrival<'_>) {
        let Arrival { stream, document, at, event } = arrival;
        let throttle = match self {
            Self::Json => {
                let latency = event.map(|event| at.duration_since(event).as_secs_f64() * 1000.0);
                json_line(&json!({
                    "event": "document", "stream": stream, "document": document, "arrived": at, "latencyMilliseconds": latency,
                }));
                return;
            }
            Self::Plain(throttle) | Self::Terminal(throttle, _) => throttle,
        };
        if let Some(passed_over) = throttle.admit(*at) {
            if passed_over > 0 {
                self.line(&words::step("…", &format!("and {} documents more", words::number(passed_over))));
            }
            self.line(&words::document(stream, document));
        }
    }

    /// The connector logged a line. People see its status and what is wrong, programs all.
    pub(crate) fn log(&self, line: &str) {
        let parsed = serde_json::from_str::<Value>(line);
        match (self, parsed) {
            (Self::Json, Ok(log)) => json_line(&json!({ "event": "log", "log": log })),
            (Self::Json, Err(_)) => json_line(&json!({ "event": "log", "text": line })),
            (_, Ok(log)) => {
                let level = log["level"].as_str().unwrap_or("log");
                let is_status = log["fields"]["eventType"] == "connectorStatus";
                if is_status || !matches!(level, "info" | "debug" | "trace") {
                    let what = if is_status { "status" } else { level };
                    self.line(&words::step(what, log["message"].as_str().unwrap_or(line)));
                }
            }
            (_, Err(_)) => self.line(&words::step("log", line)),
        }
    }

    /// The numbers changed, or time passed.
    pub(crate) fn numbers(&mut self, statistics: &Statistics, phase: &str) {
        if let Self::Terminal(_, terminal) = self {
            terminal.numbers(statistics, phase);
        }
    }

    /// The end.
    pub(crate) fn verdict(&mut self, agreement: &Agreement, statistics: &Statistics) {
        if let Self::Json = self {
            let latency = statistics.latency().map(|latency| {
                json!({
                    "median": latency.median.as_secs_f64() * 1000.0,
                    "p99": latency.p99.as_secs_f64() * 1000.0,
                })
            });
            json_line(&json!({
                "event": "verdict",
                "agree": agreement.is_complete(),
                "rows": agreement.rows.iter().cloned().collect::<serde_json::Map<_, _>>(),
                "documents": statistics.documents(),
                "latencyMilliseconds": latency,
                "problems": agreement.problems,
            }));
            return;
        }
        if let Self::Terminal(_, terminal) = self {
            terminal.clear();
        }
        for line in words::verdict(agreement, statistics) {
            self.line(&line);
        }
    }

    /// The demo itself failed.
    pub(crate) fn failure(&mut self, error: &dyn Error) {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            text.push_str(&format!(": {error}"));
            source = error.source();
        }
        if let Self::Json = self {
            return json_line(&json!({ "event": "failure", "error": text }));
        }
        if let Self::Terminal(_, terminal) = self {
            terminal.clear();
        }
        // Without stderr there is nobody to tell.
        let _ = writeln!(io::stderr(), "error: {text}");
    }

    fn line(&self, text: &str) {
        match self {
            Self::Terminal(_, terminal) => terminal.line(text),
            Self::Json | Self::Plain(_) => print(text),
        }
    }
}

fn json_line(value: &Value) {
    print(&value.to_string());
}

/// A reader that went away, such as `head`, does not stop the demo: its exit code still tells.
fn print(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}
