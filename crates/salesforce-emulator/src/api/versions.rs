//! The list of API versions and what lies below one.

use serde_json::{Map, Value as Json, json};

use super::Call;
use super::reply::Reply;
use super::resource::VERSIONS;
use crate::org::Org;

/// `GET /services/data`, which needs no session.
pub(super) fn list() -> Reply {
    let versions: Vec<Json> = VERSIONS
        .map(|major| json!({"label": release(major), "url": format!("/services/data/v{major}.0"), "version": format!("{major}.0")}))
        .collect();
    Reply::value(&versions.into())
}

/// Three releases a year; version 31 was Summer '14.
fn release(major: u32) -> String {
    let season = ["Summer", "Winter", "Spring"][(major as usize - 31) % 3];
    format!("{season} '{:02}", 14 + (major - 29) / 3)
}

/// `GET /services/data/vVV.V`
pub(super) fn directory(org: &Org, call: &Call, version: &str) -> Reply {
    let mut resources = Map::new();
    for name in ["composite", "limits", "query", "queryAll", "sobjects"] {
        resources.insert(name.to_owned(), format!("/services/data/v{version}/{name}").into());
    }
    resources.insert("identity".to_owned(), format!("{}/id/{}/{}", call.host(), org.org_id(), org.user_id()).into());
    Reply::value(&resources.into())
}

#[cfg(test)]
mod tests {
    use super::release;

    #[test]
    fn releases() {
        for (major, name) in [
            (31, "Summer '14"),
            (32, "Winter '15"),
            (33, "Spring '15"),
            (62, "Winter '25"),
            (63, "Spring '25"),
            (67, "Summer '26"),
        ] {
            assert_eq!(release(major), name);
        }
    }
}
