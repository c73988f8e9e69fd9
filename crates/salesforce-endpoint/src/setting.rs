//! How single values are written in the configurations.

use std::{fmt, marker::PhantomData, ops::RangeInclusive, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};

/// Text; the web form writes empty strings for fields that were left empty.
///
/// # Errors
/// When it is something else.
pub fn blank_is_absent<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
}

/// As [`blank_is_absent`], for a password: spaces around it may be part of it, line breaks cannot be.
///
/// # Errors
/// When it is no text.
pub fn password<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.map(|text| text.trim_matches(['\r', '\n']).to_owned()).filter(|text| !text.trim().is_empty()))
}

/// An object, and nothing else: serde would take a list of its members too.
///
/// # Errors
/// When it is something else, or its members do not fit.
pub fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct Object<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(members))
        }
    }

    deserializer.deserialize_map(Object(PhantomData))
}

/// As [`blank_is_absent`], for a point in time.
///
/// # Errors
/// When it is none.
pub fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    const EXPECTED: &str = "a date and time such as 2024-01-01T00:00:00Z";
    let parse = |text: String| text.parse().map_err(|_| de::Error::invalid_value(de::Unexpected::Str(""), &EXPECTED));
    blank_is_absent(deserializer)?.map(parse).transpose()
}

/// An ISO 8601 duration within bounds.
///
/// # Errors
/// What is expected instead, with an example.
pub fn duration(text: &str, bounds: RangeInclusive<Duration>, example: Duration) -> Result<Duration, String> {
    let duration: Option<SignedDuration> = text.parse().ok();
    let duration = duration.and_then(|duration| Duration::try_from(duration).ok());
    duration.filter(|duration| bounds.contains(duration)).ok_or_else(|| {
        format!(
            "it is an ISO 8601 duration from {} to {}, such as {}",
            iso(*bounds.start()),
            iso(*bounds.end()),
            iso(example)
        )
    })
}

/// A duration as ISO 8601 writes it.
pub fn iso(duration: Duration) -> String {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let parse = |text| duration(text, Duration::from_secs(1)..=Duration::from_secs(3600), Duration::from_secs(300));
        for (text, seconds) in [("PT1S", 1), ("PT5M", 300), ("PT1H", 3600), ("PT59M60S", 3600), ("5m", 300)] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["PT0S", "PT-1S", "PT61M", "0", "five minutes", "", "P1Y"] {
            let expected = "it is an ISO 8601 duration from PT1S to PT1H, such as PT5M";
            assert_eq!(parse(text).as_ref().map_err(String::as_str), Err(expected), "{text}");
        }
    }
}
