//! PEM text as it arrives from web forms: line breaks turned into spaces or into a literal `\n`, margins, CRLF.

use base64::{Engine, prelude::BASE64_STANDARD};

/// One `-----BEGIN LABEL-----` … `-----END LABEL-----`.
pub(crate) struct Block<'a> {
    /// What the block says it is, such as `CERTIFICATE`.
    pub(crate) label: &'a str,
    body: &'a str,
}

/// What keeps text from being PEM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// A block has a first line and no last one.
    CutOff,
    /// What stands between them is no base64.
    NotBase64,
}

impl Block<'_> {
    /// Whether the block is encrypted in the manner of old OpenSSL, with headers above the base64.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.body.contains(",ENCRYPTED")
    }

    /// The bytes of the block.
    pub(crate) fn der(&self) -> Result<Vec<u8>, Broken> {
        decode(self.body).ok_or(Broken::NotBase64)
    }
}

/// The blocks in a text, in its order; what stands around them is for people.
pub(crate) fn blocks(text: &str) -> Result<Vec<Block<'_>>, Broken> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, begun)) = rest.split_once("-----BEGIN ") {
        let (label, begun) = begun.split_once("-----").ok_or(Broken::CutOff)?;
        let (body, ended) = begun.split_once("-----END ").ok_or(Broken::CutOff)?;
        (_, rest) = ended.split_once("-----").ok_or(Broken::CutOff)?;
        blocks.push(Block { label, body });
    }
    Ok(blocks)
}

/// Base64, wherever its lines were broken and however the breaks were spelled.
pub(crate) fn decode(base64: &str) -> Option<Vec<u8>> {
    let unbroken: String = base64.replace("\\r", "").replace("\\n", "").split_whitespace().collect();
    BASE64_STANDARD.decode(unbroken).ok().filter(|bytes| !bytes.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_survive_what_web_forms_do_to_them() {
        for text in [
            "-----BEGIN A B-----\nAQID\nBAUG\n-----END A B-----\n",
            "-----BEGIN A B-----\r\nAQID\r\nBAUG\r\n-----END A B-----",
            "-----BEGIN A B-----\\nAQID\\nBAUG\\n-----END A B-----\\n",
            "-----BEGIN A B-----\\r\\nAQID\\r\\nBAUG\\r\\n-----END A B-----\\r\\n",
            "-----BEGIN A B----- AQID BAUG -----END A B-----",
            "\"  Bag Attributes\n\n-----BEGIN A B-----\n  AQID\n\tBAUG  -----END A B-----\"",
        ] {
            let blocks = blocks(text).unwrap();
            let [block] = &blocks[..] else { panic!("one block: {text}") };
            assert_eq!(block.label, "A B", "{text}");
            assert_eq!(block.der(), Ok(vec![1, 2, 3, 4, 5, 6]), "{text}");
        }
    }

    #[test]
    fn what_is_no_pem() {
        assert!(blocks("AQID").unwrap().is_empty());
        for text in ["-----BEGIN A", "-----BEGIN A-----\nAQID", "-----BEGIN A-----\nAQID\n-----END A"] {
            assert_eq!(blocks(text).err(), Some(Broken::CutOff), "{text}");
        }
        for body in ["", "AQI", "AQ?D", "Proc-Type: 4,ENCRYPTED AQID"] {
            let text = format!("-----BEGIN A-----\n{body}\n-----END A-----");
            assert_eq!(blocks(&text).unwrap()[0].der(), Err(Broken::NotBase64), "{body}");
        }
    }
}
