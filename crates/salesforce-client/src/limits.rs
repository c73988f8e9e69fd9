//! The org's daily allocation of API calls, as its reply headers tell it.

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
}
