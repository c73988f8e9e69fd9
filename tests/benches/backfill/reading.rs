//! The connector as it reads history.

use std::time::Duration;

use demo::runtime::Connector;
use e2e::measure::Usage;
use serde_json::json;

use crate::{
    Result, Way,
    org::{OBJECT, Org},
    session::{self, Session},
};

/// What reading rows took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) rows: usize,
    /// Bytes of the documents' lines.
    pub(crate) bytes: usize,
    /// From `opened` to the last of the rows.
    pub(crate) wall: Duration,
    /// In the same span.
    pub(crate) used: Usage,
}

/// Reads so many rows of the org's history from its beginning.
pub(crate) async fn read(connector: &Connector, org: &Org, way: Way, rows: usize) -> Result<Reading> {
    let mut config = org.config();
    config["advanced"]["bulk_threshold"] = json!(if way == Way::Bulk { 0 } else { u32::MAX });
    // Polled: a topic would stay in the org's file.
    let capture = session::capture(connector, config, json!({ "stream": OBJECT, "mode": "poll" })).await?;
    let mut session = Session::open(connector, &capture).await?;
    let mut bytes = 0;
    for _ in 0..rows {
        bytes += session.document().await?.len();
    }
    let (wall, used) = session.spent()?;
    session.end().await?;
    Ok(Reading { rows, bytes, wall, used })
}
