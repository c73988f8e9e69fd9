//! The packed tuples in which the runtime sends keys and values: FoundationDB's tuple layer, without a count.

use serde_json::Value;

/// Packs values: null, booleans, numbers and text as themselves; arrays and objects as their JSON text.
pub fn pack<'a>(values: impl IntoIterator<Item = &'a Value>) -> Vec<u8> {
    let mut packed = Vec::new();
    for value in values {
        match value {
            Value::Null => packed.push(0x00),
            Value::Bool(value) => packed.push(if *value { 0x27 } else { 0x26 }),
            Value::String(text) => bytes(&mut packed, 0x02, text.as_bytes()),
            Value::Array(_) | Value::Object(_) => bytes(&mut packed, 0x01, value.to_string().as_bytes()),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(magnitude), _) => integer(&mut packed, magnitude, false),
                (None, Some(negative)) => integer(&mut packed, negative.unsigned_abs(), true),
                (None, None) => double(&mut packed, number.as_f64().unwrap_or(f64::NAN)),
            },
        }
    }
    packed
}

/// Zeros are escaped, a zero ends.
fn bytes(packed: &mut Vec<u8>, code: u8, content: &[u8]) {
    packed.push(code);
    for byte in content {
        packed.push(*byte);
        if *byte == 0 {
            packed.push(0xFF);
        }
    }
    packed.push(0);
}

/// As many bytes as it takes, which the code tells; of negative ones the complement.
fn integer(packed: &mut Vec<u8>, magnitude: u64, is_negative: bool) {
    let length = 8 - u8::try_from(magnitude.leading_zeros() / 8).unwrap_or(0);
    let magnitude = magnitude.to_be_bytes();
    let shown = magnitude.iter().skip(8 - usize::from(length));
    packed.push(if is_negative { 0x14 - length } else { 0x14 + length });
    packed.extend(shown.map(|byte| if is_negative { !byte } else { *byte }));
}

/// So that the order of the bytes is that of the numbers.
fn double(packed: &mut Vec<u8>, value: f64) {
    let bits = value.to_bits();
    let ordered = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    packed.push(0x21);
    packed.extend(ordered.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    /// The worked examples of the protocol's reference, and the borders of each length.
    #[test]
    fn examples() {
        for (values, expected) in [
            (json!(["hi"]), "02686900"),
            (json!([42, null, true]), "152a0027"),
            (json!([-1]), "13fe"),
            (json!([1.5]), "21bff8000000000000"),
            (json!([0, false]), "1426"),
            (json!([255, 256, -255, -256]), "15ff160100130012feff"),
            (json!([u64::MAX, i64::MIN]), "1cffffffffffffffff0c7fffffffffffffff"),
            (json!(["a\u{0}b", -1.5]), "026100ff6200214007ffffffffffff"),
            (json!([{"a": [1]}]), "017b2261223a5b315d7d00"),
        ] {
            let packed = super::pack(values.as_array().unwrap());
            let hex: String = packed.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, expected, "{values}");
        }
    }
}
