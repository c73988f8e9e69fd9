//! What people read.

use jiff::SignedDuration;
use serde_json::Value;

use crate::{
    show::Agreement,
    statistics::{Latency, Statistics, Stream},
};

/// Longest line of a document, in characters.
const WIDTH: usize = 110;

/// What happened, in the right column; further lines of it below each other.
pub(super) fn step(step: &str, what: &str) -> String {
    let indented = what.trim_end().replace('\n', "\n           ");
    format!("{step:>9}  {indented}")
}

/// A document on one line, shortened.
pub(super) fn document(stream: &str, document: &Value) -> String {
    let what = match document["_meta"]["op"].as_str() {
        Some("c") => "row",
        Some("u") => "changed",
        Some("d") => "deleted",
        _ => "?",
    };
    let id = document["Id"].as_str().unwrap_or("?");
    let fields = document.as_object().into_iter().flatten().filter_map(|(name, value)| {
        let value = match value {
            _ if matches!(name.as_str(), "_meta" | "Id") => return None,
            // References mean little to a reader, and most numbers of a fresh row are zero.
            Value::String(text) if !text.is_empty() && !name.ends_with("Id") => text.replace(char::is_control, " "),
            Value::Number(number) if number.as_f64() != Some(0.0) => number.to_string(),
            _ => return None,
        };
        Some(format!("{name}={value}"))
    });
    let mut line = step(what, &format!("{stream} {id}"));
    for field in fields {
        line.push_str("  ");
        line.push_str(&field);
        if let Some((end, _)) = line.char_indices().nth(WIDTH) {
            line.truncate(end);
            line.push('…');
            break;
        }
    }
    line
}

/// One stream's numbers on one line, as they are just now.
pub(super) fn live(name: &str, stream: &Stream) -> String {
    line(name, stream, &format!("  {:>7.1}/s", stream.rate()))
}

/// The lines of the verdict.
pub(super) fn verdict(agreement: &Agreement, statistics: &Statistics) -> Vec<String> {
    let mut lines = vec![String::new()];
    lines.extend(statistics.streams().map(|(name, stream)| line(name, stream, "")));
    if let Some(all) = statistics.latency() {
        lines.push(format!("Latency from the org's event to the document: {}.", latency(all)));
    }
    if agreement.is_complete() {
        let rows: Vec<String> = agreement.rows.iter().map(|(name, rows)| format!("{rows} {name}")).collect();
        let who =
            if agreement.is_of_two_orgs { "The collections and the second org" } else { "The captured collections" };
        lines.push(format!("{who} agree with the org: {}.", rows.join(", ")));
    } else {
        lines.push("There is NO agreement with the org:".to_owned());
        lines.extend(agreement.problems.iter().cloned());
    }
    lines
}

fn line(name: &str, stream: &Stream, rate: &str) -> String {
    let latency = stream.latency().map(|of_stream| format!("   {}", latency(of_stream))).unwrap_or_default();
    format!("{name:<14} {:>9} documents{rate}{latency}", number(stream.documents()))
}

/// With separators between thousands.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn latency(Latency { median, p99 }: Latency) -> String {
    let milliseconds = |duration: SignedDuration| format!("{:.0} ms", duration.as_secs_f64() * 1000.0);
    format!("median {}, p99 {}", milliseconds(median), milliseconds(p99))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_are_shortened() {
        let id = "001000000000001AAA";
        let lines = [
            document(
                "Account",
                &json!({"_meta": {"op": "c"}, "Id": id, "OwnerId": "005", "Name": "Acme", "Fax": null,
                "Employees": 7, "Debt": 0, "IsDeleted": false, "Note": "two\nlines"}),
            ),
            document("Account", &json!({"_meta": {"op": "d"}, "Id": id})),
            document("Case", &json!({"_meta": {"op": "u"}, "Id": id, "Subject": "ä".repeat(200), "Origin": "Web"})),
        ];
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn numbers_are_grouped() {
        for (n, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (12_345, "12,345"), (1_234_567, "1,234,567")] {
            assert_eq!(number(n), text);
        }
    }
}
