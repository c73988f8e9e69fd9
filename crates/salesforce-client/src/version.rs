//! Versions of the REST API.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{Action, Error, Org, call::Call};

/// A version of the API, such as `62.0`. The minor part has always been zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiVersion(u16);

impl ApiVersion {
    /// The version spoken unless the user asks for another: Winter '25, served by every org.
    pub const DEFAULT: ApiVersion = ApiVersion(62);
}

impl Default for ApiVersion {
    fn default() -> Self {
        ApiVersion::DEFAULT
    }
}

/// As in the paths of CometD and in version lists: `62.0`.
impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.0", self.0)
    }
}

/// `62.0`, `v62.0` or `62`.
impl FromStr for ApiVersion {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let digits = text.strip_prefix('v').unwrap_or(text);
        let digits = digits.strip_suffix(".0").unwrap_or(digits);
        match digits.parse() {
            Ok(major) if digits.bytes().all(|byte| byte.is_ascii_digit()) && major > 0 => Ok(ApiVersion(major)),
            _ => Err(Error::invalid("API version", text, "it looks like 62.0")),
        }
    }
}

impl Serialize for ApiVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ApiVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// One entry of the list of versions an instance serves.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Version {
    /// The release it came with, such as `Winter '25`.
    pub label: String,
    /// The version.
    pub version: ApiVersion,
}

impl Org {
    /// The versions the org's instance serves, oldest first: `GET /services/data`, which is sent without the token
    /// and counts as no call. Which instance that is takes a sign-in to know.
    ///
    /// # Errors
    /// As any call; see [`Error`].
    pub async fn versions(&self) -> Result<Vec<Version>, Error> {
        let call = Call::read(Action::Versions).path("/services/data").anonymous();
        self.send(&call, |reply| reply.json()).await
    }

    /// Whether the org serves the version this client speaks.
    ///
    /// # Errors
    /// [`Error::VersionNotOffered`], which names what is on offer; otherwise as [`Org::versions`].
    pub async fn check_version(&self) -> Result<(), Error> {
        let asked = *self.api_version();
        let offered: Vec<ApiVersion> = self.versions().await?.iter().map(|offered| offered.version).collect();
        match (offered.iter().min(), offered.iter().max()) {
            (Some(&oldest), Some(&newest)) if !offered.contains(&asked) => {
                Err(Error::VersionNotOffered { asked, oldest, newest })
            }
            // A list that names nothing denies nothing.
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_parsed_and_shown() {
        for (text, expect) in [("62.0", "62.0"), ("v62.0", "62.0"), ("62", "62.0"), ("9.0", "9.0")] {
            assert_eq!(text.parse::<ApiVersion>().expect("a version").to_string(), expect);
        }
        for text in ["", "v", "62.1", "latest", "-1", "+62", "0", "62.0.0", "99999"] {
            assert!(text.parse::<ApiVersion>().is_err(), "{text}");
        }
    }
}
