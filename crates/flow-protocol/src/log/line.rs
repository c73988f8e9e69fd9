//! What a log line looks like.

use jiff::{Timestamp, Unit, tz::TimeZone};
use serde_json::{Map, Value, json};
use tracing::Level;

use super::Format;

/// One event.
pub(super) struct Line<'a> {
    pub(super) ts: Timestamp,
    pub(super) level: Level,
    pub(super) message: &'a str,
    pub(super) fields: &'a Map<String, Value>,
}

impl Line<'_> {
    /// The line with its line feed, and no other.
    pub(super) fn render(&self, format: Format) -> String {
        match format {
            Format::Json => self.json(),
            Format::Human => self.human(),
        }
    }

    fn json(&self) -> String {
        let mut line = json!({
            "ts": self.ts.to_string(),
            "level": self.level.as_str().to_ascii_lowercase(),
            "message": self.message,
        });
        if !self.fields.is_empty() {
            line["fields"] = Value::Object(self.fields.clone());
        }
        format!("{line}\n")
    }

    fn human(&self) -> String {
        let ts = self.ts.round(Unit::Second).unwrap_or(self.ts).to_zoned(TimeZone::UTC);
        let mut line = format!("{} {:>5} {}", ts.strftime("%H:%M:%S"), self.level, self.message.replace('\n', " "));
        for (name, value) in self.fields {
            line.push_str(&format!(" {name}={value}"));
        }
        line.push('\n');
        line
    }
}
