//! Keys and values in the packed form: tuples as FoundationDB encodes them, elements one after the other, each with a
//! byte in front that says what it is. Pure.

use std::fmt;

use serde_json::value::RawValue;

/// Why packed bytes are no tuple of ours. Nothing here shows what they hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unpackable {
    /// They are not base64.
    Base64,
    /// They end within an element.
    Cut,
    /// An element begins with a byte that stands for no type.
    Code {
        /// The byte.
        code: u8,
        /// Where it stands, from 0.
        at: usize,
    },
    /// A text is not UTF-8, or an object or array is not JSON.
    Text {
        /// Where the element begins, from 0.
        at: usize,
    },
    /// A number is infinite or none.
    Number {
        /// Where the element begins, from 0.
        at: usize,
    },
}

impl fmt::Display for Unpackable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unpackable::Base64 => f.write_str("not base64"),
            Unpackable::Cut => f.write_str("the tuple ends within an element"),
            Unpackable::Code { code, at } => write!(f, "byte {at}: 0x{code:02x} stands for no type of a tuple"),
            Unpackable::Text { at } => write!(f, "byte {at}: the text or JSON of an element is unreadable"),
            Unpackable::Number { at } => write!(f, "byte {at}: the number of an element is not finite"),
        }
    }
}

impl std::error::Error for Unpackable {}

/// The elements of a tuple, each as JSON. Integers keep all their digits.
///
/// # Errors
/// Where and why the bytes are no tuple of nulls, texts, numbers, booleans, objects and arrays.
pub fn unpack(packed: &[u8]) -> Result<Vec<Box<RawValue>>, Unpackable> {
    let mut reader = Reader { packed, at: 0 };
    let mut elements = Vec::new();
    while reader.at < packed.len() {
        elements.push(reader.element()?);
    }
    Ok(elements)
}

struct Reader<'a> {
    packed: &'a [u8],
    at: usize,
}

/// The code of the integer 0: those of the longer ones lie around it.
const ZERO: u8 = 0x14;

impl<'a> Reader<'a> {
    fn element(&mut self) -> Result<Box<RawValue>, Unpackable> {
        let at = self.at;
        let [code] = *self.take(1)? else { return Err(Unpackable::Cut) };
        let json = match code {
            0x00 => "null".to_owned(),
            // An object or an array, as its JSON text.
            0x01 => self.text(at)?,
            0x02 => serde_json::to_string(&self.text(at)?).map_err(|_| Unpackable::Text { at })?,
            0x0b => {
                let [length] = *self.take(1)? else { return Err(Unpackable::Cut) };
                let bytes: Vec<u8> = self.take(usize::from(!length))?.iter().map(|byte| !byte).collect();
                negative(decimal(&bytes))
            }
            0x0c..ZERO => {
                let bytes: Vec<u8> = self.take(usize::from(ZERO - code))?.iter().map(|byte| !byte).collect();
                negative(unsigned(&bytes).to_string())
            }
            ZERO..=0x1c => unsigned(self.take(usize::from(code - ZERO))?).to_string(),
            0x1d => {
                let [length] = *self.take(1)? else { return Err(Unpackable::Cut) };
                decimal(self.take(usize::from(length))?)
            }
            0x21 => self.double(at)?,
            0x26 => "false".to_owned(),
            0x27 => "true".to_owned(),
            code => return Err(Unpackable::Code { code, at }),
        };
        RawValue::from_string(json).map_err(|_| Unpackable::Text { at })
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Unpackable> {
        let bytes = self.packed.get(self.at..).and_then(|rest| rest.get(..count)).ok_or(Unpackable::Cut)?;
        self.at += count;
        Ok(bytes)
    }

    /// Bytes up to a zero; a zero among them is followed by 0xFF.
    fn text(&mut self, element: usize) -> Result<String, Unpackable> {
        let mut bytes = Vec::new();
        loop {
            let rest = &self.packed[self.at..];
            let zero = rest.iter().position(|byte| *byte == 0).ok_or(Unpackable::Cut)?;
            bytes.extend_from_slice(&rest[..zero]);
            self.at += zero + 1;
            if rest.get(zero + 1) != Some(&0xff) {
                return String::from_utf8(bytes).map_err(|_| Unpackable::Text { at: element });
            }
            bytes.push(0);
            self.at += 1;
        }
    }

    /// A double whose bits were turned so that they sort: the sign bit of a positive one, all of a negative one.
    fn double(&mut self, element: usize) -> Result<String, Unpackable> {
        let bytes: [u8; 8] = self.take(8)?.try_into().map_err(|_| Unpackable::Cut)?;
        let bits = u64::from_be_bytes(bytes);
        let sign = 1 << 63;
        let number = f64::from_bits(if bits & sign == 0 { !bits } else { bits ^ sign });
        if !number.is_finite() {
            return Err(Unpackable::Number { at: element });
        }
        serde_json::to_string(&number).map_err(|_| Unpackable::Number { at: element })
    }
}

/// A number of up to eight bytes, of which the first weighs most.
fn unsigned(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The same of any length, in decimal digits.
fn decimal(bytes: &[u8]) -> String {
    // Digits, those that weigh least first.
    let mut digits: Vec<u8> = Vec::new();
    for byte in bytes {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            carry += u32::from(*digit) << 8;
            *digit = u8::try_from(carry % 10).unwrap_or_default();
            carry /= 10;
        }
        while carry > 0 {
            digits.push(u8::try_from(carry % 10).unwrap_or_default());
            carry /= 10;
        }
    }
    if digits.is_empty() {
        digits.push(0);
    }
    digits.iter().rev().map(|digit| char::from(b'0' + digit)).collect()
}

fn negative(digits: String) -> String {
    if digits == "0" { digits } else { format!("-{digits}") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        text.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
    }

    fn json_of(packed: &[u8]) -> Result<String, Unpackable> {
        let elements = unpack(packed)?;
        Ok(format!("[{}]", elements.iter().map(|element| element.get()).collect::<Vec<_>>().join(",")))
    }

    #[test]
    fn elements() {
        for (packed, expect) in [
            ("", "[]"),
            ("02 68 69 00", r#"["hi"]"#),
            ("15 2A 00 27", "[42,null,true]"),
            ("13 FE", "[-1]"),
            ("21 BF F8 00 00 00 00 00 00", "[1.5]"),
            ("21 40 07 FF FF FF FF FF FF", "[-1.5]"),
            ("21 80 00 00 00 00 00 00 00", "[0.0]"),
            ("26 14", "[false,0]"),
            ("15 01", "[1]"),
            ("16 01 00", "[256]"),
            ("12 FE FF", "[-256]"),
            ("1C FF FF FF FF FF FF FF FF", "[18446744073709551615]"),
            ("0C 00 00 00 00 00 00 00 00", "[-18446744073709551615]"),
            ("1D 09 01 00 00 00 00 00 00 00 00", "[18446744073709551616]"),
            ("0B F6 FE FF FF FF FF FF FF FF FF", "[-18446744073709551616]"),
            ("1D 00", "[0]"),
            ("0B FF", "[0]"),
            ("02 61 00 FF 62 22 0A 00", r#"["a\u0000b\"\n"]"#),
            ("02 00", r#"[""]"#),
            ("02 00 FF 00", r#"["\u0000"]"#),
            ("01 7B 22 61 22 3A 31 2E 31 30 7D 00 02 C3 BC 00", r#"[{"a":1.10},"ü"]"#),
            ("01 5B 5D 00", "[[]]"),
        ] {
            assert_eq!(json_of(&hex(packed)).as_deref(), Ok(expect), "{packed}");
        }
    }

    #[test]
    fn what_is_no_tuple() {
        for (packed, expect) in [
            ("02 68 69", "the tuple ends within an element"),
            ("02 00 FF", "the tuple ends within an element"),
            ("16 01", "the tuple ends within an element"),
            ("21 BF", "the tuple ends within an element"),
            ("1D", "the tuple ends within an element"),
            ("1D 09 01", "the tuple ends within an element"),
            ("27 03", "byte 1: 0x03 stands for no type of a tuple"),
            ("27 27 02 FF 00", "byte 2: the text or JSON of an element is unreadable"),
            ("01 7B 00", "byte 0: the text or JSON of an element is unreadable"),
            ("21 FF F0 00 00 00 00 00 00", "byte 0: the number of an element is not finite"),
        ] {
            assert_eq!(unpack(&hex(packed)).unwrap_err().to_string(), expect, "{packed}");
        }
    }

    /// As the runtime packs it.
    fn pack(value: &Value, packed: &mut Vec<u8>) {
        let escaped = |code: u8, bytes: &[u8], packed: &mut Vec<u8>| {
            packed.push(code);
            for byte in bytes {
                packed.push(*byte);
                if *byte == 0 {
                    packed.push(0xff);
                }
            }
            packed.push(0);
        };
        let minimal = |number: u64| {
            let bytes = number.to_be_bytes();
            bytes[usize::try_from(number.leading_zeros() / 8).unwrap()..].to_vec()
        };
        match value {
            Value::Null => packed.push(0),
            Value::Bool(flag) => packed.push(0x26 + u8::from(*flag)),
            Value::String(text) => escaped(2, text.as_bytes(), packed),
            Value::Object(_) | Value::Array(_) => escaped(1, value.to_string().as_bytes(), packed),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(number), ..) => {
                    let bytes = minimal(number);
                    packed.push(ZERO + u8::try_from(bytes.len()).unwrap());
                    packed.extend(bytes);
                }
                (None, Some(number), _) => {
                    let bytes = minimal(number.unsigned_abs());
                    packed.push(ZERO - u8::try_from(bytes.len()).unwrap());
                    packed.extend(bytes.iter().map(|byte| !byte));
                }
                (None, None, number) => {
                    let bits = number.unwrap().to_bits();
                    packed.push(0x21);
                    packed.extend((if bits >> 63 == 0 { bits ^ 1 << 63 } else { !bits }).to_be_bytes());
                }
            },
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1000_i64..1000).prop_map(Value::from),
            any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(|number| json!(number)),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(2, 8, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec((".{0,4}", inner), 0..4).prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_out(values in proptest::collection::vec(values(), 0..6)) {
            let mut packed = Vec::new();
            values.iter().for_each(|value| pack(value, &mut packed));
            prop_assert_eq!(json_of(&packed), Ok(Value::from(values).to_string()));
        }

        #[test]
        fn no_bytes_cause_a_panic(packed in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = unpack(&packed);
        }

        #[test]
        fn long_numbers_have_all_their_digits(number in any::<u128>()) {
            prop_assert_eq!(decimal(&number.to_be_bytes()), number.to_string());
        }
    }
}
