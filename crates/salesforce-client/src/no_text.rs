//! A reply that is no text: in which record's field, as far as that can be told.

use serde_json::value::RawValue;

use crate::{Record, RecordId};

/// Says that what begins at this byte of a reply is no UTF-8.
pub(crate) fn said(body: &[u8], at: usize) -> String {
    // Up to there the text with replacements is the same.
    let text = String::from_utf8_lossy(body);
    match field(&text, &text, at) {
        Some((id, field)) => format!("no UTF-8 in {field} of {id}, at byte {at}"),
        None => format!("no UTF-8 at byte {at}"),
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
            assert_eq!(said(&bytes, at), format!("no UTF-8 in {expect} of {id}, at byte {at}"));
        }
        for body in [&b"\xff"[..], b"{\"Name\":\"\xff\"}", b"[\"\xff", b"{\"Id\":\"\xff\"}", b"{\"\xff\":1}"] {
            let at = body.iter().position(|byte| *byte == 0xff).unwrap();
            assert_eq!(said(body, at), format!("no UTF-8 at byte {at}"));
        }
    }
}
