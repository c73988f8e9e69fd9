//! A capture brought to where only events come.

use demo::runtime::{Capture, Connector};
use serde_json::Value;

use crate::Result;

/// Runs a session until history is captured and the channel is subscribed. The capture keeps the state.
pub(crate) async fn read(connector: &Connector, capture: &mut Capture) -> Result<()> {
    let mut session = capture.open(connector).await?;
    let key = capture.bindings()[0].state_key();
    let is_live = |position: &Value| position["live"].is_string() && position["reads"].is_null();
    while !is_live(&capture.state()["bindingStateV1"][&key]) {
        capture.commit(session.group().await?.ok_or("the connector ended before history did")?)?;
        session.acknowledge(1).await?;
    }
    session.close();
    while let Some(group) = session.group().await? {
        capture.commit(group)?;
    }
    session.ended().await?;
    Ok(())
}
