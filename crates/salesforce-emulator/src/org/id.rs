//! Record ids: 15 case-sensitive characters and three that repeat their case, so that the id survives case folding.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An 18-character record id whose checksum holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id([u8; 18]);

/// ASCII order, so that ids made later sort later under binary comparison.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const CHECKSUM: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";

impl Id {
    /// The `sequence`-th id of an object: key prefix, two characters for the pod, one reserved, nine digits.
    pub fn new(prefix: &str, pod: [u8; 2], sequence: u64) -> Self {
        let mut head = *b"000000000000000";
        for (place, byte) in head.iter_mut().zip(prefix.bytes().take(3)) {
            *place = byte;
        }
        head[3..5].copy_from_slice(&pod);
        let mut rest = sequence;
        for place in head[6..].iter_mut().rev() {
            *place = DIGITS[(rest % 62) as usize];
            rest /= 62;
        }
        Self::complete(head)
    }

    /// Parses the 15- or 18-character form; the checksum of the latter must hold.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if !bytes.iter().all(u8::is_ascii_alphanumeric) {
            return None;
        }
        let id = Self::complete(bytes.get(..15)?.try_into().ok()?);
        match bytes.len() {
            15 => Some(id),
            18 if id.0 == bytes => Some(id),
            _ => None,
        }
    }

    /// The 18 characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The 15 case-sensitive characters, as access tokens and URLs of the user interface show them.
    pub fn short(&self) -> &str {
        &self.as_str()[..15]
    }

    /// The first three characters, which name the object.
    pub fn prefix(&self) -> &str {
        &self.as_str()[..3]
    }

    fn complete(head: [u8; 15]) -> Self {
        let mut id = [0; 18];
        id[..15].copy_from_slice(&head);
        for group in 0..3 {
            let bits =
                (0..5).filter(|bit| head[group * 5 + bit].is_ascii_uppercase()).fold(0, |sum, bit| sum | 1 << bit);
            id[15 + group] = CHECKSUM[bits];
        }
        Self(id)
    }
}

/// Two characters for the pod an org lives on, derived from its seed.
pub(crate) fn pod(seed: u64) -> [u8; 2] {
    let mixed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    [b'5', DIGITS[(mixed % 62) as usize]]
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom(format!("'{text}' is no record id")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Real ids, and the empty key of overflow events.
    #[test]
    fn checksums() {
        for (short, long) in [
            ("001D000000IRFma", "001D000000IRFmaIAH"),
            ("0015f00002JUZPD", "0015f00002JUZPDAA5"),
            ("000000000000000", "000000000000000AAA"),
        ] {
            assert_eq!(Id::parse(short).unwrap().as_str(), long);
            assert_eq!(Id::parse(long).unwrap().short(), short);
        }
    }

    #[test]
    fn refused() {
        for text in [
            "",
            "abc",
            "001D000000IRFmaIAA",
            "001D000000IRFm!",
            "001D000000IRFmaI",
            "001D000000IRFmaIAHx",
            "é01D000000IRFm",
        ] {
            assert_eq!(Id::parse(text), None, "{text}");
        }
    }

    #[test]
    fn later_ids_sort_later() {
        let ids: Vec<Id> =
            [1, 9, 10, 35, 36, 61, 62, 3843, 3844, 1_000_000].map(|n| Id::new("001", *b"5f", n)).to_vec();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1] && Id::parse(pair[0].as_str()) == Some(pair[0])));
    }
}
