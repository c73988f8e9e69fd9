//! The org's allocations: of API calls as its reply headers tell it, of everything as it lists them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::{Action, Error, Org, call::Call};

/// How many API calls the whole org has made in the last 24 hours, of how many. From the header
/// `Sforce-Limit-Info: api-usage=17/15000`, which every REST reply but the version list carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Calls made by everybody.
    pub used: u64,
    /// Calls allowed; some editions tolerate more for a while.
    pub limit: u64,
}

impl Usage {
    /// The value of the header. Per-app figures may stand beside the org's own.
    pub(crate) fn parse(header: &str) -> Option<Usage> {
        header.split([',', ';']).find_map(|part| {
            let (used, limit) = part.trim().strip_prefix("api-usage=")?.split_once('/')?;
            Some(Usage { used: used.trim().parse().ok()?, limit: limit.trim().parse().ok()? })
        })
    }
}

/// The org's allocations by name, such as `DailyApiRequests` and `DailyDurableStreamingApiEvents`. The figures lag
/// by up to five minutes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "BTreeMap<String, Value>")]
pub struct Limits(BTreeMap<String, Allocation>);

/// One allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// How much there is in all.
    pub max: u64,
    /// How much of it is left.
    pub remaining: u64,
}

impl Limits {
    /// An allocation by its exact name; which ones there are depends on edition, licences and API version.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Allocation> {
        self.0.get(name).copied()
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, Allocation)> {
        self.0.iter().map(|(name, allocation)| (name.as_str(), *allocation))
    }
}

/// What is no allocation is passed over, as are the figures of single apps within one.
impl From<BTreeMap<String, Value>> for Limits {
    fn from(entries: BTreeMap<String, Value>) -> Self {
        let allocation = |(name, entry): (String, Value)| {
            let (max, remaining) = (entry.get("Max")?.as_u64()?, entry.get("Remaining")?.as_i64()?);
            // An org that may overdraw has less than nothing left.
            Some((name, Allocation { max, remaining: remaining.try_into().unwrap_or(0) }))
        };
        Limits(entries.into_iter().filter_map(allocation).collect())
    }
}

impl Org {
    /// The org's allocations. For API calls alone, [`Org::usage`] is as good and costs none.
    ///
    /// # Errors
    /// The vendor asks for the permission to view setup and configuration. Otherwise as any call.
    pub async fn limits(&self) -> Result<Limits, Error> {
        let call = Call::read(Action::Limits).path(self.data_path(format_args!("/limits")));
        self.send(&call, |reply| reply.json()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        for (header, expect) in [
            ("api-usage=17/15000", Some((17, 15_000))),
            ("api-usage=25/5000; per-app-api-usage=17/250(appName=sample)", Some((25, 5000))),
            ("api-usage=10018/100000, per-app-api-usage=17/250(appName=sample)", Some((10_018, 100_000))),
            ("per-app-api-usage=17/250(appName=sample),api-usage=1/2", Some((1, 2))),
            ("", None),
            ("api-usage=many/15000", None),
        ] {
            assert_eq!(Usage::parse(header).map(|usage| (usage.used, usage.limit)), expect, "{header}");
        }
    }

    #[test]
    fn a_list_of_limits() {
        let text = r#"{
            "DailyApiRequests": { "Max": 15000, "Remaining": 14998, "Ant Migration Tool": { "Max": 0, "Remaining": 0 } },
            "DailyStreamingApiEvents": { "Max": 10000, "Remaining": 10000, "Unit": "events" },
            "DataStorageMB": { "Max": 5, "Remaining": -2 },
            "Half": { "Max": 5 }, "Odd": { "Max": "5", "Remaining": 5 }, "None": null, "Number": 7
        }"#;
        let limits: Limits = serde_json::from_str(text).unwrap();
        let shown: Vec<_> = limits.iter().map(|(name, limit)| (name, limit.max, limit.remaining)).collect();
        let expect = [
            ("DailyApiRequests", 15_000, 14_998),
            ("DailyStreamingApiEvents", 10_000, 10_000),
            ("DataStorageMB", 5, 0),
        ];
        assert_eq!(shown, expect);
        assert_eq!(limits.get("DailyApiRequests"), Some(Allocation { max: 15_000, remaining: 14_998 }));
        assert_eq!(limits.get("dailyapirequests"), None);
        assert!(serde_json::from_str::<Limits>("[]").is_err());
    }
}
