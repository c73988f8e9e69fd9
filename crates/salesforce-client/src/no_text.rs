//! A reply that is no text: in which record's field, as far as that can be told.

use memchr::memmem;
use serde_json::value::RawValue;

use crate::{Record, RecordId};

/// What a reply has that is no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoText {
    /// Bytes that are no UTF-8.
    Utf8,
    /// An escaped half of a pair of surrogates.
    HalfPair,
}

/// Where JSON text has an escaped half of a pair of surrogates, if it has one: no character, though a string of JSON can say it, and few
/// that read JSON take it.
#[must_use]
pub fn half_pair(json: &str) -> Option<usize> {
    let bytes = json.as_bytes();
    let unit = |at: usize| {
        let digits = json.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    let mut whole = 0;
    memmem::find_iter(bytes, b"\\u").find(|at| {
        let slashes = bytes[..*at].iter().rev().take_while(|byte| **byte == b'\\').count();
        let Some(first) = unit(*at).filter(|_| slashes % 2 == 0 && *at >= whole) else { return false };
        let is_pair = || unit(at + 6).is_some_and(|second| matches!(second, 0xdc00..=0xdfff));
        match first {
            0xd800..=0xdbff if is_pair() => {
                whole = at + 12;
                false
            }
            0xd800..=0xdfff => true,
            _ => false,
        }
    })
}

/// Says what begins at this byte of a reply.
pub(crate) fn said(what: NoText, body: &[u8], at: usize) -> String {
    let what = match what {
        NoText::Utf8 => "no UTF-8",
        NoText::HalfPair => "half a pair of surrogates",
    };
    // Up to there the text with replacements is the same.
    let text = String::from_utf8_lossy(body);
    match field(&text, &text, at) {
        Some((id, field)) => format!("{what} in {field} of {id}, at byte {at}"),
        None => format!("{what} at byte {at}"),
    }
}

/// The record and its field that hold this byte of `text`, of which `part` is a part.
fn field(text: &str, part: &str, at: usize) -> Option<(RecordId, String)> {
    let holds = |value: &str| {
        let from = value.as_ptr().addr() - text.as_ptr().addr();
        (from..from + value.len()).contains(&at)
    };
    if let Ok(list) = serde_json::from_str::<Vec<&RawValue>>(part) {
        return field(text, list.into_iter().find(|value| holds(value.get()))?.get(), at);
    }
    let record: Record<'_> = serde_json::from_str(part).ok()?;
    let (name, value) = record.iter().find(|(_, value)| holds(value.get()))?;
    match record.id() {
        Ok(id) => Some((id, name.to_owned())),
        Err(_) => field(text, value.get(), at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A question mark stands for a byte that begins no character.
    #[test]
    fn a_record_is_named_where_there_is_one() {
        let id = "001D000000IRFmaIAH";
        for (body, expect) in [
            (
                r#"{"records":[{"Id":"001D000000IRFmaIAH","Name":"fine"},{"Id":"001D000000IRFmaIAH","Name":"a?"}]}"#,
                "Name",
            ),
            (r#"[null,{"attributes":{"type":"Account"},"Id":"001D000000IRFmaIAH","Address":{"city":"?"}}]"#, "Address"),
            (r#"{"compositeResponse":[{"body":[{"Id":"001D000000IRFmaIAH","Name":"?"}]}]}"#, "Name"),
        ] {
            let at = body.find('?').unwrap();
            let bytes: Vec<u8> = body.bytes().map(|byte| if byte == b'?' { 0xff } else { byte }).collect();
            assert_eq!(said(NoText::Utf8, &bytes, at), format!("no UTF-8 in {expect} of {id}, at byte {at}"));
        }
        for body in [&b"\xff"[..], b"{\"Name\":\"\xff\"}", b"[\"\xff", b"{\"Id\":\"\xff\"}", b"{\"\xff\":1}"] {
            let at = body.iter().position(|byte| *byte == 0xff).unwrap();
            assert_eq!(said(NoText::Utf8, body, at), format!("no UTF-8 at byte {at}"));
        }
    }

    #[test]
    fn halves_of_pairs_are_told_from_pairs() {
        for (text, at) in [
            (r"plain", None),
            (r"\u00e4\ud83d\ude00\uD83D\uDE00", None),
            (r"a\ud83d", Some(1)),
            (r"a\ud83d\n", Some(1)),
            (r"\ud83d\ud83d\ude00", Some(0)),
            (r"\ud83d\ude00\ude00", Some(12)),
            (r"\uDE00\uD83D", Some(0)),
            (r"\ud83dä", Some(0)),
            // Escaped backslashes, and letters behind them.
            (r"\\ud83d", None),
            (r"\\\ud83d", Some(2)),
            (r"\ud8", None),
        ] {
            assert_eq!(half_pair(text), at, "{text}");
        }
    }
}
