//! The members of a JSON object, told apart without being judged: a parser has been over the text and found it sound.

use memchr::memchr2;

/// The members of an object, in their order: each name as it stands between its quotes, and its value.
pub(crate) struct Members<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Members<'a> {
    /// Of a text that is known to be one JSON value; `None` if it is no object.
    pub(crate) fn of_sound(text: &'a str) -> Option<Self> {
        text.starts_with('{').then_some(Self { text, at: 1 })
    }

    /// The next place that is no white space.
    fn solid(&self, at: usize) -> Option<usize> {
        let rest = self.text.as_bytes().get(at..)?;
        Some(at + rest.iter().position(|byte| !matches!(byte, b' ' | b'\n' | b'\r' | b'\t'))?)
    }

    /// Behind the string that begins here.
    fn behind_string(&self, start: usize) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let mut at = start + 1;
        loop {
            at += memchr2(b'"', b'\\', bytes.get(at..)?)?;
            if bytes[at] == b'"' {
                return Some(at + 1);
            }
            // Whatever is escaped, it does not end the string.
            at += 2;
        }
    }

    /// Behind the value that begins here.
    fn behind_value(&self, start: usize) -> Option<usize> {
        let bytes = self.text.as_bytes();
        match bytes.get(start)? {
            b'"' => self.behind_string(start),
            b'{' | b'[' => {
                let (mut depth, mut at) = (0_usize, start);
                loop {
                    match bytes.get(at)? {
                        b'"' => {
                            at = self.behind_string(at)?;
                            continue;
                        }
                        b'{' | b'[' => depth += 1,
                        b'}' | b']' => depth -= 1,
                        _ => {}
                    }
                    at += 1;
                    if depth == 0 {
                        return Some(at);
                    }
                }
            }
            _ => {
                let is_end = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t');
                Some(start + bytes[start..].iter().position(is_end)?)
            }
        }
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let mut name = self.solid(self.at)?;
        if self.text.as_bytes()[name] == b',' {
            name = self.solid(name + 1)?;
        }
        if self.text.as_bytes()[name] != b'"' {
            return None;
        }
        let behind_name = self.behind_string(name)?;
        let colon = self.solid(behind_name)?;
        let value = self.solid(colon + 1)?;
        self.at = self.behind_value(value)?;
        Some((self.text.get(name + 1..behind_name - 1)?, self.text.get(value..self.at)?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value, value::RawValue};

    use super::*;

    /// Any JSON, its strings full of what could mislead.
    fn json() -> impl Strategy<Value = Value> {
        let text = r#"[a"\\{}\[\],: \n\u{0}äß🙂]{0,6}"#;
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            text.prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((text, inner), 0..4).prop_map(|members| Map::from_iter(members).into()),
            ]
        })
    }

    fn told_apart(text: &str) -> Option<Map<String, Value>> {
        let raw: &RawValue = serde_json::from_str(text).expect("sound");
        let read = |text: &str| serde_json::from_str(text).expect("a value of its own");
        let name = |name: &str| serde_json::from_str(&format!("\"{name}\"")).expect("a name");
        Some(Members::of_sound(raw.get())?.map(|(key, value)| (name(key), read(value))).collect())
    }

    proptest! {
        #[test]
        fn members_are_those_that_a_parser_finds(value in json()) {
            for text in [value.to_string(), format!("{value:#}"), format!("{value:#}").replace('\n', "\r\n\t")] {
                let parsed: Value = serde_json::from_str(&text).expect("sound");
                let found = told_apart(&text);
                prop_assert_eq!(found.as_ref(), parsed.as_object(), "{}", text);
            }
        }
    }

    #[test]
    fn values_stay_as_they_are_written() {
        let raw: &RawValue =
            serde_json::from_str(r#"{ "a" : 1.50E+7,"b\"c":[ 1, "]" ] , "":"\\","d":"\\\"" }"#).expect("sound");
        let found: Vec<_> = Members::of_sound(raw.get()).expect("an object").collect();
        let expect = [("a", "1.50E+7"), (r#"b\"c"#, r#"[ 1, "]" ]"#), ("", r#""\\""#), ("d", r#""\\\"""#)];
        assert_eq!(found, expect);
    }
}
